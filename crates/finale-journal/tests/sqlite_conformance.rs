//! The SQLite journal, and what the conformance kit asks of every journal.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use finale_journal::conformance::Fixture;
use finale_journal::sqlite::SqliteFaults;
use finale_journal::{Durability, Journal, SqliteJournal};

#[derive(Debug)]
struct Sqlite {
    folder: tempfile::TempDir,
    durability: Durability,
    faults: SqliteFaults,
    crashes: AtomicUsize,
}

impl Sqlite {
    fn new(durability: Durability) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            durability,
            faults: SqliteFaults::new(),
            crashes: AtomicUsize::new(0),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
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
        Some(self.open_at("journal0"))
    }

    /// A copy of the files at that moment is what a kill leaves behind.
    fn crash(&self) -> Option<Arc<dyn Journal>> {
        let crashes = self.crashes.fetch_add(1, Ordering::Relaxed);
        let (from, to) = (format!("journal{crashes}"), format!("journal{}", crashes + 1));
        self.faults.hold();
        // The database first: while commits are stuck the log only grows.
        for suffix in ["", "-wal", "-mark"] {
            let _ = fs::copy(self.path(&format!("{from}{suffix}")), self.path(&format!("{to}{suffix}")));
        }
        self.faults.release();
        Some(self.open_at(&to))
    }
}

finale_journal::conformance!(full, Sqlite::new(Durability::Full));
finale_journal::conformance!(relaxed, Sqlite::new(Durability::Relaxed));
