//! How an execution stands: what its shard and its journal know of it.

use finale_core::execution::Why;
use finale_core::number::{LimitNo, Slot};
use finale_core::record::{ConcurrencyLimit, HeldUp, HeldUpBy, QueuePosition, TaskProgress};
use finale_core::task_engine::{QueuedTask, SuspendedTask, TaskEngine};
use finale_core::{AttemptNo, ExecutionId, NodeStatus, Record, WorkKey};
use finale_journal::{Journal, JournalError};

use super::Runtime;
use crate::actors::reading;
use crate::actors::requests::{FoundNode, Look, NotSeen, Watched};
use crate::actors::shared::Shared;
use crate::actors::way_in::{LookAtTasks, ToShard};
use crate::errors::CommandError;
use crate::events::{EventNumber, Events, Subscriber};
use crate::late::LateEvent;
use crate::offline::{self, ReadError};
use crate::oneshot;
use crate::workflow::Workflow;

/// How far a handler says it is, in which attempt at which work.
type Progress = (WorkKey, AttemptNo, TaskProgress);

impl Runtime {
    pub(crate) async fn snapshot(&self, id: ExecutionId) -> Result<Record, CommandError> {
        let (mut record, slot) = match self.look(id, Look::Snapshot).await {
            Ok(seen) => seen,
            Err(NotSeen::InJournal) => return self.read(id, |reading| reading.record()).await,
            Err(NotSeen::Failed(CommandError::Journal(error))) => {
                return self.read_durable(id, error, |reading| reading.record()).await;
            }
            Err(NotSeen::NotDurable(error)) => return Err(error.into()),
            Err(NotSeen::Failed(error)) => return Err(error),
        };
        if let Some(slot) = slot
            && record.counts.running > 0
        {
            let (held_up, progress) = self.held_up(id, slot).await?;
            record.hold_up(&held_up);
            record.show_progress(&progress);
        }
        Ok(record)
    }

    pub(crate) async fn workflow_of(&self, id: ExecutionId) -> Result<Workflow, CommandError> {
        match self.look(id, Look::Workflow).await {
            Ok(workflow) => Ok(workflow),
            Err(NotSeen::InJournal) => self.read(id, |reading| reading.workflow().clone()).await,
            Err(NotSeen::Failed(CommandError::Journal(error))) => {
                self.read_durable(id, error, |reading| reading.workflow().clone()).await
            }
            Err(NotSeen::NotDurable(error)) => Err(error.into()),
            Err(NotSeen::Failed(error)) => Err(error),
        }
    }

    pub(crate) async fn why(&self, id: ExecutionId) -> Result<Why, CommandError> {
        match self.look(id, Look::Why).await {
            Ok((mut why, slot)) => {
                if let Some(slot) = slot
                    && why.awaited.iter().any(|awaited| awaited.status == NodeStatus::Running)
                {
                    why.hold_up(&self.held_up(id, slot).await?.0);
                }
                Ok(why)
            }
            Err(NotSeen::InJournal) => self.read(id, |reading| reading.why()).await,
            Err(NotSeen::Failed(CommandError::Journal(error))) => {
                self.read_durable(id, error, |reading| reading.why()).await
            }
            Err(NotSeen::NotDurable(error)) => Err(error.into()),
            Err(NotSeen::Failed(error)) => Err(error),
        }
    }

    /// The tasks of an execution that count as running, and whose handlers are held up.
    /// And how far others say they are.
    async fn held_up(&self, id: ExecutionId, slot: Slot) -> Result<(Vec<HeldUp>, Vec<Progress>), CommandError> {
        let (answer, answered) = oneshot::channel();
        let look: LookAtTasks = Box::new(move |engine, shared| {
            // Whoever asked may have gone; that is fine.
            let _ = answer.send((held_up(id, slot, engine, shared), progress(id, slot, engine)));
        });
        self.shard(id).put(ToShard::Tasks(look)).map_err(|_| CommandError::Stopped)?;
        answered.await.map_err(|_| CommandError::Stopped)
    }

    pub(crate) async fn events(&self, id: ExecutionId, after: EventNumber) -> Result<Events, CommandError> {
        let (subscriber, receiver) = Subscriber::new(after, self.0.options.limits.event_lag_max);
        let watched = match self.look(id, |answer| Look::Watch(subscriber, answer)).await {
            Ok(watched) => watched,
            Err(NotSeen::InJournal) => Watched { durable: u64::MAX, decided: u64::MAX, gate: None },
            Err(NotSeen::NotDurable(error)) => return Err(error.into()),
            Err(NotSeen::Failed(error)) => return Err(error),
        };
        let past = match watched.durable {
            // Nothing of it is durable: there is nothing to be read yet.
            0 => None,
            _ => Some(self.read(id, |reading| reading).await?),
        };
        Ok(receiver.with_past(id, past, watched, self.journal()?))
    }

    /// Late, duplicate and unknown outcomes that were noted about an execution, oldest first.
    ///
    /// They are kept in memory, up to [`Limits::late_events_max`](crate::Limits::late_events_max) in each shard, and gone
    /// after a restart.
    ///
    /// # Errors
    /// When there is no such execution, or the runtime has stopped.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
    /// # let execution = runtime.activate(&article, ()).await?;
    /// # let task = runtime.open_tasks_of(execution.id()).await?[0].id;
    /// runtime.complete_task(task, "yes").await?;
    /// assert!(runtime.complete_task(task, "no").await.is_err());
    ///
    /// let late = runtime.late_events(execution.id()).await?;
    /// assert_eq!(late[0].what, "report on a task");
    /// assert_eq!(late[0].reason, "the execution is over already: completed");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn late_events(&self, id: ExecutionId) -> Result<Vec<LateEvent>, CommandError> {
        // Of one that is not there is nothing to be told.
        self.execution(id).await?;
        let (answer, answered) = oneshot::channel();
        self.put(id, ToShard::LateEvents(id, answer)).map_err(|_| CommandError::Stopped)?;
        answered.await.map_err(|_| CommandError::Stopped)
    }

    /// The work that is done at a node, by its path.
    pub(crate) async fn key(&self, id: ExecutionId, node: &str) -> Result<FoundNode, CommandError> {
        let path = node.to_owned();
        match self.look(id, |answer| Look::Key(path, answer)).await {
            Ok(key) => Ok(key),
            Err(NotSeen::InJournal) => {
                let ended = self.ended(id).await?.ended();
                Err(ended.map_or(CommandError::NotFound, |outcome| CommandError::AlreadyTerminal(outcome.status())))
            }
            Err(NotSeen::NotDurable(error)) => Err(error.into()),
            Err(NotSeen::Failed(error)) => Err(error),
        }
    }

    /// Reads an execution from the journal, away from this thread.
    async fn read<T: Send + 'static>(
        &self,
        id: ExecutionId,
        see: impl FnOnce(offline::Reading) -> T + Send + 'static,
    ) -> Result<T, CommandError> {
        let read = reading::read(&self.journal()?, move |journal| offline::read(journal, id).map(see)).await;
        read.ok_or(CommandError::Stopped)?.map_err(|error| match error {
            ReadError::NotFound(_) => CommandError::NotFound,
            ReadError::Unreadable { problem, .. } => CommandError::Invalid(problem),
            ReadError::Journal(error) => error.into(),
        })
    }

    /// What of an execution was durable when its journal failed: the rest may never be.
    async fn read_durable<T: Send + 'static>(
        &self,
        id: ExecutionId,
        failed: JournalError,
        see: impl FnOnce(offline::Reading) -> T + Send + 'static,
    ) -> Result<T, CommandError> {
        let Some(known) = self.0.directory.get(id) else { return Err(failed.into()) };
        let (_, durable) = known.last();
        let read = move |journal: &dyn Journal| offline::read_up_to(journal, id, durable).map(see);
        let read = reading::read(&self.journal()?, read).await;
        read.and_then(Result::ok).ok_or(CommandError::Journal(failed))
    }
}

fn progress(id: ExecutionId, slot: Slot, engine: &TaskEngine) -> Vec<Progress> {
    if engine.registration(slot).is_none_or(|registration| registration.execution != id) {
        return Vec::new();
    }
    let all = engine.progress_of(slot).into_iter();
    all.map(|(dispatch, progress)| (dispatch.key, dispatch.attempt, progress)).collect()
}

/// What holds up the handlers of the execution in a slot; in ascending order of work keys.
fn held_up(id: ExecutionId, slot: Slot, engine: &TaskEngine, shared: &Shared) -> Vec<HeldUp> {
    // It may have ended since its slot was seen.
    let Some(registration) = engine.registration(slot).filter(|registration| registration.execution == id) else {
        return Vec::new();
    };
    let bound = shared.definition(registration.definition);
    let queue = |key: WorkKey, limit: LimitNo, position: usize| {
        let handler = bound.compiled.handler(key.node).filter(|_| limit != LimitNo::RUNTIME);
        let limit = handler.map_or(ConcurrencyLimit::Runtime, |name| ConcurrencyLimit::Handler(name.to_owned()));
        HeldUpBy::Queue(QueuePosition { position, limit })
    };
    let queued = engine.queued(slot).into_iter().map(|QueuedTask { dispatch, limit, position, .. }| HeldUp {
        key: dispatch.key,
        attempt: dispatch.attempt,
        by: queue(dispatch.key, limit, position),
    });
    let suspended = engine.suspended_tasks(slot).into_iter().map(|SuspendedTask { dispatch, resumes }| {
        let resumes = resumes.map(|(limit, position)| queue(dispatch.key, limit, position));
        HeldUp { key: dispatch.key, attempt: dispatch.attempt, by: resumes.unwrap_or(HeldUpBy::Execution) }
    });
    let mut all: Vec<_> = queued.chain(suspended).collect();
    all.sort_unstable_by_key(|held_up| held_up.key);
    all
}
