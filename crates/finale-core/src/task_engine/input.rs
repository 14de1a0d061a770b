//! Inputs of the task engine.

use std::sync::Arc;

use crate::execution::Effect;
use crate::failure::Failure;
use crate::id::{Dispatch, ExecutionId, WorkKey};
use crate::number::{ActorNo, BatchNo, Callback, DefinitionNo, FutureNo, HandlerNo, LimitNo, Slot};
use crate::payload::Payload;
use crate::record::TaskProgress;
use crate::status::ExecutionStatus;
use crate::time::Time;

use super::message::{Batch, EarlyReport, OutputRange};
use super::options::TaskNode;

/// An input of the task engine.
#[derive(Clone, Debug)]
pub enum Input {
    /// Properties of the nodes of a definition; sent before the first execution of the definition is registered.
    ///
    /// Defining a number again replaces the definition.
    Define {
        /// Number of the definition.
        definition: DefinitionNo,
        /// One entry for each node, by node index.
        nodes: Box<[TaskNode]>,
    },
    /// From the Supervisor: an execution begins, or the engine was rebuilt.
    ///
    /// Registering an execution again changes its callback and keeps everything that is under way.
    Register(Registration),
    /// From the Supervisor: the execution has another callback.
    Moved {
        /// Which execution.
        slot: Slot,
        /// The new callback.
        callback: Callback,
    },
    /// From the Supervisor: the execution has ended. Everything left of it is dropped.
    Deregister {
        /// Which execution.
        slot: Slot,
        /// How the execution ended: the answer to early reports that are still kept.
        status: ExecutionStatus,
    },
    /// From an execution's actor: effects of durable turns, in their order. The engine answers it, once the handlers that can
    /// begin have begun: what they return at once is with the answer or before it.
    ///
    /// `taken` acknowledges that batch and all earlier ones of the same actor number. An actor that replaces a vanished one
    /// must therefore have another number, because nobody knows which batches its predecessor had processed.
    Perform {
        /// The sender.
        from: ActorNo,
        /// The newest batch that this actor has processed, [`BatchNo::NONE`] before the first.
        taken: BatchNo,
        /// The effects, each with its execution.
        effects: Vec<(Slot, Effect)>,
    },
    /// From a callback that has no effects to send: the engine need not keep these outcomes any longer.
    Taken {
        /// The sender.
        callback: Callback,
        /// The newest batch that it has processed. The Supervisor has passed everything in it on.
        batch: BatchNo,
    },
    /// From an execution's actor, before it acknowledges the batch: it does not host the executions of these outcomes, and
    /// has passed them on to the Supervisor. The engine keeps them until their hosts have taken them in.
    PassedOn {
        /// The batch.
        batch: Arc<Batch>,
        /// Indexes of the outcomes.
        outcomes: Vec<usize>,
    },
    /// From an execution's actor: it has taken in outcomes that others had passed on.
    TakenIn(Vec<(Slot, Dispatch)>),
    /// From an execution's callback: compare what is under way with what must be. The engine answers it if that is an actor.
    Reconcile(Reconcile),
    /// From an execution's actor: a report arrived before its task was open. The engine keeps it until the task opens.
    KeepEarly(EarlyReport),
    /// From an execution's actor: the node has settled without having been opened, so early reports on it are given back
    /// and can be refused.
    GiveBackEarly {
        /// Which execution.
        slot: Slot,
        /// Which work.
        key: WorkKey,
    },
    /// A handler returned its result at its first poll.
    HandlerReady {
        /// The attempt, as in its [`Start`](super::Start).
        attempt: Attempt,
        /// When the handler began.
        started: Time,
        /// When the handler returned.
        ended: Time,
        /// The custom status that it set before that, as in [`Alive`](Self::Alive).
        custom_status: Option<Box<str>>,
        /// Its result.
        result: HandlerResult,
    },
    /// A handler is still pending after its first poll.
    HandlerPending {
        /// The attempt, as in its [`Start`](super::Start).
        attempt: Attempt,
        /// When the handler began.
        started: Time,
        /// Number of its future.
        future: FutureNo,
    },
    /// A pending handler returned its result, or the thread of a leaked blocking handler has ended.
    HandlerEnded {
        /// Number of its future; the owner may use the number again.
        future: FutureNo,
        /// When the handler returned.
        ended: Time,
        /// The custom status that it set before that, as in [`Alive`](Self::Alive), and that was not told yet.
        custom_status: Option<Box<str>>,
        /// Its result.
        result: HandlerResult,
    },
    /// A pending handler waits for another execution and releases its permits meanwhile.
    ///
    /// A handler that already waits at its first poll is reported as pending first.
    Suspended(FutureNo),
    /// A suspended handler can continue as soon as it has its permits again, which
    /// [`Outbox::resumes`](super::Outbox::resumes) says. Until then, or until it is to stop, the owner does not poll it.
    Resumed(FutureNo),
    /// A pending handler says that it is alive, and perhaps how far it is.
    Alive {
        /// Number of its future.
        future: FutureNo,
        /// How far it is; none if that is not said.
        progress: Option<TaskProgress>,
        /// The custom status that it has set, empty if it took it back; none if it has set none.
        custom_status: Option<Box<str>>,
    },
    /// The time of [`TaskEngine::wake_at`](super::TaskEngine::wake_at) has come.
    Wake,
    /// The pool's answer to [`PermitChange::Ask`](super::PermitChange::Ask).
    PermitsGranted {
        /// The limit.
        limit: LimitNo,
        /// Number of permits; 0 if the pool has none.
        permits: usize,
    },
    /// The pool has permits again, and this shard had asked in vain.
    PermitsAvailable {
        /// The limit.
        limit: LimitNo,
    },
    /// Another shard needs permits, and the pool has none left.
    PermitsWanted {
        /// The limit.
        limit: LimitNo,
        /// Number of permits needed.
        wanted: usize,
    },
    /// An append has failed. No handler begins from now on, because its outcome could not be recorded.
    JournalFailed,
    /// The runtime shuts down: running handlers may finish until the deadline, and no other begins.
    ///
    /// Only the first `Drain` has an effect. [`Outbox::drained`](super::Outbox::drained) reports the end.
    Drain {
        /// When the handlers that still run are dropped.
        deadline: Time,
    },
    /// After a rebuild: a handler that is running.
    Adopt(Adopted),
}

/// An execution, as the engine knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Registration {
    /// Its slot.
    pub slot: Slot,
    /// Its id.
    pub execution: ExecutionId,
    /// The definition that it runs.
    pub definition: DefinitionNo,
    /// Who receives messages about its tasks.
    pub callback: Callback,
    /// Input of the execution, and of every task that has no input of its own.
    pub input: Payload,
}

/// Everything that must be under way for an execution.
///
/// It may be sent only while no turn of the execution waits for the journal: an effect that is not durable must not be
/// performed.
#[derive(Clone, Debug)]
pub struct Reconcile {
    /// The execution.
    pub slot: Slot,
    /// The sender: the callback of the execution.
    pub from: Callback,
    /// The newest batch that the sender has processed.
    pub taken: BatchNo,
    /// The result of [`Execution::under_way`](crate::Execution::under_way). A missing handler that is to be stopped is not run
    /// again.
    pub under_way: Vec<Effect>,
}

/// One run of a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// For which execution.
    pub slot: Slot,
    /// Which attempt at which work.
    pub dispatch: Dispatch,
    /// Which handler.
    pub handler: HandlerNo,
}

/// The result of a handler.
#[derive(Clone, Debug, PartialEq)]
pub enum HandlerResult {
    /// Completed; the output was written to the buffer of [`TaskEngine::output`](super::TaskEngine::output).
    Completed(OutputRange),
    /// Failed.
    Failed(Box<Failure>),
}

/// A handler that was running when the state of the engine was lost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adopted {
    /// The attempt.
    pub attempt: Attempt,
    /// When the handler began.
    pub started: Time,
    /// Number of its future.
    pub future: FutureNo,
    /// Its state.
    pub state: AdoptedState,
}

/// The state of an adopted handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdoptedState {
    /// Running, with its permits.
    Working,
    /// Waiting for another execution, without its permits.
    Suspended,
    /// Ready to continue, waiting for its permits.
    Resuming,
    /// Asked to stop; its grace begins again.
    Stopping,
    /// Given up while it blocks its thread.
    Leaked,
}
