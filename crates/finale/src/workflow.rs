//! A definition that was checked and can be activated.

use std::fmt;
use std::sync::Arc;

use finale_core::compile::{CompileError, Limits, Registry, compile_within};
use finale_core::definition::{DefinitionBuilder, FromDefinition};
use finale_core::{Compiled, Definition, DefinitionHash};

use crate::handler::Function;

/// A checked definition; a clone is the same one.
#[derive(Clone)]
pub struct Workflow(Arc<Inner>);

struct Inner {
    compiled: Compiled,
    registry: Registry,
    limits: Limits,
    /// Those it was built of, if it was built of functions.
    functions: Vec<Function>,
}

impl Workflow {
    /// Begins a workflow with that id and name, version 1.0.0.
    ///
    /// ```
    /// use finale::Workflow;
    ///
    /// let workflow = Workflow::builder("order")
    ///     .task("reserve", "reserve_stock")
    ///     .task("charge", "charge_card")
    ///     .after("reserve")
    ///     .build()?;
    /// assert_eq!(workflow.definition().id, "order");
    ///
    /// let error = Workflow::builder("order").task("charge", "charge_card").after("resrve").build().unwrap_err();
    /// assert!(error.to_string().contains("which is no node"));
    /// # Ok::<(), finale::core::compile::CompileError>(())
    /// ```
    pub fn builder(id: impl Into<String>) -> WorkflowBuilder {
        WorkflowBuilder::new(id)
    }

    /// Checks a definition.
    ///
    /// # Errors
    /// All problems of the first phase that has any, each with its code and its nodes.
    pub fn new(definition: Definition) -> Result<Self, CompileError> {
        Self::with_registry(definition, Registry::default())
    }

    /// Checks a definition whose sub-workflows are found in the registry.
    ///
    /// # Errors
    /// All problems of the first phase that has any, each with its code and its nodes.
    pub fn with_registry(definition: Definition, registry: Registry) -> Result<Self, CompileError> {
        Self::with_limits(definition, registry, Limits::default())
    }

    /// Checks a definition that may be larger, or less large, than by default.
    ///
    /// # Errors
    /// All problems of the first phase that has any, each with its code and its nodes.
    pub fn with_limits(definition: Definition, registry: Registry, limits: Limits) -> Result<Self, CompileError> {
        let id = definition.id.clone();
        let compiled = compile_within(definition, &registry, &limits)
            .inspect_err(|error| crate::observe::invalid_definition(&id, error))?;
        Ok(Self(Arc::new(Inner { compiled, registry, limits, functions: Vec::new() })))
    }

    /// The definition as it was written.
    pub fn definition(&self) -> &Definition {
        self.0.compiled.definition()
    }

    /// The definition made ready to run.
    pub fn compiled(&self) -> &Compiled {
        &self.0.compiled
    }

    /// What names the definition by its content.
    pub fn hash(&self) -> DefinitionHash {
        self.0.compiled.hash()
    }

    /// The same, built of these functions; nobody else has it yet.
    pub(crate) fn with_functions(mut self, functions: Vec<Function>) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.functions = functions;
        }
        self
    }

    pub(crate) fn functions(&self) -> &[Function] {
        &self.0.functions
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.0.registry
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Another compiled copy: threads that share one pay for it with every access.
    pub(crate) fn compile_again(&self) -> Result<Compiled, CompileError> {
        compile_within(self.definition().clone(), &self.0.registry, &self.0.limits)
    }
}

/// Builds a workflow node by node; what it builds is checked.
pub type WorkflowBuilder = DefinitionBuilder<Workflow>;

impl FromDefinition for Workflow {
    type Output = Result<Self, CompileError>;

    fn from_definition(definition: Definition) -> Self::Output {
        Self::new(definition)
    }
}

impl fmt::Debug for Workflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let definition = self.definition();
        write!(f, "Workflow({} {})", definition.id, definition.version)
    }
}
