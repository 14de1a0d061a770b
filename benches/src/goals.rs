//! What finale has promised, and what came of it.

use serde::Serialize;

use crate::contender::names;
use crate::durable::Durable;
use crate::durable::restart::Restarts;
use crate::durable::row::Row;
use crate::durable::scale::Scale;
use crate::report::Measured;
use crate::retention::{Kind, Retention};

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
    /// Whether a run fails that misses it: only where the machine has no say in it.
    pub decides: bool,
}

/// The syncs of a task as they are printed, in hundredths: a checkpoint is one more for thousands of commits.
fn syncs_shown(row: &Row) -> f64 {
    (row.syncs_per_task * 100.0).round() / 100.0
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
        Self { what, side, target, unit, measured, verdict, decides: false }
    }

    fn deciding(self) -> Self {
        Self { decides: true, ..self }
    }

    /// Whether a run fails because of it.
    pub fn fails(&self) -> bool {
        self.decides && self.verdict == Verdict::Missed
    }

    fn at_least(what: &'static str, target: f64, measured: Option<f64>) -> Self {
        Self::new(what, Side::AtLeast, target, "x", measured)
    }

    fn at_most(what: &'static str, target: f64, unit: &'static str, measured: Option<f64>) -> Self {
        Self::new(what, Side::AtMost, target, unit, measured)
    }
}

/// What a MiB is.
const MEBIBYTE: f64 = 1_048_576.0;

/// Compares what was measured with what was promised.
pub fn judge(measured: &Measured) -> Vec<Goal> {
    let bare = |shape| ratio(measured, shape, names::FINALE_CURRENT, names::BARE_ACTIX_1);
    let by_hand = |shape| ratio(measured, shape, names::FINALE_2, names::HAND_LOOP);
    let p50 = |shape| p50_on_current(measured, shape);
    vec![
        Goal::at_least("current shard / bare actix, single", 0.65, bare("single")),
        Goal::at_least("current shard / bare actix, chain-10", 0.75, bare("chain-10")),
        Goal::at_least("current shard / bare actix, fan-out-1-100-1", 0.26, bare("fan-out-1-100-1")),
        Goal::at_least("current shard / bare actix, layers-10x10", 0.38, bare("layers-10x10")),
        Goal::at_least("2 shards / hand loop, single", 0.45, by_hand("single")),
        Goal::at_least("2 shards / hand loop, chain-10", 0.75, by_hand("chain-10")),
        Goal::at_least("2 shards / hand loop, fan-out-1-100-1", 3.2, by_hand("fan-out-1-100-1")),
        Goal::at_least("2 shards / hand loop, layers-10x10", 2.5, by_hand("layers-10x10")),
        Goal::at_least("2 shards / hand loop, layers-10x10-yield", 1.0, by_hand("layers-10x10-yield")),
        Goal::at_most("p50 on the idle current shard, single", 2.0, "us", p50("single")),
        Goal::at_most("p50 on the idle current shard, chain-10", 6.0, "us", p50("chain-10")),
        Goal::at_most("waiting chain-10, largest configuration", 1_800.0, "bytes", heaviest(measured)),
        Goal::at_least("2 shards, all at once / fed in", 0.7, at_once(measured)),
    ]
}

/// Compares what was measured of durability with what was promised. Counts decide; how fast a disk is, and how many cores
/// are free, does not.
pub fn judge_durable(durable: &Durable, scale: &Scale) -> Vec<Goal> {
    let row = |shape, at_once| durable_row(durable, shape, at_once);
    let to_group_commit = |shape| row(shape, scale.crowd())?.to_group_commit;
    let lone = row("chain-10", 1);
    let tasks = Goal::new(
        "durable tasks, chain-10, 1,000 at once",
        Side::AtLeast,
        60_000.0,
        "tasks/s",
        row("chain-10", scale.crowd()).map(|row| row.tasks_per_second),
    );
    let Restarts { first, second } = durable.recovery.restarts;
    let peak = first.resident_bytes_max.map(|bytes| bytes as f64 / MEBIBYTE);
    let went_on = first.recovered_s.max(first.dispatched_s);
    let extra = (first.appends_of_waiting + second.appends_of_waiting) as f64;
    vec![
        Goal::at_least("rows / bare group commit, single, 1,000 at once", 0.25, to_group_commit("single")),
        Goal::at_least("rows / bare group commit, chain-10, 1,000 at once", 0.45, to_group_commit("chain-10")),
        tasks,
        Goal::at_most("syncs of a task, lone chain-10", 1.1, "syncs", lone.map(syncs_shown)).deciding(),
        Goal::at_most("appends of a lone chain-10", 11.0, "", lone.map(|row| row.appends_per_execution)).deciding(),
        Goal::at_most("100,000 executions go on", 3.0, "s", Some(went_on)),
        Goal::at_most("memory of the process then, at most", 1_024.0, "MiB", peak).deciding(),
        Goal::at_most("appends of those that only wait", 0.0, "", Some(extra)).deciding(),
    ]
}

/// Compares what was measured of retention with what was promised.
pub fn judge_retention(retention: &[Retention]) -> Vec<Goal> {
    retention.iter().flat_map(judge_retention_of).collect()
}

fn judge_retention_of(Retention { journal, steady, backlog }: &Retention) -> [Goal; 3] {
    let [throughput, lone, rate] = match journal {
        Kind::Memory => {
            ["bounded / for ever, in memory", "p99 of a lone one beside / without, in memory", "backlog, in memory"]
        }
        Kind::Sqlite => ["bounded / for ever, SQLite", "p99 of a lone one beside / without, SQLite", "backlog, SQLite"],
    };
    [
        Goal::at_least(throughput, 0.9, Some(steady.ratio)),
        Goal::at_most(lone, 2.0, "x", Some(backlog.lone_p99_beside_us / backlog.lone_p99_us)),
        Goal::new(rate, Side::AtLeast, 20_000.0, "/s", Some(backlog.forgotten_beside_load)),
    ]
}

fn durable_row<'a>(durable: &'a Durable, shape: &str, at_once: usize) -> Option<&'a Row> {
    let mut full = durable.loads.iter().filter(|row| row.contender == names::FINALE_FULL);
    full.find(|row| row.shape == shape && row.at_once == at_once)
}

fn ratio(measured: &Measured, shape: &str, contender: &str, baseline: &str) -> Option<f64> {
    let throughput = measured.throughput.iter().find(|throughput| throughput.shape == shape)?;
    throughput.ratio(contender, baseline)
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

    #[test]
    fn only_a_deciding_goal_that_was_missed_fails_a_run() {
        let goal = |value| Goal::at_most("", 1.3, "syncs", value);
        assert!(goal(Some(1.4)).deciding().fails());
        assert!(!goal(Some(1.4)).fails());
        assert!(!goal(Some(1.3)).deciding().fails());
        assert!(!goal(None).deciding().fails());
    }
}
