//! What handlers give that JSON cannot say, or no parser could read again.

use finale::{ExecutionStatus, Payload, TaskContext, TaskError};
use finale_core::payload::DEPTH_MAX;
use finale_tests::actor::{Dummies, chart, for_each_journal, only_failure, runtime, workflow};
use serde_json::{Value, json};

/// Lists inside each other, made without recursion.
fn nested(depth: usize) -> Value {
    (1..depth).fold(json!([]), |inner, _| Value::Array(vec![inner]))
}

#[actix::test]
async fn an_output_of_a_hundred_thousand_levels_fails_its_task_only() {
    for_each_journal(async |journal| {
        let runtime =
            runtime(&journal).handler("a", async |_: TaskContext| Ok::<_, TaskError>(nested(100_000))).done("b");
        let runtime = runtime.start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        let outcome = execution.outcome().await.unwrap();
        assert_eq!(only_failure(&outcome).1, "the output: nested deeper than the 96 levels allowed for a payload");
        let refused = runtime.activate(&workflow("s>b b>e"), nested(100_000)).await.unwrap_err();
        assert_eq!(refused.code(), "payload_too_deep");
        let other = runtime.activate(&workflow("s>b b>e"), ()).await.unwrap();
        let status = other.outcome().await.unwrap().status();
        assert_eq!(status, ExecutionStatus::Completed, "nobody else is harmed");
    })
    .await;
}

#[actix::test]
async fn a_number_that_is_none_fails_its_task() {
    for_each_journal(async |journal| {
        let runtime =
            runtime(&journal).handler("a", async |_: TaskContext| Ok::<_, TaskError>(vec![Some(0.5), Some(f64::NAN)]));
        let runtime = runtime.start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        let (_, reason) = only_failure(&execution.outcome().await.unwrap());
        assert_eq!(reason, "the output: a number in it is infinite or none (NaN), which JSON cannot say");
        let refused = runtime.activate(&workflow("s>a a>e"), f64::INFINITY).await.unwrap_err();
        assert_eq!(refused.code(), "payload_not_finite");
    })
    .await;
}

/// The deepest output there may be, wrapped by node id, in a record, and read back from its JSON.
#[actix::test]
async fn the_deepest_output_is_read_back_from_the_record_of_its_execution() {
    for_each_journal(async |journal| {
        let deepest = async |_: TaskContext| Ok::<_, TaskError>(nested(DEPTH_MAX));
        let runtime = runtime(&journal).handler("a", deepest).handler("b", deepest).start().unwrap();
        let both = chart("s>a s>b a>e b>e").workflow();
        let execution = runtime.activate(&both, nested(DEPTH_MAX)).await.unwrap();
        let outcome = execution.outcome().await.unwrap();
        let output: Value = outcome.output().unwrap();
        assert_eq!(output, json!({"a": nested(DEPTH_MAX), "b": nested(DEPTH_MAX)}));
        let record = execution.snapshot().await.unwrap();
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<finale::Record>(&text).unwrap(), record);
        let again = runtime.activate(&both, output).await.unwrap_err();
        assert_eq!(again.code(), "payload_too_deep", "what finale put around it counts when it comes in again");
        let event = Payload::encode(&record).unwrap_err();
        assert_eq!(event.code(), "payload_too_deep");
    })
    .await;
}
