//! The books on one execution, kept outside: what was dispatched, what began, what was said, what was recorded of it.

use std::collections::{BTreeMap, BTreeSet};

use finale_core::execution::Effect;
use finale_core::fact::{Decision, EndRequest, Fact, Timer};
use finale_core::{AttemptNo, Compiled, Dispatch, Epoch, ExecutionStatus, Failure, FailureClass, Payload, WorkKey};

use super::auditor::Checked;
use super::messages::Asking;
use super::tally::{Count, Tally};

#[derive(Debug, Default)]
pub(super) struct Books {
    /// The life that the last recovery began.
    epoch: Epoch,
    /// Every dispatch to a handler that is durable.
    runs: BTreeMap<Dispatch, Fate>,
    /// Every attempt that the outside was durably asked for.
    offers: BTreeSet<(WorkKey, AttemptNo)>,
    /// When handlers last began, by their key.
    begun: BTreeMap<WorkKey, Begun>,
    /// What handlers came to, and whether they were done.
    said: BTreeMap<(WorkKey, AttemptNo), bool>,
    /// Results that got lost on their way: their handlers may begin again.
    lost: BTreeSet<Dispatch>,
    /// Requests that became facts.
    recorded: BTreeSet<Asking>,
    /// Whether somebody cancelled it.
    is_cancelled: bool,
    /// How it was told to have ended.
    pub(super) end: Option<ExecutionStatus>,
    /// Whether it was visible that the end is decided.
    pub(super) is_ending: bool,
}

/// What became of a dispatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Open,
    /// What its handler came to is recorded.
    Said,
    /// It was settled without its handler: stopped, timed out, cancelled.
    Closed,
    /// A crash took it.
    Lost,
}

#[derive(Debug)]
struct Begun {
    attempt: AttemptNo,
    life: u32,
    input: Payload,
}

impl Books {
    /// A handler begins: only what was dispatched durably, never what is done, never an attempt that was before.
    pub(super) fn begin(
        &mut self,
        dispatch: Dispatch,
        life: u32,
        input: &Payload,
        is_done: bool,
        is_once: bool,
        tally: &mut Tally,
    ) -> Checked {
        tally.add(Count::Handlers);
        match self.runs.get(&dispatch) {
            _ if self.is_ending => {
                return Err(("nothing_begins_after_the_end_is_decided", format!("{dispatch:?} began")));
            }
            None => return Err(("nothing_begins_before_its_cause_is_durable", format!("{dispatch:?} began"))),
            Some(Fate::Said) => {
                return Err(("a_durable_result_is_never_computed_again", format!("{dispatch:?} began")));
            }
            Some(Fate::Lost) => return Err(("a_lost_attempt_never_begins_again", format!("{dispatch:?} began"))),
            _ if is_done => return Err(("a_durable_result_is_never_computed_again", format!("{dispatch:?} began"))),
            Some(Fate::Open | Fate::Closed) => {}
        }
        if let Some(before) = self.begun.get(&dispatch.key) {
            tally.add(Count::HandlersAgain);
            let was_lost = self.lost.remove(&dispatch);
            before.allows(dispatch, life, input, is_once, was_lost)?;
        }
        self.begun.insert(dispatch.key, Begun { attempt: dispatch.attempt, life, input: input.clone() });
        Ok(())
    }

    pub(super) fn open(&self, dispatch: Dispatch) -> Checked {
        if self.offers.contains(&(dispatch.key, dispatch.attempt)) {
            return Ok(());
        }
        Err(("nothing_begins_before_its_cause_is_durable", format!("{dispatch:?} was opened")))
    }

    pub(super) fn say(&mut self, dispatch: Dispatch, done: bool) {
        self.said.insert((dispatch.key, dispatch.attempt), done);
    }

    pub(super) fn lose(&mut self, dispatch: Dispatch) {
        self.lost.insert(dispatch);
    }

    /// Everything that handlers worked on is lost.
    pub(super) fn lost_in_a_crash(&mut self, definition: &Compiled, tally: &mut Tally) {
        for (dispatch, fate) in self.runs.iter_mut().filter(|(_, fate)| **fate == Fate::Open) {
            *fate = Fate::Lost;
            tally.add(Count::AttemptsLost);
            tally.add_some(Count::OnceLost, definition.is_at_most_once(dispatch.key.node).into());
        }
    }

    /// A fact became durable.
    pub(super) fn record(&mut self, definition: &Compiled, fact: &Fact) -> Checked {
        match fact {
            Fact::Outcome { key, attempt, result, .. } | Fact::Reported { key, attempt, result, .. } => {
                self.record_outcome(definition, *key, *attempt, result)
            }
            Fact::AttemptStopped { key, attempt, .. } | Fact::TimerFired(Timer::Timeout(key, attempt)) => {
                self.settle(*key, *attempt, Fate::Closed)
            }
            Fact::Recovered { epoch, .. } => self.begin_life(*epoch),
            Fact::Decided { decision: Decision::Verdict(_, by), .. } => self.record_word(by),
            Fact::Ending(EndRequest::Stalled) => Err(("running_implies_something_in_flight", "it stalled".to_owned())),
            Fact::Ending(EndRequest::Cancel(by)) => self.cancel(by),
            Fact::Ending(EndRequest::Complete(by) | EndRequest::Fail { by, .. }) => self.record_word(by),
            _ => Ok(()),
        }
    }

    fn record_outcome(
        &mut self,
        definition: &Compiled,
        key: WorkKey,
        attempt: AttemptNo,
        result: &Result<Payload, Failure>,
    ) -> Checked {
        let is_outside = definition.is_external(key.node);
        if result.as_ref().is_err_and(|failure| failure.class == FailureClass::TimedOut) {
            return self.settle(key, attempt, Fate::Closed);
        }
        let is_own = match result {
            Ok(_) => !is_outside,
            Err(failure) => !is_outside && matches!(failure.class, FailureClass::Failed | FailureClass::Panicked),
        };
        if is_own && self.said.get(&(key, attempt)) != Some(&result.is_ok()) {
            let story = format!("attempt {attempt} at node {} never came to what is recorded", key.node);
            return Err(("what_is_recorded_was_said", story));
        }
        match result {
            Ok(output) if is_outside => self.record_word(std::str::from_utf8(output.as_bytes()).unwrap_or_default())?,
            Err(failure) if !is_own => self.record_word(&failure.reason)?,
            _ => {}
        }
        self.settle(key, attempt, if is_own { Fate::Said } else { Fate::Closed })
    }

    fn begin_life(&mut self, epoch: Epoch) -> Checked {
        let before = std::mem::replace(&mut self.epoch, epoch);
        if epoch > before {
            return Ok(());
        }
        Err(("every_life_is_a_later_one", format!("epoch {epoch} began after epoch {before}")))
    }

    fn cancel(&mut self, by: &str) -> Checked {
        if std::mem::replace(&mut self.is_cancelled, true) {
            return Err(("a_second_cancel_joins_the_first", format!("{by} cancelled it again")));
        }
        self.record_word(by)
    }

    fn record_word(&mut self, word: &str) -> Checked {
        self.recorded.extend(word.parse::<Asking>());
        Ok(())
    }

    /// A dispatch is settled once.
    fn settle(&mut self, key: WorkKey, attempt: AttemptNo, as_what: Fate) -> Checked {
        let settled = self.runs.iter_mut().filter(|(dispatch, _)| (dispatch.key, dispatch.attempt) == (key, attempt));
        for (dispatch, fate) in settled {
            if *fate != Fate::Open {
                let story = format!("{dispatch:?} was {fate:?} and became {as_what:?}");
                return Err(("every_dispatch_ends_in_one_outcome", story));
            }
            *fate = as_what;
        }
        Ok(())
    }

    /// What follows from a durable fact may be performed.
    pub(super) fn follow(&mut self, effects: &[Effect]) -> Checked {
        for effect in effects {
            match effect {
                Effect::Offer { dispatch, .. } => _ = self.offers.insert((dispatch.key, dispatch.attempt)),
                Effect::Run { dispatch, .. } if dispatch.epoch != self.epoch => {
                    return Err(("every_life_is_a_later_one", format!("{dispatch:?} is not of epoch {}", self.epoch)));
                }
                Effect::Run { dispatch, .. } => {
                    let before = self.runs.iter().rev().find(|(before, _)| before.key == dispatch.key);
                    if before.is_some_and(|(before, _)| before.attempt >= dispatch.attempt) {
                        return Err((
                            "attempts_strictly_rise",
                            format!("{dispatch:?} was dispatched after {before:?}"),
                        ));
                    }
                    self.runs.insert(*dispatch, Fate::Open);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether a request became a fact.
    pub(super) fn recorded(&self, asking: Asking) -> bool {
        self.recorded.contains(&asking)
    }

    pub(super) fn check_at_the_end(&self) -> Checked {
        match self.runs.iter().find(|(_, fate)| **fate == Fate::Open) {
            Some((dispatch, _)) => {
                Err(("every_dispatch_ends_in_one_outcome", format!("{dispatch:?} never came to any")))
            }
            None => Ok(()),
        }
    }
}

impl Begun {
    /// Whether a handler may begin after this one under the same key.
    fn allows(&self, dispatch: Dispatch, life: u32, input: &Payload, is_once: bool, was_lost: bool) -> Checked {
        if is_once {
            return Err(("at_most_once_is_at_most_once", format!("{dispatch:?} began after {self:?}")));
        }
        if self.input != *input {
            return Err(("a_key_stands_for_the_same_work", format!("{dispatch:?} began after {self:?}")));
        }
        let is_repair = dispatch.attempt == self.attempt && life == self.life && was_lost;
        if dispatch.attempt > self.attempt || is_repair {
            return Ok(());
        }
        Err(("attempts_strictly_rise", format!("{dispatch:?} began in life {life} after {self:?}")))
    }
}
