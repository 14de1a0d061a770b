//! Connections to the database.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::Durability;

/// How long to wait for somebody else who has the database locked, such as a tool.
pub(super) const BUSY: Duration = Duration::from_secs(30);

/// What both kinds need. Memory-mapping stays off: rot would come up as a fault of the whole process.
const COMMON: &str = "PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0; PRAGMA cell_size_check = ON; \
     PRAGMA trusted_schema = OFF;";

/// What the one that writes needs. It checkpoints itself: an automatic one would add syncs to any commit.
const WRITING: &str =
    "PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -32768; PRAGMA journal_size_limit = 67108864;";

/// The one connection that writes. When it is closed it leaves the log as it is, until it is told otherwise.
pub(super) fn writing(path: &Path) -> rusqlite::Result<Connection> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.execute_batch(WRITING)?;
    Ok(connection)
}

/// A connection that reads, and changes nothing.
pub(super) fn reading(path: &Path) -> rusqlite::Result<Connection> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

/// Makes the database keep a log.
pub(super) fn log_ahead(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))
}

/// Copies the log into the database, and syncs that.
pub(super) fn copy_log(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

/// Syncs with each commit, or not.
pub(super) fn sync(connection: &Connection, durability: Durability) -> rusqlite::Result<()> {
    let level = match durability {
        Durability::Full => "FULL",
        Durability::Relaxed => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", level)
}

/// Whether closing the connection copies the log into the database.
pub(super) fn checkpoint_on_close(connection: &Connection, does: bool) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !does).map(drop)
}

fn open(path: &Path, access: OpenFlags) -> rusqlite::Result<Connection> {
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.execute_batch(COMMON)?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_durability_syncs_with_each_commit_and_none_checkpoints() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        std::fs::write(&path, "").unwrap();
        let connection = writing(&path).unwrap();
        log_ahead(&connection).unwrap();
        let setting = |name: &str| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
        for (durability, level) in [(Durability::Relaxed, 1), (Durability::Full, 2)] {
            sync(&connection, durability).unwrap();
            assert_eq!(setting("synchronous"), Ok(level), "{durability:?}");
        }
        assert_eq!(setting("wal_autocheckpoint"), Ok(0));
    }
}
