//! The questions that a journal answers from what is durable.

use finale_core::fact::Terminal;
use finale_core::record::WorkflowName;
use finale_core::{DefinitionHash, ExecutionId, ExecutionStatus, Time};
use rusqlite::{Connection, OptionalExtension, params_from_iter};
use rustc_hash::FxHashMap;

use crate::{Filter, History, JournalError, JournalReader, LiveExecution, Quarantine, StoredDefinition, Summary};

use super::batch::{Pending, Tip};
use super::history::{self, Known};
use super::list::Question;
use super::purge::first_end;
use super::readers::{Readers, View, definition};
use super::recent::Entry;
use super::summary::{Beginning, COLUMNS, COMPLETED, StandingRow, SummaryRow, bytes};
use super::trouble::{damaged, is_rot, reading, unreadable};

const DAMAGED: &str = "what is kept of it is damaged: its summary is not what was written";

impl JournalReader for Readers {
    fn history(&self, execution: ExecutionId) -> Result<Option<Vec<u8>>, JournalError> {
        self.view(|view| history::read(view, execution, &[]))
    }

    fn histories(&self, executions: &[ExecutionId], take: &mut dyn FnMut(ExecutionId, History)) {
        self.histories_with(executions, &FxHashMap::default(), &mut |_, execution, history| take(execution, history));
    }

    fn definition(&self, hash: DefinitionHash) -> Result<Option<StoredDefinition>, JournalError> {
        self.with(|connection| definition(connection, "hash = ?1", &hash.as_bytes()[..]))
    }

    fn live(&self, after: Option<ExecutionId>, limit: usize) -> Result<Vec<LiveExecution>, JournalError> {
        self.view(|view| live(self, view, after, limit))
    }

    fn summary(&self, execution: ExecutionId) -> Result<Option<Summary>, JournalError> {
        self.view(|view| summary(self, view, execution))
    }

    fn list(&self, filter: &Filter) -> Result<Vec<Summary>, JournalError> {
        self.view(|view| list(self, view, filter))
    }

    fn keyed(&self, idempotency_key: &str) -> Result<Option<ExecutionId>, JournalError> {
        self.view(|view| match view.recent.keyed(idempotency_key) {
            Some(newest) => Ok(Some(newest)),
            None => keyed(view.connection, idempotency_key),
        })
    }

    fn first_end(&self, status: Terminal) -> Result<Option<Time>, JournalError> {
        self.view(|view| {
            let in_tables = first_end(view.connection, status).map_err(unreadable)?;
            Ok(in_tables.into_iter().chain(view.recent.first_end(status)).min())
        })
    }

    fn untold(&self, after: Option<ExecutionId>, limit: usize) -> Result<Vec<ExecutionId>, JournalError> {
        self.view(|view| untold(view, after, limit))
    }

    fn health(&self) -> Result<(), JournalError> {
        let read = |connection: &Connection| connection.query_row("SELECT batch FROM meta", [], |_| Ok(()));
        self.with(|connection| read(connection).map_err(unreadable))?;
        self.damage()
    }
}

impl Readers {
    /// Reads the histories of several executions in one state of the journal, with what is durable of each. Each is told once.
    pub(super) fn histories_with(
        &self,
        executions: &[ExecutionId],
        pending: &FxHashMap<ExecutionId, Vec<Pending>>,
        take: &mut dyn FnMut(Option<Known>, ExecutionId, History),
    ) {
        let mut left = executions.iter();
        let read = self.view(|view| {
            for execution in left.by_ref() {
                let pending = pending.get(execution).map_or(&[][..], Vec::as_slice);
                let (known, history) = match history::read_known(view, *execution, pending) {
                    Ok(Some((facts, known))) => (known, Ok(Some(facts))),
                    Ok(None) => (None, Ok(None)),
                    Err(error) => (None, Err(self.noted(error))),
                };
                take(known, *execution, history);
            }
            Ok(())
        });
        if let Err(error) = read {
            left.for_each(|execution| take(None, *execution, Err(error.clone())));
        }
    }
}

fn live(
    readers: &Readers,
    view: &View<'_>,
    after: Option<ExecutionId>,
    limit: usize,
) -> Result<Vec<LiveExecution>, JournalError> {
    let View { connection, recent } = view;
    let mut select =
        connection.prepare_cached("SELECT id, number FROM heads WHERE id > ?1 ORDER BY id").map_err(unreadable)?;
    // No bytes sort before all ids.
    let heads = select.query_map([after.as_ref().map_or(&[][..], bytes)], |row| {
        Ok((super::summary::id(row, 0), row.get::<_, i64>(1)?))
    });
    let mut heads = heads.map_err(unreadable)?.peekable();
    let begun = |entry: &&Entry| entry.is_new() && !entry.has_ended() && Some(entry.id) > after;
    let mut begun: Vec<_> = recent.entries().iter().filter(begun).collect();
    begun.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.id));
    let mut found = Vec::new();
    while found.len() < limit {
        let is_next = |entry: &mut &Entry| match heads.peek() {
            Some(Ok((head, _))) => entry.id < *head,
            Some(Err(_)) => false,
            None => true,
        };
        if let Some(entry) = begun.pop_if(is_next) {
            found.push(recent_live(readers, view, entry));
            continue;
        }
        let Some(head) = heads.next() else { break };
        let (id, number) = head.map_err(unreadable)?;
        match recent.get(id) {
            Some(entry) if entry.has_ended() => {}
            // Each by itself: one that is damaged does not hide the others.
            entry => found.push(one_live(readers, view, (id, number), entry)?),
        }
    }
    Ok(found)
}

fn untold(view: &View<'_>, after: Option<ExecutionId>, limit: usize) -> Result<Vec<ExecutionId>, JournalError> {
    let View { connection, recent } = view;
    let mut select =
        connection.prepare_cached("SELECT id FROM untold WHERE id > ?1 ORDER BY id").map_err(unreadable)?;
    // No bytes sort before all ids.
    let mut rows = select.query([after.as_ref().map_or(&[][..], bytes)]).map_err(unreadable)?;
    let mut untold: Vec<_> = recent.untold().filter(|id| Some(*id) > after).collect();
    let here = untold.len();
    while untold.len() < here + limit
        && let Some(row) = rows.next().map_err(unreadable)?
    {
        let id = super::summary::id(row, 0);
        if !recent.told().contains(&id) {
            untold.push(id);
        }
    }
    untold.sort_unstable();
    untold.dedup();
    untold.truncate(limit);
    Ok(untold)
}

fn summary(readers: &Readers, view: &View<'_>, execution: ExecutionId) -> Result<Option<Summary>, JournalError> {
    if let Some(entry) = view.recent.get(execution).filter(|entry| entry.changes_summary()) {
        return recent_summary(readers, view, entry).map(Some);
    }
    let select = format!("SELECT {COLUMNS} FROM executions e WHERE e.id = ?1");
    let mut statement = view.connection.prepare_cached(&select).map_err(unreadable)?;
    let found = statement
        .query_row([bytes(&execution)], |row| Ok(to_summary(readers, view.connection, &SummaryRow::read(row))))
        .optional();
    let found = found.map_err(|error| reading(execution, &error))?;
    match found {
        None if history::head(view.connection, execution).map_err(|error| reading(execution, &error))?.is_some() => {
            Err(damaged(execution, history::HIDDEN))
        }
        found => Ok(found),
    }
}

fn list(readers: &Readers, view: &View<'_>, filter: &Filter) -> Result<Vec<Summary>, JournalError> {
    let View { connection, recent } = view;
    let question = Question::of(filter, connection)?;
    let mut select = connection.prepare_cached(&question.sql).map_err(unreadable)?;
    let mut rows = select.query(params_from_iter(&question.values)).map_err(unreadable)?;
    let mut changed = changed(readers, view, filter)?;
    let mut found = Vec::new();
    while found.len() < filter.limited()
        && let Some(row) = rows.next().map_err(unreadable)?
    {
        let row = SummaryRow::read(row);
        let id = row.beginning.id;
        while found.len() < filter.limited()
            && let Some(newer) = changed.pop_if(|changed| changed.id > id)
        {
            found.push(newer);
        }
        if recent.get(id).is_some_and(Entry::changes_summary) || found.len() == filter.limited() {
            continue;
        }
        let summary = to_summary(readers, connection, &row);
        if filter.takes(&summary) {
            found.push(summary);
        }
    }
    let left = filter.limited() - found.len();
    found.extend(changed.into_iter().rev().take(left));
    Ok(found)
}

/// Those that a filter takes of the executions whose summaries in the tables are not the newest, oldest first.
fn changed(readers: &Readers, view: &View<'_>, filter: &Filter) -> Result<Vec<Summary>, JournalError> {
    let mut changed = Vec::new();
    for entry in view.recent.entries().iter().filter(|entry| entry.changes_summary()) {
        if filter.before.is_some_and(|before| entry.id >= before) {
            continue;
        }
        match recent_summary(readers, view, entry) {
            Ok(summary) if filter.takes(&summary) => changed.push(summary),
            // As in the tables, one that is hidden is not listed.
            Ok(_) | Err(JournalError::Damaged { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    changed.sort_unstable_by_key(|summary| summary.id);
    Ok(changed)
}

/// The summary of an execution that has begun, or stands elsewhere, since everything was in the tables.
fn recent_summary(readers: &Readers, view: &View<'_>, entry: &Entry) -> Result<Summary, JournalError> {
    let View { connection, recent } = view;
    // Nobody sees where its facts lie.
    let standing = recent.standing(entry, Tip::default());
    let merged = |beginning: Beginning<'_>, begin_intact, standing_intact, old: StandingRow<'_>| {
        let standing = standing.unwrap_or(old);
        let row = SummaryRow { number: entry.number, beginning, standing, begin_intact, standing_intact };
        to_summary(readers, connection, &row)
    };
    if let Some(beginning) = recent.beginning(entry) {
        return Ok(merged(beginning, true, true, StandingRow::running(entry.id)));
    }
    let select = format!("SELECT {COLUMNS} FROM executions e WHERE e.id = ?1");
    let mut statement = connection.prepare_cached(&select).map_err(unreadable)?;
    let found = statement.query_row([bytes(&entry.id)], |row| {
        let row = SummaryRow::read(row);
        Ok(merged(row.beginning, row.begin_intact, row.standing_intact, row.standing))
    });
    let found = found.optional().map_err(|error| reading(entry.id, &error))?;
    found.ok_or_else(|| damaged(entry.id, history::HIDDEN))
}

/// An execution that has begun since everything was in the tables, and is open.
fn recent_live(readers: &Readers, view: &View<'_>, entry: &Entry) -> LiveExecution {
    let definition = view.recent.beginning(entry).map(|beginning| beginning.definition);
    match definition.and_then(|definition| readers.named(view.connection, definition)) {
        Some(named) => {
            LiveExecution { id: entry.id, definition: named.hash, quarantine: view.recent.quarantine(entry) }
        }
        None => damaged_live(entry.id, None),
    }
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
    view: &View<'_>,
    (id, number): (ExecutionId, i64),
    entry: Option<&Entry>,
) -> Result<LiveExecution, JournalError> {
    let View { connection, recent } = view;
    let select = format!("SELECT {COLUMNS} FROM executions e WHERE e.number = ?1");
    let mut statement = connection.prepare_cached(&select).map_err(unreadable)?;
    let found = statement.query_row([number], |row| {
        let row = SummaryRow::read(row);
        let named = readers.named(connection, row.beginning.definition);
        let intact = row.is_intact() && row.beginning.id == id && row.standing.status < COMPLETED;
        let newer = entry.and_then(|entry| recent.standing(entry, Tip::default()));
        let quarantine = newer.unwrap_or(row.standing).quarantine();
        Ok(match named {
            Some(named) if intact => LiveExecution { id, definition: named.hash, quarantine },
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
