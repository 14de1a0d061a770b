//! A model of the task engine: its tables, and the desk that its work lies on.

use std::collections::{BTreeMap, VecDeque};

use finale_core::execution::{Effect, Input, Report};
use finale_core::fact::Timer;
use finale_core::{Dispatch, Payload, Time, WorkKey};

use super::bugs::Bug;
use super::handlers::Temper;
use super::messages::{Inside, Mail, Number};
use super::process::Work;
use super::world::World;

/// The tables of one engine.
#[derive(Debug, Default)]
pub(super) struct Engine {
    pub(super) running: BTreeMap<(Number, WorkKey), AtWork>,
    pub(super) offers: BTreeMap<(Number, WorkKey), Offer>,
    pub(super) timers: BTreeMap<(Number, Timer), Time>,
    /// Tasks that wait for a place.
    pub(super) waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) number: Number,
    pub(super) dispatch: Dispatch,
    pub(super) input: Payload,
}

impl Waiting {
    /// What waits, if it is of that execution.
    pub(super) fn of(&self, number: Number) -> Option<Dispatch> {
        (self.number == number).then_some(self.dispatch)
    }
}

/// A task that is open to the outside.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) dispatch: Dispatch,
    /// What was reported and may not be recorded yet.
    pub(super) reported: Option<Report>,
}

/// A handler at work.
#[derive(Debug)]
pub(super) struct AtWork {
    pub(super) dispatch: Dispatch,
    pub(super) token: u64,
    pub(super) started: Time,
    pub(super) stop_asked: bool,
    pub(super) temper: Temper,
}

impl World {
    /// Puts something on the desk of the engine.
    pub(super) fn work(&mut self, number: Number, work: Work) {
        let shard = self.process.shard_of(number);
        self.process.shards[shard].desk.push_back(work);
        self.nudge_engine(shard);
    }

    fn nudge_engine(&mut self, shard: usize) {
        if !std::mem::replace(&mut self.process.shards[shard].nudged, true) {
            let at = self.dice.soon(self.now, 3);
            self.put_inside(at, Inside::Engine { shard });
        }
    }

    /// Does some of what lies on the desk; there may be a crash before the rest.
    pub(super) fn engine_works(&mut self, shard: usize) {
        self.process.shards[shard].nudged = false;
        let mut left = 1 + self.dice.below(6);
        while let Some(work) = self.process.shards[shard].desk.pop_front() {
            match work {
                Work::Perform { number, effects } => left = self.perform_some(number, effects, left),
                Work::Report { number, report, asking } => self.report(number, report, asking),
                Work::Reconcile { number } => self.reconcile(number),
            }
            left = left.saturating_sub(1);
            if left == 0 {
                break;
            }
        }
        self.begin_waiting(shard);
        if !self.process.shards[shard].desk.is_empty() {
            self.nudge_engine(shard);
        }
    }

    /// Performs effects in their order, and puts back what is left.
    fn perform_some(&mut self, number: Number, mut effects: VecDeque<Effect>, mut left: usize) -> usize {
        while let Some(effect) = effects.pop_front() {
            self.perform_one(number, effect);
            left = left.saturating_sub(1);
            if left == 0 && !effects.is_empty() && !self.has(Bug::DropRestOfEffects) {
                let shard = self.process.shard_of(number);
                self.process.shards[shard].desk.push_front(Work::Perform { number, effects });
                return 0;
            }
            if left == 0 {
                break;
            }
        }
        if let Some(live) = self.process.lives.get_mut(&number) {
            live.unperformed = live.unperformed.saturating_sub(1);
        }
        self.check_under_way(number);
        left
    }

    pub(super) fn perform_one(&mut self, number: Number, effect: Effect) {
        match effect {
            Effect::Run { dispatch, input } => {
                let input = input.unwrap_or_else(|| self.given(number));
                self.run_handler(number, dispatch, input);
            }
            Effect::Offer { dispatch, .. } => self.offer(number, dispatch),
            Effect::Withdraw { dispatch } => self.withdraw(number, dispatch.key),
            Effect::Stop { dispatch, then } => self.stop(number, dispatch, then),
            Effect::ArmTimer { timer, due, within } => self.arm(number, timer, due.min(self.now.after(within))),
            Effect::DisarmTimer { timer } => drop(self.process.engine(number).timers.remove(&(number, timer))),
            Effect::Continue => self.send(number, Mail::Tell(Input::Continue, None)),
            Effect::Ended => {}
        }
    }
}
