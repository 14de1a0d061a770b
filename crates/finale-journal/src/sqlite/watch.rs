//! Whether the files of a journal are still where they were opened.
//!
//! A file that was moved, replaced or deleted stays open: SQLite would go on writing to it, and everything that was
//! acknowledged would be in a file that nobody finds. So the owner compares what the names lead to with what it opened.
//! The log is looked at with every commit, and the others a few times a second.
//!
//! A database file that was cut off grows again when the log is copied into it, with a hole in it. So its length is compared
//! before that too, with what it was when the log was last copied whole: nothing but a later copy makes it shorter, to what
//! the database was after some commit. Of commits that are not the owner's own, a `VACUUM` by hand, nothing is known here;
//! the next copy tells the length again.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::JournalError;

use super::files::Files;
use super::identity::FileIdentity;
use super::trouble::failed;

/// How often all files are looked at. Twice as often as is promised.
pub(super) const INTERVAL: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct FileWatch {
    watched: Vec<(PathBuf, FileIdentity)>,
    database: PathBuf,
    /// How long the database file is at least; 0 if that is not known.
    database_bytes: u64,
    /// The version of the database then, which changes when somebody else commits.
    data_version: i64,
    log: PathBuf,
    looked_at: Instant,
}

impl FileWatch {
    /// Watches the files as they are now, when the owner has them open.
    pub(super) fn begin(files: &Files, has_mark: bool) -> std::io::Result<Self> {
        let mut watched = Vec::new();
        let mark = has_mark.then_some(&files.mark);
        for path in [&files.database, &files.log, &files.index].into_iter().chain(mark) {
            if let Some(identity) = FileIdentity::at(path)? {
                watched.push((path.clone(), identity));
            }
        }
        let (database, log) = (files.database.clone(), files.log.clone());
        Ok(Self { watched, database, database_bytes: 0, data_version: 0, log, looked_at: Instant::now() })
    }

    /// Looks at all files, unless that was done a moment ago.
    pub(super) fn look_if_due(&mut self, connection: &Connection) -> Result<(), JournalError> {
        if self.looked_at.elapsed() < INTERVAL {
            return Ok(());
        }
        self.looked_at = Instant::now();
        self.check_database(connection)?;
        self.watched.iter().try_for_each(|(path, opened)| match FileIdentity::at(path) {
            Ok(Some(found)) if found == *opened => Ok(()),
            Ok(_) => Err(JournalError::FileReplaced { path: path.clone() }),
            // It may be there all the same.
            Err(error) => Err(failed(format!("{}: {error}", path.display()))),
        })
    }

    /// Everything in the log was copied into the database: from now on its file is as long as it has pages.
    pub(super) fn note_whole(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.data_version = data_version(connection)?;
        self.database_bytes = bytes(connection)?.min(self.database_length().unwrap_or_default());
        Ok(())
    }

    /// Pages at the end of the database were given back: who copies the log makes the file shorter.
    pub(super) fn note_shorter(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.database_bytes = self.database_bytes.min(bytes(connection)?);
        Ok(())
    }

    /// Whether the database is as long as it was, unless somebody else has changed it.
    pub(super) fn check_database(&mut self, connection: &Connection) -> Result<(), JournalError> {
        if self.database_length().is_none_or(|length| length >= self.database_bytes) {
            return Ok(());
        }
        if data_version(connection).is_ok_and(|version| version == self.data_version) {
            return Err(failed(format!("{}: it was cut off under the running journal", self.database.display())));
        }
        self.database_bytes = 0;
        Ok(())
    }

    fn database_length(&self) -> Option<u64> {
        // One that is not there, or not there any more, is found by its identity.
        self.database.symlink_metadata().ok().filter(std::fs::Metadata::is_file).map(|found| found.len())
    }

    /// Whether the log is at least that long.
    pub(super) fn has_log_of(&self, bytes: u64) -> Result<bool, JournalError> {
        match self.log.symlink_metadata() {
            Ok(found) => Ok(found.len() >= bytes),
            Err(_) if self.watched.iter().any(|(path, _)| *path == self.log) => {
                Err(JournalError::FileReplaced { path: self.log.clone() })
            }
            Err(_) => Ok(bytes == 0),
        }
    }

    /// The log is not as long as what was written to it.
    pub(super) fn cut(&self) -> JournalError {
        failed(format!("{}: the log was cut off under the running journal", self.log.display()))
    }
}

fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA data_version", [], |row| row.get(0))
}

/// How long the database is, as its newest commit says, or the transaction that is under way.
fn bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let number = |name: &str| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
    Ok(number("page_count")?.unsigned_abs() * number("page_size")?.unsigned_abs())
}
