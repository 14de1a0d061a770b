//! Handlers at work: those that did not come to their results at once.

use rustc_hash::FxHashMap;

use super::input::Attempt;
use super::outbox::Leak;
use super::slots::SlotEntry;
use super::timers::TimerKey;
use crate::id::{Dispatch, WorkKey};
use crate::number::{FutureNo, Slot};
use crate::time::Time;

/// An execution with more handlers at work than this has them in an index: a walk along all of them for each that is
/// stopped would cost the square of their number.
const WALK_MAX: u32 = 32;

/// The handlers at work, by the numbers of their futures.
#[derive(Clone, Debug, Default)]
pub(super) struct Running {
    handlers: Vec<Option<RunningHandler>>,
    /// The handlers of executions that have many.
    index: FxHashMap<(Slot, WorkKey), FutureNo>,
    pub(super) counts: RunningCounts,
}

/// How many handlers there are of each kind.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RunningCounts {
    /// All that are not given up.
    pub(super) working: usize,
    /// Of those, the ones that hold no permits because they wait for other executions.
    pub(super) suspended: usize,
    /// Those that are given up.
    pub(super) leaked: usize,
}

/// The handlers at work of one execution: a list through the table, so that an execution needs no storage of its own.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AtWork {
    first: Option<FutureNo>,
    last: Option<FutureNo>,
    count: u32,
    indexed: bool,
}

/// One handler at work.
#[derive(Clone, Debug)]
pub(super) struct RunningHandler {
    pub(super) attempt: Attempt,
    pub(super) started: Time,
    pub(super) permits: Permits,
    /// Whether it was told to stop.
    pub(super) stopping: bool,
    /// Whether it was given up: nobody waits for its result, and it belongs to no execution any more.
    pub(super) leaked: bool,
    /// Its time limit, or its grace.
    pub(super) timer: Option<TimerKey>,
    previous: Option<FutureNo>,
    next: Option<FutureNo>,
}

/// Whether a handler holds its permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Permits {
    /// It does.
    Held,
    /// It has given them back while it waits for another execution.
    Released,
    /// It waits to get them again.
    Awaited,
}

impl RunningHandler {
    pub(super) fn new(attempt: Attempt, started: Time, permits: Permits) -> Self {
        let (stopping, leaked) = (false, false);
        Self { attempt, started, permits, stopping, leaked, timer: None, previous: None, next: None }
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
    pub(super) fn insert(&mut self, future: FutureNo, mut handler: RunningHandler, entry: &mut SlotEntry) {
        if self.handlers.len() <= future.index() {
            self.handlers.resize_with(future.index() + 1, || None);
        }
        let list = &mut entry.at_work;
        handler.previous = list.last;
        match list.last {
            Some(last) => self.handlers[last.index()].as_mut().expect("it is in a list").next = Some(future),
            None => list.first = Some(future),
        }
        list.last = Some(future);
        list.count += 1;
        if list.indexed {
            self.index.insert((entry.slot, handler.attempt.dispatch.key), future);
        }
        self.counts.working += 1;
        self.counts.suspended += usize::from(handler.permits != Permits::Held);
        debug_assert!(self.handlers[future.index()].is_none(), "the number of a future is given twice");
        self.handlers[future.index()] = Some(handler);
        if entry.at_work.count > WALK_MAX && !entry.at_work.indexed {
            self.index_all(entry);
        }
    }

    fn index_all(&mut self, entry: &mut SlotEntry) {
        entry.at_work.indexed = true;
        let all: Vec<_> = self.of(entry).collect();
        for future in all {
            if let Some(handler) = self.get(future) {
                self.index.insert((entry.slot, handler.attempt.dispatch.key), future);
            }
        }
    }

    /// Adds a handler that was given up and belongs to no execution.
    pub(super) fn insert_leaked(&mut self, future: FutureNo, mut handler: RunningHandler) {
        if self.handlers.len() <= future.index() {
            self.handlers.resize_with(future.index() + 1, || None);
        }
        self.counts.leaked += 1;
        handler.leaked = true;
        self.handlers[future.index()] = Some(handler);
    }

    /// Takes a handler out; `entry` is that of its execution, unless the handler was given up.
    pub(super) fn remove(&mut self, future: FutureNo, entry: Option<&mut SlotEntry>) -> Option<RunningHandler> {
        self.get(future)?;
        match entry {
            Some(entry) => self.unlink(future, entry),
            None => self.counts.leaked -= 1,
        }
        self.handlers[future.index()].take()
    }

    /// Takes a handler away from its execution: it is given up and stays in the table.
    pub(super) fn leak(&mut self, future: FutureNo, entry: &mut SlotEntry) {
        self.unlink(future, entry);
        if let Some(handler) = self.get_mut(future) {
            handler.leaked = true;
            self.counts.leaked += 1;
        }
    }

    fn unlink(&mut self, future: FutureNo, entry: &mut SlotEntry) {
        let Some(handler) = self.get_mut(future) else { return };
        let (previous, next) = (handler.previous.take(), handler.next.take());
        let (key, suspended) = (handler.attempt.dispatch.key, handler.permits != Permits::Held);
        match previous {
            Some(previous) => self.handlers[previous.index()].as_mut().expect("it is in a list").next = next,
            None => entry.at_work.first = next,
        }
        match next {
            Some(next) => self.handlers[next.index()].as_mut().expect("it is in a list").previous = previous,
            None => entry.at_work.last = previous,
        }
        entry.at_work.count -= 1;
        if entry.at_work.indexed {
            self.index.remove(&(entry.slot, key));
            entry.at_work.indexed = entry.at_work.count > 0;
        }
        self.counts.working -= 1;
        self.counts.suspended -= usize::from(suspended);
    }

    /// The handler of that attempt, if it is at work.
    pub(super) fn find(&self, entry: &SlotEntry, dispatch: Dispatch) -> Option<FutureNo> {
        let is_it = |future: &FutureNo| self.get(*future).is_some_and(|handler| handler.attempt.dispatch == dispatch);
        if entry.at_work.indexed {
            return self.index.get(&(entry.slot, dispatch.key)).copied().filter(is_it);
        }
        self.of(entry).find(is_it)
    }

    /// The handlers at work of an execution, in the order in which they began.
    pub(super) fn of(&self, entry: &SlotEntry) -> impl Iterator<Item = FutureNo> {
        std::iter::successors(entry.at_work.first, |future| self.get(*future)?.next)
    }

    /// All that are not given up, by their numbers.
    pub(super) fn working(&self) -> Vec<FutureNo> {
        self.numbered().filter(|(_, handler)| !handler.leaked).map(|(future, _)| future).collect()
    }

    /// Those that were given up.
    pub(super) fn leaks(&self) -> impl Iterator<Item = Leak> {
        let leaked = self.numbered().filter(|(_, handler)| handler.leaked);
        leaked.map(|(future, handler)| Leak { attempt: handler.attempt, started: handler.started, future })
    }

    fn numbered(&self) -> impl Iterator<Item = (FutureNo, &RunningHandler)> {
        (0..).map(FutureNo).zip(&self.handlers).filter_map(|(future, handler)| Some((future, handler.as_ref()?)))
    }

    /// Notes whether a handler at work holds its permits.
    pub(super) fn set_permits(&mut self, future: FutureNo, permits: Permits) {
        let Some(handler) = self.get_mut(future) else { return };
        let (before, leaked) = (std::mem::replace(&mut handler.permits, permits), handler.leaked);
        if !leaked {
            self.counts.suspended -= usize::from(before != Permits::Held);
            self.counts.suspended += usize::from(permits != Permits::Held);
        }
    }
}
