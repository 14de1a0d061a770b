//! What forgetting costs: executions beside a purge of ended ones, and the same executions where all are kept for ever.
//!
//! Three questions, for the journal in memory and the one in a file. How fast are executions when each one that ends makes an
//! older one superfluous ([`Steady`])? How long does a lone execution take while very many are being forgotten, and how fast
//! are those forgotten beside other work ([`Backlog`])? And is the bound that was asked for kept in the end?

mod drive;
pub mod fill;
pub mod scale;

use std::path::Path;
use std::time::{Duration, Instant};

use actix::System;
use finale::{Keep, Retention as Keeps};
use serde::Serialize;

use self::drive::{Life, Load};
use self::fill::Filled;
use self::scale::Scale;
use crate::contender::BoxError;
use crate::stats::{Spread, paired_ratio, percentile};

/// How often a shard looks for something to forget: with the default nothing would be forgotten while it is measured.
const INTERVAL: Duration = Duration::from_millis(500);

/// In what the executions are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// In this process.
    Memory,
    /// In a SQLite file, synced with each commit.
    Sqlite,
}

/// What forgetting costs one kind of journal.
#[derive(Clone, Debug, Serialize)]
pub struct Retention {
    /// Which journal.
    pub journal: Kind,
    /// Throughput with a bound that is always reached.
    pub steady: Steady,
    /// What happens when very many have to be forgotten.
    pub backlog: Backlog,
}

/// Executions on a journal that is as full as it may be.
#[derive(Clone, Debug, Serialize)]
pub struct Steady {
    /// How many are kept.
    pub kept: usize,
    /// How many executions are in flight.
    pub at_once: usize,
    /// Executions a second, if all are kept.
    pub for_ever: Spread,
    /// Executions a second, if not more than that number is kept.
    pub bounded: Spread,
    /// The second to the first.
    pub ratio: f64,
    /// How many more than the bound were kept when the load ended, the most of all repetitions.
    pub beyond: usize,
    /// Seconds until the bound was kept after the load had ended, the most of all repetitions.
    pub caught_up_s: f64,
}

/// Executions beside a purge of very many.
#[derive(Clone, Debug, Serialize)]
pub struct Backlog {
    /// How many are to be forgotten.
    pub executions: usize,
    /// What a lone execution takes at the most in 99 of 100 cases if nothing is forgotten.
    pub lone_p99_us: f64,
    /// The same while they are being forgotten.
    pub lone_p99_beside_us: f64,
    /// How many were forgotten in a second beside lone executions.
    pub forgotten_beside_lone: f64,
    /// How many executions there are at once beside the purge that follows.
    pub at_once: usize,
    /// How many of those end in a second if nothing is forgotten.
    pub load: f64,
    /// How many of those end in a second while others are being forgotten.
    pub load_beside: f64,
    /// How many were forgotten in a second meanwhile.
    pub forgotten_beside_load: f64,
}

/// Measures both kinds of journals in a folder. Nothing stays there.
pub fn measure(folder: &Path, scale: &Scale) -> Result<Vec<Retention>, BoxError> {
    [Kind::Memory, Kind::Sqlite].into_iter().map(|kind| measure_one(folder, kind, scale)).collect()
}

fn measure_one(folder: &Path, journal: Kind, scale: &Scale) -> Result<Retention, BoxError> {
    Ok(Retention { journal, steady: steady(folder, journal, scale)?, backlog: backlog(folder, journal, scale)? })
}

fn for_ever() -> Keeps {
    Keeps::all(Keep::for_ever())
}

fn at_most(count: usize) -> Keeps {
    Keeps::all(Keep::for_ever().at_most(count as u64)).interval(INTERVAL)
}

fn steady(folder: &Path, kind: Kind, scale: &Scale) -> Result<Steady, BoxError> {
    let (mut for_ever_rates, mut bounded_rates, mut beyond, mut caught_up_s) = (Vec::new(), Vec::new(), 0, 0.0_f64);
    for _ in 0..scale.repetitions {
        let load = Load { at_once: scale.at_once, window: scale.window };
        let filled = Filled::new(folder, kind, scale.kept)?;
        for_ever_rates.push(System::new().block_on(async {
            let life = Life::start(&filled, for_ever(), load.at_once)?;
            let rate = life.run(load).await?;
            life.end().await?;
            Ok::<_, BoxError>(rate)
        })?);
        let filled = Filled::new(folder, kind, scale.kept)?;
        let (rate, more, seconds) = System::new().block_on(async {
            let life = Life::start(&filled, at_most(scale.kept), load.at_once)?;
            let rate = life.run(load).await?;
            let more = filled.kept()?.saturating_sub(scale.kept);
            let ended = Instant::now();
            life.until_kept(&filled, scale.kept).await?;
            let seconds = ended.elapsed().as_secs_f64();
            life.end().await?;
            Ok::<_, BoxError>((rate, more, seconds))
        })?;
        bounded_rates.push(rate);
        (beyond, caught_up_s) = (beyond.max(more), caught_up_s.max(seconds));
    }
    Ok(Steady {
        kept: scale.kept,
        at_once: scale.at_once,
        ratio: paired_ratio(&bounded_rates, &for_ever_rates),
        for_ever: Spread::of(&for_ever_rates),
        bounded: Spread::of(&bounded_rates),
        beyond,
        caught_up_s,
    })
}

fn backlog(folder: &Path, kind: Kind, scale: &Scale) -> Result<Backlog, BoxError> {
    let executions = scale.backlog;
    let filled = Filled::new(folder, kind, executions)?;
    let beside = Load { at_once: scale.beside, window: scale.window };
    let (alone, load) = System::new().block_on(async {
        let life = Life::start(&filled, for_ever(), beside.at_once)?;
        let alone = life.lone(scale.lone, || Ok(true)).await?;
        let load = life.run(beside).await?;
        life.end().await?;
        Ok::<_, BoxError>((alone, load))
    })?;
    let (beside_purge, forgotten_beside_lone) = System::new().block_on(async {
        let began = Instant::now();
        let life = Life::start(&filled, at_most(executions / 2), beside.at_once)?;
        let gone = filled.last_of_first(executions / 2);
        let is_under_way = || filled.has(gone);
        let latencies = life.lone(scale.lone, is_under_way).await?;
        let forgotten = filled.forgotten()? as f64 / began.elapsed().as_secs_f64();
        life.until_forgotten(&filled, gone).await?;
        life.end().await?;
        Ok::<_, BoxError>((latencies, forgotten))
    })?;
    let (load_beside, forgotten_beside_load) = System::new().block_on(async {
        let before = filled.forgotten()?;
        let life = Life::start(&filled, at_most(0), beside.at_once)?;
        let gone = filled.last_of_first(executions);
        let (ended, seconds) = life.run_while(beside.at_once, || filled.has(gone)).await?;
        let forgotten = (executions - before) as f64 / seconds;
        life.end().await?;
        Ok::<_, BoxError>((ended as f64 / seconds, forgotten))
    })?;
    Ok(Backlog {
        executions,
        lone_p99_us: percentile(&alone, 0.99),
        lone_p99_beside_us: percentile(&beside_purge, 0.99),
        forgotten_beside_lone,
        at_once: beside.at_once,
        load,
        load_beside,
        forgotten_beside_load,
    })
}
