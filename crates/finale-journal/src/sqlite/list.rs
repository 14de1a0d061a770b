//! A filter as a question to SQLite.
//!
//! Newest first is the order of the ids, so most pages are the beginning of an index; what an index cannot sort out is
//! sorted out row by row.

use std::fmt::Write;

use finale_core::{ExecutionStatus, Time};
use rusqlite::Connection;
use rusqlite::types::Value;

use crate::{Filter, JournalError};

use super::summary::{CANCELLED, COLUMNS, COMPLETED, FAILED, bytes};
use super::trouble::unreadable;

pub(super) struct Question {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
}

impl Question {
    pub(super) fn of(filter: &Filter, connection: &Connection) -> Result<Self, JournalError> {
        let (from, id) = from(filter);
        let mut question = Self { sql: format!("SELECT {COLUMNS} FROM {from} WHERE true"), values: Vec::new() };
        question.status(filter.status);
        question.key(filter.business_key.as_deref());
        question.time("e.created_at >= ?", filter.created_from);
        question.time("e.created_at < ?", filter.created_before);
        if let Some(before) = &filter.before {
            question.and(&format!("{id} < ?"), Value::Blob(bytes(before).to_vec()));
        }
        if let Some(workflow) = &filter.workflow {
            question.definitions(definitions_of(connection, workflow)?);
        }
        let _ = write!(question.sql, " ORDER BY {id} DESC");
        Ok(question)
    }

    fn status(&mut self, status: Option<ExecutionStatus>) {
        let which = match status {
            Some(ExecutionStatus::Completed) => COMPLETED,
            // Said twice, so that SQLite sees that the index of those that did not complete will do.
            Some(ExecutionStatus::Failed) => return self.unhappy(FAILED),
            Some(ExecutionStatus::Cancelled) => return self.unhappy(CANCELLED),
            // The others are open, which `from` has said; which of them it is, is sorted out row by row.
            Some(_) | None => return,
        };
        // The plus keeps SQLite from an index that it would have to sort: most of them have completed.
        self.and("+e.status = ?", which.into());
    }

    fn unhappy(&mut self, status: u8) {
        let _ = write!(self.sql, " AND e.status > 2 AND e.status = {status}");
    }

    fn key(&mut self, key: Option<&str>) {
        if let Some(key) = key {
            self.and("e.business_key = ?", Value::Text(key.to_owned()));
        }
    }

    fn time(&mut self, condition: &str, time: Option<Time>) {
        if let Some(time) = time {
            self.and(condition, time.as_micros().into());
        }
    }

    fn definitions(&mut self, numbers: Vec<Value>) {
        let marks = vec!["?"; numbers.len()].join(", ");
        let _ = write!(self.sql, " AND e.definition IN ({marks})");
        self.values.extend(numbers);
    }

    fn and(&mut self, condition: &str, value: Value) {
        let _ = write!(self.sql, " AND {condition}");
        self.values.push(value);
    }
}

/// What is read, and its id: all executions, or those that are open.
fn from(filter: &Filter) -> (&'static str, &'static str) {
    match filter.status {
        Some(status) if !status.is_terminal() => ("heads h CROSS JOIN executions e ON e.id = h.id", "h.id"),
        _ => ("executions e", "e.id"),
    }
}

/// The numbers of the definitions of a workflow.
fn definitions_of(connection: &Connection, workflow: &str) -> Result<Vec<Value>, JournalError> {
    let mut select = connection.prepare_cached("SELECT number FROM definitions WHERE id = ?1").map_err(unreadable)?;
    let numbers = select.query_map([workflow], |row| row.get::<_, i64>(0).map(Value::from)).map_err(unreadable)?;
    numbers.map(|number| number.map_err(unreadable)).collect()
}
