//! Handlers that bring schemas with them, and tasks that declare others.

use actix::Actor;
use finale::message::RunTask;
use finale::prelude::*;
use finale::{ActivateError, InputNode, Payload, RegisterError, Schema, SchemaConflict, StartError};
use finale_tests::actor::{for_each_journal, runtime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Serialize, Deserialize, JsonSchema)]
struct Order {
    /// What is ordered.
    item: String,
    #[serde(default)]
    count: u32,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Receipt {
    euros: u32,
}

async fn charge(_context: TaskContext, order: Order) -> Result<Receipt, TaskError> {
    Ok(Receipt { euros: order.count * 20 })
}

async fn say_thanks(_context: TaskContext) -> Result<(), TaskError> {
    Ok(())
}

fn declares(input: Schema, output: Schema) -> Workflow {
    let task = Task::handler("charge").input_schema(input).output_schema(output);
    Workflow::builder("order").task("pay", task).build().unwrap()
}

/// The schema of a receipt, in which it is counted in something else.
fn other() -> Workflow {
    let mut receipt = Schema::of_output::<Receipt>().unwrap().to_value();
    receipt["properties"]["euros"]["type"] = json!("string");
    declares(Schema::of::<Order>().unwrap(), Schema::new(&receipt).unwrap())
}

fn check(conflict: &SchemaConflict) {
    let SchemaConflict { workflow, node, handler, is_of_input, difference, .. } = conflict;
    assert_eq!((workflow.as_str(), node.as_str(), handler.as_str()), ("order", "pay", "charge"));
    assert!(!is_of_input);
    assert_eq!(difference.at, "/properties/euros/type");
    assert_eq!(
        conflict.to_string(),
        "workflow \"order\": the output schema of \"pay\" is not that of handler \"charge\": it says \"string\" at \
         \"/properties/euros/type\", the handler \"integer\""
    );
}

#[actix::test]
async fn a_task_that_declares_something_else_is_refused_wherever_the_two_meet() {
    for_each_journal(async |journal| {
        let builder = || runtime(&journal).handler_with_schemas("charge", charge);
        let StartError::Workflow(RegisterError::Schema(conflict)) = builder().workflow(&other()).start().unwrap_err()
        else {
            panic!("the schemas differ")
        };
        check(&conflict);
        let runtime = builder().start().unwrap();
        let RegisterError::Schema(conflict) = runtime.register(&other()).unwrap_err() else {
            panic!("the schemas differ")
        };
        check(&conflict);
        let error = runtime.activate(&other(), json!({"item": "kettle"})).await.unwrap_err();
        assert_eq!(error.code(), "schema_conflict");
        let ActivateError::SchemaConflict(conflict) = error else { panic!("the schemas differ") };
        check(&conflict);
    })
    .await;
}

/// Charges like a handler, and answers as if it had counted in something else.
struct Cashier;

impl Actor for Cashier {
    type Context = actix::Context<Self>;
}

impl actix::Handler<RunTask> for Cashier {
    type Result = Result<Payload, TaskError>;

    fn handle(&mut self, _asked: RunTask, _context: &mut Self::Context) -> Self::Result {
        Ok(Payload::encode(&json!({"euros": "20"}))?)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "a handler is given its input")]
fn charge_on_a_thread(_context: BlockingContext, order: Order) -> Result<Receipt, TaskError> {
    Ok(Receipt { euros: order.count * 20 })
}

#[actix::test]
async fn handlers_of_every_kind_bring_their_schemas_with_them() {
    for_each_journal(async |journal| {
        let builder = || runtime(&journal);
        let cashier = || Cashier.start().recipient();
        for builder in [
            builder().blocking_handler_with_schemas("charge", charge_on_a_thread),
            builder().actor_handler_with_schemas::<Order, Receipt>("charge", cashier()),
        ] {
            let StartError::Workflow(RegisterError::Schema(conflict)) = builder.workflow(&other()).start().unwrap_err()
            else {
                panic!("the schemas differ")
            };
            check(&conflict);
        }
        let same = declares(Schema::of::<Order>().unwrap(), Schema::of_output::<Receipt>().unwrap());
        let blocking = builder().blocking_handler_with_schemas("charge", charge_on_a_thread);
        drop(blocking.workflow(&same).start().unwrap());
        let asking = builder().actor_handler_with_schemas::<Order, Receipt>("charge", cashier()).start().unwrap();
        let outcome = asking.activate(&same, json!({"item": "kettle"})).await.unwrap().outcome().await.unwrap();
        let failure = outcome.error().unwrap().failures()[0].code.clone();
        assert_eq!(failure.as_deref(), Some("output_schema"), "an actor may answer with anything");
    })
    .await;
}

#[actix::test]
async fn a_task_that_declares_the_same_in_its_own_words_is_accepted() {
    for_each_journal(async |journal| {
        let mut order = Schema::of::<Order>().unwrap().to_value();
        order["title"] = json!("An order");
        order["properties"]["item"].as_object_mut().unwrap().remove("description").unwrap();
        let order = declares(Schema::new(&order).unwrap(), Schema::of_output::<Receipt>().unwrap());
        let runtime = runtime(&journal).handler_with_schemas("charge", charge).workflow(&order).start().unwrap();
        let outcome = runtime.activate(&order, json!({"item": "kettle", "count": 2})).await.unwrap().outcome().await;
        assert_eq!(outcome.unwrap().output::<Value>().unwrap(), json!({"euros": 40}));
    })
    .await;
}

#[actix::test]
async fn a_handler_that_takes_anything_fits_every_task() {
    for_each_journal(async |journal| {
        let text = Schema::from_json(br#"{"type": "string"}"#).unwrap();
        let null = Schema::of_output::<()>().unwrap();
        let task = Task::handler("thank").input_schema(text).output_schema(null);
        let thank = Workflow::builder("thank").task("thank", task).build().unwrap();
        let runtime = runtime(&journal).handler_with_schemas("thank", say_thanks).workflow(&thank).start().unwrap();
        assert!(runtime.activate(&thank, "Ann").await.unwrap().outcome().await.unwrap().error().is_none());
        let outcome = runtime.activate(&thank, 5).await.unwrap().outcome().await.unwrap();
        assert!(outcome.error().is_some(), "what the handler does not look at is checked for it");
    })
    .await;
}

#[actix::test]
async fn a_workflow_of_functions_declares_the_schemas_of_their_types() {
    for_each_journal(async |journal| {
        let build = || {
            Workflow::typed("order").build_with_schemas(|order, input: InputNode<'_, Order>| {
                let approved = order.external::<u32>("approve").with_schemas();
                order.task("thank", say_thanks).with_schemas().after(approved);
                order.task("charge", charge).with_schemas().input_from(input).after(approved)
            })
        };
        let order = build().unwrap();
        let definition = order.definition();
        assert_eq!(definition.input_schema, Some(Schema::of::<Order>().unwrap()));
        assert_eq!(definition.output_schema, Some(Schema::of_output::<Receipt>().unwrap()));
        let task = |id: &str| match &definition.nodes.iter().find(|node| node.id == id).unwrap().kind {
            finale::NodeKind::Task(task) => [task.input_schema.clone(), task.output_schema.clone()],
            other => panic!("{other:?}"),
        };
        let of = |json: &str| Some(Schema::from_json(json.as_bytes()).unwrap());
        assert_eq!(task("charge"), [definition.input_schema.clone(), definition.output_schema.clone()]);
        assert_eq!(task("thank")[0], None, "it takes nothing");
        assert_eq!(task("approve")[0], None, "only the report has a type");
        assert!(task("approve")[1].is_some() && task("approve")[1] != of("true"));
        assert_eq!(order.hash(), build().unwrap().hash());

        let runtime = runtime(&journal).workflow(&order).start().unwrap();
        let error = runtime.activate(&order.undeclared(), json!({"count": 1})).await.unwrap_err();
        assert_eq!(error.code(), "schema_mismatch");
        let execution = runtime.activate(&order, Order { item: "kettle".to_owned(), count: 1 }).await.unwrap();
        assert_eq!(execution.complete("approve", -1).await.unwrap_err().code(), "schema_mismatch");
        execution.complete("approve", 1).await.unwrap();
        assert_eq!(execution.outcome().await.unwrap().output().unwrap().euros, 20);
    })
    .await;
}
