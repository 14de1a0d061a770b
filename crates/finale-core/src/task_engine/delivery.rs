//! Messages for callbacks: filled as things happen, numbered when they are sent, and kept until they were taken.

use std::collections::VecDeque;
use std::sync::Arc;

use super::input::{EarlyReport, OutputRange};
use super::outbox::{Batch, Delivery, FiredTimer, Outbox, TaskOutcome, TaskResult};
use crate::id::Dispatch;
use crate::number::{BatchNo, Callback, Slot};

/// Outcomes in one batch, at most.
const OUTCOMES_MAX: usize = 256;
/// A batch with more bytes of outputs is sent as it is.
const BYTES_MAX: usize = 256 << 10;
/// Storage of batches that is kept to be used again.
const SPARE_MAX: usize = 64;

/// What one callback has not been sent yet. It is all of one kind, so that the order of what the callback gets is kept.
#[derive(Debug, Default)]
pub(super) struct Unsent {
    kind: Kind,
    batch: Batch,
    timers: Vec<FiredTimer>,
    reports: Vec<EarlyReport>,
    /// How many messages of the callback are to be answered.
    answers: u32,
    /// Whether the callback is in the list of those for which there is something.
    listed: bool,
}

/// What kind of message is being filled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Completed,
    Failed,
    Timers,
    Reports,
}

/// The batches that were sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Deliveries {
    /// Those that were not taken, by their callbacks, oldest first.
    kept: Vec<VecDeque<Arc<Batch>>>,
    /// Batches that nobody else has any more.
    spare: Vec<Arc<Batch>>,
}

impl Deliveries {
    /// Where the next output for a callback is to be written.
    pub(super) fn output<'a>(&mut self, callback: Callback, out: &'a mut Outbox) -> &'a mut Vec<u8> {
        &mut self.filling(callback, Kind::Completed, out).batch.bytes
    }

    /// Adds an outcome. The output of one that completed is in the bytes of the batch already.
    pub(super) fn outcome(&mut self, callback: Callback, outcome: TaskOutcome, out: &mut Outbox) {
        let kind = if matches!(outcome.result, TaskResult::Completed(_)) { Kind::Completed } else { Kind::Failed };
        let batch = &mut self.filling(callback, kind, out).batch;
        batch.outcomes.push(outcome);
        if batch.outcomes.len() >= OUTCOMES_MAX || batch.bytes.len() > BYTES_MAX {
            self.send(callback, out);
        }
    }

    pub(super) fn timer(&mut self, callback: Callback, fired: FiredTimer, out: &mut Outbox) {
        self.filling(callback, Kind::Timers, out).timers.push(fired);
    }

    pub(super) fn report(&mut self, callback: Callback, report: EarlyReport, out: &mut Outbox) {
        self.filling(callback, Kind::Reports, out).reports.push(report);
    }

    /// Answers a message of a callback.
    pub(super) fn answer(&mut self, callback: Callback, out: &mut Outbox) {
        listed(callback, out).answers += 1;
    }

    /// The callback has taken in all batches up to that one.
    pub(super) fn taken(&mut self, callback: Callback, newest: BatchNo) {
        let Some(kept) = self.kept.get_mut(callback.index()) else { return };
        while kept.front().is_some_and(|batch| batch.number <= newest) {
            let batch = kept.pop_front();
            if self.spare.len() < SPARE_MAX {
                self.spare.extend(batch);
            }
        }
    }

    /// Adds an outcome once more that was sent and not taken; false if there is none of that attempt.
    pub(super) fn repeat(&mut self, callback: Callback, slot: Slot, dispatch: Dispatch, out: &mut Outbox) -> bool {
        let is_it = |outcome: &&TaskOutcome| outcome.slot == slot && outcome.dispatch == dispatch;
        let in_batch = |batch: &Arc<Batch>| batch.outcomes.iter().find(is_it).map(|it| (it.clone(), Arc::clone(batch)));
        let Some((mut outcome, batch)) = self.kept.iter().flatten().find_map(in_batch) else {
            return false;
        };
        if let TaskResult::Completed(range) = &mut outcome.result {
            let bytes = self.output(callback, out);
            let start = bytes.len();
            bytes.extend_from_slice(batch.output(*range));
            *range = OutputRange::behind(start, bytes);
        }
        self.outcome(callback, outcome, out);
        true
    }

    /// Whether the outcome of an attempt is about to be sent.
    pub(super) fn is_unsent(slot: Slot, dispatch: Dispatch, out: &Outbox) -> bool {
        let mut outcomes = out.unsent.iter().flat_map(|unsent| &unsent.batch.outcomes);
        outcomes.any(|outcome| outcome.slot == slot && outcome.dispatch == dispatch)
    }

    /// Sends everything.
    pub(super) fn flush(&mut self, out: &mut Outbox) {
        let mut dirty = std::mem::take(&mut out.dirty);
        for callback in dirty.drain(..) {
            let unsent = &mut out.unsent[callback.index()];
            unsent.listed = false;
            let answers = std::mem::take(&mut unsent.answers);
            if unsent.batch.outcomes.is_empty() {
                self.send(callback, out);
                if answers > 0 {
                    out.deliveries.push((callback, Delivery::Answered(answers)));
                }
            } else {
                unsent.batch.answers = answers;
                self.send(callback, out);
            }
        }
        out.dirty = dirty;
    }

    /// The message that is being filled for a callback; one of another kind is sent before.
    fn filling<'a>(&mut self, callback: Callback, kind: Kind, out: &'a mut Outbox) -> &'a mut Unsent {
        if listed(callback, out).kind != kind {
            self.send(callback, out);
            out.unsent[callback.index()].kind = kind;
        }
        &mut out.unsent[callback.index()]
    }

    /// Sends what was filled for a callback.
    fn send(&mut self, callback: Callback, out: &mut Outbox) {
        let unsent = &mut out.unsent[callback.index()];
        let delivery = match unsent.kind {
            Kind::Timers if !unsent.timers.is_empty() => Delivery::TimerFired(std::mem::take(&mut unsent.timers)),
            Kind::Reports if !unsent.reports.is_empty() => Delivery::TaskReported(std::mem::take(&mut unsent.reports)),
            kind @ (Kind::Completed | Kind::Failed) if !unsent.batch.outcomes.is_empty() => {
                out.newest.0 += 1;
                unsent.batch.number = out.newest;
                let batch = self.keep(callback, &mut unsent.batch);
                if kind == Kind::Completed { Delivery::TaskCompleted(batch) } else { Delivery::TaskFailed(batch) }
            }
            // Outputs of handlers that failed after all.
            _ => return unsent.batch.bytes.clear(),
        };
        out.deliveries.push((callback, delivery));
    }

    /// Keeps a batch, and leaves an empty one in its place: in storage that was used before, if there is some.
    fn keep(&mut self, callback: Callback, batch: &mut Batch) -> Arc<Batch> {
        let mut shared = loop {
            let Some(mut spare) = self.spare.pop() else { break Arc::default() };
            // The receiver may still have it: then it is not ours.
            if Arc::get_mut(&mut spare).is_some() {
                break spare;
            }
        };
        let inner = Arc::get_mut(&mut shared).expect("nobody else has it");
        inner.clear();
        std::mem::swap(inner, batch);
        if self.kept.len() <= callback.index() {
            self.kept.resize_with(callback.index() + 1, VecDeque::new);
        }
        self.kept[callback.index()].push_back(Arc::clone(&shared));
        shared
    }
}

/// What a callback has not been sent yet; it is in the list of those for which there is something.
fn listed(callback: Callback, out: &mut Outbox) -> &mut Unsent {
    if out.unsent.len() <= callback.index() {
        out.unsent.resize_with(callback.index() + 1, Unsent::default);
    }
    let unsent = &mut out.unsent[callback.index()];
    if !unsent.listed {
        unsent.listed = true;
        out.dirty.push(callback);
    }
    unsent
}

impl Batch {
    fn clear(&mut self) {
        self.answers = 0;
        self.outcomes.clear();
        self.bytes.clear();
        // A rare large output must not stay for ever in every batch.
        self.bytes.shrink_to(BYTES_MAX);
    }
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
