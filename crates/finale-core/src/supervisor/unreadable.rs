//! Executions that were found at the start and cannot be read. They stay visible until an operator decides.

use std::sync::Arc;

use super::Supervisor;
use super::closing::Failure;
use super::input::{Ask, Question, Restored};
use super::message::{Body, Message, Quarantine};
use super::outbox::{Answer, NotDone, Notice, Outbox, Published, Query, QueryTarget, WriteWhat};
use super::reads::Purpose;
use super::writes::AfterWrite;
use crate::execution::{Command, Input};
use crate::id::ExecutionId;
use crate::number::RequestId;
use crate::record::{Counts, DecidedBy, End, ExecutionError, Outcome};
use crate::time::Time;

/// What is known of an execution that cannot be read.
#[derive(Debug)]
pub(super) struct Unreadable {
    reason: Box<str>,
    /// Operators who release it, if it can be read now. While there are some, its history is being read.
    releases: Vec<Option<RequestId>>,
    /// It is being written off.
    write_off: Option<WriteOff>,
}

#[derive(Debug)]
struct WriteOff {
    by: Box<str>,
    reason: Box<str>,
    at: Time,
    request: Option<RequestId>,
}

impl Supervisor {
    /// Quarantines an execution that cannot be read.
    pub(super) fn quarantine_unreadable(&mut self, execution: ExecutionId, reason: Box<str>, out: &mut Outbox) {
        out.notices.push(Notice::Quarantined(execution, reason.clone()));
        let quarantine = Quarantine { reason: reason.clone(), until_released: false };
        self.write(WriteWhat::Quarantine(execution, Some(quarantine)), None, out);
        self.unreadable.insert(execution, Unreadable { reason, releases: Vec::new(), write_off: None });
    }

    pub(super) fn ask_unreadable(&mut self, at: Time, ask: Ask, out: &mut Outbox) {
        let Ask { execution, what } = ask;
        let failure = self.failure;
        let Some(unreadable) = self.unreadable.get_mut(&execution) else { return };
        match what {
            Question::Tell(Message { request: Some(request), body: Body::Query }) => {
                let at = QueryTarget::Unreadable(unreadable.reason.clone());
                out.queries.push(Query { request, execution, at });
            }
            what if failure.is_some() => {
                let not_done = failure.map_or(NotDone::Closed, Failure::not_done);
                out.reply(what.request(), Answer::NotDone(not_done));
            }
            Question::Release(request) if unreadable.write_off.is_none() => {
                unreadable.releases.push(request);
                if unreadable.releases.len() == 1 {
                    self.reads.want(Purpose::Unreadable(execution));
                }
            }
            Question::Tell(Message { request, body: Body::Input(Input::Command(Command::Fail { by, reason })) })
                if unreadable.write_off.is_none() && !reason.trim().is_empty() =>
            {
                unreadable.write_off = Some(WriteOff { by, reason: reason.clone(), at, request });
                let to_tell = self.telling.is_wanted();
                let what = WriteWhat::WriteOff { execution, at, error: reason, to_tell };
                self.write(what, Some(AfterWrite::WrittenOff(execution)), out);
            }
            other => {
                let not_done = NotDone::Unreadable(unreadable.reason.clone());
                out.reply(other.request(), Answer::NotDone(not_done));
            }
        }
    }

    /// Handles the second read of an unreadable execution, for an operator who releases it.
    pub(super) fn unreadable_read(
        &mut self,
        at: Time,
        execution: ExecutionId,
        restored: Result<Option<Restored>, Box<str>>,
        out: &mut Outbox,
    ) {
        let Some(unreadable) = self.unreadable.get_mut(&execution) else { return };
        let releases = std::mem::take(&mut unreadable.releases);
        let restored = match restored {
            _ if unreadable.write_off.is_some() => Err(unreadable.reason.clone()),
            Ok(Some(restored)) if restored.outcome.is_none() => Ok(restored),
            Ok(_) => Err("there is nothing to resume".into()),
            Err(reason) => Err(reason),
        };
        let restored = match restored {
            Ok(restored) => restored,
            Err(reason) => {
                for request in releases {
                    out.reply(request, Answer::NotDone(NotDone::Unreadable(reason.clone())));
                }
                return;
            }
        };
        self.unreadable.remove(&execution);
        let missing_handler = restored.missing_handler.clone();
        let mark = Quarantine { reason: "".into(), until_released: false };
        let slot = self.insert_restored(at, execution, Some(&mark), restored, out);
        if self.slots.get(slot).is_some_and(|entry| entry.is_quarantined()) {
            let handler = missing_handler.unwrap_or_default();
            for request in releases {
                out.reply(request, Answer::NotDone(NotDone::HandlerMissing(handler.clone())));
            }
            return;
        }
        out.notices.push(Notice::Released(execution));
        for request in releases.into_iter().flatten() {
            self.write(WriteWhat::Quarantine(execution, None), Some(AfterWrite::Reply(request)), out);
        }
        self.schedule(at, slot, out);
    }

    /// An execution that cannot be read counts as failed, durably.
    pub(super) fn written_off(&mut self, at: Time, execution: ExecutionId, out: &mut Outbox) {
        let Some(Unreadable { write_off: Some(write_off), .. }) = self.unreadable.remove(&execution) else { return };
        let WriteOff { by, reason, at: completed_at, request } = write_off;
        if let Some(error) = ExecutionError::new(reason, Vec::new()) {
            let outcome = Arc::new(Outcome {
                completed_at,
                decided_by: DecidedBy::Operator { by: by.into() },
                counts: Counts::default(),
                ending_failures: Vec::new(),
                ending_failures_more: 0,
                end: End::Failed { error },
            });
            let (cancels, interrupted) = (Vec::new(), Vec::new());
            self.note_end(at, outcome.status());
            self.note_untold(execution, None);
            out.published.push(Published { execution, definition: None, outcome, cancels, interrupted });
        }
        self.return_permit(out);
        out.reply(request, Answer::Done);
    }

    /// Takes out who waits for something about executions that cannot be read: it will not be done.
    pub(super) fn take_unreadable_requests(&mut self) -> Vec<RequestId> {
        let waiting = self.unreadable.values_mut().flat_map(|unreadable| {
            let write_off = unreadable.write_off.take().and_then(|write_off| write_off.request);
            std::mem::take(&mut unreadable.releases).into_iter().flatten().chain(write_off)
        });
        waiting.collect()
    }

    /// Histories that were being read are to be read again.
    pub(super) fn rebuild_unreadable(&mut self) {
        let reading = self.unreadable.iter().filter(|(_, unreadable)| !unreadable.releases.is_empty());
        for execution in reading.map(|(execution, _)| *execution).collect::<Vec<_>>() {
            self.reads.want(Purpose::Unreadable(execution));
        }
    }
}
