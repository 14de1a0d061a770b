//! What a workflow gives, and what one that is called is given, fits the schemas that the workflow declares.

use finale::{Call, DecidedBy, Definition, ExecutionStatus, FailureClass, Schema, Task, Workflow};
use finale_tests::actor::{for_each_journal, runtime, settle};
use serde_json::{Value, json};

use super::integer;

const REFUSED: &str = r#"the output of the workflow does not fit its schema: it is not of type "integer""#;

/// A workflow that gives what somebody outside says, in each way to say what a workflow gives.
fn gives_integer() -> [Workflow; 3] {
    let giving = || Workflow::builder("w").output_schema(integer()).task("a", Task::external());
    let plain = giving().build().unwrap();
    let made = giving().output("nodes.a.output").build().unwrap();
    let at_last = giving().finally(Task::external()).build().unwrap();
    [plain, made, at_last]
}

#[actix::test]
async fn an_execution_whose_output_does_not_fit_its_schema_has_failed() {
    for_each_journal(async |journal| {
        for workflow in gives_integer() {
            let runtime = runtime(&journal).start().unwrap();
            let has_finally = workflow.definition().finally.is_some();
            for (given, fits) in [(json!("seven"), false), (json!(7), true)] {
                let execution = runtime.activate(&workflow, ()).await.unwrap();
                execution.complete("a", &given).await.unwrap();
                if has_finally {
                    settle().await;
                    execution.complete("@finally::finally", ()).await.unwrap();
                }
                let outcome = execution.outcome().await.unwrap();
                assert_eq!(outcome.status() == ExecutionStatus::Completed, fits);
                if fits {
                    assert_eq!(outcome.output::<Value>().unwrap(), given);
                } else {
                    assert_eq!(outcome.error().unwrap().message(), REFUSED);
                    assert_eq!(outcome.decided_by, DecidedBy::Output);
                }
            }
        }
    })
    .await;
}

#[actix::test]
async fn an_output_that_does_not_fit_has_everything_undone() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let pay = Workflow::builder("w").output_schema(integer()).task("pay", Task::external());
        let pay = pay.compensate(Task::external()).build().unwrap();
        let execution = runtime.activate(&pay, ()).await.unwrap();
        execution.complete("pay", "seven").await.unwrap();
        settle().await;
        execution.complete("pay@compensate::pay", ()).await.unwrap();
        assert_eq!(execution.outcome().await.unwrap().error().unwrap().message(), REFUSED);
    })
    .await;
}

/// A workflow that takes and gives an integer.
fn called() -> Definition {
    let called = Definition::builder("called").input_schema(integer()).output_schema(integer());
    called.task("t", Task::external()).build()
}

/// A call that hands on what its execution was given.
fn call() -> Call {
    Call::of(called()).input("input")
}

#[actix::test]
async fn a_call_is_refused_what_the_workflow_must_not_be_given() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        for call in [call(), Call::of(called()), Call::of(called()).input("nodes.start.status")] {
            let workflow = Workflow::builder("w").call("call", call).build().unwrap();
            let outcome = runtime.activate(&workflow, "seven").await.unwrap().outcome().await.unwrap();
            let failure = &outcome.error().unwrap().failures()[0];
            assert_eq!((failure.class, failure.code.as_deref()), (FailureClass::Failed, Some("input_schema")));
            assert!(failure.reason.starts_with("the input of the workflow does not fit its schema: "), "{failure}");
        }
        let workflow = Workflow::builder("w").call("call", call()).build().unwrap();
        let execution = runtime.activate(&workflow, 7).await.unwrap();
        settle().await;
        assert_eq!(runtime.open_tasks_of(execution.id()).await.unwrap()[0].node, "call::t");
    })
    .await;
}

#[actix::test]
async fn a_call_fails_whose_workflow_gives_what_it_must_not() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let workflow = Workflow::builder("w").call("call", call()).build().unwrap();
        let execution = runtime.activate(&workflow, 7).await.unwrap();
        execution.complete("call::t", "seven").await.unwrap();
        let outcome = execution.outcome().await.unwrap();
        let failure = &outcome.error().unwrap().failures()[0];
        assert_eq!((failure.class, failure.code.as_deref()), (FailureClass::Failed, Some("output_schema")));
        assert_eq!(failure.reason, format!("call: {REFUSED}"));
        let execution = runtime.activate(&workflow, 7).await.unwrap();
        execution.complete("call::t", 8).await.unwrap();
        assert_eq!(execution.outcome().await.unwrap().output::<u32>().unwrap(), 8);
    })
    .await;
}

#[actix::test]
async fn each_item_is_refused_what_the_workflow_it_calls_must_not_be_given() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let workflow = Workflow::builder("w").map("each", r#"[1, "two"]"#, Call::of(called())).build().unwrap();
        let outcome = runtime.activate(&workflow, ()).await.unwrap().outcome().await.unwrap();
        let failure = &outcome.error().unwrap().failures()[0];
        assert_eq!(failure.class, FailureClass::Failed);
        let words = "each[1]::each failed: the input of the workflow does not fit its schema";
        assert!(failure.reason.starts_with(words), "{failure}");
    })
    .await;
}

#[test]
fn a_simulation_checks_no_output_of_a_workflow() {
    let declared = Definition::builder("w").output_schema(Schema::from_json(b"false").unwrap()).call("call", called());
    let plain = Definition::builder("called").task("t", Task::external()).build();
    let plain = Definition::builder("w").call("call", plain).build();
    assert_eq!(declared.build().without_task_schemas(), plain);
}
