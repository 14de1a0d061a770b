//! The workflows that a runtime knows by name.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use finale_core::Definition;
use finale_core::compile::{CompileError, Registry};

use crate::workflow::Workflow;

/// The workflows that a runtime knows by their ids and versions.
#[derive(Debug, Default)]
pub(crate) struct Registered(RwLock<Known>);

#[derive(Debug, Default)]
struct Known {
    /// In the order in which they were registered.
    by_id: HashMap<String, Vec<Workflow>>,
    /// The same, for those that call them.
    registry: Registry,
}

impl Registered {
    pub(crate) fn insert(&self, workflow: Workflow) -> Result<(), RegisterError> {
        let definition = workflow.definition().clone();
        // Ignoring poison is safe: both are changed at the end, and neither change panics.
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let versions = known.by_id.entry(definition.id.clone()).or_default();
        match versions.iter().find(|known| known.definition().version == definition.version) {
            Some(same) if same.hash() == workflow.hash() => return Ok(()),
            Some(_) => return Err(RegisterError::Conflict { id: definition.id, version: definition.version }),
            None => versions.push(workflow),
        }
        known.registry.insert(definition);
        Ok(())
    }

    pub(crate) fn get(&self, id: &str, version: Option<&str>) -> Option<Workflow> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut versions = known.by_id.get(id)?.iter().rev();
        versions.find(|known| version.is_none_or(|version| known.definition().version == version)).cloned()
    }

    pub(crate) fn compile(&self, definition: Definition) -> Result<Workflow, CompileError> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Workflow::with_registry(definition, &known.registry)
    }
}

/// Why a workflow was not registered; everything is as it was before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// Another workflow is registered under this id and version.
    #[error("another workflow {id:?} is registered as version {version:?}: give one of them another version")]
    Conflict {
        /// The id of both.
        id: String,
        /// The version of both.
        version: String,
    },
}

impl RegisterError {
    /// The name of the kind of error, which does not change between versions.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Conflict { .. } => "workflow_conflict",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ship(version: &str, handler: &str) -> Workflow {
        Workflow::builder("ship").version(version).task("label", handler).build().expect("it is sound")
    }

    #[test]
    fn of_several_versions_the_last_one_is_found_unless_one_is_named() {
        let known = Registered::default();
        for version in ["1.0.0", "2.0.0", "1.1.0"] {
            known.insert(ship(version, "print_label")).expect("it is new");
        }
        known.insert(ship("1.0.0", "print_label")).expect("it is the same");
        let version = |wanted| known.get("ship", wanted).map(|found| found.definition().version.clone());
        assert_eq!(version(None).as_deref(), Some("1.1.0"));
        assert_eq!(version(Some("2.0.0")).as_deref(), Some("2.0.0"));
        assert_eq!((version(Some("3.0.0")), known.get("order", None).is_some()), (None, false));
    }

    #[test]
    fn another_content_under_the_same_version_is_refused() {
        let known = Registered::default();
        known.insert(ship("1.0.0", "print_label")).expect("it is new");
        let error = known.insert(ship("1.0.0", "write_label")).expect_err("it is another one");
        assert_eq!(error.code(), "workflow_conflict");
        let kept = known.get("ship", None).expect("the first is there");
        assert_eq!(kept.hash(), ship("1.0.0", "print_label").hash());
    }

    #[test]
    fn what_would_call_itself_is_refused() {
        let known = Registered::default();
        known.insert(ship("1.0.0", "print_label")).expect("it is new");
        let to = |id: &str| finale_core::definition::Call::to(id, "1.0.0");
        let order = Definition::builder("order").call("ship", to("ship")).call("again", to("order")).build();
        let error = known.compile(order).expect_err("it calls itself");
        assert_eq!(error.problems[0].code.as_str(), "subworkflow_cycle_detected");
    }
}
