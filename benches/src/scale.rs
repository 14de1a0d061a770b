//! How much is measured.

use std::time::Duration;

/// The sizes of one pass over all measures.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Whether only results are checked: its times are too short to mean anything.
    pub quick: bool,
    /// How long one repetition should last.
    pub repetition: Duration,
    /// How many repetitions there are of every contender.
    pub repetitions: usize,
    /// Executions in flight.
    pub in_flight: usize,
    /// Executions of one latency round.
    pub lone: usize,
    /// Executions handed in at once.
    pub at_once: usize,
    /// Executions that wait while memory is measured.
    pub waiting: usize,
    /// The largest size at which it is measured how cost grows.
    pub growth_max: usize,
    /// How many rounds that has.
    pub growth_rounds: usize,
}

impl Scale {
    /// What the goals are about.
    pub const FULL: Self = Self {
        quick: false,
        repetition: Duration::from_millis(300),
        repetitions: 7,
        in_flight: 1_000,
        lone: 1_000,
        at_once: 100_000,
        waiting: 200_000,
        growth_max: 100_000,
        growth_rounds: 3,
    };

    /// Enough to see that every contender does its work.
    pub const QUICK: Self = Self {
        quick: true,
        repetition: Duration::from_millis(30),
        repetitions: 2,
        in_flight: 100,
        lone: 50,
        at_once: 2_000,
        waiting: 5_000,
        growth_max: 1_000,
        growth_rounds: 1,
    };
}
