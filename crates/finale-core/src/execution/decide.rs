//! What is decided by evaluating expressions; the results become facts, so that a replay evaluates nothing.

use super::scope::Scope;
use super::{Execution, NodeState};
use crate::compiled::{Compiled, Step};
use crate::expression::{Facts, NodeView};
use crate::fact::Decision;
use crate::id::{ScopeId, WorkKey};
use crate::payload::Payload;
use crate::record::NodeFailure;
use crate::status::NodeStatus;

impl Execution {
    /// Evaluates what a reached node needs before it can go on.
    pub(super) fn decide(&self, definition: &Compiled, key: WorkKey) -> Decision {
        let compiled = definition.at(key.node);
        let Some(expression) = &compiled.expression else {
            return Decision::Failed("the node has no expression".into());
        };
        let input = self.scope_input(key.scope);
        let seen = Seen { execution: self, definition, key: Some(key), scope: self.open_scope(key.scope), input };
        let decided = match compiled.step {
            Step::Decide => expression.condition(&seen).map(Decision::Branch),
            _ => expression.value(&seen).map(Decision::Input),
        };
        decided.unwrap_or_else(|error| Decision::Failed(error.to_string().into()))
    }

    /// The failures that a node handles, in the order in which they happened; none unless the definition names it as what
    /// handles failures.
    pub fn handled_failures(&self, definition: &Compiled, key: WorkKey) -> Vec<NodeFailure> {
        let nodes = self.handled_by(definition, key);
        nodes.filter_map(|node| self.failure(definition, WorkKey { node, ..key })).collect()
    }

    /// Evaluates the output expression, where the definition has one.
    pub(super) fn decide_output(&self, definition: &Compiled) -> Result<Option<Payload>, Box<str>> {
        let Some(expression) = &definition.output else {
            return Ok(None);
        };
        let input = self.scope_input(ScopeId::ROOT);
        let value = expression.value(&Seen { execution: self, definition, key: None, scope: &self.root, input });
        value.map(Some).map_err(|error| error.to_string().into())
    }
}

/// What expressions see: the scope they are in.
struct Seen<'a> {
    execution: &'a Execution,
    definition: &'a Compiled,
    /// The node whose expression it is; none for that of the output.
    key: Option<WorkKey>,
    scope: &'a Scope,
    input: Payload,
}

impl Facts for Seen<'_> {
    fn input(&self) -> &Payload {
        &self.input
    }

    fn failures(&self) -> Payload {
        let failures = self.key.map(|key| self.execution.handled_failures(self.definition, key)).unwrap_or_default();
        Payload::encode(&failures).expect("what a record says of a failure is JSON")
    }

    fn node(&self, position: u32) -> NodeView {
        let state = self.scope.at(self.scope.position(position));
        let (output, error) = match state {
            NodeState::Completed { output, .. } => (Some(output.clone()), None),
            NodeState::Failed { failure, .. } => (None, Some(failure.to_string())),
            _ => (None, None),
        };
        let status = match state {
            // Whether it could begin by now is nothing to depend on.
            NodeState::Ready { .. } => NodeStatus::Pending,
            other => other.status(),
        };
        NodeView { status, output, error }
    }
}
