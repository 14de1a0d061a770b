//! Keeps the books on effects: what was begun, what is still under way, which timers are armed.

use std::collections::{BTreeMap, BTreeSet};

use finale_core::execution::{AfterStop, Effect, Execution};
use finale_core::fact::{Fact, OperatorAction, Timer};
use finale_core::{Compiled, Dispatch, Epoch, ExecutionStatus, Time};

/// What was asked of a shell so far, and what has come of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    /// By dispatch: how many settlements it has.
    begun: BTreeMap<Dispatch, u32>,
    runs: BTreeSet<Dispatch>,
    offers: BTreeSet<Dispatch>,
    stopping: BTreeSet<Dispatch>,
    armed: BTreeMap<Timer, Time>,
    epoch: Epoch,
    has_ended: bool,
    /// Whether it must be told to go on.
    continues: bool,
}

impl Ledger {
    /// Every dispatch there ever was.
    pub(crate) fn begun(&self) -> Vec<Dispatch> {
        self.begun.keys().copied().collect()
    }

    /// The handlers that were told to stop and have not reported.
    pub(crate) fn stopping(&self) -> Vec<Dispatch> {
        self.stopping.iter().copied().collect()
    }

    /// The timers that are armed.
    pub(crate) fn armed(&self) -> Vec<Timer> {
        self.armed.keys().copied().collect()
    }

    /// Books one fact, with the effects that followed from it and the status after it.
    pub(crate) fn book(&mut self, fact: &Fact, effects: &[Effect], status: ExecutionStatus) {
        assert!(!self.has_ended, "a fact came after the end: {fact:?}");
        self.settle(fact);
        if let Fact::Continued = fact {
            self.continues = false;
        }
        for effect in effects {
            self.perform(effect, status);
        }
        assert_eq!(matches!(fact, Fact::Ended(_)), status.is_terminal(), "the end comes with its fact");
    }

    /// Books that the process is gone: nothing of it is under way; gives the runs that were lost with it.
    pub(crate) fn recover(&mut self, epoch: Epoch) -> Vec<Dispatch> {
        assert!(epoch > self.epoch, "the new life is not later than the old one");
        self.epoch = epoch;
        self.armed.clear();
        self.stopping.clear();
        self.continues = false;
        let (runs, offers) = (std::mem::take(&mut self.runs), std::mem::take(&mut self.offers));
        runs.iter().chain(&offers).for_each(|dispatch| self.count(*dispatch));
        runs.into_iter().collect()
    }

    /// Books what a new process does first: what follows from the recovery, and what else must be under way.
    ///
    /// What was under way in the old process is neither there to be stopped nor to be taken back.
    pub(crate) fn begin_again(&mut self, effects: &[Effect], under_way: &[Effect], status: ExecutionStatus) {
        let is_begun = |effect: &&Effect| !matches!(effect, Effect::Withdraw { .. } | Effect::Stop { .. });
        for effect in effects.iter().filter(is_begun) {
            self.perform(effect, status);
        }
        for effect in under_way {
            let is_known = match effect {
                Effect::Run { dispatch, .. } => self.runs.contains(dispatch),
                Effect::Offer { dispatch, .. } => self.offers.contains(dispatch),
                Effect::ArmTimer { timer, .. } => self.armed.contains_key(timer),
                Effect::Continue => self.continues,
                Effect::Stop { dispatch, .. } => self.stopping.contains(dispatch),
                _ => false,
            };
            if !is_known {
                self.perform(effect, status);
            }
        }
    }

    /// A run is settled by what is reported about it, an offer by being withdrawn.
    fn settle(&mut self, fact: &Fact) {
        let (key, attempt) = match fact {
            Fact::Outcome { key, attempt, .. }
            | Fact::Reported { key, attempt, .. }
            | Fact::AttemptStopped { key, attempt, .. } => (*key, *attempt),
            // What is asked outside is withdrawn, and whatever waits was not begun.
            Fact::Operated(operation) => match self.runs.iter().find(|run| run.key == operation.key) {
                Some(run) if !matches!(operation.action, OperatorAction::Retry | OperatorAction::RunNow) => {
                    (run.key, run.attempt)
                }
                _ => return,
            },
            Fact::TimerFired(timer) => {
                assert!(self.armed.remove(timer).is_some(), "{timer:?} fired and was not armed");
                match timer {
                    Timer::Timeout(key, attempt) => (*key, *attempt),
                    Timer::Total(key) => match self.runs.iter().find(|run| run.key == *key) {
                        Some(run) => (run.key, run.attempt),
                        None => return,
                    },
                    _ => return,
                }
            }
            _ => return,
        };
        if self.armed.contains_key(&Timer::Backoff(key, attempt)) {
            // Cancelled while it waited for this attempt: it was never begun.
            return;
        }
        let dispatch = Dispatch { key, attempt, epoch: self.epoch };
        if matches!(fact, Fact::Reported { .. }) && attempt.get() > 1 && !self.begun.contains_key(&dispatch) {
            // Cancelled while this attempt waited for a slot behind a split.
            return;
        }
        if self.runs.remove(&dispatch) {
            self.count(dispatch);
            self.stopping.remove(&dispatch);
        } else {
            assert!(self.offers.contains(&dispatch), "{dispatch:?} was settled and not under way");
        }
    }

    fn count(&mut self, dispatch: Dispatch) {
        let settlements = self.begun.entry(dispatch).or_default();
        *settlements += 1;
        assert_eq!(*settlements, 1, "{dispatch:?} was settled twice");
    }

    fn perform(&mut self, effect: &Effect, status: ExecutionStatus) {
        assert!(!self.has_ended, "{effect:?} came after the last effect");
        match effect {
            Effect::Run { dispatch, .. } | Effect::Offer { dispatch, .. } => {
                // Only scopes have what the end is made of.
                let may_begin = status == ExecutionStatus::Running || !dispatch.key.scope.is_root();
                assert!(may_begin, "{dispatch:?} was dispatched after the end was decided");
                assert_eq!(self.begun.insert(*dispatch, 0), None, "{dispatch:?} was dispatched twice");
                let is_run = matches!(effect, Effect::Run { .. });
                if is_run { &mut self.runs } else { &mut self.offers }.insert(*dispatch);
            }
            Effect::Withdraw { dispatch } => {
                assert!(self.offers.remove(dispatch), "{dispatch:?} was withdrawn and not offered");
                self.count(*dispatch);
            }
            Effect::Stop { dispatch, then: AfterStop::Report } => {
                assert!(self.runs.contains(dispatch), "{dispatch:?} was stopped and does not run");
                assert!(self.stopping.insert(*dispatch), "{dispatch:?} was told to stop twice");
            }
            Effect::Stop { dispatch, then: AfterStop::Forget } => {
                assert_eq!(self.begun.get(dispatch), Some(&1), "{dispatch:?} was forgotten before it was settled");
            }
            Effect::Stop { dispatch, then: AfterStop::Finish } => {
                assert!(self.runs.contains(dispatch), "{dispatch:?} may finish and does not run");
            }
            Effect::PutFirst { dispatch } => {
                assert!(self.runs.contains(dispatch), "{dispatch:?} goes first and does not run");
            }
            Effect::ArmTimer { timer, due, .. } => {
                assert_eq!(self.armed.insert(*timer, *due), None, "{timer:?} was armed twice");
            }
            Effect::DisarmTimer { timer } => {
                self.armed.remove(timer);
            }
            Effect::Continue => self.continues = true,
            Effect::Ended => self.has_ended = true,
        }
    }

    /// The books and the execution agree on what is under way; after the end nothing is.
    pub(crate) fn compare(&self, definition: &Compiled, execution: &Execution) {
        let (mut runs, mut offers) = (BTreeSet::new(), BTreeSet::new());
        let (mut armed, mut continues, mut stops) = (BTreeMap::new(), false, BTreeSet::new());
        for effect in execution.under_way(definition) {
            match effect {
                Effect::Run { dispatch, .. } => _ = runs.insert(dispatch),
                Effect::Offer { dispatch, .. } => _ = offers.insert(dispatch),
                Effect::ArmTimer { timer, due, .. } => _ = armed.insert(timer, due),
                Effect::Continue => continues = true,
                Effect::Stop { then: AfterStop::Finish, .. } => {}
                Effect::Stop { dispatch, .. } => _ = stops.insert(dispatch),
                other => panic!("{other:?} is nothing that can be under way"),
            }
        }
        assert_eq!((&runs, &offers), (&self.runs, &self.offers), "what is under way is what was dispatched");
        assert!(self.stopping.is_subset(&runs), "what is being stopped still runs");
        assert_eq!(stops, self.stopping, "what was told to stop is told so again");
        assert_eq!(armed, self.armed, "timers are armed for what the state says");
        assert!(self.continues || !continues, "more follows, and nobody was told to go on");
        assert_eq!(self.has_ended, execution.status().is_terminal());
        if self.has_ended {
            assert!(self.begun.values().all(|settlements| *settlements == 1), "a dispatch was never settled");
        }
    }
}
