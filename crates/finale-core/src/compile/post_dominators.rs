//! Where the ways from a node meet again: the tree of post-dominators of a graph without cycles.

use super::graph::{Graph, numbers};
use crate::definition::EdgeKind;

/// By node: the nearest node that every way on leads through. Ways that only a failure takes do not count.
pub(super) struct PostDominators {
    /// By node: that nearest node; the node itself if there is none.
    next: Vec<u32>,
    /// By node: a node further on, so that no search takes more than a logarithm of steps.
    jump: Vec<u32>,
    depth: Vec<u32>,
}

impl PostDominators {
    /// Finds them in a graph whose topological order is given.
    pub(super) fn new(graph: &Graph, order: &[u32]) -> Self {
        let own: Vec<u32> = numbers(graph.len()).collect();
        let mut dominators = Self { next: own.clone(), jump: own, depth: vec![0; graph.len()] };
        for &node in order.iter().rev() {
            let ways = graph.out.of(node).iter().filter(|edge| edge.kind != EdgeKind::OnFailure);
            let met = ways.map(|edge| Some(edge.target)).reduce(|a, b| dominators.common(a?, b?));
            if let Some(Some(met)) = met {
                dominators.add(node, met);
            }
        }
        dominators
    }

    /// The nearest node that every way from both leads through; each counts as on its own way.
    pub(super) fn common(&self, mut a: u32, mut b: u32) -> Option<u32> {
        if self.depth[a as usize] < self.depth[b as usize] {
            std::mem::swap(&mut a, &mut b);
        }
        let depth = self.depth[b as usize];
        while self.depth[a as usize] > depth {
            let jump = self.jump[a as usize];
            a = if self.depth[jump as usize] >= depth { jump } else { self.next[a as usize] };
        }
        while a != b {
            if self.next[a as usize] == a {
                return None;
            }
            let (left, right) = (self.jump[a as usize], self.jump[b as usize]);
            (a, b) = if left == right { (self.next[a as usize], self.next[b as usize]) } else { (left, right) };
        }
        Some(a)
    }

    fn add(&mut self, node: u32, next: u32) {
        let depth = |node: u32| self.depth[node as usize];
        let (far, further) = (self.jump[next as usize], self.jump[self.jump[next as usize] as usize]);
        let is_even = depth(next) - depth(far) == depth(far) - depth(further);
        let (jump, depth) = (if is_even { further } else { next }, depth(next) + 1);
        (self.next[node as usize], self.jump[node as usize], self.depth[node as usize]) = (next, jump, depth);
    }

    /// The nodes in an order in which all nodes whose every way on leads through one node stand right behind that one, and
    /// by node where it stands and how many stand behind it.
    pub(super) fn subtrees(&self, order: &[u32]) -> (Vec<u32>, Vec<(u32, u32)>) {
        let mut sizes = vec![0_u32; self.next.len()];
        for &node in order {
            let next = self.next[node as usize];
            if next != node {
                sizes[next as usize] += sizes[node as usize] + 1;
            }
        }
        let mut places = vec![(0, 0); self.next.len()];
        let (mut free, mut sorted) = (vec![0; self.next.len()], vec![0; self.next.len()]);
        let mut free_root = 0;
        for &node in order.iter().rev() {
            let next = self.next[node as usize];
            let next_free = if next == node { &mut free_root } else { &mut free[next as usize] };
            let (place, size) = (*next_free, sizes[node as usize]);
            *next_free += size + 1;
            places[node as usize] = (place, size);
            free[node as usize] = place + 1;
            sorted[place as usize] = node;
        }
        (sorted, places)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{chain, task, workflow};
    use super::*;

    fn dominators(graph: &Graph) -> (PostDominators, Vec<u32>) {
        let order = graph.topological();
        (PostDominators::new(graph, &order), order)
    }

    #[test]
    fn ways_meet_where_a_walk_that_goes_round_finds_no_other_way() {
        let nodes = ["a", "b", "c", "d", "x", "y"].map(task).to_vec();
        let definition = workflow(nodes, &["s a", "a b", "a c", "b d", "c d", "c x", "x d", "s y", "d e", "y e"]);
        let graph = Graph::new(&definition);
        let (dominators, order) = dominators(&graph);
        let end = graph.index["e"];
        let (sorted, places) = dominators.subtrees(&order);
        for through in numbers(graph.len()) {
            let (place, size) = places[through as usize];
            let subtree = &sorted[place as usize + 1..][..size as usize];
            for node in numbers(graph.len()).filter(|&node| node != through) {
                let mut open = vec![node];
                let mut goes_round = node == end;
                while let Some(at) = open.pop() {
                    for edge in graph.out.of(at).iter().filter(|edge| edge.target != through) {
                        goes_round |= edge.target == end;
                        open.push(edge.target);
                    }
                }
                assert_eq!(subtree.contains(&node), !goes_round, "from {node} through {through}");
            }
        }
        let [a, b, c, d] = ["a", "b", "c", "d"].map(|id| graph.index[id]);
        assert_eq!((dominators.common(b, c), dominators.common(a, b)), (Some(d), Some(d)));
        assert_eq!((dominators.common(c, d), dominators.common(b, graph.index["y"])), (Some(d), Some(end)));
    }

    #[test]
    fn a_long_chain_is_searched_in_few_steps() {
        let definition = chain(5_000);
        let graph = Graph::new(&definition);
        let (dominators, _) = dominators(&graph);
        let (first, last) = (graph.index["t0"], graph.index["t4999"]);
        assert_eq!(dominators.common(first, last), Some(last));
        let mut steps = 0;
        let mut at = first;
        while at != last {
            let jump = dominators.jump[at as usize];
            let reaches = dominators.depth[jump as usize] >= dominators.depth[last as usize];
            at = if reaches { jump } else { dominators.next[at as usize] };
            steps += 1;
        }
        assert!(steps < 50, "{steps} steps");
    }
}
