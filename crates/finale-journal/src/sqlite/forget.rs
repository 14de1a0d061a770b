//! Forgetting executions that have ended.
//!
//! Their summaries go at once. Their facts go little by little, beside other work: the facts of a huge history would make
//! one giant transaction, and hold up everybody. What is left to do is kept in the table `forgotten`.

use finale_core::ExecutionId;
use rusqlite::{Connection, OptionalExtension, params};

use super::ended::Ended;
use super::summary::{COMPLETED, bytes};

/// The most rows of facts that one transaction deletes.
const ROWS_MAX: usize = 4_096;
/// The most bytes of facts that one transaction deletes, unless one append is more.
const BYTES_MAX: i64 = 8 << 20;

/// Forgets those that have ended. Their facts are left to [`sweep`].
pub(super) fn hide(connection: &Connection, executions: &[ExecutionId], kept: &mut Ended) -> rusqlite::Result<()> {
    for execution in executions {
        if let Some((number, last, status)) = ended(connection, *execution)? {
            connection.prepare_cached("DELETE FROM executions WHERE number = ?1")?.execute([number])?;
            kept.add(status, -1);
            leave(connection, last, number)?;
        }
    }
    Ok(())
}

/// Forgets one that has ended, with its facts if there are few of them; gives whether some are left to [`sweep`].
pub(super) fn one(connection: &Connection, number: i64, last: i64) -> rusqlite::Result<bool> {
    connection.prepare_cached("DELETE FROM executions WHERE number = ?1")?.execute([number])?;
    let rest = sweep_one(connection, last, number, &mut Budget { rows: FEW_ROWS, bytes: FEW_BYTES })?;
    leave(connection, rest, number)?;
    Ok(rest != 0)
}

/// Whether facts of forgotten executions are left.
pub(super) fn is_left(connection: &Connection) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM forgotten LIMIT 1")?.exists([])
}

/// Deletes facts of forgotten executions, a bounded number of them; true if some are left.
pub(super) fn sweep(connection: &Connection) -> rusqlite::Result<bool> {
    let mut left = Budget { rows: ROWS_MAX, bytes: BYTES_MAX };
    while left.is_some() {
        let mut next = connection.prepare_cached("SELECT last, execution FROM forgotten LIMIT 1")?;
        let Some((last, number)) = next.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()? else {
            return Ok(false);
        };
        let rest = sweep_one(connection, last, number, &mut left)?;
        connection.prepare_cached("DELETE FROM forgotten WHERE last = ?1")?.execute([last])?;
        leave(connection, rest, number)?;
    }
    Ok(true)
}

/// How many rows of facts are deleted together with their summary.
const FEW_ROWS: usize = 64;
/// How many bytes of facts are deleted together with their summary.
const FEW_BYTES: i64 = 256 << 10;

struct Budget {
    rows: usize,
    bytes: i64,
}

impl Budget {
    const fn is_some(&self) -> bool {
        self.rows > 0 && self.bytes > 0
    }
}

/// Notes where facts to delete are left; 0 is nowhere.
fn leave(connection: &Connection, last: i64, number: i64) -> rusqlite::Result<()> {
    if last != 0 {
        let mut note = connection.prepare_cached("INSERT OR IGNORE INTO forgotten(last, execution) VALUES(?1, ?2)")?;
        note.execute([last, number])?;
    }
    Ok(())
}

/// Deletes facts of one execution; gives where the rest of them lies, or 0.
fn sweep_one(connection: &Connection, last: i64, number: i64, left: &mut Budget) -> rusqlite::Result<i64> {
    let mut place = last;
    while place != 0 && left.is_some() {
        let (previous, length) = delete(connection, place, number)?;
        // Rows only ever point back. One that does not has rotted; what is before it is not found.
        place = if previous < place { previous } else { 0 };
        left.rows -= 1;
        left.bytes -= length;
    }
    Ok(place)
}

/// The number of an execution that has ended, and where its last facts lie. One that has a head is open, whatever its
/// row says.
fn ended(connection: &Connection, execution: ExecutionId) -> rusqlite::Result<Option<(i64, i64, u8)>> {
    let mut select = connection.prepare_cached(
        "SELECT number, last, status FROM executions WHERE id = ?1 AND status >= ?2 \
         AND NOT EXISTS(SELECT 1 FROM heads WHERE heads.id = ?1)",
    )?;
    let row = params![bytes(&execution), COMPLETED];
    select.query_row(row, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()
}

/// Deletes one row of facts, if it belongs to that execution; gives the one before it, or 0, and how long it was.
fn delete(connection: &Connection, place: i64, number: i64) -> rusqlite::Result<(i64, i64)> {
    let mut delete = connection
        .prepare_cached("DELETE FROM facts WHERE place = ?1 AND execution = ?2 RETURNING previous, length(facts)")?;
    let found = delete.query_row([place, number], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok(found.unwrap_or_default())
}
