//! From work to the path that people name it by, and back.

use super::Execution;
use super::scope::ScopeRole;
use crate::compiled::Compiled;
use crate::id::{NodeIndex, ScopeId, WorkKey};
use crate::path::{Instance, NodePath, PathStep};

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoundWork {
    /// To that work.
    There(WorkKey),
    /// To nothing yet: what it is in has not begun.
    Ahead,
    /// To nothing any more: what it is in is over, and was given back or never began.
    Over,
    /// To nothing ever.
    Unknown,
}

impl Execution {
    /// The path of a piece of work; none if its scope is not open, or its graph has no such node.
    pub fn path(&self, definition: &Compiled, key: WorkKey) -> Option<NodePath> {
        self.state_of(key)?;
        let mut within = Vec::new();
        let mut at = key.scope;
        while !at.is_root() {
            let scope = self.scope(at)?;
            let node = || definition.node(scope.parent.node).id.as_str().into();
            within.push(match scope.role {
                ScopeRole::Body => {
                    let instance = self.nests.get(&scope.parent)?.kind().instance(scope.instance);
                    PathStep { node: node(), instance }
                }
                ScopeRole::Compensation => PathStep { node: node(), instance: Instance::Compensation },
                ScopeRole::Finally => PathStep { node: Box::default(), instance: Instance::Finally },
            });
            at = scope.parent.scope;
        }
        within.reverse();
        Some(NodePath::new(within, &definition.node(key.node).id))
    }

    /// What an inner scope is called: the way to it without a node behind it; nothing for the root.
    pub(super) fn scope_name(&self, definition: &Compiled, id: ScopeId) -> String {
        let node = self.open_scope(id).graph(definition).start;
        let path = self.path(definition, WorkKey { scope: id, node });
        let steps = path.iter().flat_map(NodePath::within).map(ToString::to_string);
        steps.collect::<Vec<_>>().join("::")
    }

    /// The path of work that is not in the definition's own graph, where an id alone says nothing.
    pub(super) fn path_inside(&self, definition: &Compiled, key: WorkKey) -> Option<Box<NodePath>> {
        if key.scope.is_root() { None } else { self.path(definition, key).map(Box::new) }
    }

    /// The work that a path names; none if there is no such node, or one of the scopes on the way is not open.
    pub fn resolve(&self, definition: &Compiled, path: &NodePath) -> Option<WorkKey> {
        let mut scope = ScopeId::ROOT;
        for step in path.within() {
            if step.instance == Instance::Finally {
                scope = self.finally_of(scope)?;
                continue;
            }
            let key = WorkKey { scope, node: self.named(definition, scope, &step.node)? };
            if step.instance == Instance::Compensation {
                scope = self.compensation_of(key)?;
                continue;
            }
            let nest = self.nests.get(&key)?;
            let number = nest.kind().number(step.instance)?;
            let number_of = |id| self.scope(id).map(|scope| scope.instance);
            scope = nest.get(number).or_else(|| nest.get_kept(number, number_of))?;
        }
        Some(WorkKey { scope, node: self.named(definition, scope, path.node())? })
    }

    /// What a path leads to, and if there is no work there now, whether there was or will be.
    pub fn look_up(&self, definition: &Compiled, path: &NodePath) -> FoundWork {
        if definition.node_at(path).is_none() {
            return FoundWork::Unknown;
        }
        let mut scope = ScopeId::ROOT;
        for step in path.within() {
            match self.enter(definition, scope, step) {
                Ok(inside) => scope = inside,
                Err(why) => return why,
            }
        }
        let node = self.named(definition, scope, path.node());
        node.map_or(FoundWork::Unknown, |node| FoundWork::There(WorkKey { scope, node }))
    }

    /// The scope that a step of a path leads to from another one, or what is known of it if it is not open.
    fn enter(&self, definition: &Compiled, scope: ScopeId, step: &PathStep) -> Result<ScopeId, FoundWork> {
        if step.instance == Instance::Finally {
            return self.finally_of(scope).ok_or(FoundWork::Ahead);
        }
        let node = self.named(definition, scope, &step.node).ok_or(FoundWork::Unknown)?;
        let key = WorkKey { scope, node };
        if step.instance == Instance::Compensation {
            return self.compensation_of(key).ok_or(FoundWork::Ahead);
        }
        let is_settled = self.state_of(key).is_some_and(|state| state.status().is_settled());
        let Some(nest) = self.nests.get(&key) else {
            return Err(if is_settled { FoundWork::Over } else { FoundWork::Ahead });
        };
        let number = nest.kind().number(step.instance).ok_or(FoundWork::Unknown)?;
        let number_of = |id| self.scope(id).map(|scope| scope.instance);
        if let Some(open) = nest.get(number).or_else(|| nest.get_kept(number, number_of)) {
            return Ok(open);
        }
        Err(match nest.is_ahead(number) {
            _ if !nest.may_have(number) => FoundWork::Unknown,
            true if !is_settled => FoundWork::Ahead,
            _ => FoundWork::Over,
        })
    }

    fn named(&self, definition: &Compiled, scope: ScopeId, id: &str) -> Option<NodeIndex> {
        if scope.is_root() {
            return definition.position(id);
        }
        let scope = self.scope(scope)?;
        let place = scope.graph(definition).index.get(id)?;
        Some(scope.position(*place))
    }
}
