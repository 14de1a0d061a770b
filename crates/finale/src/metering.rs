//! Metrics: handles are looked up once per definition and shard, so that counting costs no look-up.
//!
//! They are bound to the recorder that is installed when a definition is first activated: install it before.

use std::cell::Cell;
use std::time::Duration;

use finale_core::fact::Terminal;
use finale_core::{Compiled, FailureClass, NodeIndex};
use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

use crate::fence::fenced_observer;
use crate::telemetry::metric;

/// What is counted of one shard.
pub(crate) struct ShardMetrics {
    pub(crate) executions_running: Share,
    pub(crate) tasks_running: Share,
    pub(crate) admission_queue: Share,
    pub(crate) task_queue: Share,
    commit_facts: Histogram,
    commit_seconds: Histogram,
}

/// What one shard adds to a gauge of the runtime, until it is dropped.
///
/// Shards that set the gauge would overwrite each other, so each only says by how much its share has changed.
pub(crate) struct Share {
    gauge: Gauge,
    share: Cell<usize>,
}

/// What is counted of one definition.
pub(crate) struct WorkflowMetrics {
    activated: Counter,
    ended: [Counter; 3],
    duration: Histogram,
    tasks: Box<[Option<TaskMetrics>]>,
}

struct TaskMetrics {
    completed: Counter,
    failed: [Counter; FailureClass::ALL.len()],
    duration: Histogram,
}

const ENDS: [Terminal; 3] = [Terminal::Completed, Terminal::Failed, Terminal::Cancelled];

/// Tells the recorder what the metrics mean.
fn describe() {
    describe_counter!(metric::EXECUTIONS_TOTAL, "Executions that were activated or ended, by workflow and status");
    describe_histogram!(metric::EXECUTION_DURATION_SECONDS, Unit::Seconds, "Time from activation to end, by workflow");
    describe_counter!(metric::TASKS_TOTAL, "Attempts that came to a result, by workflow, task and outcome");
    describe_histogram!(metric::TASK_DURATION_SECONDS, Unit::Seconds, "Time that attempts took, by workflow and task");
    describe_gauge!(metric::EXECUTIONS_RUNNING, "Executions that have not ended");
    describe_gauge!(metric::TASKS_RUNNING, "Handlers at work");
    describe_gauge!(metric::ADMISSION_QUEUE_DEPTH, "Executions that were handed in and wait to be admitted");
    describe_gauge!(metric::TASK_QUEUE_DEPTH, "Tasks that wait for a limit on handlers");
    describe_histogram!(metric::JOURNAL_COMMIT_FACTS, Unit::Count, "Facts in one append to the journal");
    describe_histogram!(metric::JOURNAL_COMMIT_SECONDS, Unit::Seconds, "Time from append to durable");
}

impl ShardMetrics {
    pub(crate) fn new() -> Self {
        describe();
        Self {
            executions_running: Share::of(gauge!(metric::EXECUTIONS_RUNNING)),
            tasks_running: Share::of(gauge!(metric::TASKS_RUNNING)),
            admission_queue: Share::of(gauge!(metric::ADMISSION_QUEUE_DEPTH)),
            task_queue: Share::of(gauge!(metric::TASK_QUEUE_DEPTH)),
            commit_facts: histogram!(metric::JOURNAL_COMMIT_FACTS),
            commit_seconds: histogram!(metric::JOURNAL_COMMIT_SECONDS),
        }
    }

    pub(crate) fn committed(&self, facts: u32) {
        fenced_observer(|| self.commit_facts.record(f64::from(facts)));
    }

    pub(crate) fn durable_after(&self, took: Duration) {
        fenced_observer(|| self.commit_seconds.record(took));
    }
}

impl Share {
    fn of(gauge: Gauge) -> Self {
        Self { gauge, share: Cell::new(0) }
    }

    pub(crate) fn set(&self, share: usize) {
        let before = self.share.replace(share);
        if share > before {
            fenced_observer(|| self.gauge.increment((share - before) as f64));
        } else if share < before {
            fenced_observer(|| self.gauge.decrement((before - share) as f64));
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

impl WorkflowMetrics {
    pub(crate) fn new(compiled: &Compiled) -> Self {
        let workflow = compiled.definition().id.clone();
        let total = |status: &'static str| counter!(metric::EXECUTIONS_TOTAL, "workflow" => workflow.clone(), "status" => status);
        let task = |node| compiled.is_task(node).then(|| TaskMetrics::new(&workflow, &compiled.node(node).id));
        Self {
            activated: total("activated"),
            ended: ENDS.map(|end| total(end.name())),
            duration: histogram!(metric::EXECUTION_DURATION_SECONDS, "workflow" => workflow.clone()),
            tasks: compiled.all_positions().map(task).collect(),
        }
    }

    pub(crate) fn activated(&self) {
        fenced_observer(|| self.activated.increment(1));
    }

    pub(crate) fn ended(&self, status: finale_core::ExecutionStatus, took: Duration) {
        for (end, counter) in ENDS.iter().zip(&self.ended) {
            if finale_core::ExecutionStatus::from(*end) == status {
                fenced_observer(|| counter.increment(1));
            }
        }
        fenced_observer(|| self.duration.record(took));
    }

    pub(crate) fn attempted(&self, node: NodeIndex, failure: Option<FailureClass>, took: Duration) {
        if let Some(task) = &self.tasks[node.as_usize()] {
            task.attempted(failure, took);
        }
    }
}

impl TaskMetrics {
    fn new(workflow: &str, id: &str) -> Self {
        let (workflow, task) = (workflow.to_owned(), id.to_owned());
        let total = |outcome: &'static str| counter!(metric::TASKS_TOTAL, "workflow" => workflow.clone(), "task" => task.clone(), "outcome" => outcome);
        Self {
            completed: total("completed"),
            failed: FailureClass::ALL.map(|class| total(class.name())),
            duration: histogram!(metric::TASK_DURATION_SECONDS, "workflow" => workflow.clone(), "task" => task.clone()),
        }
    }

    fn attempted(&self, failure: Option<FailureClass>, took: Duration) {
        match failure {
            None => fenced_observer(|| self.completed.increment(1)),
            Some(class) => {
                let place = FailureClass::ALL.iter().position(|known| *known == class);
                if let Some(counter) = place.and_then(|place| self.failed.get(place)) {
                    fenced_observer(|| counter.increment(1));
                }
            }
        }
        fenced_observer(|| self.duration.record(took));
    }
}
