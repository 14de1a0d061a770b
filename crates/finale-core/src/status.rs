//! Where an execution and its nodes can be.

use serde::{Deserialize, Serialize};

/// Where an execution is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ExecutionStatus {
    /// Handed in, not yet acknowledged.
    #[default]
    Pending,
    /// Acknowledged; its tasks run.
    Running,
    /// How it ends is decided; what still runs is stopped or waited for.
    Ending,
    /// Parked after it brought its actor down again and again; an operator releases or fails it.
    Quarantined,
    /// Over: everything required was done.
    Completed,
    /// Over: a failure decided it.
    Failed,
    /// Over: somebody cancelled it.
    Cancelled,
}

impl ExecutionStatus {
    /// Whether nothing can change it any more.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// The name in records, logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Ending => "ending",
            Self::Quarantined => "quarantined",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl std::fmt::Display for ExecutionStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Where a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NodeStatus {
    /// Not reached yet.
    Pending,
    /// Reached: nothing but the execution itself keeps it from going on, be it that a split has no slot for it.
    Ready,
    /// Handed to its handler, which waits for a limit on handlers. An execution knows no limits, so whoever runs the
    /// handlers says this of a node that is running.
    Queued,
    /// A handler works on it.
    Running,
    /// It waits; [`WaitingFor`] says for what.
    Waiting,
    /// Done.
    Completed,
    /// Not done, and not tried again.
    Failed,
    /// Begun, and closed by the end of the execution or by a join that went on without it.
    Cancelled,
    /// Never begun: a decision, a failure before it, its trigger rule, a join that went on without it, or the end of the
    /// execution went past it.
    Skipped,
}

impl NodeStatus {
    /// Whether nothing can change it any more.
    pub const fn is_settled(self) -> bool {
        !matches!(self, Self::Pending | Self::Ready | Self::Queued | Self::Running | Self::Waiting)
    }

    /// The name in records and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }
}

impl std::fmt::Display for NodeStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What a waiting node waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WaitingFor {
    /// Somebody outside who was asked to do the task.
    Task,
    /// Somebody who judges the work before a verification.
    Verdict,
    /// A signal.
    Signal,
    /// A moment.
    Time,
    /// The moment of its next attempt.
    Backoff,
    /// What it runs in scopes of its own.
    Scope,
    /// Other executions, which its handler awaits. Like [`NodeStatus::Queued`] this is known to whoever runs the handlers.
    Execution,
    /// An operator who decides how it goes on.
    Operator,
}

impl WaitingFor {
    /// The name in records and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Verdict => "verdict",
            Self::Signal => "signal",
            Self::Time => "time",
            Self::Backoff => "backoff",
            Self::Scope => "scope",
            Self::Execution => "execution",
            Self::Operator => "operator",
        }
    }

    /// What the node waits for and what would help, in words that go on behind the node.
    ///
    /// ```
    /// # use finale_core::WaitingFor;
    /// assert_eq!(WaitingFor::Operator.in_words(), "is held: retry it, or complete, fail or skip it by hand");
    /// ```
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Task => {
                "waits for whoever does its task: report what came of it, or complete, fail or skip it by hand"
            }
            Self::Verdict => "waits for a verdict: give one",
            Self::Signal => "waits for a signal: send it, or complete, fail or skip the node by hand",
            Self::Time => "waits for its time: run it now, or complete, fail or skip it by hand",
            Self::Backoff => "waits for its next attempt: run it now, or complete, fail or skip it by hand",
            Self::Scope => "waits for what runs in it: let that end, or complete, fail or skip the node by hand",
            Self::Execution => "waits for other executions: let them end, or complete, fail or skip it by hand",
            Self::Operator => "is held: retry it, or complete, fail or skip it by hand",
        }
    }
}

impl std::fmt::Display for WaitingFor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
