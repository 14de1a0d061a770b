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
    /// How many tasks ever had to wait.
    queued: u64,
    /// Who waits for permits that came back here and is not told yet.
    untold: Waiting,
}

/// One limit and who waits for it, each with its number in the order of all who wait, oldest first.
struct Place {
    lease: Lease,
    queue: VecDeque<(u64, Queued)>,
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
    pub(super) fn limited_handler(&self) -> Option<usize> {
        let registered = self.live.bound.handler(self.dispatch.key.node)?;
        registered.running_max.map(|_| registered.index)
    }
}

impl Place {
    fn new(pool: &Arc<Pool>, shard: u16) -> Self {
        Self { lease: Lease::new(Arc::clone(pool), shard), queue: VecDeque::new() }
    }

    /// The number of the task that has waited longest.
    fn oldest(&self) -> Option<u64> {
        self.queue.front().map(|(number, _)| *number)
    }

    fn put(&mut self, number: u64, task: Queued) {
        let place = self.queue.partition_point(|(other, _)| *other < number);
        self.queue.insert(place, (number, task));
    }
}

impl Places {
    pub(super) fn new(pools: &Pools, shard: u16) -> Self {
        let own = |pool: &Option<Arc<Pool>>| pool.as_ref().map(|pool| Place::new(pool, shard));
        Self {
            runtime: Place::new(&pools.running, shard),
            handlers: pools.handlers.iter().map(own).collect(),
            waiting: FxHashSet::default(),
            queued: 0,
            untold: Waiting::default(),
        }
    }

    /// Takes a place for a task and gives the task back; or keeps it until there is one.
    pub(super) fn take(&mut self, task: Queued) -> Option<Queued> {
        match self.try_take(&task) {
            Ok(()) => Some(task),
            Err(missing) => {
                self.waiting.insert(task.key());
                self.queued += 1;
                let number = self.queued;
                self.place(missing).put(number, task);
                None
            }
        }
    }

    /// The task that has waited longest of those for which there is a place now.
    pub(super) fn next(&mut self) -> Option<Queued> {
        let mut tried = 0;
        while let Some((_, limit)) = self.oldest_after(tried) {
            let (number, task) = self.place(limit).queue.pop_front()?;
            if !self.waiting.contains(&task.key()) {
                continue;
            }
            match self.try_take(&task) {
                Ok(()) => {
                    self.waiting.remove(&task.key());
                    return Some(task);
                }
                Err(None) => {
                    // The runtime is full: there is no place for anybody.
                    self.place(limit).put(number, task);
                    return None;
                }
                Err(missing) => {
                    self.place(missing).put(number, task);
                    tried = number;
                }
            }
        }
        None
    }

    /// The oldest task of those that came after that one, and the limit it waits for.
    fn oldest_after(&self, tried: u64) -> Option<(u64, Option<usize>)> {
        if self.waiting.is_empty() {
            return None;
        }
        let own = self.handlers.iter().enumerate();
        let own = own.filter_map(|(handler, own)| Some((own.as_ref()?.oldest()?, Some(handler))));
        let all = self.runtime.oldest().map(|number| (number, None)).into_iter().chain(own);
        all.filter(|(number, _)| *number > tried).min()
    }

    /// Takes what a task needs; else says which limit stands in the way: that of a handler, or that of the runtime.
    fn try_take(&mut self, task: &Queued) -> Result<(), Option<usize>> {
        let handler = task.limited_handler();
        let own = self.own(handler);
        if !own.is_none_or(|own| own.lease.take()) {
            return Err(handler);
        }
        if self.runtime.lease.take() {
            return Ok(());
        }
        // While it was taken here for nothing, somebody else may have begun to wait for it.
        let missed = own.map(|own| own.lease.give()).unwrap_or_default();
        self.untold = self.untold.and(missed);
        Err(None)
    }

    /// Who is to be told that there may be permits.
    pub(super) fn take_untold(&mut self) -> Waiting {
        std::mem::take(&mut self.untold)
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
        let waited = self.waiting.remove(&(execution, dispatch));
        if waited && self.waiting.is_empty() {
            self.clear();
        }
        waited
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

    fn place(&mut self, limit: Option<usize>) -> &mut Place {
        limit.and_then(|handler| self.handlers.get_mut(handler)?.as_mut()).unwrap_or(&mut self.runtime)
    }
}
