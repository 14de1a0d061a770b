//! The questions that a journal answers from what is durable.

use finale_core::fact::Terminal;
use finale_core::record::WorkflowName;
use finale_core::{DefinitionHash, ExecutionId, ExecutionStatus, Time};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use crate::{Filter, JournalError, JournalReader, LiveExecution, Quarantine, StoredDefinition, Summary};

use super::history;
use super::list::Question;
use super::purge::first_end;
use super::readers::{Readers, definition};
use super::summary::{CANCELLED, COLUMNS, COMPLETED, FAILED, SummaryRow};
use super::transaction::bytes;
use super::trouble::{damaged, is_rot, reading, unreadable};

const DAMAGED: &str = "what is kept of it is damaged: its summary is not what was written";

impl JournalReader for Readers {
    fn history(&self, execution: ExecutionId) -> Result<Option<Vec<u8>>, JournalError> {
        self.with(|connection| history::read(connection, execution, &[]))
    }

    fn definition(&self, hash: DefinitionHash) -> Result<Option<StoredDefinition>, JournalError> {
        self.with(|connection| definition(connection, "hash = ?1", &hash.as_bytes()[..]))
    }

    fn live(&self, after: Option<ExecutionId>, limit: usize) -> Result<Vec<LiveExecution>, JournalError> {
        self.with(|connection| live(self, connection, after, limit))
    }

    fn summary(&self, execution: ExecutionId) -> Result<Option<Summary>, JournalError> {
        self.with(|connection| summary(self, connection, execution))
    }

    fn list(&self, filter: &Filter) -> Result<Vec<Summary>, JournalError> {
        self.with(|connection| list(self, connection, filter))
    }

    fn keyed(&self, idempotency_key: &str) -> Result<Option<ExecutionId>, JournalError> {
        self.with(|connection| keyed(connection, idempotency_key))
    }

    fn first_end(&self, status: Terminal) -> Result<Option<Time>, JournalError> {
        self.with(|connection| first_end(connection, status).map_err(unreadable))
    }

    fn health(&self) -> Result<(), JournalError> {
        let read = |connection: &Connection| connection.query_row("SELECT batch FROM meta", [], |_| Ok(()));
        self.with(|connection| read(connection).map_err(unreadable))?;
        self.damage()
    }
}

/// How a terminal status is kept.
pub(super) const fn code(status: Terminal) -> u8 {
    match status {
        Terminal::Completed => COMPLETED,
        Terminal::Failed => FAILED,
        Terminal::Cancelled => CANCELLED,
    }
}

fn live(
    readers: &Readers,
    connection: &Connection,
    after: Option<ExecutionId>,
    limit: usize,
) -> Result<Vec<LiveExecution>, JournalError> {
    let snapshot = connection.unchecked_transaction().map_err(unreadable)?;
    let mut select = snapshot
        .prepare_cached("SELECT id, number FROM heads WHERE id > ?1 ORDER BY id LIMIT ?2")
        .map_err(unreadable)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    // No bytes sort before all ids.
    let after = after.as_ref().map_or(&[][..], bytes);
    let heads = select.query_map(params![after, limit], |row| Ok((super::summary::id(row, 0), row.get(1)?)));
    // Each by itself: one that is damaged does not hide the others.
    heads.map_err(unreadable)?.map(|head| one_live(readers, &snapshot, head.map_err(unreadable)?)).collect()
}

fn summary(
    readers: &Readers,
    connection: &Connection,
    execution: ExecutionId,
) -> Result<Option<Summary>, JournalError> {
    let select = format!("SELECT {COLUMNS} FROM executions e WHERE e.id = ?1");
    let mut statement = connection.prepare_cached(&select).map_err(unreadable)?;
    let found =
        statement.query_row([bytes(&execution)], |row| Ok(to_summary(readers, connection, &SummaryRow::read(row))));
    let found = found.optional().map_err(|error| reading(execution, &error))?;
    match found {
        None if history::head(connection, execution).map_err(|error| reading(execution, &error))?.is_some() => {
            Err(damaged(execution, history::HIDDEN))
        }
        found => Ok(found),
    }
}

fn list(readers: &Readers, connection: &Connection, filter: &Filter) -> Result<Vec<Summary>, JournalError> {
    let question = Question::of(filter, connection)?;
    let mut select = connection.prepare_cached(&question.sql).map_err(unreadable)?;
    let mut rows = select.query(params_from_iter(&question.values)).map_err(unreadable)?;
    let mut found = Vec::new();
    while found.len() < filter.limited()
        && let Some(row) = rows.next().map_err(unreadable)?
    {
        let summary = to_summary(readers, connection, &SummaryRow::read(row));
        if filter.takes(&summary) {
            found.push(summary);
        }
    }
    Ok(found)
}

fn keyed(connection: &Connection, key: &str) -> Result<Option<ExecutionId>, JournalError> {
    let select = format!("SELECT {COLUMNS} FROM executions e WHERE e.idempotency_key = ?1 ORDER BY e.number DESC");
    let mut statement = connection.prepare_cached(&select).map_err(unreadable)?;
    let found = statement.query_row([key], |row| {
        let found = SummaryRow::read(row);
        Ok((found.beginning.id, found.begin_intact && found.beginning.idempotency_key == Some(key)))
    });
    match found.optional().map_err(unreadable)? {
        Some((id, false)) => Err(damaged(id, "its summary is not what was written")),
        found => Ok(found.map(|(id, _)| id)),
    }
}

fn one_live(
    readers: &Readers,
    connection: &Connection,
    (id, number): (ExecutionId, i64),
) -> Result<LiveExecution, JournalError> {
    let select = format!("SELECT {COLUMNS} FROM executions e WHERE e.number = ?1");
    let mut statement = connection.prepare_cached(&select).map_err(unreadable)?;
    let found = statement.query_row([number], |row| {
        let row = SummaryRow::read(row);
        let named = readers.named(connection, row.beginning.definition);
        let intact = row.is_intact() && row.beginning.id == id && row.standing.status < COMPLETED;
        Ok(match named {
            Some(named) if intact => {
                LiveExecution { id, definition: named.hash, quarantine: row.standing.quarantine() }
            }
            named => damaged_live(id, named.map(|named| named.hash)),
        })
    });
    match found.optional() {
        Ok(found) => Ok(found.unwrap_or_else(|| damaged_live(id, None))),
        Err(error) if is_rot(&error) => Ok(damaged_live(id, None)),
        Err(error) => Err(unreadable(error)),
    }
}

/// An open execution whose summary is damaged counts as parked until somebody decides.
fn damaged_live(id: ExecutionId, definition: Option<DefinitionHash>) -> LiveExecution {
    let quarantine = Some(Quarantine { reason: DAMAGED.to_owned(), until_released: true });
    LiveExecution { id, definition: definition.unwrap_or(DefinitionHash::from_bytes([0; 16])), quarantine }
}

fn to_summary(readers: &Readers, connection: &Connection, row: &SummaryRow<'_>) -> Summary {
    let named = readers.named(connection, row.beginning.definition);
    let is_intact = row.is_intact() && named.is_some();
    let (beginning, standing) = (&row.beginning, &row.standing);
    let workflow = named.map_or_else(unknown, |named| named.workflow.clone());
    let mut summary = Summary::running(beginning.id, workflow, beginning.by, beginning.at);
    summary.idempotency_key = beginning.idempotency_key.map(str::to_owned);
    summary.business_key = beginning.business_key.map(str::to_owned);
    summary.status = row.status();
    summary.completed_at = standing.completed_at;
    summary.error = standing.quarantine.or(standing.error).map(str::to_owned);
    if !is_intact {
        // Nothing that it says can be trusted, least of all that it has ended.
        summary.status = ExecutionStatus::Quarantined;
        summary.completed_at = None;
        summary.error = Some(DAMAGED.to_owned());
    }
    summary
}

fn unknown() -> WorkflowName {
    WorkflowName { id: String::new(), name: String::new(), version: String::new() }
}

/// The numbers of the definitions of a workflow.
pub(super) fn definitions_of(connection: &Connection, workflow: &str) -> Result<Vec<Value>, JournalError> {
    let mut select = connection.prepare_cached("SELECT number FROM definitions WHERE id = ?1").map_err(unreadable)?;
    let numbers = select.query_map([workflow], |row| row.get::<_, i64>(0).map(Value::from)).map_err(unreadable)?;
    numbers.map(|number| number.map_err(unreadable)).collect()
}
