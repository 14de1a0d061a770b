//! Limits of the whole runtime, leased to its shards in blocks, because shards would contend for a single counter.
//!
//! The [`PermitPool`] knows how many permits each shard holds; the shell keeps it behind a mutex. A [`Lease`] is the part of
//! one state machine: it counts locally how many of its permits are in use, and says when it needs more or can spare some.
//! A permit is in the pool, in a lease, or in a message between them; it is never copied.

#[cfg(test)]
mod tests;

use crate::number::{LimitNo, ShardNo};

/// Permits in a block, at most.
const BLOCK_MAX: usize = 64;

/// Blocks of a limit for each shard, so that a shard does not hold most permits of a small limit unused.
const BLOCKS_PER_SHARD: usize = 8;

/// The permits of all limits, those that no shard holds and those that are leased.
#[derive(Clone, Debug)]
pub struct PermitPool {
    limits: Vec<PooledLimit>,
    shards: u16,
}

#[derive(Clone, Debug)]
struct PooledLimit {
    /// Permits that no shard holds; negative if more are in use than there are.
    free: i64,
    /// Size of a block.
    block: usize,
    /// Number of permits that each shard holds.
    held: Vec<usize>,
    /// Shards that asked in vain and have got none since, longest first.
    waiting: Vec<ShardNo>,
}

/// The answer of a pool to a shard that asks.
#[must_use]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// Number of permits granted.
    pub permits: usize,
    /// Shards to be told that others want permits, see [`Lease::wanted`]: those that hold some if none were granted, and
    /// the asking shard itself if some were granted while others still wait.
    pub holders: Vec<ShardNo>,
}

impl PermitPool {
    /// A pool for these limits, by limit number, and that many shards.
    pub fn new(limits: impl IntoIterator<Item = usize>, shards: u16) -> Self {
        let limit = |permits: usize| PooledLimit {
            free: i64::try_from(permits).unwrap_or(i64::MAX),
            block: Self::block(permits, shards),
            held: vec![0; usize::from(shards)],
            waiting: Vec::new(),
        };
        Self { limits: limits.into_iter().map(limit).collect(), shards }
    }

    /// The size of the blocks in which permits are granted. A single shard gets all of them.
    pub fn block(permits: usize, shards: u16) -> usize {
        match shards {
            0 | 1 => permits.max(1),
            shards => (permits / (usize::from(shards) * BLOCKS_PER_SHARD)).clamp(1, BLOCK_MAX),
        }
    }

    /// The size of the blocks in which permits of this limit are granted.
    pub fn block_of(&self, limit: LimitNo) -> usize {
        self.limits[limit.index()].block
    }

    /// Grants a block of permits to a shard, or as many as are left.
    ///
    /// A shard that gets none waits: [`give`](Self::give) says when it must ask again, and a permit is reserved for it until
    /// it does. So a busy shard that returns a permit does not get it back before shards that wait.
    pub fn take(&mut self, shard: ShardNo, limit: LimitNo) -> Grant {
        let shards = self.shards;
        let limit = &mut self.limits[limit.index()];
        let ahead = limit.waiting.iter().position(|other| *other == shard).unwrap_or(limit.waiting.len());
        let grant = limit.grant(shard, ahead, shards);
        match (grant.permits > 0, ahead < limit.waiting.len()) {
            (true, true) => drop(limit.waiting.remove(ahead)),
            (false, false) => limit.waiting.push(shard),
            _ => {}
        }
        grant
    }

    /// Like [`take`](Self::take), for a shard that does not wait: only unreserved permits are granted, and the shard is not
    /// told when there are more.
    pub fn try_take(&mut self, shard: ShardNo, limit: LimitNo) -> Grant {
        let shards = self.shards;
        let limit = &mut self.limits[limit.index()];
        limit.grant(shard, limit.waiting.len(), shards)
    }

    /// Records permits that are in use in a shard already, even beyond the limit. Returns how many are beyond it: the lease
    /// must return that many instead of using them again, see [`Lease::adopt`].
    pub fn claim(&mut self, shard: ShardNo, limit: LimitNo, permits: usize) -> usize {
        let limit = &mut self.limits[limit.index()];
        limit.free -= permits as i64;
        limit.held[usize::from(shard.0)] += permits;
        usize::try_from(-limit.free).unwrap_or(0).min(permits)
    }

    /// Takes permits back from a shard. Returns the waiting shards that can have some: they must be told, and must ask.
    pub fn give(&mut self, shard: ShardNo, limit: LimitNo, permits: usize) -> Vec<ShardNo> {
        let limit = &mut self.limits[limit.index()];
        let held = &mut limit.held[usize::from(shard.0)];
        debug_assert!(*held >= permits, "a shard gives back what it does not hold");
        let permits = permits.min(*held);
        *held -= permits;
        limit.free += permits as i64;
        let can_have_some = usize::try_from(limit.free).unwrap_or(0).min(limit.waiting.len());
        limit.waiting[..can_have_some].to_vec()
    }

    /// Number of permits that a shard holds; a rebuilt state machine begins with them.
    pub fn held(&self, shard: ShardNo, limit: LimitNo) -> usize {
        self.limits[limit.index()].held[usize::from(shard.0)]
    }

    /// Number of other shards that wait for permits. A state machine that is rebuilt has lost that it was told of them, so its
    /// owner tells it again: no shard that waits asks twice.
    pub fn wanted_by_others(&self, shard: ShardNo, limit: LimitNo) -> usize {
        self.limits[limit.index()].waiting.iter().filter(|other| **other != shard).count()
    }

    /// Takes back all permits of a shard that is gone for good. Returns the shards to be told, as [`give`](Self::give) does.
    pub fn remove_shard(&mut self, shard: ShardNo) -> Vec<(LimitNo, Vec<ShardNo>)> {
        let limits = (0..self.limits.len()).map(|limit| LimitNo(limit as u16));
        let mut told = Vec::new();
        for limit in limits {
            self.limits[limit.index()].waiting.retain(|other| *other != shard);
            told.push((limit, self.give(shard, limit, self.held(shard, limit))));
        }
        told
    }
}

impl PooledLimit {
    /// Grants permits to a shard after `ahead` others, and leaves one for each shard that waits.
    fn grant(&mut self, shard: ShardNo, ahead: usize, shards: u16) -> Grant {
        let free = usize::try_from(self.free).unwrap_or(0);
        if free <= ahead {
            let others = (0..shards).map(ShardNo).filter(|other| *other != shard);
            let holders = others.filter(|other| self.held[usize::from(other.0)] > 0).collect();
            return Grant { permits: 0, holders };
        }
        let others = self.waiting.iter().filter(|other| **other != shard).count();
        let permits = free.saturating_sub(others).clamp(1, self.block);
        self.free -= permits as i64;
        self.held[usize::from(shard.0)] += permits;
        // Shards that began to wait while this permit was in a message could not ask its new holder.
        let unserved = others > free - permits;
        Grant { permits, holders: if unserved { vec![shard] } else { Vec::new() } }
    }
}

/// The permits of one limit that one state machine holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    held: usize,
    used: usize,
    /// Number of released permits that must be returned to the pool, because others want them or they are beyond the limit.
    debt: usize,
    /// Whether the pool was asked and has not answered.
    asked: bool,
    /// Whether the pool had none when it was asked last.
    waiting: bool,
    /// Whether the pool may have had none for the predecessor of this state machine.
    may_wait: bool,
    /// Unused permits to keep; the surplus is returned when there are twice as many.
    unused_max: usize,
    /// Whether every released permit is returned to the pool.
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

    /// Whether a permit is unused.
    pub fn is_free(&self) -> bool {
        self.used < self.held
    }

    /// Uses a permit; false if there is none.
    pub fn take(&mut self) -> bool {
        let free = self.is_free();
        self.used += usize::from(free);
        free
    }

    /// Releases a permit. Returns how many must go back to the pool now.
    #[must_use = "what is not kept goes back to the pool"]
    pub fn give(&mut self) -> usize {
        debug_assert!(self.used > 0, "a permit is given back that was not taken");
        self.used = self.used.saturating_sub(1);
        let unused = self.held.saturating_sub(self.used);
        let returned = if self.closed {
            unused
        } else if self.debt > 0 && unused > 0 {
            // Without the second condition a permit that was never held would be returned: more may be used than are held.
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

    /// Called when a permit is missing. Returns whether to ask the pool, which is not so while it is known to have none.
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
        (self.asked, self.may_wait) = (false, false);
        self.waiting = permits == 0;
        self.held += permits;
    }

    /// The pool has reserved a permit for this shard. Returns whether to ask for it, which must happen even if nothing waits
    /// here any more: not if one was granted since, because whoever asks in vain waits again, for what nobody needs.
    #[must_use = "a lease that says so believes that the pool is asked"]
    pub fn available(&mut self) -> bool {
        let is_reserved = self.waiting || self.may_wait;
        self.waiting = false;
        is_reserved && self.ask()
    }

    /// Another shard needs permits. Returns how many unused ones must go back now; further ones follow when released. So many
    /// unused ones are kept as `keep` says: those follow too, once they were used, or [`pay`](Self::pay) finds them.
    #[must_use = "what is not kept goes back to the pool"]
    pub fn wanted(&mut self, permits: usize, keep: usize) -> usize {
        let unused = self.held.saturating_sub(self.used);
        let returned = unused.saturating_sub(keep).min(permits);
        self.held -= returned;
        self.debt = self.debt.max(permits - returned).min(self.used + unused - returned);
        returned
    }

    /// Returns how many unused permits must go back that were kept while others wanted them; `keep` are kept still.
    #[must_use = "what is not kept goes back to the pool"]
    pub fn pay(&mut self, keep: usize) -> usize {
        let unused = self.held.saturating_sub(self.used);
        let returned = unused.saturating_sub(keep).min(self.debt);
        self.held -= returned;
        self.debt -= returned;
        returned
    }

    /// Whether permits are on their way, or will be as soon as the pool has some.
    pub fn is_awaited(&self) -> bool {
        self.asked || self.waiting
    }

    /// Takes over permits that the predecessor of this state machine held, or that were [claimed](PermitPool::claim);
    /// `beyond` of them are not used again.
    pub fn adopt(&mut self, permits: usize, beyond: usize) {
        self.held += permits;
        self.debt += beyond;
        self.may_wait = true;
    }

    /// Uses a permit even if there is none, because its user is running already.
    pub fn take_anyway(&mut self) {
        self.used += 1;
    }

    /// Returns how many unused permits must go back now. From now on every released permit goes back.
    #[must_use = "what is not kept goes back to the pool"]
    pub fn close(&mut self) -> usize {
        self.closed = true;
        let unused = self.held.saturating_sub(self.used);
        self.held -= unused;
        unused
    }
}
