//! What comes out of handling inputs: facts to make durable, then effects to perform.

use std::time::Duration;

use crate::compiled::Compiled;
use crate::fact::{self, Fact, Timer};
use crate::failure::Failure;
use crate::id::{AttemptNo, Dispatch, WorkKey};
use crate::path::NodePath;
use crate::payload::Payload;
use crate::record::{CustomStatus, ItemCounts};
use crate::status::{ExecutionStatus, NodeStatus, WaitingFor};
use crate::time::Time;

/// What one or more inputs came to.
///
/// The caller owns it and reuses it. Its contract: append the [`facts`](Self::facts) to the journal, wait until they are
/// durable, then perform the effects in their order. A turn dropped with facts in it is a bug and says so in debug builds.
#[derive(Debug, Default)]
#[must_use = "the facts of a turn must become durable before its effects are performed"]
pub struct Turn {
    facts: Vec<u8>,
    count: u32,
    last_sequence: u64,
    effects: Vec<Effect>,
    notices: Vec<NumberedEvent>,
    watched: bool,
    /// Storage of effects that were performed.
    spare: Vec<Vec<Effect>>,
}

/// As many executions take turns at once on one thread, by default.
const SPARE_MAX: usize = 64;
/// Storage that has grown larger is not kept.
const SPARE_EFFECTS_MAX: usize = 1_024;

/// Something the shell must do once the facts before it are durable.
///
/// Performing one twice that is under way already changes nothing. It is exhaustive: a new kind does not compile until
/// every shell performs it.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Run the handler of a node.
    Run {
        /// Which attempt at which work; the outcome must name it.
        dispatch: Dispatch,
        /// What the handler is given; none if that is what the execution was given.
        input: Option<Payload>,
    },
    /// Ask somebody outside.
    Offer {
        /// Which attempt at which work.
        dispatch: Dispatch,
        /// What the work is about.
        input: Payload,
        /// When it was asked for, also if that was in another life.
        since: Time,
        /// The path of the node, if that is in a scope inside.
        path: Option<Box<NodePath>>,
    },
    /// Take back what was asked: it is not wanted any more.
    Withdraw {
        /// Which attempt at which work.
        dispatch: Dispatch,
    },
    /// Tell a running handler to stop, and stop it after the grace.
    Stop {
        /// Which attempt at which work.
        dispatch: Dispatch,
        /// What the shell must report.
        then: AfterStop,
    },
    /// If the handler has not begun because it waits for a limit, it goes first in that queue, beyond no limit.
    PutFirst {
        /// Which attempt at which work.
        dispatch: Dispatch,
    },
    /// Report when this moment has come.
    ArmTimer {
        /// What to report.
        timer: Timer,
        /// When.
        due: Time,
        /// How long it takes, from when it was first armed: by a clock that was ahead then, `due` is further away than it
        /// should be. It is due so long after it is armed at the latest.
        within: Duration,
    },
    /// The moment is of no interest any more.
    DisarmTimer {
        /// Which one.
        timer: Timer,
    },
    /// More followed than is drawn at once: say [`Input::Continue`](super::Input::Continue), after others had their turn.
    Continue,
    /// The execution is over; always the last effect.
    Ended,
}

/// What becomes of a handler that was told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterStop {
    /// The execution waits for the report how far it stopped.
    Report,
    /// Its result is recorded already: drop it at once.
    Forget,
    /// Nothing, if it has begun: it may finish, and its result is recorded. One that has not must not begin any more; the
    /// execution waits for the report of that.
    Finish,
}

/// Something that observers may want to know; derived from a fact, so that a replay gives the same ones.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Notice {
    /// The execution went from one status to another.
    Status {
        /// From.
        from: ExecutionStatus,
        /// To.
        to: ExecutionStatus,
    },
    /// A node went from one status to another.
    Node {
        /// Which one.
        key: WorkKey,
        /// From.
        from: NodeStatus,
        /// To.
        to: NodeStatus,
        /// What it waits for, if it waits.
        waiting_for: Option<WaitingFor>,
        /// Which attempt, where there are attempts.
        attempt: Option<AttemptNo>,
    },
    /// A condition was evaluated.
    Condition {
        /// Which node.
        key: WorkKey,
        /// What it came to.
        value: bool,
    },
    /// An expression could not be evaluated.
    ExpressionFailed {
        /// Which node.
        key: WorkKey,
        /// Why.
        reason: Box<str>,
    },
    /// An attempt came to its result.
    Attempt {
        /// Which work.
        key: WorkKey,
        /// Which attempt.
        attempt: AttemptNo,
        /// The failure; none if it was done.
        failure: Option<Box<Failure>>,
        /// How long it took.
        took: Duration,
    },
    /// Somebody sent a signal.
    Signal {
        /// Its name.
        name: Box<str>,
        /// Who sent it.
        by: Box<str>,
        /// The node that waited for it; none if it is kept until one does.
        taken_by: Option<WorkKey>,
    },
    /// A map was reached, or an item of it is over.
    Items {
        /// Which node.
        key: WorkKey,
        /// How many items are where.
        items: ItemCounts,
    },
    /// The custom status that a handler has set is recorded; none if it was taken back.
    CustomStatus(Option<CustomStatus>),
}

/// A notice and the number that a stream of them can be resumed by.
#[derive(Clone, Debug, PartialEq)]
pub struct NumberedEvent {
    /// Sequence number of the fact it follows from.
    pub sequence: u64,
    /// Which of the notices of that fact, counted from 0.
    pub index: u32,
    /// When the fact became one.
    pub at: Time,
    /// What.
    pub notice: Notice,
    /// The path of the node that it is about, if that is in a scope inside: its id alone says too little there, and the
    /// scope may be gone by the time that somebody asks.
    pub path: Option<Box<NodePath>>,
}

/// Takes what follows from a fact while it is applied.
pub trait EffectSink {
    /// Whether anybody wants notices; if not, none are made.
    fn watched(&self) -> bool {
        false
    }

    /// Something observers may want to know, and the path of the node it is about if that is in a scope inside.
    fn notice(&mut self, _notice: Notice, _path: Option<Box<NodePath>>) {}

    /// Something to perform once the fact is durable.
    fn effect(&mut self, _effect: Effect) {}
}

/// Takes nothing: for a replay nobody watches.
impl EffectSink for () {}

impl Turn {
    /// An empty turn.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for notices from now on, or for none.
    pub fn watch(&mut self, watched: bool) {
        self.watched = watched;
    }

    /// The encoded facts, to be appended as they are.
    pub fn facts(&self) -> &[u8] {
        &self.facts
    }

    /// How many facts there are.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Sequence number of the last fact; they are numbered without gaps from 1.
    pub fn last_sequence(&self) -> u64 {
        self.last_sequence
    }

    /// What is to be performed, in this order.
    pub fn effects(&self) -> &[Effect] {
        &self.effects
    }

    /// What observers may want to know, in order.
    pub fn notices(&self) -> &[NumberedEvent] {
        &self.notices
    }

    /// Whether nothing came of the inputs.
    pub fn is_empty(&self) -> bool {
        self.count == 0 && self.effects.is_empty()
    }

    /// Says that the facts are in the journal: the turn may be dropped from now on.
    pub fn appended(&mut self) {
        self.facts.clear();
        self.count = 0;
    }

    /// Takes the effects out.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        let spare = self.spare.pop().unwrap_or_default();
        std::mem::replace(&mut self.effects, spare)
    }

    /// Takes the notices out.
    pub fn take_notices(&mut self) -> Vec<NumberedEvent> {
        std::mem::take(&mut self.notices)
    }

    /// Gives back the storage that effects were taken in, so that it is used again.
    pub fn reuse_effects(&mut self, mut storage: Vec<Effect>) {
        storage.clear();
        if self.spare.len() < SPARE_MAX && storage.capacity() <= SPARE_EFFECTS_MAX {
            self.spare.push(storage);
        }
    }

    /// Forgets everything: what the facts say could not be made durable.
    pub fn discard(&mut self) {
        self.appended();
        self.effects.clear();
        self.notices.clear();
    }

    /// What [`record`](Self::record) does, of an outcome that nobody made a fact of.
    pub(crate) fn record_outcome(
        &mut self,
        sequence: u64,
        (last, at): (Time, Time),
        work: (WorkKey, AttemptNo),
        result: Result<&[u8], &Failure>,
        span: (Time, Time),
    ) -> Recording<'_> {
        fact::encode_outcome(&mut self.facts, last, at, work, result, span);
        self.recorded(sequence, at)
    }

    fn recorded(&mut self, sequence: u64, at: Time) -> Recording<'_> {
        self.count += 1;
        self.last_sequence = sequence;
        Recording { turn: self, sequence, index: 0, at }
    }

    pub(crate) fn record(&mut self, sequence: u64, last: Time, at: Time, fact: &Fact) -> Recording<'_> {
        fact::encode(&mut self.facts, last, at, fact);
        self.recorded(sequence, at)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        debug_assert!(self.count == 0 || std::thread::panicking(), "a turn was dropped before its facts were appended");
    }
}

/// Numbers the notices of one fact.
pub(crate) struct Recording<'a> {
    turn: &'a mut Turn,
    sequence: u64,
    index: u32,
    at: Time,
}

impl EffectSink for Recording<'_> {
    fn watched(&self) -> bool {
        self.turn.watched
    }

    fn notice(&mut self, notice: Notice, path: Option<Box<NodePath>>) {
        let (sequence, index, at) = (self.sequence, self.index, self.at);
        self.index += 1;
        self.turn.notices.push(NumberedEvent { sequence, index, at, notice, path });
    }

    fn effect(&mut self, effect: Effect) {
        self.turn.effects.push(effect);
    }
}

/// Collects the notices of a replay, with the numbers they had when they were new.
#[derive(Debug, Default)]
pub struct Replay {
    /// The notices so far.
    pub notices: Vec<NumberedEvent>,
    sequence: u64,
    index: u32,
    at: Time,
}

impl Replay {
    /// Applies one fact of a history and collects what follows from it.
    pub fn apply(
        &mut self,
        execution: &mut super::Execution,
        definition: &Compiled,
        recorded: fact::Recorded,
    ) -> Result<(), super::ReplayError> {
        self.sequence = execution.sequence() + 1;
        self.index = 0;
        self.at = recorded.at;
        execution.apply(definition, recorded.at, recorded.fact, self)
    }
}

impl EffectSink for Replay {
    fn watched(&self) -> bool {
        true
    }

    fn notice(&mut self, notice: Notice, path: Option<Box<NodePath>>) {
        let Self { sequence, index, at, .. } = *self;
        self.index += 1;
        self.notices.push(NumberedEvent { sequence, index, at, notice, path });
    }
}
