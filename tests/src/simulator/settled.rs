//! What must hold whenever nothing is on its way, and what must hold at the end.

use std::collections::BTreeSet;

use finale_core::definition::Siblings;
use finale_core::execution::{Effect, Execution};
use finale_core::fact::Timer;
use finale_core::{Dispatch, ExecutionStatus, WorkKey};

use super::engine::AtWork;
use super::messages::Number;
use super::world::World;

/// What an engine does for one execution.
#[derive(Debug, Default, PartialEq, Eq)]
struct UnderWay {
    runs: BTreeSet<Dispatch>,
    offers: BTreeSet<WorkKey>,
    timers: BTreeSet<Timer>,
}

impl World {
    /// If nothing is on its way to or from an execution, then the engine does for it what its state says.
    pub(super) fn check_under_way(&mut self, number: Number) {
        let Some(live) = self.process.lives.get(&number) else { return };
        if live.is_busy() || live.lost || !live.is_durable() {
            return;
        }
        let wanted = UnderWay::wanted(live.state.under_way(&live.definition));
        let found = self.found(number);
        if found != wanted {
            let story = format!("execution {number}: {found:?} instead of {wanted:?}");
            self.violate("what_must_be_under_way_is", story);
        }
        self.check_stopping(number);
    }

    /// Where siblings are not left to finish, everything that still runs at the end was told to stop.
    fn check_stopping(&mut self, number: Number) {
        let Some(live) = self.process.lives.get(&number) else { return };
        let stops = live.definition.definition().policy.siblings == Siblings::Cancel;
        if !stops || live.state.status() != ExecutionStatus::Ending {
            return;
        }
        let running = self.process.engine(number).running.iter();
        let runs_on = |(place, at_work): &(&(Number, WorkKey), &AtWork)| place.0 == number && !at_work.stop_asked;
        if let Some((_, at_work)) = running.into_iter().find(runs_on) {
            let story = format!("execution {number}: {:?} was not told", at_work.dispatch);
            self.violate("the_end_stops_what_runs", story);
        }
    }

    fn found(&mut self, number: Number) -> UnderWay {
        let engine = self.process.engine(number);
        let is_its = |(other, _): &(Number, WorkKey)| *other == number;
        let running = engine.running.iter().filter(|(place, _)| is_its(place)).map(|(_, at_work)| at_work.dispatch);
        let waiting = engine.waiting.iter().filter_map(|task| task.of(number));
        UnderWay {
            runs: running.chain(waiting).collect(),
            offers: engine.offers.keys().filter(|place| is_its(place)).map(|(_, key)| *key).collect(),
            timers: engine.timers.keys().filter(|(other, _)| *other == number).map(|(_, timer)| *timer).collect(),
        }
    }

    /// What must hold when everything has come to its end.
    pub(super) fn check_at_the_end(&mut self) {
        let mut tally = std::mem::take(&mut self.tally);
        self.auditor.check_at_the_end(&mut tally);
        self.tally = tally;
        for number in self.auditor.numbers() {
            let found = self.found(number);
            if found != UnderWay::default() {
                self.violate("nothing_is_left_of_what_has_ended", format!("execution {number}: {found:?}"));
            }
            self.check_history(number);
        }
    }

    /// What is in the journal is what was watched all the time.
    fn check_history(&mut self, number: Number) {
        let Some(log) = self.journal.logs().get(&number) else { return };
        let Some(definition) = self.plan.definitions.get(log.definition) else { return };
        let folded = Execution::fold(self.auditor.id(number), definition, &log.facts);
        if !log.is_whole() || folded.as_ref() != Ok(self.auditor.durable(number)) {
            self.violate("a_history_reads_back_as_it_was_written", format!("execution {number}"));
        }
    }
}

impl UnderWay {
    fn wanted(effects: Vec<Effect>) -> Self {
        let mut wanted = Self::default();
        for effect in effects {
            match effect {
                Effect::Run { dispatch, .. } => _ = wanted.runs.insert(dispatch),
                Effect::Offer { dispatch, .. } => _ = wanted.offers.insert(dispatch.key),
                Effect::ArmTimer { timer, .. } => _ = wanted.timers.insert(timer),
                _ => {}
            }
        }
        wanted
    }
}
