//! Watches from outside and forgets nothing in a crash: what is appended, what is durable, what was said to whom.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use finale_core::execution::{Effect, EffectSink, Refused};
use finale_core::fact::{Fact, Recorded};
use finale_core::{
    Compiled, Dispatch, Execution, ExecutionId, ExecutionStatus, NodeIndex, NodeStatus, Payload, Time, WorkKey,
};

use super::Violation;
use super::books::Books;
use super::journal::{Append, facts_of};
use super::messages::{Answer, Asking, Number, Wish};
use super::tally::{Count, Tally};
use crate::dice::Dice;

/// What must hold, and what was found instead.
pub(super) type Checked = Result<(), (&'static str, String)>;

#[derive(Debug, Default)]
pub(super) struct Auditor {
    subjects: Vec<Subject>,
    /// The execution that was begun durably under a key.
    keys: BTreeMap<Box<str>, Number>,
    pub(super) violation: Option<Violation>,
}

/// Everything that is known of one execution.
#[derive(Debug)]
struct Subject {
    definition: Rc<Compiled>,
    /// What was appended, folded fact by fact.
    appended: Folded,
    /// What is durable, folded fact by fact.
    durable: Folded,
    /// Appended and not durable.
    unwritten: VecDeque<Recorded>,
    /// How much of it was shown to somebody: it can never be less again.
    shown: u64,
    books: Books,
}

#[derive(Clone, Debug)]
struct Folded {
    execution: Execution,
    at: Time,
    /// The status after each fact.
    statuses: Vec<ExecutionStatus>,
}

/// Takes the effects that follow from a fact.
#[derive(Default)]
struct Effects(Vec<Effect>);

impl EffectSink for Effects {
    fn effect(&mut self, effect: Effect) {
        self.0.push(effect);
    }
}

impl Auditor {
    pub(super) fn violate(&mut self, invariant: &'static str, story: String) {
        self.violation.get_or_insert(Violation { invariant, story });
    }

    fn take(&mut self, checked: Checked) {
        if let Err((invariant, story)) = checked {
            self.violate(invariant, story);
        }
    }

    /// Another execution, to which nothing has happened yet.
    pub(super) fn subject(&mut self, definition: Rc<Compiled>) -> Number {
        let number = self.subjects.len() as Number;
        let execution = Execution::new(id_of(number), &definition);
        let folded = Folded { at: Time::default(), statuses: vec![execution.status()], execution };
        self.subjects.push(Subject {
            definition,
            appended: folded.clone(),
            durable: folded,
            unwritten: VecDeque::new(),
            shown: 0,
            books: Books::default(),
        });
        number
    }

    fn of(&mut self, number: Number) -> &mut Subject {
        &mut self.subjects[number as usize]
    }

    pub(super) fn id(&self, number: Number) -> ExecutionId {
        self.subjects[number as usize].durable.execution.id()
    }

    /// What is durable of an execution.
    pub(super) fn durable(&self, number: Number) -> &Execution {
        &self.subjects[number as usize].durable.execution
    }

    /// Whether anything of an execution is durable.
    pub(super) fn is_begun(&self, number: Number) -> bool {
        self.durable(number).sequence() > 0
    }

    /// Whether somebody was told how it ended.
    pub(super) fn is_seen_ended(&self, number: Number) -> bool {
        self.subjects[number as usize].books.end.is_some()
    }

    /// The journal has taken an append.
    pub(super) fn appended(&mut self, append: &Append, life: u32) {
        if append.life != life {
            let story = format!("execution {}: life {} wrote in life {life}", append.number, append.life);
            return self.violate("an_older_life_writes_nothing", story);
        }
        let checked = self.of(append.number).append(append);
        self.take(checked);
    }

    /// What the process has in hand is what it has appended.
    pub(super) fn compare(&mut self, number: Number, live: &Execution) {
        if &self.of(number).appended.execution != live {
            let sequences = (live.sequence(), self.of(number).appended.execution.sequence());
            let story = format!("execution {number}: live and appended are at {sequences:?}");
            self.violate("the_live_state_is_the_fold_of_the_history", story);
        }
    }

    /// An append has become durable.
    pub(super) fn written(&mut self, append: &Append, tally: &mut Tally) {
        for _ in 0..append.count {
            let checked = self.of(append.number).write(tally);
            self.take(checked);
        }
        let (number, durable) = (append.number, self.durable(append.number));
        let waits = durable.running() + durable.waiting() > 0;
        if !durable.status().is_terminal() && !waits {
            let story = format!("execution {number} is {} with nothing in flight", durable.status());
            self.violate("running_implies_something_in_flight", story);
        }
        if append.first == 1 {
            self.keyed(number);
        }
    }

    fn keyed(&mut self, number: Number) {
        let key = self.durable(number).activation().and_then(|activation| activation.idempotency_key.clone());
        if let Some(key) = key
            && let Some(other) = self.keys.insert(key.clone(), number)
        {
            let story = format!("key {key} began execution {other} and execution {number}");
            self.violate("one_key_is_one_execution", story);
        }
    }

    /// What was not durable never happened.
    pub(super) fn crashed(&mut self) {
        for subject in &mut self.subjects {
            if !subject.unwritten.is_empty() {
                subject.unwritten.clear();
                subject.appended = subject.durable.clone();
            }
        }
    }

    /// A handler begins.
    pub(super) fn began(&mut self, number: Number, dispatch: Dispatch, life: u32, input: &Payload, tally: &mut Tally) {
        let subject = self.of(number);
        let node = dispatch.key.node;
        let is_done = subject.durable.execution.output_of(dispatch.key).is_some();
        let is_once = subject.definition.is_at_most_once(node);
        let checked = subject.books.begin(dispatch, life, input, is_done, is_once, tally);
        self.take(told_of(number, checked));
    }

    /// A task is opened to the outside.
    pub(super) fn opened(&mut self, number: Number, dispatch: Dispatch) {
        let checked = self.of(number).books.open(dispatch);
        self.take(told_of(number, checked));
    }

    /// A handler said what it came to.
    pub(super) fn said(&mut self, number: Number, dispatch: Dispatch, done: bool) {
        self.of(number).books.say(dispatch, done);
    }

    /// What a handler said got lost on the way.
    pub(super) fn lost_on_the_way(&mut self, number: Number, dispatch: Dispatch) {
        self.of(number).books.lose(dispatch);
    }

    /// From now on everybody may see this.
    pub(super) fn visible(&mut self, number: Number, sequence: u64, status: ExecutionStatus) {
        let checked = self.of(number).show(sequence, status);
        self.take(told_of(number, checked));
        if status == ExecutionStatus::Ending || status.is_terminal() {
            self.of(number).books.is_ending = true;
        }
    }

    /// Somebody is told something: it must be durable, and agree with what was told before.
    pub(super) fn acknowledged(&mut self, asking: Asking, wish: &Wish, answer: &Answer) -> Checked {
        match (answer, wish.number()) {
            (Answer::Activated(number), _) => self.activated(wish, *number),
            (Answer::Done, Some(number)) => self.of(number).done(asking, wish),
            (Answer::Seen { sequence, status }, Some(number)) => self.of(number).show(*sequence, *status),
            (Answer::Ended(status), Some(number)) => self.of(number).ended(*status),
            (Answer::Refused(refused), Some(number)) => self.of(number).refused(refused),
            _ => Ok(()),
        }
    }

    fn activated(&mut self, wish: &Wish, number: Number) -> Checked {
        let Wish::Activate { key, .. } = wish else { return Ok(()) };
        let key: Option<Box<str>> = key.map(|key| key.to_string().into());
        let durable = self.durable(number).activation().map(|activation| activation.idempotency_key.clone());
        if durable != Some(key) {
            return Err(("what_was_acknowledged_is_durable", format!("the activation of execution {number} is not")));
        }
        self.of(number).shown = self.of(number).shown.max(1);
        Ok(())
    }

    /// What must hold when everything has come to its end; only then.
    pub(super) fn check_at_the_end(&mut self, tally: &mut Tally) {
        for number in 0..self.subjects.len() as Number {
            let checked = self.of(number).check_at_the_end(tally);
            self.take(told_of(number, checked));
        }
    }

    pub(super) fn numbers(&self) -> std::ops::Range<Number> {
        0..self.subjects.len() as Number
    }
}

impl Subject {
    fn append(&mut self, append: &Append) -> Checked {
        if append.first != self.appended.execution.sequence() + 1 {
            return Err(("facts_are_numbered_without_gaps", format!("fact {} came next", append.first)));
        }
        let facts = facts_of(&append.facts, self.appended.at).map_err(|error| ("a_history_can_be_folded", error))?;
        if facts.len() != append.count as usize {
            return Err(("facts_are_numbered_without_gaps", format!("{} facts, not {}", facts.len(), append.count)));
        }
        for recorded in facts {
            self.appended.apply(&self.definition, &recorded, &mut ())?;
            self.unwritten.push_back(recorded);
        }
        self.check_decided()
    }

    /// Whatever is reached is dispatched, decided or waited for at the end of a turn, never left lying.
    fn check_decided(&self) -> Checked {
        let execution = &self.appended.execution;
        if execution.status() != ExecutionStatus::Running {
            return Ok(());
        }
        let edges = &self.definition.definition().edges;
        let mut reached: BTreeSet<NodeIndex> =
            edges.iter().filter_map(|edge| self.definition.position(&edge.target)).collect();
        for edge in edges {
            let source =
                self.definition.position(&edge.source).and_then(|source| execution.node_status(WorkKey::root(source)));
            if !source.is_some_and(NodeStatus::is_settled)
                && let Some(target) = self.definition.position(&edge.target)
            {
                reached.remove(&target);
            }
        }
        match reached.iter().find(|node| execution.node_status(WorkKey::root(**node)) == Some(NodeStatus::Pending)) {
            Some(node) => Err(("nothing_that_is_reached_is_left", format!("node {node} is"))),
            None => Ok(()),
        }
    }

    fn write(&mut self, tally: &mut Tally) -> Checked {
        let Some(recorded) = self.unwritten.pop_front() else {
            return Err(("facts_are_numbered_without_gaps", "a fact was written that was not appended".to_owned()));
        };
        let mut effects = Effects::default();
        if matches!(recorded.fact, Fact::Recovered { .. }) {
            self.books.lost_in_a_crash(&self.definition, tally);
        }
        self.books.record(&self.definition, &recorded.fact)?;
        self.durable.apply(&self.definition, &recorded, &mut effects)?;
        self.books.follow(&effects.0)
    }

    /// Somebody sees this much: it is durable, and what anybody sees is the same.
    fn show(&mut self, sequence: u64, status: ExecutionStatus) -> Checked {
        self.shown = self.shown.max(sequence);
        let durable = self.durable.statuses.get(sequence as usize);
        if durable == Some(&status) {
            return Ok(());
        }
        let story = format!("{status} was shown after fact {sequence}, and {durable:?} is durable");
        Err(("nobody_sees_what_is_not_durable", story))
    }

    fn done(&mut self, asking: Asking, wish: &Wish) -> Checked {
        self.shown = self.shown.max(self.durable.execution.sequence());
        if self.books.recorded(wish.word().unwrap_or(asking)) {
            return Ok(());
        }
        Err(("what_was_acknowledged_is_durable", format!("{wish:?} is not")))
    }

    fn ended(&mut self, status: ExecutionStatus) -> Checked {
        let durable = self.durable.execution.status();
        let told = *self.books.end.get_or_insert(status);
        if durable != status || told != status || !status.is_terminal() {
            let story = format!("{status} was told, {durable} is durable, and {told} was told before");
            return Err(("an_execution_has_one_terminal_status", story));
        }
        Ok(())
    }

    /// A refusal tells something as well.
    fn refused(&mut self, refused: &Refused) -> Checked {
        let is_durable = match refused {
            Refused::AlreadyTerminal(status) => self.durable.execution.status() == *status,
            Refused::Settled { key, status } => self.durable.execution.node_status(*key) == Some(*status),
            _ => true,
        };
        if is_durable {
            return Ok(());
        }
        Err(("nobody_sees_what_is_not_durable", format!("it was said that {refused}")))
    }

    fn check_at_the_end(&self, tally: &mut Tally) -> Checked {
        let execution = &self.durable.execution;
        if execution.sequence() == 0 {
            return Ok(());
        }
        tally.add(Count::Activated);
        match execution.status() {
            ExecutionStatus::Completed => tally.add(Count::Completed),
            ExecutionStatus::Failed => tally.add(Count::Failed),
            ExecutionStatus::Cancelled => tally.add(Count::Cancelled),
            status => return Err(("everything_ends_once_the_faults_have_stopped", format!("it is {status}"))),
        }
        if self.shown > execution.sequence() {
            return Err(("what_was_acknowledged_survives", format!("fact {} was shown", self.shown)));
        }
        self.books.check_at_the_end()
    }
}

impl Folded {
    fn apply(&mut self, definition: &Compiled, recorded: &Recorded, notices: &mut impl EffectSink) -> Checked {
        if self.execution.status().is_terminal() {
            return Err(("nothing_happens_after_the_end", format!("{:?}", recorded.fact)));
        }
        if recorded.at < self.at {
            return Err(("time_never_runs_backwards", format!("{} after {}", recorded.at, self.at)));
        }
        let applied = self.execution.apply(definition, recorded.at, recorded.fact.clone(), notices);
        applied.map_err(|error| ("a_history_can_be_folded", error.to_string()))?;
        self.at = recorded.at;
        self.statuses.push(self.execution.status());
        Ok(())
    }
}

fn told_of(number: Number, checked: Checked) -> Checked {
    checked.map_err(|(invariant, story)| (invariant, format!("execution {number}: {story}")))
}

/// Ids are minted at random; here the number is the seed.
fn id_of(number: Number) -> ExecutionId {
    let mut dice = Dice::new(number.into());
    ExecutionId::from_uuid(uuid::Uuid::from_u64_pair(dice.next(), dice.next()))
}
