//! A limit for the whole runtime, leased to shards in blocks: one counter for all would be what they wait for.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// The permits that no shard holds.
#[derive(Debug)]
pub(crate) struct Pool {
    free: AtomicUsize,
    /// How many a shard takes at once.
    block: usize,
    /// One bit per shard that waits for a permit.
    waiting: AtomicU64,
}

/// The permits of one shard.
#[derive(Debug)]
pub(crate) struct Lease {
    pool: Arc<Pool>,
    shard: u16,
    local: Cell<usize>,
    used: Cell<usize>,
}

/// Shards that wait for a permit and should be told that there may be one.
#[must_use]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Waiting(pub(crate) u64);

impl Pool {
    pub(crate) fn new(permits: usize, shards: u16) -> Self {
        // Small limits are not leased ahead: a permit that lies around in one shard is missing in another.
        let block = (permits / (usize::from(shards) * 8)).clamp(1, 64);
        Self { free: AtomicUsize::new(permits), block, waiting: AtomicU64::new(0) }
    }

    fn take_block(&self) -> usize {
        let take = |free: usize| (free > 0).then(|| free - free.min(self.block));
        let taken = self.free.fetch_update(Ordering::AcqRel, Ordering::Acquire, take);
        taken.map_or(0, |free| free.min(self.block))
    }

    fn give(&self, permits: usize) -> Waiting {
        if permits > 0 {
            self.free.fetch_add(permits, Ordering::AcqRel);
        }
        Waiting(self.waiting.swap(0, Ordering::AcqRel))
    }
}

impl Lease {
    pub(crate) fn new(pool: Arc<Pool>, shard: u16) -> Self {
        Self { pool, shard, local: Cell::new(0), used: Cell::new(0) }
    }

    /// How many permits are in use here.
    pub(crate) fn used(&self) -> usize {
        self.used.get()
    }

    /// Takes a permit; if there is none, this shard is noted as waiting for one.
    pub(crate) fn take(&self) -> bool {
        self.take_local() || self.take_from_pool() || {
            self.pool.waiting.fetch_or(1 << (self.shard % 64), Ordering::AcqRel);
            // Looked at once more: a permit may have come back before the note was there to be seen.
            self.take_from_pool()
        }
    }

    /// Gives a permit back.
    pub(crate) fn give(&self) -> Waiting {
        self.used.set(self.used.get() - 1);
        self.local.set(self.local.get() + 1);
        let wanted = self.pool.waiting.load(Ordering::Acquire) != 0;
        if wanted {
            return self.give_all_back();
        }
        if self.local.get() > 2 * self.pool.block {
            self.local.set(self.local.get() - self.pool.block);
            return self.pool.give(self.pool.block);
        }
        Waiting::default()
    }

    /// Gives back what lies around unused.
    pub(crate) fn give_all_back(&self) -> Waiting {
        self.pool.give(self.local.take())
    }

    fn take_local(&self) -> bool {
        let Some(left) = self.local.get().checked_sub(1) else {
            return false;
        };
        self.local.set(left);
        self.used.set(self.used.get() + 1);
        true
    }

    fn take_from_pool(&self) -> bool {
        self.local.set(self.local.get() + self.pool.take_block());
        self.take_local()
    }
}

impl Waiting {
    /// Those, and those.
    pub(crate) fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether that shard waits.
    pub(crate) fn includes(self, shard: u16) -> bool {
        self.0 & (1 << (shard % 64)) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leases(permits: usize, shards: u16) -> Vec<Lease> {
        let pool = Arc::new(Pool::new(permits, shards));
        (0..shards).map(|shard| Lease::new(Arc::clone(&pool), shard)).collect()
    }

    #[test]
    fn a_limit_of_one_is_never_exceeded_and_goes_around() {
        let leases = leases(1, 2);
        assert!(leases[0].take());
        assert!(!leases[1].take());
        assert!(leases[0].give().includes(1));
        assert!(leases[1].take());
        assert!(!leases[0].take());
    }

    #[test]
    fn what_lies_around_unused_is_given_back_to_who_waits() {
        let leases = leases(16, 2);
        while leases[1].take() {}
        assert_eq!(leases[1].used(), 16);
        for _ in 0..2 {
            let _ = leases[1].give();
        }
        let _ = leases[1].give_all_back();
        assert!(leases[0].take());
    }

    #[test]
    fn all_permits_together_are_the_limit() {
        let leases = leases(1_000, 3);
        let mut taken = 0;
        for lease in leases.iter().cycle().take(5_000) {
            taken += usize::from(lease.take());
        }
        assert_eq!(taken, 1_000);
    }
}
