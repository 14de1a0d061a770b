//! The messages that actors of an application send to finale or receive from it.
//!
//! An actor that does tasks receives [`RunTask`]: see [`Builder::actor_handler`](crate::Builder::actor_handler). One that
//! reports on tasks that are done outside sends [`TaskCompleted`] and [`TaskFailed`].

use actix::Message;
use finale_core::{Failure, Payload, TaskId};
use tracing::Span;

use crate::errors::ReportError;
use crate::task_error::TaskError;

/// Asks an actor that was registered as a handler to do a task; its answer is the result.
///
/// Delivery is at least once: the same task can be asked for again after a crash, with the same id and a higher attempt.
///
/// The output is a [`Payload`], at most [`Limits::payload_bytes_max`](crate::Limits::payload_bytes_max) bytes. An answer
/// that comes after the attempt has timed out, or after its execution has ended, changes nothing.
///
/// ```
/// use finale::actix::prelude::*;
/// use finale::message::RunTask;
/// use finale::prelude::*;
/// use finale::{Payload, ResultExt};
///
/// struct Printer;
///
/// impl Actor for Printer {
///     type Context = Context<Self>;
/// }
///
/// impl Handler<RunTask> for Printer {
///     type Result = Result<Payload, TaskError>;
///
///     fn handle(&mut self, asked: RunTask, _context: &mut Context<Self>) -> Self::Result {
///         // What does not fit now will not fit later.
///         let text: String = asked.input.decode().permanent()?;
///         Ok(Payload::encode(&format!("{}, attempt {}: {text}", asked.node, asked.attempt))?)
///     }
/// }
///
/// # #[actix::main]
/// # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
/// # let letter = Workflow::builder("letter").task("print", "printer").build()?;
/// # let builder = Runtime::builder().shards(Shards::Current);
/// # let runtime = builder.actor_handler("printer", Printer.start().recipient()).start()?;
/// let outcome = runtime.activate(&letter, "Dear Ada").await?.outcome().await?;
/// assert_eq!(outcome.output::<String>()?, "print, attempt 1: Dear Ada");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<Payload, TaskError>")]
#[non_exhaustive]
pub struct RunTask {
    /// Which task; the key to deduplicate by.
    pub task: TaskId,
    /// Which attempt, counted from 1.
    pub attempt: u16,
    /// What is to be done, by the id of its node.
    pub node: String,
    /// The input of the task.
    pub input: Payload,
    pub(crate) span: Span,
}

impl RunTask {
    /// The span of the task, [`finale.task`](crate::telemetry::span::TASK): what the actor says within it belongs to the task.
    ///
    /// ```
    /// # use finale::message::RunTask;
    /// fn print(asked: &RunTask) {
    ///     asked.span().in_scope(|| tracing::info!("printed"));
    /// }
    /// ```
    pub const fn span(&self) -> &Span {
        &self.span
    }
}

/// Reports that a task was done; for [`Runtime::task_completed`](crate::Runtime::task_completed).
///
/// Answered when the execution's record of it is durable.
///
/// ```
/// # use finale::prelude::*;
/// use finale::Payload;
/// use finale::message::TaskCompleted;
///
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
/// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
/// # let execution = runtime.activate(&article, ()).await?;
/// # let task = runtime.open_tasks_of(execution.id()).await?[0].id;
/// let reports = runtime.task_completed(); // an actor keeps this
/// let output = Payload::encode("well done")?;
/// reports.send(TaskCompleted::new(task, output).by("the editor")).await??;
/// assert_eq!(execution.outcome().await?.output::<String>()?, "well done");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<(), ReportError>")]
#[non_exhaustive]
pub struct TaskCompleted {
    /// Which task.
    pub task: TaskId,
    /// What came of it.
    pub output: Payload,
    /// Who reports, for the history; blank if nobody is named.
    pub by: Box<str>,
    /// Which attempt it is about, counted from 1; none for the one that is open. A report on another one is refused.
    pub attempt: Option<u16>,
}

impl TaskCompleted {
    /// A report on the attempt that is open, by nobody in particular.
    #[must_use]
    pub fn new(task: TaskId, output: Payload) -> Self {
        Self { task, output, by: Box::default(), attempt: None }
    }

    /// Changes who reports.
    #[must_use]
    pub fn by(self, who: impl Into<Box<str>>) -> Self {
        Self { by: who.into(), ..self }
    }

    /// Changes which attempt it is about.
    #[must_use]
    pub fn attempt(self, attempt: u16) -> Self {
        Self { attempt: Some(attempt), ..self }
    }
}

/// Reports that a task was not done; for [`Runtime::task_failed`](crate::Runtime::task_failed).
///
/// Answered when the execution's record of it is durable.
///
/// ```
/// # use finale::prelude::*;
/// use finale::message::TaskFailed;
/// use finale::{Failure, FailureClass};
///
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
/// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
/// # let execution = runtime.activate(&article, ()).await?;
/// # let task = runtime.open_tasks_of(execution.id()).await?[0].id;
/// let reports = runtime.task_failed();
/// let failure = Failure::new(FailureClass::Rejected, "too long");
/// reports.send(TaskFailed::new(task, failure).by("the editor")).await??;
/// assert_eq!(execution.outcome().await?.status(), ExecutionStatus::Failed);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<(), ReportError>")]
#[non_exhaustive]
pub struct TaskFailed {
    /// Which task.
    pub task: TaskId,
    /// Why.
    pub failure: Failure,
    /// Who reports, for the history; blank if nobody is named.
    pub by: Box<str>,
    /// Which attempt it is about, counted from 1; none for the one that is open. A report on another one is refused.
    pub attempt: Option<u16>,
}

impl TaskFailed {
    /// A report on the attempt that is open, by nobody in particular.
    #[must_use]
    pub fn new(task: TaskId, failure: Failure) -> Self {
        Self { task, failure, by: Box::default(), attempt: None }
    }

    /// Changes who reports.
    #[must_use]
    pub fn by(self, who: impl Into<Box<str>>) -> Self {
        Self { by: who.into(), ..self }
    }

    /// Changes which attempt it is about.
    #[must_use]
    pub fn attempt(self, attempt: u16) -> Self {
        Self { attempt: Some(attempt), ..self }
    }
}
