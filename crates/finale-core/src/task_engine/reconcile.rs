//! Repair after losses: what must be under way for an execution is compared with what is.

use std::collections::BTreeSet;

use super::TaskEngine;
use super::delivery::{Deliveries, KeptOutcomes};
use super::input::Reconcile;
use super::message::TaskResult;
use super::outbox::Outbox;
use crate::execution::Effect;
use crate::fact::{StopOutcome, Timer};
use crate::failure::{Failure, FailureClass};
use crate::id::{Dispatch, WorkKey};
use crate::number::{Callback, Slot};
use crate::time::Time;

/// Everything that must be under way, for look-up.
#[derive(Debug, Default)]
struct MustBe {
    runs: BTreeSet<Dispatch>,
    /// Those that are to be stopped, or may only finish.
    stops: BTreeSet<Dispatch>,
    opens: BTreeSet<WorkKey>,
    timers: BTreeSet<Timer>,
}

/// What is there of an execution beside handlers that are at work or wait.
#[derive(Default)]
struct Known {
    /// Attempts that begin next, and those whose outcomes are not sent yet.
    begun: BTreeSet<Dispatch>,
    /// The outcomes that nobody has acknowledged.
    kept: KeptOutcomes,
}

impl MustBe {
    fn of(effects: &[Effect]) -> Self {
        let mut must_be = Self::default();
        for effect in effects {
            match effect {
                Effect::Run { dispatch, .. } => drop(must_be.runs.insert(*dispatch)),
                Effect::Offer { dispatch, .. } => drop(must_be.opens.insert(dispatch.key)),
                Effect::ArmTimer { timer, .. } => drop(must_be.timers.insert(*timer)),
                Effect::Stop { dispatch, .. } => drop(must_be.stops.insert(*dispatch)),
                Effect::Withdraw { .. }
                | Effect::PutFirst { .. }
                | Effect::DisarmTimer { .. }
                | Effect::Continue
                | Effect::Ended => {}
            }
        }
        must_be
    }
}

impl TaskEngine {
    /// Performs missing effects, repeats unacknowledged outcomes, drops everything else, and answers the message.
    pub(super) fn reconcile(&mut self, at: Time, reconcile: Reconcile, out: &mut Outbox) {
        let Reconcile { slot, from, taken, under_way } = reconcile;
        self.deliveries.taken(from, taken, &self.slots);
        let must_be = MustBe::of(&under_way);
        let known = if must_be.runs.is_empty() { Known::default() } else { self.known_of(slot, out) };
        self.repeat_custom_status(slot, out);
        self.drop_beyond(slot, &must_be, out);
        for effect in under_way {
            self.reconcile_one(at, slot, (&must_be, &known), effect, out);
        }
        self.begin_waiting(out);
        self.look_whether_drained(out);
        if let Callback::Actor(_) = from {
            self.deliveries.answer(from, Some(slot), out);
        }
    }

    /// Drops everything of an execution.
    pub(super) fn drop_all(&mut self, slot: Slot, out: &mut Outbox) {
        self.drop_beyond(slot, &MustBe::default(), out);
    }

    /// Drops everything of an execution that must not be under way.
    fn drop_beyond(&mut self, slot: Slot, must_be: &MustBe, out: &mut Outbox) {
        self.deliveries.forget_passed_on(slot, |dispatch| must_be.runs.contains(&dispatch));
        for dispatch in self.not_begun(slot, out) {
            if !must_be.runs.contains(&dispatch) {
                self.cancel_start(slot, dispatch, out);
            }
        }
        let Some(entry) = self.slots.get(slot) else { return };
        let (open, timers) = (entry.open > 0, entry.timers > 0);
        let execution = entry.registration.as_ref().map(|registration| registration.execution);
        let at_work: Vec<_> = self.running.of(&entry.at_work).collect();
        for future in at_work {
            let dispatch = self.running.get(future).map(|handler| handler.attempt.dispatch);
            if !dispatch.is_some_and(|dispatch| must_be.runs.contains(&dispatch)) {
                self.give_up(future, out);
            }
        }
        for dispatch in execution.filter(|_| open).map(|it| self.open.of(it)).unwrap_or_default() {
            if !must_be.opens.contains(&dispatch.key) {
                self.close_task(slot, dispatch, out);
            }
        }
        let armed = if timers { self.timers.of(slot) } else { Vec::new() };
        for timer in armed.into_iter().filter(|timer| !must_be.timers.contains(timer)) {
            self.disarm(slot, timer);
        }
    }

    fn reconcile_one(
        &mut self,
        at: Time,
        slot: Slot,
        (must_be, known): (&MustBe, &Known),
        effect: Effect,
        out: &mut Outbox,
    ) {
        match effect {
            Effect::Run { dispatch, .. } if self.is_under_way(slot, dispatch, known, out) => {}
            Effect::Run { dispatch, .. } if must_be.stops.contains(&dispatch) => {
                self.stopped(at, slot, dispatch, at, StopOutcome::Lost, out);
            }
            Effect::Run { dispatch, .. } if self.runs_at_most_once(slot, dispatch) => {
                self.lost(at, slot, dispatch, out);
            }
            // During a shutdown it does not begin, and nobody knows any more whether it has: the next process decides.
            Effect::Run { .. } if self.is_closed() => {}
            Effect::Offer { dispatch, .. } if self.is_open(slot, dispatch) => {}
            missing => self.perform_one(at, slot, missing, out),
        }
    }

    /// What there is of an execution in messages: gone through once, however much must be under way.
    fn known_of(&self, slot: Slot, out: &Outbox) -> Known {
        let starts = out.starts.iter().flatten().map(|start| start.attempt).filter(|attempt| attempt.slot == slot);
        let begun = starts.map(|attempt| attempt.dispatch).chain(Deliveries::unsent(slot, out)).collect();
        Known { begun, kept: self.deliveries.kept_of(slot) }
    }

    /// Whether an attempt is running, waits to begin, or has an outcome that is on its way. An unacknowledged outcome is
    /// sent again.
    fn is_under_way(&mut self, slot: Slot, dispatch: Dispatch, known: &Known, out: &mut Outbox) -> bool {
        let Some(entry) = self.slots.get(slot) else { return false };
        let callback = entry.callback();
        self.running.find(slot, &entry.at_work, dispatch).is_some()
            || self.limiter.waits(slot, dispatch)
            || known.begun.contains(&dispatch)
            || self.deliveries.repeat(callback, slot, dispatch, &known.kept, out)
    }

    /// Whether the task is open for that attempt.
    fn is_open(&self, slot: Slot, dispatch: Dispatch) -> bool {
        let id = self.registration(slot).map(|registration| registration.task_id(dispatch.key));
        id.is_some_and(|id| self.open.attempt(id) == Some(dispatch))
    }

    fn runs_at_most_once(&self, slot: Slot, dispatch: Dispatch) -> bool {
        self.node(slot, dispatch).is_some_and(|node| node.at_most_once)
    }

    /// Fails an attempt that is gone and must not be run again.
    fn lost(&mut self, at: Time, slot: Slot, dispatch: Dispatch, out: &mut Outbox) {
        // During a shutdown this is left to the next process.
        if self.is_closed() {
            return;
        }
        let failure = Failure::new(FailureClass::Lost, "nobody knows what became of it").permanent();
        self.report_outcome(slot, dispatch, at, at, TaskResult::Failed(Box::new(failure)), out);
    }
}
