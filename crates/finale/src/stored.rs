//! Definitions as they are kept beside the executions that run them: a changed definition in the code does not change
//! what is under way.

use finale_core::DefinitionHash;
use finale_core::compile::{Limits, Registry};
use finale_core::definition::{Definition, NodeKind};
use finale_core::fact::{Fact, Facts, Recorded};
use finale_journal::StoredDefinition;
use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};

use crate::workflow::Workflow;

/// Everything that is needed to compile a definition again.
#[derive(Serialize, Deserialize)]
struct Source {
    definition: Definition,
    /// The definitions that it calls, and those that they call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    called: Vec<Definition>,
    limits: Limits,
}

impl Workflow {
    /// The workflow as a journal keeps it.
    pub(crate) fn stored(&self) -> StoredDefinition {
        let source = Source {
            definition: self.definition().clone(),
            called: called(self.definition(), self.registry()),
            limits: *self.limits(),
        };
        let bytes = serde_json::to_vec(&source).expect("a definition is made of texts, numbers and lists");
        StoredDefinition { hash: self.hash(), workflow: self.compiled().workflow_name(), bytes: bytes.into() }
    }

    /// The workflow that a journal kept.
    pub(crate) fn restore(stored: &StoredDefinition) -> Result<Self, String> {
        let source: Source = serde_json::from_slice(&stored.bytes)
            .map_err(|error| format!("the definition that is kept with it cannot be read: {error}"))?;
        let registry = source.called.into_iter().collect();
        let workflow =
            Self::with_limits(source.definition, registry, source.limits).map_err(|error| error.to_string())?;
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

/// The definitions that can be reached from one, each once.
fn called(definition: &Definition, registry: &Registry) -> Vec<Definition> {
    let mut found: Vec<Definition> = Vec::new();
    let mut seen = FxHashSet::default();
    let mut waiting = references(definition);
    while let Some((id, version)) = waiting.pop() {
        let Some(called) = registry.get(&id, &version) else { continue };
        if seen.insert((id, version)) {
            waiting.extend(references(called));
            found.push(called.clone());
        }
    }
    found
}

fn references(definition: &Definition) -> Vec<(String, String)> {
    let reference = |node: &finale_core::definition::Node| match &node.kind {
        NodeKind::Subworkflow(call) => call.workflow.clone().zip(call.version.clone()),
        _ => None,
    };
    definition.nodes.iter().filter_map(reference).collect()
}

#[cfg(test)]
mod tests {
    use finale_core::definition::Task;

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
    fn a_definition_that_was_changed_where_it_is_kept_is_refused() {
        let mut stored = greet().stored();
        let changed = String::from_utf8_lossy(&stored.bytes).replace("Say hello", "Say bye");
        stored.bytes = changed.into_bytes().into();
        assert!(Workflow::restore(&stored).is_err_and(|error| error.contains("not the one it began with")));
    }
}
