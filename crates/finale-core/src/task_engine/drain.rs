//! The end of a shard: running handlers may finish, and no other begins.

use super::TaskEngine;
use super::outbox::{Drained, Outbox};
use super::timers::Due;
use crate::fact::StopOutcome;
use crate::id::Dispatch;
use crate::number::Slot;
use crate::time::Time;

/// Progress of a shutdown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Closing {
    #[default]
    Open,
    /// Running handlers may finish.
    Draining,
    /// The result was reported.
    Drained,
}

impl TaskEngine {
    /// Whether no handler may begin.
    pub(super) fn is_closed(&self) -> bool {
        self.journal_failed || self.closing != Closing::Open
    }

    /// Stops all beginnings, because outcomes could not be recorded.
    pub(super) fn journal_has_failed(&mut self, out: &mut Outbox) {
        self.journal_failed = true;
        // It could not be recorded that these have not begun.
        let _not_begun = self.cancel_all_starts(out);
    }

    /// Reports that an attempt does not begin here any more, so that the next process knows that it was not at work.
    pub(super) fn has_not_begun(&mut self, at: Time, slot: Slot, dispatch: Dispatch, out: &mut Outbox) {
        if !self.journal_failed {
            self.stopped(at, slot, dispatch, at, StopOutcome::Closed, out);
        }
    }

    pub(super) fn drain(&mut self, at: Time, deadline: Time, out: &mut Outbox) {
        // Later callers join the first shutdown.
        if self.closing != Closing::Open {
            return;
        }
        self.closing = Closing::Draining;
        for (slot, dispatch) in self.cancel_all_starts(out) {
            self.has_not_begun(at, slot, dispatch, out);
        }
        self.limiter.close(&mut out.permits);
        self.timers.add(deadline, Due::Drain);
        self.look_whether_drained(out);
    }

    /// Reports the end of the shutdown once no handler is running.
    pub(super) fn look_whether_drained(&mut self, out: &mut Outbox) {
        if self.closing == Closing::Draining && self.running.counts.working == 0 {
            self.drained(0, out);
        }
    }

    /// Drops the handlers that still run at the deadline. Their outcomes are left to the next process.
    pub(super) fn drain_is_over(&mut self, out: &mut Outbox) {
        if self.closing != Closing::Draining {
            return;
        }
        let left = self.running.working();
        for future in &left {
            self.give_up(*future, out);
        }
        self.drained(left.len(), out);
    }

    fn drained(&mut self, dropped: usize, out: &mut Outbox) {
        self.closing = Closing::Drained;
        out.drained = Some(Drained { dropped, leaked: self.running.counts.leaked });
    }
}
