//! How many handlers are at work behind a split with a limit, and who waits for a slot there.

use std::collections::{BTreeMap, VecDeque};

use super::{EffectSink, Execution, NodeState};
use crate::compiled::Compiled;
use crate::id::{AttemptNo, NodeIndex, ScopeId, WorkKey};

/// The slots behind all splits with a limit that anybody works behind.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct SplitSlots {
    /// By split.
    splits: BTreeMap<WorkKey, SplitLimit>,
    /// Splits behind which a slot has become free while somebody waited.
    freed: VecDeque<WorkKey>,
}

/// The slots behind one split. As long as somebody waits none is free, or the split is among those that were freed.
#[derive(Clone, Debug, Default, PartialEq)]
struct SplitLimit {
    max: u32,
    taken: u32,
    /// Who waits, in order.
    queue: VecDeque<WorkKey>,
}

impl SplitLimit {
    fn is_full(&self) -> bool {
        self.taken >= self.max
    }
}

/// A limit that holds for some work.
#[derive(Clone, Copy)]
pub(super) struct Bound {
    pub(super) split: WorkKey,
    pub(super) max: u32,
}

impl Execution {
    /// Hands the work of a handler to it, or lets it wait for a slot behind the splits that it is behind.
    #[inline]
    pub(super) fn start_work(
        &mut self,
        definition: &Compiled,
        key: WorkKey,
        attempt: AttemptNo,
        sink: &mut impl EffectSink,
    ) {
        if key.scope.is_root() && definition.own().rules.is_none() {
            return self.dispatch_work(definition, key, attempt, sink);
        }
        self.start_bounded(definition, key, attempt, sink);
    }

    fn start_bounded(&mut self, definition: &Compiled, key: WorkKey, attempt: AttemptNo, sink: &mut impl EffectSink) {
        let bounds = match definition.is_handled(key.node) {
            true => self.bounds(definition, key),
            false => Vec::new(),
        };
        if bounds.is_empty() {
            return self.dispatch_work(definition, key, attempt, sink);
        }
        let slots = self.split_slots.get_or_insert_default();
        // Who comes now does not overtake those that wait, be it for a further attempt.
        let full = bounds.iter().find(|bound| {
            let slots = slots.splits.entry(bound.split).or_default();
            slots.max = bound.max;
            slots.is_full() || !slots.queue.is_empty()
        });
        match full.map(|bound| bound.split) {
            None => {
                self.take_slots(&bounds);
                self.dispatch_work(definition, key, attempt, sink);
            }
            Some(split) => {
                self.queue_behind(split, key);
                let lost = self.state_at(key).lost_attempts();
                if !matches!(self.state_at(key), NodeState::Ready { shown: true, .. }) {
                    self.move_to(definition, key, NodeState::Ready { shown: true, attempt, lost }, sink);
                }
            }
        }
    }

    /// Begins what has waited longest behind a split where a slot is free; says whether there was something.
    pub(super) fn start_next_queued(&mut self, definition: &Compiled, sink: &mut impl EffectSink) -> bool {
        while let Some(key) = self.next_queued() {
            let Some(NodeState::Ready { attempt, .. }) = self.state_of(key) else { continue };
            let attempt = *attempt;
            let scope = self.open_scope(key.scope);
            // The end of a scope goes on whatever the execution has come to.
            let is_over = !scope.is_of_ending && self.has_failed_enough(definition, &self.root);
            if is_over || !self.goes_on(key.scope) || self.has_failed_enough(definition, scope) {
                continue;
            }
            let bounds = self.bounds(definition, key);
            let splits = self.split_slots.as_deref().map(|slots| &slots.splits);
            let is_full =
                |bound: &&Bound| splits.is_some_and(|all| all.get(&bound.split).is_some_and(SplitLimit::is_full));
            match bounds.iter().find(is_full).map(|bound| bound.split) {
                Some(split) => self.queue_behind(split, key),
                None => {
                    self.take_slots(&bounds);
                    self.dispatch_work(definition, key, attempt, sink);
                    return true;
                }
            }
        }
        false
    }

    /// Whether somebody waits for a slot that is free.
    pub(super) fn has_freed_slots(&self) -> bool {
        self.split_slots.as_ref().is_some_and(|slots| !slots.freed.is_empty())
    }

    /// Takes the first one out of the queue of a split where a slot is free.
    fn next_queued(&mut self) -> Option<WorkKey> {
        let SplitSlots { splits, freed } = self.split_slots.as_deref_mut()?;
        while let Some(split) = freed.front() {
            match splits.get_mut(split).filter(|slots| !slots.is_full()).and_then(|slots| slots.queue.pop_front()) {
                Some(key) => return Some(key),
                None => freed.pop_front(),
            };
        }
        None
    }

    fn queue_behind(&mut self, split: WorkKey, key: WorkKey) {
        let slots = self.split_slots.get_or_insert_default();
        slots.splits.entry(split).or_default().queue.push_back(key);
    }

    fn take_slots(&mut self, bounds: &[Bound]) {
        let slots = self.split_slots.get_or_insert_default();
        for bound in bounds {
            slots
                .splits
                .entry(bound.split)
                .or_insert_with(|| SplitLimit { max: bound.max, ..SplitLimit::default() })
                .taken += 1;
        }
    }

    /// Gives back the slots of a handler that has left.
    #[cold]
    pub(super) fn leave_slots(&mut self, definition: &Compiled, key: WorkKey) {
        for bound in self.bounds(definition, key) {
            let Some(SplitSlots { splits, freed }) = self.split_slots.as_deref_mut() else { return };
            let Some(slots) = splits.get_mut(&bound.split) else { continue };
            debug_assert!(slots.taken > 0, "a slot is given back once");
            slots.taken = slots.taken.saturating_sub(1);
            if !slots.queue.is_empty() {
                freed.push_back(bound.split);
            } else if slots.taken == 0 {
                splits.remove(&bound.split);
            }
        }
    }

    /// Forgets the splits of a scope that is given back.
    pub(super) fn forget_slots(&mut self, scope: ScopeId) {
        let Some(slots) = self.split_slots.as_deref_mut() else { return };
        let key = |node| WorkKey { scope, node: NodeIndex(node) };
        let of_scope: Vec<_> = slots.splits.range(key(0)..=key(u32::MAX)).map(|(key, _)| *key).collect();
        for key in of_scope {
            slots.splits.remove(&key);
        }
    }

    /// The limits that hold for some work, from its own scope outwards.
    pub(super) fn bounds(&self, definition: &Compiled, key: WorkKey) -> Vec<Bound> {
        let (mut bounds, mut at) = (Vec::new(), key);
        while let Some(scope) = self.scope(at.scope) {
            let graph = scope.graph(definition);
            if let Some(rules) = &graph.rules {
                let of_graph = rules.bounds_of(at.node.0 - graph.first).iter().map(|bound| Bound {
                    split: WorkKey { scope: at.scope, node: NodeIndex(graph.first + bound.split) },
                    max: bound.max,
                });
                bounds.extend(of_graph);
            }
            if at.scope.is_root() {
                break;
            }
            at = scope.parent;
        }
        bounds
    }

    /// The split behind which some work waits for a slot.
    pub(super) fn queued_behind(&self, key: WorkKey) -> Option<(WorkKey, u32)> {
        let splits = &self.split_slots.as_deref()?.splits;
        let split = splits.iter().find(|(_, slots)| slots.queue.contains(&key));
        split.map(|(split, slots)| (*split, slots.max))
    }
}
