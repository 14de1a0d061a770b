//! What becomes of an execution when the process that drove it is gone.

use super::apply::{Attempted, Further};
use super::{EffectSink, Execution, NodeState, Notice};
use crate::compiled::Compiled;
use crate::fact::StopOutcome;
use crate::failure::{Failure, FailureClass};
use crate::id::{AttemptNo, Epoch, ScopeId, WorkKey};
use crate::time::Time;

/// Why a lost attempt is not taken up again.
const NOT_AGAIN: &str =
    "the process ended after it was handed to its handler; it may have been at work, and must not be run again";

/// An attempt that was handed to its handler before the process ended.
#[derive(Clone, Copy)]
struct LostAttempt {
    key: WorkKey,
    attempt: AttemptNo,
    since: Time,
    /// Whether the process has said that it did not begin.
    not_begun: bool,
}

impl Execution {
    /// Which life it is in: 0 in the process that activated it, later ones after a recovery.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// How often the process crashed over the task that it crashed over most often, of those a handler works on now.
    ///
    /// A task that brings the process down does so in every life: a shell that does not want to die for ever gives up on
    /// the execution when this has become too much.
    pub fn losses(&self) -> u16 {
        let crashes = |state: &NodeState| match state {
            NodeState::Running { lost, not_begun: false, .. } => lost.crashes,
            _ => 0,
        };
        let all = self.scopes().flat_map(|(_, scope)| scope.iter());
        all.map(|(_, state)| crashes(state)).max().unwrap_or_default()
    }

    /// Whether a handler may be at work for it: not if the process has said of all of them that they did not begin.
    pub fn may_be_at_work(&self) -> bool {
        let mut states = self.scopes().filter(|(_, scope)| scope.running > 0).flat_map(|(_, scope)| scope.iter());
        states.any(|(_, state)| matches!(state, NodeState::Running { not_begun: false, .. }))
    }

    /// Whether nobody needs what a handler works on: its scope has come to its end, or a join has closed it.
    pub(super) fn is_not_wanted(&self, key: WorkKey) -> bool {
        self.is_ending(key.scope) || self.is_closed(key)
    }

    /// An attempt is over because nobody needs it, or does not begin in this life because that comes to its end: then the
    /// next one begins it, be it one that runs at most once.
    pub(super) fn attempt_stopped(
        &mut self,
        definition: &Compiled,
        key: WorkKey,
        attempt: AttemptNo,
        how: StopOutcome,
        sink: &mut impl EffectSink,
    ) {
        if self.is_not_wanted(key) {
            return self.stopped(definition, key, attempt, how, sink);
        }
        if let NodeState::Running { not_begun, .. } = self.open_scope_mut(key.scope).at_mut(key.node) {
            *not_begun = true;
        }
    }

    /// Takes what handlers worked on out of the hands of the process that is gone.
    ///
    /// What must not be run again fails, and that can decide the end. Only then is it known what becomes of the rest.
    pub(super) fn recovered(&mut self, definition: &Compiled, epoch: Epoch, crashed: bool, sink: &mut impl EffectSink) {
        self.epoch = epoch;
        let lost = self.handed_out();
        self.fail_lost(definition, &lost, sink);
        self.draw_consequences(definition, sink);
        self.judge(definition, sink);
        for lost in lost {
            self.take_up(definition, lost, crashed, sink);
        }
    }

    /// Fails what must not be run again, until one failure more would change nothing.
    fn fail_lost(&mut self, definition: &Compiled, lost: &[LostAttempt], sink: &mut impl EffectSink) {
        for &LostAttempt { key, attempt, since, .. } in lost.iter().filter(|lost| !lost.not_begun) {
            let is_decided = |id| {
                let scope = self.scope(id);
                !self.goes_on(id) || scope.is_some_and(|scope| self.end_reason(definition, scope).is_some())
            };
            let is_of_ending = self.scope(key.scope).is_some_and(|scope| scope.is_of_ending);
            let is_around_decided = !is_of_ending && is_decided(ScopeId::ROOT);
            let is_wanted = !is_decided(key.scope) && !is_around_decided && !self.is_closed(key);
            if definition.is_at_most_once(key.node) && is_wanted {
                let failure = Failure::new(FailureClass::Lost, NOT_AGAIN).permanent();
                let (result, ended, further) = (Err(failure), self.at, Further::AsDefined);
                let attempted = Attempted { key, attempt, result, started: since, ended, further };
                self.outcome(definition, attempted, sink);
                // Whether a failure counts may depend on the joins behind it.
                self.settle_all_edges(definition, sink);
            }
        }
    }

    /// Runs a lost attempt again and begins one that has not begun, or closes it if the end of its scope is decided.
    fn take_up(
        &mut self,
        definition: &Compiled,
        LostAttempt { key, attempt, since, not_begun }: LostAttempt,
        crashed: bool,
        sink: &mut impl EffectSink,
    ) {
        // Its scope may have been given back meanwhile.
        let Some(NodeState::Running { .. }) = self.state_of(key) else { return };
        let is_wanted = self.goes_on(key.scope) && !self.is_closed(key);
        if not_begun {
            return match is_wanted {
                true => self.dispatch_work(definition, key, attempt, sink),
                false => self.stopped(definition, key, attempt, StopOutcome::Closed, sink),
            };
        }
        if let NodeState::Running { lost, .. } = self.open_scope_mut(key.scope).at_mut(key.node) {
            lost.add(crashed);
        }
        let failure = Failure::new(FailureClass::Lost, "the process ended after it was handed to its handler");
        if sink.watched() {
            let (failure, took) = (Some(Box::new(failure.clone())), self.at.since(since));
            sink.notice(Notice::Attempt { key, attempt, failure, took }, self.path_inside(definition, key));
        }
        if !is_wanted {
            return self.stopped(definition, key, attempt, StopOutcome::Lost, sink);
        }
        self.note_earlier((key, attempt), (since, self.at), failure);
        self.dispatch_work(definition, key, attempt.next(), sink);
    }

    /// What was handed to handlers, in the order of the scopes and their nodes.
    fn handed_out(&self) -> Vec<LostAttempt> {
        let mut handed_out = Vec::new();
        for (scope, all) in self.scopes().filter(|(_, scope)| scope.running > 0) {
            for (node, state) in all.iter() {
                if let NodeState::Running { attempt, since, not_begun, .. } = *state {
                    handed_out.push(LostAttempt { key: WorkKey { scope, node }, attempt, since, not_begun });
                }
            }
        }
        handed_out
    }
}
