//! What the task engine is told.

use crate::execution::{self, Effect};
use crate::failure::Failure;
use crate::id::{Dispatch, ExecutionId, WorkKey};
use crate::number::{ActorNo, BatchNo, Callback, DefinitionNo, FutureNo, HandlerNo, LimitNo, RequestId, Slot};
use crate::payload::Payload;
use crate::status::ExecutionStatus;
use crate::time::Time;

use super::options::TaskNode;

/// Something the task engine is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// Here is what the engine must know of the nodes of a definition; comes before the first execution of it.
    ///
    /// A definition that is defined again is replaced.
    Define {
        /// Its number.
        definition: DefinitionNo,
        /// What to know of each node, by its number.
        nodes: Box<[TaskNode]>,
    },
    /// From the Supervisor: an execution begins, or is known again after a rebuild.
    ///
    /// An execution that is registered already keeps what is under way for it.
    Register(Registration),
    /// From the Supervisor: somebody else has the execution now.
    Moved {
        /// Which execution.
        slot: Slot,
        /// Who hears of its tasks from now on.
        callback: Callback,
    },
    /// From the Supervisor: the execution has ended. What is left of it is dropped.
    Deregister {
        /// Which execution.
        slot: Slot,
        /// How it ended: what those are answered whose reports came before their tasks were open.
        status: ExecutionStatus,
    },
    /// From an execution's actor: effects of turns that are durable, in their order. It is answered.
    ///
    /// What an actor says that it has taken it has taken with all batches before that. So one that takes the place of an
    /// actor that is gone has another number: nobody knows what the one before it had taken.
    Perform {
        /// Who says so.
        from: ActorNo,
        /// The newest batch that this actor has taken in, [`BatchNo::NONE`] before its first one.
        taken: BatchNo,
        /// Executions whose end was decided in these turns: for them nothing begins any more.
        ending: Vec<Slot>,
        /// What is to be done for which execution.
        effects: Vec<(Slot, Effect)>,
    },
    /// From a callback that performs nothing just now: it has taken in these outcomes, so they need not be kept.
    Taken {
        /// Who says so.
        callback: Callback,
        /// The newest batch that it has taken in.
        batch: BatchNo,
    },
    /// From an execution's actor: compare what is under way with what must be. It is answered.
    Reconcile(Reconcile),
    /// From an execution's actor: a report came before its task was open. It is kept until the task opens.
    KeepEarly(EarlyReport),
    /// From an execution's actor: this node has settled without being opened. Reports on it are given back at once.
    GiveBackEarly {
        /// Which execution.
        slot: Slot,
        /// Which work.
        key: WorkKey,
    },
    /// A handler that was started came to its result when it was polled for the first time.
    HandlerReady {
        /// Which one; as in its [`Start`](super::Start).
        attempt: Attempt,
        /// When it began.
        started: Time,
        /// When it was over.
        ended: Time,
        /// What came of it.
        result: HandlerResult,
    },
    /// A handler that was started did not come to its result at once.
    HandlerPending {
        /// Which one; as in its [`Start`](super::Start).
        attempt: Attempt,
        /// When it began.
        started: Time,
        /// The number of its future.
        future: FutureNo,
    },
    /// A pending handler came to its result, or the thread of a blocking one that was given up has come back.
    HandlerEnded {
        /// The number of its future. It is free from now on.
        future: FutureNo,
        /// When it was over.
        ended: Time,
        /// What came of it.
        result: HandlerResult,
    },
    /// A pending handler waits for another execution: its permits go to others meanwhile.
    ///
    /// One that waits already when it is polled for the first time is told as pending before.
    Suspended(FutureNo),
    /// What a suspended handler waited for is there. It goes on when it is in [`Outbox::resumes`](super::Outbox::resumes).
    Resumed(FutureNo),
    /// The time that [`TaskEngine::wake_at`](super::TaskEngine::wake_at) said has come.
    Wake,
    /// The pool's answer to a [`PermitChange::Ask`](super::PermitChange::Ask); none if it has none.
    PermitsGranted {
        /// Of which limit.
        limit: LimitNo,
        /// How many.
        permits: usize,
    },
    /// There may be permits in the pool, of which this shard was told that there are none.
    PermitsAvailable {
        /// Of which limit.
        limit: LimitNo,
    },
    /// Another shard needs permits, and the pool has none.
    PermitsWanted {
        /// Of which limit.
        limit: LimitNo,
        /// How many.
        wanted: usize,
    },
    /// An append has failed: nothing begins any more, because nothing could be recorded.
    JournalFailed,
    /// The runtime shuts down: handlers at work may finish until then, and nothing else begins.
    ///
    /// A second one changes nothing. The end is in [`Outbox::drained`](super::Outbox::drained).
    Drain {
        /// When the handlers that are left are dropped.
        deadline: Time,
    },
    /// After a rebuild: this handler is at work.
    Adopt(Adopted),
}

/// An execution, as the engine knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Registration {
    /// Where it is.
    pub slot: Slot,
    /// Its id.
    pub execution: ExecutionId,
    /// What it runs.
    pub definition: DefinitionNo,
    /// Who hears of its tasks.
    pub callback: Callback,
    /// What it was given: the input of every task that names no other.
    pub input: Payload,
}

/// What must be under way for an execution.
///
/// It is sent only when no turn of the execution is held: what is not durable must not be performed.
#[derive(Clone, Debug)]
pub struct Reconcile {
    /// Which execution.
    pub slot: Slot,
    /// Who asks.
    pub from: ActorNo,
    /// The newest batch that this actor has taken in.
    pub taken: BatchNo,
    /// Whether its end is decided: then nothing is run again.
    pub ending: bool,
    /// What [`Execution::under_way`](crate::Execution::under_way) says.
    pub under_way: Vec<Effect>,
}

/// A report on a task that was not open when it came.
#[derive(Clone, Debug)]
pub struct EarlyReport {
    /// Which execution.
    pub slot: Slot,
    /// Which work.
    pub key: WorkKey,
    /// The report, as the execution is told it.
    pub report: Box<execution::Input>,
    /// Who waits for the answer, if somebody does.
    pub request: Option<RequestId>,
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

/// What came of a handler.
#[derive(Clone, Debug, PartialEq)]
pub enum HandlerResult {
    /// It gave this output, which was written to the buffer that [`TaskEngine::output`](super::TaskEngine::output) gave.
    Completed(OutputRange),
    /// It failed.
    Failed(Box<Failure>),
}

/// Where in the bytes of a batch an output is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputRange {
    /// The first byte.
    pub start: u32,
    /// How many bytes.
    pub length: u32,
}

/// A handler that was at work when the engine's state was lost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adopted {
    /// Which one.
    pub attempt: Attempt,
    /// When it began.
    pub started: Time,
    /// The number of its future.
    pub future: FutureNo,
    /// How far it was told to stop.
    pub state: AdoptedState,
}

/// What a handler was at when the engine's state was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdoptedState {
    /// It works.
    Working,
    /// It waits for another execution, without its permits.
    Suspended,
    /// What it waited for is there, and it waits for its permits.
    Resuming,
    /// It was told to stop; its grace begins again.
    Stopping,
    /// It was given up and blocks its thread.
    Leaked,
}
