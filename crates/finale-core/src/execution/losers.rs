//! What becomes of the branches that a join does not wait for, if it closes them.

use super::node::WaitFor;
use super::{AfterStop, Effect, EffectSink, Execution, NodeState, Skip};
use crate::compiled::Compiled;
use crate::fact::StopOutcome;
use crate::id::{AttemptNo, NodeIndex, WorkKey};

impl Execution {
    /// Closes the losers of a join that has fired. Open ones there are also if all its edges are settled, where a node before
    /// it did not wait for all of its own.
    pub(super) fn close_losers(&mut self, definition: &Compiled, join: WorkKey, sink: &mut impl EffectSink) {
        let graph = self.open_scope(join.scope).graph(definition);
        let Some(rules) = &graph.rules else { return };
        for place in rules.losers(join.node.0 - graph.first) {
            let node = NodeIndex(graph.first + place);
            self.close_loser(definition, WorkKey { node, ..join }, join.node, sink);
        }
    }

    fn close_loser(&mut self, definition: &Compiled, key: WorkKey, join: NodeIndex, sink: &mut impl EffectSink) {
        match *self.state_at(key) {
            NodeState::Ready { attempt, .. } if attempt.get() > 1 => {
                let (since, how, attempt) = (self.at, StopOutcome::Closed, attempt.previous());
                self.move_to(definition, key, NodeState::Cancelled { attempt, since, at: self.at, how }, sink);
            }
            NodeState::Pending(_) | NodeState::Ready { .. } => {
                self.move_to(definition, key, NodeState::Skipped(Skip::Lost { join }), sink);
            }
            NodeState::Running { attempt, closed: false, .. } => self.stop_loser(key, attempt, sink),
            NodeState::Waiting(WaitFor::Scope { .. }) => self.close_nest(definition, key, sink),
            NodeState::Waiting(wait) => {
                let _attempt = self.close_waiting(definition, key, wait, true, sink);
            }
            _ => return,
        }
        // Whatever follows it leads into the join, but not what would handle its failure.
        if definition.at(key.node).is_caught {
            self.follow(key);
        }
    }

    fn stop_loser(&mut self, key: WorkKey, attempt: AttemptNo, sink: &mut impl EffectSink) {
        if let NodeState::Running { closed, not_begun, .. } = self.open_scope_mut(key.scope).at_mut(key.node) {
            *closed = true;
            if *not_begun {
                // There is nothing to stop, and the next life closes it.
                return;
            }
        }
        sink.effect(Effect::Stop { dispatch: self.dispatch(key, attempt), then: AfterStop::Report });
    }

    /// Whether a handler works on something that a join has closed.
    #[inline]
    pub(super) fn is_closed(&self, key: WorkKey) -> bool {
        matches!(self.state_of(key), Some(NodeState::Running { closed: true, .. }))
    }
}
