//! What a sweep does: whatever must be under way and is not is done again, unless it may not be.

use finale_core::execution::{Effect, Input};
use finale_core::fact::StopOutcome;
use finale_core::{Compiled, Dispatch, ExecutionStatus, Failure, FailureClass, WorkKey};

use super::bugs::Bug;
use super::messages::{Mail, Number};
use super::tally::Count;
use super::trace::Happening;
use super::world::World;

impl World {
    /// Does what must be under way for an execution and is not: something was lost on its way.
    pub(super) fn reconcile(&mut self, number: Number) {
        let Some(live) = self.process.lives.get_mut(&number) else { return };
        if live.is_busy() || !live.is_durable() {
            return;
        }
        live.lost = false;
        let (status, effects) = (live.state.status(), live.state.under_way(&live.definition));
        let repaired: u32 =
            effects.into_iter().map(|effect| u32::from(self.reconcile_one(number, status, effect))).sum();
        if repaired > 0 {
            self.tally.add_some(Count::Repaired, repaired.into());
            self.note(Happening::Reconciled { number, repaired });
        }
        self.check_under_way(number);
    }

    fn reconcile_one(&mut self, number: Number, status: ExecutionStatus, effect: Effect) -> bool {
        let is_ending = status == ExecutionStatus::Ending;
        match effect {
            Effect::Run { dispatch, .. } if is_ending && self.call_off(number, dispatch) => {
                self.close(number, dispatch);
            }
            Effect::Run { dispatch, .. } if self.is_at_work(number, dispatch) || self.waits(number, dispatch) => {
                return false;
            }
            Effect::Run { dispatch, .. } if is_ending => self.report_stop(number, dispatch, StopOutcome::Lost),
            Effect::Run { dispatch, .. } if self.may_not_begin_again(number, dispatch) => {
                self.give_up(number, dispatch);
            }
            Effect::Offer { dispatch, .. } if self.is_open(number, dispatch.key) => {
                return self.report_again(number, dispatch.key);
            }
            Effect::ArmTimer { timer, .. } if self.process.engine(number).timers.contains_key(&(number, timer)) => {
                return false;
            }
            other => self.perform_one(number, other),
        }
        true
    }

    pub(super) fn waits(&mut self, number: Number, dispatch: Dispatch) -> bool {
        let waiting = &self.process.engine(number).waiting;
        waiting.iter().any(|task| (task.number, task.dispatch) == (number, dispatch))
    }

    pub(super) fn is_open(&mut self, number: Number, key: WorkKey) -> bool {
        self.process.engine(number).offers.contains_key(&(number, key))
    }

    fn may_not_begin_again(&self, number: Number, dispatch: Dispatch) -> bool {
        let is_once = |definition: &Compiled| definition.is_at_most_once(dispatch.key.node);
        let live = self.process.lives.get(&number);
        live.is_some_and(|live| is_once(&live.definition)) && !self.has(Bug::SweepAtMostOnceAgain)
    }

    /// What a handler came to is lost for good, and it may not begin again.
    fn give_up(&mut self, number: Number, dispatch: Dispatch) {
        let result = Err(Failure::new(FailureClass::Lost, "nobody knows what became of it"));
        let outcome = Input::Outcome { dispatch, result, started: self.now, ended: self.now };
        self.send(number, Mail::Tell(outcome, None));
    }

    /// Delivers a report again that was taken here and never recorded.
    fn report_again(&mut self, number: Number, key: WorkKey) -> bool {
        let offer = self.process.engine(number).offers.get(&(number, key));
        let Some(result) = offer.and_then(|offer| offer.reported.clone()) else { return false };
        self.send(number, Mail::Tell(Input::Reported(result), None));
        true
    }
}
