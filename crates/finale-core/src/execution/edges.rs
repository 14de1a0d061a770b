//! What follows from a settled node: its edges settle, and nodes behind them are reached or skipped.

use super::{EffectSink, Execution, NodeState, Phase, Settled, Skip};
use crate::compiled::{Compiled, Step};
use crate::definition::{EdgeKind, OnFailure};
use crate::execution::node::IncomingEdges;
use crate::id::{AttemptNo, NodeIndex, WorkKey};

impl Execution {
    /// Follows everything that was reached or settled, until only work, waiting and expressions are left.
    ///
    /// It goes through a list instead of recursing: graphs may be deeper than a stack.
    pub(super) fn draw_consequences(&mut self, definition: &Compiled, notices: &mut impl EffectSink) {
        // The failure that decides the end still says why its dependents are skipped, and begins nothing new: not even
        // the join that tolerated it.
        let is_decided = self.reason_to_end(definition).is_some();
        let mut next = 0;
        while let Some(&node) = self.reached.get(next) {
            next += 1;
            match self.nodes[node.as_usize()] {
                _ if self.phase != Phase::Running => {}
                NodeState::Reached if is_decided => {}
                NodeState::Reached => self.step(definition, node, notices),
                _ => self.settle_edges(definition, node, notices),
            }
        }
        self.reached.clear();
    }

    fn step(&mut self, definition: &Compiled, node: NodeIndex, notices: &mut impl EffectSink) {
        let compiled = definition.at(node);
        match compiled.step {
            Step::Pass | Step::Join | Step::Call => self.pass(node, None, notices),
            Step::Judge(Some(preset)) => self.pass(node, Some(preset.edge()), notices),
            Step::Judge(None) => {
                self.waiting += 1;
                self.move_to(node, NodeState::Judged { since: self.at }, notices);
            }
            _ if compiled.expression.is_some() => self.undecided.push_back(node),
            Step::Decide => self.pass(node, Some(EdgeKind::ConditionalFalse), notices),
            Step::Handle | Step::Ask => self.dispatch_work(definition, node, AttemptNo::FIRST, notices),
        }
    }

    fn settle_edges(&mut self, definition: &Compiled, node: NodeIndex, notices: &mut impl EffectSink) {
        let (taken, of_node) = (self.taken(WorkKey::root(node)), self.settled(definition, node));
        for edge in definition.edges_of(node) {
            let settled = match taken {
                Some(taken) if taken != edge.kind => Settled::Dead(Skip::Decided { node, taken }),
                _ => of_node,
            };
            let NodeState::Pending(approach) = &mut self.nodes[edge.target as usize] else {
                continue;
            };
            if let Some(whole) = approach.settle(settled) {
                self.arrive(definition, NodeIndex(edge.target), whole, notices);
            }
        }
    }

    /// What a settled node makes of its edges, apart from those that its decision did not choose.
    fn settled(&self, definition: &Compiled, node: NodeIndex) -> Settled {
        match &self.nodes[node.as_usize()] {
            NodeState::Failed { .. } if !definition.at(node).optional => Settled::Blocked(Skip::Failed { node }),
            NodeState::Skipped(skip @ Skip::Decided { .. }) => Settled::Dead(*skip),
            NodeState::Skipped(skip) => Settled::Blocked(*skip),
            _ => Settled::Live,
        }
    }

    /// All edges into a node are settled: it is reached if none is blocked and one is live, else it is skipped.
    fn arrive(&mut self, definition: &Compiled, node: NodeIndex, whole: IncomingEdges, notices: &mut impl EffectSink) {
        let tolerated = whole.live && tolerates(definition, node);
        let skip = match (whole.blocked, whole.live) {
            (Some(skip), _) if !tolerated => Some(skip),
            (_, true) => None,
            (_, false) => whole.dead,
        };
        match skip {
            Some(skip) => {
                self.open -= 1;
                self.move_to(node, NodeState::Skipped(skip), notices);
            }
            None => self.nodes[node.as_usize()] = NodeState::Reached,
        }
        self.reached.push(node);
    }
}

/// A join goes on without the branches whose failure the policy tolerates.
fn tolerates(definition: &Compiled, node: NodeIndex) -> bool {
    definition.at(node).step == Step::Join
        && matches!(definition.definition.policy.on_failure, OnFailure::Tolerate { .. })
}
