//! What an engine must be able to do to be measured.

use std::error::Error;
use std::time::Duration;

use crate::bare_actix::BareActix;
use crate::finale_side;
use crate::hand_loop::HandLoop;
use crate::memory::Meter;
use crate::shape::Shape;
use crate::tally::Tally;

/// The names by which goals, ratios and the child processes find a contender.
pub mod names {
    /// The `JoinSet` loop on two worker threads.
    pub const HAND_LOOP: &str = "hand-loop";
    /// The bare actors on one arbiter.
    pub const BARE_ACTIX_1: &str = "bare-actix-1";
    /// The bare actors on two arbiters that share nothing.
    pub const BARE_ACTIX_2: &str = "bare-actix-2";
    /// finale on the thread that calls it.
    pub const FINALE_CURRENT: &str = "finale-current";
    /// finale on one arbiter of its own.
    pub const FINALE_1: &str = "finale-1";
    /// finale on two arbiters of its own.
    pub const FINALE_2: &str = "finale-2";

    /// finale on a journal in a file, each commit synced.
    pub const FINALE_FULL: &str = "finale-full";
    /// finale on a journal in a file, without these syncs.
    pub const FINALE_RELAXED: &str = "finale-relaxed";

    /// All of them that are measured beside each other, in the order of reports.
    pub const ALL: [&str; 6] = [HAND_LOOP, BARE_ACTIX_1, BARE_ACTIX_2, FINALE_CURRENT, FINALE_1, FINALE_2];

    /// What everybody is compared with.
    pub const BASELINES: [&str; 3] = [HAND_LOOP, BARE_ACTIX_1, BARE_ACTIX_2];
    /// The configurations of finale.
    pub const FINALE: [&str; 3] = [FINALE_CURRENT, FINALE_1, FINALE_2];
}

/// Whatever kept a contender from its work.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// An engine in one configuration.
///
/// Setting up and taking down, threads above all, is never part of a measured time.
pub trait Contender {
    /// One of [`names`].
    fn name(&self) -> &'static str;

    /// Whether a measure means something for this configuration.
    fn takes_part(&self, _measure: Measure) -> bool {
        true
    }

    /// Runs that many executions of a shape to their end.
    fn run(&mut self, shape: &Shape, load: Load) -> Result<Run, BoxError>;

    /// Runs executions one at a time on an idle engine: from the call that activates one to its outcome in the
    /// hands of the caller.
    fn latencies(&mut self, shape: &Shape, executions: usize) -> Result<Latencies, BoxError>;

    /// Brings executions to where their first task is done and their second one waits, for ever.
    ///
    /// Calls [`Meter::begin`] when the engine is up and [`Meter::end`] when all of them wait. It runs in a process
    /// of its own that ends afterwards, so nothing has to be taken down.
    fn hold(&mut self, shape: &Shape, executions: usize, meter: &mut Meter) -> Result<(), BoxError>;
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Executions a second, many in flight.
    Throughput,
    /// One execution at a time.
    Latency,
    /// All executions handed in at once.
    AtOnce,
    /// Executions that wait.
    Memory,
}

/// How much is to be done.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// How many executions in all.
    pub executions: usize,
    /// How many of them may have been begun and not ended.
    pub in_flight: usize,
}

impl Load {
    /// The part of one of several threads that share nothing; the parts add up to the whole.
    pub fn share(self, index: usize, threads: usize) -> Self {
        let part = |whole: usize| whole / threads + usize::from(index < whole % threads);
        Self { executions: part(self.executions), in_flight: part(self.in_flight).max(1) }
    }
}

/// A finished run.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// From the first activation to the last outcome.
    pub elapsed: Duration,
    /// What was done in it.
    pub tally: Tally,
}

/// Executions that ran one at a time.
#[derive(Clone, Debug)]
pub struct Latencies {
    /// How long each one took.
    pub each: Vec<Duration>,
    /// What was done in them.
    pub tally: Tally,
}

/// The contender of that name alone, so that nothing of the others is started.
pub fn by_name(name: &str) -> Result<Option<Box<dyn Contender>>, BoxError> {
    Ok(match name {
        names::HAND_LOOP => Some(Box::new(HandLoop::new()?)),
        names::BARE_ACTIX_1 => Some(Box::new(BareActix::new(names::BARE_ACTIX_1, 1))),
        names::BARE_ACTIX_2 => Some(Box::new(BareActix::new(names::BARE_ACTIX_2, 2))),
        _ => finale_side::contenders().into_iter().find(|contender| contender.name() == name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_to_the_whole() {
        let load = Load { executions: 1001, in_flight: 7 };
        let shares = [load.share(0, 2), load.share(1, 2)];
        assert_eq!(shares[0].executions + shares[1].executions, 1001);
        assert_eq!(shares[0].in_flight + shares[1].in_flight, 7);
    }
}
