//! Reading what is durable: a few connections of their own, which never hold up a commit.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use finale_core::record::WorkflowName;
use finale_core::{DefinitionHash, ExecutionId};
use rusqlite::{Connection, OptionalExtension, Row};
use rustc_hash::FxHashMap;

use crate::{JournalError, StoredDefinition};

use super::connection;
use super::transaction::definition_check;
use super::trouble::unreadable;

/// The most connections that are kept open while nobody reads.
const IDLE_MAX: usize = 4;

/// Connections that read, and what never changes.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    /// What definitions are called; read often, written once.
    named: Mutex<FxHashMap<i64, Arc<Named>>>,
}

/// A definition without its bytes.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) hash: DefinitionHash,
    pub(super) workflow: WorkflowName,
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, idle: Mutex::default(), named: Mutex::default() }
    }

    /// Lends a connection.
    pub(super) fn with<T>(&self, read: impl FnOnce(&Connection) -> Result<T, JournalError>) -> Result<T, JournalError> {
        let idle = lock(&self.idle).pop();
        let connection = idle.map_or_else(|| connection::reading(&self.path), Ok).map_err(unreadable)?;
        let found = read(&connection);
        let mut idle = lock(&self.idle);
        if idle.len() < IDLE_MAX {
            idle.push(connection);
        }
        found
    }

    /// Closes the connections: the one that is closed last copies the log into the database, if it may write.
    pub(super) fn close(&self) {
        drop(std::mem::take(&mut *lock(&self.idle)));
    }

    /// What a definition is called; none if it is missing or damaged.
    pub(super) fn named(&self, connection: &Connection, number: i64) -> Option<Arc<Named>> {
        if let Some(named) = lock(&self.named).get(&number) {
            return Some(Arc::clone(named));
        }
        let found = definition(connection, "number = ?1", number).ok().flatten()?;
        let named = Arc::new(Named { hash: found.hash, workflow: found.workflow });
        lock(&self.named).insert(number, Arc::clone(&named));
        Some(named)
    }
}

/// A definition that is kept, if it is what was written.
pub(super) fn definition(
    connection: &Connection,
    which: &str,
    key: impl rusqlite::ToSql,
) -> Result<Option<StoredDefinition>, JournalError> {
    let select = format!("SELECT hash, id, name, version, bytes, intact FROM definitions WHERE {which}");
    let mut statement = connection.prepare_cached(&select).map_err(unreadable)?;
    let Some((found, intact)) = statement.query_row([key], read_definition).optional().map_err(unreadable)? else {
        return Ok(None);
    };
    if definition_check(&found) != intact {
        return Err(unreadable(format!("what is kept of definition {} is not what was written", found.hash)));
    }
    Ok(Some(found))
}

/// The newest of the executions that are kept.
pub(super) fn newest(connection: &Connection) -> Result<Option<ExecutionId>, JournalError> {
    let select = "SELECT id FROM executions ORDER BY id DESC LIMIT 1";
    connection.query_row(select, [], |row| Ok(super::summary::id(row, 0))).optional().map_err(unreadable)
}

fn read_definition(row: &Row<'_>) -> rusqlite::Result<(StoredDefinition, i64)> {
    let workflow = WorkflowName { id: row.get(1)?, name: row.get(2)?, version: row.get(3)? };
    let (hash, bytes) = (DefinitionHash::from_bytes(row.get(0)?), row.get_ref(4)?.as_blob()?.into());
    Ok((StoredDefinition { hash, workflow, bytes }, row.get(5)?))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
