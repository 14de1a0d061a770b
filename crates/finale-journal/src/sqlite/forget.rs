//! Forgetting executions that have ended.
//!
//! Their summaries go at once. Their facts go little by little, beside other work: the facts of a huge history would make
//! one giant transaction, and hold up everybody. What is left to do is kept in the table `forgotten`.
//!
//! Executions that ended one after the other mostly lie one after the other, so neighbours are deleted by one statement
//! for all of them: a statement for each costs several times as much as what it deletes.

use finale_core::ExecutionId;
use rusqlite::{Connection, OptionalExtension, params};

use super::ended::Ended;
use super::summary::{COMPLETED, bytes};

/// The most rows of facts that are deleted before it is looked whether there is time for more.
const ROWS_MAX: usize = 256;
/// The most bytes of facts that are deleted before it is looked whether there is time for more, unless one append is more.
const BYTES_MAX: i64 = 512 << 10;

/// Forgets those of them that have ended, with their facts as far as those are few; gives whether some are left to [`sweep`].
pub(super) fn named(connection: &Connection, executions: &[ExecutionId], kept: &mut Ended) -> rusqlite::Result<bool> {
    let mut places = Vec::new();
    for execution in executions {
        places.extend(ended(connection, *execution)?);
    }
    places.sort_unstable_by_key(|(place, _)| place.number);
    // Somebody may be named twice.
    places.dedup_by_key(|(place, _)| place.number);
    places.iter().for_each(|(_, status)| kept.add(*status, -1));
    many(connection, &mut places.into_iter().map(|(place, _)| place).collect::<Vec<_>>())
}

/// Where one execution that has ended lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) number: i64,
    /// That of its last facts; 0 if there are none.
    pub(super) last: i64,
}

/// Forgets executions that have ended, with their facts as far as those are few; gives whether some are left to [`sweep`].
pub(super) fn many(connection: &Connection, places: &mut [Place]) -> rusqlite::Result<bool> {
    places.sort_unstable_by_key(|place| place.number);
    // Nearly always there is none: that costs one look.
    let is_untold = connection.prepare_cached("SELECT 1 FROM untold LIMIT 1")?.exists([])?;
    let mut told = connection
        .prepare_cached("DELETE FROM untold WHERE id IN (SELECT id FROM executions WHERE number BETWEEN ?1 AND ?2)")?;
    let mut delete = connection.prepare_cached("DELETE FROM executions WHERE number BETWEEN ?1 AND ?2")?;
    for neighbours in places.chunk_by(|one, next| one.number + 1 == next.number) {
        if let [first, .., last] | [first @ last] = neighbours {
            if is_untold {
                told.execute([first.number, last.number])?;
            }
            delete.execute([first.number, last.number])?;
        }
    }
    let mut places: Vec<_> = places.iter().copied().filter(|place| place.last != 0).collect();
    let mut left = Budget::new();
    while !places.is_empty() && left.is_some() {
        places = sweep_last(connection, places, &mut left)?;
    }
    for Place { number, last } in &places {
        leave(connection, *last, *number)?;
    }
    Ok(!places.is_empty())
}

/// Whether facts of forgotten executions are left.
pub(super) fn is_left(connection: &Connection) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM forgotten LIMIT 1")?.exists([])
}

/// Deletes facts of forgotten executions, a bounded number of them; true if some are left.
pub(super) fn sweep(connection: &Connection) -> rusqlite::Result<bool> {
    let mut left = Budget::new();
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

struct Budget {
    rows: usize,
    bytes: i64,
}

impl Budget {
    const fn new() -> Self {
        Self { rows: ROWS_MAX, bytes: BYTES_MAX }
    }

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

/// Deletes the last row of facts of each of these executions, as far as the budget goes; gives where the rows before them
/// lie, and those that were not deleted.
fn sweep_last(connection: &Connection, mut places: Vec<Place>, left: &mut Budget) -> rusqlite::Result<Vec<Place>> {
    places.sort_unstable_by_key(|place| place.last);
    let mut rest = Vec::new();
    for mut neighbours in places.chunk_by(|one, next| one.last + 1 == next.last) {
        while let [first, ..] = neighbours {
            if !left.is_some() {
                rest.extend_from_slice(neighbours);
                break;
            }
            let Found { count, are_theirs } = find(connection, neighbours, left, &mut rest)?;
            if are_theirs {
                let mut all = connection.prepare_cached("DELETE FROM facts WHERE place BETWEEN ?1 AND ?2")?;
                all.execute([first.last, first.last + count as i64 - 1])?;
            } else {
                for Place { number, last } in &neighbours[..count] {
                    delete(connection, *last, *number)?;
                }
            }
            neighbours = &neighbours[count..];
        }
    }
    Ok(rest)
}

/// What was found of neighbours.
struct Found {
    /// How many of them fit into the budget; at least one.
    count: usize,
    /// Whether every row of facts there belongs to the execution that points to it. If not, something has rotted.
    are_theirs: bool,
}

/// Looks at the rows of facts of neighbours, as far as the budget goes, and notes where the rows before them lie.
fn find(
    connection: &Connection,
    neighbours: &[Place],
    left: &mut Budget,
    before: &mut Vec<Place>,
) -> rusqlite::Result<Found> {
    let mut select = connection.prepare_cached(
        "SELECT place, execution, previous, length(facts) FROM facts WHERE place BETWEEN ?1 AND ?2 ORDER BY place",
    )?;
    let ([first, .., last] | [first @ last]) = neighbours else { return Ok(Found { count: 0, are_theirs: true }) };
    let mut rows = select.query([first.last, last.last])?;
    let mut found = Found { count: 0, are_theirs: true };
    while let Some(row) = rows.next()? {
        let (place, execution, previous): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let index = usize::try_from(place - first.last).unwrap_or_default();
        if neighbours[index].number == execution {
            // Rows only ever point back. One that does not has rotted; what is before it is not found.
            if previous != 0 && previous < place {
                before.push(Place { number: execution, last: previous });
            }
            left.bytes -= row.get::<_, i64>(3)?;
        } else {
            found.are_theirs = false;
        }
        left.rows = left.rows.saturating_sub(1);
        if !left.is_some() {
            found.count = index + 1;
            return Ok(found);
        }
    }
    // Of those that are missing behind the last one nothing is left to delete.
    found.count = neighbours.len();
    Ok(found)
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

/// Where an execution that has ended lies, and how it ended. One that has a head is open, whatever its row says.
fn ended(connection: &Connection, execution: ExecutionId) -> rusqlite::Result<Option<(Place, u8)>> {
    let mut select = connection.prepare_cached(
        "SELECT number, last, status FROM executions WHERE id = ?1 AND status >= ?2 \
         AND NOT EXISTS(SELECT 1 FROM heads WHERE heads.id = ?1)",
    )?;
    let row = params![bytes(&execution), COMPLETED];
    select.query_row(row, |row| Ok((Place { number: row.get(0)?, last: row.get(1)? }, row.get(2)?))).optional()
}

/// Deletes one row of facts, if it belongs to that execution; gives the one before it, or 0, and how long it was.
fn delete(connection: &Connection, place: i64, number: i64) -> rusqlite::Result<(i64, i64)> {
    let mut delete = connection
        .prepare_cached("DELETE FROM facts WHERE place = ?1 AND execution = ?2 RETURNING previous, length(facts)")?;
    let found = delete.query_row([place, number], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok(found.unwrap_or_default())
}
