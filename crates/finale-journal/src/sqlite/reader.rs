//! Reading a journal that somebody else owns.

use std::path::Path;
use std::sync::Arc;

use finale_core::{DefinitionHash, ExecutionId};

use crate::{Expired, Filter, JournalError, JournalReader, LiveExecution, OpenProblem, StoredDefinition, Summary};

use super::files::Files;
use super::open::identify;
use super::readers::Readers;
use super::schema::{self, MIGRATIONS};
use super::trouble::open_problem;
use super::version;

/// Reads a journal, whether a process owns it or not: it takes no lock and changes nothing.
///
/// It sees what is durable, and nothing else. A clone reads the same journal.
#[derive(Clone, Debug)]
pub struct SqliteReader(Arc<Readers>);

impl SqliteReader {
    /// Opens a journal to read it.
    ///
    /// # Errors
    /// [`JournalError::Open`] says which file could not be opened and why.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, JournalError> {
        let files = Files::at(path.as_ref())?;
        let readers = Readers::new(files.database.clone());
        check(&files).map_err(|problem| files.error(problem))?;
        Ok(Self(Arc::new(readers)))
    }
}

impl JournalReader for SqliteReader {
    fn history(&self, execution: ExecutionId) -> Result<Option<Vec<u8>>, JournalError> {
        self.0.history(execution)
    }

    fn definition(&self, hash: DefinitionHash) -> Result<Option<StoredDefinition>, JournalError> {
        self.0.definition(hash)
    }

    fn live(&self, after: Option<ExecutionId>, limit: usize) -> Result<Vec<LiveExecution>, JournalError> {
        self.0.live(after, limit)
    }

    fn summary(&self, execution: ExecutionId) -> Result<Option<Summary>, JournalError> {
        self.0.summary(execution)
    }

    fn list(&self, filter: &Filter) -> Result<Vec<Summary>, JournalError> {
        self.0.list(filter)
    }

    fn keyed(&self, idempotency_key: &str) -> Result<Option<ExecutionId>, JournalError> {
        self.0.keyed(idempotency_key)
    }

    fn expired(&self, expired: &Expired, limit: usize) -> Result<Vec<ExecutionId>, JournalError> {
        self.0.expired(expired, limit)
    }

    /// Whether the journal can be read; whether its owner can write, only the owner knows.
    fn health(&self) -> Result<(), JournalError> {
        self.0.health()
    }
}

fn check(files: &Files) -> Result<(), OpenProblem> {
    version::check(rusqlite::version_number())?;
    files.length().ok_or(OpenProblem::NoFile)?;
    let connection = super::connection::reading(&files.database).map_err(open_problem)?;
    identify(&connection)?;
    match schema::check_version(&connection, MIGRATIONS)? {
        0 => Err(OpenProblem::Foreign),
        _ => schema::check_format(&connection),
    }
}
