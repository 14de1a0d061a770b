//! How much is measured of durability.

use std::time::Duration;

/// The sizes of one pass.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Whether only results are checked: its times are too short to mean anything.
    pub quick: bool,
    /// How long one measurement lasts, without its warm-up.
    pub window: Duration,
    /// How often everything is measured.
    pub repetitions: usize,
    /// How many executions are in flight, and how many rows are in one bare commit, in ascending order.
    pub at_once: [usize; 3],
    /// How many executions are recovered.
    pub recovered: usize,
}

impl Scale {
    /// What the goals are about.
    pub const FULL: Self = Self {
        quick: false,
        window: Duration::from_secs(2),
        repetitions: 3,
        at_once: [1, 100, 1_000],
        recovered: 100_000,
    };

    /// Enough to see that every result is right.
    pub const QUICK: Self = Self {
        quick: true,
        window: Duration::from_millis(20),
        repetitions: 1,
        at_once: [1, 10, 100],
        recovered: 1_000,
    };

    /// The most that is in flight.
    pub const fn crowd(&self) -> usize {
        self.at_once[self.at_once.len() - 1]
    }
}
