//! The schemas that handlers bring with them, and how they can be at odds with those of tasks.

use std::fmt;

use finale_core::definition::{Schema, SchemaDifference};

/// The schemas that a handler brings with it: those of its types. What says nothing is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HandlerSchemas {
    pub(crate) input: Option<Schema>,
    pub(crate) output: Option<Schema>,
    /// Whether the handler gives nothing else, because its types do not let it; else what it gives is checked each time.
    pub(crate) is_kept: bool,
}

/// A task declares other schemas than those that its handler brings with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", Described(self))]
#[non_exhaustive]
pub struct SchemaConflict {
    /// The id of the workflow.
    pub workflow: String,
    /// The id of the node, in whichever graph of the workflow it is.
    pub node: String,
    /// The name of the handler.
    pub handler: String,
    /// Whether it is about what the handler is given; else it is about what the handler gives.
    pub is_of_input: bool,
    /// The first place where the schemas differ; `this` is what the task declares, `other` what the handler brings.
    pub difference: SchemaDifference,
}

struct Described<'a>(&'a SchemaConflict);

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SchemaConflict { workflow, node, handler, is_of_input, difference } = self.0;
        let side = if *is_of_input { "input" } else { "output" };
        let place = if difference.at.is_empty() { String::new() } else { format!(" at {:?}", difference.at) };
        let said = |said: &Option<String>| said.clone().unwrap_or_else(|| "nothing".to_owned());
        let (declared, brought) = (said(&difference.this), said(&difference.other));
        write!(
            f,
            "workflow {workflow:?}: the {side} schema of {node:?} is not that of handler {handler:?}: it says \
             {declared}{place}, the handler {brought}"
        )
    }
}

#[cfg(feature = "schema")]
impl HandlerSchemas {
    /// Those of what is read as an `Input` and written as an `Output`.
    pub(crate) fn of<Input: schemars::JsonSchema, Output: schemars::JsonSchema>()
    -> Result<Self, finale_core::definition::SchemaError> {
        let says_something = |schema: &Schema| !schema.is_unconstrained();
        Ok(Self {
            input: Some(Schema::of::<Input>()?).filter(says_something),
            output: Some(Schema::of_output::<Output>()?).filter(says_something),
            is_kept: true,
        })
    }
}

impl HandlerSchemas {
    /// The two schemas, that of the input first.
    pub(crate) fn both(&self) -> [Option<&Schema>; 2] {
        [self.input.as_ref(), self.output.as_ref()]
    }
}
