//! Nodes whose output is read although they may have been skipped by then: the reader would fail of it.

use super::graph::Graph;
use super::nodes::find;
use crate::definition::{Conditional, Definition, EdgeKind, Node, NodeKind};

/// Where more steps than these would be needed, nothing is said.
const STEPS_MAX: usize = 5_000_000;

/// A way on from a node that it may not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotTaken {
    /// The node.
    pub(super) node: u32,
    /// The kind of the edges that are dead then; all that are for neither a failure nor a timeout are of one kind.
    pub(super) kind: EdgeKind,
}

/// Says of each reader, if it is no node the output, and what it reads: the way that, not taken, skips what is read and lets the
/// reader run; none if there is no such way. All nodes of the graph have the default trigger rule.
pub(super) fn find_skipped(
    definition: &Definition,
    graph: &Graph,
    reads: &[(Option<u32>, u32)],
) -> Vec<Option<NotTaken>> {
    let mut found = vec![None; reads.len()];
    let Some(start) = find(definition, &NodeKind::Start) else { return found };
    let choices = choices(definition, graph);
    let steps = graph.len() + graph.out.items.len() + reads.len();
    if choices.len().saturating_mul(steps) > STEPS_MAX {
        return found;
    }
    for choice in choices {
        let reached = reached_without(definition, graph, start, choice);
        for (found, (reader, read)) in found.iter_mut().zip(reads) {
            let runs = reader.is_none_or(|reader| reached[reader as usize]);
            if found.is_none() && runs && !reached[*read as usize] {
                *found = Some(choice);
            }
        }
    }
    found
}

/// All ways that some node may not take.
fn choices(definition: &Definition, graph: &Graph) -> Vec<NotTaken> {
    let mut choices = Vec::new();
    for (number, node) in (0..).zip(&definition.nodes) {
        let mut kinds: Vec<EdgeKind> = Vec::new();
        for kind in graph.out.of(number).iter().map(|edge| way(edge.kind)) {
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        let chooses = kinds.iter().any(|kind| *kind != EdgeKind::Sequential);
        if chooses && !is_preset(node) {
            choices.extend(kinds.into_iter().map(|kind| NotTaken { node: number, kind }));
        }
    }
    choices
}

fn is_preset(node: &Node) -> bool {
    matches!(&node.kind, NodeKind::Verification(verification) if verification.preset.is_some())
}

fn way(kind: EdgeKind) -> EdgeKind {
    match kind {
        EdgeKind::ParallelBranch => EdgeKind::Sequential,
        other => other,
    }
}

/// Which nodes can still be reached; conditions that say the same go the same way.
fn reached_without(definition: &Definition, graph: &Graph, start: u32, not_taken: NotTaken) -> Vec<bool> {
    let condition = condition(definition, not_taken.node);
    let is_dead = |node: u32, kind: EdgeKind| {
        let is_same = || condition.is_some() && condition == self::condition(definition, node);
        way(kind) == not_taken.kind && (node == not_taken.node || is_same())
    };
    let (mut reached, mut open) = (vec![false; graph.len()], vec![start]);
    reached[start as usize] = true;
    while let Some(node) = open.pop() {
        for edge in graph.out.of(node) {
            if !is_dead(node, edge.kind) && !std::mem::replace(&mut reached[edge.target as usize], true) {
                open.push(edge.target);
            }
        }
    }
    reached
}

fn condition(definition: &Definition, node: u32) -> Option<&str> {
    match &definition.nodes[node as usize].kind {
        NodeKind::Conditional(Conditional { condition }) => condition.as_deref(),
        _ => None,
    }
}
