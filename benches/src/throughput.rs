//! Executions a second with many in flight.

use serde::Serialize;

use crate::check::{self, Wrong};
use crate::contender::{Contender, Load, Measure, names};
use crate::scale::Scale;
use crate::shape::Shape;
use crate::stats::{Spread, paired_ratio};

/// All contenders on one shape.
#[derive(Clone, Debug, Serialize)]
pub struct Throughput {
    /// The shape.
    pub shape: &'static str,
    /// How many tasks one execution of it has.
    pub tasks: usize,
    /// One row for each contender.
    pub rows: Vec<Row>,
}

/// One contender on one shape.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The contender.
    pub contender: &'static str,
    /// How many executions one repetition had.
    pub executions: usize,
    /// Over the repetitions.
    pub executions_per_second: Spread,
    /// The median, in tasks.
    pub tasks_per_second: f64,
    /// Beside each baseline, itself left out.
    pub ratios: Vec<Ratio>,
}

/// How many times as fast as a baseline.
#[derive(Clone, Debug, Serialize)]
pub struct Ratio {
    /// The baseline.
    pub to: &'static str,
    /// Median by median: what the goals are about.
    pub of_medians: f64,
    /// The median of the ratios of single repetitions.
    pub paired: f64,
}

impl Throughput {
    /// The ratio of the medians, if both took part.
    pub fn ratio(&self, contender: &str, baseline: &str) -> Option<f64> {
        let row = self.rows.iter().find(|row| row.contender == contender)?;
        row.ratios.iter().find(|ratio| ratio.to == baseline).map(|ratio| ratio.of_medians)
    }
}

/// Measures these shapes.
pub fn measure(
    contenders: &mut [Box<dyn Contender>],
    shapes: &[Shape],
    scale: &Scale,
) -> Result<Vec<Throughput>, Wrong> {
    shapes.iter().map(|shape| measure_shape(contenders, shape, scale)).collect()
}

/// A contender with what it was given and what it reached, one rate for each repetition.
struct Series<'a> {
    contender: &'a mut dyn Contender,
    load: Load,
    rates: Vec<f64>,
}

/// Repetition by repetition, everybody in turn, each time beginning with another one: what slows the machine down
/// for a while slows down all of them.
fn measure_shape(contenders: &mut [Box<dyn Contender>], shape: &Shape, scale: &Scale) -> Result<Throughput, Wrong> {
    let mut all = Vec::new();
    for contender in contenders.iter_mut().filter(|contender| contender.takes_part(Measure::Throughput)) {
        let load = calibrate(contender.as_mut(), shape, scale)?;
        all.push(Series { contender: contender.as_mut(), load, rates: Vec::new() });
    }
    for repetition in 0..scale.repetitions {
        for turn in 0..all.len() {
            let index = (repetition + turn) % all.len();
            let series = &mut all[index];
            series.rates.push(check::rate(series.contender, shape, series.load)?);
        }
    }
    let rows = all.iter().map(|series| row(series, &all, shape)).collect();
    Ok(Throughput { shape: shape.name, tasks: shape.tasks(), rows })
}

/// Finds out how many executions fill a repetition; it is the warm-up too.
fn calibrate(contender: &mut dyn Contender, shape: &Shape, scale: &Scale) -> Result<Load, Wrong> {
    let mut load = Load { executions: scale.in_flight, in_flight: scale.in_flight };
    loop {
        let elapsed = check::run(contender, shape, load)?;
        if elapsed * 4 >= scale.repetition {
            let times = scale.repetition.as_secs_f64() / elapsed.as_secs_f64();
            // With fewer, the first and the last ones, which run on a half empty engine, would weigh too much.
            load.executions = ((load.executions as f64 * times) as usize).max(4 * scale.in_flight);
            return Ok(load);
        }
        load.executions *= 4;
    }
}

fn row(series: &Series<'_>, all: &[Series<'_>], shape: &Shape) -> Row {
    let executions_per_second = Spread::of(&series.rates);
    let baselines = all.iter().filter(|other| {
        let name = other.contender.name();
        names::BASELINES.contains(&name) && name != series.contender.name()
    });
    Row {
        contender: series.contender.name(),
        executions: series.load.executions,
        executions_per_second,
        tasks_per_second: executions_per_second.median * shape.tasks() as f64,
        ratios: baselines.map(|baseline| ratio(series, baseline)).collect(),
    }
}

fn ratio(series: &Series<'_>, baseline: &Series<'_>) -> Ratio {
    Ratio {
        to: baseline.contender.name(),
        of_medians: Spread::of(&series.rates).median / Spread::of(&baseline.rates).median,
        paired: paired_ratio(&series.rates, &baseline.rates),
    }
}
