//! Chance that can be repeated: everything random in a run comes from its seed.

use std::time::Duration;

use finale_core::Time;

/// `SplitMix64` (Steele, Lea, Flood 2014): small, fast, and good enough to choose with.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice that begin there.
    pub fn new(seed: u64) -> Self {
        // Neighbouring seeds must not begin alike.
        let mut dice = Self(seed.wrapping_mul(0xa076_1d64_78bd_642f) ^ 0xe703_7ed1_a0b4_28db);
        dice.next();
        dice
    }

    /// Any number.
    #[expect(clippy::should_implement_trait, reason = "it never ends, so that it is no iterator")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 if there is none.
    pub fn below(&mut self, bound: usize) -> usize {
        match bound {
            0 | 1 => 0,
            _ => (self.next() % bound as u64) as usize,
        }
    }

    /// One of both and everything between.
    pub fn between(&mut self, least: u32, most: u32) -> u32 {
        least + self.below((most - least) as usize + 1) as u32
    }

    /// Whether something happens that happens so often in ten thousand times.
    pub fn happens(&mut self, of_ten_thousand: u32) -> bool {
        of_ten_thousand > 0 && self.next() % 10_000 < u64::from(of_ten_thousand)
    }

    /// True once in that many times.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// Any byte.
    pub fn byte(&mut self) -> u8 {
        self.next() as u8
    }

    /// One of them; none if there is none.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        from.get(self.below(from.len())).copied()
    }

    /// One of several.
    ///
    /// # Panics
    /// When there is none.
    pub fn choose<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// A moment within that many microseconds.
    pub fn soon(&mut self, now: Time, micros_max: u32) -> Time {
        now.after(Duration::from_micros(self.below(micros_max as usize + 1) as u64))
    }
}
