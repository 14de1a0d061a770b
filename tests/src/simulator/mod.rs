//! A seeded simulation of whole processes, in virtual time and on one thread, over the three real state machines.
//!
//! [`Execution`](finale_core::Execution), [`TaskEngine`](finale_core::task_engine::TaskEngine) and
//! [`Supervisor`](finale_core::supervisor::Supervisor) are those of the library. What is made up is what moves between them:
//! mailboxes, handlers, permits, the clock, the journal, callers. The actors here translate as those of the shell do, and
//! decide nothing. Any of it can be late; the machines panic over any input and are rebuilt; the process crashes between
//! any two steps, and everything that is not durable is lost.
//!
//! An audit outside of it checks after every step what must always hold. A seed always gives the same run. A simulation
//! that finds nothing proves little, so [`Bug`]s can be planted in what moves; each must be found.

mod actor;
mod audit;
mod bugs;
mod campaign;
mod clocks;
mod engine;
mod flows;
mod journal;
mod mail;
mod outside;
mod port;
mod second_reading;
mod shared;
mod supervisor;
mod tally;
mod trace;
mod world;

pub use bugs::{Bug, UnknownBug};
pub use campaign::{Campaign, Failed, Report};
pub use tally::{Count, Tally};

use std::fmt;

/// How many steps a run takes before the faults stop, unless said otherwise.
pub const STEPS: u64 = 500;

/// What came of one seed.
#[derive(Clone, Debug)]
pub struct Run {
    /// The hash of everything that happened: two runs of a seed are the same, byte for byte.
    pub hash: u64,
    /// What came up.
    pub tally: Tally,
    /// What must not be and was; the run stopped there.
    pub failure: Option<Failure>,
}

/// Something that must not be.
#[derive(Clone, Debug)]
pub struct Violation {
    /// What must always hold.
    pub invariant: &'static str,
    /// What was found instead.
    pub story: String,
}

/// Where a run failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// At which step.
    pub step: u64,
    /// What was violated.
    pub violation: Violation,
    /// The last things that happened, one per line.
    pub last: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Violation { invariant, story } = &self.violation;
        self.last.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        writeln!(f, "step {}: {invariant}", self.step)?;
        writeln!(f, "  {story}")
    }
}

/// Runs one seed, with a bug planted or without, and keeps that many of the last lines of the story.
pub fn simulate(seed: u64, steps: u64, bug: Option<Bug>, lines: usize) -> Run {
    world::World::new(seed, bug, lines).run(steps)
}
