//! Which failures count.

use finale_core::definition::{EdgeKind, JoinStrategy, NodeKind, TriggerRule};

use super::{Misreading, Naive, Place, Way};

impl Naive {
    /// Whether a failure counts, as things are now.
    pub(super) fn counts(&self, node: usize) -> bool {
        let is_handled = self.is_handled(node) && !self.misreads(Misreading::CountsHandled);
        !is_handled && !self.spared.contains(&node) && !self.is_join_tolerated(node)
    }

    /// Whether another node has handled a failure, or is about to: not if that has failed itself.
    pub(super) fn is_handled(&self, node: usize) -> bool {
        let Some(handler) = self.failure_handler(node).filter(|_| self.caught.contains(&node)) else { return false };
        let has_failed = self.places[handler] == Place::Failed && !self.is_handled(handler);
        !has_failed || self.misreads(Misreading::HandledForGood)
    }

    /// The node that is to handle the failure of another one.
    pub(super) fn failure_handler(&self, node: usize) -> Option<usize> {
        let mut edges = self.edges.iter();
        edges.find(|(source, kind, _)| *source == node && *kind == EdgeKind::OnFailure).map(|(_, _, target)| *target)
    }

    /// How many failures a node handles.
    pub(super) fn handled_by(&self, handler: usize) -> usize {
        self.caught.iter().filter(|&&node| self.failure_handler(node) == Some(handler)).count()
    }

    /// Whether every way on leads into a join that need not have all, one of which has gone on or still may.
    fn is_join_tolerated(&self, node: usize) -> bool {
        if !self.leads_only_into(node, |at| self.is_early_join(at)) {
            return false;
        }
        let mut joins = self.ahead_of(node, None, false).into_iter().filter(|&at| self.is_early_join(at));
        match self.misreads(Misreading::JoinToleratesForGood) {
            true => true,
            false => joins.any(|join| self.may_fire(join)),
        }
    }

    fn is_early_join(&self, node: usize) -> bool {
        matches!(&self.definition.nodes[node].kind, NodeKind::ParallelJoin(join) if join.strategy != JoinStrategy::All)
    }

    fn may_fire(&self, join: usize) -> bool {
        match self.places[join] {
            Place::Pending => {
                let ways = self.ways_into(join);
                let hopeful = ways.iter().filter(|way| matches!(way, Way::Live | Way::Pending)).count();
                let needed = match self.rule(join) {
                    TriggerRule::AtLeast { count } => count as usize,
                    _ => 1,
                };
                hopeful >= needed
            }
            Place::Skipped(_) => false,
            _ => true,
        }
    }
}
