//! How many handlers may be at work, and who waits for that.
//!
//! A task needs a permit of the runtime, and one of its handler if that has a limit of its own. Tasks of handlers with
//! limits wait in the queue of their handler, all others in that of the runtime. So a task whose handler is at its limit
//! stands in nobody else's way, and of those that could begin the oldest is found at the front of a queue.

use std::collections::{BTreeMap, VecDeque};

use super::outbox::{PermitChange, QueuedTask};
use super::queue::{Queue, Queued};
use crate::id::{Dispatch, WorkKey};
use crate::number::{FutureNo, LimitNo, Slot};
use crate::permits::Lease;

/// All limits of the shard.
#[derive(Clone, Debug)]
pub(super) struct ConcurrencyLimiter {
    limits: Vec<Limit>,
    /// Where each waiting task is: in the queue of which limit, with which number.
    waiting: BTreeMap<(Slot, WorkKey), (LimitNo, u64)>,
    /// The number of the task that has begun to wait last, of all queues.
    newest: u64,
    resuming: usize,
}

#[derive(Clone, Debug)]
struct Limit {
    lease: Lease,
    queue: Queue,
    /// Handlers at work that want their permits back. They go first: others may wait for what they will do.
    resuming: VecDeque<FutureNo>,
}

/// Who may begin or go on.
#[derive(Debug)]
pub(super) enum Next {
    Resume(FutureNo),
    Run(Queued),
}

impl ConcurrencyLimiter {
    pub(super) fn new(limits: u16, unused_max: usize) -> Self {
        let limit = || Limit { lease: Lease::new(unused_max), queue: Queue::default(), resuming: VecDeque::new() };
        let limits = std::iter::repeat_with(limit).take(usize::from(limits.max(1))).collect();
        Self { limits, waiting: BTreeMap::new(), newest: 0, resuming: 0 }
    }

    pub(super) fn lease(&mut self, limit: LimitNo) -> Option<&mut Lease> {
        self.limits.get_mut(limit.index()).map(|limit| &mut limit.lease)
    }

    /// How many handlers hold permits.
    pub(super) fn used(&self) -> usize {
        self.limits[0].lease.used()
    }

    /// How many tasks wait.
    pub(super) fn queued(&self) -> usize {
        self.waiting.len()
    }

    /// Takes the permits that a handler needs: all of them, or none.
    pub(super) fn take(&mut self, own: Option<LimitNo>) -> bool {
        if !self.limits[0].lease.is_free() || !own.is_none_or(|own| self.limits[own.index()].lease.take()) {
            return false;
        }
        self.limits[0].lease.take()
    }

    /// Takes permits for a handler that is at work already.
    pub(super) fn take_anyway(&mut self, own: Option<LimitNo>) {
        for limit in own.into_iter().chain([LimitNo::RUNTIME]) {
            self.limits[limit.index()].lease.take_anyway();
        }
    }

    /// Gives back the permits of a handler.
    pub(super) fn give(&mut self, own: Option<LimitNo>, changes: &mut Vec<PermitChange>) {
        for limit in own.into_iter().chain([LimitNo::RUNTIME]) {
            let permits = self.limits[limit.index()].lease.give();
            give_back(limit, permits, changes);
        }
    }

    /// Puts a task into the queue of its limit.
    pub(super) fn enqueue(&mut self, own: Option<LimitNo>, task: Queued) {
        let limit = own.unwrap_or(LimitNo::RUNTIME);
        self.newest += 1;
        self.waiting.insert((task.attempt.slot, task.attempt.dispatch.key), (limit, self.newest));
        self.limits[limit.index()].queue.push(self.newest, task);
    }

    /// Puts a handler at work into the queue of its limit.
    pub(super) fn enqueue_resume(&mut self, own: Option<LimitNo>, future: FutureNo) {
        self.limits[own.unwrap_or(LimitNo::RUNTIME).index()].resuming.push_back(future);
        self.resuming += 1;
    }

    /// Takes a handler at work out of the queue of its limit.
    pub(super) fn cancel_resume(&mut self, own: Option<LimitNo>, future: FutureNo) {
        let resuming = &mut self.limits[own.unwrap_or(LimitNo::RUNTIME).index()].resuming;
        let before = resuming.len();
        resuming.retain(|other| *other != future);
        self.resuming -= before - resuming.len();
    }

    /// Whoever is next and may begin or go on, with its permits: handlers that go on first, then the oldest task. Asks for
    /// permits that are missing.
    pub(super) fn next(&mut self, runs: bool, changes: &mut Vec<PermitChange>) -> Option<Next> {
        let all = self.resuming + if runs { self.waiting.len() } else { 0 };
        if all == 0 {
            return None;
        }
        if !self.limits[0].lease.is_free() {
            self.ask(LimitNo::RUNTIME, all, changes);
            return None;
        }
        let mut best: Option<(u64, usize)> = None;
        for index in 0..self.limits.len() {
            let limit = &self.limits[index];
            let (resuming, queued) = (limit.resuming.len(), if runs { limit.queue.len() } else { 0 });
            if resuming + queued == 0 {
                continue;
            }
            let free = limit.lease.is_free();
            // Before the number of every task is that of a handler that goes on.
            let number = if resuming > 0 { 0 } else { limit.queue.oldest().unwrap_or(u64::MAX) };
            if !free {
                self.ask(LimitNo(index as u16), resuming + queued, changes);
            }
            // One whose permit is asked for just now may get it in a moment: a younger one must not be faster.
            if free || self.limits[index].lease.is_asked() {
                best = best.into_iter().chain([(number, index)]).min();
            }
        }
        let (_, index) = best?;
        if self.limits[index].lease.is_free() { self.take_next(index) } else { None }
    }

    fn take_next(&mut self, index: usize) -> Option<Next> {
        let own = (index > 0).then_some(LimitNo(index as u16));
        let taken = self.take(own);
        debug_assert!(taken, "a permit that was there is gone");
        let limit = &mut self.limits[index];
        if let Some(future) = limit.resuming.pop_front() {
            self.resuming -= 1;
            return Some(Next::Resume(future));
        }
        let task = limit.queue.pop()?;
        self.waiting.remove(&(task.attempt.slot, task.attempt.dispatch.key));
        Some(Next::Run(task))
    }

    fn ask(&mut self, limit: LimitNo, wanted: usize, changes: &mut Vec<PermitChange>) {
        if self.limits[limit.index()].lease.ask() {
            changes.push(PermitChange::Ask { limit, wanted });
        }
    }

    /// Another shard wants permits.
    pub(super) fn wanted(&mut self, limit: LimitNo, wanted: usize, changes: &mut Vec<PermitChange>) {
        let permits = self.lease(limit).map_or(0, |lease| lease.wanted(wanted));
        give_back(limit, permits, changes);
    }

    /// Gives back all unused permits, and keeps none from now on.
    pub(super) fn close(&mut self, changes: &mut Vec<PermitChange>) {
        for index in 0..self.limits.len() {
            let permits = self.limits[index].lease.close();
            give_back(LimitNo(index as u16), permits, changes);
        }
    }

    /// Takes a waiting task out; none if that attempt does not wait.
    pub(super) fn cancel_queued(&mut self, slot: Slot, dispatch: Dispatch) -> Option<Queued> {
        if !self.waits(slot, dispatch) {
            return None;
        }
        let (limit, number) = self.waiting.remove(&(slot, dispatch.key))?;
        self.limits[limit.index()].queue.remove(number)
    }

    pub(super) fn waits(&self, slot: Slot, dispatch: Dispatch) -> bool {
        let Some((limit, number)) = self.waiting.get(&(slot, dispatch.key)) else { return false };
        let task = self.limits[limit.index()].queue.get(*number);
        task.is_some_and(|task| task.attempt.dispatch == dispatch)
    }

    /// Takes all waiting tasks out, of all executions.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.limits.iter_mut().for_each(|limit| limit.queue.clear());
    }

    /// What of an execution waits, by its work.
    pub(super) fn of(&self, slot: Slot) -> impl Iterator<Item = &Queued> {
        self.waiting_of(slot).filter_map(|(limit, number)| self.limits[limit.index()].queue.get(number))
    }

    /// What of an execution waits and where in the queue, by its work.
    pub(super) fn positions(&self, slot: Slot) -> Vec<QueuedTask> {
        let task = |(own, number): (LimitNo, u64)| {
            let Queued { attempt, since, .. } = self.limits[own.index()].queue.get(number)?;
            let limit = if self.limits[own.index()].lease.is_free() { LimitNo::RUNTIME } else { own };
            let before = |limit: &Limit| limit.resuming.len() + limit.queue.before(number);
            let before = match limit {
                // Whoever waits for any limit needs one of the runtime as well.
                LimitNo::RUNTIME => self.limits.iter().map(before).sum(),
                own => before(&self.limits[own.index()]),
            };
            Some(QueuedTask { dispatch: attempt.dispatch, since: *since, limit, position: before + 1 })
        };
        self.waiting_of(slot).filter_map(task).collect()
    }

    fn waiting_of(&self, slot: Slot) -> impl Iterator<Item = (LimitNo, u64)> {
        let from = self.waiting.range((slot, WorkKey::default())..);
        from.take_while(move |((other, _), _)| *other == slot).map(|(_, place)| *place)
    }
}

fn give_back(limit: LimitNo, permits: usize, changes: &mut Vec<PermitChange>) {
    if permits > 0 {
        changes.push(PermitChange::Return { limit, permits });
    }
}
