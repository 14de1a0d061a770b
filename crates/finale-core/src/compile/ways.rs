//! Whether a way leads from one node to another, asked many times of one graph.

use super::graph::Graph;

/// Answers whether one node is before another.
///
/// A search for each question would make a long chain, each of whose tasks reads one far before it, quadratic. Most answers
/// come from two numberings: a node is never before one with a lower topological number, and always before those below it
/// in a tree that spans the graph. What is left is searched, within a budget for all questions together.
pub(super) struct Ways<'g> {
    graph: &'g Graph,
    /// By node: its place in a topological order.
    order: Vec<u32>,
    /// By node: the numbers of its subtree in the spanning tree, first and behind the last.
    subtrees: Vec<(u32, u32)>,
    /// By node: the search that saw it last.
    seen: Vec<u32>,
    searches: u32,
    budget: usize,
}

impl<'g> Ways<'g> {
    /// Numbers an acyclic graph; all searches together look at no more nodes and edges than `budget`.
    pub(super) fn new(graph: &'g Graph, budget: usize) -> Self {
        let sorted = graph.topological();
        let mut order = vec![u32::MAX; graph.len()];
        for (place, &node) in (0..).zip(&sorted) {
            order[node as usize] = place;
        }
        let subtrees = subtrees(graph, &sorted);
        Self { graph, order, subtrees, seen: vec![0; graph.len()], searches: 0, budget }
    }

    /// Whether a way leads from `node` to another node, `to`; none if the budget is used up.
    pub(super) fn leads(&mut self, node: u32, to: u32) -> Option<bool> {
        if self.is_below(node, to) {
            return Some(node != to);
        }
        self.leads_around(node, to, |_| false)
    }

    /// The same without the ways through nodes that are to be avoided; the two ends do not count.
    pub(super) fn leads_around(&mut self, node: u32, to: u32, avoid: impl Fn(u32) -> bool) -> Option<bool> {
        if self.order[node as usize] >= self.order[to as usize] {
            return Some(false);
        }
        self.searches += 1;
        let mut open = vec![to];
        while let Some(at) = open.pop() {
            let before = self.graph.into.of(at);
            self.budget = self.budget.checked_sub(1 + before.len())?;
            for &source in before {
                let is_between = self.order[source as usize] > self.order[node as usize];
                if source == node {
                    return Some(true);
                }
                let is_new = std::mem::replace(&mut self.seen[source as usize], self.searches) != self.searches;
                if is_between && is_new && !avoid(source) {
                    open.push(source);
                }
            }
        }
        Some(false)
    }

    /// Whether a way certainly leads from `node` to `to`, told without a search.
    fn is_below(&self, node: u32, to: u32) -> bool {
        let (first, behind) = self.subtrees[node as usize];
        (first..behind).contains(&self.subtrees[to as usize].0)
    }
}

/// By node: which numbers its subtree has, in a tree where the last edge into a node comes from its parent.
fn subtrees(graph: &Graph, sorted: &[u32]) -> Vec<(u32, u32)> {
    let parent = |node: u32| graph.into.of(node).last().copied();
    let mut sizes = vec![1_u32; graph.len()];
    for &node in sorted.iter().rev() {
        if let Some(parent) = parent(node) {
            sizes[parent as usize] += sizes[node as usize];
        }
    }
    let (mut subtrees, mut next, mut next_root) = (vec![(0, 0); graph.len()], vec![0; graph.len()], 0);
    for &node in sorted {
        let free = match parent(node) {
            Some(parent) => &mut next[parent as usize],
            None => &mut next_root,
        };
        let (first, size) = (*free, sizes[node as usize]);
        *free += size;
        subtrees[node as usize] = (first, first + size);
        next[node as usize] = first + 1;
    }
    subtrees
}

#[cfg(test)]
mod tests {
    use super::super::tests::{chain, task, workflow};
    use super::*;

    #[test]
    fn ways_are_those_that_a_walk_finds() {
        let nodes = ["a", "b", "c", "d", "x"].map(task).to_vec();
        let definition = workflow(nodes, &["s a", "a b", "a c", "b d", "c d", "s x", "d e", "x e"]);
        let graph = Graph::new(&definition);
        let mut ways = Ways::new(&graph, 1_000);
        for from in 0..graph.len() as u32 {
            let reached = graph.reached_from(&[from]);
            for to in 0..graph.len() as u32 {
                let expected = from != to && reached[to as usize];
                assert_eq!(ways.leads(from, to), Some(expected), "{from} -> {to}");
            }
        }
        let [s, a, b, d] = ["s", "a", "b", "d"].map(|id| graph.index[id]);
        assert_eq!(ways.leads_around(s, d, |node| node == b), Some(true), "round b");
        assert_eq!(ways.leads_around(s, d, |node| node == a), Some(false), "a is on all ways");
    }

    #[test]
    fn questions_far_apart_in_a_chain_cost_nothing_and_searches_have_a_budget() {
        let definition = chain(1_000);
        let graph = Graph::new(&definition);
        let mut ways = Ways::new(&graph, 0);
        let (first, last) = (graph.index["t0"], graph.index["t999"]);
        assert_eq!((ways.leads(first, last), ways.leads(last, first)), (Some(true), Some(false)));
        assert_eq!(ways.leads_around(first, last, |_| true), None);
    }
}
