//! Why the runtime did not do what it was asked.

use finale_core::execution::Refused;
use finale_core::{ExecutionStatus, NodeStatus, PayloadError};
use finale_journal::JournalError;

/// A text is longer than allowed; see [`Limits::text_bytes_max`](crate::Limits::text_bytes_max).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} has {bytes} bytes, at most {bytes_max} are allowed")]
pub struct TooLong {
    /// Which text.
    pub what: &'static str,
    /// How long it is.
    pub bytes: usize,
    /// The limit.
    pub bytes_max: usize,
}

/// Why a command on an execution was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// There is no such execution, or it is forgotten.
    #[error("there is no such execution")]
    NotFound,
    /// The command needs a running execution.
    #[error("the execution is {0}, not running")]
    NotRunning(ExecutionStatus),
    /// The execution is over.
    #[error("the execution is over already: {0}")]
    AlreadyTerminal(ExecutionStatus),
    /// What was said makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// Who says so, or why, takes more bytes than allowed.
    #[error(transparent)]
    TooLong(#[from] TooLong),
    /// The node has not come to the point where this can be said.
    #[error("the node is {0}: it is too early for this")]
    NotReady(NodeStatus),
    /// The node is past the point where this could be said: it changes nothing.
    #[error("the node is {0} already")]
    AlreadySettled(NodeStatus),
    /// The journal failed, so that nothing can be made durable.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The runtime has stopped.
    #[error("the runtime has stopped")]
    Stopped,
}

/// Why a report on a task was not recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// There is no such task.
    #[error("there is no such task")]
    NotFound,
    /// The task is settled: this report changes nothing.
    #[error("the task is {0} already")]
    AlreadySettled(NodeStatus),
    /// The execution is over.
    #[error("the execution is over already: {0}")]
    AlreadyTerminal(ExecutionStatus),
    /// The report makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// The task cannot be reported on yet.
    #[error("the task is {0}: it is too early for this")]
    NotReady(NodeStatus),
    /// The output is no payload.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// Who says so takes more bytes than allowed.
    #[error(transparent)]
    TooLong(#[from] TooLong),
    /// Too many outcomes wait for tasks that were not asked for yet.
    #[error("{early_outcomes_max} early outcomes wait already")]
    Saturated {
        /// The limit.
        early_outcomes_max: usize,
    },
    /// The journal failed, so that nothing can be made durable.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The runtime has stopped.
    #[error("the runtime has stopped")]
    Stopped,
}

impl CommandError {
    /// The name of the kind of error, which does not change between versions.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::NotRunning(_) => "not_running",
            Self::AlreadyTerminal(_) => "already_terminal",
            Self::Invalid(_) => "invalid",
            Self::TooLong(_) => "too_long",
            Self::NotReady(_) => "not_ready",
            Self::AlreadySettled(_) => "already_settled",
            Self::Journal(error) => error.code(),
            Self::Stopped => "stopped",
        }
    }
}

impl ReportError {
    /// The name of the kind of error, which does not change between versions.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::AlreadySettled(_) => "already_settled",
            Self::AlreadyTerminal(_) => "already_terminal",
            Self::Invalid(_) => "invalid",
            Self::NotReady(_) => "not_ready",
            Self::Payload(error) => error.code(),
            Self::TooLong(_) => "too_long",
            Self::Saturated { .. } => "saturated",
            Self::Journal(error) => error.code(),
            Self::Stopped => "stopped",
        }
    }
}

impl From<Refused> for CommandError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NotRunning(status) => Self::NotRunning(status),
            Refused::AlreadyTerminal(status) => Self::AlreadyTerminal(status),
            Refused::NotReady { status, .. } => Self::NotReady(status),
            Refused::Settled { status, .. } => Self::AlreadySettled(status),
            Refused::Unknown => Self::NotFound,
            other => Self::Invalid(other.to_string()),
        }
    }
}

impl From<Refused> for ReportError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::AlreadyTerminal(status) => Self::AlreadyTerminal(status),
            Refused::Settled { status, .. } => Self::AlreadySettled(status),
            Refused::NotReady { status, .. } => Self::NotReady(status),
            Refused::Unknown => Self::NotFound,
            other => Self::Invalid(other.to_string()),
        }
    }
}
