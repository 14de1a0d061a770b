//! The outputs that a handler asks for.

use finale_core::Payload;
use serde::de::DeserializeOwned;

/// Why there is no output of a node; from [`TaskContext::output`](super::TaskContext::output). With `?` the task fails for good: another attempt finds
/// the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TaskOutputError {
    /// The graph of the task has no such node.
    #[error("there is no node {0:?} in the graph of this task; what is around that graph comes in by the task's input")]
    Unknown(String),
    /// The node has not completed, or is no task.
    #[error("node {0:?} has no output")]
    Missing(String),
    /// The output is of another type.
    #[error("the output of node {node:?} is not of the expected type: {error}")]
    Type {
        /// The node.
        node: String,
        /// What does not fit.
        error: finale_core::PayloadError,
    },
}

pub(super) fn decode_output<T: DeserializeOwned>(node: &str, output: Option<&Payload>) -> Result<T, TaskOutputError> {
    let output = output.ok_or_else(|| TaskOutputError::Missing(node.to_owned()))?;
    output.decode().map_err(|error| TaskOutputError::Type { node: node.to_owned(), error })
}
