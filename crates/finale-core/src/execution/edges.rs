//! What follows from a settled node: its edges settle, and nodes behind them are reached or skipped.

use super::node::{IncomingEdges, WaitFor};
use super::scope::LIVE;
use super::{Effect, EffectSink, Execution, NodeState, Phase, Settled, Skip};
use crate::compiled::{Compiled, Step};
use crate::definition::{EdgeKind, OnFailure};
use crate::id::{AttemptNo, NodeIndex, ScopeId, WorkKey};

/// What is drawn at once from what was said to an execution; the rest is drawn when it is told to go on.
///
/// Replays stop at the same places, so another number would be another revision of the semantics.
pub(super) const CONSEQUENCES_MAX: u32 = 10_000;

/// An expression costs as much as so many consequences without one.
pub(super) const COST_OF_DECISION: u32 = 16;

impl Execution {
    /// Follows everything that was reached or settled, until only work, waiting and expressions are left.
    ///
    /// It goes through lists instead of recursing: graphs may be deeper than a stack.
    pub(super) fn draw_consequences(&mut self, definition: &Compiled, sink: &mut impl EffectSink) {
        while matches!(self.phase, Phase::Running) && self.spent < CONSEQUENCES_MAX {
            if let Some(key) = self.settled.pop_front() {
                self.settle_edges(definition, key, sink);
            } else if let Some(key) = self.next_ready() {
                self.begin(definition, key, sink);
            } else if let Some(id) = self.unjudged.pop() {
                self.judge_scope(definition, id, sink);
            } else if self.opening.is_empty() || !self.open_next(definition) {
                return;
            }
            self.spent += 1;
        }
        if !matches!(self.phase, Phase::Running) {
            self.give_back_idle(definition, sink);
        }
    }

    /// Gives back the scopes in which nothing runs any more; when the end is decided no budget holds that up.
    pub(super) fn give_back_idle(&mut self, definition: &Compiled, sink: &mut impl EffectSink) {
        while let Some(id) = self.unjudged.pop() {
            self.judge_scope(definition, id, sink);
        }
    }

    /// Says whether something is left to be drawn, the first time that it is.
    pub(super) fn hold_over(&mut self, definition: &Compiled, sink: &mut impl EffectSink) {
        let is_held = self.spent >= CONSEQUENCES_MAX && self.phase == Phase::Running && self.has_left_over();
        if is_held && !self.continuing {
            sink.effect(Effect::Continue);
        }
        self.continuing = is_held;
        if is_held {
            self.show_ready(definition, sink);
        }
    }

    fn has_left_over(&self) -> bool {
        let drawn = self.settled.is_empty() && self.dispatching.is_empty() && self.unjudged.is_empty();
        !drawn || !self.opening.is_empty() || !self.undecided.is_empty()
    }

    /// Tells observers what is ready and stays so for now.
    fn show_ready(&mut self, definition: &Compiled, sink: &mut impl EffectSink) {
        let is_new = |key: &WorkKey| matches!(self.state_of(*key), Some(NodeState::Ready { shown: false }));
        let mut ready: Vec<WorkKey> = self.undecided.iter().copied().filter(is_new).collect();
        for &id in &self.dispatching {
            let queued = self.scope(id).into_iter().flat_map(|scope| scope.ready());
            ready.extend(queued.map(|node| WorkKey { scope: id, node }).filter(is_new));
        }
        for key in ready {
            self.move_to(definition, key, NodeState::Ready { shown: true }, sink);
        }
    }

    /// The next node to begin, of those that are reached.
    ///
    /// Ready is not running: a pause, or as many handlers at work as a scope may have, will hold its queue here.
    #[inline]
    fn next_ready(&mut self) -> Option<WorkKey> {
        while let Some(&id) = self.dispatching.front() {
            if let Some(scope) = self.scope_mut(id)
                && let Some(node) = scope.take_ready()
            {
                let is_drained = scope.has_no_ready();
                if !id.is_root() {
                    scope.trim();
                }
                if is_drained && self.dispatching.len() == 1 {
                    // No other scope waits behind this one, so it loses no turn by being queued again when it must.
                    self.dispatching.pop_front();
                }
                return Some(WorkKey { scope: id, node });
            }
            self.dispatching.pop_front();
        }
        None
    }

    /// Queues a node that its edges allow to begin.
    #[inline]
    pub(super) fn reach(&mut self, key: WorkKey) {
        let scope = self.open_scope_mut(key.scope);
        *scope.at_mut(key.node) = NodeState::Ready { shown: false };
        if scope.add_ready(key.node) {
            self.dispatching.push_back(key.scope);
        }
    }

    /// Queues a node that was settled: what is behind it follows.
    #[inline]
    pub(super) fn follow(&mut self, key: WorkKey) {
        if self.goes_on(key.scope) {
            self.settled.push_back(key);
        }
    }

    /// Begins what a reached node does.
    fn begin(&mut self, definition: &Compiled, key: WorkKey, sink: &mut impl EffectSink) {
        // What decides the end of a scope begins nothing new in it: not even the join that tolerated the failure.
        let scope = self.open_scope(key.scope);
        let is_decided = !scope.failures().is_empty() && self.end_reason(definition, scope).is_some();
        if is_decided || !matches!(scope.at(key.node), NodeState::Ready { .. }) {
            return;
        }
        let compiled = definition.at(key.node);
        match compiled.step {
            Step::Pass | Step::Join => self.pass(definition, key, None, sink),
            Step::Judge(Some(preset)) => self.pass(definition, key, Some(preset.edge()), sink),
            Step::Judge(None) => {
                let state = NodeState::Waiting(WaitFor::Verdict { since: self.at });
                self.move_to(definition, key, state, sink);
            }
            _ if compiled.expression.is_some() => self.undecided.push_back(key),
            Step::Decide => self.pass(definition, key, Some(EdgeKind::ConditionalFalse), sink),
            Step::Handle | Step::Ask => self.dispatch_work(definition, key, AttemptNo::FIRST, sink),
            Step::Open(opening) => self.open_nest(definition, key, opening, None, sink),
        }
    }

    fn settle_edges(&mut self, definition: &Compiled, key: WorkKey, sink: &mut impl EffectSink) {
        if !self.goes_on(key.scope) {
            return;
        }
        let node = key.node;
        let (taken, of_node) = match self.state_at(key) {
            NodeState::ControlDone { taken, .. } => (*taken, Settled::Live),
            state => (None, settled_as(definition, node, state)),
        };
        for edge in definition.edges_of(node) {
            let settled = match taken {
                Some(taken) if taken != edge.kind => Settled::Dead(Skip::Decided { node, taken }),
                _ => of_node,
            };
            self.settle_edge(definition, key.scope, NodeIndex(edge.target), settled, sink);
        }
    }

    #[inline]
    fn settle_edge(
        &mut self,
        definition: &Compiled,
        id: ScopeId,
        node: NodeIndex,
        settled: Settled,
        sink: &mut impl EffectSink,
    ) {
        let scope = self.open_scope_mut(id);
        let NodeState::Pending(edges) = scope.at_mut(node) else { return };
        edges.settle(settled);
        let edges = *edges;
        let unsettled = scope.unsettled_mut(node);
        *unsettled -= 1;
        if let Settled::Live = settled {
            *unsettled |= LIVE;
        }
        let key = WorkKey { scope: id, node };
        match *unsettled {
            // By far the most nodes: nothing stands in the way.
            LIVE if edges.blocked.is_none() => self.reach(key),
            LIVE => self.arrive(definition, key, edges, true, sink),
            0 => self.arrive(definition, key, edges, false, sink),
            _ => {}
        }
    }

    /// All edges into a node are settled: it is reached if none is blocked and one is live, else it is skipped.
    fn arrive(
        &mut self,
        definition: &Compiled,
        key: WorkKey,
        edges: IncomingEdges,
        live: bool,
        sink: &mut impl EffectSink,
    ) {
        let tolerated = live && self.tolerates(definition, key);
        let skip = match (edges.blocked, live) {
            (Some(skip), _) if !tolerated => Some(skip),
            (_, true) => None,
            (_, false) => edges.dead,
        };
        match skip {
            Some(skip) => {
                self.move_to(definition, key, NodeState::Skipped(skip), sink);
                self.settled.push_back(key);
            }
            None => self.reach(key),
        }
    }

    /// A join goes on without the branches whose failure the policy tolerates.
    fn tolerates(&self, definition: &Compiled, key: WorkKey) -> bool {
        definition.at(key.node).step == Step::Join
            && matches!(self.open_scope(key.scope).graph(definition).policy.on_failure, OnFailure::Tolerate { .. })
    }
}

/// What a settled node makes of its edges, apart from those that its decision did not choose.
fn settled_as(definition: &Compiled, node: NodeIndex, state: &NodeState) -> Settled {
    match state {
        NodeState::Failed { .. } if !definition.at(node).optional => Settled::Blocked(Skip::Failed { node }),
        NodeState::Skipped(skip @ Skip::Decided { .. }) => Settled::Dead(*skip),
        NodeState::Skipped(skip) => Settled::Blocked(*skip),
        _ => Settled::Live,
    }
}
