//! What an operator says of single tasks of an execution.

use finale_core::execution::Input;
use finale_core::fact::{Operation, OperatorAction};
use finale_core::{NodeStatus, TaskId, WorkKey};
use serde::Serialize;

use crate::actors::requests::{FoundNode, Waiting};
use crate::errors::CommandError;
use crate::handle::ExecutionHandle;
use crate::handler::encode_owned;

/// What an operator can say of one node. Each is recorded, with who said it and why, before it is answered; each names the
/// node by its id, or by its path if it is not in the own graph of the execution.
///
/// A task is *held* when its attempts or its time are used up and its definition says
/// [`exhausted: hold`](finale_core::definition::Retry::hold), or when its handler answered that the outcome is
/// [unknown](crate::TaskError::unknown).
impl<Output> ExecutionHandle<Output> {
    /// Has a task that is held tried again: at once, with all the attempts and all the time that its definition gives.
    ///
    /// # Errors
    /// [`NotReady`](CommandError::NotReady) when it is not held, [`WaitsForElse`](CommandError::WaitsForElse) when it waits
    /// for something else, [`Invalid`](CommandError::Invalid) when it runs at most
    /// once, [`NotRunning`](CommandError::NotRunning) when the end of the execution is decided, and the others of
    /// [`complete_by_hand`](Self::complete_by_hand).
    ///
    /// ```
    /// # use finale::prelude::*;
    /// async fn charge_card(context: TaskContext) -> Result<u16, TaskError> {
    ///     // Nobody answered: the card may have been charged.
    ///     if context.attempt() == 1 { Err(TaskError::new("no answer").unknown()) } else { Ok(context.attempt()) }
    /// }
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).handler("charge_card", charge_card).start()?;
    /// # let order = Workflow::builder("order").task("charge", "charge_card").build()?;
    /// let execution = runtime.activate(&order, ()).await?;
    /// # while execution.snapshot().await?.counts.waiting == 0 {}
    /// let why = execution.why().await?;
    /// assert_eq!(why.awaited[0].what, "an operator: attempt 1 has an unknown outcome: no answer");
    ///
    /// execution.retry("charge", "ann", "the bank says that it was not charged").await?;
    /// assert_eq!(execution.outcome().await?.output::<u16>()?, 2);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn retry(&self, node: &str, by: &str, reason: &str) -> Result<(), CommandError> {
        self.operate(node, by, reason, OperatorAction::Retry).await
    }

    /// Begins the next attempt at a task now, instead of at the end of its backoff, or the next round of a loop, instead of
    /// at the end of its delay. It passes no limit: where there is a queue it waits in it. A node that waits for some time
    /// or until a moment need not wait any more.
    ///
    /// A task that waits in the queue of a limit goes first in it, before what was put first earlier; a process that is
    /// started later does not know of that. One whose handler has begun is left alone.
    ///
    /// # Errors
    /// [`WaitsForElse`](CommandError::WaitsForElse) when it waits for none of that, [`NotReady`](CommandError::NotReady)
    /// when it does not wait and is not at work, and the others of
    /// [`complete_by_hand`](Self::complete_by_hand).
    pub async fn run_now(&self, node: &str, by: &str, reason: &str) -> Result<(), CommandError> {
        self.operate(node, by, reason, OperatorAction::RunNow).await
    }

    /// Declares a task done, with this output: one that is held, that waits for its next attempt, for a slot or for somebody
    /// outside, or that a handler works on. The handler is dropped at once, without a grace. A node that waits for a time or
    /// a signal is declared done in the same way.
    ///
    /// A call, a group, a map or a loop can be declared done too. What runs in it is closed, handlers have their grace, and
    /// then it completes with the output.
    ///
    /// # Errors
    /// [`NotFound`](CommandError::NotFound) when there is no such node, [`NotReady`](CommandError::NotReady) when it was
    /// not reached, or is being ended already, [`AlreadySettled`](CommandError::AlreadySettled) when it is settled,
    /// [`Invalid`](CommandError::Invalid) when it has no output, when what it is in is being ended, or when the output is
    /// too large or cannot be encoded, [`TooLong`](CommandError::TooLong) when who or why is too long,
    /// [`NotRunning`](CommandError::NotRunning) and [`AlreadyTerminal`](CommandError::AlreadyTerminal) when the end of the
    /// execution is decided or there, and when the runtime has stopped.
    pub async fn complete_by_hand<T: Serialize>(
        &self,
        node: &str,
        output: T,
        by: &str,
        reason: &str,
    ) -> Result<(), CommandError> {
        let bytes_max = self.runtime.limits().payload_bytes_max;
        let output = encode_owned(output).and_then(|output| output.limited(bytes_max));
        let output = output.map_err(|error| CommandError::Invalid(error.to_string()))?;
        self.operate(node, by, reason, OperatorAction::Complete(output)).await
    }

    /// Declares a task, or what [can be completed](Self::complete_by_hand) like one, failed for good: it is neither tried
    /// again nor held, whatever its definition says. What its failure means for the execution the definition says. A
    /// handler that works on it is dropped at once, without a grace.
    ///
    /// # Errors
    /// [`Invalid`](CommandError::Invalid) when the reason is blank, and the others of
    /// [`complete_by_hand`](Self::complete_by_hand).
    pub async fn fail_by_hand(&self, node: &str, by: &str, reason: &str) -> Result<(), CommandError> {
        self.operate(node, by, reason, OperatorAction::Fail).await
    }

    /// Skips a task, or what [can be completed](Self::complete_by_hand) like one: it has no output, and what depends on it
    /// goes on as after the failure of an optional task. A handler that works on it is dropped at once, without a grace.
    ///
    /// # Errors
    /// Those of [`complete_by_hand`](Self::complete_by_hand).
    pub async fn skip_by_hand(&self, node: &str, by: &str, reason: &str) -> Result<(), CommandError> {
        self.operate(node, by, reason, OperatorAction::Skip).await
    }

    /// The id of the task at a node, by the id of the node or by its path, once what it is in has begun.
    ///
    /// # Errors
    /// [`UnknownNode`](CommandError::UnknownNode) when there is no such node, [`NotReady`](CommandError::NotReady) when the
    /// item, the round or what else it is in has not begun, [`ScopeOver`](CommandError::ScopeOver) when that is over, and
    /// when the execution is over or the runtime has stopped.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// # let vote = Workflow::builder("vote").map("ask", "['ann', 'bob']", Task::external()).build()?;
    /// let execution = runtime.activate(&vote, ()).await?;
    /// # while runtime.open_tasks_of(execution.id()).await?.len() < 2 {}
    /// let bob = execution.task_id("ask[1]::ask").await?;
    ///
    /// runtime.complete_task(bob, "yes").await?;
    /// assert_eq!(execution.task_id("ask[7]::ask").await.unwrap_err().code(), "unknown_node");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn task_id(&self, node: &str) -> Result<TaskId, CommandError> {
        Ok(TaskId { execution: self.id, key: self.work_key(node).await? })
    }

    async fn work_key(&self, node: &str) -> Result<WorkKey, CommandError> {
        match self.runtime.key(self.id, node).await? {
            FoundNode::There(key) => Ok(key),
            FoundNode::Ahead => Err(CommandError::NotReady(NodeStatus::Pending)),
            FoundNode::Over => Err(CommandError::ScopeOver),
            FoundNode::Unknown => Err(CommandError::UnknownNode(node.to_owned())),
        }
    }

    async fn operate(&self, node: &str, by: &str, reason: &str, action: OperatorAction) -> Result<(), CommandError> {
        self.runtime.check_text("the operator", Some(by))?;
        self.runtime.check_text("the reason", Some(reason))?;
        let key = self.work_key(node).await?;
        let operation = Operation { key, by: by.into(), reason: reason.into(), action };
        self.runtime.tell(self.id, Input::Operate(operation), |answer| Waiting::Command(self.id, answer)).await
    }
}
