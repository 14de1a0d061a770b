//! Opening a journal: whose it is, whether it is one, and whether all of it is there.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use finale_core::DefinitionHash;
use rusqlite::Connection;
use rustc_hash::FxHashMap;

use crate::{Epoch, JournalError, OpenProblem};

use super::activity::Activities;
use super::below_log::missing_below_log;
use super::committer::{self, Start};
use super::connection::{self, log_ahead};
use super::faults::SqliteFaults;
use super::fence::StoreFence;
use super::files::{Files, io_problem};
use super::found_heads::FoundHeads;
use super::handle::DatabaseHandle;
use super::lock::{DatabaseLock, Lock};
use super::mark::{Mark, MarkFile, reached};
use super::queue::{Counts, Queue};
use super::readers::{Readers, Tail};
use super::recent::Recent;
use super::recent_cache::{Loaded, cut_off, load};
use super::schema::{self, APPLICATION_ID, MIGRATIONS};
use super::shared::{Ended, Shared};
use super::stats::Counters;
use super::trouble::open_problem;
use super::watch::FileWatch;
use super::{Durability, Owner, SqliteJournal, version};

/// How a [`SqliteJournal`] is to be opened.
#[derive(Clone, Debug)]
#[must_use]
pub struct SqliteBuilder {
    path: PathBuf,
    durability: Durability,
    queue_bytes_max: usize,
    lock_patience: Duration,
    accept_lost_tail: bool,
    faults: Option<SqliteFaults>,
}

impl SqliteBuilder {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            durability: Durability::default(),
            queue_bytes_max: 64 << 20,
            lock_patience: Duration::from_secs(5 * 60),
            accept_lost_tail: false,
            faults: None,
        }
    }

    /// What an acknowledgement survives; default [`Durability::Full`].
    pub const fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// How many bytes may wait to become durable before the journal says that it is
    /// [full](crate::Writer::is_full); default 64 MiB. Whoever writes all the same is not refused.
    pub const fn queue_bytes_max(mut self, bytes: usize) -> Self {
        self.queue_bytes_max = bytes;
        self
    }

    /// How long to wait for another program that holds the write lock of the database, such as a tool, before the journal
    /// fails; default five minutes. Nothing is acknowledged meanwhile, nothing is lost, and
    /// [`waiting`](crate::JournalReader::waiting) says what is waited for.
    pub const fn lock_patience(mut self, patience: Duration) -> Self {
        self.lock_patience = patience;
        self
    }

    /// Opens the journal even if acknowledged batches are missing at its end
    /// ([`OpenProblem::LostTail`]): they are lost for good.
    pub const fn accept_lost_tail(mut self) -> Self {
        self.accept_lost_tail = true;
        self
    }

    /// Lets a test make it fail.
    #[cfg(feature = "_test")]
    pub fn faults(mut self, faults: &SqliteFaults) -> Self {
        self.faults = Some(faults.clone());
        self
    }

    /// Opens the journal, and creates it if there is none.
    ///
    /// # Errors
    /// [`JournalError::Open`] says which file could not be opened and why.
    pub fn open(self) -> Result<SqliteJournal, JournalError> {
        let files = Files::at(&self.path)?;
        let owner = self.open_files(&files).map_err(|problem| files.error(problem))?;
        Ok(SqliteJournal(Arc::new(owner)))
    }

    fn open_files(self, files: &Files) -> Result<Owner, OpenProblem> {
        version::check(rusqlite::version_number())?;
        // Before anything else touches the database: closing any other handle on it would free the locks that SQLite
        // holds for another journal in this process.
        let ignores_locks = self.faults.as_ref().is_some_and(SqliteFaults::ignores_locks);
        let lock = if ignores_locks { None } else { Some(Lock::take(&files.lock)?) };
        if !ignores_locks {
            files.check()?;
        }
        let mark = self.prepare(files)?;
        let database_lock = if ignores_locks { DatabaseLock::none } else { DatabaseLock::take };
        let database_lock = database_lock(&files.database)?;
        let handle = DatabaseHandle::at(&files.database).map_err(io_problem)?;
        match missing_below_log(files, &handle) {
            0 => {}
            _ if self.accept_lost_tail => files.drop_log().map_err(io_problem)?,
            missing => return Err(OpenProblem::LostTail { missing }),
        }
        let mut connection = connection::writing(&files.database).map_err(open_problem)?;
        identify(&connection)?;
        let version = schema::check_version(&connection, MIGRATIONS)?;
        let mark = mark.filter(|_| !self.accept_lost_tail);
        if version == 0 {
            return Err(mark.map_or(OpenProblem::Foreign, |mark| OpenProblem::LostTail { missing: mark.batch }));
        }
        log_ahead(&connection).map_err(open_problem)?;
        connection::sync(&connection, self.durability).map_err(open_problem)?;
        schema::migrate(&mut connection, MIGRATIONS)?;
        if version < MIGRATIONS.len() {
            // The fence reads the newest columns past the log.
            connection::copy_log(&connection).map_err(open_problem)?;
        }
        schema::check_format(&connection)?;
        let reached = reached(&connection).map_err(open_problem)?;
        if let Some(mark) = mark {
            mark.check(&reached)?;
        }
        let recent = self.recent(&connection)?;
        schema::note_format(&connection)?;
        let mut mark = self.mark_file(files).map_err(io_problem)?;
        if let (Some(mark), true) = (&mut mark, self.accept_lost_tail) {
            // What was accepted once is not asked about again.
            mark.put(&reached).map_err(io_problem)?;
        }
        let readers = Readers::new(files.clone(), handle, Tail::Owned);
        self.start((files, readers), connection, (reached, recent), mark, (lock, database_lock))
    }

    /// What is not in the tables yet. What is damaged of it is missing at the end of the journal.
    fn recent(&self, connection: &Connection) -> Result<Recent, OpenProblem> {
        let Loaded { recent, missing } = load(connection).map_err(open_problem)?;
        match missing {
            0 => {}
            _ if self.accept_lost_tail => cut_off(connection, &recent).map_err(open_problem)?,
            missing => return Err(OpenProblem::LostTail { missing }),
        }
        Ok(Arc::unwrap_or_clone(recent))
    }

    /// Creates the database if there is none; gives the mark if there is one.
    fn prepare(&self, files: &Files) -> Result<Option<Mark>, OpenProblem> {
        let mark = Mark::read(&files.mark);
        match files.lost(mark) {
            Some(lost) if !self.accept_lost_tail => Err(lost),
            Some(_) => create(files).map(|()| None),
            None => match files.length() {
                None => create(files).map(|()| None),
                Some(0) => Err(OpenProblem::Empty),
                Some(_) => Ok(mark),
            },
        }
    }

    /// Without syncs a power loss takes batches back that a mark says are there: then there is none.
    fn mark_file(&self, files: &Files) -> std::io::Result<Option<MarkFile>> {
        if self.durability == Durability::Full {
            return MarkFile::open(&files.mark).map(Some);
        }
        match fs::remove_file(&files.mark) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(None),
        }
    }

    fn start(
        self,
        (files, readers): (&Files, Readers),
        connection: Connection,
        (reached, recent): (Mark, Recent),
        mark: Option<MarkFile>,
        locks: (Option<Lock>, DatabaseLock),
    ) -> Result<Owner, OpenProblem> {
        let (mut counts, place) = counts(&connection).map_err(open_problem)?;
        counts.number = recent.entries().iter().map(|entry| entry.number).fold(counts.number, i64::max);
        let database = locks.1.file().map_err(io_problem)?;
        let fence = StoreFence::find(database, &connection).map_err(open_problem)?;
        let watch = FileWatch::begin(files, mark.is_some()).map_err(io_problem)?;
        let definitions = definitions(&connection).map_err(open_problem)?;
        let shared = Arc::new(Shared {
            queue: Queue::new(Epoch(reached.epoch), counts, definitions),
            readers,
            found: FoundHeads::default(),
            counters: Counters::default(),
            activities: Activities::default(),
            queue_bytes_max: self.queue_bytes_max,
            ended: Ended::default(),
        });
        let (faults, lock_patience) = (self.faults, self.lock_patience);
        connection.busy_timeout(connection::BUSY_SLICE).map_err(open_problem)?;
        let shared_too = Arc::clone(&shared);
        let start = Start {
            shared: shared_too,
            connection,
            reached,
            place,
            recent,
            mark,
            faults,
            locks,
            fence,
            watch,
            lock_patience,
        };
        let committer = committer::start(start).map_err(io_problem)?.thread().id();
        Ok(Owner { shared, committer })
    }
}

/// Creates an empty journal, all of it or nothing: it gets its name when it is whole.
fn create(files: &Files) -> Result<(), OpenProblem> {
    files.clear_leftovers().map_err(io_problem)?;
    let new = files.new_file().map_err(io_problem)?;
    let mut connection = connection::creating(&new).map_err(open_problem)?;
    schema::migrate(&mut connection, MIGRATIONS)?;
    log_ahead(&connection).map_err(open_problem)?;
    connection.close().map_err(|(_, error)| open_problem(error))?;
    files.name_new(&new).map_err(io_problem)
}

/// Refuses what is no journal, before anything in it is changed.
pub(super) fn identify(connection: &Connection) -> Result<(), OpenProblem> {
    let number = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(open_problem);
    let is_empty = number("SELECT count(*) FROM sqlite_schema")? == 0;
    match number("PRAGMA application_id")? {
        found if found == i64::from(APPLICATION_ID) => Ok(()),
        0 if is_empty => Ok(()),
        _ => Err(OpenProblem::Foreign),
    }
}

/// Where the numbers go on, and the places of facts. Those of what was forgotten may be used again.
fn counts(connection: &Connection) -> rusqlite::Result<(Counts, i64)> {
    let select = "SELECT (SELECT coalesce(max(number), 0) FROM executions), \
         (SELECT coalesce(max(number), 0) FROM definitions), \
         max((SELECT place FROM meta), (SELECT coalesce(max(place), 0) FROM facts))";
    connection.query_row(select, [], |row| Ok((Counts { number: row.get(0)?, definition: row.get(1)? }, row.get(2)?)))
}

fn definitions(connection: &Connection) -> rusqlite::Result<FxHashMap<DefinitionHash, i64>> {
    let mut select = connection.prepare("SELECT hash, number FROM definitions")?;
    let rows = select.query_map([], |row| Ok((DefinitionHash::from_bytes(row.get(0)?), row.get(1)?)))?;
    rows.collect()
}
