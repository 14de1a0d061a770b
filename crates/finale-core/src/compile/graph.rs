//! The graph of a definition as numbers, and walks over it; all iterative, all linear.

use std::ops::Range;

use rustc_hash::FxHashMap;

use crate::compiled::OutEdge;
use crate::definition::{Definition, EdgeKind};

/// Nodes by number in the order of the definition, with the edges out of and into each.
#[derive(Debug)]
pub(super) struct Graph {
    pub(super) index: FxHashMap<String, u32>,
    pub(super) out: Adjacency<OutEdge>,
    pub(super) into: Adjacency<u32>,
}

impl Graph {
    /// Reads the graph; edges to nodes that do not exist are left out, and of two nodes with one id the first counts.
    pub(super) fn new(definition: &Definition) -> Self {
        let count = definition.nodes.len();
        let mut index = FxHashMap::with_capacity_and_hasher(count, rustc_hash::FxBuildHasher);
        for (position, node) in (0..).zip(&definition.nodes) {
            index.entry(node.id.clone()).or_insert(position);
        }
        let ends = |edge: &crate::definition::Edge| {
            let (source, target) = (*index.get(&edge.source)?, *index.get(&edge.target)?);
            Some((source, OutEdge { target, kind: edge.kind }))
        };
        let edges: Vec<(u32, OutEdge)> = definition.edges.iter().filter_map(ends).collect();
        let out = Adjacency::new(count, &edges);
        let reversed: Vec<(u32, u32)> = edges.iter().map(|(source, edge)| (edge.target, *source)).collect();
        let into = Adjacency::new(count, &reversed);
        Self { index, out, into }
    }

    pub(super) fn len(&self) -> usize {
        self.out.ranges.len()
    }

    /// Which nodes can be reached from some of these, which count themselves.
    pub(super) fn reached_from(&self, nodes: &[u32]) -> Vec<bool> {
        walk(self.len(), nodes, |at| self.out.of(at).iter().map(|edge| edge.target))
    }

    /// From which nodes a way leads to some of these, which count themselves. Ways that only a failure takes do not count:
    /// whoever handles a failure is not where its node leads to.
    pub(super) fn leading_to(&self, nodes: &[u32]) -> Vec<bool> {
        let is_ordinary = |edge: &OutEdge| edge.kind != EdgeKind::OnFailure;
        if self.out.items.iter().all(is_ordinary) {
            return walk(self.len(), nodes, |at| self.into.of(at).iter().copied());
        }
        let ordinary = numbers(self.len()).flat_map(|source| {
            self.out.of(source).iter().filter(|edge| is_ordinary(edge)).map(move |edge| (edge.target, source))
        });
        let into = Adjacency::new(self.len(), &ordinary.collect::<Vec<_>>());
        walk(self.len(), nodes, |at| into.of(at).iter().copied())
    }

    /// Which nodes are on or behind a cycle.
    pub(super) fn behind_cycles(&self) -> Vec<bool> {
        let mut behind = vec![true; self.len()];
        for node in self.topological() {
            behind[node as usize] = false;
        }
        behind
    }

    /// The nodes, each after all before it; what is on or behind a cycle is left out.
    pub(super) fn topological(&self) -> Vec<u32> {
        let mut missing: Vec<u32> = numbers(self.len()).map(|node| self.into.of(node).len() as u32).collect();
        let mut order: Vec<u32> = numbers(self.len()).filter(|&node| missing[node as usize] == 0).collect();
        let mut next = 0;
        while let Some(&node) = order.get(next) {
            next += 1;
            for edge in self.out.of(node) {
                let missing = &mut missing[edge.target as usize];
                *missing -= 1;
                if *missing == 0 {
                    order.push(edge.target);
                }
            }
        }
        order
    }
}

/// The numbers of that many nodes.
pub(super) fn numbers(count: usize) -> Range<u32> {
    0..u32::try_from(count).unwrap_or(u32::MAX)
}

/// What belongs to each node, in one slice.
#[derive(Debug)]
pub(super) struct Adjacency<T> {
    pub(super) ranges: Box<[Range<u32>]>,
    pub(super) items: Box<[T]>,
}

impl<T: Copy> Adjacency<T> {
    /// Sorts the items by their node; those of one node keep their order.
    pub(super) fn new(count: usize, items: &[(u32, T)]) -> Self {
        let mut ranges = vec![0..0; count].into_boxed_slice();
        for (node, _) in items {
            ranges[*node as usize].end += 1;
        }
        let mut start = 0;
        for range in &mut ranges {
            let length = range.end;
            *range = start..start;
            start += length;
        }
        let Some(&(_, first)) = items.first() else {
            return Self { ranges, items: Box::new([]) };
        };
        let mut sorted = vec![first; items.len()].into_boxed_slice();
        for (node, item) in items {
            let range = &mut ranges[*node as usize];
            sorted[range.end as usize] = *item;
            range.end += 1;
        }
        Self { ranges, items: sorted }
    }

    pub(super) fn of(&self, node: u32) -> &[T] {
        let Range { start, end } = self.ranges[node as usize];
        &self.items[start as usize..end as usize]
    }
}

fn walk<I: Iterator<Item = u32>>(count: usize, from: &[u32], next: impl Fn(u32) -> I) -> Vec<bool> {
    let mut seen = vec![false; count];
    let mut open = from.to_vec();
    for &node in from {
        seen[node as usize] = true;
    }
    while let Some(node) = open.pop() {
        for neighbour in next(node) {
            if !std::mem::replace(&mut seen[neighbour as usize], true) {
                open.push(neighbour);
            }
        }
    }
    seen
}

/// Cycles that have no node in common, each as its nodes in order.
///
/// `next(node, n)` is the n-th successor of a node. There are no more than the walk meets: with overlapping cycles the first
/// one found is named, so that the cost and the report stay linear.
pub(super) fn cycles(count: usize, first: u32, next: impl Fn(u32, usize) -> Option<u32>) -> Vec<Vec<u32>> {
    let mut search =
        CycleSearch { place: vec![Place::Unseen; count], path: Vec::new(), named: Vec::new(), cycles: Vec::new() };
    for root in std::iter::once(first).chain(numbers(count)) {
        if search.place.get(root as usize) == Some(&Place::Unseen) {
            search.enter(root);
            search.run(&next);
        }
    }
    search.cycles
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    Unseen,
    OnPath(usize),
    Left,
}

struct CycleSearch {
    place: Vec<Place>,
    /// The nodes from the root to here, each with how many of its successors were tried.
    path: Vec<(u32, usize)>,
    /// The parts of the path that are in a cycle found already, as first and last index.
    named: Vec<(usize, usize)>,
    cycles: Vec<Vec<u32>>,
}

impl CycleSearch {
    fn enter(&mut self, node: u32) {
        self.place[node as usize] = Place::OnPath(self.path.len());
        self.path.push((node, 0));
    }

    fn leave(&mut self) {
        if let Some((node, _)) = self.path.pop() {
            self.place[node as usize] = Place::Left;
        }
        while self.named.last().is_some_and(|(first, _)| *first >= self.path.len()) {
            self.named.pop();
        }
    }

    fn run(&mut self, next: impl Fn(u32, usize) -> Option<u32>) {
        while let Some((node, tried)) = self.path.last_mut() {
            let successor = next(*node, *tried);
            *tried += 1;
            match successor.map(|successor| (successor, self.place[successor as usize])) {
                None => self.leave(),
                Some((successor, Place::Unseen)) => self.enter(successor),
                Some((_, Place::OnPath(at))) => self.close(at),
                Some((_, Place::Left)) => {}
            }
        }
    }

    /// The end of the path leads back to its node at that index.
    fn close(&mut self, at: usize) {
        if self.named.last().is_none_or(|(_, last)| at > *last.min(&(self.path.len() - 1))) {
            self.named.push((at, self.path.len() - 1));
            self.cycles.push(self.path[at..].iter().map(|(node, _)| *node).collect());
        }
    }
}
