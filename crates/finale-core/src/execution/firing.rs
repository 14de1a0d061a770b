//! By which rule a node begins: what the settled edges into it decide.

use super::node::IncomingEdges;
use super::scope::LIVE;
use super::{EffectSink, Execution, NodeState, Settled, Skip};
use crate::compiled::{Compiled, RULED, Step};
use crate::definition::TriggerRule;
use crate::id::WorkKey;

/// What the edges into a node decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Firing {
    /// More edges must be settled first.
    Waits,
    Begins,
    Skipped,
}

/// What a rule makes of the edges that are settled, if so many are not. The default rule has a way of its own: see `edges`.
fn decide(rule: TriggerRule, edges: &IncomingEdges, unsettled: u32) -> Firing {
    let is_early = match rule {
        TriggerRule::OneSuccess => edges.succeeded > 0,
        TriggerRule::AtLeast { count } => edges.succeeded >= count,
        TriggerRule::OneFailed => edges.failed > 0,
        _ => false,
    };
    if is_early {
        return Firing::Begins;
    }
    if unsettled > 0 {
        return Firing::Waits;
    }
    let holds = match rule {
        TriggerRule::Default => edges.blocked.is_none() && edges.succeeded + edges.failed > 0,
        TriggerRule::AllSuccess => edges.dead.is_none() && edges.failed == 0,
        TriggerRule::NoneFailed => edges.blocked.is_none(),
        TriggerRule::AllDone => true,
        TriggerRule::AllFailed => edges.dead.is_none() && edges.succeeded == 0,
        TriggerRule::OneSuccess | TriggerRule::AtLeast { .. } | TriggerRule::OneFailed => false,
    };
    if holds { Firing::Begins } else { Firing::Skipped }
}

impl Execution {
    /// Settles an edge into a node that has another rule than the default.
    pub(super) fn settle_ruled(
        &mut self,
        definition: &Compiled,
        key: WorkKey,
        settled: Settled,
        sink: &mut impl EffectSink,
    ) {
        let rule = definition.at(key.node).rule;
        let scope = self.open_scope_mut(key.scope);
        let unsettled = *scope.unsettled_mut(key.node) & !(LIVE | RULED);
        let NodeState::Pending(edges) = scope.at_mut(key.node) else { return };
        edges.count(settled);
        let edges = *edges;
        match decide(rule, &edges, unsettled) {
            Firing::Waits => {}
            Firing::Begins => {
                self.reach(key);
                return self.close_losers(definition, key, sink);
            }
            Firing::Skipped => {
                let skip = skipped(rule, &edges, key);
                self.move_to(definition, key, NodeState::Skipped(skip), sink);
                self.settled.push_back(key);
            }
        }
        if is_given_up(rule, &edges, unsettled) && definition.at(key.node).step == Step::Join {
            self.count_failures_behind(definition, key);
        }
    }

    /// Whether a join that does not wait for all has gone on, or still may.
    pub(super) fn may_fire(&self, definition: &Compiled, join: WorkKey) -> bool {
        let scope = self.open_scope(join.scope);
        match scope.at(join.node) {
            NodeState::Pending(edges) => {
                let unsettled = scope.unsettled(join.node) & !(LIVE | RULED);
                !is_given_up(definition.at(join.node).rule, edges, unsettled)
            }
            state => !matches!(state, NodeState::Skipped(_)),
        }
    }
}

/// Whether a rule can hold no more, because too few edges are left that could be live.
fn is_given_up(rule: TriggerRule, edges: &IncomingEdges, unsettled: u32) -> bool {
    let needed = match rule {
        TriggerRule::OneSuccess => 1,
        TriggerRule::AtLeast { count } => count,
        _ => return false,
    };
    edges.succeeded + unsettled < needed
}

/// Why a node is skipped whose rule did not hold; that decides what it passes on. Rules about failures pass none on.
fn skipped(rule: TriggerRule, edges: &IncomingEdges, key: WorkKey) -> Skip {
    let not_met = Skip::RuleNotMet { node: key.node };
    match rule {
        TriggerRule::OneFailed | TriggerRule::AllFailed => not_met,
        _ => edges.blocked.or(edges.dead).unwrap_or(not_met),
    }
}
