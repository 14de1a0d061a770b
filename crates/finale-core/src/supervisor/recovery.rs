//! Recovery of the executions that an earlier runtime left open.
//!
//! They were listed before anything began. Their histories are read, a bounded number at once. Only when all were examined is
//! the first one resumed: those that were at work get actors, a bounded number at once beside those for other work; of those
//! that only wait just the task engine hears. Nothing is written about an execution that only waits,
//! so a recovery that is killed can be repeated. A message for an execution that was not examined yet makes it the next one, and
//! resumes it.

use std::collections::{BTreeMap, VecDeque};

use super::Supervisor;
use super::input::{Ask, Found, Recover, Restored};
use super::message::{Hosted, Quarantine};
use super::outbox::{Answer, Outbox, ToEngine, WriteWhat};
use super::reads::Purpose;
use super::slots::{ExecutionSlot, Place};
use crate::execution::Execution;
use crate::id::{Epoch, ExecutionId};
use crate::number::{Callback, Slot};
use crate::status::ExecutionStatus;
use crate::task_engine::Registration;
use crate::time::Time;

/// How many executions that only wait are resumed in one turn.
const RESUMED_MAX: usize = 128;

/// Why an execution cannot be read whose history is not there.
const NO_HISTORY: &str = "its history is gone";

/// What is left to be recovered.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    /// The life that begins for what was at work.
    pub(super) epoch: Epoch,
    crashed: bool,
    /// Found in the journal, and not looked at yet.
    found: BTreeMap<ExecutionId, FoundExecution>,
    /// Those of them that nobody has asked to be read yet, in the order in which they will be.
    unread: VecDeque<ExecutionId>,
    /// Examined, and resumed when all were: those that need an actor,
    ready: VecDeque<Slot>,
    /// and those that only wait.
    only_waiting: VecDeque<Slot>,
    /// When the supervisor was told something last.
    now: Time,
    /// How many were looked at and have not gone on.
    waiting: usize,
}

/// An execution that was not looked at yet.
#[derive(Debug)]
struct FoundExecution {
    quarantine: Option<Quarantine>,
    /// Whether its history is being read, or is to be read next.
    reading: bool,
    /// What came for it meanwhile.
    asks: Vec<Ask>,
}

impl Recovery {
    /// How many executions were not looked at yet.
    pub(super) fn unlooked(&self) -> usize {
        self.found.len()
    }

    /// How many executions have not gone on yet.
    pub(super) fn left(&self) -> usize {
        self.found.len() + self.waiting
    }

    pub(super) fn is_found(&self, execution: ExecutionId) -> bool {
        self.found.contains_key(&execution)
    }

    /// Queues an examined execution, which is resumed when all were examined.
    pub(super) fn is_ready(&mut self, entry: &ExecutionSlot) {
        let queue = if entry.only_reconciles() { &mut self.only_waiting } else { &mut self.ready };
        queue.push_back(entry.slot);
    }

    /// When those that only wait go on; none if there are none, or others are to be examined before.
    pub(super) fn resumes_at(&self) -> Option<Time> {
        (self.found.is_empty() && !self.only_waiting.is_empty()).then_some(self.now)
    }

    /// Takes out what came for executions that were not looked at: they will not be.
    pub(super) fn take_asks(&mut self) -> Vec<Ask> {
        self.found.values_mut().flat_map(|found| std::mem::take(&mut found.asks)).collect()
    }

    /// No history is being read any more: all are to be read again.
    pub(super) fn rebuild(&mut self, waiting: usize) {
        self.unread = self.found.keys().copied().collect();
        self.found.values_mut().for_each(|found| found.reading = false);
        self.waiting = waiting;
        self.ready.clear();
        self.only_waiting.clear();
    }
}

impl Supervisor {
    /// Takes the journal's list of open executions at the start.
    pub(super) fn recover(&mut self, at: Time, recover: Recover) {
        let Recover { epoch, crashed, found, permits } = recover;
        (self.recovery.epoch, self.recovery.crashed) = (epoch, crashed);
        // Permits that are given for no execution are unused ones.
        self.admission.permits.granted(permits.saturating_sub(found.len()));
        self.admission.permits.owe(found.len().saturating_sub(permits));
        for Found { execution, quarantine } in found {
            self.recovery.unread.push_back(execution);
            self.recovery.found.insert(execution, FoundExecution { quarantine, reading: false, asks: Vec::new() });
        }
        self.start_retention(at);
        self.start_telling();
    }

    /// The next execution to be looked at, if any is left.
    pub(super) fn next_found(&mut self) -> Option<ExecutionId> {
        if self.refusal().is_some() {
            return None;
        }
        while let Some(execution) = self.recovery.unread.pop_front() {
            if let Some(found) = self.recovery.found.get_mut(&execution).filter(|found| !found.reading) {
                found.reading = true;
                return Some(execution);
            }
        }
        None
    }

    /// The next execution to be resumed, once all were examined.
    pub(super) fn next_recovered(&mut self) -> Option<Slot> {
        if !self.recovery.found.is_empty() || self.refusal().is_some() {
            return None;
        }
        self.recovery.ready.pop_front()
    }

    /// Resumes some of those that only wait, once all were examined. They need no actor, and others get their turn in between.
    pub(super) fn resume_waiting(&mut self, at: Time, out: &mut Outbox) {
        self.recovery.now = at;
        if !self.recovery.found.is_empty() || self.refusal().is_some() {
            return;
        }
        while out.reconciles.len() < RESUMED_MAX
            && let Some(slot) = self.recovery.only_waiting.pop_front()
        {
            // One that is asked for something meanwhile has an actor, or waits for one.
            let Some(entry) = self.slots.get_mut(slot).filter(|entry| entry.only_reconciles()) else { continue };
            entry.rare_mut().reconcile = false;
            out.reconciles.push(slot);
            self.mark_resumed(slot);
            self.slots.get_mut(slot).into_iter().for_each(ExecutionSlot::trim);
        }
    }

    /// Keeps a question for an execution that was not examined yet, and examines that one next.
    pub(super) fn ask_found(&mut self, ask: Ask, out: &mut Outbox) {
        if let Some(failure) = self.failure {
            let not_done = Answer::NotDone(failure.not_done());
            return out.reply(ask.what.request(), not_done);
        }
        let execution = ask.execution;
        let Some(found) = self.recovery.found.get_mut(&execution) else { return };
        found.asks.push(ask);
        if !std::mem::replace(&mut found.reading, true) {
            self.reads.want(Purpose::FoundAsked(execution));
        }
    }

    /// Handles the history of an execution that was found at the start.
    pub(super) fn found_read(
        &mut self,
        at: Time,
        execution: ExecutionId,
        restored: Result<Option<Restored>, Box<str>>,
        out: &mut Outbox,
    ) {
        let Some(found) = self.recovery.found.remove(&execution) else { return };
        match restored {
            Ok(Some(restored)) if restored.outcome.is_some() => {
                // It has ended since it was listed.
                self.return_permit(out);
            }
            Ok(Some(restored)) => {
                let slot = self.insert_restored(at, execution, found.quarantine.as_ref(), restored, out);
                if let Some(entry) = self.slots.get_mut(slot).filter(|entry| !entry.is_quarantined()) {
                    entry.rare_mut().recovering = true;
                    self.recovery.waiting += 1;
                    self.recovery.is_ready(entry);
                }
            }
            Ok(None) => self.quarantine_unreadable(execution, NO_HISTORY.into(), out),
            Err(reason) => self.quarantine_unreadable(execution, reason, out),
        }
        for ask in found.asks {
            self.ask(at, ask, out);
        }
    }

    /// Puts a restored execution into a slot, and quarantines it if it must not run.
    pub(super) fn insert_restored(
        &mut self,
        at: Time,
        execution: ExecutionId,
        quarantine: Option<&Quarantine>,
        restored: Restored,
        out: &mut Outbox,
    ) -> Slot {
        let Restored { definition, state, missing_handler, crashes, .. } = restored;
        let one_too_many = self.is_one_crash_too_many(at, &state, &crashes);
        let is_held = quarantine.is_some_and(|quarantine| quarantine.until_released);
        // A crash that it was quarantined for is not recorded yet, even if no other came since.
        let crashed = self.recovery.crashed || (is_held && one_too_many);
        let held = self.reason_to_hold(quarantine, &state, missing_handler.as_deref(), one_too_many);
        let recovered = (state.running() > 0).then_some(crashed);
        let input = state.activation().map(|activation| activation.input.clone()).unwrap_or_default();
        let slot = self.slots.insert(execution, definition, input.clone(), Place::Reading);
        if let Some(entry) = self.slots.get_mut(slot) {
            entry.place = Place::Parked(Box::new(Hosted { slot, definition, state, cancels: Vec::new(), told: 0 }));
            let rare = entry.rare_mut();
            rare.recovered = recovered;
            rare.reconcile = true;
            rare.missing_handler = missing_handler;
        }
        let callback = Callback::Supervisor;
        out.engine.push(ToEngine::Register(Registration { slot, execution, definition, callback, input }));
        match held {
            Some(held) => self.quarantine(slot, held, out),
            None if quarantine.is_some() => self.write(WriteWhat::Quarantine(execution, None), None, out),
            None => {}
        }
        slot
    }

    /// The reason why an execution must stay quarantined, if there is one.
    fn reason_to_hold(
        &self,
        quarantine: Option<&Quarantine>,
        state: &Execution,
        missing_handler: Option<&str>,
        one_too_many: bool,
    ) -> Option<Quarantine> {
        if let Some(quarantine) = quarantine.filter(|quarantine| quarantine.until_released) {
            return Some(quarantine.clone());
        }
        // Once the end is decided only what undoes something or runs finally can begin.
        if let Some(handler) = missing_handler {
            let reason = format!("no handler {handler:?} is registered").into();
            return Some(Quarantine { reason, until_released: false });
        }
        let is_run_again = state.status() != ExecutionStatus::Ending || state.runs_ends();
        (self.recovery.crashed && one_too_many && is_run_again && quarantine.is_none()).then(|| {
            let crashes = state.losses().saturating_add(1);
            let reason =
                format!("the process crashed {crashes} times while the same task was at work or waited for a limit")
                    .into();
            Quarantine { reason, until_released: true }
        })
    }

    /// Whether one crash more over what is at work is one too many: as many as allowed have come within the window.
    ///
    /// An execution that an operator has released gets as many again, therefore crashes are taken in groups. The times of
    /// the crashes are those of the recoveries after them.
    fn is_one_crash_too_many(&self, at: Time, state: &Execution, crashes: &[Time]) -> bool {
        let crashes_max = self.options.crashes_max.max(1);
        let count = state.losses().saturating_add(1);
        if !state.may_be_at_work() || !count.is_multiple_of(crashes_max) {
            return false;
        }
        // The newest one is not recorded yet.
        let first = usize::from(crashes_max).checked_sub(2).map(|earlier| crashes.get(earlier).copied());
        match first {
            None => true,
            Some(first) => first.is_some_and(|first| at.since(first) <= self.options.crashes_window),
        }
    }

    /// Counts a recovering execution as resumed.
    pub(super) fn mark_resumed(&mut self, slot: Slot) {
        if let Some(rare) = self.slots.get_mut(slot).and_then(|entry| entry.if_rare())
            && std::mem::take(&mut rare.recovering)
        {
            self.recovery.waiting -= 1;
        }
    }
}
