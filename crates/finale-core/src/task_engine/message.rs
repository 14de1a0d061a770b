//! Messages of the task engine to callbacks.

use std::sync::Arc;

use crate::execution;
use crate::fact::{StopOutcome, Timer};
use crate::failure::Failure;
use crate::id::{Dispatch, WorkKey};
use crate::number::{BatchNo, RequestId, Slot};
use crate::record::TaskProgress;
use crate::time::Time;

/// A message for a callback.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// Tasks that completed, in that order.
    TaskCompleted(Arc<Batch>),
    /// Tasks that failed or were stopped, in that order.
    TaskFailed(Arc<Batch>),
    /// Timers that are due.
    TimerFired(Vec<FiredTimer>),
    /// Early reports whose tasks have opened, or never will: the executions can accept or refuse them now.
    TaskReported(Vec<EarlyReport>),
    /// Executions to tell [`Input::Continue`](crate::execution::Input::Continue).
    Continue(Vec<Slot>),
    /// What handlers at work say. Nothing of it is kept here for whoever does not get it, but for the custom status that was
    /// set last: it goes with the next batch of outcomes as well.
    TaskUpdated(Vec<TaskUpdate>),
    /// Number of messages that are answered without a batch of outcomes to carry that.
    Answered(u32),
}

/// Outcomes for one callback. The engine keeps a batch until the callback acknowledges it.
#[derive(Debug, Default)]
pub struct Batch {
    /// Number of the batch; numbers rise over all callbacks of the shard.
    pub number: BatchNo,
    /// Number of the batch before it that the same callback was sent. A callback that has not processed that one does not
    /// process this one either: both are sent again.
    pub previous: BatchNo,
    /// Number of messages of the callback that are answered. Their immediate outcomes are in this batch or an earlier one.
    pub answers: u32,
    /// The custom statuses that handlers have set before these outcomes; to be taken in first.
    pub statuses: Vec<TaskUpdate>,
    /// The outcomes, in their order.
    pub outcomes: Vec<TaskOutcome>,
    /// The outputs, concatenated.
    pub bytes: Vec<u8>,
}

impl Delivery {
    /// The message for a batch: the first outcome says of which kind all of them are.
    pub(super) fn of(batch: Arc<Batch>) -> Self {
        match batch.outcomes.first().map(|outcome| &outcome.result) {
            Some(TaskResult::Completed(_)) => Self::TaskCompleted(batch),
            _ => Self::TaskFailed(batch),
        }
    }
}

impl Batch {
    /// The output in that range, as JSON.
    ///
    /// # Panics
    /// When the range belongs to another batch.
    pub fn output(&self, range: OutputRange) -> &[u8] {
        &self.bytes[range.start as usize..][..range.length as usize]
    }

    /// Empties the batch for reuse. Of its storage that many bytes are kept, because rare large outputs would enlarge all
    /// batches for good.
    pub(super) fn clear(&mut self, bytes_max: usize) {
        self.answers = 0;
        self.statuses.clear();
        self.outcomes.clear();
        self.bytes.clear();
        self.bytes.shrink_to(bytes_max);
    }
}

/// The outcome of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskOutcome {
    /// The execution.
    pub slot: Slot,
    /// The attempt.
    pub dispatch: Dispatch,
    /// When its handler began.
    pub started: Time,
    /// When the attempt was over.
    pub ended: Time,
    /// The result.
    pub result: TaskResult,
}

/// The result of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum TaskResult {
    /// Completed, with an output in the bytes of the batch.
    Completed(OutputRange),
    /// Failed.
    Failed(Box<Failure>),
    /// Stopped because it was asked to.
    Stopped(StopOutcome),
}

/// Something that a handler at work says.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskUpdate {
    /// The execution.
    pub slot: Slot,
    /// The attempt.
    pub dispatch: Dispatch,
    /// When the engine heard of it.
    pub at: Time,
    /// What.
    pub update: Update,
}

impl TaskUpdate {
    /// What the execution is told; nothing of a progress, which is only for those who watch it.
    pub fn into_input(self) -> Option<execution::Input> {
        let Self { dispatch, at, update, .. } = self;
        match update {
            Update::CustomStatus(text) => Some(execution::Input::CustomStatus { dispatch, set_at: at, text }),
            Update::Progress(_) => None,
        }
    }
}

/// What a handler at work says.
#[derive(Clone, Debug, PartialEq)]
pub enum Update {
    /// How far it is. It is recorded nowhere.
    Progress(TaskProgress),
    /// The custom status of its execution; empty to take it back.
    CustomStatus(Box<str>),
}

/// A timer that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FiredTimer {
    /// The execution.
    pub slot: Slot,
    /// The timer.
    pub timer: Timer,
}

/// A report on a task that was not open yet.
#[derive(Clone, Debug)]
pub struct EarlyReport {
    /// Which execution.
    pub slot: Slot,
    /// Which work.
    pub key: WorkKey,
    /// The report, as an input of the execution.
    pub report: Box<execution::Input>,
    /// The request to answer, if somebody waits.
    pub request: Option<RequestId>,
}

/// The place of an output in the bytes of its batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputRange {
    /// Index of the first byte.
    pub start: u32,
    /// Number of bytes.
    pub length: u32,
}

impl OutputRange {
    /// What was written to the buffer since it had that length.
    ///
    /// # Panics
    /// When the buffer is longer than 4 GiB: it is sent long before.
    pub fn behind(start: usize, buffer: &[u8]) -> Self {
        let number = |position: usize| u32::try_from(position).expect("a batch is sent before it is that large");
        Self { start: number(start), length: number(buffer.len() - start) }
    }
}
