//! A seeded simulation of several executions at once, in virtual time and on one thread, over the real core.
//!
//! What surrounds the core is a model: the journal that loses what was not written, the shell of actors, the engine, the
//! people outside. Messages come in any order, late, twice or not at all; the process crashes between any two steps.
//! An auditor outside of it checks after every step what must always hold. A seed always gives the same run.
//!
//! A simulation that finds nothing proves little, so [`Bug`]s can be planted in the models; each must be found.

mod auditor;
mod books;
mod bugs;
mod campaign;
mod commit;
mod crash;
mod engine;
mod expected;
mod handlers;
mod journal;
mod mail;
mod messages;
mod offers;
mod outside;
mod process;
mod reconcile;
mod seeds;
mod settled;
mod supervisor;
mod tally;
mod trace;
mod turns;
mod world;
mod writing;

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
        writeln!(f, "step {}: {invariant}", self.step)?;
        writeln!(f, "  {story}")?;
        self.last.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

/// Runs one seed, with a bug planted or without, and tells everything as it happens if it is to be aloud.
pub fn simulate(seed: u64, steps: u64, bug: Option<Bug>, aloud: bool) -> Run {
    world::World::new(seed, bug, aloud).run(steps)
}
