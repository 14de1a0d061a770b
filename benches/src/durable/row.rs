//! What the samples of one case come to.

use serde::Serialize;

use super::floor::{Bare, GroupCommit};
use super::load::{Case, Sample};
use crate::stats::{Spread, median, paired_ratio, percentile};

/// One case.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The shape.
    pub shape: &'static str,
    /// With or without a sync for each commit.
    pub contender: &'static str,
    /// How many executions were in flight.
    pub at_once: usize,
    /// From how many executions it is.
    pub executions: usize,
    /// Over the repetitions.
    pub executions_per_second: Spread,
    /// The median, in tasks.
    pub tasks_per_second: f64,
    /// The median, in appends. Each append writes one row of facts; that, and nothing else, counts as a row, though it
    /// writes its part of the summary as well.
    pub rows_per_second: f64,
    /// Those rows beside bare ones in transactions of as many rows as executions were in flight; only with a sync for
    /// each commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_group_commit: Option<f64>,
    /// Half of the executions took no longer.
    pub p50_us: f64,
    /// All but a hundredth took no longer.
    pub p99_us: f64,
    /// Appends for each execution: exact if one was in flight, else those of others count at the edges.
    pub appends_per_execution: f64,
    /// Transactions.
    pub commits: u64,
    /// Copies of the log into the database; each is synced as well.
    pub checkpoints: u64,
    /// How many appends share a commit.
    pub appends_per_commit: f64,
    /// The most that did.
    pub appends_max: u64,
    /// Commits and checkpoints for each task that was done.
    pub syncs_per_task: f64,
    /// Bytes that the process wrote for each task that was done; none if the system does not say.
    pub bytes_per_task: Option<f64>,
    /// What an append took of the journal's own thread; none if the system does not say.
    pub journal_us_per_append: Option<f64>,
    /// That beside what a bare row takes; none if the system does not say.
    pub to_bare_cpu: Option<f64>,
}

impl Row {
    pub(super) fn of(case: &Case, samples: &[Sample], group_commits: &[(usize, Vec<Bare>)]) -> Self {
        let rates = |count: fn(&Sample) -> f64| -> Vec<f64> {
            samples.iter().map(|sample| count(sample) / sample.elapsed.as_secs_f64()).collect()
        };
        let sum = |count: fn(&Sample) -> u64| samples.iter().map(count).sum::<u64>();
        let latencies: Vec<f64> =
            samples.iter().flat_map(|sample| &sample.latencies).map(|latency| latency.as_secs_f64() * 1e6).collect();
        let executions_per_second = Spread::of(&rates(|sample| sample.latencies.len() as f64));
        let rows = rates(|sample| sample.appends as f64);
        let (appends, commits) = (sum(|sample| sample.appends), sum(|sample| sample.commits));
        let checkpoints = sum(|sample| sample.checkpoints);
        let tasks = case.shape.tasks() as f64;
        let bare = group_commits.iter().find(|(rows, _)| *rows == case.at_once && case.is_synced());
        let total = |value: fn(&Sample) -> Option<f64>| samples.iter().map(value).sum::<Option<f64>>();
        let written = total(|sample| sample.used.written.map(|written| written as f64));
        let journal = total(|sample| sample.used.journal.map(|ran| ran.as_secs_f64() * 1e6));
        let journal_us_per_append = journal.map(|us| us / appends as f64);
        let bare_rates = bare.map(|(_, bare)| bare.iter().map(|bare| bare.rows_per_second).collect::<Vec<_>>());
        let bare_cpu = bare.and_then(|(rows, bare)| GroupCommit::of(*rows, bare).cpu_us_per_row);
        Self {
            shape: case.shape.name,
            contender: case.contender(),
            at_once: case.at_once,
            executions: latencies.len(),
            executions_per_second,
            tasks_per_second: executions_per_second.median * tasks,
            rows_per_second: median(&rows),
            to_group_commit: bare_rates.map(|bare| paired_ratio(&rows, &bare)),
            p50_us: percentile(&latencies, 0.5),
            p99_us: percentile(&latencies, 0.99),
            appends_per_execution: appends as f64 / latencies.len() as f64,
            commits,
            checkpoints,
            appends_per_commit: appends as f64 / commits as f64,
            appends_max: samples.iter().map(|sample| sample.appends_max).max().unwrap_or_default(),
            bytes_per_task: written.map(|bytes| bytes / (latencies.len() as f64 * tasks)),
            journal_us_per_append,
            to_bare_cpu: journal_us_per_append.zip(bare_cpu).map(|(append, row)| append / row),
            syncs_per_task: (commits + checkpoints) as f64 / (latencies.len() as f64 * tasks),
        }
    }
}
