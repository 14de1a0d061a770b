//! What trigger rules, joins, handlers of failures and splits with a limit need to know of the graph.

use std::ops::Range;
use std::sync::Arc;

use super::graph::{Graph, numbers};
use super::post_dominators::PostDominators;
use crate::compiled::{Bound, CancellingJoin, GraphRules};
use crate::definition::{Definition, EdgeKind, Losers, Node, NodeKind};

/// By node: what its own rule and its edges say.
#[derive(Clone, Copy, Default)]
pub(super) struct NodeRules {
    pub(super) is_caught: bool,
    pub(super) has_exits: bool,
    pub(super) is_failure_handler: bool,
    pub(super) is_join_tolerated: bool,
}

/// Whether a node is a join that may go on before all its edges are settled.
pub(super) fn is_early_join(node: &Node) -> bool {
    matches!(&node.kind, NodeKind::ParallelJoin(join) if join.strategy.is_early())
}

pub(super) fn is_ordinary(kind: EdgeKind) -> bool {
    kind != EdgeKind::OnFailure
}

/// What the edges say of each node.
pub(super) fn of_nodes(definition: &Definition, graph: &Graph, order: &[u32]) -> Vec<NodeRules> {
    let mut rules = vec![NodeRules::default(); graph.len()];
    for &node in order.iter().rev() {
        for edge in graph.out.of(node).iter().filter(|edge| !is_ordinary(edge.kind)) {
            rules[node as usize].is_caught = true;
            rules[node as usize].has_exits = true;
            rules[edge.target as usize].is_failure_handler = true;
        }
        rules[node as usize].has_exits |= graph.out.of(node).iter().any(|edge| edge.kind == EdgeKind::OnTimeout);
        let mut ways = graph.out.of(node).iter().filter(|edge| is_ordinary(edge.kind)).peekable();
        let leads_into_join =
            |target: u32| is_early_join(&definition.nodes[target as usize]) || rules[target as usize].is_join_tolerated;
        rules[node as usize].is_join_tolerated = ways.peek().is_some() && ways.all(|edge| leads_into_join(edge.target));
    }
    rules
}

/// What only some graphs need.
pub(super) fn of_graph(
    definition: &Definition,
    graph: &Graph,
    order: &[u32],
    alternatives: Vec<u32>,
) -> Option<Arc<GraphRules>> {
    let cancels = |node: &u32| matches!(&definition.nodes[*node as usize].kind, NodeKind::ParallelJoin(join) if join.losers == Losers::Cancel);
    let cancelling: Vec<u32> = numbers(graph.len()).filter(cancels).collect();
    let limit = |node: u32| match &definition.nodes[node as usize].kind {
        NodeKind::ParallelSplit(split) => Some((node, split.max_concurrency?)),
        _ => None,
    };
    let limited: Vec<(u32, u32)> = numbers(graph.len()).filter_map(limit).collect();
    if cancelling.is_empty() && limited.is_empty() && alternatives.is_empty() {
        return None;
    }
    let mut rules = GraphRules { alternatives: alternatives.into(), ..GraphRules::default() };
    if !cancelling.is_empty() || !limited.is_empty() {
        let dominators = PostDominators::new(graph, order);
        if !cancelling.is_empty() {
            add_losers(&dominators, order, &cancelling, &mut rules);
        }
        if !limited.is_empty() {
            add_bounds(graph, &dominators, &limited, &mut rules);
        }
    }
    Some(Arc::new(rules))
}

fn add_losers(dominators: &PostDominators, order: &[u32], cancelling: &[u32], rules: &mut GraphRules) {
    let (sorted, places) = dominators.subtrees(order);
    rules.dominated = sorted.into();
    let join = |&join: &u32| {
        let (place, size) = places[join as usize];
        CancellingJoin { join, losers: place + 1..place + 1 + size }
    };
    rules.cancelling = cancelling.iter().map(join).collect();
}

/// Notes at each node which splits bound it.
fn add_bounds(graph: &Graph, dominators: &PostDominators, limited: &[(u32, u32)], rules: &mut GraphRules) {
    let mut region = Region { ahead: vec![0; graph.len()], behind: vec![0; graph.len()], search: 0 };
    let mut bounds: Vec<(u32, Bound)> = Vec::new();
    for &(split, max) in limited {
        for node in region.of(graph, dominators, split) {
            bounds.push((node, Bound { split, max }));
        }
    }
    bounds.sort_by_key(|(node, _)| *node);
    let mut ranges: Vec<Range<u32>> = vec![0..0; graph.len()];
    for (place, (node, _)) in (0..).zip(&bounds) {
        let range = &mut ranges[*node as usize];
        *range = if range.start == range.end { place..place + 1 } else { range.start..place + 1 };
    }
    rules.bounded_by = ranges.into();
    rules.bounds = bounds.into_iter().map(|(_, bound)| bound).collect();
}

/// Finds the nodes between a split and the node where its branches meet.
struct Region {
    /// By node: the number of the last search from a split that reached it.
    ahead: Vec<u32>,
    /// By node: the number of the last search back from a post-dominator that reached it.
    behind: Vec<u32>,
    search: u32,
}

impl Region {
    /// A way through a handler of a failure belongs to the region if it leads back into it.
    fn of(&mut self, graph: &Graph, dominators: &PostDominators, split: u32) -> Vec<u32> {
        self.search += 1;
        let branches = || graph.out.of(split).iter().filter(|edge| edge.kind == EdgeKind::ParallelBranch);
        let meeting = branches().map(|edge| Some(edge.target)).reduce(|a, b| dominators.common(a?, b?)).flatten();
        let mut open: Vec<u32> = branches().map(|edge| edge.target).collect();
        let mut ahead = Vec::new();
        while let Some(node) = open.pop() {
            if Some(node) != meeting && std::mem::replace(&mut self.ahead[node as usize], self.search) != self.search {
                ahead.push(node);
                open.extend(graph.out.of(node).iter().map(|edge| edge.target));
            }
        }
        let Some(meeting) = meeting else { return ahead };
        open.push(meeting);
        while let Some(node) = open.pop() {
            for &source in graph.into.of(node).iter().filter(|&&source| self.ahead[source as usize] == self.search) {
                if std::mem::replace(&mut self.behind[source as usize], self.search) != self.search {
                    open.push(source);
                }
            }
        }
        ahead.retain(|&node| self.behind[node as usize] == self.search);
        ahead.sort_unstable();
        ahead
    }
}
