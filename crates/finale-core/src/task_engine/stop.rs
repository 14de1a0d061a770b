//! Stopping attempts, whether their handlers have begun or not.

use super::TaskEngine;
use super::message::TaskResult;
use super::outbox::{Leak, Outbox, Start};
use super::running::{Permits, RunningHandler};
use super::timers::Due;
use crate::execution::AfterStop;
use crate::fact::StopOutcome;
use crate::failure::{Failure, FailureClass};
use crate::id::Dispatch;
use crate::number::{FutureNo, Slot};
use crate::time::{Time, format_duration};

impl TaskEngine {
    /// Stops an attempt. A handler that has not begun never does; a running one gets its grace, is given up at once, or may
    /// finish.
    pub(super) fn stop(&mut self, at: Time, slot: Slot, dispatch: Dispatch, then: AfterStop, out: &mut Outbox) {
        if self.cancel_start(slot, dispatch, out) {
            if then != AfterStop::Forget {
                self.stopped(at, slot, dispatch, at, StopOutcome::Closed, out);
            }
            return;
        }
        let Some(future) = self.slots.get(slot).and_then(|entry| self.running.find(slot, &entry.at_work, dispatch))
        else {
            // The attempt is over, and its outcome is on its way.
            return;
        };
        match then {
            AfterStop::Forget => self.give_up(future, out),
            AfterStop::Report => self.ask_to_stop(at, future, out),
            AfterStop::Finish => {}
        }
    }

    /// Cancels an attempt that has not begun; false if it does not wait to begin.
    pub(super) fn cancel_start(&mut self, slot: Slot, dispatch: Dispatch, out: &mut Outbox) -> bool {
        if let Some(queued) = self.limiter.cancel_queued(slot, dispatch) {
            queued.timer.into_iter().for_each(|timer| self.timers.cancel(timer));
            return true;
        }
        if self.slots.get(slot).is_none_or(|entry| entry.starting == 0) {
            return false;
        }
        let is_it = |start: &Start| start.attempt.slot == slot && start.attempt.dispatch == dispatch;
        let Some(start) = self.take_start(is_it, out) else { return false };
        self.begun(slot);
        self.limiter.give(self.options.own_limit(start.attempt.handler), &mut out.permits);
        true
    }

    /// Removes a start from the outbox. The search begins behind the start that was cancelled last, because usually many are
    /// cancelled in their order.
    fn take_start(&mut self, is_it: impl Fn(&Start) -> bool, out: &mut Outbox) -> Option<Start> {
        let count = out.starts.len();
        let from = self.cancelled_last.min(count);
        let found = (from..count).chain(0..from).find(|&index| out.starts[index].as_ref().is_some_and(&is_it))?;
        self.cancelled_last = found + 1;
        out.starts[found].take()
    }

    /// Cancels everything that waits to begin, and gives it.
    pub(super) fn cancel_all_starts(&mut self, out: &mut Outbox) -> Vec<(Slot, Dispatch)> {
        let mut cancelled = Vec::new();
        for start in std::mem::take(&mut out.starts).into_iter().flatten() {
            self.begun(start.attempt.slot);
            self.limiter.give(self.options.own_limit(start.attempt.handler), &mut out.permits);
            cancelled.push((start.attempt.slot, start.attempt.dispatch));
        }
        // The timers of what waits find nothing any more.
        cancelled.extend(self.limiter.take_waiting());
        cancelled
    }

    fn ask_to_stop(&mut self, at: Time, future: FutureNo, out: &mut Outbox) {
        let Some(handler) = self.running.get_mut(future).filter(|handler| !handler.stopping) else { return };
        handler.stopping = true;
        let grace = self.timers.add(at.after(self.options.grace), Due::Grace(future));
        let earlier = [handler.timer.replace(grace), handler.silence.take()];
        earlier.into_iter().flatten().for_each(|timer| self.timers.cancel(timer));
        out.stops.push(future);
        if handler.permits == Permits::Awaited {
            self.let_clean_up(future, out);
        }
    }

    /// Lets a handler that was asked to stop continue without its permits, so that it does not lose its grace in a queue.
    fn let_clean_up(&mut self, future: FutureNo, out: &mut Outbox) {
        let Some(handler) = self.running.get(future) else { return };
        self.limiter.cancel_resume(self.options.own_limit(handler.attempt.handler), future);
        self.running.set_permits(future, Permits::Released);
        out.resumes.push(future);
    }

    /// The grace of a handler is over.
    pub(super) fn grace_over(&mut self, at: Time, future: FutureNo, out: &mut Outbox) {
        let Some(handler) = self.running.get(future) else { return };
        let (attempt, started) = (handler.attempt, handler.started);
        let how = if self.options.is_blocking(attempt.handler) { StopOutcome::Lost } else { StopOutcome::Aborted };
        self.stopped(at, attempt.slot, attempt.dispatch, started, how, out);
        self.give_up(future, out);
    }

    /// An attempt has exceeded its time limit.
    pub(super) fn attempt_limit_over(&mut self, at: Time, future: FutureNo, out: &mut Outbox) {
        let Some(handler) = self.running.get(future) else { return };
        let (attempt, started) = (handler.attempt, handler.started);
        let limit = self.node(attempt.slot, attempt.dispatch).and_then(|node| node.attempt_max);
        let limit = limit.unwrap_or_else(|| at.since(started));
        let failure = Failure::new(FailureClass::TimedOut, format!("no result within {}", format_duration(limit)));
        self.outcome(attempt, started, at, TaskResult::Failed(Box::new(failure)), out);
        self.give_up(future, out);
    }

    /// Drops a handler whose result is not needed. A blocking handler cannot be dropped: it leaks, and keeps its permits
    /// until its thread ends, so that the limits hold.
    pub(super) fn give_up(&mut self, future: FutureNo, out: &mut Outbox) {
        let Some(handler) = self.running.get(future).filter(|handler| !handler.leaked) else { return };
        let RunningHandler { attempt, started, stopping, permits, .. } = *handler;
        if !self.options.is_blocking(attempt.handler) {
            self.remove_handler(future, out);
            out.drops.push(future);
            return;
        }
        if permits == Permits::Awaited {
            self.let_clean_up(future, out);
        }
        if let Some(handler) = self.running.get_mut(future) {
            let timers = [handler.timer.take(), handler.silence.take()];
            timers.into_iter().flatten().for_each(|timer| self.timers.cancel(timer));
        }
        if let Some(entry) = self.slots.get_mut(attempt.slot) {
            self.running.leak(future, &mut entry.at_work);
        }
        if !stopping {
            out.stops.push(future);
        }
        out.leaks.push(Leak { attempt, started, future });
    }

    /// Removes a handler from all tables and releases its permits.
    pub(super) fn remove_handler(&mut self, future: FutureNo, out: &mut Outbox) -> Option<RunningHandler> {
        let handler = self.running.get(future)?;
        let entry = if handler.leaked { None } else { self.slots.get_mut(handler.attempt.slot) };
        let handler = self.running.remove(future, entry.map(|entry| &mut entry.at_work))?;
        let timers = [handler.timer, handler.silence];
        timers.into_iter().flatten().for_each(|timer| self.timers.cancel(timer));
        let own = self.options.own_limit(handler.attempt.handler);
        match handler.permits {
            Permits::Held => self.limiter.give(own, &mut out.permits),
            Permits::Awaited => self.limiter.cancel_resume(own, future),
            Permits::Released => {}
        }
        Some(handler)
    }

    /// Reports that an attempt was stopped.
    pub(super) fn stopped(
        &mut self,
        at: Time,
        slot: Slot,
        dispatch: Dispatch,
        started: Time,
        how: StopOutcome,
        out: &mut Outbox,
    ) {
        self.report_outcome(slot, dispatch, started, at, TaskResult::Stopped(how), out);
    }
}
