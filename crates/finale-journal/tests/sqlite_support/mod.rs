//! A SQLite journal under test, and somebody who writes to it.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test file needs some of it, and may panic")]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use finale_core::fact::Terminal;
use finale_core::record::WorkflowName;
use finale_core::{DefinitionHash, ExecutionId, Time};
use finale_journal::sqlite::SqliteFaults;
use finale_journal::{
    Append, Appended, Begins, Ends, Epoch, Journal, JournalError, Listener, Position, SqliteJournal, Standing,
    StoredDefinition, Writer,
};
use rusqlite::Connection;
use uuid::Uuid;

/// A folder with a journal in it.
pub struct Place {
    folder: tempfile::TempDir,
    pub faults: SqliteFaults,
}

impl Place {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), faults: SqliteFaults::new() }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self) -> PathBuf {
        self.file("")
    }

    /// One of the files of the journal.
    pub fn file(&self, suffix: &str) -> PathBuf {
        self.folder().join(format!("journal{suffix}"))
    }

    pub fn open(&self) -> SqliteJournal {
        SqliteJournal::builder(self.path()).faults(&self.faults).open().unwrap()
    }

    /// What a kill at this moment leaves behind, in another folder.
    pub fn copy(&self) -> Self {
        let copy = Self::new();
        for suffix in ["", "-wal", "-mark"] {
            let _ = std::fs::copy(self.file(suffix), copy.file(suffix));
        }
        copy
    }

    /// Changes the database as rot does: behind the back of everybody.
    pub fn alter(&self, sql: &str) {
        let changed = Connection::open(self.path()).unwrap().execute(sql, []).unwrap();
        assert!(changed > 0, "{sql} changes something");
    }

    pub fn count(&self, table: &str) -> i64 {
        let select = format!("SELECT count(*) FROM {table}");
        Connection::open(self.path()).unwrap().query_row(&select, [], |row| row.get(0)).unwrap()
    }
}

/// Hears watermarks.
#[derive(Clone, Default)]
pub struct Ear(Arc<(Mutex<Vec<Told>>, Condvar)>);

type Told = Result<Position, JournalError>;

impl Ear {
    pub fn listener(&self) -> Listener {
        let ear = self.clone();
        Listener::new(move |told| {
            ear.0.0.lock().unwrap().push(told);
            ear.0.1.notify_all();
        })
    }

    pub fn heard(&self) -> Vec<Result<Position, JournalError>> {
        self.0.0.lock().unwrap().clone()
    }

    pub fn wait(&self, position: Position) {
        self.wait_for(|told| matches!(told, Ok(watermark) if *watermark >= position));
    }

    pub fn wait_for_error(&self) -> JournalError {
        self.wait_for(Result::is_err);
        self.heard().into_iter().find_map(Result::err).unwrap()
    }

    fn wait_for(&self, what: impl Fn(&Result<Position, JournalError>) -> bool) {
        let heard = self.0.0.lock().unwrap();
        let missing = |heard: &mut Vec<_>| !heard.iter().any(&what);
        let (_heard, waited) = self.0.1.wait_timeout_while(heard, Duration::from_secs(30), missing).unwrap();
        assert!(!waited.timed_out(), "it is told within half a minute");
    }
}

/// Somebody who writes.
pub struct Hand {
    pub writer: Box<dyn Writer>,
    pub ear: Ear,
    pub last: Position,
    pub epoch: Epoch,
}

impl Hand {
    /// Claims a journal and opens a way in.
    pub fn of(journal: &SqliteJournal) -> Self {
        Self::with(journal, journal.claim().unwrap().epoch, 0)
    }

    pub fn with(journal: &SqliteJournal, epoch: Epoch, shard: u16) -> Self {
        let ear = Ear::default();
        let writer = journal.writer(epoch, shard, ear.listener()).unwrap();
        Self { writer, ear, last: Position(0), epoch }
    }

    pub fn begin(&mut self, number: u128, facts: &[u8]) {
        self.note(|writer| try_begin(writer, number, facts, Standing::Running));
    }

    pub fn more(&mut self, number: u128, sequence: u64, facts: &[u8]) {
        self.note(|writer| try_more(writer, number, sequence, facts, Standing::Running));
    }

    pub fn end(&mut self, number: u128, sequence: u64) {
        self.note(|writer| try_more(writer, number, sequence, b"end", ended(number)));
    }

    pub fn whole(&mut self, number: u128) {
        self.note(|writer| try_begin(writer, number, b"whole", ended(number)));
    }

    pub fn note(&mut self, write: impl FnOnce(&mut dyn Writer) -> Result<Appended, JournalError>) {
        self.last = write(&mut *self.writer).unwrap().position;
    }

    /// Waits until everything is durable.
    pub fn settle(&self) {
        self.ear.wait(self.last);
    }
}

pub fn id(number: u128) -> ExecutionId {
    ExecutionId::from_uuid(Uuid::from_u128(number))
}

pub fn ended(number: u128) -> Standing<'static> {
    let at = Time::from_micros(i64::try_from(number).unwrap());
    Standing::Ended(Ends { status: Terminal::Completed, at, error: None, to_tell: false })
}

pub fn definition() -> StoredDefinition {
    let workflow = WorkflowName { id: "order".into(), name: "Order".into(), version: "1.0.0".into() };
    StoredDefinition { hash: DefinitionHash::from_bytes([7; 16]), workflow, bytes: b"nodes".as_slice().into() }
}

pub fn try_begin(
    writer: &mut dyn Writer,
    number: u128,
    facts: &[u8],
    standing: Standing<'_>,
) -> Result<Appended, JournalError> {
    let (definition, key) = (definition(), format!("key {number}"));
    let at = Time::from_micros(i64::try_from(number).unwrap());
    let begins = Begins {
        definition: &definition,
        by: "somebody",
        at,
        idempotency_key: Some(&key),
        business_key: Some("customer"),
    };
    let begins = Some(begins);
    writer.append(Append { execution: id(number), first_sequence: 1, count: 1, facts, begins, standing })
}

pub fn try_more(
    writer: &mut dyn Writer,
    number: u128,
    sequence: u64,
    facts: &[u8],
    standing: Standing<'_>,
) -> Result<Appended, JournalError> {
    let execution = id(number);
    writer.append(Append { execution, first_sequence: sequence, count: 1, facts, begins: None, standing })
}
