//! What a user holds of an execution.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use finale_core::execution::{Interrupted, Interruption, Why};
use finale_core::fact::StopOutcome;
use finale_core::{ExecutionId, ExecutionStatus, Outcome, Record, TaskId, Time};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::actors::bound::Bound;
use crate::completion::{Abandoned, Completion};
use crate::declared::{DeclaredOutcome, Undeclared};
use crate::errors::CommandError;
use crate::events::{EventNumber, Events};
use crate::runtime::Runtime;
use crate::workflow::Workflow;

/// One execution, from whatever thread; a clone is the same.
///
/// Dropping the last handle changes nothing: the execution goes on.
///
/// It comes from [`Runtime::activate`], and from [`Runtime::execution`] by its id.
///
/// `Output` is what its workflow gives, where the compiler knows: of an activation of a workflow that was
/// [built with its types](crate::TypedBuilder::build_as).
pub struct ExecutionHandle<Output = Undeclared> {
    pub(crate) runtime: Runtime,
    pub(crate) id: ExecutionId,
    pub(crate) completion: Arc<Completion>,
    pub(crate) output: PhantomData<fn() -> Output>,
}

// By hand: the derived ones would ask the same of the output.
impl<Output> Clone for ExecutionHandle<Output> {
    fn clone(&self) -> Self {
        Self::new(self.runtime.clone(), self.id, Arc::clone(&self.completion))
    }
}

impl<Output> fmt::Debug for ExecutionHandle<Output> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecutionHandle").field("id", &self.id).finish_non_exhaustive()
    }
}

impl ExecutionHandle {
    /// Waits until it has ended, durably.
    ///
    /// Everybody who asks gets the same, before and after the end. A failed execution is no error here:
    /// [`Outcome::output`] makes one of it. The future borrows nothing and can be spawned.
    ///
    /// # Errors
    /// When the runtime stops first. That says nothing about the execution: ask the next runtime.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// async fn charge_card(_context: TaskContext) -> Result<u32, TaskError> {
    ///     Err("card declined")?
    /// }
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).handler("charge_card", charge_card).start()?;
    /// # let order = Workflow::builder("order").task("charge", "charge_card").build()?;
    /// let execution = runtime.activate(&order, ()).await?;
    /// let outcome = execution.outcome().await?;
    /// assert_eq!(outcome.status(), ExecutionStatus::Failed);
    /// let error = outcome.output::<u32>().unwrap_err();
    /// assert_eq!(error.to_string(), r#"task "Charge" (charge) failed: card declined"#);
    /// # Ok(())
    /// # }
    /// ```
    pub fn outcome(&self) -> impl Future<Output = Result<Arc<Outcome>, Abandoned>> + Send + use<> {
        let completion = Arc::clone(&self.completion);
        async move { completion.outcome().await }
    }
}

impl<Output: DeserializeOwned> ExecutionHandle<Output> {
    /// Waits until it has ended, durably: the same as of an execution whose types are not declared, with an output that is
    /// of its type.
    ///
    /// # Errors
    /// When the runtime stops first. That says nothing about the execution: ask the next runtime.
    pub fn outcome(&self) -> impl Future<Output = Result<DeclaredOutcome<Output>, Abandoned>> + Send + use<Output> {
        let completion = Arc::clone(&self.completion);
        async move { completion.outcome().await.map(DeclaredOutcome::new) }
    }
}

impl<Output> ExecutionHandle<Output> {
    pub(crate) fn new(runtime: Runtime, id: ExecutionId, completion: Arc<Completion>) -> Self {
        Self { runtime, id, completion, output: PhantomData }
    }

    /// The same, without the type that its workflow gives.
    pub fn undeclared(&self) -> ExecutionHandle {
        ExecutionHandle::new(self.runtime.clone(), self.id, Arc::clone(&self.completion))
    }

    /// Its id; written and parsed as a UUID.
    pub fn id(&self) -> ExecutionId {
        self.id
    }

    /// Where it is, as far as that is durable.
    ///
    /// A handle that has seen the end answers from memory, also when the execution is forgotten or the runtime has
    /// stopped.
    ///
    /// # Errors
    /// When it is forgotten, or the runtime has stopped.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
    /// let execution = runtime.activate(&article, ()).await?;
    /// assert_eq!(execution.status().await?, ExecutionStatus::Running);
    /// assert!(!execution.status().await?.is_terminal());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn status(&self) -> Result<ExecutionStatus, CommandError> {
        match self.completion.status() {
            Some(status) => Ok(status),
            None if self.runtime.has_stopped() => Err(CommandError::Stopped),
            // The journal has failed, or the execution was never acknowledged: that is where it was.
            None => Ok(self.completion.last().0),
        }
    }

    /// Everything there is to know about it, as far as that is durable: with all its nodes, and ready to be serialized.
    ///
    /// Of an execution that has ended it is read from the journal.
    ///
    /// # Errors
    /// When it is forgotten, it or the journal cannot be read, or the runtime has stopped.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
    /// let execution = runtime.activate(&article, ()).await?;
    /// let record = execution.snapshot().await?;
    /// assert_eq!((record.counts.tasks, record.counts.waiting), (1, 1));
    /// assert_eq!(serde_json::to_value(&record)?["status"], "running");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn snapshot(&self) -> Result<Record, CommandError> {
        Box::pin(self.runtime.snapshot(self.id)).await
    }

    /// The definition that it runs under: the one that it began with, whatever the application activates by now. With it a
    /// [`snapshot`](Self::snapshot) can be drawn.
    ///
    /// # Errors
    /// When it is forgotten, it or the journal cannot be read, or the runtime has stopped.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
    /// let execution = runtime.activate(&article, ()).await?;
    /// assert_eq!(execution.workflow().await?.hash(), article.hash());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn workflow(&self) -> Result<Workflow, CommandError> {
        Box::pin(self.runtime.workflow_of(self.id)).await
    }

    /// What it waits for, or why it ended so; why it is parked, if it is quarantined. It can be printed as a text.
    ///
    /// At most 100 of the nodes it waits for are listed, and how many more there are.
    ///
    /// # Errors
    /// When it is forgotten, it or the journal cannot be read, or the runtime has stopped.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
    /// let execution = runtime.activate(&article, ()).await?;
    /// let why = execution.why().await?;
    /// assert_eq!(why.awaited[0].node, "approve");
    /// assert!(why.to_string().contains("approve"));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn why(&self) -> Result<Why, CommandError> {
        Box::pin(self.runtime.why(self.id)).await
    }

    /// What happened and happens to it, from its beginning to its end; see [`Events`].
    ///
    /// # Errors
    /// When it is forgotten, it or the journal cannot be read, or the runtime has stopped.
    pub async fn events(&self) -> Result<Events, CommandError> {
        Box::pin(self.runtime.events(self.id, EventNumber::default())).await
    }

    /// Like [`events`](Self::events), without those up to and including that one: without a gap and without repetition,
    /// also after a restart.
    ///
    /// # Errors
    /// When it is forgotten, it or the journal cannot be read, or the runtime has stopped.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
    /// # let execution = runtime.activate(&article, ()).await?;
    /// let mut events = execution.events().await?;
    /// let first = events.next().await?.expect("its activation");
    /// let second = events.next().await?;
    ///
    /// let mut resumed = execution.events_after(first.number.expect("it is recorded")).await?;
    /// assert_eq!(resumed.next().await?, second);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn events_after(&self, after: EventNumber) -> Result<Events, CommandError> {
        Box::pin(self.runtime.events(self.id, after)).await
    }

    /// Cancels it, and waits until nothing of it runs any more.
    ///
    /// A second cancellation joins the first. What was decided before stays: the receipt says how it ended.
    ///
    /// Handlers at work are told to stop, and dropped after [the grace](crate::Builder::grace), so that is about how long
    /// it takes at most. Only what is [`Lost`](Fate::Lost) may still be at work after it.
    ///
    /// # Errors
    /// When it is over already, or forgotten, or the runtime has stopped. When `by` is longer than
    /// [`Limits::text_bytes_max`](crate::Limits::text_bytes_max).
    ///
    /// ```
    /// # use finale::prelude::*;
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
    /// # let execution = runtime.activate(&article, ()).await?;
    /// let receipt = execution.cancel("the author").await?;
    /// assert_eq!(receipt.status, ExecutionStatus::Cancelled);
    /// assert_eq!(execution.status().await?, ExecutionStatus::Cancelled);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn cancel(&self, by: &str) -> Result<CancelReceipt, CommandError> {
        Box::pin(self.runtime.cancel_execution(self.id, by)).await
    }

    /// Cancels it like [`cancel`](Self::cancel), without what is left to be done at its end: what undoes something (`compensate`)
    /// or always runs (`finally`) is recorded as not run, in [`Outcome::ending_failures`](crate::Outcome), and what of it is at
    /// work is told to stop. What was decided before stays: an execution that was failing has failed.
    ///
    /// # Errors
    /// When it is over already, or forgotten, or the runtime has stopped. When `by` is longer than
    /// [`Limits::text_bytes_max`](crate::Limits::text_bytes_max).
    ///
    /// ```
    /// # use finale::prelude::*;
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// let article = Workflow::builder("article").task("approve", Task::external()).finally(Task::external()).build()?;
    /// let execution = runtime.activate(&article, ()).await?;
    /// execution.cancel_forced("the author").await?;
    /// let outcome = execution.outcome().await?;
    /// assert_eq!(outcome.ending_failures[0].to_string(), "finally was not run");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn cancel_forced(&self, by: &str) -> Result<CancelReceipt, CommandError> {
        Box::pin(self.runtime.cancel_execution_forced(self.id, by)).await
    }
}

/// What a cancellation came to; from [`ExecutionHandle::cancel`].
///
/// ```
/// # use finale::prelude::*;
/// use finale::Fate;
///
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
/// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
/// # let execution = runtime.activate(&article, ()).await?;
/// let receipt = execution.cancel("the author").await?;
/// let task = &receipt.tasks[0];
/// assert_eq!((task.node.as_str(), task.fate), ("approve", Fate::Closed));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CancelReceipt {
    /// How the execution ended: cancelled, unless something else was decided before.
    pub status: ExecutionStatus,
    /// When.
    pub completed_at: Time,
    /// What became of each task that was under way.
    pub tasks: Vec<CancelledTask>,
}

/// What became of one task that was under way.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CancelledTask {
    /// Which task.
    pub task: TaskId,
    /// Id of its node.
    pub node: String,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a task that was under way when its execution was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fate {
    /// Nobody worked on it here: it was outside, or waited for a place, a verdict or its next attempt. It was closed.
    Closed,
    /// It was told to stop and did.
    Stopped,
    /// It was over before it could be stopped; its result is recorded.
    FinishedAnyway,
    /// It did not stop within [the grace](crate::Builder::grace) and was dropped.
    Aborted,
    /// It could not be stopped and may still be at work: a function that blocks its thread, or an actor. Or it went
    /// with its process.
    Lost,
}

impl CancelReceipt {
    pub(crate) fn new(
        execution: ExecutionId,
        bound: Option<&Bound>,
        outcome: &Outcome,
        interrupted: &[Interrupted],
    ) -> Self {
        let task = |interrupted: &Interrupted| CancelledTask {
            task: TaskId { execution, key: interrupted.key },
            node: match &interrupted.path {
                Some(path) => path.to_string(),
                None => bound.map(|bound| bound.compiled.node(interrupted.key.node).id.clone()).unwrap_or_default(),
            },
            fate: interrupted.interruption.into(),
        };
        let tasks = interrupted.iter().map(task).collect();
        Self { status: outcome.status(), completed_at: outcome.completed_at, tasks }
    }
}

impl From<Interruption> for Fate {
    fn from(interruption: Interruption) -> Self {
        match interruption {
            Interruption::Finished => Self::FinishedAnyway,
            Interruption::Stopping | Interruption::Stopped(StopOutcome::Lost) => Self::Lost,
            Interruption::Stopped(StopOutcome::Closed) => Self::Closed,
            Interruption::Stopped(StopOutcome::Stopped) => Self::Stopped,
            Interruption::Stopped(StopOutcome::Aborted) => Self::Aborted,
        }
    }
}
