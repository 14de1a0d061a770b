//! What follows from a failed attempt, and what operators say of single tasks.

use std::time::Duration;

use finale_core::definition::{Delivery, Exhausted, FailureKind, Growth, NodeKind, Retry};
use finale_core::execution::Effect;
use finale_core::fact::{Operation, OperatorAction, Timer};
use finale_core::failure::{Failure, FailureClass};
use finale_core::{Payload, Time};
use serde_json::Value;

use super::{Misreading, Naive, No, Phase, Place, Way, decode};

impl Naive {
    /// Says what time it is: no time passes by itself.
    pub fn set_time(&mut self, now: Time) {
        self.now = now;
    }

    pub(super) fn outcome(&mut self, node: usize, result: &Result<Payload, Failure>) {
        if std::mem::take(&mut self.closed[node]) {
            return self.places[node] = Place::Cancelled;
        }
        let failure = match result {
            Ok(output) => return self.places[node] = Place::Done(decode(output)),
            Err(failure) => failure,
        };
        if self.phase != Phase::Running {
            return self.fail(node);
        }
        if failure.class == FailureClass::Unknown && !self.misreads(Misreading::UnknownRunsAgain) {
            return self.hold(node);
        }
        let retry = self.task(node).map(|task| task.retry.clone()).unwrap_or_default();
        let could_help = !failure.permanent
            && !matches!(failure.class, FailureClass::Cancelled | FailureClass::Rejected | FailureClass::Deleted);
        if !could_help || !self.is_meant(&retry, failure) {
            return self.fail(node);
        }
        let (shortest, longest) = self.waits(node, &retry, failure);
        let is_late = |first: i64, within: Duration| self.now > Time::from_micros(first).after(within).before(longest);
        let is_out_of_time = retry.within.zip(self.first[node]).is_some_and(|(within, first)| is_late(first, within));
        if self.used(node) >= retry.attempts || is_out_of_time {
            return self.use_up(node, &retry);
        }
        self.attempts[node] += 1;
        self.places[node] = match longest.is_zero() {
            true => Place::Reached { seen: true },
            false => Place::Backing,
        };
        self.waits[node] = (shortest, longest);
    }

    /// The wait for another attempt is over: that is made, unless it is too late by now.
    pub(super) fn try_now(&mut self, node: usize) {
        let retry = self.task(node).map(|task| task.retry.clone()).unwrap_or_default();
        let is_late = |(first, within)| self.now > Time::from_micros(first).after(within);
        if self.first[node].zip(retry.within).is_some_and(is_late) {
            self.forget_awaited(node);
            return self.use_up(node, &retry);
        }
        self.places[node] = Place::Reached { seen: true };
    }

    /// There is no further attempt, unless somebody says so.
    fn use_up(&mut self, node: usize, retry: &Retry) {
        if retry.exhausted == Exhausted::Fail || self.misreads(Misreading::HeldFails) {
            self.fail(node);
        } else {
            self.hold(node);
        }
    }

    fn hold(&mut self, node: usize) {
        self.attempts[node] += 1;
        self.first[node] = None;
        self.places[node] = Place::Held;
    }

    /// The attempt that a task waits for is not made.
    pub(super) fn forget_awaited(&mut self, node: usize) {
        let waits = matches!(self.places[node], Place::Backing | Place::Held | Place::Reached { .. });
        if waits && self.attempts[node] > 1 {
            self.attempts[node] -= 1;
        }
    }

    /// All the time that a task may take is over.
    pub(super) fn out_of_time(&mut self, node: usize) {
        self.first[node] = None;
        if std::mem::take(&mut self.closed[node]) {
            return self.places[node] = Place::Cancelled;
        }
        let retry = self.task(node).map(|task| task.retry.clone()).unwrap_or_default();
        if self.phase == Phase::Running && !self.misreads(Misreading::OutOfTimeIsTriedAgain) {
            self.forget_awaited(node);
            return self.use_up(node, &retry);
        }
        self.outcome(node, &Err(Failure::new(FailureClass::TimedOut, "")));
    }

    /// How many attempts count: not those that were lost with their process, nor those before an operator's.
    fn used(&self, node: usize) -> u16 {
        let lost = if self.misreads(Misreading::LostUsesUpRetries) { 0 } else { self.lost[node].0 };
        self.attempts[node] - lost - self.before[node]
    }

    fn is_meant(&self, retry: &Retry, failure: &Failure) -> bool {
        let is_among = |kinds: &[FailureKind]| {
            kinds.iter().any(|kind| kind.name() == failure.class.name() || Some(kind.name()) == failure.code())
        };
        let is_excluded = is_among(&retry.not_on) && !self.misreads(Misreading::RetriesWhatNotOnNames);
        (retry.on.is_empty() || is_among(&retry.on)) && !is_excluded
    }

    /// The shortest and the longest wait that a failed attempt can have.
    fn waits(&self, node: usize, retry: &Retry, failure: &Failure) -> (Duration, Duration) {
        let mut wait = retry.backoff.initial;
        let counted = if self.misreads(Misreading::WaitsDoNotGrow) { 1 } else { self.used(node) };
        for further in 1..counted {
            wait = match retry.backoff.growth {
                Growth::Linear => retry.backoff.initial * u32::from(further + 1),
                Growth::Exponential { factor } => wait.mul_f64(factor),
                _ => wait,
            };
        }
        let longest = wait.min(retry.backoff.max.unwrap_or(Duration::MAX));
        let shortest = longest * (100 - u32::from(retry.backoff.jitter_percent)) / 100;
        let asked = failure.delay().unwrap_or_default();
        (shortest.max(asked), longest.max(asked))
    }

    /// What waits for its next attempt does so neither shorter nor longer than it may.
    pub fn checks_waits<'e>(&self, under_way: impl IntoIterator<Item = &'e Effect>) -> Result<(), String> {
        for effect in under_way {
            let Effect::ArmTimer { timer: Timer::Backoff(key, attempt), within, .. } = effect else { continue };
            let (shortest, longest) = self.waits[key.node.as_usize()];
            // Moments are whole microseconds.
            if *within + Duration::from_micros(1) < shortest || *within > longest {
                return Err(format!("{key} waits {within:?} for attempt {attempt}, not {shortest:?} to {longest:?}"));
            }
        }
        Ok(())
    }

    /// Whether something waits for its next attempt.
    pub fn has_waits(&self) -> bool {
        self.places.contains(&Place::Backing)
    }

    /// Notes that a node was handed to whoever does it.
    pub(super) fn note_dispatch(&mut self, node: usize) {
        let now = self.now.as_micros();
        self.first[node].get_or_insert(now);
    }

    /// An operator says that a node need not wait.
    fn operate_wait(&mut self, node: usize, operation: &Operation) -> Result<(), No> {
        let is_waiting = self.places[node] == Place::Timed || self.is_listening(node);
        let fits = match operation.action {
            OperatorAction::Fail if operation.reason.trim().is_empty() => return Err(No::Invalid),
            OperatorAction::Retry => false,
            OperatorAction::RunNow => self.places[node] == Place::Timed,
            OperatorAction::Complete(_) | OperatorAction::Fail | OperatorAction::Skip => is_waiting,
        };
        if !fits {
            return Err(self.when(node));
        }
        match &operation.action {
            OperatorAction::Complete(output) => self.places[node] = Place::Done(decode(output)),
            OperatorAction::Fail => self.fail(node),
            OperatorAction::Skip => self.places[node] = Place::Skipped(Way::LiveFailed),
            _ => self.places[node] = Place::Done(Value::Null),
        }
        Ok(())
    }

    pub(super) fn operate(&mut self, operation: &Operation) -> Result<(), No> {
        let node = self.known(operation.key)?;
        if let NodeKind::Wait(_) = self.definition.nodes[node].kind {
            return self.operate_wait(node, operation);
        }
        let Some(task) = self.task(node) else { return Err(No::Invalid) };
        let is_once = task.delivery == Delivery::AtMostOnce;
        let is_reached =
            matches!(self.places[node], Place::Asked | Place::Backing | Place::Held | Place::Reached { .. })
                || self.places[node] == Place::Running && !self.closed[node];
        let fits = match operation.action {
            OperatorAction::Fail if operation.reason.trim().is_empty() => return Err(No::Invalid),
            OperatorAction::Retry => self.places[node] == Place::Held,
            OperatorAction::RunNow => {
                self.places[node] == Place::Backing || self.places[node] == Place::Running && !self.closed[node]
            }
            OperatorAction::Complete(_) | OperatorAction::Fail | OperatorAction::Skip => is_reached,
        };
        if !fits {
            return Err(self.when(node));
        }
        if self.phase != Phase::Running {
            return Err(No::NotRunning);
        }
        let is_settled = !matches!(operation.action, OperatorAction::Retry | OperatorAction::RunNow);
        if is_settled {
            self.forget_awaited(node);
        }
        if operation.action == OperatorAction::Skip {
            // What is skipped has no attempts.
            self.attempts[node] = 0;
        }
        match &operation.action {
            OperatorAction::Retry if is_once => return Err(No::Invalid),
            OperatorAction::Retry => {
                if !self.misreads(Misreading::RetryKeepsTheBudget) {
                    self.before[node] = self.attempts[node] - 1 - self.lost[node].0;
                    self.first[node] = None;
                }
                self.places[node] = Place::Reached { seen: true };
            }
            // What has no handler yet goes first in its queue, which is nothing that is seen here.
            OperatorAction::RunNow if self.places[node] == Place::Running => {}
            OperatorAction::RunNow => self.places[node] = Place::Reached { seen: true },
            OperatorAction::Complete(output) => self.places[node] = Place::Done(decode(output)),
            OperatorAction::Fail if self.misreads(Misreading::OperatorsFailIsTriedAgain) => {
                self.outcome(node, &Err(Failure::new(FailureClass::Failed, "")));
            }
            OperatorAction::Fail => self.fail(node),
            OperatorAction::Skip if self.misreads(Misreading::SkippingBlocks) => {
                self.places[node] = Place::Skipped(Way::Blocked);
            }
            OperatorAction::Skip if self.misreads(Misreading::SkippingFails) => self.fail(node),
            OperatorAction::Skip => self.places[node] = Place::Skipped(Way::LiveFailed),
        }
        Ok(())
    }
}
