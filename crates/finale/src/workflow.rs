//! A definition that was checked and can be activated.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use finale_core::compile::{CompileError, Limits, Registry, Warning, compile_within};
use finale_core::definition::{Call, DefinitionBuilder, FromDefinition, SchemaMismatch};
use finale_core::{Compiled, Definition, DefinitionHash, NodeIndex, Payload};

use crate::declared::Undeclared;
use crate::handler::{Function, OutputChecks};
use crate::schemas::Schemas;

/// A checked definition; a clone is the same one.
///
/// It comes from [`Workflow::builder`], from functions ([`Workflow::typed`]), or from a [`Definition`] that was read
/// ([`Workflow::new`]). Keep it: the check is done once, and an activation shares it.
///
/// ```
/// use finale::Workflow;
///
/// let workflow = Workflow::builder("order").task("charge", "charge_card").build()?;
/// assert_eq!(workflow.definition().version, "1.0.0");
/// assert_eq!(format!("{workflow:?}"), "Workflow(order 1.0.0)");
/// # Ok::<(), finale::CompileError>(())
/// ```
///
/// `Input` and `Output` are what it takes and gives, where the compiler is to know: see
/// [`TypedBuilder::build_as`](crate::TypedBuilder::build_as). By default it does not.
pub struct Workflow<Input = Undeclared, Output = Undeclared> {
    inner: Arc<Inner>,
    types: PhantomData<fn(Input) -> Output>,
}

struct Inner {
    compiled: Compiled,
    limits: Limits,
    /// Those it was built of, if it was built of functions.
    functions: Vec<Function>,
    /// How reports on tasks with declared outputs are checked, by the ids of their nodes.
    outputs: OutputChecks,
    /// None if the definition declares none.
    schemas: Option<Schemas>,
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
    /// # Ok::<(), finale::CompileError>(())
    /// ```
    pub fn builder(id: impl Into<String>) -> WorkflowBuilder {
        WorkflowBuilder::new(id)
    }

    /// Checks a definition. That its handlers are registered is checked when it is activated.
    ///
    /// # Errors
    /// All problems of the first phase that has any, each with its code and its nodes.
    ///
    /// ```
    /// use finale::{Definition, Workflow};
    ///
    /// let builder = Definition::builder("order").task("charge", "charge_card").after("reserve");
    /// let definition = builder.task("ship", "ship").after("pack").build();
    /// let error = Workflow::new(definition).unwrap_err();
    /// assert_eq!(error.problems.len(), 2);
    /// ```
    pub fn new(definition: Definition) -> Result<Self, CompileError> {
        Self::with_registry(definition, &Registry::default())
    }

    /// Checks a definition whose calls find the workflows of the registry, beside those that it brings with it.
    ///
    /// What is found is kept with the workflow: whatever is registered later, it runs what it was checked with.
    ///
    /// # Errors
    /// All problems of the first phase that has any, each with its code and its nodes.
    pub fn with_registry(definition: Definition, registry: &Registry) -> Result<Self, CompileError> {
        Self::with_limits(definition, registry, Limits::default())
    }

    /// Checks a definition that may be larger, or less large, than by default; see
    /// [`CompileLimits`](crate::CompileLimits).
    ///
    /// The limits are kept with the workflow and hold wherever it runs.
    ///
    /// # Errors
    /// All problems of the first phase that has any, each with its code and its nodes.
    ///
    /// ```
    /// use finale::{CompileLimits, Definition, Registry, Workflow};
    ///
    /// let definition = Definition::builder("order").task("pack", "pack").task("ship", "ship").build();
    /// let limits = CompileLimits::new().nodes_max(3); // a start and an end count too
    /// let error = Workflow::with_limits(definition, &Registry::default(), limits).unwrap_err();
    /// assert_eq!(error.problems[0].code.to_string(), "too_many_nodes");
    /// ```
    pub fn with_limits(definition: Definition, registry: &Registry, limits: Limits) -> Result<Self, CompileError> {
        let id = definition.id.clone();
        let brought: Vec<_> = definition.workflows.iter().map(|one| (one.id.clone(), one.version.clone())).collect();
        let checked = compile_within(definition, registry, &limits)
            .and_then(|compiled| Ok((Schemas::new(&compiled, &brought)?, compiled)));
        let (schemas, compiled) = checked.inspect_err(|error| crate::observe::invalid_definition(&id, error))?;
        let compiled = checked_by(schemas.as_ref(), compiled);
        let inner = Inner { compiled, limits, functions: Vec::new(), outputs: OutputChecks::default(), schemas };
        Ok(Self { inner: Arc::new(inner), types: PhantomData })
    }
}

impl<Input, Output> Workflow<Input, Output> {
    /// The same, without the types that it takes and gives.
    pub fn undeclared(&self) -> Workflow {
        self.declared()
    }

    /// The same, said to take and give other types.
    pub(crate) fn declared<I, O>(&self) -> Workflow<I, O> {
        Workflow { inner: Arc::clone(&self.inner), types: PhantomData }
    }

    /// The definition as it was written, with the start and the end that a builder adds.
    pub fn definition(&self) -> &Definition {
        self.inner.compiled.definition()
    }

    /// The definition made ready to run.
    pub fn compiled(&self) -> &Compiled {
        &self.inner.compiled
    }

    /// What names the definition by its content: the same for the same definition, wherever it was read or built.
    ///
    /// ```
    /// use finale::Workflow;
    ///
    /// let build = |version| Workflow::builder("order").version(version).task("pack", "pack").build();
    /// assert_eq!(build("1.0.0")?.hash(), build("1.0.0")?.hash());
    /// assert_ne!(build("1.0.0")?.hash(), build("1.0.1")?.hash());
    /// # Ok::<(), finale::CompileError>(())
    /// ```
    pub fn hash(&self) -> DefinitionHash {
        self.inner.compiled.hash()
    }

    /// What is suspicious in it: it runs, and probably does not do what its author meant. Errors are
    /// [`CompileError`]s instead, so that there is no workflow that has one.
    ///
    /// ```
    /// use finale::prelude::*;
    ///
    /// let charge = Task::handler("charge_card").input("nodes.reserve.output");
    /// let order = Workflow::builder("order").task("reserve", "reserve_stock").task("charge", charge).build()?;
    /// assert_eq!(order.warnings()[0].code.as_str(), "reads_unordered_node", "nothing says that it comes after it");
    /// # Ok::<(), finale::CompileError>(())
    /// ```
    pub fn warnings(&self) -> &[Warning] {
        self.inner.compiled.warnings()
    }

    /// Checks whether an output fits the schema that the definition declares for what a task gives. An output that does not is
    /// refused when it is reported; this tells before. Every output fits a node that declares none.
    ///
    /// # Errors
    /// What does not fit, and where.
    ///
    /// ```
    /// # #[cfg(feature = "schema")]
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use finale::{Payload, Schema, Task, Workflow};
    ///
    /// let count = Task::external().output_schema(Schema::from_json(br#"{"type": "integer"}"#)?);
    /// let workflow = Workflow::builder("boxes").task("count", count).build()?;
    /// let node = workflow.compiled().position("count").expect("there is such a node");
    /// assert!(workflow.check_output(node, &Payload::encode(&2)?).is_ok());
    /// assert!(workflow.check_output(node, &Payload::encode("two")?).is_err());
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "schema"))]
    /// # fn main() {}
    /// ```
    pub fn check_output(&self, node: NodeIndex, output: &Payload) -> Result<(), SchemaMismatch> {
        self.schemas().map_or(Ok(()), |schemas| schemas.check_output(node, output.as_bytes()))
    }

    /// Checks whether what a signal says fits the schemas of all nodes that wait for one of that name. A signal that does not
    /// is refused when it is sent; this tells before.
    ///
    /// # Errors
    /// What does not fit, and where.
    pub fn check_signal(&self, name: &str, payload: &Payload) -> Result<(), SchemaMismatch> {
        self.schemas().map_or(Ok(()), |schemas| schemas.check_signal(name, payload))
    }

    /// The same, built of these functions; nobody else has it yet.
    pub(crate) fn with_functions(mut self, functions: Vec<Function>, outputs: OutputChecks) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            (inner.functions, inner.outputs) = (functions, outputs);
        }
        self
    }

    pub(crate) fn functions(&self) -> &[Function] {
        &self.inner.functions
    }

    pub(crate) fn outputs(&self) -> &OutputChecks {
        &self.inner.outputs
    }

    /// What its payloads are checked by, if it declares schemas.
    pub(crate) fn schemas(&self) -> Option<&Schemas> {
        self.inner.schemas.as_ref()
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// Another compiled copy: threads that share one pay for it with every access.
    pub(crate) fn compile_again(&self) -> Result<Compiled, CompileError> {
        let compiled = compile_within(self.definition().clone(), &Registry::default(), &self.inner.limits)?;
        Ok(checked_by(self.schemas(), compiled))
    }
}

/// A definition whose executions check what workflows take and give, if it declares schemas.
fn checked_by(schemas: Option<&Schemas>, compiled: Compiled) -> Compiled {
    match schemas {
        Some(schemas) => compiled.check_by(schemas.of_workflows()),
        None => compiled,
    }
}

/// Builds a workflow node by node; what it builds is checked. From [`Workflow::builder`].
///
/// A task is the name of its handler, or a [`Task`](finale_core::definition::Task). What comes after a node is said of
/// that node: `after`, `when`, `when_true`, `when_false`, `on`, `trigger_rule`, `losers` and `catch` are about the node that
/// was added last. A start and an end are added where there is none.
///
/// ```
/// use std::time::Duration;
///
/// use finale::prelude::*;
///
/// let charge = Task::handler("charge_card").title("Charge the card").retry(3, Duration::from_secs(2));
/// let workflow = Workflow::builder("order")
///     .name("Fulfil an order")
///     .version("1.2.0")
///     .requires("item", DeclaredType::String)
///     .accepts("express", DeclaredType::Boolean, false)
///     .on_failure(OnFailure::WaitAll)
///     .task("charge", charge)
///     .condition("way", "input.express")
///     .after("charge")
///     .task("courier", "call_courier")
///     .when_true("way")
///     .task("post", "take_to_the_post")
///     .when_false("way")
///     .task("note", Task::external())
///     .when("input.item != 'kettle'")
///     .output("nodes.charge.output")
///     .build()?;
/// assert_eq!(workflow.definition().name, "Fulfil an order");
/// # Ok::<(), finale::CompileError>(())
/// ```
pub type WorkflowBuilder = DefinitionBuilder<Workflow>;

impl FromDefinition for Workflow {
    type Output = Result<Self, CompileError>;

    fn from_definition(definition: Definition) -> Self::Output {
        Self::new(definition)
    }
}

/// A call of this workflow, in this version of it. Its handlers must be registered where the caller runs: by name, or by
/// [`Builder::workflow`](crate::Builder::workflow).
///
/// ```
/// use finale::{Call, Workflow};
///
/// let ship = Workflow::builder("ship").task("label", "print_label").build()?;
/// let order = Workflow::builder("order").call("to", &ship).call("back", Call::from(&ship).optional()).build()?;
/// assert_eq!(order.definition().workflows.len(), 1);
/// # Ok::<(), finale::CompileError>(())
/// ```
impl<Input, Output> From<&Workflow<Input, Output>> for Call {
    fn from(workflow: &Workflow<Input, Output>) -> Self {
        Self::of(workflow.definition().clone())
    }
}

// By hand: the derived ones would ask the same of the input and the output.
impl<Input, Output> Clone for Workflow<Input, Output> {
    fn clone(&self) -> Self {
        self.declared()
    }
}

impl<Input, Output> fmt::Debug for Workflow<Input, Output> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let definition = self.definition();
        write!(f, "Workflow({} {})", definition.id, definition.version)
    }
}
