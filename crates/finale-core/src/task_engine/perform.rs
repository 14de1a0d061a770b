//! Effects of executions, and timers that are due.

use super::TaskEngine;
use super::message::FiredTimer;
use super::open::Open;
use super::outbox::Outbox;
use super::timers::Due;
use crate::execution::Effect;
use crate::fact::Timer;
use crate::id::Dispatch;
use crate::number::{ActorNo, BatchNo, Callback, Slot};
use crate::time::Time;

/// Timers handled per [`Input::Wake`](super::Input::Wake), so that other actors of the thread get their turn.
const FIRED_MAX: usize = 256;

impl TaskEngine {
    /// Performs effects in their order and answers the message.
    pub(super) fn perform(
        &mut self,
        at: Time,
        from: ActorNo,
        taken: BatchNo,
        mut effects: Vec<(Slot, Effect)>,
        out: &mut Outbox,
    ) {
        let from = Callback::Actor(from);
        self.deliveries.taken(from, taken, &self.slots);
        // An actor hosts one execution at a time; what it hosted before is not run any more.
        let about = effects.last().map(|(slot, _)| *slot);
        for (slot, effect) in effects.drain(..) {
            self.perform_one(at, slot, effect, out);
        }
        // Not earlier: an effect may release a permit, and a later one may cancel the task that would get it.
        self.begin_waiting(out);
        self.look_whether_drained(out);
        self.deliveries.answer(from, about, out);
        out.keep_spent(effects);
    }

    pub(super) fn perform_one(&mut self, at: Time, slot: Slot, effect: Effect, out: &mut Outbox) {
        match effect {
            Effect::Run { dispatch, input } => self.run(at, slot, dispatch, input, out),
            Effect::Offer { dispatch, input, since, path } => {
                self.open_task(slot, Open { slot, dispatch, since, input, path }, out);
            }
            Effect::Withdraw { dispatch } => self.close_task(slot, dispatch, out),
            Effect::Stop { dispatch, then } => self.stop(at, slot, dispatch, then, out),
            Effect::PutFirst { dispatch } => self.limiter.put_first(slot, dispatch),
            Effect::ArmTimer { timer, due, within } => self.arm(slot, timer, due, at.after(within)),
            Effect::DisarmTimer { timer } => self.disarm(slot, timer),
            Effect::Continue => self.go_on(slot, out),
            // The sender publishes the end.
            Effect::Ended => {}
        }
    }

    /// Attempts of an execution that wait to begin.
    pub(super) fn not_begun(&self, slot: Slot, out: &Outbox) -> Vec<Dispatch> {
        let queued = self.limiter.of(slot).map(|task| task.attempt.dispatch);
        if self.slots.get(slot).is_none_or(|entry| entry.starting == 0) {
            return if self.limiter.is_empty() { Vec::new() } else { queued.collect() };
        }
        let starts = out.starts.iter().flatten().map(|start| start.attempt).filter(|attempt| attempt.slot == slot);
        starts.map(|attempt| attempt.dispatch).chain(queued).collect()
    }

    /// Opens an external task. Early reports on it are given back, because the execution can accept them now.
    fn open_task(&mut self, slot: Slot, open: Open, out: &mut Outbox) {
        let key = open.dispatch.key;
        let Some(id) = self.registration(slot).map(|registration| registration.task_id(key)) else { return };
        let Some(entry) = self.slots.get_mut(slot) else { return };
        if self.open.insert(id, open) {
            entry.open += 1;
        }
        self.give_back_early(slot, key, out);
    }

    pub(super) fn close_task(&mut self, slot: Slot, dispatch: Dispatch, out: &mut Outbox) {
        let Some(id) = self.registration(slot).map(|registration| registration.task_id(dispatch.key)) else { return };
        if self.open.remove(id, dispatch)
            && let Some(entry) = self.slots.get_mut(slot)
        {
            entry.open -= 1;
        }
        // A task that closes without having been open has settled, so the execution can refuse early reports on it.
        self.give_back_early(slot, dispatch.key, out);
    }

    /// Arms a timer, due at `latest` even if `due` is later: the clock may have been ahead when `due` was computed. A timer
    /// that is armed already is never postponed, because `latest` moves each time that it is armed again.
    fn arm(&mut self, slot: Slot, timer: Timer, due: Time, latest: Time) {
        let Some(entry) = self.slots.get_mut(slot) else { return };
        if self.timers.armed(slot, timer).is_none_or(|armed| armed > due) {
            entry.timers += u32::from(self.timers.arm(slot, timer, due.min(latest)));
        }
    }

    /// Tells an execution to continue, after other messages of its callback.
    fn go_on(&mut self, slot: Slot, out: &mut Outbox) {
        let Some(entry) = self.slots.get(slot) else { return };
        self.deliveries.go_on(entry.callback(), slot, out);
    }

    pub(super) fn disarm(&mut self, slot: Slot, timer: Timer) {
        let Some(entry) = self.slots.get_mut(slot) else { return };
        entry.timers -= u32::from(self.timers.disarm(slot, timer));
    }

    /// Handles a bounded number of due timers.
    pub(super) fn wake(&mut self, at: Time, out: &mut Outbox) {
        for _ in 0..FIRED_MAX {
            match self.timers.next_due(at) {
                Some(Due::Timer(slot, timer)) => self.fire(slot, timer, out),
                Some(Due::AttemptLimit(future)) => self.attempt_limit_over(at, future, out),
                Some(Due::QueueLimit(slot, dispatch)) => self.queue_limit_over(at, slot, dispatch, out),
                Some(Due::Silence(future)) => self.silence_over(at, future, out),
                Some(Due::Grace(future)) => self.grace_over(at, future, out),
                Some(Due::Drain) => self.drain_is_over(out),
                None => break,
            }
        }
        self.deliveries.sweep(out);
        self.begin_waiting(out);
        self.look_whether_drained(out);
    }

    fn fire(&mut self, slot: Slot, timer: Timer, out: &mut Outbox) {
        let Some(entry) = self.slots.get_mut(slot) else { return };
        entry.timers -= 1;
        self.deliveries.timer(entry.callback(), FiredTimer { slot, timer }, out);
    }
}
