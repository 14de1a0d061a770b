//! Which failures count: not those that another node handles, nor those that a join can go on without.

use rustc_hash::FxHashSet;

use super::Execution;
use super::scope::Scope;
use super::uncounted::UncountedFailures;
use crate::compiled::{Compiled, Step};
use crate::definition::EdgeKind;
use crate::id::{NodeIndex, WorkKey};

impl Execution {
    /// Takes in that a node has failed for good.
    pub(super) fn add_failure(&mut self, definition: &Compiled, key: WorkKey) {
        let node = definition.at(key.node);
        if node.is_caught && self.goes_on(key.scope) {
            let uncounted = self.open_scope_mut(key.scope).uncounted_mut();
            uncounted.number(key.node);
            uncounted.handled.push(key.node);
            return;
        }
        if node.is_failure_handler {
            // What it should have handled is not handled after all, and is the first cause.
            for node in self.take_unhandled(definition, key) {
                self.count_failure(definition, WorkKey { node, ..key });
            }
        }
        if !node.optional {
            self.count_failure(definition, key);
        }
    }

    /// Counts a failure, unless a join can go on without it.
    fn count_failure(&mut self, definition: &Compiled, key: WorkKey) {
        let join = match definition.at(key.node).is_join_tolerated {
            true => self.join_that_may_fire(definition, key),
            false => None,
        };
        let scope = self.open_scope_mut(key.scope);
        if let Some(join) = join {
            let uncounted = scope.uncounted_mut();
            uncounted.number(key.node);
            uncounted.tolerated.entry(join).or_default().push(key.node);
        } else {
            scope.add_failure(key.node);
        }
    }

    /// A join cannot go on any more: the failures that it tolerated count, unless another join tolerates them.
    pub(super) fn count_failures_behind(&mut self, definition: &Compiled, join: WorkKey) {
        let scope = self.open_scope_mut(join.scope);
        if scope.uncounted().is_none() {
            return;
        }
        let tolerated = scope.uncounted_mut().tolerated.remove(&join.node);
        for node in tolerated.into_iter().flatten() {
            self.count_failure(definition, WorkKey { node, ..join });
        }
    }

    /// A join on the ways on from a node that has gone on without it, or still may.
    fn join_that_may_fire(&self, definition: &Compiled, from: WorkKey) -> Option<NodeIndex> {
        let (mut seen, mut open) = (FxHashSet::default(), vec![from.node]);
        while let Some(node) = open.pop() {
            for edge in definition.edges_of(node).iter().filter(|edge| edge.kind != EdgeKind::OnFailure) {
                let target = NodeIndex(edge.target);
                let compiled = definition.at(target);
                let is_early_join = compiled.step == Step::Join && compiled.rule.is_early();
                if !seen.insert(target) {
                    continue;
                }
                if is_early_join && self.may_fire(definition, WorkKey { node: target, ..from }) {
                    return Some(target);
                }
                open.push(target);
            }
        }
        None
    }

    /// The failures that a handler was to handle, and those that were to be handled by what has failed so, in the order in
    /// which they happened.
    fn take_unhandled(&mut self, definition: &Compiled, handler: WorkKey) -> Vec<NodeIndex> {
        let scope = self.open_scope_mut(handler.scope);
        if scope.uncounted().is_none() {
            return Vec::new();
        }
        let handled = &mut scope.uncounted_mut().handled;
        let mut failed = FxHashSet::from_iter([handler.node]);
        // Whoever handles a failure has failed later than the node whose failure that was.
        let unhandled = |node: &NodeIndex| {
            let is_unhandled = definition.failure_handler(*node).is_some_and(|handler| failed.contains(&handler));
            if is_unhandled {
                failed.insert(*node);
            }
            is_unhandled
        };
        let mut taken: Vec<_> = handled.iter().rev().copied().filter(unhandled).collect();
        taken.reverse();
        handled.retain(|node| !failed.contains(node));
        taken
    }

    /// The failures that a node handles, in the order in which they happened.
    pub(super) fn handled_by<'a>(
        &'a self,
        definition: &'a Compiled,
        handler: WorkKey,
    ) -> impl Iterator<Item = NodeIndex> + 'a {
        let uncounted = self.scope(handler.scope).and_then(Scope::uncounted);
        let handled = uncounted.into_iter().flat_map(|uncounted| uncounted.handled.iter().copied());
        handled.filter(move |node| definition.failure_handler(*node) == Some(handler.node))
    }
}

impl Scope {
    /// How many nodes have failed whose failure is handled, and how many that a join can do without, of those that are
    /// looked for.
    pub(super) fn count_uncounted(&self, is_wanted: impl Fn(NodeIndex) -> bool) -> (u32, u32) {
        let Some(UncountedFailures { handled, tolerated, .. }) = self.uncounted() else { return (0, 0) };
        let count = |nodes: &Vec<NodeIndex>| nodes.iter().filter(|node| is_wanted(**node)).count() as u32;
        (count(handled), tolerated.values().map(count).sum())
    }
}
