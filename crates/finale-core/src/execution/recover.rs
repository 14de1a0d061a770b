//! What becomes of an execution when the process that drove it is gone.

use super::apply::{Attempted, Further};
use super::{EffectSink, Execution, NodeState, Notice, Phase};
use crate::compiled::Compiled;
use crate::fact::StopOutcome;
use crate::failure::{Failure, FailureClass};
use crate::id::{AttemptNo, Epoch, ScopeId, WorkKey};
use crate::time::Time;

/// Why a lost attempt is not taken up again.
const NOT_AGAIN: &str = "the process ended while it was at work; it may have had effects and must not be run again";

/// An attempt that a handler worked on when the process ended.
#[derive(Clone, Copy)]
struct LostAttempt {
    key: WorkKey,
    attempt: AttemptNo,
    since: Time,
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
            NodeState::Running { lost, .. } => lost.crashes,
            _ => 0,
        };
        let all = self.scopes().flat_map(|(_, scope)| scope.iter());
        all.map(|(_, state)| crashes(state)).max().unwrap_or_default()
    }

    /// Takes what handlers worked on out of the hands of the process that is gone.
    ///
    /// What must not be run again fails, and that can decide the end. Only then is it known what becomes of the rest.
    pub(super) fn recovered(&mut self, definition: &Compiled, epoch: Epoch, crashed: bool, sink: &mut impl EffectSink) {
        self.epoch = epoch;
        let lost = self.at_work();
        self.fail_lost(definition, &lost, sink);
        self.draw_consequences(definition, sink);
        self.judge(definition, sink);
        for lost in lost {
            self.take_up(definition, lost, crashed, sink);
        }
    }

    /// Fails what must not be run again, until one failure more would change nothing.
    fn fail_lost(&mut self, definition: &Compiled, lost: &[LostAttempt], sink: &mut impl EffectSink) {
        for &LostAttempt { key, attempt, since } in lost {
            let is_decided = |id| {
                let scope = self.scope(id);
                !self.goes_on(id) || scope.is_some_and(|scope| self.end_reason(definition, scope).is_some())
            };
            let is_wanted = !is_decided(key.scope) && !is_decided(ScopeId::ROOT) && !self.is_closed(key);
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

    /// Runs a lost attempt again, or closes it if the end of its scope is decided.
    fn take_up(
        &mut self,
        definition: &Compiled,
        LostAttempt { key, attempt, since }: LostAttempt,
        crashed: bool,
        sink: &mut impl EffectSink,
    ) {
        // Its scope may have been given back meanwhile.
        let Some(NodeState::Running { .. }) = self.state_of(key) else { return };
        if let NodeState::Running { lost, .. } = self.open_scope_mut(key.scope).at_mut(key.node) {
            lost.add(crashed);
        }
        let failure = Failure::new(FailureClass::Lost, "the process ended while it was at work");
        if sink.watched() {
            let (failure, took) = (Some(Box::new(failure.clone())), self.at.since(since));
            sink.notice(Notice::Attempt { key, attempt, failure, took }, self.path_inside(definition, key));
        }
        if self.is_ending(key.scope) || self.phase != Phase::Running || self.is_closed(key) {
            return self.stopped(definition, key, attempt, StopOutcome::Lost, sink);
        }
        self.note_earlier((key, attempt), (since, self.at), failure);
        self.dispatch_work(definition, key, attempt.next(), sink);
    }

    /// What handlers work on, in the order of the scopes and their nodes.
    fn at_work(&self) -> Vec<LostAttempt> {
        let mut at_work = Vec::new();
        for (scope, all) in self.scopes().filter(|(_, scope)| scope.running > 0) {
            for (node, state) in all.iter() {
                if let NodeState::Running { attempt, since, .. } = *state {
                    at_work.push(LostAttempt { key: WorkKey { scope, node }, attempt, since });
                }
            }
        }
        at_work
    }
}
