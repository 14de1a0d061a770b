//! From work to the path that people name it by, and back.

use super::Execution;
use crate::compiled::Compiled;
use crate::id::{NodeIndex, ScopeId, WorkKey};
use crate::path::{NodePath, PathStep};

impl Execution {
    /// The path of a piece of work; none if its scope is not open, or its graph has no such node.
    pub fn path(&self, definition: &Compiled, key: WorkKey) -> Option<NodePath> {
        self.state_of(key)?;
        let mut within = Vec::new();
        let mut at = key.scope;
        while !at.is_root() {
            let scope = self.scope(at)?;
            let instance = self.nests.get(&scope.parent)?.kind().instance(scope.instance);
            within.push(PathStep { node: definition.node(scope.parent.node).id.as_str().into(), instance });
            at = scope.parent.scope;
        }
        within.reverse();
        Some(NodePath::new(within, &definition.node(key.node).id))
    }

    /// The path of work that is not in the definition's own graph, where an id alone says nothing.
    pub(super) fn path_inside(&self, definition: &Compiled, key: WorkKey) -> Option<Box<NodePath>> {
        if key.scope.is_root() { None } else { self.path(definition, key).map(Box::new) }
    }

    /// The work that a path names; none if there is no such node, or one of the scopes on the way is not open.
    pub fn resolve(&self, definition: &Compiled, path: &NodePath) -> Option<WorkKey> {
        let mut scope = ScopeId::ROOT;
        for step in path.within() {
            let key = WorkKey { scope, node: self.named(definition, scope, &step.node)? };
            let nest = self.nests.get(&key)?;
            scope = nest.get(nest.kind().number(step.instance)?)?;
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
