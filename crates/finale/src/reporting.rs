//! What somebody outside reports on a task, and what can be done to an execution by its handle.

use finale_core::definition::Verdict;
use finale_core::execution::Report;
use finale_core::{AttemptNo, Failure, Payload, PayloadError, WorkKey};
use serde::Serialize;

use crate::errors::{CommandError, ReportError};
use crate::handle::ExecutionHandle;
use crate::handler::encode_owned;
use crate::late::LateEvent;
use crate::open_tasks::OpenTask;

/// What became of a task that is done outside; for [`ExecutionHandle::report`] and
/// [`Runtime::report_task`](crate::Runtime::report_task).
///
/// ```
/// # use finale::prelude::*;
/// use finale::{ReportError, TaskReport};
///
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
/// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
/// let execution = runtime.activate(&article, ()).await?;
/// let second = TaskReport::completed("yes").by("the editor").attempt(2);
/// let error = execution.report("approve", second).await.unwrap_err();
/// assert_eq!(error, ReportError::StaleAttempt { attempt: 2 });
///
/// execution.report("approve", TaskReport::completed("yes").by("the editor").attempt(1)).await?;
/// assert_eq!(execution.outcome().await?.output::<String>()?, "yes");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a report says nothing until somebody reports it"]
pub struct TaskReport {
    result: Result<Result<Payload, Failure>, PayloadError>,
    by: Box<str>,
    attempt: Option<u16>,
}

impl TaskReport {
    /// It was done, and this came of it: anything that serde writes as JSON.
    pub fn completed<T: Serialize>(output: T) -> Self {
        Self { result: encode_owned(output).map(Ok), by: Box::default(), attempt: None }
    }

    /// It was not done.
    pub fn failed(failure: Failure) -> Self {
        Self { result: Ok(Err(failure)), by: Box::default(), attempt: None }
    }

    /// A report that came as a message.
    pub(crate) fn of(result: Result<Payload, Failure>, by: Box<str>, attempt: Option<u16>) -> Self {
        Self { result: Ok(result), by, attempt }
    }

    /// Who reports, for the history; by default nobody is named.
    pub fn by(mut self, who: impl Into<Box<str>>) -> Self {
        self.by = who.into();
        self
    }

    /// Which attempt it is about, counted from 1: it is refused if another one is open. By default it is about the one
    /// that is open.
    pub fn attempt(mut self, attempt: u16) -> Self {
        self.attempt = Some(attempt);
        self
    }

    /// The report as the core takes it, without its key.
    pub(crate) fn into_report(self) -> Result<Report, ReportError> {
        let Self { result, by, attempt } = self;
        let number = |attempt| AttemptNo::new(attempt).ok_or(ReportError::StaleAttempt { attempt });
        let attempt = attempt.map(number).transpose()?;
        Ok(Report { attempt, by, ..Report::new(WorkKey::default(), result?) })
    }
}

/// What can be done to an execution by its id can be done by its handle.
impl<Output> ExecutionHandle<Output> {
    /// Reports that the task at a node was done; returns when that is durable.
    ///
    /// A report that comes before its task is asked for is kept until then, and this returns then.
    ///
    /// # Errors
    /// [`UnknownNode`](ReportError::UnknownNode) when there is no such node,
    /// [`AlreadySettled`](ReportError::AlreadySettled) when the task was answered or passed,
    /// [`AlreadyTerminal`](ReportError::AlreadyTerminal) when the execution is over, and the others of
    /// [`Runtime::complete_task`](crate::Runtime::complete_task).
    ///
    /// ```
    /// # use finale::prelude::*;
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
    /// let execution = runtime.activate(&article, ()).await?;
    /// assert_eq!(execution.complete("aprove", "yes").await.unwrap_err().code(), "unknown_node");
    /// execution.complete("approve", "yes").await?;
    /// assert_eq!(execution.outcome().await?.output::<String>()?, "yes");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn complete<T: Serialize>(&self, node: &str, output: T) -> Result<(), ReportError> {
        self.report(node, TaskReport::completed(output)).await
    }

    /// Reports that the task at a node was not done; returns when that is durable.
    ///
    /// # Errors
    /// Those of [`complete`](Self::complete).
    pub async fn fail(&self, node: &str, failure: Failure) -> Result<(), ReportError> {
        self.report(node, TaskReport::failed(failure)).await
    }

    /// Reports on the task at a node, in full; see [`TaskReport`].
    ///
    /// # Errors
    /// Those of [`complete`](Self::complete), and [`StaleAttempt`](ReportError::StaleAttempt).
    pub async fn report(&self, node: &str, report: TaskReport) -> Result<(), ReportError> {
        self.runtime.report_node(self.id, node, report).await
    }

    /// Cancels one of its tasks; see [`Runtime::cancel_task`](crate::Runtime::cancel_task).
    ///
    /// # Errors
    /// When the task is settled or unknown, or its handler has not begun.
    pub async fn cancel_task(&self, node: &str, by: &str) -> Result<(), ReportError> {
        let failure = Failure::new(finale_core::FailureClass::Cancelled, format!("by {by}"));
        self.report(node, TaskReport::failed(failure).by(by)).await
    }

    /// Gives the verdict that a verification waits for; see [`Runtime::give_verdict`](crate::Runtime::give_verdict).
    ///
    /// # Errors
    /// When the node is not there yet, not a verification, or the execution is over.
    pub async fn give_verdict(&self, node: &str, verdict: Verdict, by: &str) -> Result<(), CommandError> {
        self.runtime.give_verdict(self.id, node, verdict, by).await
    }

    /// Declares it completed; see [`Runtime::complete_execution`](crate::Runtime::complete_execution).
    ///
    /// # Errors
    /// When it is not running, or the runtime has stopped.
    pub async fn declare_completed(&self, by: &str) -> Result<(), CommandError> {
        self.runtime.complete_execution(self.id, by).await
    }

    /// Declares it failed; see [`Runtime::fail_execution`](crate::Runtime::fail_execution).
    ///
    /// # Errors
    /// When it is not running, the reason is blank, or the runtime has stopped.
    pub async fn declare_failed(&self, by: &str, reason: &str) -> Result<(), CommandError> {
        self.runtime.fail_execution(self.id, by, reason).await
    }

    /// Lets it go on if it is quarantined; see [`Runtime::release_execution`](crate::Runtime::release_execution).
    ///
    /// # Errors
    /// When it is not quarantined, or the cause is still there.
    pub async fn release(&self) -> Result<(), CommandError> {
        self.runtime.release_execution(self.id).await
    }

    /// Its tasks that wait for somebody outside; see [`Runtime::open_tasks_of`](crate::Runtime::open_tasks_of).
    ///
    /// # Errors
    /// When the runtime has stopped.
    pub async fn open_tasks(&self) -> Result<Vec<OpenTask>, CommandError> {
        self.runtime.open_tasks_of(self.id).await
    }

    /// What came too late for it; see [`Runtime::late_events`](crate::Runtime::late_events).
    ///
    /// # Errors
    /// When it is forgotten, or the runtime has stopped.
    pub async fn late_events(&self) -> Result<Vec<LateEvent>, CommandError> {
        self.runtime.late_events(self.id).await
    }
}
