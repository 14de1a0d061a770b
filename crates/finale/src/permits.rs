//! A limit for the whole runtime, leased to shards in blocks: one counter for all would be what they wait for.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// The permits of a limit: those that no shard holds, and those that shards hold and do not use.
#[derive(Debug)]
pub(crate) struct Pool {
    free: AtomicUsize,
    /// How many a shard takes at once.
    block: usize,
    /// What lies around unused in each shard. A shard that finds nothing else takes from there: a limit must let
    /// everybody in for whom there is a permit, wherever it lies.
    unused: Box<[Unused]>,
    /// One bit per shard that waits for a permit.
    waiting: AtomicU64,
    /// Permits that are in use beyond the limit: as many of those given back first are gone.
    owed: AtomicUsize,
}

/// On a cache line of its own: shards do not wait for each other as long as each has permits.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Unused(AtomicUsize);

/// The permits of one shard.
#[derive(Debug)]
pub(crate) struct Lease {
    pool: Arc<Pool>,
    shard: u16,
    used: Cell<usize>,
}

/// Shards that wait for a permit and should be told that there may be one.
#[must_use]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Waiting(pub(crate) u64);

impl Pool {
    pub(crate) fn new(permits: usize, shards: u16) -> Self {
        // Small limits are not leased ahead: a permit that lies around in one shard must be fetched from there.
        let block = (permits / (usize::from(shards) * 8)).clamp(1, 64);
        let unused = (0..shards).map(|_| Unused::default()).collect();
        Self { free: AtomicUsize::new(permits), block, unused, waiting: AtomicU64::new(0), owed: AtomicUsize::new(0) }
    }

    /// A pool of which that many permits are in use from the beginning, even if there are not as many.
    pub(crate) fn in_use(permits: usize, used: usize, shards: u16) -> Self {
        let owed = AtomicUsize::new(used.saturating_sub(permits));
        Self { owed, ..Self::new(permits.saturating_sub(used), shards) }
    }

    /// Whether a permit that is given back is one too many.
    fn repay(&self) -> bool {
        self.owed.load(Ordering::Relaxed) > 0
            && self.owed.fetch_update(Ordering::AcqRel, Ordering::Acquire, |owed| owed.checked_sub(1)).is_ok()
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

impl Unused {
    fn take(&self, permits: usize) -> bool {
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |unused| unused.checked_sub(permits)).is_ok()
    }
}

impl Lease {
    pub(crate) fn new(pool: Arc<Pool>, shard: u16) -> Self {
        Self { pool, shard, used: Cell::new(0) }
    }

    /// How many permits are in use here.
    pub(crate) fn used(&self) -> usize {
        self.used.get()
    }

    /// Takes a permit; if there is none, this shard is noted as waiting for one.
    pub(crate) fn take(&self) -> bool {
        let taken = self.unused().take(1) || self.fetch() || {
            self.pool.waiting.fetch_or(1 << (self.shard % 64), Ordering::AcqRel);
            // Looked at once more: a permit may have come back before the note was there to be seen.
            self.fetch()
        };
        self.used.set(self.used.get() + usize::from(taken));
        taken
    }

    /// Uses a permit that was set aside when the pool was made.
    pub(crate) fn adopt(&self) {
        self.used.set(self.used.get() + 1);
    }

    /// Gives a permit back.
    pub(crate) fn give(&self) -> Waiting {
        self.used.set(self.used.get() - 1);
        if self.pool.repay() {
            return Waiting::default();
        }
        let unused = self.unused().0.fetch_add(1, Ordering::AcqRel) + 1;
        if self.pool.waiting.load(Ordering::Acquire) != 0 {
            return self.give_all_back();
        }
        if unused > 2 * self.pool.block && self.unused().take(self.pool.block) {
            return self.pool.give(self.pool.block);
        }
        Waiting::default()
    }

    /// Gives back what lies around unused.
    pub(crate) fn give_all_back(&self) -> Waiting {
        self.pool.give(self.unused().0.swap(0, Ordering::AcqRel))
    }

    fn unused(&self) -> &Unused {
        &self.pool.unused[usize::from(self.shard)]
    }

    /// Takes a permit from the pool, else one that lies around in another shard.
    fn fetch(&self) -> bool {
        match self.pool.take_block() {
            0 => self.pool.unused.iter().any(|unused| unused.take(1)),
            taken => {
                self.unused().0.fetch_add(taken - 1, Ordering::AcqRel);
                true
            }
        }
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
    fn what_is_in_use_beyond_the_limit_does_not_come_back() {
        let pool = Arc::new(Pool::in_use(2, 5, 1));
        let lease = Lease::new(pool, 0);
        (0..5).for_each(|_| lease.adopt());
        for given in 1..=3 {
            let _ = lease.give();
            assert!(!lease.take(), "after {given} of the 3 beyond the limit");
        }
        let _ = lease.give();
        assert!(lease.take());
        assert!(!lease.take());
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
    fn a_permit_that_lies_around_in_another_shard_is_not_missing_here() {
        let leases = leases(1_000, 3);
        while leases[0].take() {}
        for _ in 0..1_000 {
            let _ = leases[0].give();
        }
        assert_eq!(leases[0].used(), 0);
        for taken in 0..1_000 {
            assert!(leases[2].take(), "after {taken} of 1,000");
        }
        assert!(!leases[1].take());
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
