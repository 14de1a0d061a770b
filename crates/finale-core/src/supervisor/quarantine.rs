//! Quarantined executions, and the commands of operators on them.

use std::collections::VecDeque;

use super::Supervisor;
use super::message::{Body, Message, Quarantine};
use super::outbox::{Answer, NotDone, Notice, Outbox, Query, QueryTarget, WriteWhat};
use super::reads::Purpose;
use super::slots::{Operator, Place};
use super::writes::AfterWrite;
use crate::number::{RequestId, Slot};
use crate::time::Time;

impl Supervisor {
    /// Quarantines an execution, visibly.
    pub(super) fn quarantine(&mut self, slot: Slot, quarantine: Quarantine, out: &mut Outbox) {
        let Some(entry) = self.slots.get_mut(slot) else { return };
        let (execution, reason) = (entry.execution, quarantine.reason.clone());
        if entry.rare_mut().quarantine.replace(reason.clone()).is_none() {
            self.quarantined += 1;
        }
        out.notices.push(Notice::Quarantined(execution, reason));
        self.write(WriteWhat::Quarantine(execution, Some(quarantine)), None, out);
        self.mark_resumed(slot);
    }

    /// Answers queries that wait for a quarantined execution. Everything else waits for an operator.
    fn show_queries(&mut self, slot: Slot, out: &mut Outbox) {
        let Some(entry) = self.slots.get_mut(slot) else { return };
        let execution = entry.execution;
        let unreadable = match &entry.place {
            Place::Unreadable(reason) => Some(QueryTarget::Unreadable(reason.clone())),
            _ => None,
        };
        let Some(rare) = entry.if_rare() else { return };
        let quarantine = rare.quarantine.clone().unwrap_or_default();
        let (queries, others): (VecDeque<_>, _) =
            rare.queue.drain(..).partition(|message| matches!(message.body, Body::Query));
        rare.queue = others;
        let at = unreadable.unwrap_or(QueryTarget::Quarantined(slot, quarantine));
        for request in queries.into_iter().filter_map(|query| query.request) {
            out.queries.push(Query { request, execution, at: at.clone() });
        }
    }

    /// Ends the quarantine of an execution.
    fn clear_quarantine(&mut self, slot: Slot, then: Option<AfterWrite>, out: &mut Outbox) {
        let Some(entry) = self.slots.get_mut(slot) else { return };
        let execution = entry.execution;
        if entry.rare_mut().quarantine.take().is_some() {
            self.quarantined -= 1;
        }
        out.notices.push(Notice::Released(execution));
        self.write(WriteWhat::Quarantine(execution, None), then, out);
    }

    /// Serves the operators of a quarantined execution, in their order.
    pub(super) fn serve_operators(&mut self, at: Time, slot: Slot, out: &mut Outbox) {
        while let Some(entry) = self.slots.get_mut(slot) {
            let is_unreadable = matches!(entry.place, Place::Unreadable(_));
            if !is_unreadable && !matches!(entry.place, Place::Parked(_)) {
                return;
            }
            let rare = entry.rare_mut();
            match (rare.operators.front(), &rare.missing_handler) {
                (None, _) => return self.show_queries(slot, out),
                (Some(_), _) if is_unreadable => {
                    // What could not be read before may be readable now.
                    entry.place = Place::Reading;
                    return self.reads.want(Purpose::Slot(slot));
                }
                (Some(Operator::Command(_)), _) => return self.want_actor(slot),
                (Some(Operator::Release(request)), Some(handler)) => {
                    out.reply(*request, Answer::NotDone(NotDone::HandlerMissing(handler.clone())));
                    rare.operators.pop_front();
                }
                (Some(Operator::Release(request)), None) => {
                    let then = request.map(AfterWrite::Reply);
                    rare.operators.pop_front();
                    return self.release(at, slot, then, out);
                }
            }
        }
    }

    /// Releases an execution for the operator who is first in line.
    pub(super) fn release_first(&mut self, at: Time, slot: Slot, out: &mut Outbox) {
        let Some(entry) = self.slots.get_mut(slot) else { return };
        let operators = &mut entry.rare_mut().operators;
        let is_release = matches!(operators.front(), Some(Operator::Release(_)));
        let first = if is_release { operators.pop_front() } else { None };
        let then = first.and_then(|operator| operator.request()).map(AfterWrite::Reply);
        self.release(at, slot, then, out);
    }

    /// Releases an execution. The count of its panics begins again.
    fn release(&mut self, at: Time, slot: Slot, then: Option<AfterWrite>, out: &mut Outbox) {
        self.clear_quarantine(slot, then, out);
        if let Some(entry) = self.slots.get_mut(slot) {
            let rare = entry.rare_mut();
            rare.deaths.clear();
            rare.reconcile = true;
        }
        self.operators_to_queue(slot, out);
        self.schedule(at, slot, out);
    }

    /// Turns commands that waited for the quarantined execution into ordinary messages.
    fn operators_to_queue(&mut self, slot: Slot, out: &mut Outbox) {
        let Some(rare) = self.slots.get_mut(slot).and_then(|entry| entry.if_rare()) else { return };
        for operator in std::mem::take(&mut rare.operators) {
            match operator {
                Operator::Command(message) => rare.queue.push_back(message),
                Operator::Release(request) => out.reply(request, Answer::NotDone(NotDone::NotQuarantined)),
            }
        }
    }

    /// The execution could not be read once more: nothing that operators want can be done.
    pub(super) fn refuse_operators(&mut self, slot: Slot, reason: &str, out: &mut Outbox) {
        let Some(rare) = self.slots.get_mut(slot).and_then(|entry| entry.if_rare()) else { return };
        for operator in std::mem::take(&mut rare.operators) {
            out.reply(operator.request(), Answer::NotDone(NotDone::Unreadable(reason.into())));
        }
    }

    /// Handles the result of an operator command. An accepted command ends the quarantine; a refused one changes nothing, and
    /// the actor gives the execution back.
    pub(super) fn command_applied(&mut self, slot: Slot, accepted: bool, out: &mut Outbox) {
        let Some(entry) = self.slots.get_mut(slot) else { return };
        let Place::Actor(actor) = entry.place else { return };
        let execution = entry.execution;
        let is_applying = entry.if_rare().is_some_and(|rare| rare.applies_command);
        if !accepted || !is_applying {
            return;
        }
        entry.rare_mut().applies_command = false;
        entry.rare_mut().reconcile = true;
        self.clear_quarantine(slot, None, out);
        self.operators_to_queue(slot, out);
        let Some(entry) = self.slots.get_mut(slot) else { return };
        for message in entry.take_messages(self.recovery.epoch) {
            self.tell(actor, slot, execution, message, out);
        }
    }
}

impl Operator {
    /// Who waits for the answer.
    pub(super) fn request(&self) -> Option<RequestId> {
        match self {
            Self::Release(request) | Self::Command(Message { request, .. }) => *request,
        }
    }
}
