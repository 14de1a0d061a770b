//! Why the runtime did not do what it was asked.

use finale_core::definition::SchemaMismatch;
use finale_core::execution::Refused;
use finale_core::{ExecutionStatus, NodeStatus, PayloadError, WaitingFor};
use finale_journal::JournalError;

/// A text is longer than allowed; see [`Limits::text_bytes_max`](crate::Limits::text_bytes_max).
///
/// ```
/// # use finale::prelude::*;
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
/// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
/// let error = runtime.activate(&article, ()).business_key("x".repeat(5_000)).await.unwrap_err();
/// assert_eq!(error.to_string(), "the business key has 5000 bytes, at most 4096 are allowed");
/// # Ok(())
/// # }
/// ```
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

/// Why a command on an execution was not carried out; it changed nothing then.
///
/// Only with [`Journal`](Self::Journal) and [`Stopped`](Self::Stopped) nobody knows: what was on its way may have become
/// durable. Ask again after a restart.
///
/// ```
/// # use finale::prelude::*;
/// use finale::CommandError;
///
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
/// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
/// # let execution = runtime.activate(&article, ()).await?;
/// # let id = execution.id();
/// execution.cancel("the author").await?;
///
/// let error = execution.cancel("the author").await.unwrap_err();
/// assert_eq!(error, CommandError::AlreadyTerminal(ExecutionStatus::Cancelled));
/// let error = runtime.complete_execution(id, "the operator").await.unwrap_err();
/// assert_eq!(error, CommandError::NotRunning(ExecutionStatus::Cancelled));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// There is no such execution, or it is forgotten.
    #[error("there is no such execution")]
    NotFound,
    /// The execution has no node of that name, and will never have one.
    #[error("the execution has no node {0:?}")]
    UnknownNode(String),
    /// The command needs a running execution; this is where it is.
    #[error("the execution is {0}, not running")]
    NotRunning(ExecutionStatus),
    /// The execution is over; this is how it ended.
    #[error("the execution is over already: {0}")]
    AlreadyTerminal(ExecutionStatus),
    /// What was said makes no sense; the text says why.
    #[error("{0}")]
    Invalid(String),
    /// Who says so, or why, takes more bytes than allowed.
    #[error(transparent)]
    TooLong(#[from] TooLong),
    /// The node has not come to the point where this can be said.
    #[error("the node is {0}: it is too early for this")]
    NotReady(NodeStatus),
    /// The node waits for something else; the text says what would help.
    #[error("the node {}", .0.in_words())]
    WaitsForElse(WaitingFor),
    /// The node is past the point where this could be said: it changes nothing.
    #[error("the node is {0} already")]
    AlreadySettled(NodeStatus),
    /// The item, the round or what else the node is in is over: whatever the node came to stays so.
    #[error("what the node is in is over already")]
    ScopeOver,
    /// How the node ends is decided: it does when what is in it has come to its end.
    #[error("how the node ends is decided already")]
    EndDecided,
    /// What a signal says is no payload: it is no JSON, or larger than
    /// [`Limits::payload_bytes_max`](crate::Limits::payload_bytes_max).
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// The output, or what a signal says, does not fit the schema that the definition declares for it.
    #[error(transparent)]
    Schema(#[from] SchemaMismatch),
    /// The execution keeps as many signals as it can, of that name or of all, that nobody has waited for.
    #[error("{max} signals wait already that nobody has taken: no more are kept")]
    SignalsFull {
        /// How many are kept at most.
        max: usize,
    },
    /// The journal failed, so that nothing can be made durable.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The runtime has stopped.
    #[error("the runtime has stopped")]
    Stopped,
}

/// Why a report on a task was not recorded; it changed nothing then.
///
/// Only with [`Journal`](Self::Journal) and [`Stopped`](Self::Stopped) nobody knows. Report again after a restart, and take
/// [`AlreadySettled`](Self::AlreadySettled) and [`ScopeOver`](Self::ScopeOver) for a yes.
///
/// ```
/// # use finale::prelude::*;
/// use finale::{NodeStatus, ReportError};
///
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
/// let article = Workflow::builder("article")
///     .task("approve", Task::external())
///     .task("print", Task::external())
///     .after("approve")
///     .build()?;
/// # let execution = runtime.activate(&article, ()).await?;
/// # let task = runtime.open_tasks_of(execution.id()).await?[0].id;
/// runtime.complete_task(task, "yes").await?;
/// let error = runtime.complete_task(task, "no").await.unwrap_err();
/// assert_eq!(error, ReportError::AlreadySettled(NodeStatus::Completed));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// There is no such task.
    #[error("there is no such task")]
    NotFound,
    /// The execution has no node of that name.
    #[error("the execution has no node {0:?}")]
    UnknownNode(String),
    /// The report names another attempt than the one that is open.
    #[error("attempt {attempt} is not the one that is open")]
    StaleAttempt {
        /// The attempt it names, counted from 1.
        attempt: u16,
    },
    /// The output is not of the type that the task was declared with: [`TypedBuilder::external`](crate::TypedBuilder::external).
    #[error("the output is not of the declared type: {0}")]
    WrongType(String),
    /// The output does not fit the schema that the definition declares for it.
    #[error(transparent)]
    Schema(#[from] SchemaMismatch),
    /// The task is settled: this report changes nothing.
    #[error("the task is {0} already")]
    AlreadySettled(NodeStatus),
    /// The item, the round or what else the task is in is over: this report changes nothing.
    #[error("what the task is in is over already")]
    ScopeOver,
    /// The execution is over; this is how it ended.
    #[error("the execution is over already: {0}")]
    AlreadyTerminal(ExecutionStatus),
    /// The report makes no sense: a handler does the task, or the node is no task. The text says which.
    #[error("{0}")]
    Invalid(String),
    /// A handler does the task, and has not begun: it cannot be cancelled yet.
    #[error("the task is {0}: it is too early for this")]
    NotReady(NodeStatus),
    /// The task is held: it waits for an operator, and nobody will ask for it before that; the text says what would help.
    #[error("the task {}", .0.in_words())]
    WaitsForElse(WaitingFor),
    /// The output is no payload: it is no JSON, or larger than [`Limits::payload_bytes_max`](crate::Limits).
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// Who says so takes more bytes than allowed.
    #[error(transparent)]
    TooLong(#[from] TooLong),
    /// Too many outcomes wait for tasks that were not asked for yet, in the shard of this execution.
    #[error("{early_outcomes_max} early outcomes wait already")]
    Saturated {
        /// The limit of the runtime, of which each shard has its part.
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
            Self::UnknownNode(_) => "unknown_node",
            Self::NotRunning(_) => "not_running",
            Self::AlreadyTerminal(_) => "already_terminal",
            Self::Invalid(_) => "invalid",
            Self::TooLong(_) => "too_long",
            Self::NotReady(_) => "not_ready",
            Self::WaitsForElse(_) => "not_ready",
            Self::AlreadySettled(_) => "already_settled",
            Self::ScopeOver => "scope_over",
            Self::EndDecided => "end_decided",
            Self::Payload(error) => error.code(),
            Self::Schema(_) => "schema_mismatch",
            Self::SignalsFull { .. } => "signals_full",
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
            Self::UnknownNode(_) => "unknown_node",
            Self::StaleAttempt { .. } => "stale_attempt",
            Self::WrongType(_) => "wrong_type",
            Self::Schema(_) => "schema_mismatch",
            Self::AlreadySettled(_) => "already_settled",
            Self::ScopeOver => "scope_over",
            Self::AlreadyTerminal(_) => "already_terminal",
            Self::Invalid(_) => "invalid",
            Self::NotReady(_) => "not_ready",
            Self::WaitsForElse(_) => "not_ready",
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
            Refused::WaitsForElse { waiting_for, .. } => Self::WaitsForElse(waiting_for),
            Refused::Settled { status, .. } => Self::AlreadySettled(status),
            Refused::Unknown => Self::NotFound,
            Refused::SignalsFull { max } => Self::SignalsFull { max },
            Refused::ScopeOver { .. } => Self::ScopeOver,
            Refused::EndDecided { .. } => Self::EndDecided,
            Refused::SchemaMismatch(mismatch) => Self::Schema(*mismatch),
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
            Refused::WaitsForElse { waiting_for, .. } => Self::WaitsForElse(waiting_for),
            Refused::Stale { attempt, .. } => Self::StaleAttempt { attempt: attempt.get() },
            Refused::WrongType(problem) => Self::WrongType(problem.into()),
            Refused::ScopeOver { .. } => Self::ScopeOver,
            Refused::SchemaMismatch(mismatch) => Self::Schema(*mismatch),
            Refused::Unknown => Self::NotFound,
            other => Self::Invalid(other.to_string()),
        }
    }
}

impl From<CommandError> for ReportError {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::NotFound => Self::NotFound,
            CommandError::NotRunning(status) | CommandError::AlreadyTerminal(status) => Self::AlreadyTerminal(status),
            CommandError::Invalid(problem) => Self::Invalid(problem),
            CommandError::TooLong(error) => Self::TooLong(error),
            CommandError::NotReady(status) => Self::NotReady(status),
            CommandError::WaitsForElse(waiting_for) => Self::WaitsForElse(waiting_for),
            CommandError::AlreadySettled(status) => Self::AlreadySettled(status),
            CommandError::ScopeOver => Self::ScopeOver,
            CommandError::UnknownNode(node) => Self::UnknownNode(node),
            decided @ CommandError::EndDecided => Self::Invalid(decided.to_string()),
            CommandError::Payload(error) => Self::Payload(error),
            CommandError::Schema(mismatch) => Self::Schema(mismatch),
            full @ CommandError::SignalsFull { .. } => Self::Invalid(full.to_string()),
            CommandError::Journal(error) => Self::Journal(error),
            CommandError::Stopped => Self::Stopped,
        }
    }
}
