//! The executions of one shard: admission, location, recovery, quarantine, end and retention.
//!
//! The supervisor is plain data. [`Supervisor::handle`] takes one input and puts what must be done into an [`Outbox`]: messages
//! for the task engine, for the actors of executions and for other shards, reads and writes of the journal, answers. The
//! supervisor reads no clock and no journal, and the same inputs give the same outputs.
//!
//! An execution is in exactly one of these places:
//!
//! - in the admission queue: an [`Activate`] without a slot;
//! - with an actor, which hosts one execution at a time;
//! - parked: a [`Hosted`] value in its slot, while it only waits. The next message attaches an actor again;
//! - in the journal alone: until it was looked at after a restart, while its history is folded again after a panic, or when it
//!   cannot be read.
//!
//! Each request of somebody who waits has one owner at each time, who answers it: the supervisor as long as the message with
//! its number is in the supervisor, the actor once the message was sent to it.

mod admission;
mod attach;
mod closing;
mod deaths;
mod ended;
mod ids;
mod input;
mod keys;
mod late;
mod message;
mod messages;
mod options;
mod outbox;
mod permits;
mod pool;
mod quarantine;
mod reads;
mod rebuild;
mod recovery;
mod retention;
mod slots;
mod sweep;
mod telling;
mod unreadable;
mod waiting;
mod writes;

#[cfg(test)]
mod tests;

pub use crate::task_engine::Registration;
pub use ids::{IdGenerator, home_of, shard_of};
pub use input::{Ask, Ended, Expired, Found, Input, KeyOwner, Panicked, Question, Recover, Restored};
pub use late::{LateEvent, LateKind};
pub use message::{
    Acknowledge, Activate, AttachmentNo, Begin, Body, ClaimNo, EndTold, Hosted, Idempotency, KnownEnd, Message,
    NotActivated, NotTold, Quarantine, ReadNo, Tell, TellEnd, ToShard, WriteNo,
};
pub use options::{Keep, Options, Retention};
pub use outbox::{
    Answer, Criterion, Left, NotDone, Notice, Outbox, PermitChange, Published, Query, QueryTarget, Read, ReadWhat,
    Reply, Resume, ToActor, ToEngine, Write, WriteWhat,
};

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use admission::Admission;
use closing::{Failure, Leaving};
use keys::Keys;
use late::LateEvents;
use permits::Permits;
use pool::Pool;
use reads::{Purpose, Reads};
use recovery::Recovery;
use retention::Purge;
use slots::{Place, Slots};
use telling::Telling;
use unreadable::Unreadable;
use writes::Writes;

use crate::fact::{Fact, Facts};
use crate::id::ExecutionId;
use crate::number::{DefinitionNo, RequestId, Slot};
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
    slots: Slots,
    pool: Pool,
    /// Executions that want an actor, in the order in which they came to want one.
    wanting: VecDeque<Slot>,
    admission: Admission,
    keys: Keys,
    reads: Reads,
    writes: Writes,
    recovery: Recovery,
    unreadable: BTreeMap<ExecutionId, Unreadable>,
    /// What was asked of executions that were not open, while the journal is asked about them. What comes in meanwhile waits
    /// behind it, so that the order is kept.
    absent: BTreeMap<ExecutionId, Vec<Question>>,
    retention: Purge,
    telling: Telling,
    late: LateEvents,
    leaving: Leaving,
    closed: bool,
    failure: Option<Failure>,
    /// How many executions with a slot are quarantined.
    quarantined: usize,
    /// How many executions wait for messages that are on their way back.
    forwarding: usize,
    /// When the next sweep is due, if there is anything to look at.
    sweep_due: Time,
    /// When this supervisor panicked.
    deaths: VecDeque<Time>,
}

impl Supervisor {
    /// The supervisor of a shard on which nothing has begun. Its first input is [`Input::Recover`].
    pub fn new(options: Options) -> Self {
        let ids = IdGenerator::new(options.shard, options.shards, options.seed);
        Self {
            slots: Slots::default(),
            pool: Pool::new(options.active_executions_max, options.recovering_executions_max),
            wanting: VecDeque::new(),
            admission: Admission::new(ids, Permits::new(options.unused_permits_max)),
            keys: Keys::default(),
            reads: Reads::new(options.reads_max, options.recovery_reads_max),
            writes: Writes::default(),
            recovery: Recovery::default(),
            unreadable: BTreeMap::new(),
            absent: BTreeMap::new(),
            retention: Purge::new(options.retention, options.ended_handlers > 0),
            telling: Telling::new(options.ended_handlers),
            late: LateEvents::new(options.late_events_max),
            leaving: Leaving::default(),
            closed: false,
            failure: None,
            quarantined: 0,
            forwarding: 0,
            sweep_due: Time::default(),
            deaths: VecDeque::new(),
            options,
        }
    }

    /// Takes in one input.
    pub fn handle(&mut self, at: Time, input: Input, out: &mut Outbox) {
        let was_idle = self.sweep_at().is_none();
        match input {
            Input::Activate(activate) => self.activate(at, activate, out),
            Input::Ended(ended) => self.ended(at, ended, out),
            Input::Detached(hosted) => {
                let slot = hosted.slot;
                self.detached(at, hosted, out);
                self.answer_if_failed(slot, out);
            }
            Input::Delivered { slot, message } => self.delivered(at, slot, message, out),
            Input::BatchDelivered(batch) => out.engine.push(ToEngine::Taken(batch)),
            Input::Ask(ask) => self.ask(at, ask, out),
            Input::Begun(slot) => self.begun(slot, out),
            Input::Forwarded { from, tell } => {
                let slot = tell.slot;
                self.forwarded(at, from, tell, out);
                self.answer_if_failed(slot, out);
            }
            Input::Panicked(panicked) => {
                let slot = panicked.slot;
                self.panicked(at, *panicked, out);
                self.answer_if_failed(slot, out);
            }
            Input::CommandApplied { slot, accepted } => self.command_applied(slot, accepted, out),
            Input::ActorGone(actor) => self.actor_gone(at, actor, out),
            Input::EngineRebuilt => self.engine_rebuilt(at, out),
            Input::EngineFailed => self.fail_all(at, Failure::Shard, out),
            Input::Restored { read, restored } => self.restored(at, read, restored, out),
            Input::KeyLooked { read, owner } => {
                if let Some(Purpose::Key(claim)) = self.reads.answered(read, |what| matches!(what, Purpose::Key(_))) {
                    self.key_looked(at, claim, owner, out);
                }
            }
            Input::StatusLooked { read, status } => {
                let fits = |what: &Purpose| matches!(what, Purpose::Id(_) | Purpose::Absent(_));
                match self.reads.answered(read, fits) {
                    Some(Purpose::Id(waiting)) => self.id_looked(at, *waiting, status, out),
                    Some(Purpose::Absent(execution)) => self.absent_looked(at, execution, &status, out),
                    _ => {}
                }
            }
            Input::Expired { read, expired } => {
                if self.reads.answered(read, |what| matches!(what, Purpose::Expired)).is_some() {
                    self.expired(at, expired, out);
                }
            }
            Input::UntoldFound { read, untold } => self.untold_found(at, read, untold, out),
            Input::EndTold(told) => self.end_told(at, told, out),
            Input::Shard { from, message: ToShard::Begin { claim, activate } } => {
                self.begin_for_shard(at, from, claim, *activate, out);
            }
            Input::Shard { message: ToShard::Answered { claim, result }, .. } => {
                self.claim_answered(claim, result, out);
            }
            Input::Written(write) => self.written(at, write, out),
            Input::PermitsGranted(permits) => self.permits_granted(at, permits, out),
            Input::PermitsWanted => self.permits_wanted(&mut out.permits),
            Input::JournalFull => self.admission.journal_full = true,
            Input::JournalHasRoom => self.admission.journal_full = false,
            Input::JournalFailed => self.fail_all(at, Failure::Journal, out),
            Input::NoteLate(event) => self.late.note(event),
            Input::Recover(recover) => self.recover(at, recover),
            Input::Close => self.close(at, out),
            Input::Leave { request, patience } => self.leave(at, request, patience, out),
            Input::Wake => {}
        }
        self.follow_up(at, was_idle, out);
    }

    /// Does everything that has become possible or due.
    fn follow_up(&mut self, at: Time, was_idle: bool, out: &mut Outbox) {
        self.sweep(at, out);
        self.purge_if_due(at);
        self.tell_ends(at, out);
        self.resume_waiting(at, out);
        self.assign_actors(at, out);
        if !out.queries.is_empty() {
            self.redirect_queries(at, out);
        }
        self.issue_reads(out);
        self.note_sweep(at, was_idle);
        self.leave_if_due(at, out);
    }

    /// When the supervisor needs [`Input::Wake`], at the latest; none while nothing is due.
    ///
    /// An earlier wake does no harm: a timer that is armed already need not be put off.
    pub fn wake_at(&self) -> Option<Time> {
        let retention = self.retention.wake_at().filter(|_| self.refusal().is_none());
        let recovery = self.recovery.resumes_at().filter(|_| self.refusal().is_none());
        let leave = self.leaving.deadline.filter(|_| self.leaving.left.is_none());
        [self.sweep_at(), recovery, retention, self.tell_at(), leave].into_iter().flatten().min()
    }

    /// The execution in that slot, if it is a plain value.
    pub fn parked(&self, slot: Slot) -> Option<&Hosted> {
        match &self.slots.get(slot)?.place {
            Place::Parked(hosted) => Some(hosted),
            _ => None,
        }
    }

    /// The definitions that something open or waiting refers to. The owner may use the numbers of all others again.
    pub fn definitions_in_use(&self) -> BTreeSet<DefinitionNo> {
        let open = self.slots.iter().map(|entry| entry.definition);
        let waiting = self.admission.waiting_activations().chain(self.reads.waiting_activations());
        let activations = waiting.chain(self.keys.activations());
        let untold = self.telling.definitions();
        open.chain(activations.filter_map(|activate| activate.definition)).chain(untold).collect()
    }

    /// The definition of an execution that an actor or the supervisor has, or that is about to begin.
    pub fn definition(&self, execution: ExecutionId) -> Option<DefinitionNo> {
        let entry = self.slots.get(self.slots.find(execution)?)?;
        match entry.place {
            Place::New | Place::Actor(_) | Place::Parked(_) => Some(entry.definition),
            Place::Vacant | Place::Reading | Place::Unreadable(_) => None,
        }
    }

    /// The late events of an execution that are kept, oldest first.
    pub fn late_events(&self, execution: ExecutionId) -> impl Iterator<Item = &LateEvent> {
        self.late.of(execution)
    }

    /// How the shard is doing.
    pub fn health(&self) -> Health {
        Health {
            open: self.open(),
            active: self.pool.active(),
            queued: self.admission.waiting(),
            recovering: self.recovery.left(),
            quarantined: self.quarantined + self.unreadable.len(),
            unreadable: self.unreadable.len(),
            journal_failed: self.failure == Some(Failure::Journal),
            shard_failed: self.failure == Some(Failure::Shard),
        }
    }

    /// How many executions have begun and not ended.
    fn open(&self) -> usize {
        self.slots.len() + self.recovery.unlooked() + self.unreadable.len()
    }

    /// Whether an execution has begun and not ended.
    fn is_open(&self, execution: ExecutionId) -> bool {
        self.slots.find(execution).is_some()
            || self.recovery.is_found(execution)
            || self.unreadable.contains_key(&execution)
    }

    /// The history of an execution was read.
    fn restored(&mut self, at: Time, read: ReadNo, restored: Result<Option<Restored>, Box<str>>, out: &mut Outbox) {
        let fits = |what: &Purpose| {
            matches!(what, Purpose::Found(_) | Purpose::FoundAsked(_) | Purpose::Slot(_) | Purpose::Unreadable(_))
        };
        match self.reads.answered(read, fits) {
            Some(Purpose::Found(execution) | Purpose::FoundAsked(execution)) => {
                self.found_read(at, execution, restored, out);
            }
            Some(Purpose::Slot(slot)) => self.folded(at, slot, restored, out),
            Some(Purpose::Unreadable(execution)) => self.unreadable_read(at, execution, restored, out),
            _ => {}
        }
    }

    /// Answers the requests that came back with an execution after a failure, because no message is delivered any more.
    fn answer_if_failed(&mut self, slot: Slot, out: &mut Outbox) {
        if let Some(failure) = self.failure.or_else(|| self.gone()) {
            self.answer_slot(slot, failure, out);
        }
    }
}

impl Outbox {
    /// Answers a request, if somebody waits.
    fn reply(&mut self, request: Option<RequestId>, answer: Answer) {
        if let Some(request) = request {
            self.replies.push(Reply { request, answer });
        }
    }
}
