//! What follows from a failed attempt, and what operators say of single tasks.

use std::time::Duration;

use finale_core::definition::{Delivery, Exhausted, FailureKind, Growth, NodeKind, Retry};
use finale_core::fact::{Operation, OperatorAction};
use finale_core::failure::{Failure, FailureClass};
use finale_core::{NodeIndex, Payload, Time};

use serde_json::Value;

use super::{Misreading, Naive, No, Phase, Place, decode};

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
            self.attempts[node] += 1;
            return self.places[node] = Place::Held;
        }
        let retry = self.task(node).map(|task| task.retry.clone()).unwrap_or_default();
        let could_help = !failure.permanent
            && !matches!(failure.class, FailureClass::Cancelled | FailureClass::Rejected | FailureClass::Deleted);
        if !could_help || !self.is_meant(&retry, failure) {
            return self.fail(node);
        }
        let (_, longest) = self.waits(node, &retry, failure);
        let is_late = |first: i64, within: Duration| self.now > Time::from_micros(first).after(within).before(longest);
        let is_out_of_time = retry.within.zip(self.first[node]).is_some_and(|(within, first)| is_late(first, within));
        if self.used(node) >= retry.attempts || is_out_of_time {
            if retry.exhausted == Exhausted::Fail || self.misreads(Misreading::HeldFails) {
                return self.fail(node);
            }
            self.attempts[node] += 1;
            return self.places[node] = Place::Held;
        }
        self.attempts[node] += 1;
        self.places[node] = match longest.is_zero() {
            true => Place::Reached { seen: true },
            false => Place::Backing,
        };
    }

    /// How many attempts count: not those that were lost with their process, nor those before an operator's.
    fn used(&self, node: usize) -> u16 {
        self.attempts[node] - self.lost[node].0 - self.before[node]
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
        for further in 1..self.used(node) {
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

    /// The shortest and the longest wait for the next attempt of a node, when its last one has failed so.
    ///
    /// # Panics
    /// When the node is no task.
    pub fn waits_after(&self, node: NodeIndex, failure: &Failure) -> (Duration, Duration) {
        let before =
            Self { attempts: self.attempts.iter().map(|attempt| attempt.saturating_sub(1)).collect(), ..self.clone() };
        let retry = self.task(node.as_usize()).expect("only tasks are tried again").retry.clone();
        before.waits(node.as_usize(), &retry, failure)
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
            OperatorAction::Complete(_) | OperatorAction::Fail => is_waiting,
        };
        if !fits {
            return Err(self.when(node));
        }
        match &operation.action {
            OperatorAction::Complete(output) => self.places[node] = Place::Done(decode(output)),
            OperatorAction::Fail => self.fail(node),
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
        let is_again = matches!(self.places[node], Place::Reached { .. }) && self.attempts[node] > 1;
        let is_begun = matches!(self.places[node], Place::Asked | Place::Backing | Place::Held)
            || is_again
            || self.places[node] == Place::Running && !self.closed[node];
        let fits = match operation.action {
            OperatorAction::Fail if operation.reason.trim().is_empty() => return Err(No::Invalid),
            OperatorAction::Retry => self.places[node] == Place::Held,
            OperatorAction::RunNow => self.places[node] == Place::Backing,
            OperatorAction::Complete(_) | OperatorAction::Fail => is_begun,
        };
        if !fits {
            return Err(self.when(node));
        }
        if self.phase != Phase::Running {
            return Err(No::NotRunning);
        }
        let is_settled = matches!(operation.action, OperatorAction::Complete(_) | OperatorAction::Fail);
        if self.places[node] == Place::Held && is_settled {
            // The attempt that it waited for was not made.
            self.attempts[node] -= 1;
        }
        match &operation.action {
            OperatorAction::Retry if is_once => return Err(No::Invalid),
            OperatorAction::Retry => {
                self.before[node] = self.attempts[node] - 1 - self.lost[node].0;
                self.first[node] = None;
                self.places[node] = Place::Reached { seen: true };
            }
            OperatorAction::RunNow => self.places[node] = Place::Reached { seen: true },
            OperatorAction::Complete(output) => self.places[node] = Place::Done(decode(output)),
            OperatorAction::Fail if self.misreads(Misreading::OperatorsFailIsTriedAgain) => {
                self.outcome(node, &Err(Failure::new(FailureClass::Failed, "")));
            }
            OperatorAction::Fail => self.fail(node),
        }
        Ok(())
    }
}
