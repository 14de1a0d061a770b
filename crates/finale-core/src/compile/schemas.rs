//! The schemas that a definition declares, for those who can check payloads by them.

use super::bodies::{WorkflowGraph, parts};
use super::problem::{Code, Part, Problem};
use crate::definition::{Definition, NodeKind, Schema, Signal, Wait};

/// A schema that a definition declares, with where.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeclaredSchema {
    /// The schema.
    pub schema: Schema,
    /// Whether it is about what comes in; else it is about what goes out, or about what a signal says.
    pub is_of_input: bool,
    /// The node, by its path; `None` for the schemas of a workflow.
    pub node: Option<String>,
    /// The position in [`Definition::workflows`], if it is declared there.
    workflow: Option<usize>,
    /// In words: `the input schema of task "charge"`.
    what: String,
}

impl DeclaredSchema {
    /// That something is wrong with it.
    pub fn problem(&self, code: Code, reason: &str) -> Problem {
        let part = if self.is_of_input { Part::InputSchema } else { Part::OutputSchema };
        let part = self.workflow.map_or(part, Part::Workflow);
        let nodes = self.node.iter().cloned().collect();
        Problem { code, nodes, message: format!("{}: {reason}", self.what), part: Some(part) }
    }
}

/// All schemas of a definition that compiles, and of the workflows that it brings with it.
///
/// ```
/// use finale_core::compile::{Code, declared_schemas};
/// use finale_core::definition::{Definition, Schema, Task};
///
/// let task = Task::handler("charge_card").output_schema(Schema::from_json(br#"{"type": "text"}"#)?);
/// let schemas = declared_schemas(&Definition::builder("order").task("charge", task).build());
/// let problem = schemas[0].problem(Code::SchemaInvalid, "there is no such type");
/// assert_eq!(problem.message, "the output schema of \"charge\": there is no such type");
/// # Ok::<(), finale_core::definition::SchemaError>(())
/// ```
pub fn declared_schemas(definition: &Definition) -> Vec<DeclaredSchema> {
    let called = definition.workflows.iter().enumerate().map(|(position, called)| (Some(position), called));
    [(None, definition)]
        .into_iter()
        .chain(called)
        .flat_map(|(workflow, declaring)| of_workflow(workflow, declaring))
        .collect()
}

fn of_workflow(workflow: Option<usize>, definition: &Definition) -> Vec<DeclaredSchema> {
    let of_it = match workflow {
        Some(_) => format!("of workflow {:?} {}", definition.id, definition.version),
        None => "of the workflow".to_owned(),
    };
    let mut declared = pair(workflow, None, &of_it, [&definition.input_schema, &definition.output_schema]);
    let inside = workflow.map(|_| format!(" in {:?} {}", definition.id, definition.version)).unwrap_or_default();
    for part in &parts(definition, usize::MAX).0 {
        declared.extend(of_graph(workflow, part, &inside));
    }
    declared
}

fn of_graph(workflow: Option<usize>, part: &WorkflowGraph<'_>, inside: &str) -> Vec<DeclaredSchema> {
    let nodes = part.definition.nodes.iter();
    let of_nodes = nodes.flat_map(|node| {
        let name = part.name(&node.id);
        let of_it = format!("of {name:?}{inside}");
        match &node.kind {
            NodeKind::Task(task) => pair(workflow, Some(&name), &of_it, [&task.input_schema, &task.output_schema]),
            NodeKind::Wait(Wait::Signal(Signal { schema, .. })) => {
                let mut declared = pair(workflow, Some(&name), &of_it, [&None, schema]);
                declared.iter_mut().for_each(|declared| declared.what = format!("the schema {of_it}"));
                declared
            }
            _ => Vec::new(),
        }
    });
    of_nodes.collect()
}

fn pair(
    workflow: Option<usize>,
    node: Option<&str>,
    of_it: &str,
    [input, output]: [&Option<Schema>; 2],
) -> Vec<DeclaredSchema> {
    let declared = |schema: &Option<Schema>, is_of_input: bool| {
        let side = if is_of_input { "input" } else { "output" };
        let what = format!("the {side} schema {of_it}");
        Some(DeclaredSchema { schema: schema.clone()?, is_of_input, node: node.map(str::to_owned), workflow, what })
    };
    declared(input, true).into_iter().chain(declared(output, false)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::{Registry, compile};
    use crate::definition::{Task, Wait};

    fn schema(number: u32) -> Schema {
        Schema::new(&serde_json::json!({ "const": number })).expect("it is a schema")
    }

    #[test]
    fn every_schema_is_found_with_its_place() {
        let inner = Definition::builder("inner")
            .input_schema(schema(1))
            .task("pack", Task::handler("pack").output_schema(schema(2)));
        let outer = Definition::builder("outer")
            .output_schema(schema(3))
            .map("each", "[1]", Task::handler("each").input_schema(schema(4)))
            .compensate(Task::handler("undo").input_schema(schema(5)))
            .node("paid", NodeKind::Wait(Wait::Signal(Signal::named("paid").schema(schema(6)))))
            .call("ship", inner.build())
            .finally(Task::handler("tell").input_schema(schema(7)));
        let compiled = compile(outer.build(), &Registry::new()).expect("it is sound");
        let found = declared_schemas(compiled.definition());
        let found: Vec<_> = found
            .iter()
            .map(|found| {
                let problem = found.problem(Code::SchemaInvalid, "!");
                (found.schema.to_string(), problem.message, problem.nodes, problem.part)
            })
            .collect();
        let place = |number: u32, message: &str, node: &str, part| {
            let nodes: Vec<_> = Some(node.to_owned()).filter(|node| !node.is_empty()).into_iter().collect();
            (format!("{{\"const\":{number}}}"), message.to_owned(), nodes, Some(part))
        };
        assert_eq!(
            found,
            [
                place(3, "the output schema of the workflow: !", "", Part::OutputSchema),
                place(6, "the schema of \"paid\": !", "paid", Part::OutputSchema),
                place(4, "the input schema of \"each::each\": !", "each::each", Part::InputSchema),
                place(
                    5,
                    "the input schema of \"each@compensate::each\": !",
                    "each@compensate::each",
                    Part::InputSchema
                ),
                place(7, "the input schema of \"@finally::finally\": !", "@finally::finally", Part::InputSchema),
                place(1, "the input schema of workflow \"inner\" 1.0.0: !", "", Part::Workflow(0)),
                place(2, "the output schema of \"pack\" in \"inner\" 1.0.0: !", "pack", Part::Workflow(0)),
            ]
        );
    }

    #[test]
    fn a_signal_with_a_schema_has_a_name_that_is_known() {
        let wait = |name: &str| NodeKind::Wait(Wait::Signal(Signal::named(name).schema(schema(1))));
        let build = |name: &str| compile(Definition::builder("w").node("paid", wait(name)).build(), &Registry::new());
        assert!(build("paid").is_ok());
        let error = build("paid ${{ input.order }}").expect_err("nobody knows the name");
        assert_eq!(error.problems[0].code, Code::BadSignal);
    }
}
