//! Payloads are what a definition declares by its schemas.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod conflicts;
mod hostile;
mod workflows;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use finale::{
    ActivateError, CommandError, Definition, Failure, FailureClass, ReportError, Runtime, Schema, SchemaMismatch,
    Shards, Signal, Task, TaskContext, TaskError, TaskId, Workflow,
};
use finale_core::definition::{NodeKind, Wait};
use finale_tests::actor::{for_each_journal, runtime, settle};
use serde_json::{Value, json};

fn schema(value: &Value) -> Schema {
    Schema::new(value).unwrap()
}

fn integer() -> Schema {
    schema(&json!({"type": "integer", "minimum": 0}))
}

/// A workflow of one node.
fn one(id: &str, task: Task) -> Workflow {
    Workflow::builder("w").task(id, task).build().unwrap()
}

async fn task_of(runtime: &Runtime, id: finale::ExecutionId) -> TaskId {
    settle().await;
    runtime.open_tasks_of(id).await.unwrap()[0].id
}

#[actix::test]
async fn what_an_activation_hands_in_is_checked_before_anything_exists() {
    for_each_journal(async |journal| {
        let order = schema(&json!({
            "type": "object", "properties": {"items": {"type": "array", "items": {"type": "string"}}}, "required": ["items"]
        }));
        let order = Workflow::builder("w").input_schema(order).task("a", Task::external()).build().unwrap();
        let runtime = runtime(&journal).start().unwrap();
        let error = runtime.activate(&order, json!({"items": ["a", 2]})).await.unwrap_err();
        assert_eq!(error.code(), "schema_mismatch");
        let ActivateError::Schema(SchemaMismatch { what, at, reason, .. }) = error else { panic!("{error}") };
        assert_eq!((what, at.as_str()), ("the input of the workflow", "/items/1"));
        assert_eq!(reason, r#"it is not of type "string""#, "the value itself is not said");
        assert!(runtime.executions(finale::Filter::new()).await.unwrap().executions.is_empty());
        assert!(runtime.activate(&order, json!({"items": ["a"]})).await.is_ok());
    })
    .await;
}

#[actix::test]
async fn a_report_that_does_not_fit_changes_nothing() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let ask = one("a", Task::external().output_schema(integer()));
        let execution = runtime.activate(&ask, ()).await.unwrap();
        let task = task_of(&runtime, execution.id()).await;
        let error = runtime.complete_task(task, -1).await.unwrap_err();
        assert!(matches!(&error, ReportError::Schema(mismatch) if mismatch.at.is_empty()), "{error}");
        assert_eq!(error.code(), "schema_mismatch");
        assert!(error.to_string().starts_with("the output does not fit its schema: "), "{error}");
        assert_eq!(runtime.open_tasks_of(execution.id()).await.unwrap().len(), 1, "it is still open");
        runtime.complete_task(task, 7).await.unwrap();
        assert_eq!(execution.outcome().await.unwrap().output::<u32>().unwrap(), 7);
        let error = runtime.complete_task(task, -1).await.unwrap_err();
        assert_eq!(error.code(), "already_terminal", "what comes too late is refused for that");
    })
    .await;
}

#[actix::test]
async fn a_failure_that_is_reported_has_no_output_to_check() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let execution = runtime.activate(&one("a", Task::external().output_schema(integer())), ()).await.unwrap();
        let task = task_of(&runtime, execution.id()).await;
        runtime.fail_task(task, Failure::new(FailureClass::Rejected, "no")).await.unwrap();
        assert_eq!(execution.outcome().await.unwrap().status(), finale::ExecutionStatus::Failed);
    })
    .await;
}

#[actix::test]
async fn what_an_operator_says_is_checked() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let execution = runtime.activate(&one("a", Task::external().output_schema(integer())), ()).await.unwrap();
        settle().await;
        let error = execution.complete_by_hand("a", "seven", "ann", "it is done").await.unwrap_err();
        assert!(matches!(&error, CommandError::Schema(_)), "{error}");
        execution.complete_by_hand("a", 7, "ann", "it is done").await.unwrap();
        assert_eq!(execution.outcome().await.unwrap().output::<u32>().unwrap(), 7);
    })
    .await;
}

#[actix::test]
async fn what_a_signal_says_is_checked_also_if_nobody_waits_for_it_yet() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let wait = |schema| NodeKind::Wait(Wait::Signal(Signal::named("paid").schema(schema)));
        let order = Workflow::builder("w")
            .task("a", Task::external())
            .node("paid", wait(integer()))
            .after("a")
            .node("again", wait(schema(&json!({"maximum": 100}))))
            .after("paid")
            .build()
            .unwrap();
        let execution = runtime.activate(&order, ()).await.unwrap();
        for (payload, is_right) in [(json!("much"), false), (json!(101), false), (json!(20), true)] {
            let sent = execution.signal("paid", &payload, "the bank").await;
            assert_eq!(sent.is_ok(), is_right, "{payload}: it must fit what all of them declare");
            assert!(sent.err().is_none_or(|error| error.code() == "schema_mismatch"));
        }
        assert!(execution.signal("other", "anything", "the bank").await.is_ok());
        execution.complete("a", ()).await.unwrap();
        settle().await;
        let error = execution.complete_by_hand("again", 101, "ann", "paid in cash").await.unwrap_err();
        assert_eq!(error.code(), "schema_mismatch");
    })
    .await;
}

async fn answers(context: TaskContext) -> Result<Value, TaskError> {
    tokio::task::yield_now().await;
    Ok(if context.attempt() == 1 { json!("seven") } else { json!(7) })
}

async fn answers_at_once(context: TaskContext) -> Result<Value, TaskError> {
    Ok(if context.attempt() == 1 { json!("seven") } else { json!(7) })
}

#[actix::test]
async fn a_handler_that_gives_something_else_has_failed_its_attempt() {
    for_each_journal(async |journal| {
        let builder = runtime(&journal).handler("answers", answers).handler("answers_at_once", answers_at_once);
        let runtime = builder.start().unwrap();
        for handler in ["answers", "answers_at_once"] {
            let task = || Task::handler(handler).output_schema(integer());
            let outcome = runtime.activate(&one("a", task()), ()).await.unwrap().outcome().await.unwrap();
            let failure = outcome.error().unwrap().message().to_owned();
            assert!(
                failure.contains(r#"the output does not fit its schema: it is not of type "integer""#),
                "{failure}"
            );

            // Another attempt may give something else, and a definition can say so by the code.
            let retried = task().retry_as(finale::Retry::attempts(2).on(["output_schema"]));
            let outcome = runtime.activate(&one("b", retried), ()).await.unwrap().outcome().await.unwrap();
            assert_eq!(outcome.output::<u32>().unwrap(), 7, "{handler}");
        }
    })
    .await;
}

#[actix::test]
async fn a_handler_is_not_begun_with_what_it_must_not_be_given() {
    for_each_journal(async |journal| {
        let begun = Arc::new(AtomicUsize::new(0));
        let counts = Arc::clone(&begun);
        let handler = move |_context: TaskContext, input: Value| {
            counts.fetch_add(1, Ordering::Relaxed);
            async move { Ok::<_, TaskError>(input) }
        };
        let runtime = runtime(&journal).handler("echo", handler).start().unwrap();
        let task = Task::handler("echo").input_schema(integer()).retry(3, std::time::Duration::ZERO);
        let workflow = one("a", task);
        let outcome = runtime.activate(&workflow, -1).await.unwrap().outcome().await.unwrap();
        let failure = outcome.error().unwrap().message().to_owned();
        assert!(failure.contains("the input does not fit its schema"), "{failure}");
        assert!(failure.contains("attempt 1 of 3"), "it stays the same input: {failure}");
        assert_eq!(begun.load(Ordering::Relaxed), 0);
        assert!(runtime.activate(&workflow, 1).await.unwrap().outcome().await.unwrap().error().is_none());
        assert_eq!(begun.load(Ordering::Relaxed), 1);
    })
    .await;
}

#[actix::test]
async fn what_is_inside_of_a_node_and_what_is_called_is_checked_too() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).handler("answers", answers_at_once).start().unwrap();
        let task = || Task::handler("answers").output_schema(integer());
        let called = Definition::builder("called").task("t", task()).build();
        let definitions = [
            Workflow::builder("w").map("each", "[1, 2]", task()).build().unwrap(),
            Workflow::builder("w").call("call", called).build().unwrap(),
            Workflow::builder("w").group("group", Definition::builder("g").task("t", task()).build()).build().unwrap(),
        ];
        for workflow in definitions {
            let outcome = runtime.activate(&workflow, ()).await.unwrap().outcome().await.unwrap();
            assert!(outcome.error().unwrap().message().to_owned().contains("does not fit its schema"));
        }
    })
    .await;
}

#[actix::test]
async fn what_is_found_after_a_restart_is_checked_as_before() {
    for_each_journal(async |journal| {
        let start = || runtime(&journal).start().unwrap();
        let execution = start().activate(&one("a", Task::external().output_schema(integer())), ()).await.unwrap().id();
        settle().await;
        let runtime = start();
        let task = task_of(&runtime, execution).await;
        assert_eq!(runtime.complete_task(task, "seven").await.unwrap_err().code(), "schema_mismatch");
        runtime.complete_task(task, 7).await.unwrap();
    })
    .await;
}

#[test]
fn a_schema_by_which_nothing_can_be_checked_is_a_problem_of_the_definition() {
    let build = |value: Value| Workflow::builder("w").task("a", Task::external().output_schema(schema(&value))).build();
    for (value, reason) in [
        (json!({"type": "text"}), r#"at "/type""#),
        (json!({"properties": {"a": {"pattern": "("}}}), r#"at "/properties/a/pattern""#),
        (json!({"pattern": "(?=a)"}), r#"at "/pattern""#),
        (json!({"$ref": "https://example.com/a"}), "leads out of the schema"),
        (json!({"$ref": "#"}), "would not end"),
    ] {
        let error = build(value.clone()).unwrap_err();
        let problem = &error.problems[0];
        assert_eq!((problem.code.as_str(), problem.nodes.as_slice()), ("schema_invalid", ["a".to_owned()].as_slice()));
        assert!(problem.message.starts_with(r#"the output schema of "a": "#), "{problem}");
        assert!(problem.message.contains(reason), "{value}: {problem}");
    }
    let called =
        Definition::builder("called").input_schema(schema(&json!({"type": "text"}))).task("t", Task::external());
    let other = Definition::builder("other").task("t", Task::external());
    let error = Workflow::builder("w").call("b", other.build()).call("a", called.build()).build().unwrap_err();
    assert_eq!(error.problems[0].part, Some(finale_core::compile::Part::Workflow(1)), "as it was written");
}

#[actix::test]
async fn formats_are_no_constraints_and_shards_share_what_is_compiled() {
    let text = schema(&json!({"type": "string", "format": "date", "pattern": "^[a-z]+$"}));
    let ask = one("a", Task::external().output_schema(text));
    let runtime = Runtime::builder().shards(Shards::Own(2)).start().unwrap();
    for _ in 0..4 {
        let execution = runtime.activate(&ask, ()).await.unwrap();
        assert_eq!(execution.complete("a", "7").await.unwrap_err().code(), "schema_mismatch");
        execution.complete("a", "yesterday").await.unwrap();
    }
}
