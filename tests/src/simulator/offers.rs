//! Tasks that are open to the outside, and moments that are waited for.

use std::time::Duration;

use finale_core::execution::{Input, Report};
use finale_core::fact::Timer;
use finale_core::{Dispatch, Time, WorkKey};

use super::bugs::Bug;
use super::engine::Offer;
use super::messages::{Asking, Inside, Mail, Number};
use super::tally::Count;
use super::trace::Happening;
use super::world::World;

impl World {
    pub(super) fn offer(&mut self, number: Number, dispatch: Dispatch) {
        self.tally.add(Count::Offers);
        self.note(Happening::Opened { number, dispatch });
        self.auditor.opened(number, dispatch);
        let offer = Offer { dispatch, reported: None };
        self.process.engine(number).offers.insert((number, dispatch.key), offer);
        let Some(live) = self.process.lives.get_mut(&number) else { return };
        let early: Vec<_> = live.early.extract_if(.., |(report, _)| report.key == dispatch.key).collect();
        for (report, asking) in early {
            self.report(number, report, asking);
        }
    }

    pub(super) fn withdraw(&mut self, number: Number, key: WorkKey) {
        self.note(Happening::TakenBack { number, key });
        if !self.has(Bug::KeepWithdrawnOffers) {
            self.process.engine(number).offers.remove(&(number, key));
        }
    }

    /// Hands a report to its execution.
    pub(super) fn report(&mut self, number: Number, report: Report, asking: Asking) {
        if let Some(offer) = self.process.engine(number).offers.get_mut(&(number, report.key)) {
            offer.reported = Some(report.clone());
        }
        self.send(number, Mail::Tell(Input::Reported(report), Some(asking)));
    }

    pub(super) fn arm(&mut self, number: Number, timer: Timer, due: Time) {
        self.note(Happening::Armed { number, timer, due });
        self.process.engine(number).timers.insert((number, timer), due);
        let half = Duration::from_micros(due.since(self.now).as_micros() as u64 / 2);
        let at = if self.has(Bug::TimerTooEarly) { self.now.after(half) } else { due.max(self.now) };
        let at = self.dice.soon(at, 4);
        self.put_inside(at, Inside::TimerDue { number, timer, due });
    }

    pub(super) fn timer_due(&mut self, number: Number, timer: Timer, due: Time) {
        let timers = &mut self.process.engine(number).timers;
        if timers.get(&(number, timer)) != Some(&due) {
            return;
        }
        timers.remove(&(number, timer));
        self.note(Happening::Fired { number, timer });
        self.send(number, Mail::Tell(Input::TimerFired(timer), None));
    }
}
