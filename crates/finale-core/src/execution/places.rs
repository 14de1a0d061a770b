//! How many handlers are at work behind a split with a limit, and who waits for a place there.

use std::collections::{BTreeMap, VecDeque};

use super::{EffectSink, Execution, NodeState};
use crate::compiled::Compiled;
use crate::id::{AttemptNo, NodeIndex, ScopeId, WorkKey};

/// The places behind all splits with a limit that anybody works behind.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct SplitPlaces {
    /// By split.
    splits: BTreeMap<WorkKey, Places>,
    /// Splits behind which a place has become free while somebody waited.
    freed: VecDeque<WorkKey>,
}

/// The places behind one split. As long as somebody waits none is free, or the split is among those that were freed.
#[derive(Clone, Debug, Default, PartialEq)]
struct Places {
    max: u32,
    taken: u32,
    /// Who waits, in order.
    queue: VecDeque<WorkKey>,
}

impl Places {
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
    /// Hands the work of a handler to it, or lets it wait for a place behind the splits that it is behind.
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
        let places = self.places.get_or_insert_default();
        // Who comes now does not overtake those that wait, be it for a further attempt.
        let full = bounds.iter().find(|bound| {
            let places = places.splits.entry(bound.split).or_default();
            places.max = bound.max;
            places.is_full() || !places.queue.is_empty()
        });
        match full.map(|bound| bound.split) {
            None => {
                self.take_places(&bounds);
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

    /// Begins what has waited longest behind a split where a place is free; says whether there was something.
    pub(super) fn start_next_queued(&mut self, definition: &Compiled, sink: &mut impl EffectSink) -> bool {
        if self.has_failed_enough(definition, &self.root) {
            return false;
        }
        while let Some(key) = self.next_queued() {
            let Some(NodeState::Ready { attempt, .. }) = self.state_of(key) else { continue };
            let attempt = *attempt;
            if !self.goes_on(key.scope) || self.has_failed_enough(definition, self.open_scope(key.scope)) {
                continue;
            }
            let bounds = self.bounds(definition, key);
            let splits = self.places.as_deref().map(|places| &places.splits);
            let is_full = |bound: &&Bound| splits.is_some_and(|all| all.get(&bound.split).is_some_and(Places::is_full));
            match bounds.iter().find(is_full).map(|bound| bound.split) {
                Some(split) => self.queue_behind(split, key),
                None => {
                    self.take_places(&bounds);
                    self.dispatch_work(definition, key, attempt, sink);
                    return true;
                }
            }
        }
        false
    }

    /// Whether somebody waits for a place that is free.
    pub(super) fn has_freed_places(&self) -> bool {
        self.places.as_ref().is_some_and(|places| !places.freed.is_empty())
    }

    /// Takes the first one out of the queue of a split where a place is free.
    fn next_queued(&mut self) -> Option<WorkKey> {
        let SplitPlaces { splits, freed } = self.places.as_deref_mut()?;
        while let Some(split) = freed.front() {
            match splits.get_mut(split).filter(|places| !places.is_full()).and_then(|places| places.queue.pop_front()) {
                Some(key) => return Some(key),
                None => freed.pop_front(),
            };
        }
        None
    }

    fn queue_behind(&mut self, split: WorkKey, key: WorkKey) {
        let places = self.places.get_or_insert_default();
        places.splits.entry(split).or_default().queue.push_back(key);
    }

    fn take_places(&mut self, bounds: &[Bound]) {
        let places = self.places.get_or_insert_default();
        for bound in bounds {
            places.splits.entry(bound.split).or_insert_with(|| Places { max: bound.max, ..Places::default() }).taken +=
                1;
        }
    }

    /// Gives back the places of a handler that has left.
    #[cold]
    pub(super) fn leave_places(&mut self, definition: &Compiled, key: WorkKey) {
        for bound in self.bounds(definition, key) {
            let Some(SplitPlaces { splits, freed }) = self.places.as_deref_mut() else { return };
            let Some(places) = splits.get_mut(&bound.split) else { continue };
            places.taken = places.taken.saturating_sub(1);
            if !places.queue.is_empty() {
                freed.push_back(bound.split);
            } else if places.taken == 0 {
                splits.remove(&bound.split);
            }
        }
    }

    /// Forgets the splits of a scope that is given back.
    pub(super) fn forget_places(&mut self, scope: ScopeId) {
        let Some(places) = self.places.as_deref_mut() else { return };
        let key = |node| WorkKey { scope, node: NodeIndex(node) };
        let of_scope: Vec<_> = places.splits.range(key(0)..=key(u32::MAX)).map(|(key, _)| *key).collect();
        for key in of_scope {
            places.splits.remove(&key);
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

    /// The split behind which some work waits for a place.
    pub(super) fn queued_behind(&self, key: WorkKey) -> Option<(WorkKey, u32)> {
        let splits = &self.places.as_deref()?.splits;
        let split = splits.iter().find(|(_, places)| places.queue.contains(&key));
        split.map(|(split, places)| (*split, places.max))
    }
}
