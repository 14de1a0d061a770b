//! What comes of what the task engine is told.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::execution::Effect;
use crate::fact::{StopOutcome, Timer};
use crate::failure::Failure;
use crate::id::Dispatch;
use crate::number::{BatchNo, Callback, FutureNo, LimitNo, RequestId, Slot};
use crate::payload::Payload;
use crate::status::ExecutionStatus;
use crate::time::Time;

use super::delivery::Unsent;
use super::input::{Attempt, EarlyReport, OutputRange};

/// Storage of effects that is kept to be used again.
const SPENT_MAX: usize = 64;
/// Storage that has grown larger is not kept.
const SPENT_EFFECTS_MAX: usize = 1_024;

/// What is to be done, one queue for each kind of it. Its owner uses it for one engine and keeps it.
///
/// After each [`handle`](super::TaskEngine::handle) everything in it is carried out, in the order of the fields.
/// Only [`starts`](Self::next_start) may be left for later, by an owner who wants to let others work in between: the
/// engine finds those that are called off meanwhile.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Handlers that are to be told to stop: they may take their grace. Blocking ones that were given up are told too.
    pub stops: Vec<FutureNo>,
    /// Handlers whose futures are to be dropped at once. Their numbers are free then.
    pub drops: Vec<FutureNo>,
    /// Suspended handlers that have their permits again and go on.
    pub resumes: Vec<FutureNo>,
    /// Blocking handlers that were given up just now. Their futures are kept and polled: each keeps its permits until its
    /// thread comes back, which is then reported as [`Input::HandlerEnded`](super::Input::HandlerEnded).
    pub leaks: Vec<Leak>,
    /// Permits to be asked of the pool, and to be given back to it.
    pub permits: Vec<PermitChange>,
    /// What those are answered whose reports were kept.
    pub replies: Vec<Reply>,
    /// Messages for callbacks, in their order. More come with [`TaskEngine::flush`](super::TaskEngine::flush).
    pub deliveries: Vec<(Callback, Delivery)>,
    /// Set when a [`Drain`](super::Input::Drain) is over.
    pub drained: Option<Drained>,
    /// Storage of performed effects, to be used again by whoever sends them. It may be left where it is.
    pub spent: Vec<Vec<(Slot, Effect)>>,
    pub(super) starts: VecDeque<Option<Start>>,
    pub(super) unsent: Vec<Unsent>,
    /// Callbacks for which there is something unsent.
    pub(super) dirty: Vec<Callback>,
    /// The number of the newest batch.
    pub(super) newest: BatchNo,
}

impl Outbox {
    /// The next handler to begin.
    ///
    /// It is called and polled once, and what came of that is told at once, before anything else is: as
    /// [`Input::HandlerReady`](super::Input::HandlerReady) or [`Input::HandlerPending`](super::Input::HandlerPending).
    pub fn next_start(&mut self) -> Option<Start> {
        while let Some(start) = self.starts.pop_front() {
            if start.is_some() {
                return start;
            }
        }
        None
    }

    /// Keeps storage to be used again, as long as somebody does.
    pub(super) fn keep_spent(&mut self, effects: Vec<(Slot, Effect)>) {
        if self.spent.len() < SPENT_MAX && effects.capacity() <= SPENT_EFFECTS_MAX {
            self.spent.push(effects);
        }
    }

    /// Forgets everything but messages to callbacks and answers to requests.
    pub(super) fn keep_messages_only(&mut self) {
        self.starts.clear();
        self.stops.clear();
        self.drops.clear();
        self.resumes.clear();
        self.leaks.clear();
        self.permits.clear();
        self.drained = None;
    }
}

/// A handler that is to begin. It has its permits.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// Which one.
    pub attempt: Attempt,
    /// What it is given; none for what its execution was given, see
    /// [`TaskEngine::registration`](super::TaskEngine::registration).
    pub input: Option<Payload>,
}

/// A message for the callback of some executions.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// Tasks that were done, in the order in which they were.
    TaskCompleted(Arc<Batch>),
    /// Tasks that failed or were stopped, in the order in which they were.
    TaskFailed(Arc<Batch>),
    /// Timers of executions that are due.
    TimerFired(Vec<FiredTimer>),
    /// Reports that came before their tasks were open, given back: now they can be taken, or refused.
    TaskReported(Vec<EarlyReport>),
    /// So many messages are answered, and nothing else came of them yet.
    Answered(u32),
}

/// Outcomes for one callback. The engine keeps them until the callback says that they were taken.
#[derive(Debug, Default)]
pub struct Batch {
    /// Its number: higher than those of all batches before it, whoever got those.
    pub number: BatchNo,
    /// How many messages of the callback are answered: what they came to at once was in here or before.
    pub answers: u32,
    /// The outcomes.
    pub outcomes: Vec<TaskOutcome>,
    /// The outputs, one after the other.
    pub bytes: Vec<u8>,
}

impl Batch {
    /// The output in that range, as JSON.
    ///
    /// # Panics
    /// When the range is of another batch.
    pub fn output(&self, range: OutputRange) -> &[u8] {
        &self.bytes[range.start as usize..][..range.length as usize]
    }
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskOutcome {
    /// For which execution.
    pub slot: Slot,
    /// Which attempt at which work.
    pub dispatch: Dispatch,
    /// When its handler began.
    pub started: Time,
    /// When it was over.
    pub ended: Time,
    /// What came of it.
    pub result: TaskResult,
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum TaskResult {
    /// It was done, with an output that is in the bytes of the batch.
    Completed(OutputRange),
    /// It failed.
    Failed(Box<Failure>),
    /// It was told to stop, and stopped that far.
    Stopped(StopOutcome),
}

/// A timer of an execution that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FiredTimer {
    /// Of which execution.
    pub slot: Slot,
    /// Which one.
    pub timer: Timer,
}

/// A change of the permits that this shard holds; carried out at the
/// [`PermitPool`](crate::permits::PermitPool) of the runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PermitChange {
    /// Ask for more. It is answered at once, before anything else is told, with
    /// [`Input::PermitsGranted`](super::Input::PermitsGranted).
    Ask {
        /// Of which limit.
        limit: LimitNo,
        /// How many could be used at once.
        wanted: usize,
    },
    /// Give some back.
    Return {
        /// Of which limit.
        limit: LimitNo,
        /// How many.
        permits: usize,
    },
}

/// The answer to a request whose report was kept, or could not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Who waits for it.
    pub request: RequestId,
    /// What it is.
    pub answer: EarlyAnswer,
}

/// What somebody is answered who reported on a task before it was open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EarlyAnswer {
    /// No more such reports can be kept.
    Saturated {
        /// How many the shard keeps.
        early_reports_max: usize,
    },
    /// Its task was never opened: the execution has ended.
    Ended(ExecutionStatus),
    /// The execution is not here any more.
    Unknown,
}

/// A blocking handler that did not stop and was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leak {
    /// Which one.
    pub attempt: Attempt,
    /// When it began.
    pub started: Time,
    /// The number of its future.
    pub future: FutureNo,
}

/// How a shutdown went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// How many handlers were still at work at the deadline and were dropped.
    pub dropped: usize,
    /// How many blocking handlers still hold their threads.
    pub leaked: usize,
}

/// A task that waits for permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueuedTask {
    /// Which attempt at which work.
    pub dispatch: Dispatch,
    /// Since when it waits.
    pub since: Time,
    /// The limit that stands in its way: its handler's own, if that is used up, else the runtime's.
    pub limit: LimitNo,
    /// Its position among those that wait for that limit in this shard, counted from 1.
    pub position: usize,
}

/// How much there is of everything in a shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Handlers that hold permits: those that are to begin and those that were given up included, suspended ones not.
    pub running: usize,
    /// Handlers that wait for other executions, or for their permits after that.
    pub suspended: usize,
    /// Tasks that wait for permits.
    pub queued: usize,
    /// Tasks that wait for somebody outside.
    pub open: usize,
    /// Reports kept until their tasks open.
    pub early: usize,
    /// Blocking handlers that were given up and hold their permits.
    pub leaked: usize,
    /// Timers that are armed.
    pub timers: usize,
}
