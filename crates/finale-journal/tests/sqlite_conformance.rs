//! The SQLite journal, and what the conformance kit asks of every journal.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use finale_journal::conformance::Fixture;
use finale_journal::sqlite::SqliteFaults;
use finale_journal::{Durability, Journal, JournalError, JournalReader, SqliteJournal, SqliteReader};

#[derive(Debug)]
struct Sqlite {
    folder: tempfile::TempDir,
    durability: Durability,
    faults: SqliteFaults,
    crashes: AtomicUsize,
    copies: AtomicUsize,
}

impl Sqlite {
    fn new(durability: Durability) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            durability,
            faults: SqliteFaults::new(),
            crashes: AtomicUsize::new(0),
            copies: AtomicUsize::new(0),
        }
    }

    /// With what is read in the tables for the most part; otherwise nothing of it is there.
    fn merging(self) -> Self {
        self.faults.merge_every(3);
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn copy_files(&self, from: &str, to: &str) {
        // The database first: while commits are stuck the log only grows.
        for suffix in ["", "-wal", "-mark"] {
            let _ = fs::copy(self.path(&format!("{from}{suffix}")), self.path(&format!("{to}{suffix}")));
        }
    }

    fn open_at(&self, name: &str) -> Arc<dyn Journal> {
        let builder = SqliteJournal::builder(self.path(name)).durability(self.durability).faults(&self.faults);
        Arc::new(builder.open().unwrap())
    }
}

impl Fixture for Sqlite {
    fn open(&self) -> Arc<dyn Journal> {
        self.open_at("journal0")
    }

    fn reopen(&self) -> Option<Arc<dyn Journal>> {
        Some(self.open_at(if self.path("damaged").exists() { "damaged" } else { "journal0" }))
    }

    fn copy(&self) -> Option<Arc<dyn Journal>> {
        let to = format!("copy{}", self.copies.fetch_add(1, Ordering::Relaxed));
        let from = match to.as_str() {
            "copy0" => "journal0".to_owned(),
            _ => format!("copy{}", self.copies.load(Ordering::Relaxed) - 2),
        };
        SqliteReader::open(self.path(&from)).unwrap().backup(self.path(&to)).unwrap();
        Some(self.open_at(&to))
    }

    fn lose_tail(&self) -> bool {
        if self.durability == Durability::Relaxed {
            return false;
        }
        self.copy_files("journal0", "damaged");
        let log = fs::File::options().write(true).open(self.path("damaged-wal")).unwrap();
        log.set_len(log.metadata().unwrap().len() - 1).unwrap();
        true
    }

    fn open_damaged(&self, accept_loss: bool) -> Option<Result<Arc<dyn Journal>, JournalError>> {
        let builder = SqliteJournal::builder(self.path("damaged"));
        let builder = if accept_loss { builder.accept_lost_tail() } else { builder };
        Some(builder.open().map(|journal| Arc::new(journal) as Arc<dyn Journal>))
    }

    fn reader(&self, accept_loss: bool) -> Option<Result<Arc<dyn JournalReader>, JournalError>> {
        let name = if self.path("damaged").exists() { "damaged" } else { "journal0" };
        let builder = SqliteReader::builder(self.path(name));
        let builder = if accept_loss { builder.accept_lost_tail() } else { builder };
        Some(builder.open().map(|reader| Arc::new(reader) as Arc<dyn JournalReader>))
    }

    fn intruder(&self) -> Option<Arc<dyn Journal>> {
        self.faults.ignore_locks();
        Some(self.open_at("journal0"))
    }

    fn move_away(&self) -> bool {
        fs::rename(self.path("journal0"), self.path("away")).is_ok()
    }

    fn put_back(&self) -> Option<Arc<dyn Journal>> {
        fs::rename(self.path("away"), self.path("journal0")).ok()?;
        Some(self.open_at("journal0"))
    }

    /// A copy of the files at that moment is what a kill leaves behind.
    fn crash(&self) -> Option<Arc<dyn Journal>> {
        let crashes = self.crashes.fetch_add(1, Ordering::Relaxed);
        let (from, to) = (format!("journal{crashes}"), format!("journal{}", crashes + 1));
        self.faults.hold();
        self.copy_files(&from, &to);
        self.faults.release();
        Some(self.open_at(&to))
    }
}

finale_journal::conformance!(full, Sqlite::new(Durability::Full));
finale_journal::conformance!(relaxed, Sqlite::new(Durability::Relaxed).merging());
