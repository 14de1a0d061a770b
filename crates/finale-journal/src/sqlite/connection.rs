//! Connections to the database.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::Durability;
use super::files::Files;

/// How long to wait for somebody else who has the database locked, such as a tool, while it is opened or read.
const BUSY: Duration = Duration::from_secs(30);
/// How long SQLite waits for the right to write before the thread that writes looks around, and waits on.
pub(super) const BUSY_SLICE: Duration = Duration::from_millis(100);

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

/// A connection to an empty file that is to become a database. Nothing needs to be undone if that fails.
pub(super) fn creating(path: &Path) -> rusqlite::Result<Connection> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // Space of what is forgotten can be given back only if that is said before anything is in the database.
    connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA synchronous = OFF;")?;
    Ok(connection)
}

/// A connection that reads, and changes nothing.
#[derive(Debug)]
pub(super) enum Reading {
    /// It sees what an owner at work writes.
    Shared(Connection),
    /// It takes the database for one that nobody changes: that must be seen to anew for each use.
    Closed(Connection),
}

impl Reading {
    pub(super) const fn connection(&self) -> &Connection {
        match self {
            Self::Shared(connection) | Self::Closed(connection) => connection,
        }
    }
}

/// Opens a database to read it. If it was closed in order it can be read although its folder cannot be written to,
/// where SQLite has no room for the index of the log: there is no log.
pub(super) fn reading(files: &Files) -> rusqlite::Result<Reading> {
    let connection = open(&files.database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.set_prepared_statement_cache_capacity(32);
    match connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())) {
        Err(error) if is_out_of_reach(&error) && !files.has_log() => file_alone(files),
        Err(error) => Err(error),
        Ok(()) => Ok(Reading::Shared(connection)),
    }
}

/// Opens the database without its log, as a file that nobody changes.
pub(super) fn file_alone(files: &Files) -> rusqlite::Result<Reading> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    open(unchanging(&files.database).as_ref(), flags).map(Reading::Closed)
}

fn is_out_of_reach(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::SystemIoFailure))
}

/// The name of a file as a URI that tells SQLite that nobody changes the file.
fn unchanging(path: &Path) -> String {
    let mut name = String::new();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => name.push(char::from(*byte)),
            byte => name.push_str(&format!("%{byte:02x}")),
        }
    }
    format!("file:{name}?immutable=1")
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
