//! Schemas of the types in workflows of functions.

use std::sync::Arc;

use finale_core::compile::{Code, CompileError, Part, Problem};
use finale_core::definition::{NodeKind, Schema, SchemaError, Work};
use schemars::JsonSchema;

use super::{InputNode, TaskNode, TypedBuilder, ValueNode};
use crate::schemas::HandlerSchemas;
use crate::workflow::Workflow;

impl<Input: JsonSchema, Output: JsonSchema> TaskNode<'_, Input, Output> {
    /// Declares the schemas of the types that the task takes and gives, so that they are in the definition: others can read
    /// them there, and what somebody outside reports, or an operator says, is checked. Types that say nothing, such as
    /// [`serde_json::Value`], are left out.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// use finale::{NodeKind, Schema};
    ///
    /// async fn charge_card(_context: TaskContext, euros: u32) -> Result<String, TaskError> {
    ///     Ok(format!("{euros} euros paid"))
    /// }
    ///
    /// let order = Workflow::typed("order");
    /// let approved = order.external::<u32>("approve").with_schemas();
    /// order.task("charge", charge_card).with_schemas().input_from(approved);
    /// let order = order.build()?;
    /// let NodeKind::Task(charge) = &order.definition().nodes[1].kind else { panic!("it is a task") };
    /// assert_eq!(charge.input_schema, Some(Schema::of::<u32>()?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_schemas(self) -> Self {
        let schemas = HandlerSchemas::of::<Input, Output>();
        let mut draft = self.builder.draft();
        let draft = &mut *draft;
        let NodeKind::Task(task) = &mut draft.definition.nodes[self.index].kind else { return self };
        match schemas {
            Ok(schemas) => {
                task.output_schema.clone_from(&schemas.output);
                // Of what is done outside only the report has a type.
                if let Work::Handler(name) = &task.work {
                    task.input_schema.clone_from(&schemas.input);
                    let function = draft.functions.iter_mut().rfind(|function| function.name == *name);
                    function.into_iter().for_each(|function| function.schemas = Some(Arc::new(schemas.clone())));
                }
            }
            Err(error) => {
                let nodes = vec![draft.definition.nodes[self.index].id.clone()];
                let message = format!("the schemas of {:?}: {error}", nodes[0]);
                draft.problems.push(Problem { code: Code::SchemaInvalid, nodes, message, part: None });
            }
        }
        self
    }
}

impl TypedBuilder {
    /// Like [`build_as`](Self::build_as), with the schemas of the types that the workflow takes and gives in the definition:
    /// what an activation hands in is checked by them, also where it comes as JSON and not as an `Input`.
    ///
    /// # Errors
    /// Those of [`build_as`](Self::build_as), and when the schema of a type is over a limit.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// use finale::InputNode;
    ///
    /// async fn double(_context: TaskContext, number: u8) -> Result<u64, TaskError> {
    ///     Ok(u64::from(number) * 2)
    /// }
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let workflow = Workflow::typed("double");
    /// let workflow =
    ///     workflow.build_with_schemas(|it, number: InputNode<'_, u8>| it.task("double", double).input_from(number))?;
    /// let runtime = Runtime::builder().shards(Shards::Current).workflow(&workflow).start()?;
    ///
    /// let workflow = runtime.workflow("double").expect("it is registered"); // its types are not known here
    /// let error = runtime.activate(&workflow, 256).await.unwrap_err();
    /// assert_eq!(error.code(), "schema_mismatch");
    /// # Ok(())
    /// # }
    /// ```
    pub fn build_with_schemas<Input: JsonSchema, Output: JsonSchema, Kind>(
        self,
        describe: impl for<'w> FnOnce(&'w Self, InputNode<'w, Input>) -> ValueNode<'w, Kind, Output>,
    ) -> Result<Workflow<Input, Output>, CompileError> {
        self.declare(Schema::of::<Input>(), Part::InputSchema);
        self.declare(Schema::of_output::<Output>(), Part::OutputSchema);
        self.build_as(describe)
    }

    fn declare(&self, schema: Result<Schema, SchemaError>, part: Part) {
        let mut draft = self.draft();
        match (schema, part) {
            (Ok(schema), _) if schema.is_unconstrained() => {}
            (Ok(schema), Part::InputSchema) => draft.definition.input_schema = Some(schema),
            (Ok(schema), _) => draft.definition.output_schema = Some(schema),
            (Err(error), part) => {
                let message = format!("a schema of the workflow: {error}");
                let problem = Problem { code: Code::SchemaInvalid, nodes: Vec::new(), message, part: Some(part) };
                draft.problems.push(problem);
            }
        }
    }
}
