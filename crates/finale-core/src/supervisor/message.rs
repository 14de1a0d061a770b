//! The values that inputs and outputs share: activations, messages for executions, and parked executions.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::execution::{self, Execution};
use crate::id::ExecutionId;
use crate::number::{DefinitionNo, RequestId, Slot};
use crate::payload::Payload;
use crate::record::Outcome;
use crate::time::Time;

/// An activation: asks for an execution to begin.
#[derive(Clone, Debug)]
pub struct Activate {
    /// Who waits for the acknowledgement.
    pub request: Option<RequestId>,
    /// What is to be run; none if it was refused: the owner of the request knows why. Repetitions are answered all the same.
    pub definition: Option<DefinitionNo>,
    /// The id that it is to have; a new one if none.
    ///
    /// The activation is handed to the home of its idempotency key if it has one, see
    /// [`home_of`](super::home_of); else to the shard of this id, see [`shard_of`](super::shard_of).
    pub id: Option<ExecutionId>,
    /// What repetitions are known by.
    pub idempotency: Option<Box<Idempotency>>,
    /// What people find it by.
    pub business_key: Option<Box<str>>,
    /// Who activates it.
    pub by: Cow<'static, str>,
    /// How long it may take.
    pub deadline: Option<Duration>,
    /// What it is given.
    pub input: Payload,
}

/// What the repetition of an activation is known by: the same key, workflow and input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// The key.
    pub key: Box<str>,
    /// Id of the workflow; its version does not matter.
    pub workflow: Box<str>,
}

/// An execution that is to begin.
#[derive(Clone, Debug, PartialEq)]
pub struct Begin {
    /// Where it is.
    pub slot: Slot,
    /// Its id.
    pub execution: ExecutionId,
    /// What it runs.
    pub definition: DefinitionNo,
    /// What it is given.
    pub input: Payload,
    /// Who activated it.
    pub by: Cow<'static, str>,
    /// When it must be over.
    pub deadline: Option<Time>,
    /// What repetitions are known by.
    pub idempotency_key: Option<Box<str>>,
    /// What people find it by.
    pub business_key: Option<Box<str>>,
    /// Who is informed when its first facts are durable.
    pub acknowledge: Acknowledge,
}

/// Who is informed when the first facts of an execution are durable, or that they never will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledge {
    /// Nobody.
    Nobody,
    /// Whoever waits for the request: the actor answers it.
    Request(RequestId),
    /// The supervisor, with [`Input::Begun`](super::Input::Begun): others wait for it as well.
    Supervisor,
}

/// An end that handlers are to be told of.
#[derive(Clone, Debug)]
pub struct TellEnd {
    /// Which execution.
    pub execution: ExecutionId,
    /// How it ended, if that is still in memory; else it is read from the journal.
    pub end: Option<KnownEnd>,
    /// The numbers of the handlers: those that have not taken this end yet.
    pub handlers: Vec<u16>,
    /// How long each of them may take before it has failed.
    pub within: Duration,
}

/// What is known of an execution that has ended.
#[derive(Clone, Debug)]
pub struct KnownEnd {
    /// How it ended.
    pub outcome: Arc<Outcome>,
    /// What it ran.
    pub definition: DefinitionNo,
    /// What people find it by.
    pub business_key: Option<Box<str>>,
}

/// What became of a [`TellEnd`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndTold {
    /// Which execution.
    pub execution: ExecutionId,
    /// Whether all handlers that were told have taken it.
    pub told: Result<(), NotTold>,
}

/// Why an end was not told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotTold {
    /// The execution is forgotten: there is nothing to tell.
    Forgotten,
    /// The end could not be read, or handlers have failed.
    Failed {
        /// Those that have not taken it.
        handlers: Vec<u16>,
        /// Why.
        reason: Box<str>,
    },
}

/// Something for one execution.
#[derive(Clone, Debug)]
pub struct Message {
    /// Who waits for the answer, if somebody does.
    pub request: Option<RequestId>,
    /// What it is.
    pub body: Body,
}

impl Message {
    /// A message that nobody waits for.
    pub const fn tell(input: execution::Input) -> Self {
        Self { request: None, body: Body::Input(input) }
    }

    /// Whether it says what custom status a handler has set.
    pub const fn is_custom_status(&self) -> bool {
        matches!(self.body, Body::Input(execution::Input::CustomStatus { .. }))
    }
}

/// What is in a message for an execution.
#[derive(Clone, Debug)]
pub enum Body {
    /// An input of its state machine.
    Input(execution::Input),
    /// A look at it; what is to be looked at is known by the number of the request.
    Query,
    /// Compare what is under way for it with what must be: its actor sends a `Reconcile` to the task engine.
    Reconcile,
    /// Whether the actor has the execution at all: one that has not forwards this. Nothing else is to be done about it.
    Probe,
}

/// A message for the execution that an actor has.
#[derive(Clone, Debug)]
pub struct Tell {
    /// Where the execution is.
    pub slot: Slot,
    /// Its id.
    pub execution: ExecutionId,
    /// Which attachment of the execution to the actor it is for. An actor that forwards a message for the attachment that the
    /// supervisor knows of has lost the execution.
    pub attachment: AttachmentNo,
    /// The message.
    pub message: Message,
}

/// A parked execution: a plain value.
#[derive(Debug)]
pub struct Hosted {
    /// Where it is.
    pub slot: Slot,
    /// What it runs.
    pub definition: DefinitionNo,
    /// Its state, which is durable in full.
    pub state: Box<Execution>,
    /// Those who wait for the end of a cancellation.
    pub cancels: Vec<RequestId>,
    /// How many [`Tell`]s the actor has got since the execution was attached to it. Those that were on their way are
    /// forwarded, and what comes in meanwhile waits for them: so the order is kept.
    pub told: u32,
}

/// Why an execution is quarantined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantine {
    /// In words.
    pub reason: Box<str>,
    /// Whether only an operator can release it; else the next runtime queries whether the reason still holds.
    pub until_released: bool,
}

/// A message from the supervisor of one shard to that of another.
#[derive(Clone, Debug)]
pub enum ToShard {
    /// Begin an execution with an id of yours, whose key this shard has claimed.
    ///
    /// Definitions are numbered by each shard: the number is translated on the way.
    Begin {
        /// What the key is claimed for.
        claim: ClaimNo,
        /// The activation; nobody waits for its request there.
        activate: Box<Activate>,
    },
    /// What came of it.
    Answered {
        /// For which claim.
        claim: ClaimNo,
        /// The execution has begun, durably, or why not.
        result: Result<ExecutionId, NotActivated>,
    },
}

/// Why no execution has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotActivated {
    /// The definition was refused, for the reason that the owner of the request knows.
    Definition,
    /// As many executions are open as may be.
    Saturated,
    /// Too many activations wait until it is decided who has their key.
    KeySaturated,
    /// The key belongs to another activation.
    IdempotencyConflict(ExecutionId),
    /// An execution with that id exists.
    IdConflict(ExecutionId),
    /// Its state machine panicked over the activation, again and again.
    NotBegun(Box<str>),
    /// The journal could not be read.
    Unread(Box<str>),
    /// The journal takes nothing more. What was under way may have become durable.
    JournalFailed,
    /// The shard is closed.
    Closed,
    /// The supervisor of the shard has failed, again and again.
    ShardFailed,
}

/// An attachment of an execution to an actor, numbered by the supervisor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttachmentNo(pub u64);

/// A read of the journal, numbered by the supervisor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReadNo(pub u64);

/// A write to the journal whose durability the supervisor waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WriteNo(pub u64);

/// A key that its home has claimed for an activation, numbered by the home.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClaimNo(pub u64);
