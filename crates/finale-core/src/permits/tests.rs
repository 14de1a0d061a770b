//! A limit is kept whatever shards do, and nobody waits for a permit that nobody uses.

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
                let permits = self.leases[shard].wanted(1, 0);
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
fn a_block_does_not_contain_what_is_kept_for_others() {
    let mut pool = PermitPool::new([48], 3);
    let taken: usize = std::iter::repeat_with(|| pool.take(ShardNo(0), LIMIT).permits).take_while(|it| *it > 0).sum();
    assert_eq!((taken, pool.block_of(LIMIT)), (48, 2));
    assert_eq!(pool.take(ShardNo(1), LIMIT).permits, 0);
    assert_eq!(pool.take(ShardNo(2), LIMIT).permits, 0);
    // The shard that has just found nothing waits as well.
    assert_eq!(pool.give(ShardNo(0), LIMIT, 3), [ShardNo(0), ShardNo(1), ShardNo(2)]);
    assert_eq!(pool.take(ShardNo(2), LIMIT).permits, 1);
    assert_eq!(pool.take(ShardNo(1), LIMIT).permits, 1);
    assert_eq!(pool.take(ShardNo(0), LIMIT).permits, 1);
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

#[test]
fn a_rebuilt_state_machine_can_be_told_again_who_waits() {
    let (one, other) = (ShardNo(0), ShardNo(1));
    let mut pool = PermitPool::new([1], 2);
    assert_eq!(pool.take(one, LimitNo::RUNTIME).permits, 1);
    assert_eq!(pool.wanted_by_others(one, LimitNo::RUNTIME), 0);
    assert_eq!(pool.take(other, LimitNo::RUNTIME).permits, 0);
    assert_eq!(pool.wanted_by_others(one, LimitNo::RUNTIME), 1);
    assert_eq!(pool.wanted_by_others(other, LimitNo::RUNTIME), 0);
    // The lease was told of the wish, and its state was lost.
    let mut lease = Lease::new(2);
    lease.adopt(pool.held(one, LimitNo::RUNTIME), 0);
    assert_eq!(lease.wanted(pool.wanted_by_others(one, LimitNo::RUNTIME), 0), 1);
    assert_eq!(pool.give(one, LimitNo::RUNTIME, 1), [other]);
}

#[test]
fn no_permit_is_returned_that_was_not_held() {
    let mut lease = Lease::new(10);
    lease.adopt(1, 0);
    lease.take_anyway();
    lease.take_anyway();
    assert_eq!(lease.wanted(1, 0), 0);
    assert_eq!(lease.give(), 0, "the one that is held is still used");
    assert_eq!(lease.give(), 1, "and goes to who wants it");
    assert!(!lease.is_free());
}
