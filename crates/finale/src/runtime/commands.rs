//! What operators and judges say of executions.

use finale_core::definition::Verdict;
use finale_core::execution::{Command, Input};
use finale_core::{ExecutionId, NodeStatus};

use super::Runtime;
use crate::actors::requests::{FoundNode, Waiting};
use crate::actors::way_in::ToShard;
use crate::errors::CommandError;
use crate::handle::CancelReceipt;
use crate::oneshot;

impl Runtime {
    /// Cancels an execution, and waits until nothing of it runs any more; see
    /// [`ExecutionHandle::cancel`](crate::ExecutionHandle::cancel).
    ///
    /// # Errors
    /// When it is over already, there is none, or the runtime has stopped.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
    /// let execution = runtime.activate(&article, ()).await?;
    /// let receipt = runtime.cancel_execution(execution.id(), "the author").await?;
    /// assert_eq!(receipt.status, ExecutionStatus::Cancelled);
    ///
    /// let again = runtime.cancel_execution(execution.id(), "the author").await.unwrap_err();
    /// assert_eq!(again.code(), "already_terminal");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn cancel_execution(&self, id: ExecutionId, by: &str) -> Result<CancelReceipt, CommandError> {
        self.check_text("who cancels it", Some(by))?;
        self.tell(id, Input::Command(Command::Cancel { by: by.into() }), |answer| Waiting::Cancel(id, answer)).await
    }

    /// Cancels an execution without what is left to be done at its end; see
    /// [`ExecutionHandle::cancel_forced`](crate::ExecutionHandle::cancel_forced).
    ///
    /// # Errors
    /// When it is over already, there is none, or the runtime has stopped.
    pub async fn cancel_execution_forced(&self, id: ExecutionId, by: &str) -> Result<CancelReceipt, CommandError> {
        self.check_text("who cancels it", Some(by))?;
        let command = Command::ForceCancel { by: by.into() };
        self.tell(id, Input::Command(command), |answer| Waiting::Cancel(id, answer)).await
    }

    /// Declares a running execution completed, whatever its tasks are at.
    ///
    /// It returns when that decision is recorded. Handlers at work are stopped after that, and
    /// [`outcome`](crate::ExecutionHandle::outcome) tells of the end. If the definition has an output expression that cannot be
    /// evaluated, the execution fails all the same.
    ///
    /// # Errors
    /// When it is not running, there is none, or the runtime has stopped.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
    /// let execution = runtime.activate(&article, ()).await?;
    /// runtime.complete_execution(execution.id(), "the operator").await?;
    /// let outcome = execution.outcome().await?;
    /// assert_eq!(outcome.status(), ExecutionStatus::Completed);
    /// assert_eq!(outcome.decided_by.to_string(), "the operator declared it");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn complete_execution(&self, id: ExecutionId, by: &str) -> Result<(), CommandError> {
        self.check_text("who declares it", Some(by))?;
        let command = Command::Complete { by: by.into() };
        self.tell(id, Input::Command(command), |answer| Waiting::Command(id, answer)).await
    }

    /// Declares a running execution failed; the reason becomes its error.
    ///
    /// A quarantined execution can be declared failed too, also one that cannot be read. Like
    /// [`complete_execution`](Self::complete_execution) it returns when the decision is recorded.
    ///
    /// # Errors
    /// When it is not running, the reason is blank, there is none, or the runtime has stopped.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
    /// let execution = runtime.activate(&article, ()).await?;
    /// let id = execution.id();
    /// assert_eq!(runtime.fail_execution(id, "the operator", " ").await.unwrap_err().code(), "invalid");
    ///
    /// runtime.fail_execution(id, "the operator", "the editor has left").await?;
    /// let outcome = execution.outcome().await?;
    /// assert_eq!(outcome.error().map(|error| error.message()), Some("the editor has left"));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn fail_execution(&self, id: ExecutionId, by: &str, reason: &str) -> Result<(), CommandError> {
        self.check_text("who declares it", Some(by))?;
        self.check_text("the reason", Some(reason))?;
        let command = Command::Fail { by: by.into(), reason: reason.into() };
        self.tell(id, Input::Command(command), |answer| Waiting::Command(id, answer)).await
    }

    /// Gives the verdict that a verification waits for; returns when it is recorded.
    ///
    /// # Errors
    /// When the node is not there yet, not a verification, or the execution is over or unknown. A second verdict is
    /// [`AlreadySettled`](CommandError::AlreadySettled) and changes nothing.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// use finale::Verdict;
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// let article = Workflow::builder("article")
    ///     .verification("review", "is it true?", "the editor")
    ///     .task("publish", Task::external())
    ///     .on("review", Verdict::Pass)
    ///     .task("rewrite", Task::external())
    ///     .on("review", Verdict::Fail)
    ///     .task("discuss", Task::external())
    ///     .on("review", Verdict::Refer)
    ///     .build()?;
    /// let execution = runtime.activate(&article, ()).await?;
    ///
    /// runtime.give_verdict(execution.id(), "review", Verdict::Pass, "the editor").await?;
    /// assert_eq!(execution.why().await?.awaited[0].node, "publish");
    ///
    /// let again = runtime.give_verdict(execution.id(), "review", Verdict::Fail, "the editor").await;
    /// assert_eq!(again.unwrap_err().code(), "already_settled");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn give_verdict(
        &self,
        id: ExecutionId,
        node: &str,
        verdict: Verdict,
        by: &str,
    ) -> Result<(), CommandError> {
        self.check_text("who judges", Some(by))?;
        let key = match self.key(id, node).await? {
            FoundNode::There(key) => key,
            FoundNode::Ahead => return Err(CommandError::NotReady(NodeStatus::Pending)),
            FoundNode::Over => return Err(CommandError::ScopeOver),
            FoundNode::Unknown => return Err(CommandError::UnknownNode(node.to_owned())),
        };
        self.tell(id, Input::Verdict { key, verdict, by: by.into() }, |answer| Waiting::Command(id, answer)).await
    }

    /// Lets a quarantined execution go on where it was; returns when that is recorded.
    ///
    /// An execution is quarantined when its actor died more than three times within 60 s, when the process crashed over
    /// the same task as often as [`Limits::crashes_max`](crate::Limits::crashes_max) says, or when after a restart a
    /// handler of it is not registered or it cannot be read. [`ExecutionHandle::why`](crate::ExecutionHandle::why) has the
    /// reason. For want of a
    /// handler no release is needed: it goes on when the runtime is started with it.
    ///
    /// # Errors
    /// When it is not quarantined, there is none, the cause is still there (a handler that is not registered, a history
    /// that cannot be read), or the runtime has stopped.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// use finale::Limits;
    /// use finale::journal::MemoryJournal;
    ///
    /// /// Takes the process down with it, so to speak, when it is first tried.
    /// async fn shrink(context: TaskContext) -> Result<u16, TaskError> {
    ///     if context.attempt() == 1 { std::future::pending().await } else { Ok(context.attempt()) }
    /// }
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let image = Workflow::builder("image").task("shrink", "shrink").build()?;
    /// let journal = MemoryJournal::new();
    /// let start = || {
    ///     let limits = Limits::new().crashes_max(1);
    ///     let builder = Runtime::builder().shards(Shards::Current).journal(journal.clone());
    ///     builder.limits(limits).handler("shrink", shrink).start()
    /// };
    /// let id = start()?.activate(&image, ()).await?.id();
    ///
    /// // As after a crash: it was not shut down.
    /// let runtime = start()?;
    /// let execution = runtime.execution(id).await?;
    /// assert_eq!(execution.status().await?, ExecutionStatus::Quarantined);
    ///
    /// runtime.release_execution(id).await?;
    /// assert_eq!(execution.outcome().await?.output::<u16>()?, 2);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn release_execution(&self, id: ExecutionId) -> Result<(), CommandError> {
        let (answer, answered) = oneshot::channel();
        let release = ToShard::Release { execution: id, waiting: Waiting::Command(id, answer) };
        self.put(id, release).map_err(|_| CommandError::Stopped)?;
        answered.await.unwrap_or(Err(CommandError::Stopped))
    }
}
