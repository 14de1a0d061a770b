//! How a shard comes to its end: handlers at work may finish, and nothing else begins.

use super::TaskEngine;
use super::outbox::{Drained, Outbox};
use super::timers::Due;
use crate::time::Time;

/// How far the end of a shard is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Closing {
    #[default]
    Open,
    /// Handlers at work may finish.
    Draining,
    /// It was said how the shutdown went.
    Drained,
}

impl TaskEngine {
    /// Whether nothing begins any more.
    pub(super) fn is_closed(&self) -> bool {
        self.journal_failed || self.closing != Closing::Open
    }

    /// Nothing could be recorded any more, so nothing begins.
    pub(super) fn journal_has_failed(&mut self, out: &mut Outbox) {
        self.journal_failed = true;
        self.cancel_all_starts(out);
    }

    pub(super) fn drain(&mut self, deadline: Time, out: &mut Outbox) {
        // A second shutdown is the first one.
        if self.closing != Closing::Open {
            return;
        }
        self.closing = Closing::Draining;
        self.cancel_all_starts(out);
        self.limiter.close(&mut out.permits);
        self.timers.add(deadline, Due::Drain);
        self.look_whether_drained(out);
    }

    /// Says that the shutdown is over, as soon as no handler is at work.
    pub(super) fn look_whether_drained(&mut self, out: &mut Outbox) {
        if self.closing == Closing::Draining && self.running.counts.working == 0 {
            self.drained(0, out);
        }
    }

    /// Handlers that are still at work at the deadline are dropped. Nothing is reported for them: the next process finds
    /// out that they are gone.
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
