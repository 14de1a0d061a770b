//! What durability costs: finale on its SQLite journal, beside what the same disk can do at best.
//!
//! The floors are measured in the same run and in the same folder, repetition by repetition in turn with finale:
//! [`floor`] syncs a file and commits bare rows. [`load`] runs executions, and [`recovery`] starts again on a journal
//! that is full of executions that have not ended. What was computed is checked each time, and once more in a journal
//! that was opened again ([`verify`]): nobody is durable by writing nothing.

pub mod floor;
mod halfway;
pub(crate) mod journal;
pub mod load;
pub mod recovery;
pub mod restart;
pub mod row;
pub mod scale;
mod usage;
pub mod verify;

use std::path::Path;

use serde::Serialize;
use tempfile::TempDir;

use self::floor::{Bare, Floors};
use self::load::{Case, Sample};
use self::recovery::Recovery;
use self::row::Row;
use self::scale::Scale;
use crate::check::Wrong;
use crate::contender::BoxError;

/// Everything that is measured of durability.
#[derive(Clone, Debug, Serialize)]
pub struct Durable {
    /// On how many shards finale ran.
    pub shards: u16,
    /// What the disk can do.
    pub floors: Floors,
    /// What finale does with it.
    pub loads: Vec<Row>,
    /// How it begins again.
    pub recovery: Recovery,
}

/// How often what was measured, in the order of the repetitions.
struct Series {
    syncs: Vec<f64>,
    group_commits: Vec<(usize, Vec<Bare>)>,
    loads: Vec<(Case, Vec<Sample>)>,
}

/// Measures everything in a folder, unless a result is wrong. Nothing stays there.
pub fn measure(folder: &Path, scale: &Scale) -> Result<Durable, BoxError> {
    let mut series = Series {
        syncs: Vec::new(),
        group_commits: scale.at_once.into_iter().map(|rows| (rows, Vec::new())).collect(),
        loads: Case::all(scale).into_iter().map(|case| (case, Vec::new())).collect(),
    };
    for _ in 0..scale.repetitions {
        series.repeat(folder, scale)?;
    }
    let floors = Floors::of(&series.syncs, &series.group_commits);
    let loads = series.loads.iter().map(|(case, samples)| Row::of(case, samples, &series.group_commits)).collect();
    let scratch = scratch(folder)?;
    let recovery = recovery::measure(scratch.path(), scale)?;
    Ok(Durable { shards: load::shards(), floors, loads, recovery })
}

impl Series {
    /// Everything once, each in a folder of its own.
    fn repeat(&mut self, folder: &Path, scale: &Scale) -> Result<(), BoxError> {
        self.syncs.push(floor::syncs(scratch(folder)?.path(), scale.window)?);
        for (rows, rates) in &mut self.group_commits {
            rates.push(floor::group_commit(scratch(folder)?.path(), *rows, scale.window)?);
        }
        for (case, samples) in &mut self.loads {
            let sample = load::run(scratch(folder)?.path(), case, scale.window);
            samples.push(sample.map_err(|error| Wrong::new(case.contender(), &case.shape, error))?);
        }
        Ok(())
    }
}

/// It goes with its value.
fn scratch(folder: &Path) -> std::io::Result<TempDir> {
    tempfile::Builder::new().prefix("finale-benches-").tempdir_in(folder)
}
