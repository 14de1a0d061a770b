//! How many handlers may be at work behind a split.

use finale_core::definition::{EdgeKind, NodeKind, Work};

use super::{Misreading, Naive, Place};

impl Naive {
    /// Whether a node may begin without breaking the limit of a split.
    pub(super) fn has_slot(&self, node: usize) -> bool {
        if !self.task(node).is_some_and(|task| task.work != Work::External) {
            return true;
        }
        (0..self.places.len()).all(|split| {
            let NodeKind::ParallelSplit(kind) = &self.definition.nodes[split].kind else { return true };
            let Some(max) = kind.max_concurrency else { return true };
            let between = self.between(split);
            let at_work = between.iter().filter(|&&node| self.takes_slot(node)).count();
            !between.contains(&node) || at_work < max as usize
        })
    }

    /// Whether a handler is at work on a node.
    fn takes_slot(&self, node: usize) -> bool {
        match self.places[node] {
            Place::Running => true,
            Place::Backing => self.misreads(Misreading::BackoffTakesSlot),
            _ => false,
        }
    }

    /// The nodes between a split and where its branches meet.
    fn between(&self, split: usize) -> Vec<usize> {
        let branches =
            self.edges.iter().filter(|(source, kind, _)| *source == split && *kind == EdgeKind::ParallelBranch);
        let branches: Vec<usize> = branches.map(|(_, _, target)| *target).collect();
        let end = self.definition.nodes.iter().position(|node| node.kind == NodeKind::End).expect("an end");
        let is_on_all_ways = |from: usize, at: usize| {
            from == at || at == end || from != end && !self.ahead_of(from, Some(at), false).contains(&end)
        };
        let is_meeting = |at: &usize| branches.iter().all(|&branch| is_on_all_ways(branch, *at));
        let meetings: Vec<usize> = (0..self.places.len()).filter(is_meeting).collect();
        let nearest = meetings.iter().find(|&&at| meetings.iter().all(|&other| is_on_all_ways(at, other)));
        let meeting = *nearest.expect("all ways meet at the end at the latest");
        let inside = |node: &usize| {
            let is_ahead = branches.iter().any(|&branch| {
                branch != meeting && (branch == *node || self.ahead_of(branch, Some(meeting), true).contains(node))
            });
            is_ahead && *node != meeting && self.ahead_of(*node, None, true).contains(&meeting)
        };
        (0..self.places.len()).filter(inside).collect()
    }
}
