//! Definitions as they are kept beside the executions that run them: a changed definition in the code does not change
//! what is under way.

use finale_core::DefinitionHash;
use finale_core::compile::{Limits, Registry};
use finale_core::definition::Definition;
use finale_core::fact::{Fact, Facts, Recorded};
use finale_journal::StoredDefinition;
use serde::{Deserialize, Serialize};

use crate::workflow::Workflow;

/// Everything that is needed to compile a definition again.
#[derive(Serialize, Deserialize)]
struct Source {
    /// With the workflows that it calls.
    definition: Definition,
    limits: Limits,
}

impl Workflow {
    /// The workflow as a journal keeps it.
    pub(crate) fn stored(&self) -> StoredDefinition {
        let source = Source { definition: self.definition().clone(), limits: *self.limits() };
        let bytes = serde_json::to_vec(&source).expect("a definition is made of texts, numbers and lists");
        StoredDefinition { hash: self.hash(), workflow: self.compiled().workflow_name(), bytes: bytes.into() }
    }

    /// The workflow that a journal kept.
    pub(crate) fn restore(stored: &StoredDefinition) -> Result<Self, String> {
        let source: Source = serde_json::from_slice(&stored.bytes)
            .map_err(|error| format!("the definition that is kept with it cannot be read: {error}"))?;
        let workflow = Self::with_limits(source.definition, &Registry::default(), source.limits);
        let workflow = workflow.map_err(|error| error.to_string())?;
        if workflow.hash() != stored.hash {
            return Err("the definition that is kept with it is not the one it began with".to_owned());
        }
        Ok(workflow)
    }
}

/// The definition that a history begins with.
pub(crate) fn began_with(history: &[u8]) -> Result<DefinitionHash, String> {
    match Facts::new(history).next() {
        Some(Ok(Recorded { fact: Fact::Activated(activation), .. })) => Ok(activation.definition),
        Some(Err(error)) => Err(error.to_string()),
        _ => Err("its history does not begin with its activation".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use finale_core::definition::{DeclaredType, Task};
    use serde_json::Value;

    use super::*;

    fn greet() -> Workflow {
        let definition = Definition::builder("greet").task("hello", Task::external().title("Say hello")).build();
        Workflow::new(definition).expect("the definition is sound")
    }

    #[test]
    fn a_workflow_is_restored_from_what_is_kept_of_it() {
        let workflow = greet();
        let restored = Workflow::restore(&workflow.stored()).expect("it can be read back");
        assert_eq!(restored.hash(), workflow.hash());
        assert_eq!(restored.definition(), workflow.definition());
    }

    #[test]
    fn an_input_that_is_null_if_it_is_not_given_is_kept() {
        let definition = Definition::builder("greet").accepts("n", DeclaredType::Json, Value::Null);
        let workflow =
            Workflow::new(definition.task("hello", Task::external()).build()).expect("the definition is sound");
        let restored = Workflow::restore(&workflow.stored()).expect("it can be read back");
        assert_eq!(restored.definition(), workflow.definition());
    }

    /// Whatever is registered by then: it runs what it began with.
    #[test]
    fn what_a_workflow_calls_is_kept_with_it() {
        let order = Definition::builder("order").call("greet", finale_core::definition::Call::to("greet", "1.0.0"));
        let registry = std::iter::once(greet().definition().clone()).collect();
        let workflow = Workflow::with_registry(order.build(), &registry).expect("what it calls is registered");
        let restored = Workflow::restore(&workflow.stored()).expect("it brings what it calls");
        assert_eq!(restored.hash(), workflow.hash());
        assert_eq!(restored.definition().workflows[0].id, "greet");
    }

    #[test]
    fn a_definition_that_was_changed_where_it_is_kept_is_refused() {
        let mut stored = greet().stored();
        let changed = String::from_utf8_lossy(&stored.bytes).replace("Say hello", "Say bye");
        stored.bytes = changed.into_bytes().into();
        assert!(Workflow::restore(&stored).is_err_and(|error| error.contains("not the one it began with")));
    }
}
