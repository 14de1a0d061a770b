//! The pool of runtime-wide limits, as the shards share it.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use finale_core::number::{LimitNo, ShardNo};
use finale_core::permits::{Grant, PermitPool};
use finale_core::task_engine::Input;

use super::way_in::{Peers, ToShard};

/// Shards ask for blocks of permits, so this lock is taken once in many tasks and never contended for long.
pub(crate) struct Permits {
    pool: Mutex<PermitPool>,
    limits: u16,
    peers: OnceLock<Peers>,
}

impl Permits {
    pub(crate) fn new(limits: Vec<usize>, shards: u16) -> Self {
        Self { limits: limits.len() as u16, pool: Mutex::new(PermitPool::new(limits, shards)), peers: OnceLock::new() }
    }

    /// Connects the shards; before the first of them asks.
    pub(crate) fn connect(&self, peers: &Peers) {
        // It is set once, by whoever starts the runtime.
        let _ = self.peers.set(peers.clone());
    }

    /// How many limits there are.
    pub(crate) const fn limits(&self) -> u16 {
        self.limits
    }

    /// How many unused permits of a limit a shard keeps before it gives a block of them back.
    pub(crate) fn unused_max(&self, limit: LimitNo) -> usize {
        2 * self.pool().block_of(limit)
    }

    /// Permits for a shard that asks; if there are none, those who may have unused ones are asked for them.
    pub(crate) fn take(&self, shard: ShardNo, limit: LimitNo) -> usize {
        let Grant { permits, holders } = self.pool().take(shard, limit);
        self.tell_all(holders, || Input::PermitsWanted { limit, wanted: 1 });
        permits
    }

    /// Permits for a shard that asks; whom to ask if there are none is up to the caller.
    pub(crate) fn try_take(&self, shard: ShardNo, limit: LimitNo) -> Grant {
        self.pool().try_take(shard, limit)
    }

    /// Permits that a shard found in use when it started; there may be fewer than it needs.
    pub(crate) fn claim(&self, shard: ShardNo, limit: LimitNo, permits: usize) -> usize {
        self.pool().claim(shard, limit, permits)
    }

    /// Permits that a shard gives back.
    pub(crate) fn give(&self, shard: ShardNo, limit: LimitNo, permits: usize) {
        let waiting = self.pool().give(shard, limit, permits);
        self.tell_all(waiting, || Input::PermitsAvailable { limit });
    }

    /// How many permits of each limit a shard holds.
    pub(crate) fn held(&self, shard: ShardNo) -> Vec<usize> {
        let pool = self.pool();
        (0..self.limits).map(|limit| pool.held(shard, LimitNo(limit))).collect()
    }

    /// The limits of which other shards wait for permits, and for how many.
    pub(crate) fn wanted_by_others(&self, shard: ShardNo) -> Vec<(LimitNo, usize)> {
        let pool = self.pool();
        let limits = (0..self.limits).map(LimitNo);
        limits.map(|limit| (limit, pool.wanted_by_others(shard, limit))).filter(|(_, wanted)| *wanted > 0).collect()
    }

    /// A shard is gone: what it held is to be had again.
    pub(crate) fn remove(&self, shard: ShardNo) {
        let freed = self.pool().remove_shard(shard);
        for (limit, waiting) in freed {
            self.tell_all(waiting, || Input::PermitsAvailable { limit });
        }
    }

    fn tell_all(&self, shards: Vec<ShardNo>, what: impl Fn() -> Input) {
        let Some(peers) = self.peers.get() else { return };
        for ShardNo(shard) in shards {
            // A shard that is gone waits for nothing, and what it held is taken from it.
            let _ = peers.put(shard, ToShard::Permits(what()));
        }
    }

    /// Ignoring poison is safe: the pool's methods do not panic half-way.
    fn pool(&self) -> MutexGuard<'_, PermitPool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Permits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Permits").field("limits", &self.limits).finish_non_exhaustive()
    }
}
