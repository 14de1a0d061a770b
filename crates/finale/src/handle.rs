//! What a user holds of an execution.

use std::future::Future;
use std::sync::Arc;

use finale_core::execution::{Interruption, Why};
use finale_core::fact::Stop;
use finale_core::{ExecutionId, ExecutionStatus, Outcome, Record, TaskId, Time};
use serde::Serialize;

use crate::completion::{Abandoned, Completion};
use crate::errors::CommandError;
use crate::events::{EventNumber, Events};
use crate::runtime::Runtime;

/// One execution, from whatever thread; a clone is the same.
///
/// Dropping the last handle changes nothing: the execution goes on.
#[derive(Clone, Debug)]
pub struct ExecutionHandle {
    pub(crate) runtime: Runtime,
    pub(crate) id: ExecutionId,
    pub(crate) completion: Arc<Completion>,
}

impl ExecutionHandle {
    /// Its id.
    pub fn id(&self) -> ExecutionId {
        self.id
    }

    /// Waits until it has ended, durably.
    ///
    /// # Errors
    /// When the runtime stops first.
    pub fn outcome(&self) -> impl Future<Output = Result<Arc<Outcome>, Abandoned>> + Send + use<> {
        let completion = Arc::clone(&self.completion);
        async move { completion.outcome().await }
    }

    /// Where it is, as far as that is durable.
    ///
    /// # Errors
    /// When it is forgotten, or the runtime has stopped.
    pub async fn status(&self) -> Result<ExecutionStatus, CommandError> {
        match self.completion.ended() {
            Some(outcome) => Ok(outcome.status()),
            None => self.runtime.status(self.id).await,
        }
    }

    /// Everything there is to know about it, as far as that is durable.
    ///
    /// # Errors
    /// When it is forgotten, or the runtime has stopped.
    pub async fn snapshot(&self) -> Result<Record, CommandError> {
        self.runtime.snapshot(self.id).await
    }

    /// What it waits for, or why it ended so.
    ///
    /// # Errors
    /// When it is forgotten, or the runtime has stopped.
    pub async fn why(&self) -> Result<Why, CommandError> {
        self.runtime.why(self.id).await
    }

    /// What happened and happens to it, from its beginning to its end.
    ///
    /// # Errors
    /// When it is forgotten, or the runtime has stopped.
    pub async fn events(&self) -> Result<Events, CommandError> {
        self.runtime.events(self.id, EventNumber::default()).await
    }

    /// Like [`events`](Self::events), without those up to and including that one.
    ///
    /// # Errors
    /// When it is forgotten, or the runtime has stopped.
    pub async fn events_after(&self, after: EventNumber) -> Result<Events, CommandError> {
        self.runtime.events(self.id, after).await
    }

    /// Cancels it, and waits until nothing of it runs any more.
    ///
    /// A second cancellation joins the first. What was decided before stays: the receipt says how it ended.
    ///
    /// # Errors
    /// When it is over already, or forgotten, or the runtime has stopped.
    pub async fn cancel(&self, by: &str) -> Result<CancelReceipt, CommandError> {
        self.runtime.cancel_execution(self.id, by).await
    }
}

/// What a cancellation came to.
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
    /// Nobody worked on it here: it was closed.
    Closed,
    /// It was told to stop and did.
    Stopped,
    /// It was over before it could be stopped.
    FinishedAnyway,
    /// It did not stop in time and was dropped.
    Aborted,
    /// It could not be stopped and may still be at work.
    Lost,
}

impl From<Interruption> for Fate {
    fn from(interruption: Interruption) -> Self {
        match interruption {
            Interruption::Finished => Self::FinishedAnyway,
            Interruption::Stopping | Interruption::Stopped(Stop::Lost) => Self::Lost,
            Interruption::Stopped(Stop::Closed) => Self::Closed,
            Interruption::Stopped(Stop::Stopped) => Self::Stopped,
            Interruption::Stopped(Stop::Aborted) => Self::Aborted,
        }
    }
}
