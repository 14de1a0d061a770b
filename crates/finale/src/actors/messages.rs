//! The messages between the actors of a shard.
//!
//! What a state machine says to another one is carried as it is. Beside it travels what only the shell knows of an
//! execution: its [`Side`].

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use actix::{Addr, Message};
use finale_core::execution::{Effect, Input, NumberedEvent, Refused};
use finale_core::number::{ActorNo, RequestId, Slot};
use finale_core::supervisor::{self, Begin, Ended, Hosted, LateEvent, Panicked, Resume, WriteNo};
use finale_core::task_engine::{self, Batch, Delivery, EarlyReport, FiredTimer, TaskOutcome, TaskResult, TaskUpdate};
use finale_core::{ExecutionId, ExecutionStatus, FailureClass, NodeIndex, Payload, WorkKey};
use finale_journal::JournalError;
use tracing::Span;

use super::directory::Directory;
use super::lane::Lane;
use super::requests::Look;
use super::supervisor::Supervisor;
use super::way_in::LookAtTasks;
use crate::completion::Completion;
use crate::events::Subscriber;

/// What belongs to an execution and is not its state. It is with whoever has the execution.
#[derive(Default)]
pub(crate) struct Side {
    /// What the handles of the execution wait on.
    pub(crate) completion: Arc<Completion>,
    rare: Option<Box<RareSide>>,
    /// Whether everybody was told how the execution ended.
    pub(crate) told: bool,
}

/// What few executions have beside their state.
#[derive(Default)]
struct RareSide {
    /// Those who watch it.
    subscribers: Vec<Subscriber>,
    /// Work on which reports came before it was open; the task engine keeps them.
    early: BTreeSet<WorkKey>,
}

/// Supervisor to `ExecutionActor`: begin this.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Attach(pub(crate) Box<Begin>, pub(crate) Side);

/// Supervisor to `ExecutionActor`: go on with this.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Reattach(pub(crate) Box<Resume>, pub(crate) Side, pub(crate) Vec<Look>);

/// Supervisor to `ExecutionActor`: a message for the execution that it has.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Tell(
    pub(crate) supervisor::Tell,
    /// What to look at, if the message is a query.
    pub(crate) Option<Look>,
);

/// Shows what was seen when it is durable, or says why it never will be.
pub(crate) type Shown = Box<dyn FnOnce(Result<(), &JournalError>) + Send>;

/// What the Supervisor and the `TaskEngine` send to an `ExecutionActor`, in one order.
pub(crate) enum ForExecution {
    /// Supervisor.
    Attach(Attach),
    /// Supervisor.
    Reattach(Reattach),
    /// Supervisor. Boxed, because it is large and not among what every execution hears.
    Tell(Box<Tell>),
    /// `TaskEngine`.
    Delivered(Delivery),
    /// Supervisor.
    GiveUp(GiveUp),
    /// Supervisor.
    Dismiss(Dismiss),
}

/// `TaskEngine` to the callback of some executions: their tasks were done.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub(crate) struct TaskCompleted(pub(crate) Arc<Batch>);

/// `TaskEngine` to the callback of some executions: their tasks failed or were stopped.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub(crate) struct TaskFailed(pub(crate) Arc<Batch>);

/// `TaskEngine` to a callback: timers are due.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct TimerFired(pub(crate) Vec<FiredTimer>);

/// `TaskEngine` to a callback: reports that came before their tasks were open are given back.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct TaskReported(pub(crate) Vec<EarlyReport>);

/// `TaskEngine` to a callback: what handlers at work say.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct TaskUpdated(pub(crate) Vec<TaskUpdate>);

/// `TaskEngine` to a callback: more of what followed in these executions is to be drawn.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Continue(pub(crate) Vec<Slot>);

/// `TaskEngine` to a callback: so many of its messages were taken in.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Answered(pub(crate) u32);

/// What the other actors of a shard send to its `TaskEngine`, in one order.
pub(crate) enum ForEngine {
    /// Supervisor: an execution begins, moves or ends.
    Change(task_engine::Input),
    /// `ExecutionActor`, and Supervisor.
    Perform {
        /// Outputs that did not come from handlers, for those that run from now on.
        outputs: Vec<(Slot, WorkKey, Payload)>,
        input: task_engine::Input,
    },
    /// Supervisor: what the handlers of an execution run in, if anybody looks at spans; before any of them.
    Span(Slot, Box<Span>),
    /// Supervisor: everything is registered again, after [`EngineLost`].
    Registered,
    /// Supervisor: the next `ExecutionActor` of the pool; before anything it is the callback of.
    NewActor(Lane<ForExecution>),
}

impl ForEngine {
    /// Something that brings no outputs.
    pub(crate) const fn perform(input: task_engine::Input) -> Self {
        Self::Perform { outputs: Vec::new(), input }
    }
}

/// `TaskEngine` to Supervisor: its machine panicked and knows nothing any more.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct EngineLost {
    /// Whether that happened too often: the engine does nothing any more.
    pub(crate) is_final: bool,
}

/// `TaskEngine` to Supervisor: answers to requests, and the end of a shutdown.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct EngineAnswers {
    pub(crate) replies: Vec<task_engine::Reply>,
    pub(crate) drained: Option<task_engine::Drained>,
}

/// A look at the tasks of a shard.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct EngineQuery(pub(crate) LookAtTasks);

/// Permits of a runtime-wide limit came back, or are wanted elsewhere.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct PermitNews(pub(crate) task_engine::Input);

/// Connects the `TaskEngine` with the Supervisor; before anything else.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Connect(pub(crate) Addr<Supervisor>);

/// What a runtime before this one left open; before anything else.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Restart(pub(crate) supervisor::Recover);

/// The shard is at its end.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Dismiss;

/// Supervisor to `ExecutionActor`: the journal takes nothing more, or none if the shard has failed.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct GiveUp(pub(crate) Option<JournalError>);

/// Journal port to `ExecutionActor`: a turn is durable, or never will be.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Durable(pub(crate) Box<CommittedTurn>, pub(crate) Result<(), JournalError>);

/// Journal port to `ExecutionActor`: there is room in the journal again.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct JournalHasRoom;

/// Journal port to Supervisor.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) enum PortNews {
    /// A write is durable.
    Written(WriteNo),
    /// What was found in the journal is durable.
    Found(Vec<supervisor::Input>),
    /// There is room in the journal again.
    HasRoom,
    /// The journal takes nothing more.
    Failed,
}

/// What the other actors of a shard send to its Supervisor, in one order.
pub(crate) enum ForSupervisor {
    /// `ExecutionActor`: what became of an execution.
    News(ActorNo, ActorNews),
    /// `ExecutionActor`: an execution has ended.
    Ended(ExecutionEnded),
    /// `TaskEngine`: something for executions that are parked.
    Delivered(Delivery),
}

/// Something that the Supervisor hears from an actor.
pub(crate) enum ActorNews {
    /// The first facts are durable.
    Begun(Slot),
    /// It only waits, and is given back.
    Detached(Box<Hosted>, Side),
    /// Its state machine panicked. The looks belong to the queries among the messages, in their order.
    Panicked(Box<Panicked>, ExecutionId, Side, Vec<Look>),
    /// A message for an execution that the actor does not have.
    Forwarded(supervisor::Tell, Option<Look>),
    /// Something from the task engine for an execution that the actor does not have.
    Delivered(Slot, supervisor::Message, Option<Look>),
    /// What came of the command over a quarantined execution.
    Overruled(Slot, bool),
    /// The answer to a request.
    Replied(RequestId, Result<(), Refused>),
    /// What the request asked for will never be durable.
    Failed(RequestId, JournalError),
    /// Something came too late.
    Late(LateEvent),
}

/// An execution has ended, durably. The Supervisor records and publishes the terminal transition, once.
pub(crate) struct ExecutionEnded(pub(crate) ExecutionId, pub(crate) Ended, pub(crate) Side);

/// What becomes visible of a turn once its facts are durable.
#[derive(Default)]
pub(crate) struct CommittedTurn {
    pub(crate) slot: Slot,
    pub(crate) last_sequence: u64,
    pub(crate) status: ExecutionStatus,
    pub(crate) effects: Vec<Effect>,
    pub(crate) events: Vec<NumberedEvent>,
    /// What handlers came to, if no events say so.
    pub(crate) attempts: Vec<Attempted>,
    /// Outputs that did not come from handlers.
    pub(crate) outputs: Vec<(WorkKey, Payload)>,
    pub(crate) replies: Vec<(RequestId, Result<(), Refused>)>,
    pub(crate) shown: Vec<Shown>,
    pub(crate) late: Vec<LateEvent>,
}

impl CommittedTurn {
    /// Whether somebody outside the execution hears of something now.
    pub(crate) const fn answers_somebody(&self) -> bool {
        !(self.replies.is_empty() && self.shown.is_empty() && self.late.is_empty())
    }
}

/// An attempt that came to its result, to be counted.
pub(crate) struct Attempted {
    pub(crate) node: NodeIndex,
    pub(crate) failure: Option<FailureClass>,
    pub(crate) took: Duration,
}

impl Attempted {
    /// What is counted of an outcome; nothing of an attempt that was stopped.
    pub(crate) fn new(outcome: &TaskOutcome) -> Option<Self> {
        let failure = match &outcome.result {
            TaskResult::Completed(_) => None,
            TaskResult::Failed(failure) => Some(failure.class),
            TaskResult::Stopped(_) => return None,
        };
        Some(Self { node: outcome.dispatch.key.node, failure, took: outcome.ended.since(outcome.started) })
    }

    /// The same of an outcome that came as an input.
    pub(crate) fn told(input: &Input) -> Option<Self> {
        let Input::Outcome { dispatch, result, started, ended } = input else { return None };
        let failure = result.as_ref().err().map(|failure| failure.class);
        Some(Self { node: dispatch.key.node, failure, took: ended.since(*started) })
    }
}

impl Side {
    pub(crate) fn new(completion: Arc<Completion>) -> Self {
        Self { completion, rare: None, told: false }
    }

    /// Adds somebody who watches the execution.
    pub(crate) fn watch(&mut self, subscriber: Option<Subscriber>) {
        let Some(subscriber) = subscriber else { return };
        let subscribers = &mut self.rare.get_or_insert_default().subscribers;
        // An execution that waits for days tells nothing, and only what is told shows who is gone. Looked for whenever there
        // would be room for no more, so that it costs each of those who stay little.
        if subscribers.len() == subscribers.capacity() {
            subscribers.retain(|subscriber| !subscriber.is_gone());
        }
        subscribers.push(subscriber);
    }

    /// Whether somebody watches the execution.
    pub(crate) fn is_watched(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| !rare.subscribers.is_empty())
    }

    /// Those who watch the execution.
    pub(crate) fn subscribers(&mut self) -> Option<&mut Vec<Subscriber>> {
        self.rare.as_mut().map(|rare| &mut rare.subscribers)
    }

    /// Notes that a report came before its work was open: once, however often that is so.
    pub(crate) fn note_early(&mut self, key: WorkKey) {
        self.rare.get_or_insert_default().early.insert(key);
    }

    /// Whether there is work with early reports.
    pub(crate) fn has_early(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| !rare.early.is_empty())
    }

    /// The work with early reports that has settled; it is not noted any more.
    pub(crate) fn take_early(&mut self, has_settled: impl Fn(WorkKey) -> bool) -> Vec<WorkKey> {
        let mut settled = Vec::new();
        let Some(rare) = &mut self.rare else { return settled };
        rare.early.retain(|key| {
            let has_settled = has_settled(*key);
            settled.extend(has_settled.then_some(*key));
            !has_settled
        });
        settled
    }

    /// Puts the execution into the directory, unless it is there.
    pub(crate) fn list(&self, directory: &Directory, execution: ExecutionId) {
        directory.open(execution, &self.completion);
    }
}

impl Drop for Side {
    /// Whoever waits for an execution that nobody has any more hears that it is abandoned. One that has ended stays so.
    fn drop(&mut self) {
        if !self.told {
            self.completion.abandon();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::EventNumber;

    #[test]
    fn those_who_watch_no_more_are_let_go_of_though_nothing_is_told() {
        let mut side = Side::new(Arc::default());
        let (subscriber, _stays) = Subscriber::new(EventNumber::default(), 10);
        side.watch(Some(subscriber));
        for _ in 0..1_000 {
            side.watch(Some(Subscriber::new(EventNumber::default(), 10).0));
        }
        let subscribers = side.subscribers().unwrap();
        assert!(subscribers.len() < 10, "{} are kept", subscribers.len());
        assert!(!subscribers[0].is_gone());
    }

    #[test]
    fn early_reports_on_one_task_are_noted_once() {
        let (one, other) = (WorkKey::root(NodeIndex(1)), WorkKey::root(NodeIndex(2)));
        let mut side = Side::new(Arc::default());
        for _ in 0..1_000 {
            side.note_early(one);
        }
        side.note_early(other);
        assert_eq!(side.take_early(|key| key == one), [one]);
        assert_eq!(side.take_early(|_| true), [other]);
    }
}
