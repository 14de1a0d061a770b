//! What is known of the scopes that a node opens: which of them are open, and what the others gave.

use serde_json::value::RawValue;

use crate::compiled::{CompiledNode, Opening, OpeningKind};
use crate::expression::Local;
use crate::expression::limits::RESULT_DEPTH_MAX;
use crate::failure::{Failure, FailureClass};
use crate::id::{NodeIndex, ScopeId};
use crate::payload::{Payload, check_depth};
use crate::record::ItemCounts;
use crate::status::NodeStatus;

/// The most bytes that the output of a node may have that is made of the outputs of others: of the items of a map, or of the
/// last tasks of a scope. The limit on payloads holds for each of these.
pub const GATHERED_BYTES_MAX: usize = 64 << 20;

/// As many causes of a failure are said one by one.
pub(super) const CAUSES_MAX: usize = 20;

/// The scopes of one node that waits for them, or has waited for them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Nest {
    opening: Opening,
    /// What each scope is given; none if they are given what the node is.
    items: Option<Items>,
    /// The scopes by number; of a loop the one of the current round.
    instances: Box<[Instance]>,
    /// How many there are; of a loop as many as there may be.
    total: u32,
    /// How many of them were opened.
    opened: u32,
    /// How many of them are open.
    open: u32,
    /// How many of them may be open at once.
    open_max: u32,
    /// How many have completed.
    completed: u32,
    /// How many have failed, until that was one too many.
    failed: u32,
    /// How many may fail.
    tolerated: u32,
    /// What they failed of, each as long as it may be said.
    causes: Vec<Failure>,
    /// Whether too many have failed: no other is opened then, and the open ones are closed.
    has_failed: bool,
    /// Whether the scope of the node has come to its end: nothing that its own scopes come to counts.
    closed: bool,
    /// Whether what its scopes did stays as it is although the node was closed: an operator declared that complete.
    stays_done: bool,
    /// The scopes that completed and in which something may have to be undone, in the order in which they completed.
    kept: Vec<ScopeId>,
    /// What the node comes to when nothing is under way in its scopes any more, if an operator has ended it.
    pub(super) operated: Option<Box<ByOperator>>,
    /// Whether the node is in the queue of those that have scopes to open.
    pub(super) is_queued: bool,
    /// The nodes around its scopes that they look at and that were not settled when it was reached: they are seen so for ever.
    unsettled: Box<[(NodeIndex, NodeStatus)]>,
    /// What is known of the rounds of a loop.
    pub(super) rounds: Option<Box<RoundState>>,
}

/// What is known of the rounds of a loop.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct RoundState {
    /// Whether the next one is to be opened.
    pub(super) is_due: bool,
    /// Whether the condition is to be evaluated.
    pub(super) is_undecided: bool,
    /// What the last one gave that is over.
    pub(super) last: Payload,
    /// What the one before that gave.
    pub(super) before: Payload,
}

/// What an operator lets a node come to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ByOperator {
    Completed(Payload),
    Failed(Failure),
    Skipped,
}

/// One of the scopes that a node opens.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Instance {
    #[default]
    Unopened,
    Open(ScopeId),
    /// It was given back, and this is what it gave.
    Completed(Payload),
    /// It was given back, and it gave nothing.
    Over,
    /// It is over and kept to be looked at: it is the only one of its node.
    Kept(ScopeId),
}

/// A list and where its items begin; each is cut out when it is asked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Items {
    list: Payload,
    starts: Box<[u32]>,
}

impl Items {
    pub(super) fn new(list: Payload) -> Result<Self, String> {
        let items: Vec<&RawValue> = serde_json::from_slice(list.as_bytes())
            .map_err(|_| format!("the items are no list but {}", list.kind()))?;
        let base = list.as_bytes().as_ptr().addr();
        let start = |item: &&RawValue| u32::try_from(item.get().as_ptr().addr() - base);
        let starts: Result<_, _> = items.iter().map(start).collect();
        let starts = starts.map_err(|_| "the list of items is longer than 4 GiB".to_owned())?;
        Ok(Self { list, starts })
    }

    pub(super) const fn len(&self) -> usize {
        self.starts.len()
    }

    fn get(&self, number: u32) -> Option<Payload> {
        let rest = self.list.as_bytes().get(*self.starts.get(number as usize)? as usize..)?;
        let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<&RawValue>();
        let item = values.next()?.ok()?;
        Some(Payload::trusted(item.get().as_bytes()))
    }
}

impl Nest {
    pub(super) fn new(
        node: &CompiledNode,
        opening: Opening,
        items: Option<Items>,
        unsettled: Box<[(NodeIndex, NodeStatus)]>,
    ) -> Self {
        let count = items.as_ref().map_or(1, Items::len);
        let mut instances = Vec::with_capacity(count);
        instances.resize_with(count, Instance::default);
        let rounds = node.rounds();
        let limits = node.item_limits();
        let total = rounds.map_or(count as u32, |rounds| rounds.max);
        Self {
            opening,
            items,
            instances: instances.into_boxed_slice(),
            total,
            opened: 0,
            open: 0,
            open_max: limits.and_then(|limits| limits.max_concurrency).unwrap_or(u32::MAX),
            completed: 0,
            failed: 0,
            tolerated: limits.and_then(|limits| limits.tolerate).map_or(0, |tolerance| tolerance.of(total)),
            causes: Vec::new(),
            has_failed: false,
            closed: false,
            stays_done: false,
            kept: Vec::new(),
            operated: None,
            is_queued: false,
            unsettled,
            rounds: rounds.map(|rounds| {
                let is_undecided = rounds.asks_before;
                Box::new(RoundState { is_due: !is_undecided, is_undecided, ..RoundState::default() })
            }),
        }
    }

    pub(super) const fn graph(&self) -> u32 {
        self.opening.graph
    }

    pub(super) const fn kind(&self) -> OpeningKind {
        self.opening.kind
    }

    /// What that one of the scopes is given, if it is an item.
    pub(super) fn item(&self, number: u32) -> Option<Payload> {
        self.items.as_ref()?.get(number)
    }

    /// What a name stands for in that one of the scopes, if it is known there because of this node.
    pub(super) fn local(&self, number: u32, local: Local) -> Option<Payload> {
        let count = |count: u32| Payload::encode(&count).ok();
        match (local, &self.rounds) {
            (Local::Item, _) => self.item(number),
            (Local::Index, None) if self.items.is_some() => count(number),
            (Local::Round, Some(_)) => count(number + 1),
            (Local::Previous, Some(rounds)) => Some(rounds.last.clone()),
            _ => None,
        }
    }

    /// Whether its scopes are given back when they are over.
    pub(super) fn is_each(&self) -> bool {
        self.opening.kind != OpeningKind::Single
    }

    /// What a node around its scopes was when they were opened, if it was not settled then.
    pub(super) fn unsettled_then(&self, node: NodeIndex) -> Option<NodeStatus> {
        let found = self.unsettled.binary_search_by_key(&node, |(node, _)| *node).ok()?;
        Some(self.unsettled[found].1)
    }

    /// Where the scope with that number is kept.
    fn place(&self, number: u32) -> Option<usize> {
        match &self.rounds {
            None => Some(number as usize),
            Some(_) => (number.checked_add(1)? == self.opened).then_some(0),
        }
    }

    /// The scope with that number, if it was opened and is not given back.
    pub(super) fn get(&self, number: u32) -> Option<ScopeId> {
        match self.instances.get(self.place(number)?)? {
            Instance::Open(id) | Instance::Kept(id) => Some(*id),
            _ => None,
        }
    }

    /// Whether there can be a scope with that number.
    pub(super) const fn may_have(&self, number: u32) -> bool {
        number < self.total
    }

    /// Whether the scope with that number may still be opened.
    pub(super) const fn is_ahead(&self, number: u32) -> bool {
        number >= self.opened && !self.closed && !self.has_failed
    }

    /// What became of the scope with that number.
    pub(super) fn set(&mut self, number: u32, instance: Instance) {
        let place = self.place(number);
        if let Some(slot) = place.and_then(|place| self.instances.get_mut(place)) {
            *slot = instance;
        }
    }

    pub(super) fn all_open(&self) -> impl Iterator<Item = ScopeId> {
        let open = |instance: &Instance| if let Instance::Open(id) = instance { Some(*id) } else { None };
        self.instances.iter().filter_map(open)
    }

    /// Nobody needs the node any more; `compensates` says whether what its scopes did is undone.
    pub(super) const fn close(&mut self, compensates: bool) {
        self.stays_done |= !compensates && !self.closed;
        self.closed = true;
    }

    /// Whether the node undoes what its scopes did, if it does not complete.
    pub(super) const fn compensates(&self) -> bool {
        !self.stays_done
    }

    /// Keeps a scope that is over, because something in it may have to be undone.
    pub(super) fn keep(&mut self, id: ScopeId) {
        self.kept.push(id);
    }

    /// The scopes that were kept, in the order in which they completed.
    pub(super) fn kept(&self) -> &[ScopeId] {
        &self.kept
    }

    /// What a map goes over.
    pub(super) fn list(&self) -> Option<Payload> {
        self.items.as_ref().map(|items| items.list.clone())
    }

    /// The kept scope with that number among those of items and rounds.
    pub(super) fn get_kept(&self, number: u32, number_of: impl Fn(ScopeId) -> Option<u32>) -> Option<ScopeId> {
        self.kept.iter().copied().find(|id| number_of(*id) == Some(number))
    }

    pub(super) const fn is_closed(&self) -> bool {
        self.closed
    }

    pub(super) const fn opened(&self) -> u32 {
        self.opened
    }

    /// Whether another scope is to be opened now.
    pub(super) fn wants_another(&self) -> bool {
        let is_left = match &self.rounds {
            None => self.opened < self.total,
            Some(rounds) => rounds.is_due,
        };
        !self.closed && !self.has_failed && is_left && self.open < self.open_max
    }

    /// Notes that the next one is open; says which one it is.
    pub(super) fn opened_next(&mut self, id: ScopeId) -> u32 {
        let number = self.opened;
        self.opened += 1;
        self.open += 1;
        if let Some(rounds) = &mut self.rounds {
            rounds.is_due = false;
        }
        self.set(number, Instance::Open(id));
        number
    }

    /// Notes that one of them is over, and what it failed of; says whether that is one failure too many.
    pub(super) fn one_is_over(&mut self, instance: &Instance, failure: Option<Failure>) -> bool {
        self.open -= 1;
        self.completed += u32::from(matches!(instance, Instance::Completed(_)) && !self.closed);
        let Some(failure) = failure.filter(|_| !self.closed && !self.has_failed) else { return false };
        self.failed += 1;
        if self.causes.len() < CAUSES_MAX {
            self.causes.push(failure);
        }
        self.has_failed = self.failed > self.tolerated;
        self.has_failed
    }

    /// Whether another one may fail.
    pub(super) const fn tolerates_another(&self) -> bool {
        self.failed < self.tolerated
    }

    /// Whether none is open, and none will be.
    pub(super) fn is_over(&self) -> bool {
        let is_left = match &self.rounds {
            None => self.opened < self.total,
            Some(_) => true,
        };
        self.open == 0 && (self.closed || self.has_failed || !is_left)
    }

    /// What the node has failed of, if too many of its scopes have.
    pub(super) fn failure(&self) -> Option<Box<Failure>> {
        let first = self.causes.first().filter(|_| self.has_failed)?;
        if self.failed == 1 {
            return Some(Box::new(first.clone()));
        }
        let mut words: Vec<&str> = self.causes.iter().map(|cause| &*cause.reason).collect();
        let more = format!("and {} more", self.failed as usize - self.causes.len());
        if self.failed as usize > self.causes.len() {
            words.push(&more);
        }
        Some(Box::new(Failure::new(first.class, words.join("; "))))
    }

    /// What the scopes gave, in order; `null` for what failed.
    ///
    /// # Errors
    /// When that is too much for one output.
    pub(super) fn outputs(&self) -> Result<Payload, Box<Failure>> {
        let outputs = self.instances.iter().map(|instance| match instance {
            Instance::Completed(output) => output.as_bytes(),
            _ => b"null",
        });
        let size = 1 + outputs.clone().map(|output| output.len() + 1).sum::<usize>();
        limited(size, || list(outputs)).map_err(|reason| Box::new(Failure::new(FailureClass::Limit, reason)))
    }

    /// Gives up everything but the numbers: it is over. `is_undoable` says whether something may have to undo it: then what
    /// its scopes saw stays.
    pub(super) fn trim(&mut self, is_undoable: bool) {
        self.instances = Box::default();
        self.causes = Vec::new();
        if !is_undoable {
            self.items = None;
            self.unsettled = Box::default();
        }
        self.rounds = self.rounds.take().map(|_| Box::default());
    }

    /// How many items are where, if it is a map; `is_over` says whether its node is settled.
    pub(super) fn item_counts(&self, is_over: bool) -> Option<ItemCounts> {
        if self.opening.kind != OpeningKind::Items {
            return None;
        }
        let Self { total, opened, open, completed, failed, .. } = *self;
        let (left, cancelled) = (total - opened, opened - open - completed - failed);
        let (pending, skipped) = if is_over || self.closed || self.has_failed { (0, left) } else { (left, 0) };
        Some(ItemCounts { total, pending, open, completed, failed, cancelled, skipped })
    }

    /// How many rounds have begun, if it is a loop.
    pub(super) fn rounds_begun(&self) -> Option<u32> {
        self.rounds.as_ref().map(|_| self.opened)
    }

    /// How many bytes it takes beside itself.
    #[cfg(test)]
    pub(super) fn allocated(&self) -> usize {
        let items = self.items.as_ref().map_or(0, |items| items.list.size() + size_of_val(&*items.starts));
        let outputs = self.instances.iter().map(|instance| match instance {
            Instance::Completed(output) if !output.is_null() => output.size() + 16,
            _ => 0,
        });
        size_of_val(&*self.instances) + items + outputs.sum::<usize>() + 4 * self.kept.capacity()
    }
}

/// The output of a node that is made of the outputs of others, if it is not too much.
///
/// # Errors
/// When it has more than [`GATHERED_BYTES_MAX`] bytes, or is nested too deep.
pub(super) fn limited(size: usize, gather: impl FnOnce() -> Payload) -> Result<Payload, String> {
    if size > GATHERED_BYTES_MAX {
        let max = GATHERED_BYTES_MAX >> 20;
        return Err(format!("the outputs that it is made of have {size} bytes together, more than {max} MiB"));
    }
    let gathered = gather();
    match check_depth(gathered.as_bytes(), RESULT_DEPTH_MAX) {
        Ok(()) => Ok(gathered),
        Err(_) => Err(format!("what it gives is nested deeper than {RESULT_DEPTH_MAX} levels")),
    }
}

fn list<'a>(items: impl Iterator<Item = &'a [u8]>) -> Payload {
    let mut bytes = vec![b'['];
    for item in items {
        if bytes.len() > 1 {
            bytes.push(b',');
        }
        bytes.extend_from_slice(item);
    }
    bytes.push(b']');
    Payload::trusted(&bytes)
}
