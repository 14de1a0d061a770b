//! What one execution allocates, and how much of that an execution keeps that waits.
//!
//! The program `allocations` counts: its allocator does, so that the times of the other program are those of an ordinary
//! one. Times depend on the machine and numbers of allocations nearly do not, which is why these are asserted.

use serde::Serialize;

use crate::check::{self, Wrong};
use crate::contender::{BoxError, Contender, Load, names};
use crate::finale_side;
use crate::memory::{Meter, Weigh};
use crate::only::Only;
use crate::shape::Shape;

/// As many executions more in the second of two runs: what both have in common is not counted.
///
/// In each of them exactly one is looked at whole, which allocates more than the execution itself.
const EXECUTIONS: usize = 500;

/// Executions in flight.
const IN_FLIGHT: usize = 100;

/// How often: the least counts, as nothing but the growth of tables that are used again can be above it.
const ROUNDS: usize = 3;

/// Executions that wait.
const WAITING: usize = 10_000;

/// Asks the allocator of this program what it has counted.
pub type Counter = fn() -> Counted;

/// What an allocator has counted since the program began.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counted {
    /// How often something was allocated, or moved because it grew.
    pub allocations: u64,
    /// Bytes that were allocated in all.
    pub bytes: u64,
}

/// One contender on one shape.
#[derive(Clone, Debug, Serialize)]
pub struct Allocations {
    /// The shape.
    pub shape: &'static str,
    /// The contender.
    pub contender: &'static str,
    /// How many tasks an execution has.
    pub tasks: usize,
    /// For each execution, what the caller allocates for it included.
    pub per_execution: f64,
    /// Bytes for each execution, those included that were given back meanwhile.
    pub bytes_per_execution: f64,
    /// The most that is promised.
    pub bound: Option<f64>,
}

/// Executions of ten tasks that wait.
#[derive(Clone, Debug, Serialize)]
pub struct Waiting {
    /// What for.
    pub what: &'static str,
    /// The contender.
    pub contender: &'static str,
    /// For each of them.
    pub bytes_per_execution: f64,
    /// The most that is promised.
    pub bound: Option<f64>,
}

/// Both.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What executions allocate.
    pub allocations: Vec<Allocations>,
    /// What they keep.
    pub waiting: Vec<Waiting>,
}

/// What is promised of finale on the thread that calls it, shape by shape: as measured, and a little room.
const ALLOCATIONS_MAX: [(&str, f64); 5] = [
    ("single", 6.0),
    ("chain-10", 7.0),
    ("fan-out-1-100-1", 6.0),
    ("layers-10x10", 46.0),
    ("layers-10x10-yield", 380.0),
];

/// A handler that is at work and not ready.
const IN_HANDLER: &str = "handler at work";

/// Somebody outside who was asked.
const OUTSIDE: &str = "task outside";

/// What is promised of executions of ten tasks that wait for that, in bytes.
const BYTES_MAX: [(&str, f64); 2] = [(IN_HANDLER, 3_070.0), (OUTSIDE, 2_680.0)];

impl Report {
    /// What broke a promise, in words.
    pub fn broken(&self) -> Vec<String> {
        let allocations = self.allocations.iter().filter_map(|row| {
            let too_many = row.per_execution > row.bound?;
            too_many
                .then(|| format!("{} allocates {:.1} times for each {}", row.contender, row.per_execution, row.shape))
        });
        let waiting = self.waiting.iter().filter_map(|row| {
            let too_much = row.bytes_per_execution > row.bound?;
            too_much.then(|| format!("{} keeps {:.0} bytes: {}", row.contender, row.bytes_per_execution, row.what))
        });
        allocations.chain(waiting).collect()
    }
}

/// Counts those that are named, and weighs them by the bytes that are allocated.
pub fn measure(only: &Only, count: Counter, live: Weigh) -> Result<Report, BoxError> {
    let mut allocations = Vec::new();
    let mut waiting = Vec::new();
    let named = [names::HAND_LOOP, names::BARE_ACTIX_1, names::FINALE_CURRENT, names::FINALE_2];
    for name in named.into_iter().filter(|name| only.contender(name)) {
        let mut contender = crate::contender::by_name(name)?.ok_or("every name has a contender")?;
        for shape in only.shapes() {
            allocations.push(count_shape(contender.as_mut(), &shape, count)?);
        }
        if only.shape(Shape::chain().name) && name != names::FINALE_2 {
            let mut meter = Meter::of(WAITING, live);
            contender.hold(&Shape::chain(), WAITING, &mut meter)?;
            waiting.push(row(IN_HANDLER, name, meter.bytes_per_execution()?));
        }
    }
    if only.shape(Shape::chain().name) && only.contender(names::FINALE_CURRENT) {
        let mut meter = Meter::of(WAITING, live);
        finale_side::hold_outside(WAITING, &mut meter)?;
        waiting.push(row(OUTSIDE, names::FINALE_CURRENT, meter.bytes_per_execution()?));
    }
    Ok(Report { allocations, waiting })
}

fn row(what: &'static str, contender: &'static str, bytes_per_execution: f64) -> Waiting {
    Waiting { what, contender, bytes_per_execution, bound: bound(&BYTES_MAX, contender, what) }
}

fn bound(bounds: &[(&str, f64)], contender: &str, name: &str) -> Option<f64> {
    let found = bounds.iter().find(|(bounded, _)| contender == names::FINALE_CURRENT && *bounded == name);
    found.map(|(_, bound)| *bound)
}

fn count_shape(contender: &mut dyn Contender, shape: &Shape, count: Counter) -> Result<Allocations, Wrong> {
    let mut least: Option<(f64, f64)> = None;
    for _ in 0..ROUNDS {
        let (few, many) =
            (count_run(contender, shape, EXECUTIONS, count)?, count_run(contender, shape, 2 * EXECUTIONS, count)?);
        let each = |few: u64, many: u64| many.saturating_sub(few) as f64 / EXECUTIONS as f64;
        let found = (each(few.allocations, many.allocations), each(few.bytes, many.bytes));
        least = Some(least.map_or(found, |least| if found.0 < least.0 { found } else { least }));
    }
    let (per_execution, bytes_per_execution) = least.unwrap_or_default();
    let contender = contender.name();
    let bound = bound(&ALLOCATIONS_MAX, contender, shape.name);
    Ok(Allocations { shape: shape.name, contender, tasks: shape.tasks(), per_execution, bytes_per_execution, bound })
}

fn count_run(
    contender: &mut dyn Contender,
    shape: &Shape,
    executions: usize,
    count: Counter,
) -> Result<Counted, Wrong> {
    let before = count();
    check::run(contender, shape, Load { executions, in_flight: IN_FLIGHT })?;
    let after = count();
    Ok(Counted { allocations: after.allocations - before.allocations, bytes: after.bytes - before.bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_was_promised_is_a_broken_promise() {
        let waiting = |bytes| Waiting { bound: Some(700.0), ..row(OUTSIDE, "", bytes) };
        let report = |bytes| Report { allocations: Vec::new(), waiting: vec![waiting(bytes)] };
        assert!(report(700.0).broken().is_empty());
        assert_eq!(report(701.0).broken().len(), 1);
    }

    #[test]
    fn every_shape_has_a_bound() {
        for shape in Shape::all() {
            assert!(bound(&ALLOCATIONS_MAX, names::FINALE_CURRENT, shape.name).is_some(), "{}", shape.name);
        }
    }
}
