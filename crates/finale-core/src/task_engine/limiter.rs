//! Limits on the number of running handlers, and the queues behind them.
//!
//! A task needs a permit of the runtime, and one of its handler if the handler has a limit of its own. Tasks of limited
//! handlers wait in the queue of that limit, all others in the queue of the runtime. So a task whose handler has reached
//! its limit blocks no other task, and the oldest task that can begin is always at the front of a queue.
//!
//! Where both permits are scarce and shards want them from each other, a shard keeps that of the handler while it waits for
//! that of the runtime, and never the other way round. Shards that gave both away would exchange the last ones for ever.

use std::collections::{BTreeMap, VecDeque};

use super::outbox::{PermitChange, QueuedTask};
use super::queue::{Queue, Queued};
use crate::id::{Dispatch, WorkKey};
use crate::number::{FutureNo, LimitNo, Slot};
use crate::permits::Lease;

/// The numbers of tasks begin here: there are as many before it, for those that are put first.
const MIDDLE: u64 = 1 << 63;

/// All limits of the shard.
#[derive(Clone, Debug)]
pub(super) struct ConcurrencyLimiter {
    limits: Vec<Limit>,
    /// For each waiting task, the limit in whose queue it is and its number there.
    waiting: BTreeMap<(Slot, WorkKey), (LimitNo, u64)>,
    /// Number of the task that was queued last; numbers rise over all queues.
    newest: u64,
    /// Number of the task that was put first last; these fall.
    first: u64,
    resuming: usize,
    /// Whether unused permits are kept that other shards want.
    keeps: bool,
}

#[derive(Clone, Debug)]
struct Limit {
    lease: Lease,
    queue: Queue,
    /// Running handlers that want their permits back. They come before tasks, because they hold up whoever waits for them.
    resuming: VecDeque<FutureNo>,
}

/// What may begin or continue.
#[derive(Debug)]
pub(super) enum Next {
    Resume(FutureNo),
    Run(Queued),
}

impl ConcurrencyLimiter {
    pub(super) fn new(limits: u16, unused_max: usize) -> Self {
        let limit = || Limit { lease: Lease::new(unused_max), queue: Queue::default(), resuming: VecDeque::new() };
        let limits = std::iter::repeat_with(limit).take(usize::from(limits.max(1))).collect();
        Self { limits, waiting: BTreeMap::new(), newest: MIDDLE, first: MIDDLE, resuming: 0, keeps: false }
    }

    pub(super) fn lease(&mut self, limit: LimitNo) -> Option<&mut Lease> {
        self.limits.get_mut(limit.index()).map(|limit| &mut limit.lease)
    }

    /// Number of handlers that hold permits.
    pub(super) fn used(&self) -> usize {
        self.limits[0].lease.used()
    }

    /// Number of waiting tasks.
    pub(super) fn queued(&self) -> usize {
        self.waiting.len()
    }

    /// Whether no task waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes all permits that a handler needs, or none.
    pub(super) fn take(&mut self, own: Option<LimitNo>) -> bool {
        if !self.limits[0].lease.is_free() || !own.is_none_or(|own| self.limits[own.index()].lease.take()) {
            return false;
        }
        self.limits[0].lease.take()
    }

    /// Takes permits for a handler that is running already.
    pub(super) fn take_anyway(&mut self, own: Option<LimitNo>) {
        for limit in own.into_iter().chain([LimitNo::RUNTIME]) {
            self.limits[limit.index()].lease.take_anyway();
        }
    }

    /// Releases the permits of a handler.
    pub(super) fn give(&mut self, own: Option<LimitNo>, changes: &mut Vec<PermitChange>) {
        if let Some(own) = own {
            self.give_one(own, changes);
        }
        self.give_one(LimitNo::RUNTIME, changes);
    }

    fn give_one(&mut self, limit: LimitNo, changes: &mut Vec<PermitChange>) {
        let permits = self.limits[limit.index()].lease.give();
        give_back(limit, permits, changes);
    }

    /// Puts a task into the queue of its limit.
    pub(super) fn enqueue(&mut self, own: Option<LimitNo>, task: Queued) {
        let limit = own.unwrap_or(LimitNo::RUNTIME);
        self.newest += 1;
        self.waiting.insert((task.attempt.slot, task.attempt.dispatch.key), (limit, self.newest));
        self.limits[limit.index()].queue.push(self.newest, task);
    }

    /// Puts a waiting task before all others; nothing if the attempt does not wait.
    pub(super) fn put_first(&mut self, slot: Slot, dispatch: Dispatch) {
        if let Some((limit, _)) = self.waiting.get(&(slot, dispatch.key)).copied()
            && let Some(task) = self.cancel_queued(slot, dispatch)
        {
            self.first -= 1;
            self.waiting.insert((slot, dispatch.key), (limit, self.first));
            self.limits[limit.index()].queue.push_first(self.first, task);
        }
    }

    /// Puts a running handler into the queue of its limit.
    pub(super) fn enqueue_resume(&mut self, own: Option<LimitNo>, future: FutureNo) {
        self.limits[own.unwrap_or(LimitNo::RUNTIME).index()].resuming.push_back(future);
        self.resuming += 1;
    }

    /// Removes a running handler from the queue of its limit.
    pub(super) fn cancel_resume(&mut self, own: Option<LimitNo>, future: FutureNo) {
        let resuming = &mut self.limits[own.unwrap_or(LimitNo::RUNTIME).index()].resuming;
        let before = resuming.len();
        resuming.retain(|other| *other != future);
        self.resuming -= before - resuming.len();
    }

    /// Takes permits for the next handler that may continue, or else for the oldest task that may begin. Asks the pool for
    /// missing permits. Tasks are skipped unless `runs`.
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
            // A handler that continues sorts before every task.
            let number = if resuming > 0 { 0 } else { limit.queue.oldest().unwrap_or(u64::MAX) };
            if !free {
                self.ask(LimitNo(index as u16), resuming + queued, changes);
            }
            // The pool may be about to grant this one its permit, and then no younger task may overtake it.
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

    /// Passes unused permits on to another shard that wants some. Tasks are to begin only if `runs`.
    pub(super) fn wanted(&mut self, limit: LimitNo, wanted: usize, runs: bool, changes: &mut Vec<PermitChange>) {
        let keep = self.kept(limit, runs);
        self.keeps |= keep > 0;
        let permits = self.lease(limit).map_or(0, |lease| lease.wanted(wanted, keep));
        give_back(limit, permits, changes);
    }

    /// How many unused permits others do not get: those with which a task here lacks nothing but one of the runtime.
    fn kept(&self, limit: LimitNo, runs: bool) -> usize {
        let waits_for_runtime = limit != LimitNo::RUNTIME && self.limits[0].lease.is_awaited();
        let waiting = self.limits.get(limit.index()).filter(|_| waits_for_runtime);
        waiting.map_or(0, |limit| limit.resuming.len() + if runs { limit.queue.len() } else { 0 })
    }

    /// Passes on what was kept and is needed here no more, because a task was called off for instance.
    pub(super) fn pass_on_kept(&mut self, runs: bool, changes: &mut Vec<PermitChange>) {
        if !self.keeps {
            return;
        }
        self.keeps = false;
        for index in 1..self.limits.len() {
            let limit = LimitNo(index as u16);
            let keep = self.kept(limit, runs);
            self.keeps |= keep > 0;
            let permits = self.limits[index].lease.pay(keep);
            give_back(limit, permits, changes);
        }
    }

    /// Returns all unused permits, and from now on every permit that is released.
    pub(super) fn close(&mut self, changes: &mut Vec<PermitChange>) {
        for index in 0..self.limits.len() {
            let permits = self.limits[index].lease.close();
            give_back(LimitNo(index as u16), permits, changes);
        }
    }

    /// Removes a waiting task; none if the attempt does not wait.
    pub(super) fn cancel_queued(&mut self, slot: Slot, dispatch: Dispatch) -> Option<Queued> {
        if !self.waits(slot, dispatch) {
            return None;
        }
        let (limit, number) = self.waiting.remove(&(slot, dispatch.key))?;
        self.limits[limit.index()].queue.remove(number)
    }

    #[inline]
    pub(super) fn waits(&self, slot: Slot, dispatch: Dispatch) -> bool {
        !self.waiting.is_empty() && self.finds(slot, dispatch)
    }

    fn finds(&self, slot: Slot, dispatch: Dispatch) -> bool {
        let Some((limit, number)) = self.waiting.get(&(slot, dispatch.key)) else { return false };
        let task = self.limits[limit.index()].queue.get(*number);
        task.is_some_and(|task| task.attempt.dispatch == dispatch)
    }

    /// Removes all waiting tasks, and gives them by execution and work key.
    pub(super) fn take_waiting(&mut self) -> Vec<(Slot, Dispatch)> {
        let waiting = std::mem::take(&mut self.waiting);
        let dispatch = |limit: LimitNo, number| Some(self.limits[limit.index()].queue.get(number)?.attempt.dispatch);
        let all = waiting.into_iter().filter_map(|((slot, _), (limit, number))| Some((slot, dispatch(limit, number)?)));
        let all = all.collect();
        self.limits.iter_mut().for_each(|limit| limit.queue.clear());
        all
    }

    /// The waiting tasks of an execution, by work key.
    pub(super) fn of(&self, slot: Slot) -> impl Iterator<Item = &Queued> {
        self.waiting_of(slot).filter_map(|(limit, number)| self.limits[limit.index()].queue.get(number))
    }

    /// The waiting tasks of an execution with their positions, by work key.
    pub(super) fn positions(&self, slot: Slot) -> Vec<QueuedTask> {
        let task = |(own, number): (LimitNo, u64)| {
            let Queued { attempt, since, .. } = self.limits[own.index()].queue.get(number)?;
            let limit = if self.limits[own.index()].lease.is_free() { LimitNo::RUNTIME } else { own };
            let before = |limit: &Limit| limit.resuming.len() + limit.queue.before(number);
            let before = match limit {
                // Tasks in all queues need a permit of the runtime.
                LimitNo::RUNTIME => self.limits.iter().map(before).sum(),
                own => before(&self.limits[own.index()]),
            };
            Some(QueuedTask { dispatch: attempt.dispatch, since: *since, limit, position: before + 1 })
        };
        self.waiting_of(slot).filter_map(task).collect()
    }

    /// The limit that a running handler waits for to continue, and its position among those that do.
    pub(super) fn resume_position(&self, own: Option<LimitNo>, future: FutureNo) -> Option<(LimitNo, usize)> {
        let own = own.unwrap_or(LimitNo::RUNTIME);
        let limit = &self.limits[own.index()];
        let before = limit.resuming.iter().position(|other| *other == future)?;
        Some((if limit.lease.is_free() { LimitNo::RUNTIME } else { own }, before + 1))
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
