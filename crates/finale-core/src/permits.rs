//! Limits of the whole runtime, leased to its shards in blocks: one counter for all would be what they wait for.
//!
//! The [`PermitPool`] knows which shard holds how many permits; the shell keeps it behind a mutex. A [`Lease`] is what one
//! machine knows of one limit: it counts locally which of its permits are in use, and says when it needs more or can spare
//! some. A permit is in the pool, in a lease, or on the way between them as a message; it is never copied.

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
    /// Shards that were given none and have got none since, longest first.
    waiting: Vec<ShardNo>,
}

/// What a pool gives to a shard that asks.
#[must_use]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// How many permits it holds more than before.
    pub permits: usize,
    /// The shards that are to be told that others want permits, see [`Lease::wanted`]. If it was given none, those that
    /// hold some; if it was given some and others still wait, itself.
    pub holders: Vec<ShardNo>,
}

impl PermitPool {
    /// A pool for limits with that many permits each, by their numbers, and that many shards.
    pub fn new(limits: impl IntoIterator<Item = usize>, shards: u16) -> Self {
        let limit = |permits: usize| PooledLimit {
            free: i64::try_from(permits).unwrap_or(i64::MAX),
            block: Self::block(permits, shards),
            held: vec![0; usize::from(shards)],
            waiting: Vec::new(),
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
    /// A shard that gets none waits: [`give`](Self::give) says when it is to ask again, and until it has, one permit is
    /// kept for it. So a busy shard that gives a permit back does not have it again before those who wait.
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

    /// Like [`take`](Self::take), for a shard that does not wait: it gets what is kept for nobody else, and if that is
    /// nothing it is not told when there is more.
    pub fn try_take(&mut self, shard: ShardNo, limit: LimitNo) -> Grant {
        let shards = self.shards;
        let limit = &mut self.limits[limit.index()];
        limit.grant(shard, limit.waiting.len(), shards)
    }

    /// Notes permits that are in use in a shard already, even if there are not as many. Says how many there are beyond the
    /// limit now: as many are to be given back and not used again, see [`Lease::adopt`].
    pub fn claim(&mut self, shard: ShardNo, limit: LimitNo, permits: usize) -> usize {
        let limit = &mut self.limits[limit.index()];
        limit.free -= permits as i64;
        limit.held[usize::from(shard.0)] += permits;
        usize::try_from(-limit.free).unwrap_or(0).min(permits)
    }

    /// Takes permits back from a shard. Says which shards wait and can have some: they are to be told, and must ask.
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

    /// How many permits a shard holds: what its machine must begin with after a rebuild.
    pub fn held(&self, shard: ShardNo, limit: LimitNo) -> usize {
        self.limits[limit.index()].held[usize::from(shard.0)]
    }

    /// Takes back all permits of a shard that is gone for good. Says which shards wait for some.
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
    /// Gives permits to a shard before which so many others are served, but leaves one for each that waits.
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
        // Those who began to wait while this permit was on its way have asked only the others.
        let unserved = others > free - permits;
        Grant { permits, holders: if unserved { vec![shard] } else { Vec::new() } }
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

    /// The pool has some now, and keeps one for this shard: it is to be asked, also if nobody here waits any more. Says
    /// whether that is so.
    #[must_use = "a lease that says so believes that the pool is asked"]
    pub fn available(&mut self) -> bool {
        self.waiting = false;
        self.ask()
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

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    const LIMIT: LimitNo = LimitNo::RUNTIME;

    /// What is on its way between the pool and the shards.
    #[derive(Clone, Copy, Debug)]
    enum Message {
        Wanted,
        Available,
    }

    /// Shards that lease permits of one limit from one pool; what they tell each other takes its time.
    struct Runtime {
        pool: PermitPool,
        leases: Vec<Lease>,
        mail: Vec<VecDeque<Message>>,
        /// How many wait for a permit in each shard.
        waiting: Vec<usize>,
    }

    impl Runtime {
        fn new(permits: usize, shards: u16) -> Self {
            let shard = || Lease::new(PermitPool::block(permits, shards));
            Self {
                pool: PermitPool::new([permits], shards),
                leases: std::iter::repeat_with(shard).take(usize::from(shards)).collect(),
                mail: vec![VecDeque::new(); usize::from(shards)],
                waiting: vec![0; usize::from(shards)],
            }
        }

        /// Somebody in a shard needs a permit, and waits if there is none.
        fn need(&mut self, shard: usize) {
            self.waiting[shard] += 1;
            self.serve(shard);
        }

        fn serve(&mut self, shard: usize) {
            while self.waiting[shard] > 0 {
                if self.leases[shard].take() {
                    self.waiting[shard] -= 1;
                } else if self.leases[shard].ask() {
                    self.ask(shard);
                } else {
                    return;
                }
            }
        }

        fn ask(&mut self, shard: usize) {
            let Grant { permits, holders } = self.pool.take(ShardNo(shard as u16), LIMIT);
            self.leases[shard].granted(permits);
            holders.into_iter().for_each(|holder| self.mail[usize::from(holder.0)].push_back(Message::Wanted));
        }

        fn give(&mut self, shard: usize) {
            if self.leases[shard].used() > 0 {
                let permits = self.leases[shard].give();
                self.give_back(shard, permits);
                self.serve(shard);
            }
        }

        fn give_back(&mut self, shard: usize, permits: usize) {
            if permits > 0 {
                let told = self.pool.give(ShardNo(shard as u16), LIMIT, permits);
                told.into_iter().for_each(|other| self.mail[usize::from(other.0)].push_back(Message::Available));
            }
        }

        fn read(&mut self, shard: usize) -> bool {
            let Some(message) = self.mail[shard].pop_front() else { return false };
            match message {
                Message::Wanted => {
                    let permits = self.leases[shard].wanted(1);
                    self.give_back(shard, permits);
                }
                Message::Available if self.leases[shard].available() => self.ask(shard),
                Message::Available => {}
            }
            self.serve(shard);
            true
        }

        fn read_all(&mut self) {
            let mut messages = 0;
            while (0..self.mail.len()).any(|shard| self.read(shard)) {
                messages += 1;
                assert!(messages < 10_000, "the shards do not stop to ask each other: {:?}", self.leases);
            }
        }

        fn used(&self) -> usize {
            self.leases.iter().map(Lease::used).sum()
        }

        fn waits(&self) -> usize {
            self.waiting.iter().sum()
        }
    }

    #[test]
    fn a_limit_of_one_is_never_exceeded_and_goes_around() {
        let mut runtime = Runtime::new(1, 2);
        runtime.need(0);
        runtime.need(1);
        runtime.read_all();
        assert_eq!((runtime.leases[0].used(), runtime.leases[1].used()), (1, 0));
        // The shard that has it needs it again at once, and the other one is not left out.
        for turn in 0..10 {
            let (has, waits) = (turn % 2, (turn + 1) % 2);
            runtime.need(has);
            runtime.give(has);
            runtime.read_all();
            assert_eq!((runtime.leases[has].used(), runtime.leases[waits].used()), (0, 1), "turn {turn}");
        }
    }

    #[test]
    fn a_permit_that_lies_around_in_another_shard_is_not_missing_here() {
        let mut runtime = Runtime::new(1_000, 3);
        (0..1_000).for_each(|_| runtime.need(0));
        (0..1_000).for_each(|_| runtime.give(0));
        assert_eq!(runtime.used(), 0);
        (0..1_001).for_each(|_| runtime.need(2));
        runtime.read_all();
        assert_eq!((runtime.leases[2].used(), runtime.waits()), (1_000, 1));
    }

    #[test]
    fn a_shard_that_does_not_wait_leaves_those_alone_that_do() {
        let mut pool = PermitPool::new([1], 3);
        assert_eq!(pool.take(ShardNo(0), LIMIT).permits, 1);
        assert_eq!(pool.try_take(ShardNo(1), LIMIT), Grant { permits: 0, holders: vec![ShardNo(0)] });
        assert_eq!(pool.take(ShardNo(2), LIMIT).permits, 0);
        assert_eq!(pool.give(ShardNo(0), LIMIT, 1), [ShardNo(2)], "only those who wait are told");
        assert_eq!(pool.try_take(ShardNo(1), LIMIT).permits, 0);
        assert_eq!(pool.take(ShardNo(2), LIMIT).permits, 1);
    }

    #[test]
    fn a_single_shard_gets_all_permits_at_once() {
        let mut pool = PermitPool::new([10_000], 1);
        assert_eq!(pool.take(ShardNo(0), LIMIT).permits, 10_000);
    }

    #[test]
    fn permits_are_handed_out_in_blocks_and_small_limits_one_by_one() {
        assert_eq!(PermitPool::block(10_000, 2), 64);
        assert_eq!(PermitPool::block(320, 2), 20);
        assert_eq!(PermitPool::block(3, 2), 1);
        assert_eq!(PermitPool::block(0, 1), 1);
    }

    #[test]
    fn what_is_in_use_beyond_the_limit_does_not_come_back() {
        let mut pool = PermitPool::new([2], 1);
        let mut lease = Lease::new(1_000);
        let beyond = pool.claim(ShardNo(0), LIMIT, 5);
        lease.adopt(5, beyond);
        (0..5).for_each(|_| assert!(lease.take()));
        for given in 1..=5 {
            let returned = lease.give();
            assert_eq!(returned, usize::from(given <= 3), "after {given}");
            if returned > 0 {
                assert_eq!(pool.give(ShardNo(0), LIMIT, returned), []);
            }
        }
        assert!(lease.take() && lease.take() && !lease.take());
        assert_eq!(pool.take(ShardNo(0), LIMIT).permits, 0);
    }

    #[test]
    fn what_a_shard_held_that_is_gone_is_there_again() {
        let mut pool = PermitPool::new([1, 1], 2);
        assert_eq!(pool.take(ShardNo(0), LIMIT).permits, 1);
        assert_eq!(pool.take(ShardNo(1), LIMIT), Grant { permits: 0, holders: vec![ShardNo(0)] });
        assert_eq!(pool.remove_shard(ShardNo(0)), [(LIMIT, vec![ShardNo(1)]), (LimitNo(1), vec![])]);
        assert_eq!(pool.take(ShardNo(1), LIMIT).permits, 1);
    }

    #[test]
    fn a_closed_lease_keeps_nothing() {
        let mut lease = Lease::new(10);
        lease.granted(5);
        assert!(lease.take() && lease.take());
        assert_eq!(lease.close(), 3);
        assert_eq!((lease.give(), lease.give()), (1, 1));
        assert!(!lease.take());
    }

    #[test]
    fn many_unused_permits_go_back() {
        let mut lease = Lease::new(2);
        lease.granted(10);
        (0..10).for_each(|_| assert!(lease.take()));
        let returned: Vec<_> = (0..10).map(|_| lease.give()).collect();
        assert_eq!(returned, [0, 0, 0, 0, 3, 0, 0, 3, 0, 0]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_limit_is_kept_and_used_whatever_the_shards_do(
            permits in 1_usize..40,
            shards in 1_u16..4,
            steps in proptest::collection::vec((0..3_u8, 0..4_usize), 1..300),
        ) {
            let mut runtime = Runtime::new(permits, shards);
            for (step, shard) in steps {
                let shard = shard % usize::from(shards);
                match step {
                    0 => runtime.need(shard),
                    1 => runtime.give(shard),
                    _ => drop(runtime.read(shard)),
                }
                prop_assert!(runtime.used() <= permits);
                for (shard, lease) in (0..).zip(&runtime.leases) {
                    prop_assert_eq!(runtime.pool.held(ShardNo(shard), LIMIT), lease.held, "no permit is copied or lost");
                }
            }
            // Nobody waits for a permit that somebody has and does not use.
            runtime.read_all();
            prop_assert!(runtime.waits() == 0 || runtime.used() == permits);
            while runtime.used() > 0 {
                (0..usize::from(shards)).for_each(|shard| runtime.give(shard));
                runtime.read_all();
            }
            prop_assert_eq!(runtime.waits(), 0);
        }
    }
}
