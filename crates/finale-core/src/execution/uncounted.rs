//! The failures of a scope that do not count, because another node handles them or a join can do without them.

use std::collections::BTreeMap;

use crate::id::NodeIndex;

/// The failures of a scope that do not count.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct UncountedFailures {
    /// When each node failed, those that count included: failures are listed in that order, whenever they begin to count.
    pub(super) order: BTreeMap<NodeIndex, u32>,
    /// Nodes whose failure is handled by another node, in the order in which they failed.
    pub(super) handled: Vec<NodeIndex>,
    /// Nodes that failed and lead only into joins that can do without them, by a join that has gone on or still may.
    pub(super) tolerated: BTreeMap<NodeIndex, Vec<NodeIndex>>,
}

impl UncountedFailures {
    /// Notes that a node has failed now, unless that is known.
    pub(super) fn number(&mut self, node: NodeIndex) -> u32 {
        let next = self.order.len() as u32;
        *self.order.entry(node).or_insert(next)
    }

    /// Where a failure belongs among those that count.
    pub(super) fn place_among(&self, failures: &[NodeIndex], number: u32) -> usize {
        failures.partition_point(|node| self.order.get(node).is_some_and(|other| *other < number))
    }
}
