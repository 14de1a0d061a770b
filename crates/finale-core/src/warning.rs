//! What is suspicious in a definition that can be run.

use std::fmt;

/// The stable name of a kind of warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum WarningCode {
    /// An expression reads a node that need not be settled by then, because no way leads from it to the reader.
    ReadsUnorderedNode,
    /// An expression reads an input that the definition does not declare, though it declares others.
    UndeclaredInput,
    /// An expression reads the output of a node that may have been skipped by then.
    ReadsSkippedNode,
    /// The trigger rule of a node can never hold, because the first failure ends the execution.
    NeverFires,
}

impl WarningCode {
    /// All codes.
    pub const ALL: [Self; 4] =
        [Self::ReadsUnorderedNode, Self::UndeclaredInput, Self::ReadsSkippedNode, Self::NeverFires];

    /// The name in messages; it never changes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadsUnorderedNode => "reads_unordered_node",
            Self::UndeclaredInput => "undeclared_input",
            Self::ReadsSkippedNode => "reads_skipped_node",
            Self::NeverFires => "never_fires",
        }
    }
}

impl fmt::Display for WarningCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Something in a definition that can be run and probably does not do what its author meant.
///
/// [`Compiled::warnings`](crate::Compiled::warnings) has those of a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Warning {
    /// Its kind.
    pub code: WarningCode,
    /// The ids of the nodes that are concerned, the one to be changed first; empty if it is about the output.
    pub nodes: Vec<String>,
    /// What is suspicious, for people.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}
