//! The ids of executions: UUIDs version 7 that sort by time and name their shard.

use std::hash::{Hash, Hasher};

use rustc_hash::FxHasher;
use uuid::{Builder, Uuid};

use crate::id::ExecutionId;
use crate::number::ShardNo;
use crate::time::Time;

/// Gives the ids of one shard, each greater than the one before.
///
/// The same seed and the same times give the same ids.
#[derive(Clone, Debug)]
pub struct IdGenerator {
    shard: u16,
    shards: u16,
    random: u64,
    millis: u64,
    counter: u32,
}

/// The counter of ids in one millisecond has this many bits.
const COUNTER_BITS: u32 = 24;

impl IdGenerator {
    /// A generator of ids for one of `shards` shards; 0 counts as 1.
    pub fn new(shard: ShardNo, shards: u16, seed: u64) -> Self {
        Self { shard: shard.0, shards: shards.max(1), random: seed, millis: 0, counter: 0 }
    }

    /// Makes the generator give ids of another shard.
    pub fn lead_to(&mut self, shard: ShardNo) -> &mut Self {
        self.shard = shard.0;
        self
    }

    /// The next id. The layout is that of RFC 9562, method 1: milliseconds, a counter, then random bits.
    pub fn next(&mut self, now: Time) -> ExecutionId {
        let millis = u64::try_from(now.as_micros() / 1_000).unwrap_or(0);
        if millis > self.millis {
            (self.millis, self.counter) = (millis, 0);
        } else if self.counter + 1 < 1 << COUNTER_BITS {
            self.counter += 1;
        } else {
            // The counter is used up: the ids run ahead of the clock rather than repeat.
            (self.millis, self.counter) = (self.millis + 1, 0);
        }
        let random = self.random();
        let mut bytes = [0; 10];
        // 12 bits before the variant bits and 12 after them hold the counter.
        bytes[0..2].copy_from_slice(&((self.counter >> 12) as u16).to_be_bytes());
        bytes[2..4].copy_from_slice(&((self.counter & 0xfff) as u16).to_be_bytes());
        bytes[4..8].copy_from_slice(&((random >> 16) as u32).to_be_bytes());
        bytes[8..10].copy_from_slice(&self.tail(random as u16).to_be_bytes());
        ExecutionId::from_uuid(Builder::from_unix_timestamp_millis(self.millis, &bytes).into_uuid())
    }

    /// The nearest number at or below the random one that leads to this shard.
    fn tail(&self, random: u16) -> u16 {
        let shards = u32::from(self.shards);
        let tail = u32::from(random) / shards * shards + u32::from(self.shard);
        if tail > u32::from(u16::MAX) { (tail - shards) as u16 } else { tail as u16 }
    }

    /// `SplitMix64` (Steele, Lea, Flood 2014): ids must differ, not be secret.
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// The shard that an execution lives on: a function of its id, so that any thread finds it.
pub fn shard_of(execution: ExecutionId, shards: u16) -> ShardNo {
    ShardNo((Uuid::as_u128(execution.as_uuid()) as u16) % shards.max(1))
}

/// The shard that an idempotency key is claimed on.
pub fn home_of(idempotency_key: &str, shards: u16) -> ShardNo {
    let mut hasher = FxHasher::default();
    idempotency_key.hash(&mut hasher);
    ShardNo((hasher.finish() % u64::from(shards.max(1))) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_and_lead_to_their_shard() {
        let mut ids = IdGenerator::new(ShardNo(2), 3, 7);
        let mut last = None;
        for step in 0..10_000 {
            let id = ids.next(Time::from_micros(step));
            assert!(Some(id) > last, "{id} after {last:?}");
            assert_eq!(shard_of(id, 3), ShardNo(2));
            assert_eq!(id.as_uuid().get_version_num(), 7);
            last = Some(id);
        }
    }

    #[test]
    fn ids_grow_even_when_the_clock_is_set_back_or_the_counter_is_used_up() {
        let mut ids = IdGenerator::new(ShardNo(0), 1, 7);
        let later = ids.next(Time::from_micros(9_000_000));
        let next = ids.next(Time::from_micros(1));
        assert!(next > later);
        ids.counter = (1 << COUNTER_BITS) - 1;
        assert!(ids.next(Time::from_micros(1)) > next);
        assert_eq!((ids.millis, ids.counter), (9_001, 0));
    }

    #[test]
    fn every_number_of_shards_gets_ids_of_all_of_them() {
        for shards in [1, 2, 3, 7, 1_000, u16::MAX] {
            for shard in [0, shards / 2, shards - 1] {
                let mut ids = IdGenerator::new(ShardNo(shard), shards, u64::from(shard));
                for _ in 0..200 {
                    assert_eq!(shard_of(ids.next(Time::from_micros(5)), shards), ShardNo(shard));
                }
            }
        }
    }

    #[test]
    fn the_seed_decides_the_ids() {
        let ids = |seed| {
            let mut ids = IdGenerator::new(ShardNo(0), 2, seed);
            [ids.next(Time::from_micros(1)), ids.next(Time::from_micros(1))]
        };
        assert_eq!(ids(1), ids(1));
        assert_ne!(ids(1), ids(2));
    }

    #[test]
    fn keys_have_homes_on_all_shards() {
        let mut homes: Vec<_> = (0..100).map(|key| home_of(&format!("key {key}"), 4)).collect();
        assert_eq!(homes[7], home_of("key 7", 4));
        homes.sort_unstable();
        homes.dedup();
        assert_eq!(homes.len(), 4);
    }
}
