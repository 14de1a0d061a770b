//! What a scope does when its end is decided and nothing runs in it any more: what is to be undone is undone, one after the
//! other, then its `finally` runs. Only then is it over.

use std::collections::BTreeMap;

use super::gives_nothing::GivesNothing;
use super::instances::Instance;
use super::scope::{Scope, ScopeEnd, ScopeRole, Stage};
use super::{EffectSink, EndReason, Execution, Phase};
use crate::compiled::Compiled;
use crate::fact::Terminal;
use crate::failure::{Failure, FailureClass};
use crate::id::{ScopeId, WorkKey};
use crate::payload::Payload;
use crate::record::{CompensationState, ENDING_FAILURES_MAX, EndingFailure, EndingKind};

/// What is known of the ends of scopes that have something left to do then. Few executions have any.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Endings {
    /// The scopes that undo nodes or have undone them, by node.
    compensations: BTreeMap<WorkKey, ScopeId>,
    /// For whom these run, as long as they do.
    owners: BTreeMap<ScopeId, Owner>,
    /// The scopes of `finally`, by the scope that ends.
    finals: BTreeMap<ScopeId, ScopeId>,
    /// What inner scopes come to as soon as they are over.
    results: BTreeMap<ScopeId, Instance>,
    /// What is being undone, and for whom.
    undoing: BTreeMap<Owner, Undoing>,
    /// What was not done, at most [`ENDING_FAILURES_MAX`] of it.
    failures: Vec<EndingFailure>,
    failures_more: u32,
    /// How many nodes were undone.
    compensated: u32,
}

/// Who undoes what was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    /// A scope that failed or was cancelled.
    Scope(ScopeId),
    /// A node that failed or was closed although scopes of it have completed.
    Node(WorkKey),
}

/// What is being undone.
#[derive(Clone, Debug, Default, PartialEq)]
struct Undoing {
    /// What is left, in the order in which it completed: the last one is next.
    left: Vec<WorkKey>,
    /// What becomes of the node thereafter, if it is one that undoes what its scopes did.
    settles: Option<Settles>,
}

/// What becomes of a node with scopes of its own: closed, failed, or completed with an output.
pub(super) type Settles = (bool, Option<Box<Failure>>, Payload);

impl Execution {
    fn endings_mut(&mut self) -> &mut Endings {
        self.endings.get_or_insert_default()
    }

    /// The scope that undoes a node or has undone it.
    pub(super) fn compensation_of(&self, key: WorkKey) -> Option<ScopeId> {
        self.endings.as_deref()?.compensations.get(&key).copied()
    }

    /// What became of the work that undoes a node, if that was begun.
    pub(super) fn compensation_state(&self, key: WorkKey) -> Option<CompensationState> {
        let scope = self.scope(self.compensation_of(key)?)?;
        Some(match scope.end {
            _ if !scope.over => CompensationState::Running,
            ScopeEnd::Failed | ScopeEnd::Closed { .. } => CompensationState::Failed,
            ScopeEnd::Undecided | ScopeEnd::Settled | ScopeEnd::Completed => CompensationState::Completed,
        })
    }

    /// The nodes that were undone or are being undone, in the order of their keys.
    pub(super) fn compensations(&self) -> impl Iterator<Item = (WorkKey, CompensationState)> {
        let begun = self.endings.iter().flat_map(|endings| endings.compensations.keys());
        begun.filter_map(|key| Some((*key, self.compensation_state(*key)?)))
    }

    /// The scope of the `finally` of a scope.
    pub(super) fn finally_of(&self, id: ScopeId) -> Option<ScopeId> {
        self.endings.as_deref()?.finals.get(&id).copied()
    }

    /// Whether a node undoes what its scopes did, before it settles.
    pub(super) fn is_undoing(&self, key: WorkKey) -> bool {
        self.endings.as_deref().is_some_and(|endings| endings.undoing.contains_key(&Owner::Node(key)))
    }

    /// Nobody needs a node any more that undoes what its scopes did.
    pub(super) fn close_undoing(&mut self, key: WorkKey) {
        let undoing = self.endings_mut().undoing.get_mut(&Owner::Node(key));
        if let Some((closed, ..)) = undoing.and_then(|undoing| undoing.settles.as_mut()) {
            *closed = true;
        }
    }

    /// How many nodes were undone.
    pub(super) fn compensated(&self) -> u32 {
        self.endings.as_deref().map_or(0, |endings| endings.compensated)
    }

    /// What of the ends of scopes was not done, and how much more there is than is said.
    pub(super) fn ending_failures(&self) -> (&[EndingFailure], u32) {
        self.endings.as_deref().map_or((&[], 0), |endings| (&endings.failures, endings.failures_more))
    }

    /// Whether a handler works on what undoes something or runs at the end of a scope: it is run again after a crash, although
    /// the end of the execution may be decided.
    pub fn runs_ends(&self) -> bool {
        self.inner.values().any(|scope| scope.is_of_ending && scope.running > 0)
    }

    /// Whether what is left of ends is not run any more.
    pub(super) fn is_forced(&self) -> bool {
        matches!(&self.phase, Phase::Ending(ending) if ending.forced)
    }

    /// As what a scope ends, once that is decided.
    pub(super) fn verdict(&self, id: ScopeId) -> Terminal {
        if id.is_root() {
            return match &self.phase {
                Phase::Ending(ending) | Phase::Ended(ending) => ending.reason.terminal(),
                Phase::New | Phase::Running => Terminal::Completed,
            };
        }
        match self.open_scope(id).end {
            ScopeEnd::Undecided | ScopeEnd::Settled | ScopeEnd::Completed => Terminal::Completed,
            ScopeEnd::Failed => Terminal::Failed,
            ScopeEnd::Closed { .. } => Terminal::Cancelled,
        }
    }

    /// Why a scope failed, in words; none if it did not.
    pub(super) fn verdict_error(&self, definition: &Compiled, id: ScopeId) -> Option<String> {
        match &self.phase {
            _ if self.verdict(id) != Terminal::Failed => None,
            Phase::Ending(ending) | Phase::Ended(ending) if id.is_root() => {
                Some(self.error(definition, &ending.reason).to_string())
            }
            _ => self.open_scope(id).failure.as_deref().map(|failure| failure.reason.to_string()),
        }
    }

    /// Whether a scope undoes what was done in it: not what has completed, and not what an operator declared complete.
    fn compensates(&self, id: ScopeId) -> bool {
        match &self.phase {
            Phase::Ending(ending) if id.is_root() => {
                ending.reason.terminal() != Terminal::Completed && !ending.is_declared
            }
            _ => match self.open_scope(id).end {
                ScopeEnd::Failed => true,
                ScopeEnd::Closed { compensates } => compensates,
                _ => false,
            },
        }
    }

    /// Begins the last things that the execution does, once its end is decided and nothing runs in its graph any more.
    pub(super) fn wind_up_root(&mut self, definition: &Compiled, sink: &mut impl EffectSink) {
        let is_due = matches!(self.phase, Phase::Ending(_)) && self.root.stage == Stage::Graph && self.root.is_idle();
        if !is_due {
            return;
        }
        let graph = definition.own();
        if graph.finally.is_none() && !graph.is_undoable {
            self.root.stage = Stage::Over;
            return;
        }
        if self.verdict(ScopeId::ROOT) == Terminal::Completed && graph.says_what_it_gives() {
            // Whether it can be evaluated, and fits its schema, decides the verdict.
            (self.root.stage, self.root.end) = (Stage::Output, ScopeEnd::Settled);
            return self.undecided.push_back(WorkKey::root(graph.start));
        }
        self.undo_scope(definition, ScopeId::ROOT, sink);
    }

    /// Takes in the output of the execution, or why there is none.
    pub(super) fn settle_root(
        &mut self,
        definition: &Compiled,
        output: Result<Payload, GivesNothing>,
        sink: &mut impl EffectSink,
    ) {
        self.root.end = ScopeEnd::Undecided;
        if let Phase::Ending(ending) = &mut self.phase {
            match output {
                Ok(output) => ending.output = Some(output),
                Err(GivesNothing::Unevaluated(reason)) => ending.reason = EndReason::Output(reason),
                Err(GivesNothing::Mismatch(reason)) => ending.reason = EndReason::OutputMismatch(reason),
            }
        }
        self.undo_scope(definition, ScopeId::ROOT, sink);
    }

    /// Begins the last things that an inner scope does, once its end is decided and nothing runs in it any more; thereafter it
    /// gives that.
    pub(super) fn wind_up(
        &mut self,
        definition: &Compiled,
        id: ScopeId,
        instance: Instance,
        sink: &mut impl EffectSink,
    ) {
        let graph = self.open_scope(id).graph(definition);
        let (has_finally, is_undoable) = (graph.finally.is_some(), graph.is_undoable);
        let scope = self.open_scope_mut(id);
        if let Instance::Completed(_) = instance {
            scope.end = ScopeEnd::Completed;
        }
        if !has_finally && !is_undoable {
            scope.stage = Stage::Over;
            return self.give_back(definition, id, instance, sink);
        }
        self.endings_mut().results.insert(id, instance);
        self.undo_scope(definition, id, sink);
    }

    /// Undoes what was done in a scope, if it must be undone, the last thing first.
    fn undo_scope(&mut self, definition: &Compiled, id: ScopeId, sink: &mut impl EffectSink) {
        self.open_scope_mut(id).stage = Stage::Compensating;
        let mut left = Vec::new();
        if self.compensates(id) {
            self.add_undoable(definition, id, &mut left);
        }
        self.endings_mut().undoing.insert(Owner::Scope(id), Undoing { left, settles: None });
        self.undo_next(definition, Owner::Scope(id), sink);
    }

    /// Undoes what the scopes of a node did that does not complete; says whether there is something, and else gives back
    /// what becomes of the node.
    pub(super) fn undo_node(
        &mut self,
        definition: &Compiled,
        key: WorkKey,
        settles: Settles,
        sink: &mut impl EffectSink,
    ) -> Option<Settles> {
        let compensates = self.nests.get(&key).is_some_and(|nest| nest.compensates());
        let mut left = Vec::new();
        if definition.at(key.node).is_undoable && compensates {
            self.add_undoable_inside(definition, key, &mut left);
        }
        if left.is_empty() {
            return Some(settles);
        }
        self.wait_for_scopes(definition, key, sink);
        let undoing = Undoing { left, settles: Some(settles) };
        self.endings_mut().undoing.insert(Owner::Node(key), undoing);
        self.undo_next(definition, Owner::Node(key), sink);
        None
    }

    /// Whether something in a scope that is over would have to be undone.
    pub(super) fn has_undoable(&self, definition: &Compiled, id: ScopeId) -> bool {
        let mut found = Vec::new();
        self.add_undoable(definition, id, &mut found);
        !found.is_empty()
    }

    /// Adds what completed in a scope and can be undone, in the order in which it completed.
    ///
    /// It goes no deeper than calls and bodies may be inside of each other.
    fn add_undoable(&self, definition: &Compiled, id: ScopeId, found: &mut Vec<WorkKey>) {
        let scope = self.open_scope(id);
        if !scope.graph(definition).is_undoable {
            return;
        }
        for &node in scope.completed() {
            let key = WorkKey { scope: id, node };
            if definition.at(node).compensate.is_some() {
                found.push(key);
            } else {
                self.add_undoable_inside(definition, key, found);
            }
        }
    }

    fn add_undoable_inside(&self, definition: &Compiled, key: WorkKey, found: &mut Vec<WorkKey>) {
        for id in self.nests.get(&key).into_iter().flat_map(|nest| nest.kept()) {
            self.add_undoable(definition, *id, found);
        }
    }

    /// Undoes what completed last of what is left to undo.
    fn undo_next(&mut self, definition: &Compiled, owner: Owner, sink: &mut impl EffectSink) {
        let is_forced = self.is_forced();
        let Some(undoing) = self.endings_mut().undoing.get_mut(&owner) else { return };
        if is_forced {
            for key in std::mem::take(&mut undoing.left).into_iter().rev() {
                let of = self.path(definition, key).map(|path| path.to_string()).unwrap_or_default();
                self.add_ending_failure(EndingKind::Compensation, of, None);
            }
        } else if let Some(key) = undoing.left.pop()
            && let Some(graph) = definition.at(key.node).compensate
        {
            let id = self.open_ending(definition, graph, key, ScopeRole::Compensation);
            let endings = self.endings_mut();
            endings.compensations.insert(key, id);
            endings.owners.insert(id, owner);
            return;
        }
        let undone = self.endings_mut().undoing.remove(&owner);
        match owner {
            Owner::Scope(id) => self.run_finally(definition, id, sink),
            Owner::Node(key) => {
                if let Some(settles) = undone.and_then(|undone| undone.settles) {
                    self.settle_opener_for_good(definition, key, settles, sink);
                }
            }
        }
    }

    fn run_finally(&mut self, definition: &Compiled, id: ScopeId, sink: &mut impl EffectSink) {
        let scope = self.open_scope_mut(id);
        scope.stage = Stage::Finally;
        let graph = scope.graph(definition);
        let (finally, start) = (graph.finally, graph.start);
        match finally {
            Some(_) if self.is_forced() => {
                let of = self.scope_name(definition, id);
                self.add_ending_failure(EndingKind::Finally, of, None);
            }
            Some(graph) => {
                let finally =
                    self.open_ending(definition, graph, WorkKey { scope: id, node: start }, ScopeRole::Finally);
                self.endings_mut().finals.insert(id, finally);
                return;
            }
            None => {}
        }
        self.has_wound_up(definition, id, sink);
    }

    /// Nothing of a scope is left to be done.
    fn has_wound_up(&mut self, definition: &Compiled, id: ScopeId, sink: &mut impl EffectSink) {
        self.open_scope_mut(id).stage = Stage::Over;
        if !id.is_root()
            && let Some(instance) = self.endings_mut().results.remove(&id)
        {
            self.give_back(definition, id, instance, sink);
        }
    }

    /// Opens a scope that undoes a node or runs at the end of a scope.
    fn open_ending(&mut self, definition: &Compiled, number: u32, parent: WorkKey, role: ScopeRole) -> ScopeId {
        let id = ScopeId(self.next_scope);
        self.next_scope = self.next_scope.checked_add(1).expect("a history has fewer than 2^32 scopes");
        let graph = &definition.graphs[number as usize];
        let mut scope = Scope::new(graph, number, parent, 0);
        (scope.role, scope.is_of_ending) = (role, true);
        self.inner.insert(id, Box::new(scope));
        self.reach(WorkKey { scope: id, node: graph.start });
        id
    }

    /// A scope that undoes a node or runs at the end of a scope is over: what comes next begins.
    pub(super) fn ending_is_over(&mut self, definition: &Compiled, id: ScopeId, sink: &mut impl EffectSink) {
        let scope = self.open_scope_mut(id);
        scope.over = true;
        scope.trim();
        let (parent, role, end) = (scope.parent, scope.role, scope.end);
        let failure = scope.failure.clone();
        self.forget_slots(id);
        let (kind, of) = match role {
            ScopeRole::Finally => (EndingKind::Finally, self.scope_name(definition, parent.scope)),
            _ => {
                let of = self.path(definition, parent).map(|path| path.to_string()).unwrap_or_default();
                (EndingKind::Compensation, of)
            }
        };
        match end {
            ScopeEnd::Failed => self.add_ending_failure(kind, of, failure.as_deref()),
            ScopeEnd::Closed { .. } => {
                let failure = Failure::new(FailureClass::Cancelled, "it was cut short");
                self.add_ending_failure(kind, of, Some(&failure));
            }
            _ if kind == EndingKind::Compensation => self.endings_mut().compensated += 1,
            _ => {}
        }
        if role == ScopeRole::Finally {
            return self.has_wound_up(definition, parent.scope, sink);
        }
        if let Some(owner) = self.endings_mut().owners.remove(&id) {
            self.undo_next(definition, owner, sink);
        }
    }

    fn add_ending_failure(&mut self, kind: EndingKind, of: String, failure: Option<&Failure>) {
        let endings = self.endings_mut();
        if endings.failures.len() == ENDING_FAILURES_MAX {
            endings.failures_more += 1;
            return;
        }
        let (class, reason) = (failure.map(|failure| failure.class), failure.map(|failure| failure.reason.to_string()));
        endings.failures.push(EndingFailure { kind, of, class, reason: reason.unwrap_or_default() });
    }

    /// What is left of the ends of all scopes is not run any more, and what runs of it is told to stop.
    pub(super) fn cut_short(&mut self, definition: &Compiled, sink: &mut impl EffectSink) {
        if let Phase::Ending(ending) = &mut self.phase {
            ending.forced = true;
        }
        let is_open = |scope: &Scope| scope.role != ScopeRole::Body && scope.stage == Stage::Graph;
        let open: Vec<_> = self.inner.iter().filter(|(_, scope)| is_open(scope)).map(|(id, _)| *id).collect();
        for id in open {
            self.close_scope(definition, id, sink);
        }
        self.retain_queued();
        self.give_back_idle(definition, sink);
        self.sort_interrupted();
    }

    /// Forgets what is known of the end of a scope that is given back; gives the scopes that belonged to it.
    pub(super) fn forget_endings(&mut self, id: ScopeId) -> Vec<ScopeId> {
        let Some(endings) = self.endings.as_deref_mut() else { return Vec::new() };
        let mut inside: Vec<ScopeId> = endings.finals.remove(&id).into_iter().collect();
        let of_scope: Vec<WorkKey> = endings.compensations.range(WorkKey::all_of(id)).map(|(key, _)| *key).collect();
        inside.extend(of_scope.iter().filter_map(|key| endings.compensations.remove(key)));
        inside
    }
}
