//! Whether the files of a journal are still where they were opened.
//!
//! A file that was moved, replaced or deleted stays open: SQLite would go on writing to it, and everything that was
//! acknowledged would be in a file that nobody finds. So the owner compares what the names lead to with what it opened.
//! The log is looked at with every commit, and the others a few times a second.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::JournalError;

use super::files::Files;
use super::identity::FileIdentity;
use super::trouble::failed;

/// How often all files are looked at. Twice as often as is promised.
pub(super) const INTERVAL: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct FileWatch {
    watched: Vec<(PathBuf, FileIdentity)>,
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
        Ok(Self { watched, log: files.log.clone(), looked_at: Instant::now() })
    }

    /// Looks at all files, unless that was done a moment ago.
    pub(super) fn look_if_due(&mut self) -> Result<(), JournalError> {
        if self.looked_at.elapsed() < INTERVAL {
            return Ok(());
        }
        self.looked_at = Instant::now();
        self.watched.iter().try_for_each(|(path, opened)| match FileIdentity::at(path) {
            Ok(Some(found)) if found == *opened => Ok(()),
            Ok(_) => Err(JournalError::FileReplaced { path: path.clone() }),
            // It may be there all the same.
            Err(error) => Err(failed(format!("{}: {error}", path.display()))),
        })
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
