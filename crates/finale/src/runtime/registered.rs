//! The workflows that a runtime knows by name.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use finale_core::Definition;
use finale_core::compile::{CompileError, Registry};

use super::Runtime;
use crate::actors::schema_conflict::find_conflict;
use crate::handler::Handlers;
use crate::schemas::SchemaConflict;
use crate::workflow::Workflow;

/// The workflows that a runtime knows by their ids and versions.
#[derive(Debug, Default)]
pub(crate) struct Registered {
    known: RwLock<Known>,
    /// What the runtime was started with.
    handlers: Handlers,
}

#[derive(Debug, Default)]
struct Known {
    /// In the order in which they were registered.
    by_id: HashMap<String, Vec<Workflow>>,
    /// The same, for those that call them.
    registry: Registry,
    /// Those that registered ones bring with them, by id and version, without what they bring themselves.
    brought: HashMap<(String, String), Definition>,
}

impl Known {
    /// Whether something else is known under the id and the version of a definition.
    fn contradicts(&self, definition: &Definition) -> bool {
        let Definition { id, version, .. } = definition;
        let mut registered = self.by_id.get(id).into_iter().flatten().map(|workflow| workflow.definition());
        let registered = registered.find(|known| known.version == *version);
        let known = registered.or_else(|| self.brought.get(&(id.clone(), version.clone())));
        known.is_some_and(|known| alone(known) != alone(definition))
    }
}

/// A definition without those that it brings with it: what these are is compared one by one.
fn alone(definition: &Definition) -> Definition {
    Definition { workflows: Vec::new(), ..definition.clone() }
}

/// A definition, those that it brings with it, and those that these bring.
fn with_all_brought(definition: &Definition) -> Vec<&Definition> {
    let mut all = vec![definition];
    let mut next = 0;
    while let Some(definition) = all.get(next).copied() {
        all.extend(&definition.workflows);
        next += 1;
    }
    all
}

impl Registered {
    /// None yet, in a runtime with these handlers.
    pub(crate) fn new(handlers: Handlers) -> Self {
        Self { handlers, ..Self::default() }
    }

    pub(crate) fn insert(&self, workflow: Workflow) -> Result<(), RegisterError> {
        if let Some(conflict) = find_conflict(&workflow, &self.handlers) {
            return Err(RegisterError::Schema(Box::new(conflict)));
        }
        let definition = workflow.definition().clone();
        // Ignoring poison is safe: both are changed at the end, and neither change panics.
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let versions = known.by_id.get(&definition.id).into_iter().flatten();
        let mut versions = versions.filter(|known| known.definition().version == definition.version);
        match versions.next() {
            Some(same) if same.hash() == workflow.hash() => return Ok(()),
            Some(_) => return Err(RegisterError::Conflict { id: definition.id, version: definition.version }),
            None => {}
        }
        let all = with_all_brought(&definition);
        if let Some(other) = all.iter().find(|brought| known.contradicts(brought)) {
            return Err(RegisterError::Conflict { id: other.id.clone(), version: other.version.clone() });
        }
        let brought = all.into_iter().skip(1).map(|one| ((one.id.clone(), one.version.clone()), alone(one)));
        known.brought.extend(brought);
        known.by_id.entry(definition.id.clone()).or_default().push(workflow);
        known.registry.insert(definition);
        Ok(())
    }

    fn get(&self, id: &str, version: Option<&str>) -> Option<Workflow> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let mut versions = known.by_id.get(id)?.iter().rev();
        versions.find(|known| version.is_none_or(|version| known.definition().version == version)).cloned()
    }

    fn compile(&self, definition: Definition) -> Result<Workflow, CompileError> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        Workflow::with_registry(definition, &known.registry)
    }
}

impl Runtime {
    /// Makes a workflow known by its id and version: [`workflow`](Self::workflow) finds it, and definitions that
    /// [`compile`](Self::compile) checks can call it. [`Builder::workflow`](crate::Builder::workflow) does the same before the start.
    ///
    /// Whoever called an earlier version goes on with that. Handlers are not registered by this: they are those that
    /// the runtime was started with. What is registered lives as long as the runtime, and is in no journal.
    ///
    /// # Errors
    /// A workflow with the same id and version and another content is registered; registering the same again changes
    /// nothing. Or a task of it declares other schemas than those that its handler brings with it.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// runtime.register(&Workflow::builder("ship").task("label", Task::external()).build()?)?;
    ///
    /// // Read from a file, for example.
    /// let definition = finale::Definition::builder("order").call("ship", Call::to("ship", "1.0.0")).build();
    /// runtime.register(&runtime.compile(definition)?)?;
    ///
    /// let order = runtime.workflow("order").expect("it is registered");
    /// let execution = runtime.activate(&order, ()).await?;
    /// execution.complete("ship::label", ()).await?;
    /// assert_eq!(execution.outcome().await?.status(), ExecutionStatus::Completed);
    /// # Ok(())
    /// # }
    /// ```
    pub fn register<Input, Output>(&self, workflow: &Workflow<Input, Output>) -> Result<(), RegisterError> {
        self.0.registered.insert(workflow.undeclared())
    }

    /// The workflow with that id; of several versions the one that was registered last.
    pub fn workflow(&self, id: &str) -> Option<Workflow> {
        self.0.registered.get(id, None)
    }

    /// The workflow with that id and version.
    pub fn workflow_version(&self, id: &str, version: &str) -> Option<Workflow> {
        self.0.registered.get(id, Some(version))
    }

    /// Checks a definition whose calls find the workflows that are registered, beside those that it brings with it.
    ///
    /// What it calls is kept with it: whatever is registered later, it runs what it was checked with. It is not
    /// registered itself.
    ///
    /// # Errors
    /// All problems of the first phase that has any. A workflow that calls itself, be it through others, is one of them:
    /// `subworkflow_cycle_detected`.
    pub fn compile(&self, definition: Definition) -> Result<Workflow, CompileError> {
        self.0.registered.compile(definition)
    }
}

/// Why a workflow was not registered; everything is as it was before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// Another workflow is registered under this id and version, or is called by one that is.
    #[error("another workflow {id:?} is known as version {version:?}: give one of them another version")]
    Conflict {
        /// The id of both.
        id: String,
        /// The version of both.
        version: String,
    },
    /// A task declares other schemas than its handler.
    #[error(transparent)]
    Schema(#[from] Box<SchemaConflict>),
}

impl RegisterError {
    /// The name of the kind of error, which does not change between versions.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Conflict { .. } => "workflow_conflict",
            Self::Schema(_) => "schema_conflict",
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
    fn what_a_workflow_brings_with_it_contradicts_nothing_that_is_known() {
        let order = |id: &str, handler: &str| {
            Workflow::builder(id).call("ship", &ship("1.0.0", handler)).build().expect("it is sound")
        };
        let known = Registered::default();
        known.insert(ship("1.0.0", "print_label")).expect("it is new");
        let error = known.insert(order("order", "write_label")).expect_err("it brings another one");
        let conflict = RegisterError::Conflict { id: "ship".to_owned(), version: "1.0.0".to_owned() };
        assert_eq!((error, known.get("order", None).is_some()), (conflict.clone(), false));
        known.insert(order("order", "print_label")).expect("it brings the same");
        // The other way round: what was brought is known from then on.
        let known = Registered::default();
        known.insert(order("order", "print_label")).expect("it is new");
        assert_eq!(known.insert(ship("1.0.0", "write_label")), Err(conflict.clone()));
        assert_eq!(known.insert(order("return", "write_label")), Err(conflict));
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
