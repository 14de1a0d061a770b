//! The expression language.

use crate::payload::Payload;
use crate::status::NodeStatus;

/// A compiled expression over `input`, `nodes` and `vars`.
#[derive(Debug)]
pub struct Expression(());

/// What an expression may ask of an execution.
pub trait Facts {
    /// The input of the execution.
    fn input(&self) -> &Payload;
    /// What is known of the node with that number.
    fn node(&self, position: u32) -> NodeView;
}

/// What an expression sees of a node.
#[derive(Clone, Debug)]
pub struct NodeView {
    /// Where the node is.
    pub status: NodeStatus,
    /// Its output, once it has completed.
    pub output: Option<Payload>,
    /// Why it failed, once it has.
    pub error: Option<String>,
}

/// Why an expression gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluationError {}

impl Expression {
    /// Evaluates a condition: anything but `true` or `false` is an error.
    pub fn condition(&self, _facts: &dyn Facts) -> Result<bool, EvaluationError> {
        Ok(false)
    }

    /// Evaluates a value.
    pub fn value(&self, _facts: &dyn Facts) -> Result<Payload, EvaluationError> {
        Ok(Payload::NULL)
    }
}
