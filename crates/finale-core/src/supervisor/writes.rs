//! Writes to the journal that are no turns of executions, and what follows when they are durable.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Supervisor;
use super::message::WriteNo;
use super::outbox::{Answer, Outbox, Write, WriteWhat};
use crate::id::ExecutionId;
use crate::number::RequestId;
use crate::time::Time;

/// The continuation of a write, once it is durable.
#[derive(Debug)]
pub(super) enum AfterWrite {
    /// Somebody waits for it.
    Reply(RequestId),
    /// An execution that cannot be read counts as failed.
    WrittenOff(ExecutionId),
    /// These executions are forgotten.
    Forgotten(Arc<[ExecutionId]>),
    /// Everybody was told of these ends.
    Told(Arc<[ExecutionId]>),
}

/// The writes whose durability is waited for.
#[derive(Debug, Default)]
pub(super) struct Writes {
    next: u64,
    pending: BTreeMap<WriteNo, AfterWrite>,
}

impl Writes {
    pub(super) fn is_quiet(&self) -> bool {
        self.pending.is_empty()
    }

    /// Takes out everything that is waited for: it never becomes durable, or nobody is left to hear of it.
    pub(super) fn take_all(&mut self) -> Vec<AfterWrite> {
        std::mem::take(&mut self.pending).into_values().collect()
    }
}

impl Supervisor {
    pub(super) fn write(&mut self, what: WriteWhat, then: Option<AfterWrite>, out: &mut Outbox) {
        let number = then.map(|then| {
            self.writes.next += 1;
            let number = WriteNo(self.writes.next);
            self.writes.pending.insert(number, then);
            number
        });
        out.writes.push(Write { number, what });
    }

    pub(super) fn written(&mut self, at: Time, write: WriteNo, out: &mut Outbox) {
        match self.writes.pending.remove(&write) {
            Some(AfterWrite::Reply(request)) => out.reply(Some(request), Answer::Done),
            Some(AfterWrite::WrittenOff(execution)) => self.written_off(at, execution, out),
            Some(AfterWrite::Forgotten(executions)) => self.forgotten(executions, out),
            Some(AfterWrite::Told(executions)) => self.told_written(at, &executions),
            None => {}
        }
    }
}
