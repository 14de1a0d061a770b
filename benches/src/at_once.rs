//! Very many executions handed in at once, beside the same number fed in as others end.
//!
//! An engine that begins all it is given works on cold memory; one that begins late what it cannot finish soon
//! should hardly notice.

use serde::Serialize;

use crate::check::{self, Wrong};
use crate::contender::{Contender, Load, Measure};
use crate::scale::Scale;
use crate::shape::Shape;
use crate::stats::{median, paired_ratio};

/// How many rounds: each one is long, and the ratio is taken within a round.
const ROUNDS: usize = 3;

/// One contender.
#[derive(Clone, Debug, Serialize)]
pub struct AtOnce {
    /// The shape.
    pub shape: &'static str,
    /// The contender.
    pub contender: &'static str,
    /// How many executions.
    pub executions: usize,
    /// Executions a second when all are handed in at once.
    pub at_once_per_second: f64,
    /// How many are in flight otherwise.
    pub in_flight: usize,
    /// Executions a second then.
    pub in_flight_per_second: f64,
    /// The first rate over the second, median over the rounds.
    pub ratio: f64,
}

/// Measures the chain of ten.
pub fn measure(contenders: &mut [Box<dyn Contender>], scale: &Scale) -> Result<Vec<AtOnce>, Wrong> {
    let shape = Shape::chain();
    let mut all: Vec<_> = contenders
        .iter_mut()
        .filter(|contender| contender.takes_part(Measure::AtOnce))
        .map(|contender| (contender, Vec::new(), Vec::new()))
        .collect();
    let flood = Load { executions: scale.at_once, in_flight: scale.at_once };
    let stream = Load { executions: scale.at_once, in_flight: scale.in_flight };
    for _ in 0..if scale.quick { 1 } else { ROUNDS } {
        for (contender, floods, streams) in &mut all {
            floods.push(check::rate(contender.as_mut(), &shape, flood)?);
            streams.push(check::rate(contender.as_mut(), &shape, stream)?);
        }
    }
    let row = |(contender, floods, streams): &(&mut Box<dyn Contender>, Vec<f64>, Vec<f64>)| AtOnce {
        shape: shape.name,
        contender: contender.name(),
        executions: scale.at_once,
        at_once_per_second: median(floods),
        in_flight: scale.in_flight,
        in_flight_per_second: median(streams),
        ratio: paired_ratio(floods, streams),
    };
    Ok(all.iter().map(row).collect())
}
