//! The names of log events and metrics, in one place.

/// The target of all log events.
pub const TARGET: &str = "finale";

/// Values of the `event` field of log events.
pub mod event {
    /// An execution was activated.
    pub const ACTIVATED: &str = "workflow.execution.activated";
    /// An execution completed.
    pub const COMPLETED: &str = "workflow.execution.completed";
    /// An execution failed.
    pub const FAILED: &str = "workflow.execution.failed";
    /// An execution was cancelled.
    pub const CANCELLED: &str = "workflow.execution.cancelled";
    /// An execution that is over was to be cancelled.
    pub const CANCEL_CONFLICT: &str = "workflow.execution.cancel_conflict";
    /// An execution went from one status to another.
    pub const STATUS_TRANSITIONED: &str = "workflow.execution.status_transitioned";
    /// A node went from one status to another.
    pub const NODE_STATUS_TRANSITIONED: &str = "workflow.execution.node_status_transitioned";
    /// An attempt at a task was done.
    pub const NODE_TASK_COMPLETED: &str = "workflow.execution.node_task_completed";
    /// An attempt at a task failed.
    pub const NODE_TASK_FAILED: &str = "workflow.execution.node_task_failed";
    /// A task was handed to whoever does it.
    pub const TASK_CREATED: &str = "workflow.execution.task_created";
    /// A node was skipped.
    pub const NODE_SKIPPED: &str = "workflow.execution.node_skipped";
    /// A condition was evaluated.
    pub const CONDITION_EVALUATED: &str = "workflow.execution.condition_evaluated";
    /// An expression could not be evaluated.
    pub const CONDITION_EVAL_FAILED: &str = "workflow.execution.condition_eval_failed";
    /// A definition was refused.
    pub const INVALID_DEFINITION: &str = "workflow.execution.invalid_definition";
    /// Something was asked of an execution that is not there.
    pub const NOT_FOUND: &str = "workflow.execution.not_found";
    /// Something was asked of an execution that is not running.
    pub const INVALID_STATUS: &str = "workflow.execution.invalid_status";
    /// An outcome came too late, twice or for nothing.
    pub const LATE_EVENT: &str = "workflow.execution.late_event";
}

/// Names of metrics.
pub mod metric {
    /// Counter: executions that were activated or ended, by `workflow` and `status`.
    pub const EXECUTIONS_TOTAL: &str = "finale_executions_total";
    /// Histogram, seconds: from activation to end, by `workflow`.
    pub const EXECUTION_DURATION_SECONDS: &str = "finale_execution_duration_seconds";
    /// Counter: attempts that came to a result, by `task` and `outcome`.
    pub const TASKS_TOTAL: &str = "finale_tasks_total";
    /// Histogram, seconds: how long attempts took, by `task`.
    pub const TASK_DURATION_SECONDS: &str = "finale_task_duration_seconds";
    /// Gauge: executions that have not ended.
    pub const EXECUTIONS_RUNNING: &str = "finale_executions_running";
    /// Gauge: handlers at work.
    pub const TASKS_RUNNING: &str = "finale_tasks_running";
    /// Gauge: executions that were handed in and wait for a place.
    pub const ADMISSION_QUEUE_DEPTH: &str = "finale_admission_queue_depth";
    /// Gauge: tasks that wait for a place.
    pub const TASK_QUEUE_DEPTH: &str = "finale_task_queue_depth";
    /// Histogram, facts: how many one append holds.
    pub const JOURNAL_COMMIT_FACTS: &str = "finale_journal_commit_facts";
    /// Histogram, seconds: from append to durable, where that is not the same moment.
    pub const JOURNAL_COMMIT_SECONDS: &str = "finale_journal_commit_seconds";
}
