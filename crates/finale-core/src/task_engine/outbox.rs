//! Outputs of the task engine.

use std::collections::VecDeque;

use crate::execution::Effect;
use crate::id::Dispatch;
use crate::number::{BatchNo, Callback, FutureNo, LimitNo, RequestId, Slot};
use crate::payload::Payload;
use crate::status::ExecutionStatus;
use crate::time::Time;

use super::input::Attempt;
use super::message::Delivery;
use super::unsent::Unsent;

/// Storage of effects that is kept to be used again.
const SPENT_MAX: usize = 64;
/// Storage that has grown larger is not kept.
const SPENT_EFFECTS_MAX: usize = 1_024;

/// Outputs of the engine, one queue for each kind. An outbox belongs to one engine and is reused.
///
/// After each [`handle`](super::TaskEngine::handle) the owner carries out everything in it, in the order of the fields.
/// Only [`starts`](Self::next_start) may wait, so that an owner can let other actors of the thread work in between: the
/// engine removes starts that are cancelled meanwhile.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Permits to ask the pool for, and to return to it. They come first: the answers of the pool add to the other queues.
    pub permits: Vec<PermitChange>,
    /// Handlers to ask to stop. They have their grace; a blocking one that was given up is asked too.
    pub stops: Vec<FutureNo>,
    /// Suspended handlers that may continue.
    pub resumes: Vec<FutureNo>,
    /// Handlers whose futures must be dropped at once; their numbers may then be used again. A handler may be in an earlier
    /// queue as well.
    pub drops: Vec<FutureNo>,
    /// Blocking handlers that were given up just now. The owner keeps and polls their futures: a leaked handler holds its
    /// permits until its thread ends, which the owner reports as [`Input::HandlerEnded`](super::Input::HandlerEnded).
    pub leaks: Vec<Leak>,
    /// Answers to requests whose reports were kept, or could not be.
    pub replies: Vec<Reply>,
    /// Messages for callbacks, in their order. [`TaskEngine::flush`](super::TaskEngine::flush) adds the unfinished ones.
    pub deliveries: Vec<(Callback, Delivery)>,
    /// Set when a [`Drain`](super::Input::Drain) is over.
    pub drained: Option<Drained>,
    /// Empty vectors for senders of effects to reuse. The owner may ignore them.
    pub spent: Vec<Vec<(Slot, Effect)>>,
    pub(super) starts: VecDeque<Option<Start>>,
    pub(super) unsent: Vec<Unsent>,
    /// Callbacks with unsent messages.
    pub(super) dirty: Vec<Callback>,
    /// The number of the newest batch.
    pub(super) newest: BatchNo,
}

impl Outbox {
    /// The next handler to begin.
    ///
    /// The owner calls it, polls it once, and reports the result before it tells the engine anything else: as
    /// [`Input::HandlerReady`](super::Input::HandlerReady) or [`Input::HandlerPending`](super::Input::HandlerPending).
    pub fn next_start(&mut self) -> Option<Start> {
        while let Some(start) = self.starts.pop_front() {
            if start.is_some() {
                return start;
            }
        }
        None
    }

    /// Whether there is anything to be carried out before the next handler begins.
    pub fn has_changes(&self) -> bool {
        let Self { permits, stops, resumes, drops, leaks, .. } = self;
        !(permits.is_empty() && stops.is_empty() && resumes.is_empty() && drops.is_empty() && leaks.is_empty())
    }

    /// Keeps a bounded number of vectors for reuse.
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

/// A handler that is to begin. It holds its permits already.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// The attempt.
    pub attempt: Attempt,
    /// Its input; none for the input of the execution, see
    /// [`TaskEngine::registration`](super::TaskEngine::registration).
    pub input: Option<Payload>,
}

/// A request to the [`PermitPool`](crate::permits::PermitPool) of the runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PermitChange {
    /// Ask for permits. The owner answers with [`Input::PermitsGranted`](super::Input::PermitsGranted) before it tells the
    /// engine anything else.
    Ask {
        /// The limit.
        limit: LimitNo,
        /// Number of permits that could be used at once.
        wanted: usize,
    },
    /// Return permits.
    Return {
        /// The limit.
        limit: LimitNo,
        /// Number of permits.
        permits: usize,
    },
}

/// The answer to a request whose report was kept or refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The request.
    pub request: RequestId,
    /// The answer.
    pub answer: EarlyAnswer,
}

/// The answer to an early report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EarlyAnswer {
    /// The shard keeps no more early reports.
    Saturated {
        /// The limit of the shard.
        early_reports_max: usize,
    },
    /// The execution ended before the task was opened.
    Ended(ExecutionStatus),
    /// No execution is registered in that slot.
    Unknown,
}

/// A blocking handler that was given up while its thread goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leak {
    /// The attempt.
    pub attempt: Attempt,
    /// When the handler began.
    pub started: Time,
    /// Number of its future.
    pub future: FutureNo,
}

/// The result of a shutdown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Number of handlers that were dropped at the deadline.
    pub dropped: usize,
    /// Number of blocking handlers whose threads still run.
    pub leaked: usize,
}

/// A task that waits for permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueuedTask {
    /// The attempt.
    pub dispatch: Dispatch,
    /// When it began to wait.
    pub since: Time,
    /// The limit that it waits for: that of its handler if that is reached, else that of the runtime.
    pub limit: LimitNo,
    /// Its position in the queue of that limit in this shard, counted from 1.
    pub position: usize,
}

/// A running handler that has released its permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuspendedTask {
    /// The attempt.
    pub dispatch: Dispatch,
    /// Once the handler waits for its permits again: the limit, and its position among the handlers that do, counted from
    /// 1. None while it waits for other executions.
    pub resumes: Option<(LimitNo, usize)>,
}

/// Gauges of a shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Handlers that hold permits, including those about to begin and leaked ones.
    pub running: usize,
    /// Handlers that wait for other executions, or for their permits afterwards.
    pub suspended: usize,
    /// Tasks that wait for permits.
    pub queued: usize,
    /// Tasks that wait for somebody outside.
    pub open: usize,
    /// Early reports that are kept.
    pub early: usize,
    /// Leaked blocking handlers.
    pub leaked: usize,
    /// Armed timers, including time limits of attempts.
    pub timers: usize,
}
