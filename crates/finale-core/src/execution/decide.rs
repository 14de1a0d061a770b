//! What is decided by evaluating expressions; the results become facts, so that a replay evaluates nothing.

use super::scope::Scope;
use super::{Execution, NodeState};
use crate::compiled::{Compiled, Step};
use crate::expression::{Facts, NodeView};
use crate::fact::Decision;
use crate::id::{ScopeId, WorkKey};
use crate::payload::Payload;
use crate::status::NodeStatus;

impl Execution {
    /// Evaluates what a reached node needs before it can go on.
    pub(super) fn decide(&self, definition: &Compiled, key: WorkKey) -> Decision {
        let compiled = definition.at(key.node);
        let Some(expression) = &compiled.expression else {
            return Decision::Failed("the node has no expression".into());
        };
        let seen = Seen { scope: self.open_scope(key.scope), input: self.scope_input(key.scope) };
        let decided = match compiled.step {
            Step::Decide => expression.condition(&seen).map(Decision::Branch),
            _ => expression.value(&seen).map(Decision::Input),
        };
        decided.unwrap_or_else(|error| Decision::Failed(error.to_string().into()))
    }

    /// Evaluates the output expression, where the definition has one.
    pub(super) fn decide_output(&self, definition: &Compiled) -> Result<Option<Payload>, Box<str>> {
        let Some(expression) = &definition.output else {
            return Ok(None);
        };
        let input = self.scope_input(ScopeId::ROOT);
        let value = expression.value(&Seen { scope: &self.root, input });
        value.map(Some).map_err(|error| error.to_string().into())
    }
}

/// What expressions see: the scope they are in.
struct Seen<'a> {
    scope: &'a Scope,
    input: Payload,
}

impl Facts for Seen<'_> {
    fn input(&self) -> &Payload {
        &self.input
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
