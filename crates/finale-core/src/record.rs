//! An execution as others see it: what is stored, shown and handed over.
//!
//! Serialized flat (`status`, `completed_at`, `error`, ...) and checked when read back.

mod counts;
mod custom_status;
mod flat;
mod items;
mod progress;
mod queue;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::failure::FailureClass;
use crate::id::{AttemptNo, ExecutionId, TaskId};
use crate::payload::{Payload, PayloadError};
use crate::status::{ExecutionStatus, NodeStatus, WaitingFor};
use crate::time::Time;

pub use custom_status::CustomStatus;
pub use flat::RecordError;
pub use items::ItemCounts;
pub use progress::TaskProgress;
pub use queue::{ConcurrencyLimit, HeldUp, HeldUpBy, QueuePosition};

/// Everything there is to know about one execution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "flat::FlatRecord", try_from = "flat::FlatRecord")]
pub struct Record {
    /// Its id.
    pub id: ExecutionId,
    /// What it runs.
    pub workflow: WorkflowName,
    /// Who activated it.
    pub activated_by: String,
    /// When.
    pub created_at: Time,
    /// What it was given.
    pub input: Payload,
    /// What repetitions of its activation are known by.
    pub idempotency_key: Option<String>,
    /// What people find it by.
    pub business_key: Option<String>,
    /// When it must be over.
    pub deadline: Option<Time>,
    /// Where it is.
    pub state: State,
    /// How many tasks are where.
    pub counts: Counts,
    /// What a handler says of it in a line of its own; none if none does.
    pub custom_status: Option<CustomStatus>,
    /// Its nodes, in the order of the definition.
    pub nodes: Vec<NodeRecord>,
    /// Signals that no node has taken, in the order in which they came.
    pub signals: Vec<SignalRecord>,
}

/// A signal that no node of an execution has taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignalRecord {
    /// The name that nodes wait for.
    pub name: String,
    /// What repetitions of it are known by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Who sent it.
    pub by: String,
    /// When it came.
    pub at: Time,
    /// What it says.
    #[serde(default)]
    pub payload: Payload,
}

/// Names the definition of an execution.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct WorkflowName {
    /// The id of the definition.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Where an execution is, with what is known there and only there.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum State {
    /// Handed in, not yet acknowledged.
    Pending,
    /// Its tasks run.
    Running,
    /// Its end is decided, by that clause.
    Ending(DecidedBy),
    /// Parked after it brought its actor down again and again.
    Quarantined {
        /// What happened.
        reason: String,
    },
    /// Over.
    Ended(Outcome),
}

impl State {
    /// The status alone.
    pub fn status(&self) -> ExecutionStatus {
        match self {
            Self::Pending => ExecutionStatus::Pending,
            Self::Running => ExecutionStatus::Running,
            Self::Ending(_) => ExecutionStatus::Ending,
            Self::Quarantined { .. } => ExecutionStatus::Quarantined,
            Self::Ended(outcome) => outcome.status(),
        }
    }
}

/// How an execution ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// When.
    pub completed_at: Time,
    /// Which clause decided it.
    pub decided_by: DecidedBy,
    /// How many tasks ended where.
    pub counts: Counts,
    /// What was to be done at the end, to undo what was done or because `finally` says so, and was not; in the order in which
    /// that became known, at most [`ENDING_FAILURES_MAX`]. It changes nothing of the end.
    pub ending_failures: Vec<EndingFailure>,
    /// How many more there are.
    pub ending_failures_more: u32,
    /// As what.
    pub end: End,
}

/// As many failures of compensation and `finally` are kept one by one; of more it is known how many there are.
pub const ENDING_FAILURES_MAX: usize = 20;

/// Something that was to be done at the end of a scope, and was not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EndingFailure {
    /// What was to be done.
    pub kind: EndingKind,
    /// The path of the node that was to be undone; of a `finally` the path of the scope that it belongs to, empty for the
    /// execution itself.
    pub of: String,
    /// How it failed; none if it was never begun, because the end was forced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<FailureClass>,
    /// Why, in words; empty if it was never begun.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// What is done at the end of a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EndingKind {
    /// A node is undone: `compensate`.
    Compensation,
    /// What is always done: `finally`.
    Finally,
}

impl fmt::Display for EndingFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind, self.of.as_str()) {
            (EndingKind::Compensation, of) => write!(f, "the compensation of {of}")?,
            (EndingKind::Finally, "") => f.write_str("finally")?,
            (EndingKind::Finally, of) => write!(f, "finally of {of}")?,
        }
        match self.class {
            None => f.write_str(" was not run"),
            Some(FailureClass::Cancelled) => write!(f, " was not finished: {}", self.reason),
            Some(_) => write!(f, " failed: {}", self.reason),
        }
    }
}

/// The three ways to be over.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// Everything required was done.
    Completed {
        /// What came of it.
        output: Payload,
    },
    /// A failure decided it.
    Failed {
        /// Which, and all others.
        error: ExecutionError,
    },
    /// Somebody cancelled it.
    Cancelled {
        /// Who.
        by: String,
    },
}

impl Outcome {
    /// The status alone.
    pub fn status(&self) -> ExecutionStatus {
        match self.end {
            End::Completed { .. } => ExecutionStatus::Completed,
            End::Failed { .. } => ExecutionStatus::Failed,
            End::Cancelled { .. } => ExecutionStatus::Cancelled,
        }
    }

    /// The output as the type the caller expects.
    pub fn output<T: serde::de::DeserializeOwned>(&self) -> Result<T, OutputError> {
        match &self.end {
            End::Completed { output } => output.decode().map_err(OutputError::Type),
            End::Failed { error } => Err(OutputError::Failed(error.clone())),
            End::Cancelled { by } => Err(OutputError::Cancelled { by: by.clone() }),
        }
    }

    /// Why it failed; none if it did not.
    pub fn error(&self) -> Option<&ExecutionError> {
        match &self.end {
            End::Failed { error } => Some(error),
            _ => None,
        }
    }
}

/// Why an execution has no output.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// The output is of another type.
    #[error("the output is not of the expected type: {0}")]
    Type(#[source] PayloadError),
    /// It failed.
    #[error(transparent)]
    Failed(ExecutionError),
    /// It was cancelled.
    #[error("the execution was cancelled by {by}")]
    Cancelled {
        /// Who cancelled it.
        by: String,
    },
}

impl OutputError {
    /// The name of the kind of error, which does not change between versions.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Type(_) => "output_type",
            Self::Failed(_) => "execution_failed",
            Self::Cancelled { .. } => "execution_cancelled",
        }
    }
}

/// Why an execution failed; never blank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutionError {
    message: Box<str>,
    failures: Box<[NodeFailure]>,
}

impl ExecutionError {
    /// An error in words, with the failed nodes behind it, the cause first.
    ///
    /// Blank words are no error: there is none then.
    pub fn new(message: impl Into<Box<str>>, failures: Vec<NodeFailure>) -> Option<Self> {
        let message = message.into();
        (!message.trim().is_empty()).then(|| Self { message, failures: failures.into() })
    }

    /// The error in words.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The nodes that failed, in the order in which they did; the first is the cause.
    pub fn failures(&self) -> &[NodeFailure] {
        &self.failures
    }
}

impl fmt::Display for ExecutionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ExecutionError {}

/// One failed node: a task, or a condition that could not be evaluated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeFailure {
    /// Id of the node.
    pub node: String,
    /// What kind of node it is, like [`NodeRecord::kind`].
    pub kind: String,
    /// What was to be done.
    pub title: String,
    /// The last attempt.
    pub attempt: u16,
    /// How many attempts it had.
    pub attempts: u16,
    /// What kind of failure it was.
    pub class: FailureClass,
    /// Which failure it was, for programs, if whoever reported it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// In the words of whoever reported it.
    pub reason: String,
}

impl fmt::Display for NodeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind.as_str() {
            "conditional" => "condition",
            "subworkflow" => "sub-workflow",
            kind => kind,
        };
        write!(f, "{kind} \"{}\" ({}) {}", self.title, self.node, self.class)?;
        if !self.reason.is_empty() {
            write!(f, ": {}", self.reason)?;
        }
        // A task whose input could not be evaluated never came to an attempt.
        if self.attempts > 1 && self.attempt > 0 {
            write!(f, " [attempt {} of {}]", self.attempt, self.attempts)?;
        }
        Ok(())
    }
}

/// Which clause decided how an execution ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "clause", rename_all = "snake_case")]
#[non_exhaustive]
pub enum DecidedBy {
    /// Everything is settled, and no failure counts against it.
    AllSettled,
    /// `fail_fast`: the first failure.
    FailFast {
        /// Id of the node that failed.
        node: String,
    },
    /// `wait_all`: failures, after everything else was done.
    WaitAll {
        /// Id of the node that failed first.
        node: String,
    },
    /// `tolerate`: one failure more than tolerated.
    Tolerate {
        /// Id of the node whose failure was one too many.
        node: String,
        /// How many are tolerated.
        count: u32,
    },
    /// An operator declared it.
    Operator {
        /// Who.
        by: String,
    },
    /// Its deadline passed.
    Deadline,
    /// Its output could not be evaluated.
    Output,
    /// Nothing could move any more.
    Stalled {
        /// Ids of the nodes that were open.
        nodes: Vec<String>,
    },
    /// Somebody cancelled it.
    Cancelled {
        /// Who.
        by: String,
    },
}

impl fmt::Display for DecidedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllSettled => f.write_str("everything is settled"),
            Self::FailFast { node } => write!(f, "{node} failed, and the first failure decides (fail_fast)"),
            Self::WaitAll { node } => {
                write!(f, "{node} failed, and everything that did not need it was done (wait_all)")
            }
            Self::Tolerate { node, count } => write!(f, "{node} failed, and {count} failures are tolerated (tolerate)"),
            Self::Operator { by } => write!(f, "{by} declared it"),
            Self::Deadline => f.write_str("its deadline passed"),
            Self::Output => f.write_str("its output could not be evaluated"),
            Self::Stalled { nodes } => write!(f, "nothing could move any more: {}", nodes.join(", ")),
            Self::Cancelled { by } => write!(f, "{by} cancelled it"),
        }
    }
}

/// How many tasks are where. Every task is counted in exactly one status, so that the statuses add up to `tasks`; nodes
/// that are no tasks, conditions for instance, are not counted, even if they failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All tasks of the definition.
    pub tasks: u32,
    /// Not reached yet.
    pub pending: u32,
    /// Reached, and not begun.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub ready: u32,
    /// With a handler at work.
    pub running: u32,
    /// Handed to their handlers, which wait for a limit on handlers.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub queued: u32,
    /// Waiting for the outside, for other executions, or for their next attempt.
    pub waiting: u32,
    /// Done.
    pub completed: u32,
    /// Not done, those that are tolerated included.
    pub failed: u32,
    /// Of those that failed, how many the execution can complete without: optional ones, those that a join can go on without,
    /// and once it has completed all that are not handled.
    pub tolerated: u32,
    /// Of those that failed, how many have their failure handled by another node.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub handled: u32,
    /// Begun, and closed by the end of the execution or by a join that went on without them.
    pub cancelled: u32,
    /// Never begun.
    pub skipped: u32,
    /// How many nodes were undone at the end. What undoes them and what `finally` runs is counted nowhere else.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub compensated: u32,
}

/// What is hardly ever there is left out.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// One node of one execution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "flat::FlatNode", try_from = "flat::FlatNode")]
pub struct NodeRecord {
    /// Its id in the definition.
    pub id: String,
    /// What kind of node it is.
    pub kind: String,
    /// What is to be done there, for people.
    pub title: String,
    /// The task it is; none for nodes that are no work.
    pub task_id: Option<TaskId>,
    /// Where it is; with the last attempt, if there are attempts.
    pub state: NodeRecordState,
    /// The attempts before that one, oldest first; only the last 100 of more.
    pub earlier: Vec<AttemptRecord>,
    /// How many items are where, of a map that was reached.
    pub items: Option<ItemCounts>,
    /// How many rounds have begun, of a loop that was reached.
    pub rounds: Option<u32>,
    /// How far its handler says it is. Only a runtime knows, while the handler is at work.
    pub progress: Option<TaskProgress>,
    /// What became of what undoes it, if that was begun. The node itself stays what it was.
    pub compensation: Option<CompensationState>,
}

/// What became of the work that undoes a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CompensationState {
    /// The node is being undone.
    Running,
    /// The node is undone.
    Completed,
    /// It could not be undone, or was to be and an end was forced; see [`Outcome::ending_failures`].
    Failed,
}

/// An attempt that was followed by another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// Which, counted from 1.
    pub attempt: AttemptNo,
    /// When it began.
    pub started_at: Time,
    /// When it was over.
    pub completed_at: Time,
    /// What kind of failure it was.
    pub class: FailureClass,
    /// Which failure it was, for programs, if whoever reported it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// In words; never blank.
    pub error: String,
}

/// Where a node is, with what is known there and only there.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum NodeRecordState {
    /// Not reached yet.
    Pending,
    /// Reached, and not begun.
    Ready,
    /// Handed to its handler, which waits for a limit on handlers. Only a runtime knows its queues, so a record that is
    /// read from a journal alone says [`Running`](Self::Running) instead.
    Queued {
        /// The attempt that waits.
        begun: Begun,
        /// Where it stands, and in which queue.
        queue: QueuePosition,
    },
    /// A handler works on it.
    Running(Begun),
    /// It waits.
    Waiting {
        /// The attempt that waits, or is waited for.
        begun: Begun,
        /// What for.
        waiting_for: WaitingFor,
    },
    /// Done.
    Completed {
        /// The attempt that did it.
        begun: Begun,
        /// When.
        completed_at: Time,
        /// What came of it; `null` for nodes that are no work.
        output: Payload,
    },
    /// Not done.
    Failed {
        /// The last attempt.
        begun: Begun,
        /// When it was over.
        completed_at: Time,
        /// What kind of failure it was.
        class: FailureClass,
        /// In words; never blank.
        error: String,
    },
    /// Closed by the end of the execution, or by a join that went on without it.
    Cancelled {
        /// The last attempt.
        begun: Begun,
        /// When it was closed.
        completed_at: Time,
    },
    /// Never begun.
    Skipped {
        /// Which decision, failure, rule, join or end went past it.
        reason: String,
    },
}

/// The attempt a node is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    /// Which; none for nodes without attempts.
    pub attempt: Option<AttemptNo>,
    /// When it began.
    pub started_at: Time,
}

impl NodeRecordState {
    /// The status alone.
    pub fn status(&self) -> NodeStatus {
        match self {
            Self::Pending => NodeStatus::Pending,
            Self::Ready => NodeStatus::Ready,
            Self::Queued { .. } => NodeStatus::Queued,
            Self::Running(_) => NodeStatus::Running,
            Self::Waiting { .. } => NodeStatus::Waiting,
            Self::Completed { .. } => NodeStatus::Completed,
            Self::Failed { .. } => NodeStatus::Failed,
            Self::Cancelled { .. } => NodeStatus::Cancelled,
            Self::Skipped { .. } => NodeStatus::Skipped,
        }
    }
}
