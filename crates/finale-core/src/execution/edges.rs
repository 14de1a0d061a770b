//! What follows from a settled node: its edges settle, and nodes behind them are reached or skipped.

use super::node::{IncomingEdges, WaitFor};
use super::scope::LIVE;
use super::{Effect, EffectSink, Execution, NodeState, Phase, Settled, Skip};
use crate::compiled::{Compiled, Opening, OpeningKind, RULED, Step};
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
        while self.is_open() && self.spent < CONSEQUENCES_MAX {
            if let Some(key) = self.settled.pop_front() {
                self.settle_edges(definition, key, sink);
            } else if let Some(key) = self.next_ready() {
                self.begin(definition, key, sink);
            } else if let Some(id) = self.unjudged.pop() {
                self.judge_scope(definition, id, sink);
            } else if self.split_slots.is_some() && self.start_next_queued(definition, sink) {
                // A handler that has left made room for it.
            } else if !self.opening.is_empty() && self.open_next(definition) {
                // What it begins with is reached.
            } else if let Some(key) = self.held_back.pop_front() {
                self.begin_now(definition, key, sink);
            } else {
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
        let is_held = self.spent >= CONSEQUENCES_MAX && self.is_open() && self.has_left_over();
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
        let is_held = !self.held_back.is_empty() || self.has_freed_slots();
        !drawn || is_held || !self.opening.is_empty() || !self.undecided.is_empty()
    }

    /// Tells observers what is ready and stays so for now.
    fn show_ready(&mut self, definition: &Compiled, sink: &mut impl EffectSink) {
        let is_new = |key: &WorkKey| matches!(self.state_of(*key), Some(NodeState::Ready { shown: false, .. }));
        let mut ready: Vec<WorkKey> = self.undecided.iter().chain(&self.held_back).copied().filter(is_new).collect();
        for &id in &self.dispatching {
            let queued = self.scope(id).into_iter().flat_map(|scope| scope.ready());
            ready.extend(queued.map(|node| WorkKey { scope: id, node }).filter(is_new));
        }
        for key in ready {
            let ready = match *self.state_at(key) {
                NodeState::Ready { attempt, lost, .. } => NodeState::Ready { shown: true, attempt, lost },
                _ => continue,
            };
            self.move_to(definition, key, ready, sink);
        }
    }

    /// The next node to begin, of those that are reached.
    ///
    /// Ready is not running: a pause will hold its queue here.
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
        *scope.at_mut(key.node) = NodeState::READY;
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
        if self.has_failed_enough(definition, scope) || !matches!(scope.at(key.node), NodeState::Ready { .. }) {
            return;
        }
        if self.may_be_closed_at_once(definition, key) {
            return self.held_back.push_back(key);
        }
        self.begin_step(definition, key, sink);
    }

    /// Begins what was held back until everything was passed that closes what is not needed.
    #[cold]
    fn begin_now(&mut self, definition: &Compiled, key: WorkKey, sink: &mut impl EffectSink) {
        let is_ready = matches!(self.state_of(key), Some(NodeState::Ready { .. })) && self.goes_on(key.scope);
        if is_ready && !self.has_failed_enough(definition, self.open_scope(key.scope)) {
            self.begin_step(definition, key, sink);
        }
    }

    /// Whether a join may close what this node begins before anybody has heard of it: such work begins last.
    #[inline]
    fn may_be_closed_at_once(&self, definition: &Compiled, key: WorkKey) -> bool {
        !matches!(definition.at(key.node).step, Step::Pass | Step::Join | Step::Judge(Some(_)))
            && self.is_behind_cancelling_join(definition, key.scope)
    }

    /// Whether a join of a scope, or of one that it is in, closes losers.
    #[inline]
    fn is_behind_cancelling_join(&self, definition: &Compiled, mut id: ScopeId) -> bool {
        loop {
            let scope = self.open_scope(id);
            let rules = scope.graph(definition).rules.as_ref();
            if rules.is_some_and(|rules| !rules.cancelling.is_empty()) || id.is_root() {
                return rules.is_some_and(|rules| !rules.cancelling.is_empty());
            }
            id = scope.parent.scope;
        }
    }

    /// Of its two callers only the one in the loop is of interest: without the attribute neither has it built in.
    #[inline(always)]
    fn begin_step(&mut self, definition: &Compiled, key: WorkKey, sink: &mut impl EffectSink) {
        let compiled = definition.at(key.node);
        match compiled.step {
            Step::Pass | Step::Join => self.pass(definition, key, None, sink),
            Step::Judge(Some(preset)) => self.pass(definition, key, Some(preset.edge()), sink),
            Step::Judge(None) => {
                let state = NodeState::Waiting(WaitFor::Verdict { since: self.at });
                self.move_to(definition, key, state, sink);
            }
            Step::Open(opening @ Opening { kind: OpeningKind::Rounds, .. }) => {
                self.open_nest(definition, key, opening, None, sink);
            }
            _ if compiled.expression.is_some() => self.undecided.push_back(key),
            Step::Open(_) if compiled.call.as_ref().is_some_and(|call| call.input_schema.is_some()) => {
                self.undecided.push_back(key);
            }
            Step::Decide => self.pass(definition, key, Some(EdgeKind::ConditionalFalse), sink),
            Step::Handle | Step::Ask => self.start_work(definition, key, AttemptNo::FIRST, sink),
            Step::Open(opening) => self.open_nest(definition, key, opening, None, sink),
            Step::Delay(delay) => self.wait_until(definition, key, self.at.after(delay), sink),
            Step::Until | Step::AwaitSignal => self.await_named(definition, key, sink),
        }
    }

    /// There are two callers, and only the one in the loop is of interest: without the attribute neither has it built in.
    #[inline(always)]
    fn settle_edges(&mut self, definition: &Compiled, key: WorkKey, sink: &mut impl EffectSink) {
        if !self.goes_on(key.scope) {
            return;
        }
        let has_exits = definition.at(key.node).has_exits;
        match self.state_at(key) {
            // By far the most nodes.
            NodeState::Completed { .. } | NodeState::ControlDone { taken: None, .. } if !has_exits => {
                for edge in definition.edges_of(key.node) {
                    let key = WorkKey { node: NodeIndex(edge.target), ..key };
                    self.settle_live(definition, key, sink);
                }
            }
            _ => self.settle_unlike(definition, key, sink),
        }
    }

    /// Follows what is settled, and begins nothing yet.
    #[cold]
    pub(super) fn settle_all_edges(&mut self, definition: &Compiled, sink: &mut impl EffectSink) {
        while let Some(key) = self.settled.pop_front() {
            self.settle_edges(definition, key, sink);
        }
    }

    /// Settles the edges of a node that may not all become the same, or do not become live.
    #[inline(never)]
    fn settle_unlike(&mut self, definition: &Compiled, key: WorkKey, sink: &mut impl EffectSink) {
        let node = key.node;
        let is_caught = definition.at(node).is_caught;
        let state = self.state_at(key);
        let (taken, of_node) = match state {
            NodeState::ControlDone { taken, .. } => (*taken, Settled::Live),
            state => (None, settled_as(definition, node, state)),
        };
        let has_failed = matches!(state, NodeState::Failed { .. });
        let is_in_time = matches!(state, NodeState::Completed { .. } | NodeState::Skipped(Skip::Operator));
        for edge in definition.edges_of(node) {
            let settled = match taken {
                _ if is_caught && edge.kind == EdgeKind::OnFailure => to_failure_handler(node, has_failed),
                // What it waited for came in time, or need not come any more.
                None if is_in_time && edge.kind == EdgeKind::OnTimeout => {
                    Settled::Dead(Skip::Decided { node, taken: EdgeKind::Sequential })
                }
                Some(taken) if taken != edge.kind => Settled::Dead(Skip::Decided { node, taken }),
                _ => of_node,
            };
            self.settle_edge(definition, WorkKey { node: NodeIndex(edge.target), ..key }, settled, sink);
        }
    }

    /// Settles an edge that is live and not failed. Until the last one nobody asks what the node knows of its edges.
    #[inline]
    fn settle_live(&mut self, definition: &Compiled, key: WorkKey, sink: &mut impl EffectSink) {
        let scope = self.open_scope_mut(key.scope);
        let unsettled = scope.unsettled_mut(key.node);
        let left = (*unsettled - 1) | LIVE;
        *unsettled = left;
        if left == LIVE {
            match scope.at(key.node) {
                NodeState::Pending(edges) if edges.blocked.is_none() => self.reach(key),
                NodeState::Pending(edges) => {
                    let edges = *edges;
                    self.arrive(definition, key, edges, true, sink);
                }
                _ => {}
            }
        } else if left & RULED != 0 {
            self.settle_ruled(definition, key, Settled::Live, sink);
        }
    }

    fn settle_edge(&mut self, definition: &Compiled, key: WorkKey, settled: Settled, sink: &mut impl EffectSink) {
        let scope = self.open_scope_mut(key.scope);
        let NodeState::Pending(edges) = scope.at_mut(key.node) else { return };
        edges.settle(settled);
        let edges = *edges;
        let unsettled = scope.unsettled_mut(key.node);
        *unsettled -= 1;
        if let Settled::Live | Settled::LiveFailed = settled {
            *unsettled |= LIVE;
        }
        match *unsettled {
            LIVE => self.arrive(definition, key, edges, true, sink),
            0 => self.arrive(definition, key, edges, false, sink),
            left if left & RULED != 0 => self.settle_ruled(definition, key, settled, sink),
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

/// What a settled node makes of its edges, apart from those that its decision did not choose and those for its failure.
fn settled_as(definition: &Compiled, node: NodeIndex, state: &NodeState) -> Settled {
    match state {
        NodeState::Failed { .. } if definition.at(node).is_caught => Settled::Dead(Skip::Handled { node }),
        NodeState::Failed { .. } if definition.at(node).optional => Settled::LiveFailed,
        NodeState::Failed { .. } => Settled::Blocked(Skip::Failed { node }),
        NodeState::Skipped(skip @ Skip::Failed { .. }) => Settled::Blocked(*skip),
        NodeState::Skipped(Skip::Operator) => Settled::LiveFailed,
        NodeState::Skipped(skip) => Settled::Dead(*skip),
        NodeState::ControlDone { .. } | NodeState::Completed { .. } => Settled::Live,
        // A join went on without it.
        _ => Settled::Dead(Skip::NotFailed { node }),
    }
}

/// What becomes of the edge to the node that handles a failure.
fn to_failure_handler(node: NodeIndex, has_failed: bool) -> Settled {
    if has_failed { Settled::Live } else { Settled::Dead(Skip::NotFailed { node }) }
}
