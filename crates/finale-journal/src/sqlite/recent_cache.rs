//! Reading what is not in the tables yet.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;

use super::recent::Recent;
use super::trouble::is_rot;

/// What was read of the batches, kept for the next read: each batch is read once.
#[derive(Debug, Default)]
pub(super) struct RecentCache(Mutex<Cached>);

#[derive(Debug, Default)]
struct Cached {
    /// The batch that brought everything before it into the tables.
    merged: u64,
    /// The newest batch that was read.
    up_to: u64,
    recent: Arc<Recent>,
}

/// What a state of the database says of its batches.
#[derive(Clone, Copy, Debug)]
struct Expected {
    batch: u64,
    merged: u64,
    hash: u64,
}

impl Expected {
    fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let mut select = connection.prepare_cached("SELECT batch, merged, unmerged_hash FROM meta")?;
        select.query_row([], |row| {
            let number = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
            Ok(Self { batch: number(0)?, merged: number(1)?, hash: number(2)? })
        })
    }
}

/// Batches, and how many acknowledged ones are missing at their end.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) recent: Arc<Recent>,
    pub(super) missing: u64,
}

impl RecentCache {
    /// What is not in the tables yet, in a transaction that has read nothing so far: the state that it sees is chosen here,
    /// so that none that is asked for later is older.
    pub(super) fn at(&self, snapshot: &Connection) -> rusqlite::Result<Loaded> {
        let mut cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let expected = Expected::read(snapshot)?;
        if cached.merged != expected.merged {
            *cached = Cached { merged: expected.merged, ..Cached::default() };
        }
        if cached.recent.hash() != expected.hash {
            let Cached { up_to, recent, .. } = &mut *cached;
            extend(snapshot, Arc::make_mut(recent), up_to)?;
        }
        if cached.recent.hash() == expected.hash {
            return Ok(Loaded { recent: Arc::clone(&cached.recent), missing: 0 });
        }
        // Nothing that was read so far can be trusted to fit.
        *cached = Cached::default();
        load_expected(snapshot, expected)
    }
}

/// Reads all batches, as far as they are what was written.
pub(super) fn load(connection: &Connection) -> rusqlite::Result<Loaded> {
    load_expected(connection, Expected::read(connection)?)
}

fn load_expected(connection: &Connection, expected: Expected) -> rusqlite::Result<Loaded> {
    let (mut recent, mut up_to) = (Recent::default(), 0);
    match extend(connection, &mut recent, &mut up_to) {
        Err(error) if !is_rot(&error) => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let is_whole = recent.hash() == expected.hash;
    let missing = if is_whole { 0 } else { expected.batch.saturating_sub(up_to.max(expected.merged)).max(1) };
    Ok(Loaded { recent: Arc::new(recent), missing })
}

/// Drops batches that are not what was written, of which the first comes after those in `recent`.
pub(super) fn cut_off(connection: &Connection, recent: &Recent) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    transaction.execute("DELETE FROM batches WHERE batch > ?1", [recent.newest().cast_signed()])?;
    transaction.execute("UPDATE meta SET unmerged_hash = ?1", [recent.hash().cast_signed()])?;
    transaction.commit()
}

/// Reads the batches after one, up to the first that is not what was written.
fn extend(connection: &Connection, recent: &mut Recent, up_to: &mut u64) -> rusqlite::Result<()> {
    let mut select =
        connection.prepare_cached("SELECT batch, hash, bytes FROM batches WHERE batch > ?1 ORDER BY batch")?;
    let mut rows = select.query([up_to.cast_signed()])?;
    while let Some(row) = rows.next()? {
        let (number, hash) = (row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, i64>(1)?.cast_unsigned());
        let bytes = row.get_ref(2)?.as_blob()?;
        if recent.hash_with(number, bytes) != hash {
            break;
        }
        recent.push(number, bytes.into(), hash);
        *up_to = number;
    }
    Ok(())
}
