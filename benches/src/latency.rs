//! One execution at a time on an idle engine.

use std::time::Duration;

use serde::Serialize;

use crate::check::{self, Wrong};
use crate::contender::{Contender, Measure};
use crate::scale::Scale;
use crate::shape::Shape;
use crate::stats::percentile;

/// One contender on one shape.
#[derive(Clone, Debug, Serialize)]
pub struct Latency {
    /// The shape.
    pub shape: &'static str,
    /// The contender.
    pub contender: &'static str,
    /// How many executions it is from.
    pub executions: usize,
    /// Half of them took no longer.
    pub p50_us: f64,
    /// All but a hundredth took no longer.
    pub p99_us: f64,
}

/// Measures these shapes, the contenders in turn.
pub fn measure(contenders: &mut [Box<dyn Contender>], shapes: &[Shape], scale: &Scale) -> Result<Vec<Latency>, Wrong> {
    let mut latencies = Vec::new();
    for shape in shapes {
        latencies.extend(measure_shape(contenders, shape, scale)?);
    }
    Ok(latencies)
}

fn measure_shape(contenders: &mut [Box<dyn Contender>], shape: &Shape, scale: &Scale) -> Result<Vec<Latency>, Wrong> {
    let mut all: Vec<_> = contenders
        .iter_mut()
        .filter(|contender| contender.takes_part(Measure::Latency))
        .map(|contender| (contender, Vec::new()))
        .collect();
    for _ in 0..scale.repetitions {
        for (contender, samples) in &mut all {
            check::latencies(contender.as_mut(), shape, scale.lone / 10)?; // warms up
            samples.extend(check::latencies(contender.as_mut(), shape, scale.lone)?.into_iter().map(microseconds));
        }
    }
    Ok(all.iter().map(|(contender, samples)| summary(shape, contender.name(), samples)).collect())
}

fn summary(shape: &Shape, contender: &'static str, samples: &[f64]) -> Latency {
    Latency {
        shape: shape.name,
        contender,
        executions: samples.len(),
        p50_us: percentile(samples, 0.5),
        p99_us: percentile(samples, 0.99),
    }
}

fn microseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
