//! Loops: whether another round follows, and when it begins.

use super::decide::Seen;
use super::instances::Instance;
use super::node::WaitFor;
use super::{Effect, EffectSink, Execution, NodeState, Notice};
use crate::compiled::Compiled;
use crate::expression::{Expression, Facts, Local, NodeView};
use crate::fact::{Decision, Timer};
use crate::failure::{Failure, FailureClass};
use crate::id::WorkKey;
use crate::payload::Payload;

impl Execution {
    /// Whether the condition of a loop is to be evaluated.
    pub(super) fn is_between_rounds(&self, key: WorkKey) -> bool {
        let rounds = self.nests.get(&key).and_then(|nest| nest.rounds.as_deref().filter(|_| !nest.is_closed()));
        rounds.is_some_and(|rounds| rounds.is_undecided)
    }

    /// Evaluates the condition of a loop.
    pub(super) fn decide_round(&self, definition: &Compiled, key: WorkKey, condition: &Expression) -> Decision {
        let seen = self.seen(definition, key.scope, Some(key));
        let condition = match self.between_rounds(definition, key, seen) {
            Some(between) => condition.condition(&between),
            None => return Decision::Failed("no round is due".into()),
        };
        condition.map_or_else(|error| Decision::Failed(error.to_string().into()), Decision::Branch)
    }

    fn between_rounds<'a>(&'a self, definition: &Compiled, key: WorkKey, seen: Seen<'a>) -> Option<Between<'a>> {
        let nest = self.nests.get(&key)?;
        let (rounds, asks_before) = (nest.rounds.as_deref()?, definition.at(key.node).rounds()?.asks_before);
        let round = nest.opened() + u32::from(asks_before);
        let previous = if asks_before { &rounds.last } else { &rounds.before };
        Some(Between { seen, round, output: rounds.last.clone(), previous: previous.clone() })
    }

    /// A round is over: the condition says whether another one follows.
    pub(super) fn round_over(&mut self, key: WorkKey, instance: &Instance) {
        let rounds = self.nests.get_mut(&key).and_then(|nest| nest.rounds.as_deref_mut());
        let (Some(rounds), Instance::Completed(output)) = (rounds, instance) else { return };
        rounds.before = std::mem::replace(&mut rounds.last, output.clone());
        rounds.is_undecided = true;
        self.undecided.push_back(key);
    }

    /// Takes in what the condition of a loop came to.
    pub(super) fn round_decided(
        &mut self,
        definition: &Compiled,
        key: WorkKey,
        value: bool,
        sink: &mut impl EffectSink,
    ) {
        let Some(limits) = definition.at(key.node).rounds() else { return };
        let Some(nest) = self.nests.get_mut(&key) else { return };
        let Some(rounds) = nest.rounds.as_deref_mut() else { return };
        rounds.is_undecided = false;
        if value != limits.asks_before {
            let output = rounds.last.clone();
            nest.trim(definition.at(key.node).is_undoable);
            return self.settle_opener(definition, key, (false, None, output), sink);
        }
        let opened = nest.opened();
        if opened >= limits.max {
            nest.trim(definition.at(key.node).is_undoable);
            let failure = Failure::new(FailureClass::Exhausted, format!("{opened} rounds were not enough"));
            return self.settle_opener(definition, key, (false, Some(Box::new(failure)), Payload::NULL), sink);
        }
        if opened == 0 || limits.delay.is_zero() {
            return self.open_round(key);
        }
        let (since, until) = (self.since(key).unwrap_or(self.at), self.at.after(limits.delay));
        self.move_to(definition, key, NodeState::Waiting(WaitFor::Round { since, until }), sink);
        let timer = Timer::Round(key, opened + 1);
        sink.effect(Effect::ArmTimer { timer, due: until, within: limits.delay });
    }

    /// The condition of a loop could not be evaluated.
    pub(super) fn round_undecidable(
        &mut self,
        definition: &Compiled,
        key: WorkKey,
        reason: &str,
        sink: &mut impl EffectSink,
    ) {
        if sink.watched() {
            let notice = Notice::ExpressionFailed { key, reason: reason.into() };
            sink.notice(notice, self.path_inside(definition, key));
        }
        if let Some(nest) = self.nests.get_mut(&key) {
            nest.trim(definition.at(key.node).is_undoable);
        }
        let failure = Box::new(Failure::new(FailureClass::Expression, reason));
        self.settle_opener(definition, key, (false, Some(failure), Payload::NULL), sink);
    }

    /// The moment has come at which the next round begins.
    pub(super) fn round_due(&mut self, definition: &Compiled, key: WorkKey, sink: &mut impl EffectSink) {
        let since = self.since(key).unwrap_or(self.at);
        self.move_to(definition, key, NodeState::Waiting(WaitFor::Scope { since }), sink);
        self.open_round(key);
    }

    fn open_round(&mut self, key: WorkKey) {
        if let Some(rounds) = self.nests.get_mut(&key).and_then(|nest| nest.rounds.as_deref_mut()) {
            rounds.is_due = true;
            self.queue_opening(key);
        }
    }

    /// The number of the round that is waited for, from 1.
    pub(super) fn awaited_round(&self, key: WorkKey) -> u32 {
        self.nests.get(&key).map_or(0, |nest| nest.opened() + 1)
    }
}

/// What the condition of a loop sees.
struct Between<'a> {
    seen: Seen<'a>,
    round: u32,
    output: Payload,
    previous: Payload,
}

impl Facts for Between<'_> {
    fn input(&self) -> &Payload {
        self.seen.input()
    }

    fn node(&self, position: u32) -> NodeView {
        self.seen.node(position)
    }

    fn failures(&self) -> Payload {
        self.seen.failures()
    }

    fn local(&self, local: Local) -> Payload {
        match local {
            Local::Output => self.output.clone(),
            Local::Previous => self.previous.clone(),
            Local::Round => Payload::encode(&self.round).unwrap_or_default(),
            other => self.seen.local(other),
        }
    }
}
