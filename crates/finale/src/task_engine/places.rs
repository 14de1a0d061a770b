//! Places for handlers at work, and the tasks that wait for one.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use finale_core::{Dispatch, ExecutionId, Payload};
use rustc_hash::FxHashSet;

use super::Pools;
use crate::permits::{Lease, Pool, Waiting};
use crate::shard::Live;

/// How many handlers may be at work: in the runtime, and of each handler that has a limit of its own.
pub(super) struct Places {
    runtime: Place,
    handlers: Vec<Option<Place>>,
    /// Which tasks wait; one that is not in here any more was called off.
    waiting: FxHashSet<(ExecutionId, Dispatch)>,
}

/// One limit and who waits for it, oldest first.
struct Place {
    lease: Lease,
    queue: VecDeque<Queued>,
}

/// A task that waits for a place.
pub(super) struct Queued {
    pub(super) live: Rc<Live>,
    pub(super) dispatch: Dispatch,
    pub(super) input: Payload,
}

impl Queued {
    fn key(&self) -> (ExecutionId, Dispatch) {
        (self.live.id, self.dispatch)
    }

    /// The number of its handler, if that has a limit of its own.
    fn limited_handler(&self) -> Option<usize> {
        let registered = self.live.bound.handler(self.dispatch.key.node)?;
        registered.running_max.map(|_| registered.index)
    }
}

impl Place {
    fn new(pool: &Arc<Pool>, shard: u16) -> Self {
        Self { lease: Lease::new(Arc::clone(pool), shard), queue: VecDeque::new() }
    }
}

impl Places {
    pub(super) fn new(pools: &Pools, shard: u16) -> Self {
        let own = |pool: &Option<Arc<Pool>>| pool.as_ref().map(|pool| Place::new(pool, shard));
        Self {
            runtime: Place::new(&pools.running, shard),
            handlers: pools.handlers.iter().map(own).collect(),
            waiting: FxHashSet::default(),
        }
    }

    /// Takes a place for a task and gives the task back; or keeps it until there is one.
    pub(super) fn take(&mut self, task: Queued) -> Option<Queued> {
        match self.try_take(&task) {
            Ok(()) => Some(task),
            Err(missing) => {
                self.waiting.insert(task.key());
                self.queue(missing).push_back(task);
                None
            }
        }
    }

    /// The next waiting task for which there is a place now.
    pub(super) fn next(&mut self) -> Option<Queued> {
        if self.waiting.is_empty() {
            return None;
        }
        (0..self.handlers.len()).find_map(|handler| self.next_in(Some(handler))).or_else(|| self.next_in(None))
    }

    fn next_in(&mut self, limit: Option<usize>) -> Option<Queued> {
        while let Some(task) = self.queue(limit).pop_front() {
            if !self.waiting.contains(&task.key()) {
                continue;
            }
            match self.try_take(&task) {
                Ok(()) => {
                    self.waiting.remove(&task.key());
                    return Some(task);
                }
                Err(missing) if missing == limit => {
                    self.queue(limit).push_front(task);
                    return None;
                }
                Err(missing) => self.queue(missing).push_back(task),
            }
        }
        None
    }

    /// Takes what a task needs; else says which limit stands in the way: that of a handler, or that of the runtime.
    fn try_take(&self, task: &Queued) -> Result<(), Option<usize>> {
        let handler = task.limited_handler();
        let own = self.own(handler);
        if !own.is_none_or(|own| own.lease.take()) {
            return Err(handler);
        }
        if self.runtime.lease.take() {
            return Ok(());
        }
        if let Some(own) = own {
            // Nobody is told: this permit was not missed by anybody before it was taken.
            let _ = own.lease.give();
        }
        Err(None)
    }

    /// Gives back the place of a task that is over.
    pub(super) fn give(&self, handler: Option<usize>) -> Waiting {
        let own = self.own(handler).map(|own| own.lease.give()).unwrap_or_default();
        own.and(self.runtime.lease.give())
    }

    /// Gives back what lies around unused.
    pub(super) fn give_unused(&self) -> Waiting {
        let own = self.handlers.iter().flatten().map(|own| own.lease.give_all_back());
        own.fold(self.runtime.lease.give_all_back(), Waiting::and)
    }

    /// Calls a waiting task off; false if it does not wait.
    pub(super) fn call_off(&mut self, execution: ExecutionId, dispatch: Dispatch) -> bool {
        self.waiting.remove(&(execution, dispatch))
    }

    pub(super) fn waits(&self, execution: ExecutionId, dispatch: Dispatch) -> bool {
        self.waiting.contains(&(execution, dispatch))
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn used(&self) -> usize {
        self.runtime.lease.used()
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.runtime.queue.clear();
        self.handlers.iter_mut().flatten().for_each(|own| own.queue.clear());
    }

    fn own(&self, handler: Option<usize>) -> Option<&Place> {
        self.handlers.get(handler?)?.as_ref()
    }

    fn queue(&mut self, limit: Option<usize>) -> &mut VecDeque<Queued> {
        match limit.and_then(|handler| self.handlers.get_mut(handler)?.as_mut()) {
            Some(own) => &mut own.queue,
            None => &mut self.runtime.queue,
        }
    }
}
