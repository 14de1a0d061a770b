//! Executions whose state was lost, by a panic or with their actor: their history is folded again. Repeated panics quarantine
//! the execution.

use std::collections::VecDeque;
use std::time::Duration;

use super::Supervisor;
use super::input::{Panicked, Restored};
use super::message::{Acknowledge, Hosted, NotActivated, Quarantine};
use super::outbox::{Answer, NotDone, Notice, Outbox, ToEngine};
use super::reads::Purpose;
use super::slots::{Place, Rare};
use crate::number::{ActorNo, Slot};
use crate::status::ExecutionStatus;
use crate::time::Time;

/// Why an execution is quarantined whose state machine panics again and again.
const DIES: &str = "its state machine panicked again and again";
/// Why an execution does not begin that was lost before anything of it was recorded.
const GONE: &str = "it was lost before anything of it was recorded";

/// Records a death; returns whether there were too many within the window.
pub(super) fn dies_too_often(deaths: &mut VecDeque<Time>, at: Time, deaths_max: usize, window: Duration) -> bool {
    deaths.retain(|death| at.since(*death) <= window);
    deaths.push_back(at);
    // One more than allowed is all that is ever asked for.
    while deaths.len() > deaths_max.saturating_add(1) {
        deaths.pop_front();
    }
    deaths.len() > deaths_max
}

impl Supervisor {
    /// Handles a panic of an execution's state machine. Messages in hand are retried first when the history is folded again.
    pub(super) fn panicked(&mut self, at: Time, panicked: Panicked, out: &mut Outbox) {
        let Panicked { slot, begin, messages, cancels, told } = panicked;
        let Some(entry) = self.slots.get_mut(slot) else { return };
        let Place::Actor(actor) = entry.place else { return };
        entry.place = Place::Reading;
        let execution = entry.execution;
        let rare = entry.rare_mut();
        rare.cancels.extend(cancels);
        rare.begin = begin;
        rare.reconcile = true;
        dies_too_often(&mut rare.deaths, at, self.options.deaths_max, self.options.deaths_window);
        let applied_command = std::mem::take(&mut rare.applies_command);
        // An operator command over which it panicked is not retried: the execution stays quarantined.
        let (commands, in_hand) = if applied_command { (messages, Vec::new()) } else { (Vec::new(), messages) };
        for command in commands {
            out.reply(command.request, Answer::NotDone(NotDone::Panicked));
        }
        out.notices.push(Notice::Died(execution));
        let detached = self.pool.detach(actor);
        let missing = detached.told.wrapping_sub(told);
        self.reads.want(Purpose::Slot(slot));
        self.has_left(at, slot, detached, missing, in_hand, out);
    }

    /// Folds an execution again that its actor has lost. Messages that an actor still forwards are waited for: nobody knows how
    /// many there are, so a marker is sent after them.
    pub(super) fn refold_lost(&mut self, at: Time, slot: Slot, forwards: bool, out: &mut Outbox) {
        let Some(entry) = self.slots.get_mut(slot) else { return };
        let Place::Actor(actor) = entry.place else { return };
        entry.place = Place::Reading;
        let execution = entry.execution;
        let rare = entry.rare_mut();
        rare.reconcile = true;
        rare.applies_command = false;
        out.notices.push(Notice::Lost(execution));
        let detached = self.pool.detach(actor);
        self.reads.want(Purpose::Slot(slot));
        let missing = if forwards { u32::MAX } else { 0 };
        self.has_left(at, slot, detached, missing, Vec::new(), out);
        if forwards {
            self.mark_forwards(at, slot, out);
        }
    }

    /// Handles that an actor is gone, with the execution that it hosted.
    pub(super) fn actor_gone(&mut self, at: Time, actor: ActorNo, out: &mut Outbox) {
        if let Some(slot) = self.pool.get(actor).and_then(|host| host.slot) {
            self.refold_lost(at, slot, false, out);
        }
    }

    /// Handles the history of an execution that was folded again.
    pub(super) fn folded(
        &mut self,
        at: Time,
        slot: Slot,
        restored: Result<Option<Restored>, Box<str>>,
        out: &mut Outbox,
    ) {
        let Some(entry) = self.slots.get_mut(slot).filter(|entry| matches!(entry.place, Place::Reading)) else {
            return;
        };
        match restored {
            Ok(Some(restored)) if restored.outcome.is_some() => {
                self.acknowledge_begin(slot, out);
                self.ended_in_journal(at, slot, restored, out);
            }
            Ok(Some(restored)) => self.fold_parked(at, slot, restored, out),
            Ok(None) => self.fold_new(at, slot, out),
            Err(reason) => {
                entry.place = Place::Unreadable(reason.clone());
                if entry.is_quarantined() {
                    self.refuse_operators(slot, &reason, out);
                } else {
                    self.quarantine(slot, Quarantine { reason, until_released: true }, out);
                }
                self.serve_operators(at, slot, out);
            }
        }
    }

    /// Acknowledges an execution that has begun after all, because its actor cannot any more.
    fn acknowledge_begin(&mut self, slot: Slot, out: &mut Outbox) {
        let Some(entry) = self.slots.get_mut(slot) else { return };
        let execution = entry.execution;
        let begin = entry.if_rare().and_then(|rare| rare.begin.take());
        if let Some(Acknowledge::Request(request)) = begin.map(|begin| begin.acknowledge) {
            out.reply(Some(request), Answer::Began(execution));
        }
    }

    fn fold_parked(&mut self, at: Time, slot: Slot, restored: Restored, out: &mut Outbox) {
        let Restored { definition, state, missing_handler, .. } = restored;
        let Some(entry) = self.slots.get_mut(slot) else { return };
        let rare = entry.rare_mut();
        let cancels = std::mem::take(&mut rare.cancels);
        rare.missing_handler = missing_handler;
        self.acknowledge_begin(slot, out);
        let dies = self.dies(slot);
        if let Some(entry) = self.slots.get_mut(slot) {
            entry.place = Place::Parked(Box::new(Hosted { slot, definition, state, cancels, told: 0 }));
        }
        self.begun(slot, out);
        if dies {
            self.quarantine(slot, Quarantine { reason: DIES.into(), until_released: true }, out);
        }
        self.schedule(at, slot, out);
    }

    /// Begins an execution again of which nothing was recorded, unless it panicked too often.
    fn fold_new(&mut self, at: Time, slot: Slot, out: &mut Outbox) {
        let dies = self.dies(slot);
        let Some(entry) = self.slots.get_mut(slot) else { return };
        let can_begin = entry.rare().is_some_and(|rare| rare.begin.is_some());
        match (can_begin, dies) {
            (true, false) => {
                entry.place = Place::New;
                entry.rare_mut().reconcile = false;
                if entry.is_quarantined() {
                    // It was quarantined because it could not be read, and an operator had it read again.
                    return self.release_first(at, slot, out);
                }
                self.schedule(at, slot, out);
            }
            (true, true) => self.abandon_begin(slot, DIES, out),
            (false, _) => self.abandon_begin(slot, GONE, out),
        }
    }

    /// Whether the execution panicked too often. One that is quarantined already was folded for an operator, so no.
    fn dies(&self, slot: Slot) -> bool {
        let Some(rare) = self.slots.get(slot).and_then(|entry| entry.rare()) else { return false };
        rare.quarantine.is_none() && rare.deaths.len() > self.options.deaths_max
    }

    /// Gives up an execution of which nothing was recorded; only its requester knows of it.
    fn abandon_begin(&mut self, slot: Slot, reason: &str, out: &mut Outbox) {
        let Some(entry) = self.slots.get(slot) else { return };
        let execution = entry.execution;
        out.notices.push(Notice::NotBegun(execution, reason.into()));
        out.engine.push(ToEngine::Deregister { slot, status: ExecutionStatus::Failed });
        let Rare { begin, asker, queue, forwards, cancels, .. } = self.remove(slot);
        let refused = NotActivated::NotBegun(reason.into());
        if let Some(Acknowledge::Request(request)) = begin.map(|begin| begin.acknowledge) {
            out.reply(Some(request), Answer::NotActivated(refused.clone()));
        }
        self.answer(asker, Err(refused), out);
        let forwards = forwards.into_iter().flat_map(|forwards| forwards.come);
        for message in forwards.chain(queue) {
            self.answer_undelivered(execution, &message, NotDone::NotFound, out);
        }
        for request in cancels {
            out.reply(Some(request), Answer::NotDone(NotDone::NotFound));
        }
        self.return_permit(out);
    }
}
