//! How cost grows: with the number of executions in flight, and with the size of a graph.
//!
//! What an engine does for one task should not depend on how many others there are. What does depend on it is the memory:
//! the more is in flight, the less of it is in a cache.

use serde::Serialize;

use crate::check::{self, Wrong};
use crate::contender::{Contender, Load, Measure};
use crate::scale::Scale;
use crate::shape::Shape;
use crate::stats::median;

/// The sizes of the rows; the one that the largest is compared with is [`BASE`].
const SIZES: [usize; 5] = [10, 100, 1_000, 10_000, 100_000];

/// The size that the largest one is compared with.
pub const BASE: usize = 1_000;

/// As many executions are run at least, so that one round is not over before it began.
const EXECUTIONS_MIN: usize = 20_000;

/// Executions of large graphs that are in flight at once.
const GRAPHS_IN_FLIGHT: usize = 4;

/// How the cost of one thing grows with another.
#[derive(Clone, Debug, Serialize)]
pub struct Growth {
    /// What is run.
    pub shape: &'static str,
    /// What grows.
    pub by: By,
    /// One row for each contender.
    pub rows: Vec<Row>,
}

/// What grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Executions in flight; the costs are for an execution.
    InFlight,
    /// Nodes of the graph, its start and its end among them; the costs are for a task.
    Nodes,
}

/// One contender.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The contender.
    pub contender: &'static str,
    /// From the smallest size to the largest one.
    pub costs: Vec<Cost>,
}

/// What one thing costs at one size.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Cost {
    /// How many are in flight, or how many nodes the graph has.
    pub size: usize,
    /// What an execution or a task takes, in nanoseconds.
    pub nanoseconds: f64,
}

impl Row {
    /// The cost at the largest size over that at [`BASE`].
    pub fn growth(&self) -> Option<f64> {
        let base = self.costs.iter().find(|cost| cost.size == BASE)?;
        Some(self.costs.last()?.nanoseconds / base.nanoseconds)
    }
}

/// Measures all of it.
pub fn measure(contenders: &mut [Box<dyn Contender>], scale: &Scale) -> Result<Vec<Growth>, Wrong> {
    let sizes: Vec<usize> = SIZES.into_iter().filter(|size| *size <= scale.growth_max).collect();
    let in_flight = [Shape::single(), Shape::chain()];
    let in_flight = in_flight.iter().map(|shape| {
        let cases = sizes.iter().map(|&size| Case { size, shape: shape.clone(), load: crowd(size, scale), things: 1 });
        measure_cases(contenders, (shape.name, By::InFlight), &cases.collect::<Vec<_>>(), scale)
    });
    let mut all = in_flight.collect::<Result<Vec<_>, _>>()?;
    for (name, of) in [("long", Shape::long as fn(usize) -> Shape), ("wide", Shape::wide)] {
        let cases: Vec<_> = sizes.iter().map(|&size| graph(size, of(size), scale)).collect();
        all.push(measure_cases(contenders, (name, By::Nodes), &cases, scale)?);
    }
    Ok(all)
}

/// What is run for one cell.
struct Case {
    size: usize,
    shape: Shape,
    load: Load,
    /// How many of what is counted one execution has.
    things: usize,
}

fn crowd(in_flight: usize, scale: &Scale) -> Load {
    let executions_min = if scale.quick { 0 } else { EXECUTIONS_MIN };
    Load { executions: (2 * in_flight).max(executions_min), in_flight }
}

/// About as many tasks in all whatever the size of the graph is.
fn graph(size: usize, shape: Shape, scale: &Scale) -> Case {
    let tasks = if scale.quick { BASE } else { 10 * EXECUTIONS_MIN };
    let executions = (tasks / shape.tasks()).max(GRAPHS_IN_FLIGHT);
    let things = shape.tasks();
    Case { size, shape, load: Load { executions, in_flight: GRAPHS_IN_FLIGHT }, things }
}

/// Round by round, everybody in turn: what slows the machine down for a while slows down all of them.
fn measure_cases(
    contenders: &mut [Box<dyn Contender>],
    (shape, by): (&'static str, By),
    cases: &[Case],
    scale: &Scale,
) -> Result<Growth, Wrong> {
    let takes_part = |contender: &&mut Box<dyn Contender>| contender.takes_part(Measure::Throughput);
    let mut series: Vec<_> =
        contenders.iter_mut().filter(takes_part).map(|contender| (contender, vec![Vec::new(); cases.len()])).collect();
    for _ in 0..scale.growth_rounds {
        for (case, index) in cases.iter().zip(0..) {
            for (contender, costs) in &mut series {
                let elapsed = check::run(contender.as_mut(), &case.shape, case.load)?;
                costs[index].push(elapsed.as_secs_f64() * 1e9 / (case.load.executions * case.things) as f64);
            }
        }
    }
    let rows = series.iter().map(|(contender, costs)| Row {
        contender: contender.name(),
        costs: cases
            .iter()
            .zip(costs)
            .map(|(case, costs)| Cost { size: case.size, nanoseconds: median(costs) })
            .collect(),
    });
    Ok(Growth { shape, by, rows: rows.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_that_of_the_largest_over_the_base() {
        let cost = |size, nanoseconds| Cost { size, nanoseconds };
        let row = |costs| Row { contender: "", costs };
        assert_eq!(row(vec![cost(10, 9.0), cost(BASE, 10.0), cost(100_000, 15.0)]).growth(), Some(1.5));
        assert_eq!(row(vec![cost(10, 9.0)]).growth(), None);
    }

    #[test]
    fn every_size_has_about_as_many_tasks() {
        for size in SIZES {
            for shape in [Shape::long(size), Shape::wide(size)] {
                let case = graph(size, shape, &Scale::FULL);
                let tasks = case.load.executions * case.things;
                assert!((190_000..=410_000).contains(&tasks), "{tasks} at {size}");
            }
        }
    }
}
