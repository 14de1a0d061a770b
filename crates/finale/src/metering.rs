//! Metrics: handles are looked up once per definition and shard, so that counting costs no look-up.
//!
//! They are bound to the recorder that is installed when a definition is first activated: install it before.

use std::time::Duration;

use finale_core::fact::Terminal;
use finale_core::{Compiled, FailureClass};
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use crate::telemetry::metric;

/// What is counted of one shard.
pub(crate) struct ShardMetrics {
    pub(crate) executions_running: Gauge,
    pub(crate) tasks_running: Gauge,
    pub(crate) admission_queue: Gauge,
    pub(crate) task_queue: Gauge,
    commit_facts: Histogram,
    commit_seconds: Histogram,
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
    failed: [Counter; CLASSES.len()],
    duration: Histogram,
}

const CLASSES: [FailureClass; 8] = [
    FailureClass::Failed,
    FailureClass::Cancelled,
    FailureClass::Rejected,
    FailureClass::Deleted,
    FailureClass::TimedOut,
    FailureClass::Panicked,
    FailureClass::Lost,
    FailureClass::Expression,
];

const ENDS: [Terminal; 3] = [Terminal::Completed, Terminal::Failed, Terminal::Cancelled];

impl ShardMetrics {
    pub(crate) fn new() -> Self {
        Self {
            executions_running: gauge!(metric::EXECUTIONS_RUNNING),
            tasks_running: gauge!(metric::TASKS_RUNNING),
            admission_queue: gauge!(metric::ADMISSION_QUEUE_DEPTH),
            task_queue: gauge!(metric::TASK_QUEUE_DEPTH),
            commit_facts: histogram!(metric::JOURNAL_COMMIT_FACTS),
            commit_seconds: histogram!(metric::JOURNAL_COMMIT_SECONDS),
        }
    }

    pub(crate) fn committed(&self, facts: u32) {
        self.commit_facts.record(f64::from(facts));
    }

    pub(crate) fn durable_after(&self, took: Duration) {
        self.commit_seconds.record(took);
    }
}

impl WorkflowMetrics {
    pub(crate) fn new(compiled: &Compiled) -> Self {
        let workflow = compiled.definition().id.clone();
        let total = |status: &'static str| counter!(metric::EXECUTIONS_TOTAL, "workflow" => workflow.clone(), "status" => status);
        let task = |node| compiled.is_task(node).then(|| TaskMetrics::new(&compiled.node(node).id));
        Self {
            activated: total("activated"),
            ended: ENDS.map(|end| total(end.name())),
            duration: histogram!(metric::EXECUTION_DURATION_SECONDS, "workflow" => workflow.clone()),
            tasks: (0..compiled.len() as u32).map(task).collect(),
        }
    }

    pub(crate) fn activated(&self) {
        self.activated.increment(1);
    }

    pub(crate) fn ended(&self, status: finale_core::ExecutionStatus, took: Duration) {
        for (end, counter) in ENDS.iter().zip(&self.ended) {
            if finale_core::ExecutionStatus::from(*end) == status {
                counter.increment(1);
            }
        }
        self.duration.record(took);
    }

    pub(crate) fn attempted(&self, node: u32, failure: Option<FailureClass>, took: Duration) {
        if let Some(task) = &self.tasks[node as usize] {
            task.attempted(failure, took);
        }
    }
}

impl TaskMetrics {
    fn new(id: &str) -> Self {
        let total =
            |outcome: &'static str| counter!(metric::TASKS_TOTAL, "task" => id.to_owned(), "outcome" => outcome);
        Self {
            completed: total("completed"),
            failed: CLASSES.map(|class| total(class.name())),
            duration: histogram!(metric::TASK_DURATION_SECONDS, "task" => id.to_owned()),
        }
    }

    fn attempted(&self, failure: Option<FailureClass>, took: Duration) {
        match failure {
            None => self.completed.increment(1),
            Some(class) => {
                let place = CLASSES.iter().position(|known| *known == class);
                if let Some(counter) = place.and_then(|place| self.failed.get(place)) {
                    counter.increment(1);
                }
            }
        }
        self.duration.record(took);
    }
}
