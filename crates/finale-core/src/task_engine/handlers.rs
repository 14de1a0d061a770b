//! How handlers begin, suspend, continue and end.

use super::TaskEngine;
use super::input::{Attempt, HandlerResult};
use super::limiter::Next;
use super::message::{TaskOutcome, TaskResult};
use super::options::TaskNode;
use super::outbox::{Leak, Outbox, Start};
use super::queue::Queued;
use super::running::{Permits, RunningHandler};
use super::timers::Due;
use crate::fact::StopOutcome;
use crate::failure::{Failure, FailureClass};
use crate::id::Dispatch;
use crate::number::{FutureNo, Slot};
use crate::payload::Payload;
use crate::time::Time;

impl TaskEngine {
    /// Runs the handler of a node, once it has its permits.
    pub(super) fn run(&mut self, at: Time, slot: Slot, dispatch: Dispatch, input: Option<Payload>, out: &mut Outbox) {
        let is_closed = self.is_closed();
        let Some(entry) = self.slots.get_mut(slot) else { return };
        if self.running.find(slot, &entry.at_work, dispatch).is_some() || self.limiter.waits(slot, dispatch) {
            return;
        }
        if is_closed {
            return self.has_not_begun(at, slot, dispatch, out);
        }
        let definition = entry.registration.as_ref().and_then(|it| self.definitions.get(it.definition.0 as usize));
        let node = definition.and_then(|nodes| nodes.get(dispatch.key.node.as_usize()));
        let Some(handler) = node.and_then(|node| node.handler) else {
            let failure = Failure::new(FailureClass::Lost, "its handler is not registered");
            return self.report_outcome(slot, dispatch, at, at, TaskResult::Failed(Box::new(failure)), out);
        };
        let attempt = Attempt { slot, dispatch, handler };
        let own = self.options.own_limit(handler);
        if self.limiter.take(own) {
            entry.starting += 1;
            out.starts.push_back(Some(Start { attempt, input }));
        } else {
            let queue_max = node.and_then(|node| node.queue_max);
            let timer = queue_max.map(|max| self.timers.add(at.after(max), Due::QueueLimit(slot, dispatch)));
            self.limiter.enqueue(own, Queued { attempt, input, since: at, timer });
        }
    }

    /// Begins or resumes everything that waits and can have its permits.
    pub(super) fn begin_waiting(&mut self, out: &mut Outbox) {
        let runs = !self.is_closed();
        while let Some(next) = self.limiter.next(runs, &mut out.permits) {
            match next {
                Next::Run(Queued { attempt, input, timer, .. }) => {
                    timer.into_iter().for_each(|timer| self.timers.cancel(timer));
                    self.begin(attempt, input, out);
                }
                Next::Resume(future) => {
                    self.running.set_permits(future, Permits::Held);
                    self.speaks_from_now(future);
                    out.resumes.push(future);
                }
            }
        }
    }

    fn begin(&mut self, attempt: Attempt, input: Option<Payload>, out: &mut Outbox) {
        if let Some(entry) = self.slots.get_mut(attempt.slot) {
            entry.starting += 1;
        }
        out.starts.push_back(Some(Start { attempt, input }));
    }

    /// A start was reported back or cancelled.
    pub(super) fn begun(&mut self, slot: Slot) {
        if let Some(entry) = self.slots.get_mut(slot) {
            entry.starting = entry.starting.saturating_sub(1);
        }
    }

    /// A handler returned at its first poll, so it has no entry in any table.
    pub(super) fn handler_ready(
        &mut self,
        attempt: Attempt,
        started: Time,
        ended: Time,
        result: HandlerResult,
        out: &mut Outbox,
    ) {
        // One that the predecessor of a rebuilt engine began has no permits here.
        let entry = self.slots.get_mut(attempt.slot);
        if entry.as_ref().is_some_and(|entry| entry.starting > 0) {
            self.limiter.give(self.options.own_limit(attempt.handler), &mut out.permits);
        }
        if let Some(entry) = entry {
            entry.starting = entry.starting.saturating_sub(1);
            let result = TaskResult::from(result).cut(self.options.text_bytes_max);
            let Attempt { slot, dispatch, .. } = attempt;
            let (status, outcome) = (entry.last_status(), TaskOutcome { slot, dispatch, started, ended, result });
            self.deliveries.outcome(entry.callback(), outcome, status, out);
        }
        self.begin_waiting(out);
    }

    /// A handler is pending. Its time limit counts from its beginning.
    pub(super) fn handler_pending(&mut self, attempt: Attempt, started: Time, future: FutureNo, out: &mut Outbox) {
        let node = self.node(attempt.slot, attempt.dispatch).copied().unwrap_or_default();
        let mut handler = RunningHandler::new(attempt, started, Permits::Held);
        let Some(entry) = self.slots.get_mut(attempt.slot) else {
            // The execution ended while the handler was called.
            self.running.insert_leaked(future, handler);
            if self.options.is_blocking(attempt.handler) {
                return out.leaks.push(Leak { attempt, started, future });
            }
            self.remove_handler(future, out);
            return out.drops.push(future);
        };
        entry.starting = entry.starting.saturating_sub(1);
        handler.silence = node.silence_max.map(|max| self.timers.add(started.after(max), Due::Silence(future)));
        handler.timer = node.attempt_max.map(|limit| self.timers.add(started.after(limit), Due::AttemptLimit(future)));
        self.running.insert(future, handler, &mut entry.at_work);
    }

    /// A pending handler returned.
    pub(super) fn handler_ended(&mut self, future: FutureNo, ended: Time, result: HandlerResult, out: &mut Outbox) {
        // A dropped handler may have returned in the same moment.
        let Some(handler) = self.remove_handler(future, out) else { return };
        let RunningHandler { attempt, started, stopping, leaked, .. } = handler;
        match result {
            // Its attempt was reported as lost or timed out when it was given up.
            _ if leaked => {}
            // Returning an error after being asked to stop is no failure.
            HandlerResult::Failed(_) if stopping => {
                self.stopped(ended, attempt.slot, attempt.dispatch, started, StopOutcome::Stopped, out);
            }
            result => self.outcome(attempt, started, ended, result.into(), out),
        }
        self.begin_waiting(out);
        self.look_whether_drained(out);
    }

    /// A handler waits for another execution, which may need its permits.
    pub(super) fn suspended(&mut self, future: FutureNo, out: &mut Outbox) {
        let Some(handler) = self.running.get(future).filter(|handler| !handler.leaked) else { return };
        let own = self.options.own_limit(handler.attempt.handler);
        match handler.permits {
            Permits::Held => self.limiter.give(own, &mut out.permits),
            // Another part of it waits now: permits that it got meanwhile would be held by one that does not go on.
            Permits::Awaited => self.limiter.cancel_resume(own, future),
            Permits::Released => return,
        }
        self.running.set_permits(future, Permits::Released);
        self.begin_waiting(out);
    }

    /// A handler can continue once it has its permits again.
    pub(super) fn resumed(&mut self, future: FutureNo, out: &mut Outbox) {
        let Some(handler) = self.running.get(future) else { return };
        let own = self.options.own_limit(handler.attempt.handler);
        match handler.permits {
            Permits::Held => out.resumes.push(future),
            Permits::Awaited => {}
            // It is only to clean up, so it need not wait.
            Permits::Released if handler.stopping || handler.leaked => out.resumes.push(future),
            Permits::Released => {
                self.limiter.enqueue_resume(own, future);
                self.running.set_permits(future, Permits::Awaited);
                self.begin_waiting(out);
            }
        }
    }

    /// Reports the outcome of an attempt.
    pub(super) fn outcome(
        &mut self,
        attempt: Attempt,
        started: Time,
        ended: Time,
        result: TaskResult,
        out: &mut Outbox,
    ) {
        self.report_outcome(attempt.slot, attempt.dispatch, started, ended, result, out);
    }

    pub(super) fn report_outcome(
        &mut self,
        slot: Slot,
        dispatch: Dispatch,
        started: Time,
        ended: Time,
        result: TaskResult,
        out: &mut Outbox,
    ) {
        // An ended execution has no callback.
        let Some(entry) = self.slots.get(slot) else { return };
        let result = result.cut(self.options.text_bytes_max);
        let (status, outcome) = (entry.last_status(), TaskOutcome { slot, dispatch, started, ended, result });
        self.deliveries.outcome(entry.callback(), outcome, status, out);
    }

    /// Properties of the node of an attempt.
    pub(super) fn node(&self, slot: Slot, dispatch: Dispatch) -> Option<&TaskNode> {
        let definition = self.registration(slot)?.definition;
        self.definitions.get(definition.0 as usize)?.get(dispatch.key.node.as_usize())
    }
}

impl TaskResult {
    /// The same result, with the reason of a failure cut to that many bytes.
    fn cut(mut self, text_bytes_max: usize) -> Self {
        if let Self::Failed(failure) = &mut self
            && failure.reason.len() > text_bytes_max
        {
            **failure = (**failure).clone().cut(text_bytes_max);
        }
        self
    }
}

impl From<HandlerResult> for TaskResult {
    fn from(result: HandlerResult) -> Self {
        match result {
            HandlerResult::Completed(range) => Self::Completed(range),
            HandlerResult::Failed(failure) => Self::Failed(failure),
        }
    }
}
