//! Limits of the whole runtime, leased to its shards in blocks: one counter for all would be what they wait for.
//!
//! The [`PermitPool`] knows which shard holds how many permits; the shell keeps it behind a mutex. A [`Lease`] is what one
//! machine knows of one limit: it counts locally which of its permits are in use, and says when it needs more or can spare
//! some. A permit is in the pool, in a lease, or on the way between them as a message; it is never copied.

use std::collections::BTreeSet;

use crate::number::{LimitNo, ShardNo};

/// How many permits are handed out at once, at most.
const BLOCK_MAX: usize = 64;

/// Small limits are not leased ahead: this many blocks of a limit fall to each shard.
const BLOCKS_PER_SHARD: usize = 8;

/// The permits of all limits that no shard holds, and who holds the others.
#[derive(Clone, Debug)]
pub struct PermitPool {
    limits: Vec<PooledLimit>,
    shards: u16,
}

#[derive(Clone, Debug)]
struct PooledLimit {
    /// Permits that no shard holds; negative if more are in use than there are.
    free: i64,
    /// How many are handed out at once.
    block: usize,
    /// How many each shard holds.
    held: Vec<usize>,
    /// Shards that were given none, and have asked for none since.
    waiting: BTreeSet<ShardNo>,
}

/// What a pool gives to a shard that asks.
#[must_use]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// How many permits it holds more than before.
    pub permits: usize,
    /// If it was given none: the shards that hold some and may have unused ones. They are to be asked.
    pub holders: Vec<ShardNo>,
}

impl PermitPool {
    /// A pool for limits with that many permits each, by their numbers, and that many shards.
    pub fn new(limits: impl IntoIterator<Item = usize>, shards: u16) -> Self {
        let limit = |permits: usize| PooledLimit {
            free: i64::try_from(permits).unwrap_or(i64::MAX),
            block: Self::block(permits, shards),
            held: vec![0; usize::from(shards)],
            waiting: BTreeSet::new(),
        };
        Self { limits: limits.into_iter().map(limit).collect(), shards }
    }

    /// How many permits of a limit are handed out at once. A single shard gets all of them.
    pub fn block(permits: usize, shards: u16) -> usize {
        match shards {
            0 | 1 => permits.max(1),
            shards => (permits / (usize::from(shards) * BLOCKS_PER_SHARD)).clamp(1, BLOCK_MAX),
        }
    }

    /// Gives a block of permits to a shard, or what is left of them.
    ///
    /// A shard that gets none is told by [`give`](Self::give) when there may be some.
    pub fn take(&mut self, shard: ShardNo, limit: LimitNo) -> Grant {
        let limit = &mut self.limits[limit.index()];
        let permits = usize::try_from(limit.free).unwrap_or(0).min(limit.block);
        limit.free -= permits as i64;
        limit.held[usize::from(shard.0)] += permits;
        if permits > 0 {
            limit.waiting.remove(&shard);
            return Grant { permits, holders: Vec::new() };
        }
        limit.waiting.insert(shard);
        let others = (0..self.shards).map(ShardNo).filter(|other| *other != shard);
        Grant { permits, holders: others.filter(|other| limit.held[usize::from(other.0)] > 0).collect() }
    }

    /// Notes permits that are in use in a shard already, even if there are not as many. Says how many there are beyond the
    /// limit now: as many are to be given back and not used again, see [`Lease::adopt`].
    pub fn claim(&mut self, shard: ShardNo, limit: LimitNo, permits: usize) -> usize {
        let limit = &mut self.limits[limit.index()];
        limit.free -= permits as i64;
        limit.held[usize::from(shard.0)] += permits;
        usize::try_from(-limit.free).unwrap_or(0).min(permits)
    }

    /// Takes permits back from a shard. Says which shards wait for some: they are to be told.
    pub fn give(&mut self, shard: ShardNo, limit: LimitNo, permits: usize) -> Vec<ShardNo> {
        let limit = &mut self.limits[limit.index()];
        let held = &mut limit.held[usize::from(shard.0)];
        debug_assert!(*held >= permits, "a shard gives back what it does not hold");
        let permits = permits.min(*held);
        *held -= permits;
        limit.free += permits as i64;
        if limit.free <= 0 {
            return Vec::new();
        }
        std::mem::take(&mut limit.waiting).into_iter().collect()
    }

    /// How many permits a shard holds: what its machine must begin with after a rebuild.
    pub fn held(&self, shard: ShardNo, limit: LimitNo) -> usize {
        self.limits[limit.index()].held[usize::from(shard.0)]
    }

    /// Takes back all permits of a shard that is gone for good. Says which shards wait for some.
    pub fn remove_shard(&mut self, shard: ShardNo) -> Vec<(LimitNo, Vec<ShardNo>)> {
        let limits = (0..self.limits.len()).map(|limit| LimitNo(limit as u16));
        let mut told = Vec::new();
        for limit in limits {
            self.limits[limit.index()].waiting.remove(&shard);
            told.push((limit, self.give(shard, limit, self.held(shard, limit))));
        }
        told
    }
}

/// The permits of one limit that one machine holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    held: usize,
    used: usize,
    /// How many of those that come back are to go to the pool: others wait for them, or there are too many.
    debt: usize,
    /// Whether the pool was asked and has not answered.
    asked: bool,
    /// Whether the pool had none when it was asked last.
    waiting: bool,
    /// How many unused ones are kept before some go back to the pool.
    unused_max: usize,
    /// Whether nothing is kept: what comes back goes to the pool.
    closed: bool,
}

impl Lease {
    /// A lease that holds no permits.
    pub fn new(unused_max: usize) -> Self {
        Self { unused_max, ..Self::default() }
    }

    /// How many permits are in use.
    pub fn used(&self) -> usize {
        self.used
    }

    /// Whether there is a permit that nobody uses.
    pub fn is_free(&self) -> bool {
        self.used < self.held
    }

    /// Uses a permit; false if there is none.
    pub fn take(&mut self) -> bool {
        let free = self.is_free();
        self.used += usize::from(free);
        free
    }

    /// Gives back a permit that is not needed any more. Says how many go back to the pool now.
    #[must_use = "what is not kept goes back to the pool"]
    pub fn give(&mut self) -> usize {
        debug_assert!(self.used > 0, "a permit is given back that was not taken");
        self.used = self.used.saturating_sub(1);
        let unused = self.held.saturating_sub(self.used);
        let returned = if self.closed {
            unused
        } else if self.debt > 0 {
            self.debt -= 1;
            1
        } else if unused > self.unused_max.saturating_mul(2) {
            unused - self.unused_max
        } else {
            0
        };
        self.held -= returned;
        returned
    }

    /// Whether the pool is to be asked for more: somebody here waits, and it is not known that there are none.
    #[must_use = "a lease that says so believes that the pool is asked"]
    pub fn ask(&mut self) -> bool {
        let ask = !self.asked && !self.waiting;
        self.asked |= ask;
        ask
    }

    /// Whether the pool was asked and has not answered.
    pub fn is_asked(&self) -> bool {
        self.asked
    }

    /// The pool has answered.
    pub fn granted(&mut self, permits: usize) {
        self.asked = false;
        self.waiting = permits == 0;
        self.held += permits;
    }

    /// The pool may have some now.
    pub fn available(&mut self) {
        self.waiting = false;
    }

    /// Another shard needs permits. Says how many unused ones go back to the pool now; others follow as they come back.
    #[must_use = "what is not kept goes back to the pool"]
    pub fn wanted(&mut self, permits: usize) -> usize {
        let unused = self.held.saturating_sub(self.used);
        let returned = unused.min(permits);
        self.held -= returned;
        self.debt = self.debt.max(permits - returned).min(self.used);
        returned
    }

    /// Takes over permits that this machine's predecessor held, or that were in use before the pool was made; `beyond`
    /// of them are not used again.
    pub fn adopt(&mut self, permits: usize, beyond: usize) {
        self.held += permits;
        self.debt += beyond;
    }

    /// Uses a permit, even if there is none: whoever needs it is at work already.
    pub fn take_anyway(&mut self) {
        self.used += 1;
    }

    /// Gives back all unused permits, and from now on each that comes back. Says how many go back now.
    #[must_use = "what is not kept goes back to the pool"]
    pub fn close(&mut self) -> usize {
        self.closed = true;
        let unused = self.held.saturating_sub(self.used);
        self.held -= unused;
        unused
    }
}
