//! Payloads, and the schemas that a definition declares for them.

mod conflict;
#[cfg(feature = "schema")]
mod subschemas;
#[cfg(feature = "schema")]
mod validator;
#[cfg(not(feature = "schema"))]
#[path = "schemas/unsupported.rs"]
mod validator;

pub(crate) use self::conflict::HandlerSchemas;
pub use self::conflict::SchemaConflict;

use std::collections::HashMap;
use std::sync::Arc;

use finale_core::compile::{CompileError, Part, Phase, Problem, declared_schemas};
use finale_core::definition::{Node, NodeKind, Schema, SchemaMismatch, Signal, Wait};
use finale_core::{Compiled, NodeIndex, Payload, SchemaChecks};
use rustc_hash::FxHashMap;

use self::validator::{CODE, Validator};

/// The schemas of a workflow, made ready to check payloads. Made once for each workflow, and shared by all shards.
#[derive(Debug, Default)]
pub(crate) struct Schemas {
    input: Option<Arc<Validator>>,
    nodes: FxHashMap<NodeIndex, OfNode>,
    /// By the names of signals: all that nodes declare for it.
    signals: HashMap<String, Vec<Arc<Validator>>>,
    workflows: Arc<OfWorkflows>,
}

/// What the workflow gives, and what those that it calls take and give.
#[derive(Debug, Default)]
struct OfWorkflows(HashMap<Schema, Arc<Validator>>);

impl SchemaChecks for OfWorkflows {
    fn check(&self, schema: &Schema, what: &'static str, payload: &Payload) -> Result<(), SchemaMismatch> {
        check(self.0.get(schema), what, payload.as_bytes())
    }
}

#[derive(Debug, Default)]
struct OfNode {
    input: Option<Arc<Validator>>,
    output: Option<Arc<Validator>>,
}

/// What the schemas of one node are about.
pub(crate) fn schemas_of(node: &Node) -> [Option<&Schema>; 2] {
    match &node.kind {
        NodeKind::Task(task) => [task.input_schema.as_ref(), task.output_schema.as_ref()],
        NodeKind::Wait(Wait::Signal(signal)) => [None, signal.schema.as_ref()],
        _ => [None, None],
    }
}

impl Schemas {
    /// Those of a definition; none if it declares none. `brought` are the ids and versions of the workflows that stand in the
    /// definition as it was written, by which problems say where they are.
    ///
    /// # Errors
    /// When payloads cannot be checked by one of them.
    pub(crate) fn new(compiled: &Compiled, brought: &[(String, String)]) -> Result<Option<Self>, CompileError> {
        let definition = compiled.definition();
        let of_workflows = [definition].into_iter().chain(&definition.workflows);
        let mut of_workflows = of_workflows.flat_map(|one| [&one.input_schema, &one.output_schema]);
        let mut of_nodes = compiled.all_positions().flat_map(|node| schemas_of(compiled.node(node)));
        if !of_workflows.any(Option::is_some) && !of_nodes.any(|schema| schema.is_some()) {
            return Ok(None);
        }
        let (mut validators, mut problems) = (HashMap::new(), Vec::new());
        for declared in declared_schemas(definition) {
            if validators.contains_key(&declared.schema) {
                continue;
            }
            match Validator::new(&declared.schema) {
                Ok(validator) => drop(validators.insert(declared.schema, Arc::new(validator))),
                Err(reason) => problems.push(as_written(compiled, brought, declared.problem(CODE, &reason))),
            }
        }
        if problems.is_empty() {
            return Ok(Some(Self::of(compiled, &validators)));
        }
        Err(CompileError::new(definition, Phase::Schemas, problems))
    }

    fn of(compiled: &Compiled, validators: &HashMap<Schema, Arc<Validator>>) -> Self {
        let get = |schema: Option<&Schema>| schema.and_then(|schema| validators.get(schema)).cloned();
        let definition = compiled.definition();
        let of_called = definition.workflows.iter().flat_map(|called| [&called.input_schema, &called.output_schema]);
        let of_workflows = of_called.chain([&definition.output_schema]).flatten();
        let of_workflows = of_workflows.filter_map(|schema| Some((schema.clone(), get(Some(schema))?))).collect();
        let (input, workflows) = (get(definition.input_schema.as_ref()), Arc::new(OfWorkflows(of_workflows)));
        let mut schemas = Self { input, workflows, ..Self::default() };
        for number in compiled.all_positions() {
            let node = compiled.node(number);
            let [input, output] = schemas_of(node).map(get);
            if let (NodeKind::Wait(Wait::Signal(Signal { name, .. })), Some(said)) = (&node.kind, &output) {
                let known = schemas.signals.entry(name.clone()).or_default();
                if !known.iter().any(|known| Arc::ptr_eq(known, said)) {
                    known.push(Arc::clone(said));
                }
            }
            if input.is_some() || output.is_some() {
                schemas.nodes.insert(number, OfNode { input, output });
            }
        }
        schemas
    }

    /// By what an execution checks what workflows take and give.
    pub(crate) fn of_workflows(&self) -> Arc<dyn SchemaChecks> {
        Arc::<OfWorkflows>::clone(&self.workflows)
    }

    /// Checks what an activation hands in.
    pub(crate) fn check_activation(&self, input: &Payload) -> Result<(), SchemaMismatch> {
        check(self.input.as_ref(), "the input of the workflow", input.as_bytes())
    }

    /// Checks what a handler is given.
    pub(crate) fn check_input(&self, node: NodeIndex, input: &Payload) -> Result<(), SchemaMismatch> {
        check(self.nodes.get(&node).and_then(|node| node.input.as_ref()), "the input", input.as_bytes())
    }

    /// Checks what a task gave, or what somebody says that a node gave.
    pub(crate) fn check_output(&self, node: NodeIndex, output: &[u8]) -> Result<(), SchemaMismatch> {
        check(self.nodes.get(&node).and_then(|node| node.output.as_ref()), "the output", output)
    }

    /// Checks what a signal says: it must fit the schemas of all nodes that wait for one of that name.
    pub(crate) fn check_signal(&self, name: &str, payload: &Payload) -> Result<(), SchemaMismatch> {
        let mut declared = self.signals.get(name).into_iter().flatten();
        declared.try_for_each(|said| said.check("the payload of the signal", payload.as_bytes()))
    }
}

fn check(validator: Option<&Arc<Validator>>, what: &'static str, payload: &[u8]) -> Result<(), SchemaMismatch> {
    validator.map_or(Ok(()), |validator| validator.check(what, payload))
}

/// A problem with the position that its workflow has in the definition as it was written.
fn as_written(compiled: &Compiled, brought: &[(String, String)], problem: Problem) -> Problem {
    let Some(Part::Workflow(position)) = problem.part else { return problem };
    let called = compiled.definition().workflows.get(position);
    let is_called =
        |(id, version): &(String, String)| called.is_some_and(|called| (&called.id, &called.version) == (id, version));
    Problem { part: brought.iter().position(is_called).map(Part::Workflow), ..problem }
}
