//! Moments that are waited for.

use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use finale_core::fact::Timer;
use finale_core::{Dispatch, ExecutionId, Time};
use rustc_hash::FxHashMap;
use tokio_util::time::DelayQueue;
use tokio_util::time::delay_queue::Key;

use crate::clock::Clock;
use crate::shard::Live;

/// The longest single sleep; a moment further away is looked at again then. The timer wheel ends at two years.
const SLEEP_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The timers of one shard.
pub(super) struct Timers {
    clock: Clock,
    queue: DelayQueue<Entry>,
    armed: FxHashMap<(ExecutionId, What), Key>,
}

struct Entry {
    live: Rc<Live>,
    what: What,
    due: Time,
}

/// What a moment is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum What {
    /// A timer of the execution.
    Timer(Timer),
    /// The grace of a handler that was told to stop.
    Grace(Dispatch),
    /// The time that an attempt may take; it begins with its handler.
    Limit(Dispatch),
}

impl Timers {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, queue: DelayQueue::new(), armed: FxHashMap::default() }
    }

    /// Waits for a moment, and no longer than it takes from now: whoever said when it is may have had a clock that was ahead.
    pub(super) fn arm(&mut self, live: &Rc<Live>, timer: Timer, due: Time, within: Duration) {
        let due = due.min(self.clock.now().after(within));
        self.insert(Entry { live: Rc::clone(live), what: What::Timer(timer), due });
    }

    pub(super) fn arm_grace(&mut self, live: &Rc<Live>, dispatch: Dispatch, due: Time) {
        self.insert(Entry { live: Rc::clone(live), what: What::Grace(dispatch), due });
    }

    pub(super) fn arm_limit(&mut self, live: &Rc<Live>, dispatch: Dispatch, due: Time) {
        self.insert(Entry { live: Rc::clone(live), what: What::Limit(dispatch), due });
    }

    pub(super) fn disarm_limit(&mut self, execution: ExecutionId, dispatch: Dispatch) {
        if let Some(key) = self.armed.remove(&(execution, What::Limit(dispatch))) {
            self.queue.remove(&key);
        }
    }

    pub(super) fn disarm(&mut self, execution: ExecutionId, timer: Timer) {
        if let Some(key) = self.armed.remove(&(execution, What::Timer(timer))) {
            self.queue.remove(&key);
        }
    }

    pub(super) fn is_armed(&self, execution: ExecutionId, timer: Timer) -> bool {
        self.armed.contains_key(&(execution, What::Timer(timer)))
    }

    /// The next moment that has come.
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<(Rc<Live>, What)>> {
        while let Poll::Ready(expired) = self.queue.poll_expired(context) {
            let Some(expired) = expired else {
                return Poll::Ready(None);
            };
            let entry = expired.into_inner();
            self.armed.remove(&(entry.live.id, entry.what));
            if entry.due <= self.clock.now() {
                return Poll::Ready(Some((entry.live, entry.what)));
            }
            self.insert(entry);
        }
        Poll::Pending
    }

    fn insert(&mut self, entry: Entry) {
        let place = (entry.live.id, entry.what);
        let sleep = self.clock.until(entry.due).min(SLEEP_MAX);
        let key = self.queue.insert(entry, sleep);
        if let Some(earlier) = self.armed.insert(place, key) {
            self.queue.remove(&earlier);
        }
    }
}
