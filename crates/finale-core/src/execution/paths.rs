//! From work to the path that people name it by, and back.

use super::Execution;
use super::scope::ScopeRole;
use crate::compiled::Compiled;
use crate::id::{NodeIndex, ScopeId, WorkKey};
use crate::path::{Instance, NodePath, PathStep};

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

    fn named(&self, definition: &Compiled, scope: ScopeId, id: &str) -> Option<NodeIndex> {
        if scope.is_root() {
            return definition.position(id);
        }
        let scope = self.scope(scope)?;
        let place = scope.graph(definition).index.get(id)?;
        Some(scope.position(*place))
    }
}
