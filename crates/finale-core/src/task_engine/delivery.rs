//! Messages for callbacks, and the batches of outcomes that are kept until they are acknowledged.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;

use super::last_status::LastStatus;
use super::message::{Batch, Delivery, EarlyReport, FiredTimer, OutputRange, TaskOutcome, TaskResult, TaskUpdate};
use super::outbox::Outbox;
use super::slots::Slots;
use super::unsent::{Kind, Unsent};
use crate::id::Dispatch;
use crate::number::{BatchNo, Callback, Slot};
use crate::time::Time;

/// Outcomes per batch, at most.
const OUTCOMES_MAX: usize = 256;
/// A batch with more bytes of outputs is sent without waiting for further outcomes.
const BYTES_MAX: usize = 256 << 10;
/// Acknowledged batches that are kept for reuse.
const SPARE_MAX: usize = 64;

/// Outcomes by their attempts: in which batch each of them is, and where there.
pub(super) type KeptOutcomes = BTreeMap<Dispatch, (Arc<Batch>, usize)>;

/// Batches that were sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Deliveries {
    /// What each callback was sent.
    sent: Vec<Sent>,
    /// Number of unacknowledged batches.
    kept: usize,
    /// When the engine looks for batches that were not acknowledged.
    sweep_due: Time,
    /// Batches up to this one must be acknowledged by then, else they are sent again.
    sweeps: BatchNo,
    /// The time of the newest input.
    now: Time,
    interval: Duration,
    /// Acknowledged batches, for reuse.
    spare: Vec<Arc<Batch>>,
    /// Outcomes that their callback passed on instead of taking them in. They are on their way to whoever hosts their
    /// execution, so a reconciliation of that host may arrive before them.
    passed_on: PassedOn,
}

/// Outcomes that a [`TaskEngine`](super::TaskEngine) has sent, and that nobody is known to have taken in; and the custom
/// statuses that its handlers have set last, which go with the outcomes to come.
#[derive(Debug, Default)]
pub struct Untaken {
    pub(super) outcomes: PassedOn,
    pub(super) statuses: FxHashMap<Slot, Box<LastStatus>>,
    pub(super) last_set_at: Time,
}

/// Outcomes by their executions and attempts, each with its batch and its index there.
pub(super) type PassedOn = FxHashMap<Slot, BTreeMap<Dispatch, (Arc<Batch>, usize)>>;

/// What one callback was sent.
#[derive(Clone, Debug, Default)]
struct Sent {
    /// Its unacknowledged batches, oldest first.
    kept: VecDeque<Arc<Batch>>,
    /// Its newest batch.
    newest: BatchNo,
}

impl Deliveries {
    pub(super) fn new(sweep_interval: Duration) -> Self {
        Self { interval: sweep_interval, ..Self::default() }
    }

    /// Notes the time, from which the patience with unacknowledged batches counts.
    pub(super) const fn note_time(&mut self, at: Time) {
        self.now = at;
    }

    /// The time of the input in hand.
    pub(super) const fn now(&self) -> Time {
        self.now
    }

    /// When [`sweep`](Self::sweep) is due; none while everything is acknowledged.
    pub(super) fn sweep_at(&self) -> Option<Time> {
        (self.kept > 0).then_some(self.sweep_due)
    }

    /// Sends batches again that were not acknowledged in time. Those that follow go with them, because their callback does
    /// not process a batch before its predecessor.
    pub(super) fn sweep(&mut self, out: &mut Outbox) {
        if self.sweep_at().is_none_or(|due| due > self.now) {
            return;
        }
        let late = |sent: &Sent| sent.kept.front().is_some_and(|batch| batch.number <= self.sweeps);
        for (index, sent) in self.sent.iter().enumerate().filter(|(_, sent)| late(sent)) {
            let callback = Callback::from_index(index);
            out.deliveries.extend(sent.kept.iter().map(|batch| (callback, Delivery::of(Arc::clone(batch)))));
        }
        (self.sweep_due, self.sweeps) = (self.now.after(self.interval), out.newest);
    }

    /// The buffer for the next output for a callback.
    pub(super) fn output<'a>(&mut self, callback: Callback, out: &'a mut Outbox) -> &'a mut Vec<u8> {
        &mut self.filling(callback, Kind::Completed, out).batch.bytes
    }

    /// Adds an outcome, and the custom status that goes with it. A completed one has its output in the buffer already.
    pub(super) fn outcome(
        &mut self,
        callback: Callback,
        outcome: TaskOutcome,
        status: Option<TaskUpdate>,
        out: &mut Outbox,
    ) {
        let kind = if matches!(outcome.result, TaskResult::Completed(_)) { Kind::Completed } else { Kind::Failed };
        let unsent = self.filling(callback, kind, out);
        if let Some(status) = status {
            unsent.updates.retain(|update| !status.replaces(update));
            let statuses = &mut unsent.batch.statuses;
            statuses.pop_if(|last| status.replaces(last));
            statuses.push(status);
        }
        let batch = &mut unsent.batch;
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

    /// Adds what a handler says.
    pub(super) fn update(&mut self, callback: Callback, update: TaskUpdate, out: &mut Outbox) {
        listed(callback, out).update(update);
    }

    pub(super) fn go_on(&mut self, callback: Callback, slot: Slot, out: &mut Outbox) {
        self.filling(callback, Kind::Continued, out).continued.push(slot);
    }

    /// Answers a message of a callback about that execution, once no handler of it is about to begin: a callback that has
    /// its answers may give the execution back, and what these handlers return at once must not be late for that.
    pub(super) fn answer(&mut self, callback: Callback, about: Option<Slot>, out: &mut Outbox) {
        let unsent = listed(callback, out);
        unsent.answers += 1;
        unsent.about = about.or(unsent.about);
    }

    /// Drops all batches of a callback up to that one. The Supervisor hosts no execution: what it has processed it has
    /// passed on.
    pub(super) fn taken(&mut self, callback: Callback, newest: BatchNo, slots: &Slots) {
        while let Some(Sent { kept, .. }) = self.sent.get_mut(callback.index())
            && kept.front().is_some_and(|batch| batch.number <= newest)
            && let Some(batch) = kept.pop_front()
        {
            self.kept -= 1;
            if callback == Callback::Supervisor {
                self.pass_on(&batch, 0..batch.outcomes.len(), slots);
            } else if self.spare.len() < SPARE_MAX {
                self.spare.push(batch);
            }
        }
    }

    /// Keeps outcomes of a batch until the hosts of their executions have taken them in.
    pub(super) fn pass_on(&mut self, batch: &Arc<Batch>, outcomes: impl IntoIterator<Item = usize>, slots: &Slots) {
        for index in outcomes {
            if let Some(outcome) = batch.outcomes.get(index).filter(|outcome| slots.get(outcome.slot).is_some()) {
                let of_slot = self.passed_on.entry(outcome.slot).or_default();
                of_slot.insert(outcome.dispatch, (Arc::clone(batch), index));
            }
        }
    }

    /// Removes an outcome that was passed on: the host of its execution has taken it in, or it is sent again.
    pub(super) fn taken_in(&mut self, slot: Slot, dispatch: Dispatch) -> Option<(Arc<Batch>, usize)> {
        let of_slot = self.passed_on.get_mut(&slot)?;
        let outcome = of_slot.remove(&dispatch);
        if of_slot.is_empty() {
            self.passed_on.remove(&slot);
        }
        outcome
    }

    /// Drops the outcomes of an execution that were passed on, but for those that it still waits for.
    pub(super) fn forget_passed_on(&mut self, slot: Slot, is_awaited: impl Fn(Dispatch) -> bool) {
        if let Some(of_slot) = self.passed_on.get_mut(&slot) {
            of_slot.retain(|dispatch, _| is_awaited(*dispatch));
            if of_slot.is_empty() {
                self.passed_on.remove(&slot);
            }
        }
    }

    /// Takes all outcomes that nobody is known to have taken in.
    pub(super) fn take_untaken(&mut self) -> Untaken {
        let mut untaken = std::mem::take(&mut self.passed_on);
        for batch in self.sent.iter_mut().flat_map(|sent| sent.kept.drain(..)) {
            for (index, outcome) in batch.outcomes.iter().enumerate() {
                let of_slot = untaken.entry(outcome.slot).or_default();
                of_slot.insert(outcome.dispatch, (Arc::clone(&batch), index));
            }
        }
        Untaken { outcomes: untaken, ..Untaken::default() }
    }

    /// Keeps outcomes that a predecessor had sent until the executions have reconciled.
    pub(super) fn adopt(&mut self, outcomes: PassedOn) {
        self.passed_on = outcomes;
    }

    /// Sends the unacknowledged outcome of an attempt again; false if there is none.
    pub(super) fn repeat(
        &mut self,
        callback: Callback,
        slot: Slot,
        dispatch: Dispatch,
        kept: &KeptOutcomes,
        out: &mut Outbox,
    ) -> bool {
        let passed_on = self.taken_in(slot, dispatch);
        let Some((batch, index)) = passed_on.or_else(|| kept.get(&dispatch).cloned()) else { return false };
        let mut outcome = batch.outcomes[index].clone();
        if let TaskResult::Completed(range) = &mut outcome.result {
            let bytes = self.output(callback, out);
            let start = bytes.len();
            bytes.extend_from_slice(batch.output(*range));
            *range = OutputRange::behind(start, bytes);
        }
        let status = batch.statuses.iter().rfind(|status| status.slot == slot).cloned();
        self.outcome(callback, outcome, status, out);
        true
    }

    /// The outcomes of an execution that nobody has acknowledged, the oldest of each attempt.
    pub(super) fn kept_of(&self, slot: Slot) -> KeptOutcomes {
        let mut all = KeptOutcomes::new();
        for batch in self.sent.iter().flat_map(|sent| &sent.kept) {
            for (index, outcome) in batch.outcomes.iter().enumerate().filter(|(_, outcome)| outcome.slot == slot) {
                all.entry(outcome.dispatch).or_insert_with(|| (Arc::clone(batch), index));
            }
        }
        all
    }

    /// The attempts of an execution whose outcomes are in unsent messages.
    pub(super) fn unsent(slot: Slot, out: &Outbox) -> impl Iterator<Item = Dispatch> {
        let outcomes = out.unsent.iter().flat_map(|unsent| &unsent.batch.outcomes);
        outcomes.filter(move |outcome| outcome.slot == slot).map(|outcome| outcome.dispatch)
    }

    /// Sends all unsent messages, and all answers but those about executions of which a handler is about to begin.
    pub(super) fn flush(&mut self, slots: &Slots, begins_outside: impl Fn(Slot) -> bool, out: &mut Outbox) {
        let mut dirty = std::mem::take(&mut out.dirty);
        dirty.retain(|&callback| {
            let unsent = &mut out.unsent[callback.index()];
            let is_beginning = |slot| begins_outside(slot) || slots.get(slot).is_some_and(|entry| entry.starting > 0);
            let waits = unsent.answers > 0 && unsent.about.is_some_and(is_beginning);
            unsent.listed = waits;
            let answers = if waits { 0 } else { std::mem::take(&mut unsent.answers) };
            unsent.about = unsent.about.filter(|_| waits);
            if unsent.batch.outcomes.is_empty() {
                self.send(callback, out);
                if answers > 0 {
                    out.deliveries.push((callback, Delivery::Answered(answers)));
                }
            } else {
                unsent.batch.answers = answers;
                self.send(callback, out);
            }
            waits
        });
        out.dirty = dirty;
    }

    /// The unsent message of that kind for a callback; a message of another kind is sent first.
    fn filling<'a>(&mut self, callback: Callback, kind: Kind, out: &'a mut Outbox) -> &'a mut Unsent {
        if listed(callback, out).kind != kind {
            self.send(callback, out);
            out.unsent[callback.index()].kind = kind;
        }
        &mut out.unsent[callback.index()]
    }

    /// Sends the unsent message for a callback.
    fn send(&mut self, callback: Callback, out: &mut Outbox) {
        let unsent = &mut out.unsent[callback.index()];
        if !unsent.updates.is_empty() {
            let updates = Delivery::TaskUpdated(std::mem::take(&mut unsent.updates));
            out.deliveries.push((callback, updates));
        }
        let delivery = match unsent.kind {
            Kind::Timers if !unsent.timers.is_empty() => Delivery::TimerFired(std::mem::take(&mut unsent.timers)),
            Kind::Reports if !unsent.reports.is_empty() => Delivery::TaskReported(std::mem::take(&mut unsent.reports)),
            Kind::Continued if !unsent.continued.is_empty() => {
                Delivery::Continue(std::mem::take(&mut unsent.continued))
            }
            Kind::Completed | Kind::Failed if !unsent.batch.outcomes.is_empty() => {
                out.newest.0 += 1;
                unsent.batch.number = out.newest;
                let batch = self.keep(callback, &mut unsent.batch);
                Delivery::of(batch)
            }
            // The buffer may hold output of handlers that failed in the end.
            _ => return unsent.batch.bytes.clear(),
        };
        out.deliveries.push((callback, delivery));
    }

    /// Keeps a batch and leaves an empty one in its place, with reused storage if possible.
    fn keep(&mut self, callback: Callback, batch: &mut Batch) -> Arc<Batch> {
        let mut shared = loop {
            let Some(mut spare) = self.spare.pop() else { break Arc::default() };
            // A receiver that still holds the batch owns its storage.
            if Arc::get_mut(&mut spare).is_some() {
                break spare;
            }
        };
        let inner = Arc::get_mut(&mut shared).expect("nobody else has it");
        inner.clear(BYTES_MAX);
        std::mem::swap(inner, batch);
        if self.sent.len() <= callback.index() {
            self.sent.resize_with(callback.index() + 1, Sent::default);
        }
        let sent = &mut self.sent[callback.index()];
        inner.previous = std::mem::replace(&mut sent.newest, inner.number);
        if self.kept == 0 {
            (self.sweep_due, self.sweeps) = (self.now.after(self.interval), inner.number);
        }
        self.kept += 1;
        sent.kept.push_back(Arc::clone(&shared));
        shared
    }
}

/// The unsent message for a callback, which is listed as dirty.
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
