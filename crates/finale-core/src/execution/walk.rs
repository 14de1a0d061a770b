//! The tree of an execution as it is listed: each node, and behind it what it calls.

use super::scope::Stage;
use super::{Command, Execution, Input, NodeState, Phase, Turn};
use crate::compiled::{Compiled, OpeningKind, Step};
use crate::id::{NodeIndex, ScopeId, WorkKey};
use crate::path::{Instance, NodePath, PathStep};
use crate::status::NodeStatus;
use crate::time::Time;

/// A node of the tree, as it is now or as it will be when what it is in is called.
pub(super) struct Listed<'a> {
    /// The way to it.
    within: &'a [PathStep],
    pub(super) node: NodeIndex,
    /// Which work it is; none as long as what it is in was not called.
    pub(super) key: Option<WorkKey>,
    pub(super) state: &'a NodeState,
}

impl Listed<'_> {
    /// What it is called in the whole tree.
    pub(super) fn name(&self, definition: &Compiled) -> String {
        let id = definition.node(self.node).id.as_str();
        if self.within.is_empty() { id.to_owned() } else { NodePath::new(self.within.to_vec(), id).to_string() }
    }
}

impl Execution {
    /// Goes through all nodes but those of items: those of what is called stand behind the call, also before it is reached.
    /// Those that undo a node stand behind it once they do, and those of a `finally` behind the others.
    ///
    /// What was passed by calls nothing, so nothing stands behind it. There are no more than
    /// [`expanded_nodes_max`](crate::compile::Limits::expanded_nodes_max) of them.
    pub(super) fn walk(&self, definition: &Compiled, visit: &mut impl FnMut(&Listed<'_>)) {
        self.walk_graph(definition, (0, Some(ScopeId::ROOT)), &mut Vec::new(), visit);
    }

    /// Calls are no deeper than [`subworkflow_depth_max`](crate::compile::Limits::subworkflow_depth_max).
    fn walk_graph(
        &self,
        definition: &Compiled,
        (graph, scope): (u32, Option<ScopeId>),
        within: &mut Vec<PathStep>,
        visit: &mut impl FnMut(&Listed<'_>),
    ) {
        let graph = &definition.graphs[graph as usize];
        for place in 0..graph.in_degrees.len() as u32 {
            let node = NodeIndex(graph.first + place);
            let key = scope.map(|scope| WorkKey { scope, node });
            let state = key.map_or(&NodeState::PENDING, |key| self.state_at(key));
            visit(&Listed { within, node, key, state });
            if let (Some(graph), Some(id)) =
                (definition.at(node).compensate, key.and_then(|key| self.compensation_of(key)))
            {
                let id_of_node = definition.node(node).id.as_str().into();
                within.push(PathStep { node: id_of_node, instance: Instance::Compensation });
                self.walk_graph(definition, (graph, Some(id)), within, visit);
                within.pop();
            }
            let Step::Open(opening) = definition.at(node).step else { continue };
            let opened = key.and_then(|key| self.nests.get(&key)?.get(0));
            let is_ahead = matches!(state.status(), NodeStatus::Pending | NodeStatus::Ready);
            if opening.kind == OpeningKind::Single && (opened.is_some() || is_ahead) {
                let id = definition.node(node).id.as_str().into();
                within.push(PathStep { node: id, instance: Instance::Single });
                self.walk_graph(definition, (opening.graph, opened), within, visit);
                within.pop();
            }
        }
        let opened = scope.and_then(|scope| self.finally_of(scope));
        let is_ahead = scope.is_none_or(|scope| self.open_scope(scope).stage != Stage::Over);
        if let Some(finally) = graph.finally.filter(|_| opened.is_some() || is_ahead) {
            within.push(PathStep { node: Box::default(), instance: Instance::Finally });
            self.walk_graph(definition, (finally, opened), within, visit);
            within.pop();
        }
    }

    /// The first node that could still begin after a command and for which this holds; none if the command is refused. Nothing
    /// is changed.
    pub fn find_ahead_after(
        &self,
        definition: &Compiled,
        at: Time,
        command: Command,
        holds: impl Fn(NodeIndex) -> bool,
    ) -> Option<NodeIndex> {
        let (mut after, mut turn) = (self.clone(), Turn::new());
        let told = after.handle(definition, at, Input::Command(command), &mut turn);
        turn.discard();
        told.ok()?;
        after.find_ahead(definition, holds)
    }

    /// The first node that may still begin and for which this holds; of a map or loop that is not over, and of what may undo a
    /// node, any node of its body. Once the end is decided only what it is made of may begin.
    pub fn find_ahead(&self, definition: &Compiled, holds: impl Fn(NodeIndex) -> bool) -> Option<NodeIndex> {
        let mut found = None;
        let is_over = matches!(self.phase, Phase::Ended(_));
        self.walk(definition, &mut |listed| {
            if found.is_some() {
                return;
            }
            let compiled = definition.at(listed.node);
            if let Some(graph) = compiled.compensate.filter(|_| !is_over) {
                found = definition.find_inside(graph, &holds);
            }
            let goes_on = listed.key.is_none_or(|key| self.goes_on(key.scope));
            if found.is_some() || listed.state.status().is_settled() || !goes_on {
                return;
            }
            found = match compiled.step {
                _ if holds(listed.node) => Some(listed.node),
                Step::Open(opening) if opening.kind != OpeningKind::Single => {
                    definition.find_inside(opening.graph, &holds)
                }
                _ => None,
            };
        });
        found
    }
}
