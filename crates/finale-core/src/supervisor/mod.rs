//! The executions of one shard: which of them begin, where they are, and what becomes of those that are in trouble.
//!
//! The supervisor is plain data. It is told things, by [`Supervisor::handle`], and says in an [`Outbox`] what is to be done:
//! messages for the task engine, for the actors of executions and for other shards, reads and writes of the journal, answers.
//! It never reads a clock or a journal itself, and the same inputs give the same outputs.
//!
//! An execution is in one of these places, and only there:
//!
//! - in the queue of those that are to begin: as an [`Activate`], without a slot;
//! - with an actor, which hosts one execution at a time;
//! - parked: as a [`Hosted`] value in its slot, while it only waits. The next message attaches an actor again;
//! - in the journal alone: until it was looked at after a restart, while its history is folded again after a panic, or when it
//!   cannot be read.
//!
//! Each request of somebody who waits has one owner at each time, who answers it: the supervisor as long as the message with
//! its number is in the supervisor, the actor once the message was sent to it.

mod ids;
mod input;
mod late;
mod options;
mod outbox;

pub use ids::{IdGenerator, home_of, shard_of};
pub use input::{
    Activate, Ask, AttachmentNo, Body, ClaimNo, Ended, Expired, Found, Hosted, Idempotency, Input, KeyOwner, Message,
    Panicked, Quarantine, Question, ReadNo, Recover, Restored, WriteNo,
};
pub use late::{LateEvent, LateKind};
pub use options::{Keep, Options, Retention};
pub use outbox::{
    Acknowledge, Answer, Begin, Criterion, Left, Look, LookAt, NotActivated, NotDone, Notice, Outbox, PermitChange,
    Published, Read, ReadWhat, Registration, Reply, Resume, Tell, ToActor, ToEngine, ToShard, Write, WriteWhat,
};

use crate::fact::{Fact, Facts};
use crate::id::ExecutionId;
use crate::number::Slot;
use crate::time::Time;

/// How a shard is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Executions that have a slot, or are found and not looked at yet, or cannot be read.
    pub open: usize,
    /// Executions that an actor has.
    pub active: usize,
    /// Activations that wait for an actor or a permit.
    pub queued: usize,
    /// Executions that were found at the start and have not gone on yet.
    pub recovering: usize,
    /// Executions that wait for an operator, those that cannot be read included.
    pub quarantined: usize,
    /// Executions that cannot be read.
    pub unreadable: usize,
    /// Whether the journal has failed.
    pub journal_failed: bool,
    /// Whether the supervisor has panicked too often and does nothing any more.
    pub shard_failed: bool,
}

/// When lives of an execution began after a crash, as its history says, newest first.
///
/// What cannot be decoded is left out: whoever folds the history notices it.
pub fn crashes_of(history: &[u8]) -> Vec<Time> {
    let crashed = |recorded: &crate::fact::Recorded| matches!(recorded.fact, Fact::Recovered { crashed: true, .. });
    let mut crashes: Vec<_> = Facts::new(history).flatten().filter(crashed).map(|recorded| recorded.at).collect();
    crashes.reverse();
    crashes
}

/// Decides everything about the executions of one shard.
#[derive(Debug)]
pub struct Supervisor {
    options: Options,
}

impl Supervisor {
    /// The supervisor of a shard on which nothing has begun. It is told [`Input::Recover`] first.
    pub fn new(options: Options) -> Self {
        Self { options }
    }

    /// Takes in one input.
    pub fn handle(&mut self, at: Time, input: Input, out: &mut Outbox) {
        let _ = (at, input, out, &self.options);
    }

    /// When it is to be told [`Input::Wake`], if nothing else comes before; none if there is nothing to look at.
    ///
    /// An earlier wake does no harm: a timer that is armed already need not be put off.
    pub fn wake_at(&self) -> Option<Time> {
        None
    }

    /// The execution in that slot, if it is a plain value.
    pub fn parked(&self, _slot: Slot) -> Option<&Hosted> {
        None
    }

    /// The late events of an execution that are kept, oldest first.
    pub fn late_events(&self, _execution: ExecutionId) -> impl Iterator<Item = &LateEvent> {
        std::iter::empty()
    }

    /// How the shard is doing.
    pub fn health(&self) -> Health {
        Health::default()
    }

    /// Makes a new supervisor of one that panicked in [`handle`](Self::handle).
    ///
    /// What the old one knew of executions, requests and keys is taken over; everything that follows from that is made anew.
    /// Plain values are read from the journal again. What is in `out` is carried out as usual: everything is either there or
    /// still in the old state. After too many panics the new one refuses everything, see [`Health::shard_failed`].
    #[must_use]
    pub fn rebuild(self, _at: Time, _out: &mut Outbox) -> Self {
        self
    }
}
