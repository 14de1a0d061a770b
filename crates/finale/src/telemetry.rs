//! The names of log events and metrics, in one place.
//!
//! Log events and [spans](span) are those of the crate `tracing`, metrics those of the crate `metrics`: what the application installs gets
//! them. Events and metrics tell only of what is durable. Metrics are bound to the recorder that is installed when a runtime starts and
//! when a definition is first activated: install it before.
//!
//! ```
//! use std::sync::atomic::{AtomicUsize, Ordering};
//!
//! use finale::prelude::*;
//! use finale::telemetry::{TARGET, event};
//! use tracing::field::{Field, Visit};
//! # use tracing::span;
//!
//! static COMPLETED: AtomicUsize = AtomicUsize::new(0);
//!
//! /// Counts executions that completed, by their log events.
//! struct Counting;
//!
//! impl Visit for Counting {
//!     fn record_str(&mut self, field: &Field, value: &str) {
//!         if field.name() == "event" && value == event::COMPLETED {
//!             COMPLETED.fetch_add(1, Ordering::Relaxed);
//!         }
//!     }
//! #     fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
//! }
//!
//! impl tracing::Subscriber for Counting {
//!     fn event(&self, event: &tracing::Event<'_>) {
//!         if event.metadata().target() == TARGET {
//!             event.record(&mut Counting);
//!         }
//!     }
//! #     fn enabled(&self, _: &tracing::Metadata<'_>) -> bool { true }
//! #     fn new_span(&self, _: &span::Attributes<'_>) -> span::Id { span::Id::from_u64(1) }
//! #     fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
//! #     fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
//! #     fn enter(&self, _: &span::Id) {}
//! #     fn exit(&self, _: &span::Id) {}
//! }
//!
//! # #[actix::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let _installed = tracing::subscriber::set_default(Counting);
//! let nothing = Workflow::builder("nothing").build()?;
//! let runtime = Runtime::builder().shards(Shards::Current).start()?;
//! runtime.activate(&nothing, ()).await?.outcome().await?;
//! assert_eq!(COMPLETED.load(Ordering::Relaxed), 1);
//! # Ok(())
//! # }
//! ```

/// The target of all log events.
pub const TARGET: &str = "finale";

/// Values of the `event` field of log events.
///
/// All have the field `execution`, except [`INVALID_DEFINITION`](event::INVALID_DEFINITION), which has `workflow`. The
/// level is DEBUG where nothing else is said. Beside them there are a few messages without an `event`, at WARN and ERROR:
/// about the journal, and about what should not happen.
pub mod event {
    /// An execution was activated. INFO; with `workflow`.
    pub const ACTIVATED: &str = "workflow.execution.activated";
    /// An execution completed. INFO; with `workflow` and `took`.
    pub const COMPLETED: &str = "workflow.execution.completed";
    /// An execution failed. WARN; with `workflow`, `took` and `error`. Of one that cannot be read, and that an operator has
    /// written off, only the `error` is known.
    pub const FAILED: &str = "workflow.execution.failed";
    /// An execution was cancelled. INFO; with `workflow`, `took` and `by`.
    pub const CANCELLED: &str = "workflow.execution.cancelled";
    /// An execution that is over was to be cancelled. With its `status`.
    pub const CANCEL_CONFLICT: &str = "workflow.execution.cancel_conflict";
    /// An execution went from one status to another. With `from` and `to`.
    pub const STATUS_TRANSITIONED: &str = "workflow.execution.status_transitioned";
    /// A node went from one status to another. With `node`, `from` and `to`.
    pub const NODE_STATUS_TRANSITIONED: &str = "workflow.execution.node_status_transitioned";
    /// An attempt at a task was done. With `node`, `attempt` and `took`.
    pub const NODE_TASK_COMPLETED: &str = "workflow.execution.node_task_completed";
    /// An attempt at a task failed. With `node`, `attempt`, `took` and `failure`.
    pub const NODE_TASK_FAILED: &str = "workflow.execution.node_task_failed";
    /// A task was handed to whoever does it. With `node`, `task` and `attempt`.
    pub const TASK_CREATED: &str = "workflow.execution.task_created";
    /// A node was skipped. With `node`.
    pub const NODE_SKIPPED: &str = "workflow.execution.node_skipped";
    /// A condition was evaluated. With `node` and `value`.
    pub const CONDITION_EVALUATED: &str = "workflow.execution.condition_evaluated";
    /// An expression could not be evaluated. With `node` and `reason`.
    pub const CONDITION_EVAL_FAILED: &str = "workflow.execution.condition_eval_failed";
    /// Somebody sent a signal. With `signal`, its name, `by`, and the `node` that had waited for it, if one had.
    pub const SIGNALLED: &str = "workflow.execution.signalled";
    /// A definition was refused. WARN; with `workflow` and `error`.
    pub const INVALID_DEFINITION: &str = "workflow.execution.invalid_definition";
    /// Something was asked of an execution that is not there.
    pub const NOT_FOUND: &str = "workflow.execution.not_found";
    /// Something was asked of an execution that is not running. With its `status`.
    pub const INVALID_STATUS: &str = "workflow.execution.invalid_status";
    /// An outcome or a signal came too late, twice or for nothing. With `what` and `reason`.
    pub const LATE_EVENT: &str = "workflow.execution.late_event";
}

/// Names of spans, all of level INFO. They cost nothing where no subscriber is interested.
///
/// Handlers run in them, so that what a handler logs has them as its context. One that blocks runs in them on its own
/// thread; an actor of the application does not.
pub mod span {
    /// An execution, a child of the span that was current where [`activate`](crate::Runtime::activate) was called. With
    /// `execution` and `workflow`. An execution that was found in a journal begins a trace of its own in each process.
    pub const EXECUTION: &str = "finale.execution";
    /// An attempt at a task by its handler, a child of [`EXECUTION`]. With `execution`, `workflow`, `node` and `attempt`.
    pub const TASK: &str = "finale.task";
}

/// Names of metrics.
///
/// ```
/// use std::collections::BTreeMap;
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use std::sync::{Arc, Mutex};
///
/// use finale::prelude::*;
/// use finale::telemetry::metric;
/// use metrics::{Counter, Key};
/// # use metrics::{Gauge, Histogram, KeyName, Metadata, Recorder, SharedString, Unit};
///
/// /// Keeps the counters; an application installs the exporter of its choice.
/// #[derive(Default)]
/// struct Counters(Mutex<BTreeMap<String, Arc<AtomicU64>>>);
///
/// # impl Recorder for Counters {
/// #     fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
/// #     fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
/// #     fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
/// #     fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
/// #         let labels: Vec<_> = key.labels().map(|label| label.value()).collect();
/// #         let name = format!("{} {}", key.name(), labels.join(" "));
/// #         Counter::from_arc(self.0.lock().unwrap().entry(name).or_default().clone())
/// #     }
/// #     fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge { Gauge::noop() }
/// #     fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram { Histogram::noop() }
/// # }
/// #
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let counters = Counters::default();
/// let _installed = metrics::set_default_local_recorder(&counters);
/// let nothing = Workflow::builder("nothing").build()?;
/// let runtime = Runtime::builder().shards(Shards::Current).start()?;
/// runtime.activate(&nothing, ()).await?.outcome().await?;
///
/// let name = format!("{} nothing completed", metric::EXECUTIONS_TOTAL);
/// assert_eq!(counters.0.lock().unwrap()[&name].load(Ordering::Relaxed), 1);
/// # Ok(())
/// # }
/// ```
pub mod metric {
    /// Counter: executions that were activated or ended, by `workflow` (its id) and `status`: `activated`, `completed`,
    /// `failed`, `cancelled`.
    pub const EXECUTIONS_TOTAL: &str = "finale_executions_total";
    /// Histogram, seconds: from activation to end, by `workflow` (its id).
    pub const EXECUTION_DURATION_SECONDS: &str = "finale_execution_duration_seconds";
    /// Counter: attempts that came to a result, by `workflow`, `task` (the id of its node) and `outcome`: `completed`, or the class of
    /// the failure.
    pub const TASKS_TOTAL: &str = "finale_tasks_total";
    /// Histogram, seconds: how long attempts took, by `workflow` and `task` (the id of its node).
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
