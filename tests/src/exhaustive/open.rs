//! What is under way outside of an execution, by the effects it gave and by its own account.

use std::collections::BTreeSet;

use finale_core::execution::{AfterStop, Effect, Execution};
use finale_core::fact::{Fact, OperatorAction, Timer};
use finale_core::{Compiled, Dispatch};

/// What is under way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) runs: BTreeSet<Dispatch>,
    pub(super) offers: BTreeSet<Dispatch>,
    pub(super) stops: BTreeSet<Dispatch>,
    pub(super) armed: BTreeSet<Timer>,
    pub(super) continues: bool,
}

impl Open {
    /// By the account of the execution.
    pub(super) fn of(execution: &Execution, definition: &Compiled) -> Self {
        let mut open = Self::default();
        for effect in execution.under_way(definition) {
            match effect {
                Effect::Run { dispatch, .. } => _ = open.runs.insert(dispatch),
                Effect::Offer { dispatch, .. } => _ = open.offers.insert(dispatch),
                Effect::Stop { then: AfterStop::Finish, .. } => {}
                Effect::Stop { dispatch, .. } => _ = open.stops.insert(dispatch),
                Effect::ArmTimer { timer, .. } => _ = open.armed.insert(timer),
                Effect::Continue => open.continues = true,
                Effect::Withdraw { .. } | Effect::PutFirst { .. } | Effect::DisarmTimer { .. } | Effect::Ended => {}
            }
        }
        open
    }

    /// Takes out what a fact says is over.
    pub(super) fn settle(&mut self, fact: &Fact) {
        match fact {
            Fact::Outcome { key, attempt, .. }
            | Fact::AttemptStopped { key, attempt, .. }
            | Fact::Reported { key, attempt, .. } => {
                let is_it = |dispatch: &Dispatch| dispatch.key == *key && dispatch.attempt == *attempt;
                self.runs.retain(|dispatch| !is_it(dispatch));
                self.stops.retain(|dispatch| !is_it(dispatch));
            }
            Fact::Operated(operation)
                if !matches!(operation.action, OperatorAction::Retry | OperatorAction::RunNow) =>
            {
                self.runs.retain(|dispatch| dispatch.key != operation.key);
                self.stops.retain(|dispatch| dispatch.key != operation.key);
            }
            Fact::TimerFired(timer @ Timer::Total(key)) => {
                self.armed.remove(timer);
                self.runs.retain(|dispatch| dispatch.key != *key);
                self.stops.retain(|dispatch| dispatch.key != *key);
            }
            Fact::TimerFired(timer) => _ = self.armed.remove(timer),
            Fact::Continued => self.continues = false,
            _ => {}
        }
    }

    /// Performs an effect; says what is wrong with it.
    pub(super) fn perform(&mut self, effect: &Effect) -> Result<(), &'static str> {
        let is_right = match effect {
            Effect::Run { dispatch, .. } => self.runs.insert(*dispatch),
            Effect::Offer { dispatch, .. } => self.offers.insert(*dispatch),
            Effect::Withdraw { dispatch } => self.offers.remove(dispatch),
            Effect::Stop { dispatch, then: AfterStop::Report } => {
                self.runs.contains(dispatch) && self.stops.insert(*dispatch)
            }
            Effect::Stop { dispatch, then: AfterStop::Forget } => !self.runs.contains(dispatch),
            Effect::Stop { dispatch, then: AfterStop::Finish } | Effect::PutFirst { dispatch } => {
                self.runs.contains(dispatch)
            }
            Effect::ArmTimer { timer, .. } => self.armed.insert(*timer),
            // Taking away what is not there is allowed: a timer may be on its way.
            Effect::DisarmTimer { timer } => {
                self.armed.remove(timer);
                true
            }
            Effect::Continue => {
                self.continues = true;
                true
            }
            Effect::Ended => true,
        };
        if is_right { Ok(()) } else { Err("it is there already, or it is not there") }
    }
}
