//! The terminal transition: the end is published, and then nothing is kept of the execution.

use std::sync::Arc;

use super::Supervisor;
use super::input::{Ended, Question, Restored};
use super::message::{Body, KnownEnd, Message};
use super::messages::refused_by_end;
use super::outbox::{Answer, NotDone, Outbox, Published, Query, QueryTarget, ToEngine};
use super::slots::{Operator, Place, Rare};
use super::waiting::Asker;
use crate::id::ExecutionId;
use crate::number::Slot;
use crate::status::ExecutionStatus;
use crate::time::Time;

impl Supervisor {
    /// Acknowledges an execution whose first facts are durable, where its actor does not.
    pub(super) fn begun(&mut self, slot: Slot, out: &mut Outbox) {
        let Some(entry) = self.slots.get_mut(slot) else { return };
        let execution = entry.execution;
        let Some(rare) = entry.if_rare() else { return };
        let asker = std::mem::replace(&mut rare.asker, Asker::Nobody);
        self.answer(asker, Ok(execution), out);
    }

    /// Handles the end of an execution that an actor hosted.
    pub(super) fn ended(&mut self, at: Time, ended: Ended, out: &mut Outbox) {
        let Some(entry) = self.slots.get(ended.slot) else { return };
        if let Place::Actor(actor) = entry.place {
            self.pool.detach(actor);
        }
        self.end(at, ended, out);
    }

    /// Handles the end of an execution whose actor was gone before it could report it.
    pub(super) fn ended_in_journal(&mut self, at: Time, slot: Slot, restored: Restored, out: &mut Outbox) {
        if let Some(outcome) = restored.outcome {
            let interrupted = restored.state.interrupted().to_vec();
            let business_key = restored.state.activation().and_then(|activation| activation.business_key.clone());
            self.end(at, Ended { slot, outcome, business_key, cancels: Vec::new(), interrupted }, out);
        }
    }

    fn end(&mut self, at: Time, ended: Ended, out: &mut Outbox) {
        let Ended { slot, outcome, business_key, cancels, interrupted } = ended;
        let Some(entry) = self.slots.get(slot) else { return };
        let (execution, definition, is_plain) = (entry.execution, entry.definition, entry.rare().is_none());
        let status = outcome.status();
        if self.telling.is_wanted() {
            let outcome = Arc::clone(&outcome);
            self.note_untold(execution, Some(KnownEnd { outcome, definition, business_key }));
        }
        // First of all, so that a panic over the rest does not lose the end.
        out.published.push(Published { execution, definition: Some(definition), outcome, cancels, interrupted });
        out.engine.push(ToEngine::Deregister { slot, status });
        if is_plain {
            self.slots.remove(slot);
        } else {
            self.begun(slot, out);
            let rare = self.remove(slot);
            if let Some(published) = out.published.last_mut() {
                published.cancels.extend(&rare.cancels);
            }
            self.answer_after_end(execution, status, rare, out);
        }
        self.return_permit(out);
        self.note_end(at, status);
    }

    /// Removes an execution from its slot, and from all counters and tables.
    pub(super) fn remove(&mut self, slot: Slot) -> Rare {
        self.mark_resumed(slot);
        let rare = self.slots.remove(slot).map(|rare| *rare).unwrap_or_default();
        self.quarantined -= usize::from(rare.quarantine.is_some());
        self.forwarding -= usize::from(rare.forwards.is_some());
        if let Some(key) = &rare.key {
            self.keys.release(key);
        }
        rare
    }

    /// Answers the messages that the execution did not get before its end.
    fn answer_after_end(&mut self, execution: ExecutionId, status: ExecutionStatus, rare: Rare, out: &mut Outbox) {
        let Rare { queue, forwards, operators, .. } = rare;
        let messages = forwards.into_iter().flat_map(|forwards| forwards.come).chain(queue).map(Question::Tell);
        let operators = operators.into_iter().map(|operator| match operator {
            Operator::Release(request) => Question::Release(request),
            Operator::Command(message) => Question::Tell(message),
        });
        for what in messages.chain(operators) {
            if let Question::Tell(Message { request: Some(request), body: Body::Query }) = what {
                out.queries.push(Query { request, execution, at: QueryTarget::Journal });
            } else {
                let refused = refused_by_end(&what, status);
                out.reply(what.request(), Answer::NotDone(NotDone::Refused(refused)));
            }
        }
    }
}
