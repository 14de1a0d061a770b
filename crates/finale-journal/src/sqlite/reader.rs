//! Reading a journal that somebody else owns.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use finale_core::fact::Terminal;
use finale_core::{DefinitionHash, ExecutionId, Time};
use rusqlite::Connection;

use crate::{Filter, History, JournalError, JournalReader, LiveExecution, OpenProblem, StoredDefinition, Summary};

use super::below_log::missing_below_log;
use super::files::{Files, io_problem};
use super::handle::DatabaseHandle;
use super::mark::{Mark, reached};
use super::open::identify;
use super::readers::{Readers, Tail};
use super::recent_cache::load;
use super::schema::{self, MIGRATIONS};
use super::trouble::open_problem;
use super::version;

/// Reads a journal, whether a process owns it or not: it takes no lock and changes nothing.
///
/// It sees what is durable, and nothing else. A clone reads the same journal. If acknowledged batches are missing at the
/// end of the journal, every read is refused with [`OpenProblem::LostTail`], also if they go missing later: what is left
/// is an older state, which would be taken for the newest. [`SqliteReaderBuilder::accept_lost_tail`] reads it all the same.
#[derive(Clone, Debug)]
pub struct SqliteReader(Arc<Opened>);

#[derive(Debug)]
struct Opened {
    readers: Readers,
    lost_batches: u64,
}

/// How a [`SqliteReader`] is to be opened.
#[derive(Clone, Debug)]
#[must_use]
pub struct SqliteReaderBuilder {
    path: PathBuf,
    accept_lost_tail: bool,
}

impl SqliteReaderBuilder {
    /// Reads what is left of a journal whose end is missing; [`SqliteReader::lost_batches`] says how much that is.
    pub const fn accept_lost_tail(mut self) -> Self {
        self.accept_lost_tail = true;
        self
    }

    /// Opens the journal.
    ///
    /// # Errors
    /// [`JournalError::Open`] says which file could not be opened and why.
    pub fn open(self) -> Result<SqliteReader, JournalError> {
        let files = Files::at(&self.path)?;
        let opened = self.open_files(&files).map_err(|problem| files.error(problem))?;
        Ok(SqliteReader(Arc::new(opened)))
    }

    fn open_files(&self, files: &Files) -> Result<Opened, OpenProblem> {
        version::check(rusqlite::version_number())?;
        files.check()?;
        let mark = Mark::read(&files.mark);
        match (files.lost(mark), files.length()) {
            (Some(lost), _) if !self.accept_lost_tail => return Err(lost),
            (_, None) => return Err(OpenProblem::NoFile),
            (_, Some(0)) => return Err(OpenProblem::Empty),
            (_, Some(_)) => {}
        }
        let handle = DatabaseHandle::at(&files.database).map_err(io_problem)?;
        let below_log = missing_below_log(files, &handle);
        if below_log > 0 {
            return self.without_log(files, handle, below_log);
        }
        let lost_batches = self.lost_batches(files, mark)?;
        let tail = if self.accept_lost_tail { Tail::Accepted } else { Tail::Checked };
        Ok(Opened { readers: Readers::new(files.clone(), handle, tail), lost_batches })
    }

    /// How many batches are missing at the end.
    fn lost_batches(&self, files: &Files, mark: Option<Mark>) -> Result<u64, OpenProblem> {
        let reading = super::connection::reading(files).map_err(open_problem)?;
        // One state of the journal: an owner at work goes on meanwhile.
        let snapshot = reading.connection().unchecked_transaction().map_err(open_problem)?;
        check(&snapshot)?;
        let lost = mark.map_or(Ok(()), |mark| mark.check(&reached(&snapshot).map_err(open_problem)?));
        let lost = lost.and_then(|()| match load(&snapshot).map_err(open_problem)?.missing {
            0 => Ok(()),
            missing => Err(OpenProblem::LostTail { missing }),
        });
        match lost {
            Err(OpenProblem::LostTail { missing }) if self.accept_lost_tail => Ok(missing),
            lost => lost.map(|()| 0),
        }
    }

    /// Of a file whose log belongs to another one, the file alone can be read.
    fn without_log(&self, files: &Files, handle: DatabaseHandle, missing: u64) -> Result<Opened, OpenProblem> {
        if !self.accept_lost_tail {
            return Err(OpenProblem::LostTail { missing });
        }
        check(super::connection::file_alone(files).map_err(open_problem)?.connection())?;
        Ok(Opened { readers: Readers::new(files.clone(), handle, Tail::Accepted).without_log(), lost_batches: missing })
    }
}

impl SqliteReader {
    /// Opens a journal to read it.
    ///
    /// # Errors
    /// [`JournalError::Open`] says which file could not be opened and why.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, JournalError> {
        Self::builder(path).open()
    }

    /// Opens a journal to read it, with options.
    pub fn builder(path: impl AsRef<Path>) -> SqliteReaderBuilder {
        SqliteReaderBuilder { path: path.as_ref().to_owned(), accept_lost_tail: false }
    }

    /// Copies what is durable now into a new file; whoever owns the journal goes on meanwhile. See
    /// [`SqliteJournal::backup`](super::SqliteJournal::backup).
    ///
    /// # Errors
    /// [`JournalError::Backup`] when there is such a file already, it cannot be written, or the journal is damaged.
    pub fn backup(&self, to: impl AsRef<Path>) -> Result<(), JournalError> {
        self.0.readers.with(|connection| super::backup::copy(connection, to.as_ref()))
    }

    /// How many acknowledged batches were missing at the end of the journal when it was opened. More than 0 only if that
    /// was [accepted](SqliteReaderBuilder::accept_lost_tail): then everything that is read may be older than the truth.
    pub fn lost_batches(&self) -> u64 {
        self.0.lost_batches
    }
}

impl JournalReader for SqliteReader {
    fn history(&self, execution: ExecutionId) -> Result<Option<Vec<u8>>, JournalError> {
        self.0.readers.history(execution)
    }

    fn histories(&self, executions: &[ExecutionId], take: &mut dyn FnMut(ExecutionId, History)) {
        self.0.readers.histories(executions, take);
    }

    fn definition(&self, hash: DefinitionHash) -> Result<Option<StoredDefinition>, JournalError> {
        self.0.readers.definition(hash)
    }

    fn live(&self, after: Option<ExecutionId>, limit: usize) -> Result<Vec<LiveExecution>, JournalError> {
        self.0.readers.live(after, limit)
    }

    fn summary(&self, execution: ExecutionId) -> Result<Option<Summary>, JournalError> {
        self.0.readers.summary(execution)
    }

    fn list(&self, filter: &Filter) -> Result<Vec<Summary>, JournalError> {
        self.0.readers.list(filter)
    }

    fn keyed(&self, idempotency_key: &str) -> Result<Option<ExecutionId>, JournalError> {
        self.0.readers.keyed(idempotency_key)
    }

    fn first_end(&self, status: Terminal) -> Result<Option<Time>, JournalError> {
        self.0.readers.first_end(status)
    }

    fn untold(&self, after: Option<ExecutionId>, limit: usize) -> Result<Vec<ExecutionId>, JournalError> {
        self.0.readers.untold(after, limit)
    }

    /// Whether the journal can be read; whether its owner can write, only the owner knows.
    fn health(&self) -> Result<(), JournalError> {
        self.0.readers.health()
    }
}

fn check(connection: &Connection) -> Result<(), OpenProblem> {
    identify(connection)?;
    match schema::check_version(connection, MIGRATIONS)? {
        0 => Err(OpenProblem::Foreign),
        found if found < MIGRATIONS.len() => {
            Err(OpenProblem::Older { found: found as i64, known: MIGRATIONS.len() as i64 })
        }
        _ => schema::check_format(connection),
    }
}
