//! The scopes of an execution: running instances of graphs, and the counters over their nodes.

use std::collections::{BTreeMap, VecDeque};

use super::node::Counted;
use super::uncounted::UncountedFailures;
use super::{Execution, NodeState, Notice};
use crate::compiled::{Compiled, Graph};
use crate::failure::Failure;
use crate::id::{NodeIndex, ScopeId, WorkKey};
use crate::payload::Payload;
use crate::time::Time;

use super::EffectSink;

/// One running instance of a graph.
///
/// There may be a hundred thousand of them, one for each item of a map, so what few of them need is boxed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Scope {
    /// The node that opened it; of no meaning for the root.
    pub(super) parent: WorkKey,
    /// Which of the scopes that the node opened, counted from 0.
    pub(super) instance: u32,
    /// Which of the graphs of the definition runs here.
    pub(super) graph: u32,
    /// The number of the first node of that graph.
    first: u32,
    /// Nodes that are not settled.
    pub(super) open: u32,
    /// Nodes a handler works on.
    pub(super) running: u32,
    /// Nodes that wait for scopes of their own.
    pub(super) nested: u32,
    pub(super) end: ScopeEnd,
    /// What it failed with.
    pub(super) failure: Option<Box<Failure>>,
    /// Whether its handlers were told to stop, rather than left to finish.
    pub(super) stopping: bool,
    /// Whether it is over, and kept only to be looked at.
    pub(super) over: bool,
    nodes: Box<[NodeState]>,
    /// Edges into each node that are not settled yet; [`LIVE`] says that one of the settled ones is live.
    unsettled: Box<[u32]>,
    lists: Option<Box<Lists>>,
}

/// What of a scope is empty most of the time.
#[derive(Clone, Debug, Default, PartialEq)]
struct Lists {
    /// Required nodes that failed, in order.
    failures: Vec<NodeIndex>,
    /// Nodes that are reached and not begun, in the order in which they were reached.
    ready: VecDeque<NodeIndex>,
    /// Inputs that an expression gave, as long as their tasks are open.
    inputs: BTreeMap<NodeIndex, Payload>,
    /// Failures that do not count; few scopes have any.
    uncounted: Option<Box<UncountedFailures>>,
}

/// Whether the end of an inner scope is decided. That of the root is the end of the execution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ScopeEnd {
    #[default]
    Undecided,
    /// All that is in it is settled, and nothing of it counts against it; its output is to be evaluated.
    Settled,
    /// It failed, with [`Scope::failure`]; what still runs in it is being stopped or waited for.
    Failed,
    /// What it is in has come to its end; what still runs in it is being stopped or waited for.
    Closed,
}

/// Marks a node that a live edge leads to.
pub(super) const LIVE: u32 = 1 << 31;

impl Scope {
    pub(super) fn new(graph: &Graph, number: u32, parent: WorkKey, instance: u32) -> Self {
        let mut scope = Self { parent, instance, ..Self::default() };
        scope.reset(graph, number);
        scope
    }

    /// As new, for a graph, in the storage that is there.
    pub(super) fn reset(&mut self, graph: &Graph, number: u32) {
        if self.nodes.len() == graph.in_degrees.len() {
            self.nodes.fill(NodeState::PENDING);
            self.unsettled.copy_from_slice(&graph.in_degrees);
        } else {
            self.nodes = vec![NodeState::PENDING; graph.in_degrees.len()].into_boxed_slice();
            self.unsettled = graph.in_degrees.clone();
        }
        (self.graph, self.first) = (number, graph.first);
        self.open = graph.in_degrees.len() as u32;
        (self.running, self.nested) = (0, 0);
        (self.end, self.failure) = (ScopeEnd::Undecided, None);
        (self.stopping, self.over) = (false, false);
        if let Some(lists) = &mut self.lists {
            lists.failures.clear();
            lists.ready.clear();
            lists.inputs.clear();
            lists.uncounted = None;
        }
    }

    #[inline]
    pub(super) fn graph<'d>(&self, definition: &'d Compiled) -> &'d Graph {
        &definition.graphs[self.graph as usize]
    }

    #[inline]
    pub(super) fn get(&self, node: NodeIndex) -> Option<&NodeState> {
        self.nodes.get(node.0.wrapping_sub(self.first) as usize)
    }

    #[inline]
    pub(super) fn at(&self, node: NodeIndex) -> &NodeState {
        &self.nodes[(node.0 - self.first) as usize]
    }

    #[inline]
    pub(super) fn at_mut(&mut self, node: NodeIndex) -> &mut NodeState {
        &mut self.nodes[(node.0 - self.first) as usize]
    }

    /// The edges into a node that are not settled.
    #[inline]
    pub(super) fn unsettled_mut(&mut self, node: NodeIndex) -> &mut u32 {
        &mut self.unsettled[(node.0 - self.first) as usize]
    }

    #[inline]
    pub(super) fn unsettled(&self, node: NodeIndex) -> u32 {
        self.unsettled[(node.0 - self.first) as usize]
    }

    /// The nodes of its graph with their states, in the order of the graph.
    pub(super) fn iter(&self) -> impl Iterator<Item = (NodeIndex, &NodeState)> {
        (self.first..).map(NodeIndex).zip(&self.nodes)
    }

    /// The numbers of its nodes, in the order of the graph.
    pub(super) fn positions(&self) -> impl Iterator<Item = NodeIndex> + use<> {
        (self.first..self.first + self.nodes.len() as u32).map(NodeIndex)
    }

    /// How many nodes its graph has.
    pub(super) fn len(&self) -> u32 {
        self.nodes.len() as u32
    }

    /// The number of the node at that place of its graph.
    pub(super) fn position(&self, place: u32) -> NodeIndex {
        NodeIndex(self.first + place)
    }

    #[inline]
    pub(super) fn failures(&self) -> &[NodeIndex] {
        self.lists.as_ref().map_or(&[], |lists| &lists.failures)
    }

    /// Adds a failure that counts, in the order in which they happened.
    pub(super) fn add_failure(&mut self, node: NodeIndex) {
        let Lists { failures, uncounted, .. } = self.lists_mut();
        let place = match uncounted {
            Some(uncounted) => {
                let number = uncounted.number(node);
                uncounted.place_among(failures, number)
            }
            None => failures.len(),
        };
        failures.insert(place, node);
    }

    /// The failures that do not count, if there are any.
    pub(super) fn uncounted(&self) -> Option<&UncountedFailures> {
        self.lists.as_ref()?.uncounted.as_deref()
    }

    pub(super) fn uncounted_mut(&mut self) -> &mut UncountedFailures {
        let Lists { failures, uncounted, .. } = self.lists_mut();
        uncounted.get_or_insert_with(|| {
            let mut uncounted = Box::<UncountedFailures>::default();
            for node in failures.iter() {
                uncounted.number(*node);
            }
            uncounted
        })
    }

    /// Queues a node that is reached; says whether it is the only one in the queue.
    #[inline]
    pub(super) fn add_ready(&mut self, node: NodeIndex) -> bool {
        let ready = &mut self.lists_mut().ready;
        ready.push_back(node);
        ready.len() == 1
    }

    #[inline]
    pub(super) fn take_ready(&mut self) -> Option<NodeIndex> {
        self.lists.as_mut()?.ready.pop_front()
    }

    #[inline]
    pub(super) fn has_no_ready(&self) -> bool {
        self.lists.as_ref().is_none_or(|lists| lists.ready.is_empty())
    }

    pub(super) fn ready(&self) -> impl DoubleEndedIterator<Item = NodeIndex> {
        self.lists.iter().flat_map(|lists| lists.ready.iter().copied())
    }

    #[inline]
    pub(super) fn input(&self, node: NodeIndex) -> Option<&Payload> {
        let inputs = &self.lists.as_ref()?.inputs;
        if inputs.is_empty() { None } else { inputs.get(&node) }
    }

    pub(super) fn set_input(&mut self, node: NodeIndex, input: Payload) {
        self.lists_mut().inputs.insert(node, input);
    }

    #[inline]
    fn forget_input(&mut self, node: NodeIndex) {
        if let Some(lists) = &mut self.lists
            && !lists.inputs.is_empty()
        {
            lists.inputs.remove(&node);
        }
    }

    /// Gives up the storage of lists that are empty; of the root it is used again.
    pub(super) fn trim(&mut self) {
        let is_empty = |lists: &Lists| {
            let Lists { failures, ready, inputs, uncounted } = lists;
            failures.is_empty() && ready.is_empty() && inputs.is_empty() && uncounted.is_none()
        };
        if self.lists.as_deref().is_some_and(is_empty) {
            self.lists = None;
        }
    }

    /// Takes everything out of the queue: nothing of it begins any more.
    pub(super) fn clear_ready(&mut self) {
        if let Some(lists) = &mut self.lists {
            lists.ready.clear();
        }
    }

    /// Keeps storage for the lists: what is not given back needs it sooner or later, and uses it again.
    pub(super) fn with_lists(mut self) -> Self {
        self.lists_mut();
        self
    }

    fn lists_mut(&mut self) -> &mut Lists {
        self.lists.get_or_insert_default()
    }

    /// How many bytes it takes beside itself.
    #[cfg(test)]
    pub(super) fn allocated(&self) -> usize {
        let lists = self.lists.as_ref().map_or(0, |lists| {
            let Lists { failures, ready, inputs, .. } = &**lists;
            size_of::<Lists>() + 4 * failures.capacity() + 4 * ready.capacity() + 48 * inputs.len()
        });
        size_of_val(&*self.nodes) + size_of_val(&*self.unsettled) + lists
    }

    /// Whether nothing is under way in it, nor in scopes inside.
    pub(super) fn is_idle(&self) -> bool {
        self.running == 0 && self.nested == 0
    }

    #[inline]
    fn count(&mut self, before: Counted, after: Counted) {
        self.running = recount(self.running, Counted::Running, before, after);
        self.nested = recount(self.nested, Counted::Nested, before, after);
        if after == Counted::Settled {
            self.open -= 1;
        }
    }
}

impl Execution {
    /// A scope that is open.
    #[inline]
    pub(super) fn scope(&self, id: ScopeId) -> Option<&Scope> {
        if id.is_root() { Some(&self.root) } else { self.inner.get(&id).map(Box::as_ref) }
    }

    #[inline]
    pub(super) fn scope_mut(&mut self, id: ScopeId) -> Option<&mut Scope> {
        if id.is_root() { Some(&mut self.root) } else { self.inner.get_mut(&id).map(Box::as_mut) }
    }

    /// A scope that is known to be open.
    #[inline]
    pub(super) fn open_scope(&self, id: ScopeId) -> &Scope {
        self.scope(id).expect("work that goes on is in a scope that is open")
    }

    #[inline]
    pub(super) fn open_scope_mut(&mut self, id: ScopeId) -> &mut Scope {
        self.scope_mut(id).expect("work that goes on is in a scope that is open")
    }

    /// All open scopes, in the order in which they were opened.
    pub(super) fn scopes(&self) -> impl Iterator<Item = (ScopeId, &Scope)> {
        std::iter::once((ScopeId::ROOT, &self.root)).chain(self.inner.iter().map(|(id, scope)| (*id, scope.as_ref())))
    }

    #[inline]
    pub(super) fn state_of(&self, key: WorkKey) -> Option<&NodeState> {
        self.scope(key.scope)?.get(key.node)
    }

    #[inline]
    pub(super) fn state_at(&self, key: WorkKey) -> &NodeState {
        self.open_scope(key.scope).at(key.node)
    }

    /// Puts a node into another state: the only place where that is done, so that no counter is ever forgotten.
    ///
    /// Nearly every caller knows what `state` counts as, and built into the caller only the counters that change are touched.
    #[inline(always)]
    pub(super) fn move_to(
        &mut self,
        definition: &Compiled,
        key: WorkKey,
        state: NodeState,
        sink: &mut impl EffectSink,
    ) {
        if sink.watched() {
            self.notice_move(definition, key, &state, sink);
        }
        let scope = self.open_scope_mut(key.scope);
        let after = state.counted();
        let place = scope.at_mut(key.node);
        let before = place.counted();
        *place = state;
        scope.count(before, after);
        if after == Counted::Settled {
            scope.forget_input(key.node);
            if self.retry_budgets.is_some() {
                self.forget_retry_budget(key);
            }
            if !key.scope.is_root() {
                self.unjudged.push(key.scope);
            }
        }
        self.running = recount(self.running, Counted::Running, before, after);
        self.waiting = recount(self.waiting, Counted::Waiting, before, after);
    }

    #[cold]
    fn notice_move(&self, definition: &Compiled, key: WorkKey, state: &NodeState, sink: &mut impl EffectSink) {
        let (from, to) = (self.state_at(key).shown_status(), state.shown_status());
        let (attempt, waiting_for) = (state.attempt(), state.waiting_for());
        let notice = Notice::Node { key, from, to, attempt, waiting_for };
        sink.notice(notice, self.path_inside(definition, key));
    }

    /// What work is given: what its expression gave, else what its scope was given.
    pub(super) fn input_of(&self, key: WorkKey) -> Payload {
        self.own_input(key).unwrap_or_else(|| self.given().clone())
    }

    /// What work is given, if that is not what the execution was given.
    #[inline]
    pub(super) fn own_input(&self, key: WorkKey) -> Option<Payload> {
        if key.scope.is_root() { self.root.input(key.node).cloned() } else { self.input_inside(key) }
    }

    fn input_inside(&self, mut key: WorkKey) -> Option<Payload> {
        while !key.scope.is_root() {
            let scope = self.open_scope(key.scope);
            if let Some(input) = scope.input(key.node) {
                return Some(input.clone());
            }
            let nest = self.nests.get(&scope.parent);
            if let Some(item) = nest.and_then(|nest| nest.item(scope.instance)) {
                return Some(item);
            }
            key = scope.parent;
        }
        self.root.input(key.node).cloned()
    }

    /// What a scope was given.
    pub(super) fn scope_input(&self, id: ScopeId) -> Payload {
        let scope = self.open_scope(id);
        if id.is_root() {
            return self.given().clone();
        }
        let item = self.nests.get(&scope.parent).and_then(|nest| nest.item(scope.instance));
        item.unwrap_or_else(|| self.input_of(scope.parent))
    }

    /// What the execution was given.
    pub(super) fn given(&self) -> &Payload {
        const NOTHING: &Payload = &Payload::NULL;
        self.activation().map_or(NOTHING, |activation| &activation.input)
    }

    /// Since when a node is worked on, asked for or waited for; none if it is not.
    pub fn since(&self, key: WorkKey) -> Option<Time> {
        self.state_of(key)?.since()
    }
}

/// A counter of nodes that are counted as `what`, after one of them was counted otherwise.
#[inline]
fn recount(count: u32, what: Counted, before: Counted, after: Counted) -> u32 {
    (count + u32::from(after == what)) - u32::from(before == what)
}
