//! Running handlers: those that were pending after their first poll.

use rustc_hash::FxHashMap;

use super::input::Attempt;
use super::outbox::Leak;
use super::timers::TimerKey;
use crate::id::{Dispatch, WorkKey};
use crate::number::{FutureNo, Slot};
use crate::record::TaskProgress;
use crate::time::Time;

/// Executions with more running handlers are indexed, because walking a long list for each stopped handler takes
/// quadratic time.
const WALK_MAX: u32 = 32;

/// The running handlers, by future number.
#[derive(Clone, Debug, Default)]
pub(super) struct Running {
    handlers: Vec<Option<RunningHandler>>,
    /// The handlers of executions with more than [`WALK_MAX`] of them.
    index: FxHashMap<(Slot, WorkKey), FutureNo>,
    pub(super) counts: RunningCounts,
}

/// Numbers of handlers by state.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RunningCounts {
    /// Handlers that were not given up.
    pub(super) working: usize,
    /// Those of them that hold no permits because they wait for other executions.
    pub(super) suspended: usize,
    /// Blocking handlers that were given up.
    pub(super) leaked: usize,
}

/// The running handlers of one execution, as a list linked through the table: an execution allocates nothing for it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AtWork {
    first: Option<FutureNo>,
    last: Option<FutureNo>,
    count: u32,
    indexed: bool,
}

/// A running handler.
#[derive(Clone, Debug)]
pub(super) struct RunningHandler {
    pub(super) attempt: Attempt,
    pub(super) started: Time,
    pub(super) permits: Permits,
    /// Whether it was asked to stop.
    pub(super) stopping: bool,
    /// Whether it was given up and removed from the list of its execution.
    pub(super) leaked: bool,
    /// Timer of its time limit, or of its grace.
    pub(super) timer: Option<TimerKey>,
    /// Timer of the time that it may say nothing.
    pub(super) silence: Option<TimerKey>,
    /// How far it says it is.
    pub(super) progress: Option<Box<TaskProgress>>,
    previous: Option<FutureNo>,
    next: Option<FutureNo>,
}

/// Whether a handler holds its permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Permits {
    /// It holds them.
    Held,
    /// It released them while it waits for another execution.
    Released,
    /// It waits in the queue to get them again.
    Awaited,
}

impl RunningHandler {
    pub(super) fn new(attempt: Attempt, started: Time, permits: Permits) -> Self {
        let (stopping, leaked) = (false, false);
        Self {
            attempt,
            started,
            permits,
            stopping,
            leaked,
            timer: None,
            silence: None,
            progress: None,
            previous: None,
            next: None,
        }
    }
}

impl Running {
    pub(super) fn get(&self, future: FutureNo) -> Option<&RunningHandler> {
        self.handlers.get(future.index())?.as_ref()
    }

    pub(super) fn get_mut(&mut self, future: FutureNo) -> Option<&mut RunningHandler> {
        self.handlers.get_mut(future.index())?.as_mut()
    }

    /// Adds a handler to its execution.
    pub(super) fn insert(&mut self, future: FutureNo, mut handler: RunningHandler, list: &mut AtWork) {
        if self.handlers.len() <= future.index() {
            self.handlers.resize_with(future.index() + 1, || None);
        }
        handler.previous = list.last;
        match list.last {
            Some(last) => self.handlers[last.index()].as_mut().expect("it is in a list").next = Some(future),
            None => list.first = Some(future),
        }
        list.last = Some(future);
        list.count += 1;
        if list.indexed {
            self.index.insert((handler.attempt.slot, handler.attempt.dispatch.key), future);
        }
        self.counts.working += 1;
        self.counts.suspended += usize::from(handler.permits != Permits::Held);
        debug_assert!(self.handlers[future.index()].is_none(), "the number of a future is given twice");
        self.handlers[future.index()] = Some(handler);
        if list.count > WALK_MAX && !list.indexed {
            self.index_all(list);
        }
    }

    fn index_all(&mut self, list: &mut AtWork) {
        list.indexed = true;
        let all: Vec<_> = self.of(list).collect();
        for future in all {
            if let Some(Attempt { slot, dispatch, .. }) = self.get(future).map(|handler| handler.attempt) {
                self.index.insert((slot, dispatch.key), future);
            }
        }
    }

    /// Adds a handler that was given up.
    pub(super) fn insert_leaked(&mut self, future: FutureNo, mut handler: RunningHandler) {
        if self.handlers.len() <= future.index() {
            self.handlers.resize_with(future.index() + 1, || None);
        }
        self.counts.leaked += 1;
        handler.leaked = true;
        self.handlers[future.index()] = Some(handler);
    }

    /// Removes a handler. `list` is that of its execution, none for a handler that was given up.
    pub(super) fn remove(&mut self, future: FutureNo, list: Option<&mut AtWork>) -> Option<RunningHandler> {
        self.get(future)?;
        match list {
            Some(list) => self.unlink(future, list),
            None => self.counts.leaked -= 1,
        }
        self.handlers[future.index()].take()
    }

    /// Gives a handler up: it leaves the list of its execution and stays in the table.
    pub(super) fn leak(&mut self, future: FutureNo, list: &mut AtWork) {
        self.unlink(future, list);
        if let Some(handler) = self.get_mut(future) {
            handler.leaked = true;
            self.counts.leaked += 1;
        }
    }

    fn unlink(&mut self, future: FutureNo, list: &mut AtWork) {
        let Some(handler) = self.get_mut(future) else { return };
        let (previous, next) = (handler.previous.take(), handler.next.take());
        let (attempt, suspended) = (handler.attempt, handler.permits != Permits::Held);
        match previous {
            Some(previous) => self.handlers[previous.index()].as_mut().expect("it is in a list").next = next,
            None => list.first = next,
        }
        match next {
            Some(next) => self.handlers[next.index()].as_mut().expect("it is in a list").previous = previous,
            None => list.last = previous,
        }
        list.count -= 1;
        if list.indexed {
            self.index.remove(&(attempt.slot, attempt.dispatch.key));
            list.indexed = list.count > 0;
        }
        self.counts.working -= 1;
        self.counts.suspended -= usize::from(suspended);
    }

    /// The running handler of an attempt.
    pub(super) fn find(&self, slot: Slot, list: &AtWork, dispatch: Dispatch) -> Option<FutureNo> {
        let is_it = |future: &FutureNo| self.get(*future).is_some_and(|handler| handler.attempt.dispatch == dispatch);
        if list.indexed {
            return self.index.get(&(slot, dispatch.key)).copied().filter(is_it);
        }
        self.of(list).find(is_it)
    }

    /// The running handlers of an execution, in the order in which they began.
    pub(super) fn of(&self, list: &AtWork) -> impl Iterator<Item = FutureNo> {
        std::iter::successors(list.first, |future| self.get(*future)?.next)
    }

    /// Handlers that were not given up.
    pub(super) fn working(&self) -> Vec<FutureNo> {
        self.numbered().filter(|(_, handler)| !handler.leaked).map(|(future, _)| future).collect()
    }

    /// Handlers that were given up.
    pub(super) fn leaks(&self) -> impl Iterator<Item = Leak> {
        let leaked = self.numbered().filter(|(_, handler)| handler.leaked);
        leaked.map(|(future, handler)| Leak { attempt: handler.attempt, started: handler.started, future })
    }

    fn numbered(&self) -> impl Iterator<Item = (FutureNo, &RunningHandler)> {
        (0..).map(FutureNo).zip(&self.handlers).filter_map(|(future, handler)| Some((future, handler.as_ref()?)))
    }

    /// Changes whether a handler holds its permits.
    pub(super) fn set_permits(&mut self, future: FutureNo, permits: Permits) {
        let Some(handler) = self.get_mut(future) else { return };
        let (before, leaked) = (std::mem::replace(&mut handler.permits, permits), handler.leaked);
        if !leaked {
            self.counts.suspended -= usize::from(before != Permits::Held);
            self.counts.suspended += usize::from(permits != Permits::Held);
        }
    }
}
