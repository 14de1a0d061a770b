//! Watches from outside and forgets nothing in a crash: what is durable, what was shown to whom, what was computed.

use std::collections::{BTreeMap, BTreeSet};

use finale_core::execution::Effect;
use finale_core::fact::{CustomStatusSet, Fact, Operation, Recorded, StopOutcome, Timer};
use finale_core::{AttemptNo, Dispatch, ExecutionId, ExecutionStatus, NodeStatus, Time, WorkKey};

use super::Violation;
use super::journal::{Kept, State};
use super::shared::ENDED_HANDLERS;
use super::tally::{Count, Tally};

#[derive(Debug, Default)]
pub(super) struct Audit {
    pub(super) violation: Option<Violation>,
    pub(super) tally: Tally,
    executions: BTreeMap<ExecutionId, Subject>,
    keys: BTreeMap<Box<str>, ExecutionId>,
    /// Which process it is.
    life: u32,
    /// Whether handlers are told of ends.
    pub(super) tells: bool,
    /// Handlers at work in the process.
    running: BTreeSet<(ExecutionId, Dispatch)>,
}

/// What is known of one execution.
#[derive(Debug, Default)]
struct Subject {
    /// How much of it was shown to somebody: it can never be less again.
    shown: u64,
    ended: Option<ExecutionStatus>,
    /// Whether somebody was told that it is over.
    seen_over: bool,
    /// The handlers that have taken its end, and the process in which it was told last.
    taken: BTreeSet<u16>,
    told: Option<u32>,
    /// How often its end was published in this process.
    published: u32,
    /// The attempts that durable facts ask for.
    wanted: BTreeSet<Dispatch>,
    /// The attempts whose handlers began, and in which process they did last.
    begun: BTreeMap<Dispatch, u32>,
    /// Outputs that handlers gave.
    given: BTreeMap<(WorkKey, AttemptNo), BTreeSet<Vec<u8>>>,
    recorded: BTreeSet<(WorkKey, AttemptNo)>,
    /// In which process somebody outside said what comes of work; what that stops may still be on its way in there.
    settled: BTreeMap<WorkKey, u32>,
    /// The attempts that the engine of this process was told to stop.
    stopped: BTreeSet<Dispatch>,
    /// When the timers are due that durable facts have armed.
    due: BTreeMap<Timer, Time>,
    /// What signals with ids said; each says something of its own.
    signalled: BTreeSet<Box<str>>,
    /// The custom statuses that handlers have set, by their numbers.
    statuses: BTreeMap<u64, (WorkKey, AttemptNo)>,
    /// The last one that each attempt of this process has set.
    last_statuses: BTreeMap<(WorkKey, AttemptNo), u64>,
    /// The one that is recorded.
    status: u64,
}

impl Audit {
    pub(super) fn violate(&mut self, invariant: &'static str, story: String) {
        self.violation.get_or_insert(Violation { invariant, story });
    }

    fn of(&mut self, execution: ExecutionId) -> &mut Subject {
        self.executions.entry(execution).or_default()
    }

    /// Facts of an execution are durable.
    pub(super) fn durable(
        &mut self,
        execution: ExecutionId,
        key: Option<&str>,
        kept: &Kept,
        folded: &[(Recorded, Vec<Effect>)],
    ) {
        for (recorded, effects) in folded {
            self.tally.add(Count::Facts);
            if let Fact::Activated(_) = &recorded.fact {
                self.tally.add(Count::Activated);
                self.begins(execution, key);
            }
            if matches!(recorded.fact, Fact::Recovered { .. }) {
                self.tally.add(Count::Recovered);
            }
            if let Fact::Signalled(signal) = &recorded.fact {
                self.tally.add(Count::Signals);
                if kept.state.signals_left().iter().any(|left| left.name == *signal.name) {
                    self.tally.add(Count::EarlySignals);
                }
            }
            if matches!(recorded.fact, Fact::CustomStatusSet(_)) {
                self.tally.add(Count::StatusesRecorded);
            }
            let life = self.life;
            let wrong = self.of(execution).record(recorded, effects, life);
            if let Some((invariant, story)) = wrong {
                self.violate(invariant, format!("{execution}: {story}"));
            }
        }
        if kept.state.status().is_terminal() {
            self.tally.add(match kept.state.status() {
                ExecutionStatus::Completed => Count::Completed,
                ExecutionStatus::Failed => Count::Failed,
                _ => Count::Cancelled,
            });
            let status = kept.state.status();
            if let Some(before) = self.of(execution).ended.replace(status) {
                self.violate("one_end_is_recorded_once", format!("{execution}: {before}, then {status}"));
            }
        }
    }

    fn begins(&mut self, execution: ExecutionId, key: Option<&str>) {
        let Some(key) = key else { return };
        if let Some(before) = self.keys.insert(key.into(), execution) {
            self.violate("a_key_is_activated_once", format!("{key}: {before}, then {execution}"));
        }
    }

    /// An ended execution is forgotten: its id and its key may be given again.
    pub(super) fn forget(&mut self, execution: ExecutionId) {
        self.tally.add(Count::Forgotten);
        let gone = self.executions.remove(&execution);
        if self.tells && gone.is_some_and(|gone| gone.ended.is_some() && !gone.is_told()) {
            self.violate("what_is_to_be_told_is_kept", execution.to_string());
        }
        self.keys.retain(|_, owner| *owner != execution);
    }

    /// Somebody sees an execution as it was after that many facts.
    pub(super) fn shows(&mut self, execution: ExecutionId, sequence: u64, durable: &State) {
        let known = durable.get(&execution).map(|kept| kept.state.sequence());
        // What is shown of an execution may be late; one that was forgotten meanwhile is no contradiction.
        if known.is_some_and(|known| known < sequence) || (known.is_none() && self.executions.contains_key(&execution))
        {
            let story = format!("{execution}: {sequence} facts are shown, {known:?} are durable");
            self.violate("what_is_seen_is_durable", story);
        } else if known.is_none() && sequence > 0 && !self.tally.has(Count::Forgotten) {
            self.violate("what_is_seen_is_durable", format!("{execution} is not recorded at all"));
        }
        if known.is_some() {
            let shown = &mut self.of(execution).shown;
            *shown = sequence.max(*shown);
        }
    }

    /// The end of an execution is published.
    pub(super) fn publishes(&mut self, execution: ExecutionId, status: ExecutionStatus, durable: &State) {
        let Some(kept) = durable.get(&execution) else {
            if !self.tally.has(Count::Forgotten) {
                self.violate("what_is_seen_is_durable", format!("the end of {execution} is not recorded"));
            }
            return;
        };
        if kept.status() != status {
            self.violate("what_is_seen_is_durable", format!("{execution} is {}, not {status}", kept.status()));
        }
        let subject = self.of(execution);
        subject.seen_over = true;
        subject.published += 1;
        if subject.published > 1 {
            self.violate("one_end_is_published_once", format!("{execution} again"));
        }
    }

    /// Handlers are told of an end.
    pub(super) fn tells(&mut self, execution: ExecutionId, durable: &State) {
        if durable.get(&execution).is_none_or(Kept::is_open) {
            self.violate("what_is_told_is_durable", format!("the end of {execution} is not recorded"));
        }
        let life = self.life;
        if self.of(execution).told.replace(life).is_some_and(|before| before < life) {
            self.tally.add(Count::EndsToldAgain);
        }
    }

    /// Handlers have taken an end.
    pub(super) fn takes_end(&mut self, execution: ExecutionId, handlers: impl IntoIterator<Item = u16>) {
        let subject = self.of(execution);
        subject.taken.extend(handlers);
        let is_told = subject.is_told();
        self.tally.add(if is_told { Count::EndsTold } else { Count::EndsNotTaken });
    }

    /// Nothing is on its way any more: every end that is kept was told.
    pub(super) fn check_told(&mut self, durable: &State) {
        let mut ended = durable.iter().filter(|(_, kept)| self.tells && !kept.is_open());
        let untold = ended
            .find(|(execution, kept)| kept.untold || !self.executions.get(execution).is_some_and(Subject::is_told));
        if let Some((execution, kept)) = untold {
            let story = format!("{execution} is {}, still to be told: {}", kept.status(), kept.untold);
            self.violate("each_end_is_told", story);
        }
    }

    /// A handler begins.
    pub(super) fn begins_handler(&mut self, execution: ExecutionId, dispatch: Dispatch, once: bool, durable: &State) {
        self.tally.add(Count::Handlers);
        let Dispatch { key, attempt, .. } = dispatch;
        let is_done =
            durable.get(&execution).and_then(|kept| kept.state.node_status(key)) == Some(NodeStatus::Completed);
        let life = self.life;
        let is_at_work = !self.running.insert((execution, dispatch));
        let subject = self.of(execution);
        let is_done = is_done && subject.settled.get(&key) != Some(&life);
        let again = subject.begun.keys().any(|before| before.key == key);
        let before = subject.begun.insert(dispatch, life);
        let wrong = if is_at_work {
            Some("an_attempt_runs_once_at_a_time")
        } else if subject.seen_over {
            Some("nothing_begins_after_the_end_was_seen")
        } else if !subject.wanted.contains(&dispatch) {
            Some("what_is_performed_is_durable")
        } else if subject.stopped.contains(&dispatch) {
            Some("what_was_stopped_does_not_begin")
        } else if is_done || subject.recorded.contains(&(key, attempt)) {
            Some("a_durable_result_is_not_computed_again")
        } else if before == Some(life) {
            Some("an_attempt_begins_once")
        } else if before.is_some() {
            Some("another_process_makes_another_attempt")
        } else if once && again {
            Some("at_most_once_begins_at_most_once")
        } else {
            None
        };
        if let Some(invariant) = wrong {
            self.violate(invariant, format!("{execution}: {dispatch:?}"));
        }
    }

    /// A timer is armed again, after a restart or because it may have been lost.
    pub(super) fn arms_again(&mut self, execution: ExecutionId, timer: Timer, due: Time) {
        let known = self.executions.get(&execution).and_then(|subject| subject.due.get(&timer));
        if let Some(known) = known.filter(|known| **known != due) {
            let story = format!("{execution}: {timer:?} was due at {known}, and is now at {due}");
            self.violate("what_is_waited_for_stays_the_same", story);
        }
    }

    /// The engine is told to stop an attempt.
    pub(super) fn stops(&mut self, execution: ExecutionId, dispatch: Dispatch) {
        self.of(execution).stopped.insert(dispatch);
    }

    /// What came of a handler is lost before anybody heard of it.
    pub(super) fn loses(&mut self, execution: ExecutionId, dispatch: Dispatch) {
        self.of(execution).begun.remove(&dispatch);
    }

    /// A handler gives an output.
    pub(super) fn gives(&mut self, execution: ExecutionId, dispatch: Dispatch, output: &[u8]) {
        let given = &mut self.of(execution).given;
        given.entry((dispatch.key, dispatch.attempt)).or_default().insert(output.to_vec());
    }

    /// A handler sets the custom status with that number.
    pub(super) fn sets_status(&mut self, execution: ExecutionId, dispatch: Dispatch, number: u64) {
        self.tally.add(Count::StatusesSet);
        let subject = self.of(execution);
        let attempt = (dispatch.key, dispatch.attempt);
        subject.statuses.insert(number, attempt);
        subject.last_statuses.insert(attempt, number);
    }

    /// A handler is gone.
    pub(super) fn handler_gone(&mut self, execution: ExecutionId, dispatch: Dispatch) {
        self.running.remove(&(execution, dispatch));
    }

    /// The process is gone, and with it everybody who was told something twice.
    pub(super) fn crash(&mut self, durable: &State) {
        self.running.clear();
        self.life += 1;
        let mut lost = None;
        for (execution, subject) in &mut self.executions {
            subject.published = 0;
            subject.stopped.clear();
            // What was not recorded is gone with the process.
            subject.last_statuses.clear();
            let left = durable.get(execution).map_or(0, |kept| kept.state.sequence());
            if left < subject.shown {
                lost = Some(format!("{execution}: {} facts were shown, {left} are left", subject.shown));
            }
        }
        if let Some(story) = lost {
            self.violate("what_was_acknowledged_survives", story);
        }
    }

    /// Somebody reads in the journal how an execution stands.
    pub(super) fn reads(&mut self, execution: ExecutionId, durable: &State) {
        if durable.get(&execution).is_some_and(|kept| !kept.is_open()) {
            self.of(execution).seen_over = true;
        }
    }
}

impl Subject {
    /// Whether all handlers have taken its end.
    fn is_told(&self) -> bool {
        self.taken.len() == usize::from(ENDED_HANDLERS)
    }

    fn record_status(&mut self, set: &CustomStatusSet) -> Option<(&'static str, String)> {
        let number = set.text.parse().unwrap_or_default();
        if self.statuses.get(&number) != Some(&(set.key, set.attempt)) {
            return Some(("a_recorded_custom_status_was_set", format!("{set:?}")));
        }
        let before = std::mem::replace(&mut self.status, number);
        (number <= before).then(|| ("the_last_custom_status_counts", format!("{number} after {before}")))
    }

    fn record(&mut self, recorded: &Recorded, effects: &[Effect], life: u32) -> Option<(&'static str, String)> {
        for effect in effects {
            match effect {
                Effect::Run { dispatch, .. } => drop(self.wanted.insert(*dispatch)),
                Effect::ArmTimer { timer, due, .. } => drop(self.due.insert(*timer, *due)),
                _ => {}
            }
        }
        let (key, attempt, result) = match &recorded.fact {
            Fact::Outcome { key, attempt, result, .. } => (*key, *attempt, result.as_ref().ok()),
            // One that had not begun at a shutdown has its outcome in a later life.
            Fact::AttemptStopped { how: StopOutcome::Closed, .. } => return None,
            Fact::AttemptStopped { key, attempt, .. } => (*key, *attempt, None),
            Fact::CustomStatusSet(set) => return self.record_status(set),
            Fact::Reported { key, .. } | Fact::Operated(Operation { key, .. }) => {
                self.settled.insert(*key, life);
                return None;
            }
            Fact::Signalled(signal) => {
                let said = signal.payload.decode::<String>().ok().filter(|said| said.starts_with("with id "))?;
                let is_new = self.signalled.insert(said.as_str().into());
                return (!is_new).then_some(("a_signal_with_an_id_counts_once", said));
            }
            _ => return None,
        };
        if !self.recorded.insert((key, attempt)) {
            return Some(("an_attempt_has_one_outcome", format!("{key} attempt {attempt}")));
        }
        // What the task engine decides by itself may be because it has lost track of the handler.
        let is_handlers = matches!(&recorded.fact, Fact::Outcome { result, .. }
            if result.as_ref().err().is_none_or(|failure| failure.reason.starts_with("so it")));
        if let Some(last) = self.last_statuses.get(&(key, attempt)).filter(|last| is_handlers && **last > self.status) {
            let story = format!("{key} attempt {attempt} had set {last}, and {} is recorded", self.status);
            return Some(("a_custom_status_is_recorded_with_the_outcome", story));
        }
        let given = self.given.get(&(key, attempt));
        if let Some(output) = result
            && !given.is_some_and(|given| given.contains(output.as_bytes()))
        {
            return Some(("what_is_recorded_was_computed", format!("{key} attempt {attempt}: {output:?}")));
        }
        None
    }
}
