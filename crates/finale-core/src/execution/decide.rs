//! What is decided by evaluating expressions; the results become facts, so that a replay evaluates nothing.

use super::{Execution, NodeState};
use crate::compiled::{Compiled, Step};
use crate::expression::{Facts, NodeView};
use crate::fact::Decision;
use crate::id::NodeIndex;
use crate::payload::Payload;

impl Execution {
    /// Evaluates what a reached node needs before it can go on.
    pub(super) fn decide(&self, definition: &Compiled, node: NodeIndex) -> Decision {
        let compiled = definition.at(node);
        let Some(expression) = &compiled.expression else {
            return Decision::Failed("the node has no expression".into());
        };
        let seen = Seen { execution: self };
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
        let value = expression.value(&Seen { execution: self });
        value.map(Some).map_err(|error| error.to_string().into())
    }
}

/// What expressions see of an execution.
struct Seen<'a> {
    execution: &'a Execution,
}

impl Facts for Seen<'_> {
    fn input(&self) -> &Payload {
        const NOTHING: &Payload = &Payload::NULL;
        self.execution.activation().map_or(NOTHING, |activation| &activation.input)
    }

    fn node(&self, position: u32) -> NodeView {
        let state = &self.execution.nodes[position as usize];
        let (output, error) = match state {
            NodeState::Completed { output, .. } => (Some(output.clone()), None),
            NodeState::Failed { failure, .. } => (None, Some(failure.to_string())),
            _ => (None, None),
        };
        NodeView { status: state.status(), output, error }
    }
}
