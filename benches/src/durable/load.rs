//! Executions on a journal in a file, so many of them at once.
//!
//! When one ends another is activated. What counts is a window in the midst of that: what is begun and what is left when
//! it is over runs on a half empty engine.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::System;
use finale::journal::{Durability, SqliteJournal, SqliteStats};
use finale::{Limits, Outcome, Runtime, Shards, Workflow};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::scale::Scale;
use super::usage::Usage;
use super::{journal, verify};
use crate::contender::{BoxError, names};
use crate::finale_side::{self, noop};
use crate::shape::{HANDLER, Shape};
use crate::tally::Tally;

/// Executions that end before the window begins, at least.
const WARM_UP: usize = 20;

/// What is run, and how.
#[derive(Clone, Debug)]
pub struct Case {
    /// The shape.
    pub shape: Shape,
    /// What an acknowledgement survives.
    pub durability: Durability,
    /// How many executions are in flight.
    pub at_once: usize,
}

impl Case {
    pub(super) fn all(scale: &Scale) -> Vec<Self> {
        let full = [Shape::single(), Shape::chain()].into_iter().flat_map(|shape| {
            let durability = Durability::Full;
            scale.at_once.into_iter().map(move |at_once| Self { shape: shape.clone(), durability, at_once })
        });
        let relaxed = Self { shape: Shape::chain(), durability: Durability::Relaxed, at_once: scale.crowd() };
        full.chain([relaxed]).collect()
    }

    /// What it is called in reports.
    pub fn contender(&self) -> &'static str {
        if self.is_synced() { names::FINALE_FULL } else { names::FINALE_RELAXED }
    }

    /// Whether each commit is synced.
    pub fn is_synced(&self) -> bool {
        self.durability == Durability::Full
    }
}

/// On how many shards a runtime runs by default.
pub(super) fn shards() -> u16 {
    match Shards::default() {
        Shards::Own(shards) => shards,
        _ => 1,
    }
}

/// What happened in one window.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) elapsed: Duration,
    /// How long each execution took that ended: from the call that activates it to its outcome in the caller's hands.
    pub(super) latencies: Vec<Duration>,
    pub(super) appends: u64,
    pub(super) commits: u64,
    pub(super) checkpoints: u64,
    /// The most appends that were in one commit, in the window or out of it.
    pub(super) appends_max: u64,
    pub(super) used: Usage,
}

/// Runs a case in that folder.
pub(super) fn run(folder: &Path, case: &Case, window: Duration) -> Result<Sample, BoxError> {
    let path = folder.join("journal.db");
    let (sample, executions) = System::new().block_on(async {
        let journal = journal::open(&path, case.durability)?.journal;
        // As many may be active as are in flight: those that wait for the disk count among them.
        let limits = Limits::new().active_executions_max(case.at_once);
        let runtime = Runtime::builder().journal(journal.clone()).limits(limits).handler(HANDLER, noop).start()?;
        let workflow = Workflow::new(case.shape.definition())?;
        let mut drive = Drive { case, runtime: &runtime, workflow, journal: &journal, tally: Tally::default() };
        let (sample, executions) = drive.through(window).await?;
        verify::written(&case.shape, drive.tally, executions, journal.stats().appends)?;
        runtime.shutdown(Duration::from_secs(5)).await;
        Ok::<_, BoxError>((sample, executions))
    })?;
    verify::completed(&path, &case.shape, executions)?;
    Ok(sample)
}

/// Keeps executions in flight.
struct Drive<'a> {
    case: &'a Case,
    runtime: &'a Runtime,
    workflow: Workflow,
    journal: &'a SqliteJournal,
    tally: Tally,
}

/// When the window began, and what the journal had done by then.
struct Window {
    began: Instant,
    stats: SqliteStats,
    used: Usage,
    latencies: Vec<Duration>,
}

impl Drive<'_> {
    /// Warms up, goes through the window, and sees the last ones to their end; gives how many there were in all, too.
    async fn through(&mut self, length: Duration) -> Result<(Sample, usize), BoxError> {
        let at_once = self.case.at_once;
        let mut in_flight: FuturesUnordered<_> = (0..at_once).map(|_| one(self.runtime, &self.workflow)).collect();
        let (mut ended, mut window, mut sample) = (0, None, None);
        while let Some(outcome) = in_flight.next().await {
            let (latency, outcome) = outcome?;
            self.tally += finale_side::tally(&self.case.shape, &outcome)?;
            ended += 1;
            if ended == at_once.max(WARM_UP) {
                window = Some(Window::open(self.journal));
            } else if let Some(window) = &mut window {
                window.latencies.push(latency);
            }
            // So many that each one in flight ended in it.
            if let Some(over) =
                window.take_if(|window| window.began.elapsed() >= length && window.latencies.len() >= at_once)
            {
                sample = Some(over.close(self.journal));
            }
            if sample.is_none() {
                in_flight.push(one(self.runtime, &self.workflow));
            }
        }
        Ok((sample.ok_or("nothing was run")?, ended))
    }
}

impl Window {
    fn open(journal: &SqliteJournal) -> Self {
        Self { began: Instant::now(), stats: journal.stats(), used: Usage::now(), latencies: Vec::new() }
    }

    fn close(self, journal: &SqliteJournal) -> Sample {
        let Self { began, stats, used, latencies } = self;
        let (elapsed, now) = (began.elapsed(), journal.stats());
        Sample {
            elapsed,
            latencies,
            appends: now.appends - stats.appends,
            commits: now.commits - stats.commits,
            checkpoints: now.checkpoints - stats.checkpoints,
            appends_max: now.appends_max,
            used: Usage::now().since(&used),
        }
    }
}

async fn one(runtime: &Runtime, workflow: &Workflow) -> Result<(Duration, Arc<Outcome>), BoxError> {
    let began = Instant::now();
    let outcome = runtime.activate(workflow, ()).start().await?.outcome().await?;
    Ok((began.elapsed(), outcome))
}
