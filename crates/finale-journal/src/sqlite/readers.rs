//! Reading what is durable: a few connections of their own, which never hold up a commit.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use finale_core::record::WorkflowName;
use finale_core::{DefinitionHash, ExecutionId};
use rusqlite::{Connection, OptionalExtension, Row};
use rustc_hash::FxHashMap;

use crate::{JournalError, OpenProblem, StoredDefinition};

use super::connection::{self, Reading};
use super::files::Files;
use super::handle::DatabaseHandle;
use super::mark::{Mark, reached};
use super::recent::Recent;
use super::recent_cache::{Loaded, RecentCache};
use super::summary::definition_check;
use super::trouble::{batches_damaged, is_damage, unreadable};

/// The most connections that are kept open while nobody reads.
const IDLE_MAX: usize = 4;

/// Who reads, and what it takes batches for that are missing at the end of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tail {
    /// The owner: everything was there when it began, so that the database has been damaged since.
    Owned,
    /// Somebody else: it has come as far as the mark says, or what is read is an older state.
    Checked,
    /// Somebody who takes an older state.
    Accepted,
}

/// One state of the journal: what is in the tables, and what comes on top of it.
#[derive(Debug)]
pub(super) struct View<'c> {
    pub(super) connection: &'c Connection,
    pub(super) recent: Arc<Recent>,
}

/// Connections that read, and what never changes.
#[derive(Debug)]
pub(super) struct Readers {
    files: Files,
    tail: Tail,
    /// Whether the log beside the database belongs to another one.
    without_log: bool,
    idle: Mutex<Vec<Connection>>,
    recent: RecentCache,
    /// The first sign that the database as such is damaged.
    damage: OnceLock<JournalError>,
    /// What definitions are called; read often, written once.
    named: Mutex<FxHashMap<i64, Arc<Named>>>,
    /// The last to go: closing the file frees the locks of the connections.
    _handle: DatabaseHandle,
}

/// A definition without its bytes.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) hash: DefinitionHash,
    pub(super) workflow: WorkflowName,
}

impl Readers {
    pub(super) fn new(files: Files, handle: DatabaseHandle, tail: Tail) -> Self {
        Self {
            files,
            tail,
            without_log: false,
            idle: Mutex::default(),
            recent: RecentCache::default(),
            damage: OnceLock::new(),
            named: Mutex::default(),
            _handle: handle,
        }
    }

    /// Reads the database without the log beside it, which belongs to another one.
    pub(super) fn without_log(self) -> Self {
        Self { without_log: true, ..self }
    }

    /// Lends a connection.
    pub(super) fn with<T>(&self, read: impl FnOnce(&Connection) -> Result<T, JournalError>) -> Result<T, JournalError> {
        // Before the database is looked at: an owner at work goes on with both, and the database comes first there.
        let mark = if self.tail == Tail::Checked { Mark::read(&self.files.mark) } else { None };
        let idle = lock(&self.idle).pop();
        let open = if self.without_log { connection::file_alone } else { connection::reading };
        let reading = idle.map_or_else(|| open(&self.files), |idle| Ok(Reading::Shared(idle)));
        let reading = reading.map_err(unreadable)?;
        let connection = reading.connection();
        if let Some(mark) = mark {
            mark.check(&reached(connection).map_err(unreadable)?).map_err(|problem| self.files.error(problem))?;
        }
        let found = read(connection).map_err(|error| self.noted(error));
        if let Reading::Shared(connection) = reading {
            let mut idle = lock(&self.idle);
            if idle.len() < IDLE_MAX {
                idle.push(connection);
            }
        }
        found
    }

    /// Notes an error if it says that the database as such is damaged.
    pub(super) fn noted(&self, error: JournalError) -> JournalError {
        if is_damage(&error) {
            // Only the first sign is kept: the others follow from it.
            let _ = self.damage.set(JournalError::Unreadable(error.to_string().into()));
        }
        error
    }

    /// Lends a connection that sees one state of the journal, with what is not in the tables yet.
    pub(super) fn view<T>(&self, read: impl FnOnce(&View<'_>) -> Result<T, JournalError>) -> Result<T, JournalError> {
        self.with(|connection| {
            let snapshot = connection.unchecked_transaction().map_err(unreadable)?;
            let Loaded { recent, missing } = self.recent.at(&snapshot).map_err(unreadable)?;
            match self.tail {
                Tail::Checked if missing > 0 => return Err(self.files.error(OpenProblem::LostTail { missing })),
                Tail::Owned if missing > 0 => return Err(batches_damaged(missing)),
                _ => {}
            }
            read(&View { connection: &snapshot, recent })
        })
    }

    /// The newest of the executions that are kept.
    pub(super) fn newest(&self) -> Result<Option<ExecutionId>, JournalError> {
        self.view(|view| {
            let recent = view.recent.entries().iter().map(|entry| entry.id).max();
            Ok(newest(view.connection)?.max(recent))
        })
    }

    /// Whether a read has found the database damaged. It stays so: what is damaged does not heal.
    pub(super) fn damage(&self) -> Result<(), JournalError> {
        self.damage.get().cloned().map_or(Ok(()), Err)
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
        let problem = format!("what is kept of definition {} is not what was written", found.hash);
        return Err(JournalError::Unreadable(problem.into()));
    }
    Ok(Some(found))
}

/// The newest of the executions in the tables.
fn newest(connection: &Connection) -> Result<Option<ExecutionId>, JournalError> {
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
