//! Workflows of functions.

use std::time::Duration;

use finale::{InputNode, Runtime, Shards, StartError, TaskContext, TaskError, Workflow};
use finale_core::definition::{OnFailure, Verdict};
use serde_json::json;

async fn count(_context: TaskContext, text: String) -> Result<usize, TaskError> {
    Ok(text.len())
}

async fn double(_context: TaskContext, number: usize) -> Result<usize, TaskError> {
    Ok(number * 2)
}

async fn done(_context: TaskContext) -> Result<(), TaskError> {
    Ok(())
}

async fn list(_context: TaskContext) -> Result<Vec<String>, TaskError> {
    Ok(vec!["a".to_owned(), "bc".to_owned()])
}

mod elsewhere {
    use super::{TaskContext, TaskError};

    pub(super) async fn done(_context: TaskContext) -> Result<u8, TaskError> {
        Ok(1)
    }
}

#[actix::test]
async fn the_output_of_a_task_is_the_input_of_the_next() {
    let workflow = Workflow::typed("lengths");
    let counted = workflow.task("count", count);
    let doubled = workflow.task("double", double).input_from(counted);
    workflow.task("double", double).input_from(doubled);
    let workflow = workflow.build().unwrap();
    let runtime = Runtime::builder().shards(Shards::Current).workflow(&workflow).start().unwrap();
    let outcome = runtime.activate(&workflow, "abc").await.unwrap().outcome().await.unwrap();
    assert_eq!(outcome.output::<usize>().unwrap(), 12);
    let ids: Vec<_> = workflow.definition().nodes.iter().map(|node| node.id.as_str()).collect();
    assert_eq!(ids, ["count", "double", "double_2", "start", "end"]);
}

/// The output of a workflow that was built with its types, as it is declared.
async fn output_of<Output: serde::de::DeserializeOwned + 'static>(workflow: Workflow<String, Output>) -> Output {
    let runtime = Runtime::builder().shards(Shards::Current).workflow(&workflow).start().unwrap();
    let execution = runtime.activate(&workflow, "abc".to_owned()).await.unwrap();
    // Only one of them waits for it.
    let _refused = execution.signal("paid", 20, "the bank").await;
    execution.outcome().await.unwrap().output().unwrap()
}

#[actix::test]
async fn what_a_workflow_gives_is_what_any_of_its_nodes_gives() {
    type Text<'w> = InputNode<'w, String>;
    let typed = || Workflow::typed("w");
    let called = Workflow::typed("called");
    called.task("count", count);
    let called = called.build().unwrap();
    let by_task = typed().build_as(|it, text: Text<'_>| it.task("count", count).input_from(text)).unwrap();
    assert_eq!(output_of(by_task).await, 3);
    let by_call = typed().build_as(|it, _: Text<'_>| it.call::<usize>("call", &called).input("input")).unwrap();
    assert_eq!(output_of(by_call).await, 3);
    let by_signal = typed().build_as(|it, _: Text<'_>| it.signal::<u32>("paid", "paid")).unwrap();
    assert_eq!(output_of(by_signal).await, 20);
    let by_loop = typed().build_as(|it, _: Text<'_>| it.repeat_until("count", count, "output == 3", 2)).unwrap();
    assert_eq!(output_of(by_loop).await, 3);
    let by_map = typed().build_as(|it, _: Text<'_>| {
        let texts = it.task("list", list);
        it.task("done", done).after(texts);
        it.map("count", texts, count)
    });
    assert_eq!(output_of(by_map.unwrap()).await, [1, 2]);
    let by_delay = typed().build_as(|it, text: Text<'_>| {
        it.delay("wait", Duration::ZERO).after(it.task("count", count).input_from(text))
    });
    let _nothing: () = output_of(by_delay.unwrap()).await;
}

#[actix::test]
async fn only_the_branch_that_was_decided_for_runs() {
    let workflow = Workflow::typed("parcel").on_failure(OnFailure::WaitAll);
    let express = workflow.condition("express", "input.express");
    workflow.task("done", done).id("courier").after(express.is_true());
    workflow.task("done", done).id("post").after(express.is_false());
    workflow.task("done", done).id("gift").when("not input.express").when("input.gift");
    let workflow = workflow.build().unwrap();
    let runtime = Runtime::builder().shards(Shards::Current).workflow(&workflow).start().unwrap();
    let input = json!({"express": false, "gift": false});
    let execution = runtime.activate(&workflow, input).await.unwrap();
    execution.outcome().await.unwrap();
    let record = execution.snapshot().await.unwrap();
    let status = |id: &str| record.nodes.iter().find(|node| node.id == id).unwrap().state.status().to_string();
    assert_eq!([status("courier"), status("post"), status("gift")], ["skipped", "completed", "skipped"]);
}

#[actix::test]
async fn what_comes_after_a_verdict_waits_for_it() {
    let workflow = Workflow::typed("article");
    let review = workflow.verification("review", "house style", "the editor");
    workflow.task("done", done).id("print").after(review.on(Verdict::Pass));
    workflow.task("done", done).id("rewrite").after(review.on(Verdict::Fail));
    workflow.task("done", done).id("ask").after(review.on(Verdict::Refer));
    let workflow = workflow.build().unwrap();
    let runtime = Runtime::builder().shards(Shards::Current).workflow(&workflow).start().unwrap();
    let execution = runtime.activate(&workflow, ()).await.unwrap();
    runtime.give_verdict(execution.id(), "review", Verdict::Pass, "me").await.unwrap();
    assert!(execution.outcome().await.unwrap().error().is_none());
}

#[test]
fn two_functions_of_one_name_are_refused() {
    let workflow = Workflow::typed("twice");
    workflow.task("done", done);
    workflow.task("done", elsewhere::done);
    let error = workflow.build().unwrap_err();
    assert!(error.to_string().contains("handler_conflict: two functions are called \"done\""), "{error}");
}

#[test]
fn a_function_of_the_same_name_gets_another_one_by_hand() {
    let workflow = Workflow::typed("twice");
    workflow.task("done", done);
    workflow.task("done_elsewhere", elsewhere::done);
    assert!(workflow.build().is_ok());
}

#[test]
fn a_node_of_another_workflow_is_no_node_of_this_one() {
    let (one, other) = (Workflow::typed("one"), Workflow::typed("other"));
    let stranger = other.task("done", done);
    one.task("done", done).after(stranger);
    let error = one.build().unwrap_err();
    assert!(error.to_string().contains("\"done of workflow other\", which is no node"), "{error}");
}

#[actix::test]
async fn functions_that_workflows_have_in_common_are_one_handler() {
    let workflow = || {
        let workflow = Workflow::typed("w");
        workflow.task("done", done);
        workflow.build().unwrap()
    };
    let builder = Runtime::builder().shards(Shards::Current).workflow(&workflow()).workflow(&workflow());
    assert!(builder.start().is_ok());
}

#[actix::test]
async fn two_handlers_of_one_name_are_refused() {
    let builder = Runtime::builder().shards(Shards::Current).handler("done", done);
    let error = builder.handler("done", elsewhere::done).start().unwrap_err();
    assert!(matches!(error, StartError::HandlerTwice(name) if name == "done"));
}

#[actix::test]
async fn a_workflow_whose_functions_were_not_registered_is_refused_with_the_nearest_name() {
    let workflow = Workflow::typed("lengths");
    workflow.task("double", double);
    let workflow = workflow.build().unwrap();
    let runtime = Runtime::builder().shards(Shards::Current).handler("doubel", double).start().unwrap();
    let refused = runtime.activate(&workflow, 1).await.unwrap_err();
    let expected = r#"no handler "double" is registered; there are: doubel (did you mean "doubel"?)"#;
    assert_eq!(refused.to_string(), expected);
}

#[actix::test]
async fn a_runtime_that_would_do_nothing_but_look_for_what_was_lost_is_refused() {
    let error = Runtime::builder().shards(Shards::Current).sweep_interval(Duration::ZERO).start().unwrap_err();
    assert!(matches!(error, StartError::ZeroLimit("sweep_interval")));
}
