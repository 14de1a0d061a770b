//! Mints execution ids: UUIDs version 7 that sort by time and name their shard.

use finale_core::{ExecutionId, Time};
use uuid::{Builder, Uuid};

/// Mints the ids of one shard, each greater than the one before.
///
/// Asking the operating system for randomness costs more than everything else here, so it is asked once.
#[derive(Debug)]
pub(crate) struct Mint {
    shard: u16,
    shards: u16,
    random: u64,
    millis: u64,
    counter: u32,
}

impl Mint {
    pub(crate) fn new(shard: u16, shards: u16) -> Self {
        let random = Uuid::new_v4().as_u64_pair().1 | 1;
        Self { shard, shards, random, millis: 0, counter: 0 }
    }

    /// Goes on with the ids of another shard.
    pub(crate) fn lead_to(&mut self, shard: u16) -> &mut Self {
        self.shard = shard;
        self
    }

    /// The layout is that of RFC 9562, method 1: milliseconds, a counter, then random bits.
    pub(crate) fn mint(&mut self, now: Time) -> ExecutionId {
        let millis = u64::try_from(now.as_micros() / 1_000).unwrap_or(0);
        if millis > self.millis {
            self.millis = millis;
            self.counter = 0;
        } else {
            self.counter += 1;
            if self.counter >= 1 << 24 {
                // The counter is used up: the ids run ahead of the clock rather than repeat.
                self.millis += 1;
                self.counter = 0;
            }
        }
        let random = self.random();
        let mut bytes = [0; 10];
        // 12 bits before the version's variant bits and 12 after them hold the counter.
        bytes[0..2].copy_from_slice(&((self.counter >> 12) as u16).to_be_bytes());
        bytes[2..4].copy_from_slice(&((self.counter & 0xfff) as u16).to_be_bytes());
        bytes[4..8].copy_from_slice(&((random >> 16) as u32).to_be_bytes());
        bytes[8..10].copy_from_slice(&self.tail(random as u16).to_be_bytes());
        ExecutionId::from_uuid(Builder::from_unix_timestamp_millis(self.millis, &bytes).into_uuid())
    }

    /// The nearest number at or below the random one that leads to this shard.
    fn tail(&self, random: u16) -> u16 {
        let shards = u32::from(self.shards);
        let base = u32::from(random) / shards * shards + u32::from(self.shard);
        let tail = if base > u32::from(u16::MAX) { base - shards } else { base };
        tail as u16
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

/// The shard an execution lives on: a function of its id, so that any thread finds it.
pub(crate) fn shard_of(execution: ExecutionId, shards: u16) -> u16 {
    (execution.as_u128() as u16) % shards
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_and_lead_to_their_shard() {
        let mut mint = Mint::new(2, 3);
        let mut last = None;
        for step in 0..10_000 {
            let id = mint.mint(Time::from_micros(step));
            assert!(Some(id) > last, "{id} after {last:?}");
            assert_eq!(shard_of(id, 3), 2);
            assert_eq!(id.as_uuid().get_version_num(), 7);
            last = Some(id);
        }
    }

    #[test]
    fn ids_grow_even_when_the_clock_is_set_back() {
        let mut mint = Mint::new(0, 1);
        let later = mint.mint(Time::from_micros(9_000_000));
        assert!(mint.mint(Time::from_micros(1)) > later);
    }
}
