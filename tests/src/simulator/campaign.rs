//! Many seeds, on all cores: what each comes to does not depend on that.

use std::fmt;
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::{Bug, Failure, STEPS, Tally, Violation, simulate};

/// How many of the last happenings a failure tells.
const LINES: usize = 60;

/// Seeds that one thread takes at once.
const BATCH: u64 = 8;

/// Which seeds are run, and how.
#[derive(Clone, Copy, Debug)]
pub struct Campaign {
    /// The first seed.
    pub first: u64,
    /// How many.
    pub seeds: u64,
    /// Steps per seed before the faults stop.
    pub steps: u64,
    /// The bug that is planted.
    pub bug: Option<Bug>,
}

/// What came of many seeds.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What came up in all of them.
    pub tally: Tally,
    /// The lowest seed that failed, and how to run it again.
    pub failed: Option<Failed>,
}

/// A seed that failed.
#[derive(Clone, Debug)]
pub struct Failed {
    /// Which one.
    pub seed: u64,
    /// How.
    pub failure: Failure,
    campaign: Campaign,
}

impl Default for Campaign {
    fn default() -> Self {
        Self { first: 0, seeds: 2_000, steps: STEPS, bug: None }
    }
}

impl Campaign {
    /// Runs the seeds until one fails; the one that is reported is the lowest of those that do.
    pub fn run(self) -> Report {
        let report = Mutex::new(Report::default());
        let (next, over) = (AtomicU64::new(self.first), AtomicBool::new(false));
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
                scope.spawn(|| self.work(&next, &over, &report));
            }
        });
        report.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Batches are taken in ascending order and each is finished, so that no lower seed is left out.
    fn work(self, next: &AtomicU64, over: &AtomicBool, report: &Mutex<Report>) {
        let end = self.first + self.seeds;
        while !over.load(Ordering::Relaxed) {
            let first = next.fetch_add(BATCH, Ordering::Relaxed);
            if first >= end {
                return;
            }
            let batch = self.batch(first..end.min(first + BATCH));
            if batch.failed.is_some() {
                over.store(true, Ordering::Relaxed);
            }
            report.lock().unwrap_or_else(std::sync::PoisonError::into_inner).add(batch);
        }
    }

    fn batch(self, seeds: std::ops::Range<u64>) -> Report {
        let mut report = Report::default();
        for seed in seeds {
            match self.one(seed) {
                Ok(tally) => report.tally += &tally,
                Err(failure) => {
                    report.failed = Some(Failed { seed, failure, campaign: self });
                    return report;
                }
            }
        }
        report
    }

    fn one(self, seed: u64) -> Result<Tally, Failure> {
        let run = simulate(seed, self.steps, self.bug, 0);
        match run.failure {
            // Only a failure is worth its story, so that it is run once more for that.
            Some(_) => Err(simulate(seed, self.steps, self.bug, LINES).failure.unwrap_or_else(differs)),
            None => Ok(run.tally),
        }
    }
}

fn differs() -> Failure {
    let violation = Violation { invariant: "a_seed_gives_one_run", story: "it did not fail again".to_owned() };
    Failure { step: 0, violation, last: Vec::new() }
}

impl Report {
    fn add(&mut self, other: Self) {
        self.tally += &other.tally;
        let lowest = self.failed.take().into_iter().chain(other.failed).min_by_key(|failed| failed.seed);
        self.failed = lowest;
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}, {}", self.seed, self.failure)?;
        write!(f, "run it again: cargo run --release -p finale-tests --bin simulate -- --seed {}", self.seed)?;
        if self.campaign.steps != STEPS {
            write!(f, " --steps {}", self.campaign.steps)?;
        }
        if let Some(bug) = self.campaign.bug {
            write!(f, " --bug {bug}")?;
        }
        Ok(())
    }
}
