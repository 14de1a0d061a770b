//! How much is measured of retention.

use std::time::Duration;

/// The sizes of one pass.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Whether only results are checked: its times are too short to mean anything.
    pub quick: bool,
    /// How long executions run, without their warm-up.
    pub window: Duration,
    /// How often throughput is measured.
    pub repetitions: usize,
    /// How many executions are in flight while throughput is measured.
    pub at_once: usize,
    /// How many ended executions are kept meanwhile.
    pub kept: usize,
    /// How many ended executions are forgotten at a time.
    pub backlog: usize,
    /// How many executions are in flight beside that.
    pub beside: usize,
    /// How many lone executions are measured, at most.
    pub lone: usize,
}

impl Scale {
    /// What the goals are about.
    pub const FULL: Self = Self {
        quick: false,
        window: Duration::from_secs(5),
        repetitions: 3,
        at_once: 1_000,
        kept: 100_000,
        backlog: 1_000_000,
        beside: 100,
        lone: 1_000,
    };

    /// Enough to see that every result is right.
    pub const QUICK: Self = Self {
        quick: true,
        window: Duration::from_millis(20),
        repetitions: 1,
        at_once: 100,
        kept: 500,
        backlog: 2_000,
        beside: 10,
        lone: 20,
    };
}
