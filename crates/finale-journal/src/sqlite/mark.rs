//! How far the journal was durable, noted beside the database.
//!
//! SQLite takes a damaged frame of its log for the end of the log, and drops what comes after it without a word. The
//! mark tells that from a log that was torn in a crash: it is written after a commit is on the disk, so it is never
//! ahead of a database that is whole. It is not synced itself: an older one is no harm.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::private::private;

use rusqlite::Connection;
use twox_hash::XxHash3_64;

use crate::OpenProblem;

const MAGIC: &[u8; 8] = b"finale\x01m";
const LENGTH: usize = 64;

/// How far a journal has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) identity: [u8; 16],
    pub(super) epoch: u32,
    pub(super) batch: u64,
    pub(super) running: u64,
}

impl Mark {
    /// The mark in a file; none if there is no file, or nothing in it that is whole.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let mut bytes = [0; LENGTH];
        File::open(path).and_then(|mut file| file.read_exact(&mut bytes)).ok()?;
        Self::decode(&bytes)
    }

    /// Refuses a database that has not come as far as the mark says.
    pub(super) fn check(&self, database: &Self) -> Result<(), OpenProblem> {
        if self.identity != database.identity || self.batch < database.batch || self == database {
            return Ok(());
        }
        // The same number with another content: at least that batch is not the one that was acknowledged.
        Err(OpenProblem::LostTail { missing: (self.batch - database.batch).max(1) })
    }

    fn encode(&self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..24].copy_from_slice(&self.identity);
        bytes[24..28].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[28..36].copy_from_slice(&self.batch.to_le_bytes());
        bytes[36..44].copy_from_slice(&self.running.to_le_bytes());
        let check = XxHash3_64::oneshot(&bytes[..56]);
        bytes[56..].copy_from_slice(&check.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8; LENGTH]) -> Option<Self> {
        let number = |from: usize| bytes[from..from + 8].try_into().map(u64::from_le_bytes).ok();
        if &bytes[..8] != MAGIC || number(56)? != XxHash3_64::oneshot(&bytes[..56]) {
            return None;
        }
        Some(Self {
            identity: bytes[8..24].try_into().ok()?,
            epoch: bytes[24..28].try_into().map(u32::from_le_bytes).ok()?,
            batch: number(28)?,
            running: number(36)?,
        })
    }
}

/// The file of the mark.
#[derive(Debug)]
pub(super) struct MarkFile(File);

impl MarkFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        private(&mut options);
        options.open(path).map(Self)
    }

    /// Notes a new mark over the old one.
    pub(super) fn put(&mut self, mark: &Mark) -> io::Result<()> {
        self.0.seek(SeekFrom::Start(0))?;
        self.0.write_all(&mark.encode())
    }
}

/// How far a database has come.
pub(super) fn reached(connection: &Connection) -> rusqlite::Result<Mark> {
    connection.query_row("SELECT identity, epoch, batch, running FROM meta", [], |row| {
        let (batch, running) = (row.get::<_, i64>(2)? as u64, row.get::<_, i64>(3)? as u64);
        Ok(Mark { identity: row.get(0)?, epoch: row.get(1)?, batch, running })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(batch: u64, running: u64) -> Mark {
        Mark { identity: [7; 16], epoch: 3, batch, running }
    }

    #[test]
    fn a_mark_is_read_back_and_a_damaged_one_is_none() {
        let bytes = mark(5, 6).encode();
        assert_eq!(Mark::decode(&bytes), Some(mark(5, 6)));
        for index in 0..LENGTH {
            let mut damaged = bytes;
            damaged[index] ^= 1;
            assert_eq!(Mark::decode(&damaged), None, "byte {index}");
        }
    }

    #[test]
    fn a_database_behind_the_mark_has_lost_something() {
        let lost = |mark: Mark, database: Mark| mark.check(&database).unwrap_err();
        assert_eq!(lost(mark(9, 1), mark(6, 1)), OpenProblem::LostTail { missing: 3 });
        assert_eq!(lost(mark(6, 2), mark(6, 1)), OpenProblem::LostTail { missing: 1 });
    }

    #[test]
    fn a_mark_that_is_behind_or_of_another_journal_says_nothing() {
        assert_eq!(mark(5, 1).check(&mark(6, 2)), Ok(()));
        assert_eq!(mark(5, 1).check(&mark(5, 1)), Ok(()));
        assert_eq!(Mark { identity: [8; 16], ..mark(9, 1) }.check(&mark(5, 1)), Ok(()));
    }
}
