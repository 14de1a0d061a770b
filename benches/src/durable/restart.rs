//! One life after the other on the same journal, in a process in which nothing else ever was.

use std::path::Path;
use std::time::{Duration, Instant};

use actix::System;
use finale::Runtime;
use finale::journal::{Durability, JournalReader, SqliteJournal};
use serde::{Deserialize, Serialize};

use super::halfway::{self, Stage};
use super::journal::{self, Opened};
use crate::contender::BoxError;
use crate::memory;

/// How often it is looked how far things have come.
const TICK: Duration = Duration::from_millis(1);
/// How long anything may take before it counts as stuck.
const PATIENCE: Duration = Duration::from_secs(600);

/// What happened in one process.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Restarts {
    /// After the life in which the executions were activated.
    pub first: Restart,
    /// After the first restart.
    pub second: Restart,
}

/// How long it took until everything went on. All times are from before the journal was opened.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Restart {
    /// Until the journal was open.
    pub opened_s: f64,
    /// Until `start` had returned: what has not ended is listed then.
    pub started_s: f64,
    /// Until `health` said that nothing was left to recover.
    pub recovered_s: f64,
    /// Until all handlers that had been at work were at work again.
    pub dispatched_s: f64,
    /// Appends, until everything had gone on and was durable.
    pub appends: u64,
    /// Of those, how many executions wrote that only wait.
    pub appends_of_waiting: u64,
    /// Transactions.
    pub commits: u64,
    /// What the process had in memory then; none if the system does not say.
    pub resident_bytes: Option<u64>,
    /// The most that the process ever had.
    pub resident_bytes_max: Option<u64>,
}

/// Restarts twice, then sees all executions to their end.
pub fn restart_twice(path: &Path, executions: usize) -> Result<Restarts, BoxError> {
    let first = System::new().block_on(live(path, executions, async |_, _, _| Ok(())))?;
    let second = System::new().block_on(live(path, executions, see_to_the_end))?;
    Ok(Restarts { first, second })
}

/// One life: begins with what is there, and does the rest afterwards.
async fn live(
    path: &Path,
    executions: usize,
    rest: impl AsyncFnOnce(&Runtime, &SqliteJournal, &Stage) -> Result<(), BoxError>,
) -> Result<Restart, BoxError> {
    let Opened { journal, began } = journal::open(path, Durability::Full)?;
    let since = || began.elapsed().as_secs_f64();
    let opened_s = since();
    let stage = Stage::new();
    let runtime = halfway::start(journal.clone(), executions, &stage)?;
    let started_s = since();
    until(|| runtime.health().recovering == 0).await?;
    let recovered_s = since();
    let at_work = halfway::at_work(executions);
    until(|| stage.at_work() == at_work).await?;
    let dispatched_s = since();
    let (resident_bytes, resident_bytes_max) = (memory::resident_bytes().ok(), memory::resident_bytes_max().ok());
    check_standing(&runtime, &stage, executions).await?;
    until(|| journal.stats().waiting_bytes == 0).await?;
    let stats = journal.stats();
    let appends_of_waiting = appends_of_waiting(stats.appends, at_work)?;
    rest(&runtime, &journal, &stage).await?;
    runtime.shutdown(Duration::from_secs(1)).await;
    Ok(Restart {
        opened_s,
        started_s,
        recovered_s,
        dispatched_s,
        appends: stats.appends,
        appends_of_waiting,
        commits: stats.commits,
        resident_bytes,
        resident_bytes_max,
    })
}

/// Everything is where it was: as many are at work and wait as before, and nothing was set aside.
async fn check_standing(runtime: &Runtime, stage: &Stage, executions: usize) -> Result<(), BoxError> {
    let (at_work, outside) = (stage.at_work(), halfway::outside(runtime).await?.len());
    let quarantined = runtime.health().quarantined;
    let expected = (halfway::at_work(executions), executions - halfway::at_work(executions));
    if (at_work, outside) == expected && quarantined == 0 {
        return Ok(());
    }
    Err(format!("{at_work} at work, {outside} outside, {quarantined} quarantined, expected {expected:?}").into())
}

/// Each execution with a handler at work wrote that it was told: what is more was written by others.
fn appends_of_waiting(appends: u64, at_work: usize) -> Result<u64, BoxError> {
    let others = appends.checked_sub(at_work as u64);
    Ok(others.ok_or_else(|| format!("{appends} appends of {at_work} executions that lost a handler"))?)
}

async fn see_to_the_end(runtime: &Runtime, journal: &SqliteJournal, stage: &Stage) -> Result<(), BoxError> {
    stage.open();
    halfway::complete(runtime, halfway::outside(runtime).await?).await?;
    let has_ended = || journal.live(None, 1).is_ok_and(|live| live.is_empty());
    until(has_ended).await
}

/// Fills a journal with executions that have come half of their way.
pub fn fill(path: &Path, executions: usize) -> Result<(), BoxError> {
    System::new().block_on(async {
        let journal = journal::open(path, Durability::Full)?.journal;
        let stage = Stage::new();
        let runtime = halfway::start(journal.clone(), executions, &stage)?;
        halfway::activate(&runtime, executions).await?;
        // The activation, and each task before the one that stops.
        let appends = (executions * (1 + halfway::DONE)) as u64;
        until(|| journal.stats().appends == appends && stage.at_work() == halfway::at_work(executions)).await?;
        check_standing(&runtime, &stage, executions).await?;
        runtime.shutdown(Duration::from_secs(1)).await;
        Ok(())
    })
}

/// Waits until something is so; asked too often it would be in the way of what is measured.
async fn until(mut is_so: impl FnMut() -> bool) -> Result<(), BoxError> {
    let patience = Instant::now() + PATIENCE;
    while !is_so() {
        if Instant::now() > patience {
            return Err("nothing goes on any more".into());
        }
        tokio::time::sleep(TICK).await;
    }
    Ok(())
}
