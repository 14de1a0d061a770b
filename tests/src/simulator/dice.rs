//! Chance that can be repeated: everything random in a run comes from its seed.

use finale_core::Time;
use std::time::Duration;

/// Splitmix, 64 bits: small, fast, and good enough to choose with.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        // Neighbouring seeds must not begin alike.
        let mut dice = Self(seed.wrapping_mul(0xa076_1d64_78bd_642f) ^ 0xe703_7ed1_a0b4_28db);
        dice.next();
        dice
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 if there is none.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        match bound {
            0 | 1 => 0,
            _ => (self.next() % bound as u64) as usize,
        }
    }

    /// One of both and everything between.
    pub(super) fn between(&mut self, least: u32, most: u32) -> u32 {
        least + self.below((most - least) as usize + 1) as u32
    }

    /// Whether something happens that happens so often in ten thousand times.
    pub(super) fn happens(&mut self, of_ten_thousand: u32) -> bool {
        of_ten_thousand > 0 && self.next() % 10_000 < u64::from(of_ten_thousand)
    }

    pub(super) fn byte(&mut self) -> u8 {
        self.next() as u8
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        from.get(self.below(from.len())).copied()
    }

    /// A moment within that many microseconds.
    pub(super) fn soon(&mut self, now: Time, micros_max: u32) -> Time {
        now.after(Duration::from_micros(self.below(micros_max as usize + 1) as u64))
    }
}
