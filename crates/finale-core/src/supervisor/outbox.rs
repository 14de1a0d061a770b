//! The outputs of the supervisor.

use std::sync::Arc;
use std::time::Duration;

use crate::execution::{Interrupted, Refused};
use crate::fact::Terminal;
use crate::id::ExecutionId;
use crate::number::{ActorNo, BatchNo, Callback, DefinitionNo, RequestId, ShardNo, Slot};
use crate::record::Outcome;
use crate::status::ExecutionStatus;
use crate::task_engine::Registration;
use crate::time::Time;

use super::late::LateEvent;
use super::message::{Begin, Hosted, Message, NotActivated, Quarantine, ReadNo, Tell, TellEnd, ToShard, WriteNo};

/// Everything that must be done, one queue for each kind. Its owner uses it for one supervisor and keeps it.
///
/// After each [`handle`](super::Supervisor::handle), or after several, everything in it is carried out, in the order of the
/// fields and then in the order of each queue. Nothing in it has to wait for the journal: what follows from a turn of an
/// execution comes in only when that is durable.
#[derive(Debug, Default)]
pub struct Outbox {
    /// For the task engine. It is sent before what is for actors.
    pub engine: Vec<ToEngine>,
    /// Executions that only wait and are plain values, see [`Supervisor::parked`](super::Supervisor::parked): the task engine is
    /// to compare what is under way for them with what must be. That is sent before what is for actors, too.
    pub reconciles: Vec<Slot>,
    /// For actors of executions. They are numbered from 0 without gaps: the first message for a new number starts it.
    pub actors: Vec<(ActorNo, ToActor)>,
    /// For the supervisors of other shards.
    pub shards: Vec<(ShardNo, ToShard)>,
    /// Executions whose end is to be published: their outcomes, then the answers to who cancelled them.
    pub published: Vec<Published>,
    /// Ends that handlers are to be told of, away from whoever else waits. Each is answered exactly once, by
    /// [`Input::EndTold`](super::Input::EndTold).
    pub ends: Vec<TellEnd>,
    /// Answers to requests.
    pub replies: Vec<Reply>,
    /// Queries about executions that are not with an actor.
    pub queries: Vec<Query>,
    /// Reads of the journal, to be done away from this thread unless they cannot block. Each is answered exactly once.
    pub reads: Vec<Read>,
    /// Writes to the journal, in their order.
    pub writes: Vec<Write>,
    /// Permits of the limit on open executions, to be asked of the pool and to be given back to it.
    pub permits: Vec<PermitChange>,
    /// Ended executions that are forgotten, durably: nothing is to be kept of them in memory either, in all shards.
    pub forgotten: Vec<Arc<[ExecutionId]>>,
    /// What is worth a line in the log.
    pub notices: Vec<Notice>,
    /// The shard is at its end, with this report: every actor, the engine and the port can go.
    pub left: Option<Left>,
    /// Storage of [`ToActor::Begin`]s that are not needed any more: what the owner puts here is used again.
    pub spare_begins: Vec<Box<Begin>>,
}

impl Outbox {
    /// How an execution begins, in storage that is used again.
    pub(super) fn begin(&mut self, begin: Begin) -> ToActor {
        let boxed = match self.spare_begins.pop() {
            Some(mut spare) => {
                *spare = begin;
                spare
            }
            None => Box::new(begin),
        };
        ToActor::Begin(boxed)
    }

    /// Whether nothing is left to be done.
    pub fn is_empty(&self) -> bool {
        let Self {
            engine,
            reconciles,
            actors,
            shards,
            published,
            ends,
            replies,
            queries,
            reads,
            writes,
            permits,
            forgotten,
            notices,
            left,
            spare_begins: _,
        } = self;
        let sends_nothing = engine.is_empty() && reconciles.is_empty() && actors.is_empty() && shards.is_empty();
        let says_nothing =
            published.is_empty() && ends.is_empty() && replies.is_empty() && queries.is_empty() && notices.is_empty();
        let keeps_still = reads.is_empty() && writes.is_empty() && permits.is_empty() && forgotten.is_empty();
        sends_nothing && says_nothing && keeps_still && left.is_none()
    }
}

/// A message for the task engine.
#[derive(Clone, Debug, PartialEq)]
pub enum ToEngine {
    /// An execution begins, or is known again.
    Register(Registration),
    /// The callback of an execution has changed.
    Moved {
        /// Which execution.
        slot: Slot,
        /// Who.
        callback: Callback,
    },
    /// An execution is over: what is left of it is dropped.
    Deregister {
        /// Which execution.
        slot: Slot,
        /// How it ended.
        status: ExecutionStatus,
    },
    /// The supervisor has taken in everything up to this batch: it need not be kept.
    Taken(BatchNo),
}

/// A message for an actor.
#[derive(Debug)]
pub enum ToActor {
    /// Begin an execution. The actor has none.
    Begin(Box<Begin>),
    /// Go on with an execution. The actor has none.
    Resume(Resume),
    /// A message for the execution that the actor has; it forwards what is for another one.
    Tell(Tell),
}

/// An execution that is attached to an actor again.
#[derive(Debug)]
pub struct Resume {
    /// The execution.
    pub hosted: Box<Hosted>,
    /// Messages for it, in order.
    pub messages: Vec<Message>,
    /// Whether the execution is quarantined and the one message is an operator command. The actor reports the result with
    /// [`Input::CommandApplied`](super::Input::CommandApplied) before it does anything else.
    pub applies_command: bool,
}

/// An execution whose end is to be published.
#[derive(Clone, Debug)]
pub struct Published {
    /// Which execution.
    pub execution: ExecutionId,
    /// What it ran; none if it could not be read and was written off.
    pub definition: Option<DefinitionNo>,
    /// How it ended.
    pub outcome: Arc<Outcome>,
    /// Those who wait for the end of a cancellation.
    pub cancels: Vec<RequestId>,
    /// What was in flight when the end was decided.
    pub interrupted: Vec<Interrupted>,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// Who waits for it.
    pub request: RequestId,
    /// What it is.
    pub answer: Answer,
}

/// What somebody is answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// To an activation: this execution has begun, durably.
    Began(ExecutionId),
    /// To an activation: it repeats the one that this execution began with.
    Repeats(ExecutionId),
    /// To an activation: no execution has begun.
    NotActivated(NotActivated),
    /// To a message for an execution: it was not carried out, and changed nothing.
    NotDone(NotDone),
    /// To a release or to the command of an operator: it is durable.
    Done,
    /// To a leave.
    Left(Left),
}

/// Why something asked of an execution was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotDone {
    /// There is no such execution, or it is forgotten.
    NotFound,
    /// The execution refuses it; or it would, if it had not ended.
    Refused(Refused),
    /// Only a quarantined execution can be released.
    NotQuarantined,
    /// The execution needs a handler of this name, which is not registered.
    HandlerMissing(Box<str>),
    /// The history or the definition of the execution cannot be read: it can only be released or failed.
    Unreadable(Box<str>),
    /// The state machine of the quarantined execution panicked over the command.
    Panicked,
    /// As many messages wait for executions that have not begun, or for this quarantined one, as may be.
    Saturated,
    /// The journal could not be read.
    Unread(Box<str>),
    /// The journal takes nothing more. What was under way may have become durable.
    JournalFailed,
    /// The shard is closed.
    Closed,
    /// The supervisor of the shard has failed, again and again.
    ShardFailed,
}

/// A query about an execution that is not with an actor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Who waits for the answer; what is to be looked at is known by this number.
    pub request: RequestId,
    /// Which execution.
    pub execution: ExecutionId,
    /// Where to look.
    pub at: QueryTarget,
}

/// Where to look at an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryTarget {
    /// At the plain value, with [`Supervisor::parked`](super::Supervisor::parked).
    Parked(Slot),
    /// At the plain value; the execution is quarantined for this reason.
    Quarantined(Slot, Box<str>),
    /// Nowhere: it is quarantined because it cannot be read, for this reason.
    Unreadable(Box<str>),
    /// In the journal, away from this thread: it has ended, or is unknown.
    Journal,
}

/// A read of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The number that it is answered with.
    pub number: ReadNo,
    /// What is read.
    pub what: ReadWhat,
}

/// What is read of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadWhat {
    /// The history of an execution, folded: [`Input::Restored`](super::Input::Restored).
    ///
    /// Facts that are not durable yet are read too. It is answered only when everything that it folded is durable, so that a
    /// plain value has nothing in it that may never have happened.
    History(ExecutionId),
    /// Who has an idempotency key: [`Input::KeyLooked`](super::Input::KeyLooked).
    Key(Box<str>),
    /// Where an execution is: [`Input::StatusLooked`](super::Input::StatusLooked).
    Status(ExecutionId),
    /// The first ended executions that meet one of these criteria, at most `limit`:
    /// [`Input::Expired`](super::Input::Expired).
    Expired {
        /// The criteria.
        criteria: Vec<Criterion>,
        /// When the ages count from.
        now: Time,
        /// How many at most.
        limit: usize,
        /// Whether those are kept that somebody has still to be told of.
        keeps_untold: bool,
    },
    /// The first executions in all shards of whose ends somebody has still to be told, in the order of their ids:
    /// [`Input::UntoldFound`](super::Input::UntoldFound).
    Untold {
        /// After which execution; none for the first ones.
        after: Option<ExecutionId>,
        /// How many at most.
        limit: usize,
    },
}

/// Which ended executions need not be kept any more: those that either of the two says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Criterion {
    /// How they ended.
    pub status: Terminal,
    /// Those that ended longer ago than this; none if age does not matter.
    pub age: Option<Duration>,
    /// Those that are not among the newest ones of this number; none if the number does not matter.
    pub all_but: Option<u64>,
}

/// A write to the journal that is no turn of an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// The number that its durability is reported with, by [`Input::Written`](super::Input::Written); none if nobody waits.
    pub number: Option<WriteNo>,
    /// What is written.
    pub what: WriteWhat,
}

/// What is written to the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteWhat {
    /// An execution is quarantined for this reason, or is not any more.
    Quarantine(ExecutionId, Option<Quarantine>),
    /// An execution that cannot be read counts as failed.
    WriteOff {
        /// Which execution.
        execution: ExecutionId,
        /// When.
        at: Time,
        /// With this error.
        error: Box<str>,
        /// Whether somebody has to be told of that end.
        to_tell: bool,
    },
    /// These executions are forgotten.
    Forget(Arc<[ExecutionId]>),
    /// Everybody was told how these executions ended.
    Told(Arc<[ExecutionId]>),
}

/// A change of the permits that this shard holds of the limit on open executions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PermitChange {
    /// Ask for this number of permits. Answered with
    /// [`Input::PermitsGranted`](super::Input::PermitsGranted); none is asked for before that.
    Ask(usize),
    /// Give some back.
    Return(usize),
}

/// Something worth a line in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// The state machine of an execution panicked; it is folded again.
    Died(ExecutionId),
    /// An execution is quarantined for this reason.
    Quarantined(ExecutionId, Box<str>),
    /// An execution is not quarantined any more.
    Released(ExecutionId),
    /// An execution could not be begun, for this reason.
    NotBegun(ExecutionId, Box<str>),
    /// Somebody asked about an execution that is not there.
    NotFound(ExecutionId),
    /// A report came for an execution that has ended, or cannot be read. It was noted as a late event too.
    LateReport(LateEvent),
    /// Ended executions could not be looked for, for this reason.
    PurgeFailed(Box<str>),
    /// Handlers were told how an execution ended and have failed, for this reason; they are told again.
    EndNotTold(ExecutionId, Box<str>),
    /// Ends that are still to be told could not be looked for, for this reason.
    UntoldNotFound(Box<str>),
    /// The actor of an execution did not have it any more; it is folded again.
    Lost(ExecutionId),
}

/// What a shard was at when it ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Executions that had not ended.
    pub unfinished: usize,
    /// Whether it was told to end, and the journal takes what is left. What was cut off at the deadline is lost, and no crash.
    pub in_order: bool,
}
