//! The inputs of the supervisor.

use std::sync::Arc;
use std::time::Duration;

use crate::execution::{Execution, Interrupted};
use crate::id::{Epoch, ExecutionId};
use crate::number::{ActorNo, BatchNo, DefinitionNo, RequestId, ShardNo, Slot};
use crate::payload::Payload;
use crate::record::Outcome;
use crate::status::ExecutionStatus;
use crate::time::Time;

use super::late::LateEvent;
use super::message::{Activate, Begin, EndTold, Hosted, Message, Quarantine, ReadNo, Tell, ToShard, WriteNo};

/// An input of the supervisor.
///
/// An input is taken in as a whole before anything is done about it. If [`handle`](super::Supervisor::handle) panics, the
/// input is not lost: [`rebuild`](super::Supervisor::rebuild) finds it in the old state and acts on it again.
#[derive(Debug)]
pub enum Input {
    /// First of all, once: what the journal says about the executions that a runtime before this one left open.
    Recover(Recover),
    /// From a caller: begin an execution.
    Activate(Activate),
    /// From a caller: a message for an execution.
    Ask(Ask),
    /// From a caller: no execution begins any more.
    Close,
    /// From a caller: end this shard when everything that happened is recorded. Implies [`Close`](Self::Close).
    ///
    /// All who ask are answered with the same [`Left`](super::Left). The patience of the first one counts.
    Leave {
        /// Who waits for the end.
        request: RequestId,
        /// How long the shard waits for its actors and for the journal.
        patience: Duration,
    },
    /// From the supervisor of another shard.
    Shard {
        /// Of which shard.
        from: ShardNo,
        /// What it says.
        message: ToShard,
    },
    /// From an execution's actor: the first facts of the execution are durable. It is sent only where
    /// [`Begin::acknowledge`](super::Begin::acknowledge) asks for it.
    Begun(Slot),
    /// From an execution's actor: the execution only waits, and is given back.
    Detached(Box<Hosted>),
    /// From an execution's actor: its state machine panicked, and the actor has dropped the state.
    Panicked(Box<Panicked>),
    /// From an execution's actor: it was sent something for an execution that it does not have (any more).
    Forwarded {
        /// Which actor says so.
        from: ActorNo,
        /// What it was sent.
        tell: Tell,
    },
    /// From an execution's actor: the execution has ended, durably. The actor has nothing to do then.
    Ended(Ended),
    /// From an execution's actor: the command over which a quarantined execution was attached was carried out, or refused.
    /// If it was refused, the execution follows with [`Detached`](Self::Detached).
    CommandApplied {
        /// Which execution.
        slot: Slot,
        /// Whether the command was carried out.
        accepted: bool,
    },
    /// An actor is gone without having given back what it had.
    ActorGone(ActorNo),
    /// From the task engine: an outcome, a timer or a report for an execution whose callback is the supervisor.
    Delivered {
        /// Which execution.
        slot: Slot,
        /// The message.
        message: Message,
    },
    /// From the task engine: everything of the batch was handed over with [`Delivered`](Self::Delivered).
    BatchDelivered(BatchNo),
    /// The task engine was built again: it knows no execution.
    EngineRebuilt,
    /// The task engine has panicked too often and does nothing any more; so the shard has failed.
    EngineFailed,
    /// From the reader: the answer to a [`ReadWhat::History`](super::ReadWhat::History).
    Restored {
        /// Which read.
        read: ReadNo,
        /// What it came to: none if there is no history; else why the history or the definition cannot be read.
        restored: Result<Option<Restored>, Box<str>>,
    },
    /// From the reader: the answer to a [`ReadWhat::Key`](super::ReadWhat::Key).
    KeyLooked {
        /// Which read.
        read: ReadNo,
        /// The execution that has the key, if one has; else why the journal cannot be read.
        owner: Result<Option<KeyOwner>, Box<str>>,
    },
    /// From the reader: the answer to a [`ReadWhat::Status`](super::ReadWhat::Status).
    StatusLooked {
        /// Which read.
        read: ReadNo,
        /// Where the execution is, none if it is unknown or forgotten; else why the journal cannot be read.
        status: Result<Option<ExecutionStatus>, Box<str>>,
    },
    /// From the reader: the answer to a [`ReadWhat::Expired`](super::ReadWhat::Expired).
    Expired {
        /// Which read.
        read: ReadNo,
        /// What it came to; else why the journal cannot be read.
        expired: Result<Expired, Box<str>>,
    },
    /// From the reader: the answer to a [`ReadWhat::Untold`](super::ReadWhat::Untold).
    UntoldFound {
        /// Which read.
        read: ReadNo,
        /// The executions; else why the journal cannot be read.
        untold: Result<Vec<ExecutionId>, Box<str>>,
    },
    /// What became of a [`TellEnd`](super::TellEnd). Each is answered once.
    EndTold(EndTold),
    /// From the journal port: a write that has a number is durable.
    Written(WriteNo),
    /// From the journal port: it is better to write nothing more for now.
    JournalFull,
    /// From the journal port: there is room again.
    JournalHasRoom,
    /// From the journal port: the journal takes nothing more.
    JournalFailed,
    /// The pool's answer to a [`PermitChange::Ask`](super::PermitChange::Ask), and only to one. 0 says that no shard has an
    /// unused permit.
    PermitsGranted(usize),
    /// Another shard asks for permits, and the pool has none. It is answered with a
    /// [`PermitChange::Return`](super::PermitChange::Return), of 0 if there is none to spare.
    PermitsWanted,
    /// Something came too late, twice or for nothing: it is kept to be looked at.
    NoteLate(LateEvent),
    /// The time that [`Supervisor::wake_at`](super::Supervisor::wake_at) said has come.
    Wake,
}

/// A message for an execution, from outside.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Which execution. It belongs to this shard.
    pub execution: ExecutionId,
    /// What is asked.
    pub what: Question,
}

/// Something asked of an execution from outside.
#[derive(Clone, Debug)]
pub enum Question {
    /// Tell it this.
    Tell(Message),
    /// An operator releases a quarantined execution.
    Release(Option<RequestId>),
}

/// What an actor gives back when the state machine of an execution panicked.
#[derive(Debug)]
pub struct Panicked {
    /// Which execution.
    pub slot: Slot,
    /// The execution was to begin, and nothing of it was appended.
    pub begin: Option<Box<Begin>>,
    /// What had not been taken in, in its order; the message over which it panicked is the first one.
    ///
    /// Outcomes that the task engine keeps need not be among them: they are delivered again when the execution reconciles.
    pub messages: Vec<Message>,
    /// Those who wait for the end of a cancellation.
    pub cancels: Vec<RequestId>,
    /// How many [`Tell`]s the actor has got since the execution was attached to it; as in [`Hosted::told`].
    pub told: u32,
}

/// An execution has ended, durably.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Where it was.
    pub slot: Slot,
    /// How it ended.
    pub outcome: Arc<Outcome>,
    /// What people find it by; filled in where somebody is told of ends.
    pub business_key: Option<Box<str>>,
    /// Those who wait for the end of a cancellation: they are answered after the end was published.
    pub cancels: Vec<RequestId>,
    /// What was in flight when the end was decided, and how far each was stopped; filled in where somebody waits for it.
    pub interrupted: Vec<Interrupted>,
}

/// What the journal says about the executions of this shard when the runtime starts.
#[derive(Clone, Debug)]
pub struct Recover {
    /// Number of the claim of the journal: the life that begins for what was at work.
    pub epoch: Epoch,
    /// Whether the runtime before this one did not end in order.
    pub crashed: bool,
    /// The executions of this shard that have not ended.
    pub found: Vec<Found>,
    /// How many permits of the limit on open executions the pool has granted for them. There may be fewer permits than
    /// executions: all are resumed, and the missing permits are withheld as executions end.
    pub permits: usize,
}

/// An execution that has not ended, as the journal lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its id.
    pub execution: ExecutionId,
    /// Why it is quarantined, if it is.
    pub quarantine: Option<Quarantine>,
}

/// An execution, read from the journal.
#[derive(Debug)]
pub struct Restored {
    /// What it runs.
    pub definition: DefinitionNo,
    /// The state that its history folds to, facts that are not durable yet included.
    pub state: Box<Execution>,
    /// A handler that it may still need and that is not registered.
    pub missing_handler: Option<Box<str>>,
    /// When lives of the execution began after a crash, newest first; see [`crashes_of`](super::crashes_of).
    pub crashes: Vec<Time>,
    /// How it ended, if it has.
    pub outcome: Option<Arc<Outcome>>,
}

/// The execution that was activated with an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyOwner {
    /// Its id.
    pub execution: ExecutionId,
    /// Id of its workflow.
    pub workflow: Box<str>,
    /// What it was given.
    pub input: Payload,
}

/// The result of a search for ended executions that need not be kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// Those that were found.
    pub executions: Vec<ExecutionId>,
    /// When the first of the executions that are kept becomes too old for a criterion; none if that is never.
    pub next: Option<Time>,
}
