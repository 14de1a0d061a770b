//! What finale has promised, and what came of it.

use serde::Serialize;

use crate::contender::names;
use crate::report::Measured;

/// One promise.
#[derive(Clone, Debug, Serialize)]
pub struct Goal {
    /// What it is about.
    pub what: &'static str,
    /// On which side of the target is good.
    pub side: Side,
    /// The target.
    pub target: f64,
    /// In what the target and the value are counted.
    pub unit: &'static str,
    /// What was measured, if it could be.
    pub measured: Option<f64>,
    /// What that means.
    pub verdict: Verdict,
}

/// On which side of a target is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// More is better.
    AtLeast,
    /// Less is better.
    AtMost,
}

/// What became of a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Kept.
    Met,
    /// Broken.
    Missed,
    /// Nobody knows.
    NotMeasured,
}

impl Goal {
    fn new(what: &'static str, side: Side, target: f64, unit: &'static str, measured: Option<f64>) -> Self {
        let verdict = match (measured, side) {
            (None, _) => Verdict::NotMeasured,
            (Some(value), Side::AtLeast) if value >= target => Verdict::Met,
            (Some(value), Side::AtMost) if value <= target => Verdict::Met,
            _ => Verdict::Missed,
        };
        Self { what, side, target, unit, measured, verdict }
    }

    fn at_least(what: &'static str, target: f64, measured: Option<f64>) -> Self {
        Self::new(what, Side::AtLeast, target, "x", measured)
    }

    fn at_most(what: &'static str, target: f64, unit: &'static str, measured: Option<f64>) -> Self {
        Self::new(what, Side::AtMost, target, unit, measured)
    }
}

/// Compares what was measured with what was promised.
pub fn judge(measured: &Measured) -> Vec<Goal> {
    let ratio = |shape| ratio_to_hand_loop(measured, shape);
    let p50 = |shape| p50_on_current(measured, shape);
    vec![
        Goal::at_least("2 shards / hand loop, fan-out-1-100-1", 1.0, ratio("fan-out-1-100-1")),
        Goal::at_least("2 shards / hand loop, layers-10x10", 1.0, ratio("layers-10x10")),
        Goal::at_least("2 shards / hand loop, chain-10", 0.4, ratio("chain-10")),
        Goal::at_least("2 shards / hand loop, single", 0.3, ratio("single")),
        Goal::at_most("p50 on the idle current shard, single", 8.0, "us", p50("single")),
        Goal::at_most("p50 on the idle current shard, chain-10", 40.0, "us", p50("chain-10")),
        Goal::at_most("waiting chain-10, largest configuration", 3_072.0, "bytes", heaviest(measured)),
        Goal::at_least("2 shards, all at once / fed in", 0.7, at_once(measured)),
    ]
}

fn ratio_to_hand_loop(measured: &Measured, shape: &str) -> Option<f64> {
    let throughput = measured.throughput.iter().find(|throughput| throughput.shape == shape)?;
    throughput.ratio(names::FINALE_2, names::HAND_LOOP)
}

fn p50_on_current(measured: &Measured, shape: &str) -> Option<f64> {
    let mut latencies = measured.latency.iter();
    let latency = latencies.find(|latency| latency.shape == shape && latency.contender == names::FINALE_CURRENT)?;
    Some(latency.p50_us)
}

fn heaviest(measured: &Measured) -> Option<f64> {
    let all = measured.memory.iter().flatten();
    let finale = all.filter(|memory| names::FINALE.contains(&memory.contender));
    finale.map(|memory| memory.bytes_per_execution).max_by(f64::total_cmp)
}

fn at_once(measured: &Measured) -> Option<f64> {
    measured.at_once.iter().find(|row| row.contender == names::FINALE_2).map(|row| row.ratio)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_on_the_target_meets_it() {
        assert_eq!(Goal::at_least("", 0.7, Some(0.7)).verdict, Verdict::Met);
        assert_eq!(Goal::at_least("", 0.7, Some(0.69)).verdict, Verdict::Missed);
        assert_eq!(Goal::at_most("", 8.0, "us", Some(8.0)).verdict, Verdict::Met);
        assert_eq!(Goal::at_most("", 8.0, "us", Some(8.1)).verdict, Verdict::Missed);
        assert_eq!(Goal::at_most("", 8.0, "us", None).verdict, Verdict::NotMeasured);
    }
}
