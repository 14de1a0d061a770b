//! Attempts that wait too long for their permits, and handlers that say nothing for too long.

use super::TaskEngine;
use super::message::TaskResult;
use super::outbox::Outbox;
use super::running::Permits;
use super::timers::Due;
use crate::failure::{Failure, FailureClass};
use crate::id::Dispatch;
use crate::number::{FutureNo, Slot};
use crate::record::TaskProgress;
use crate::time::{Time, format_duration};

impl TaskEngine {
    /// A handler says that it is alive, and perhaps how far it is.
    pub(super) fn alive(&mut self, at: Time, future: FutureNo, progress: Option<TaskProgress>, out: &mut Outbox) {
        let Some(handler) = self.running.get_mut(future) else { return };
        let (attempt, is_limited) = (handler.attempt, handler.silence.is_some());
        if let Some(progress) = progress {
            handler.progress = Some(Box::new(progress.clone()));
            self.progressed(at, attempt, progress, out);
        }
        if is_limited {
            self.hear(at, future);
        }
    }

    /// Lets the time that a handler may say nothing begin anew.
    fn hear(&mut self, at: Time, future: FutureNo) {
        let Some(attempt) = self.running.get(future).map(|handler| handler.attempt) else { return };
        let silence_max = self.node(attempt.slot, attempt.dispatch).and_then(|node| node.silence_max);
        let timer = silence_max.map(|max| self.timers.add(at.after(max), Due::Silence(future)));
        if let Some(handler) = self.running.get_mut(future)
            && let Some(earlier) = std::mem::replace(&mut handler.silence, timer)
        {
            self.timers.cancel(earlier);
        }
    }

    /// A handler goes on that waited for other executions: it could not speak meanwhile.
    pub(super) fn speaks_from_now(&mut self, future: FutureNo) {
        if self.running.get(future).is_some_and(|handler| handler.silence.is_some()) {
            self.hear(self.deliveries.now(), future);
        }
    }

    /// A handler has said nothing for too long. One that waits for other executions need not.
    pub(super) fn silence_over(&mut self, at: Time, future: FutureNo, out: &mut Outbox) {
        let Some(handler) = self.running.get(future) else { return };
        if handler.permits != Permits::Held {
            return self.hear(at, future);
        }
        let (attempt, started) = (handler.attempt, handler.started);
        let node = self.node(attempt.slot, attempt.dispatch).copied().unwrap_or_default();
        let max = format_duration(node.silence_max.unwrap_or_default());
        let failure = Failure::new(FailureClass::TimedOut, format!("its handler said nothing for {max}"));
        self.outcome(attempt, started, at, TaskResult::Failed(Box::new(failure)), out);
        self.give_up(future, out);
    }

    /// An attempt has waited too long for its permits.
    pub(super) fn queue_limit_over(&mut self, at: Time, slot: Slot, dispatch: Dispatch, out: &mut Outbox) {
        if self.limiter.cancel_queued(slot, dispatch).is_none() {
            return;
        }
        let node = self.node(slot, dispatch).copied().unwrap_or_default();
        let max = format_duration(node.queue_max.unwrap_or_default());
        let failure = Failure::new(FailureClass::TimedOut, format!("its handler could not begin within {max}"));
        self.report_outcome(slot, dispatch, at, at, TaskResult::Failed(Box::new(failure)), out);
    }
}
