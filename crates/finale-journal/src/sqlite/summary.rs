//! The row that says what is to be known of an execution.
//!
//! Half of it is written when the execution begins, the other half whenever it stands elsewhere. Each half has a hash,
//! which tells whether it is what was written.

use finale_core::fact::Terminal;
use finale_core::{ExecutionId, ExecutionStatus, Time};
use rusqlite::Row;
use uuid::Uuid;

use crate::{Quarantine, StoredDefinition};

use super::batch::Tip;
use super::chain::Check;

/// How the status is kept.
pub(super) const RUNNING: u8 = 0;
pub(super) const ENDING: u8 = 1;
pub(super) const COMPLETED: u8 = 2;
pub(super) const FAILED: u8 = 3;
pub(super) const CANCELLED: u8 = 4;

/// The columns that [`SummaryRow::read`] reads.
pub(super) const COLUMNS: &str = "e.number, e.id, e.definition, e.activated_by, e.created_at, e.idempotency_key, \
     e.business_key, e.begin_intact, e.status, e.completed_at, e.error, e.quarantine, e.until_released, e.sequence, \
     e.chain, e.last, e.standing_intact";

/// What an execution began as.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beginning<'a> {
    pub(super) id: ExecutionId,
    pub(super) definition: i64,
    pub(super) by: &'a str,
    pub(super) at: Time,
    pub(super) idempotency_key: Option<&'a str>,
    pub(super) business_key: Option<&'a str>,
}

/// Where an execution stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct StandingRow<'a> {
    pub(super) id: ExecutionId,
    pub(super) status: u8,
    pub(super) completed_at: Option<Time>,
    pub(super) error: Option<&'a str>,
    pub(super) quarantine: Option<&'a str>,
    pub(super) until_released: bool,
    /// Its newest facts, once it has ended.
    pub(super) tip: Tip,
}

impl Beginning<'_> {
    pub(super) fn check(&self) -> i64 {
        let check = Check::new().bytes(self.id.as_uuid().as_bytes()).number(self.definition).text(Some(self.by));
        check.number(self.at.as_micros()).text(self.idempotency_key).text(self.business_key).sum()
    }
}

impl<'a> StandingRow<'a> {
    /// That of an execution that begins.
    pub(super) fn running(id: ExecutionId) -> Self {
        let tip = Tip::default();
        Self { id, status: RUNNING, completed_at: None, error: None, quarantine: None, until_released: false, tip }
    }

    pub(super) fn check(&self) -> i64 {
        let check = Check::new().bytes(self.id.as_uuid().as_bytes()).number(self.status.into());
        let check = check.text(self.completed_at.map(|_| "")).number(self.completed_at.unwrap_or_default().as_micros());
        let check = check.text(self.error).text(self.quarantine).number(self.until_released.into());
        check.number(self.tip.sequence as i64).number(self.tip.chain as i64).number(self.tip.last).sum()
    }

    pub(super) fn quarantine(&self) -> Option<Quarantine> {
        let reason = self.quarantine?.to_owned();
        Some(Quarantine { reason, until_released: self.until_released })
    }
}

/// One row as it was read. What is wrong with it is said by `is_intact` alone: it is read as far as it can be.
#[derive(Clone, Copy, Debug)]
pub(super) struct SummaryRow<'a> {
    pub(super) number: i64,
    pub(super) beginning: Beginning<'a>,
    pub(super) standing: StandingRow<'a>,
    pub(super) begin_intact: bool,
    pub(super) standing_intact: bool,
}

impl<'a> SummaryRow<'a> {
    pub(super) fn read(row: &'a Row<'_>) -> Self {
        let beginning = Beginning {
            id: id(row, 1),
            definition: number(row, 2),
            by: text(row, 3).unwrap_or_default(),
            at: Time::from_micros(number(row, 4)),
            idempotency_key: text(row, 5),
            business_key: text(row, 6),
        };
        let standing = StandingRow {
            id: beginning.id,
            status: u8::try_from(number(row, 8)).unwrap_or(u8::MAX),
            completed_at: maybe_number(row, 9).map(Time::from_micros),
            error: text(row, 10),
            quarantine: text(row, 11),
            until_released: number(row, 12) != 0,
            tip: tip(row, 13),
        };
        let begin_intact = maybe_number(row, 7) == Some(beginning.check());
        let standing_intact = maybe_number(row, 16) == Some(standing.check());
        Self { number: number(row, 0), beginning, standing, begin_intact, standing_intact }
    }

    pub(super) const fn is_intact(&self) -> bool {
        self.begin_intact && self.standing_intact
    }

    /// Where the execution is, as far as the row says.
    pub(super) fn status(&self) -> ExecutionStatus {
        match self.standing.status {
            _ if self.standing.quarantine.is_some() => ExecutionStatus::Quarantined,
            RUNNING => ExecutionStatus::Running,
            ENDING => ExecutionStatus::Ending,
            COMPLETED => ExecutionStatus::Completed,
            FAILED => ExecutionStatus::Failed,
            CANCELLED => ExecutionStatus::Cancelled,
            // It is damaged.
            _ => ExecutionStatus::Quarantined,
        }
    }
}

/// The columns `sequence, chain, last` from that one on.
pub(super) fn tip(row: &Row<'_>, first: usize) -> Tip {
    Tip { sequence: number(row, first) as u64, chain: number(row, first + 1) as u64, last: number(row, first + 2) }
}

/// The id in a column; the nil one if there is none.
pub(super) fn id(row: &Row<'_>, column: usize) -> ExecutionId {
    let bytes = row.get_ref(column).ok().and_then(|value| value.as_blob().ok());
    ExecutionId::from_uuid(bytes.and_then(|bytes| Uuid::from_slice(bytes).ok()).unwrap_or_default())
}

fn number(row: &Row<'_>, column: usize) -> i64 {
    maybe_number(row, column).unwrap_or_default()
}

fn maybe_number(row: &Row<'_>, column: usize) -> Option<i64> {
    row.get_ref(column).ok().and_then(|value| value.as_i64().ok())
}

fn text<'a>(row: &'a Row<'_>, column: usize) -> Option<&'a str> {
    row.get_ref(column).ok().and_then(|value| value.as_str().ok())
}

/// How a terminal status is kept.
pub(super) const fn code(status: Terminal) -> u8 {
    match status {
        Terminal::Completed => COMPLETED,
        Terminal::Failed => FAILED,
        Terminal::Cancelled => CANCELLED,
    }
}

/// An id as SQLite keeps it.
pub(super) fn bytes(id: &ExecutionId) -> &[u8] {
    id.as_uuid().as_bytes()
}

/// The hash over a definition.
pub(super) fn definition_check(definition: &StoredDefinition) -> i64 {
    let name = &definition.workflow;
    let check = Check::new().bytes(definition.hash.as_bytes()).text(Some(&name.id)).text(Some(&name.name));
    check.text(Some(&name.version)).bytes(&definition.bytes).sum()
}
