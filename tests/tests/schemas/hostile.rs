//! Schemas and payloads that are made to take long, or to overflow a stack.

use finale::{Schema, Task, Workflow};
use finale_tests::actor::{for_each_journal, runtime, settle};
use serde_json::{Map, Value, json};

use super::{one, task_of};

fn build(schema: &Value) -> Result<Workflow, finale::CompileError> {
    Workflow::builder("w").task("a", Task::external().output_schema(Schema::new(schema).unwrap())).build()
}

/// A value inside of that many others.
fn nested(depth: usize, innermost: Value) -> Value {
    (0..depth).fold(innermost, |inner, _| json!({"a": inner}))
}

/// `$defs` of that many schemas, each made with a reference to the next one.
fn chain(length: usize, last: Value, link: impl Fn(Value) -> Value) -> Value {
    let next = |number: usize| json!({"$ref": format!("#/$defs/d{}", number + 1)});
    let mut defs: Map<String, Value> = (0..length).map(|number| (format!("d{number}"), link(next(number)))).collect();
    defs.insert(format!("d{length}"), last);
    json!({"$ref": "#/$defs/d0", "$defs": defs})
}

#[test]
fn what_would_take_for_ever_is_refused_with_the_definition() {
    for schema in [
        chain(40, json!({"type": "integer"}), |next| json!({"allOf": [next, next]})),
        chain(40, json!(true), |next| json!({"allOf": [{"properties": {"a": next}}, {"properties": {"a": next}}]})),
        chain(900, json!(true), |next| json!({"allOf": [next]})),
        json!({"pattern": "(a{1000}){1000}"}),
    ] {
        assert_eq!(build(&schema).unwrap_err().problems[0].code.as_str(), "schema_invalid");
    }
}

#[actix::test]
async fn a_report_that_would_take_for_ever_is_refused() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let twice = json!({"anyOf": [
            {"properties": {"a": {"$ref": "#"}}, "required": ["b"]}, {"properties": {"a": {"$ref": "#"}}, "required": ["c"]}
        ]});
        let long_ways = chain(30, json!({"properties": {"a": {"$ref": "#"}}}), |next| json!({"allOf": [next]}));
        for schema in [twice, long_ways] {
            let ask = one("a", Task::external().output_schema(Schema::new(&schema).unwrap()));
            let execution = runtime.activate(&ask, ()).await.unwrap();
            let task = task_of(&runtime, execution.id()).await;
            let error = runtime.complete_task(task, nested(90, json!({}))).await.unwrap_err();
            assert!(error.to_string().contains("more than 1000000 steps"), "{error}");
            settle().await;
        }
    })
    .await;
}

#[actix::test]
async fn a_regular_expression_takes_time_by_the_length_of_the_text() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let schema = Schema::new(&json!({"pattern": "^(a+)+$"})).unwrap();
        let execution = runtime.activate(&one("a", Task::external().output_schema(schema)), ()).await.unwrap();
        let task = task_of(&runtime, execution.id()).await;
        let error = runtime.complete_task(task, "a".repeat(10_000) + "b").await.unwrap_err();
        assert_eq!(error.code(), "schema_mismatch");
        assert!(error.to_string().len() < 500, "{error}");
    })
    .await;
}

/// The longest that is accepted is checked within the stack of a shard's thread.
#[test]
fn a_deep_payload_is_checked_within_the_stack() {
    let checked = std::thread::Builder::new().stack_size(2 << 20).spawn(|| {
        let ways = chain(3, json!({"properties": {"a": {"$ref": "#"}}}), |next| json!({"allOf": [next]}));
        let workflow = Workflow::builder("w").input_schema(Schema::new(&ways).unwrap()).task("a", Task::external());
        let workflow = workflow.build().unwrap();
        actix::System::new().block_on(async move {
            let runtime = finale::Runtime::builder().shards(finale::Shards::Current).start().unwrap();
            runtime.activate(&workflow, nested(90, json!({}))).await.map(drop)
        })
    });
    assert!(checked.unwrap().join().unwrap().is_ok());
}
