//! What is refused leaves nothing behind.

use finale::{ActivateError, Runtime, Shards, TaskContext, TaskError, Workflow};
use finale_core::PayloadError;
use finale_core::compile::{Limits as CompileLimits, Registry};
use finale_core::definition::{Conditional, Declaration, DeclaredType, Definition, DefinitionBuilder, NodeKind, Task};
use finale_tests::actor::{Dummies, chart, for_each_journal, for_each_journal_in_real_time, runtime, settle, workflow};
use finale_tests::tasks::{expect_nothing, task_of};
use serde_json::json;

fn with_node(edges: &str, node: &str, kind: NodeKind) -> Definition {
    let mut definition = chart(edges).definition();
    let place = definition.nodes.iter_mut().find(|known| known.id == node).unwrap();
    place.kind = kind;
    definition
}

#[test]
fn a_bad_definition_does_not_become_a_workflow() {
    let error = Workflow::new(with_node("s>a a>e", "a", NodeKind::Conditional(Conditional::default()))).unwrap_err();
    assert!(error.to_string().contains('a'), "{error}");
}

#[actix::test]
async fn a_key_that_says_nothing_and_a_deadline_of_no_time_are_refused() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).done("a").start().unwrap();
        let one = workflow("s>a a>e");
        let activate = || runtime.activate(&one, ());
        for blank in ["", " \t"] {
            let refused = [activate().idempotency_key(blank).await, activate().business_key(blank).await];
            for (refused, what) in refused.into_iter().zip(["the idempotency key", "the business key"]) {
                let error = refused.unwrap_err();
                assert_eq!(error.to_string(), format!("{what} is blank; leave it out where there is none"));
                assert_eq!(error.code(), "blank_key");
            }
        }
        let refused = activate().deadline(std::time::Duration::ZERO).await.unwrap_err();
        assert!(matches!(refused, ActivateError::ZeroDeadline), "{refused}");
        assert_eq!(runtime.executions(finale::Filter::new()).await.unwrap().executions.len(), 0, "nothing began");
    })
    .await;
}

#[actix::test]
async fn a_key_or_a_name_that_is_too_long_is_refused_by_name() {
    for_each_journal(async |journal| {
        let limits = finale::Limits::new().text_bytes_max(8);
        let runtime = runtime(&journal).limits(limits).never("a").start().unwrap();
        let one = workflow("s>a a>e");
        let (fits, long) = ("12345678", "123456789");
        let activate = || runtime.activate(&one, ());
        for refused in [
            activate().by(long).await.unwrap_err(),
            activate().idempotency_key(long).await.unwrap_err(),
            activate().business_key(long).await.unwrap_err(),
        ] {
            let ActivateError::TooLong(error) = refused else { panic!("{refused}") };
            assert_eq!((error.bytes, error.bytes_max), (9, 8), "{error}");
        }
        let execution = activate().by(fits).idempotency_key(fits).business_key(fits).await.unwrap();
        let too_long = |refused| matches!(refused, Err(finale::CommandError::TooLong(_)));
        assert!(too_long(runtime.fail_execution(execution.id(), long, "why").await));
        assert!(too_long(runtime.fail_execution(execution.id(), fits, long).await));
        assert!(too_long(runtime.complete_execution(execution.id(), long).await));
        assert!(too_long(execution.cancel(long).await.map(drop)));
        runtime.fail_execution(execution.id(), fits, fits).await.unwrap();
    })
    .await;
}

#[actix::test]
async fn a_missing_handler_of_what_is_called_is_refused_too() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).done("a").start().unwrap();
        let other = Workflow::builder("other").task("x", "bill").build().unwrap();
        let calls = Workflow::builder("calls").task("a", "a").call("other", &other).build().unwrap();
        let refused = runtime.activate(&calls, ()).await.unwrap_err();
        assert!(
            matches!(&refused, ActivateError::HandlerNotRegistered { handler, .. } if handler == "bill"),
            "{refused}"
        );
        expect_nothing(&runtime).await;
    })
    .await;
}

#[actix::test]
async fn a_missing_handler_is_refused_with_the_list_of_those_that_are_there() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).done("charge ship").start().unwrap();
        let refused = runtime.activate(&workflow("s>bill bill>e"), ()).await.unwrap_err();
        let ActivateError::HandlerNotRegistered { handler, registered, .. } = &refused else {
            panic!("{refused}");
        };
        assert_eq!(handler, "bill");
        assert_eq!(*registered, ["charge", "ship"]);
        expect_nothing(&runtime).await;
        // It is refused again, and what can be run still is.
        assert!(runtime.activate(&workflow("s>bill bill>e"), ()).await.is_err());
        runtime.activate(&workflow("s>ship ship>e"), ()).await.unwrap().outcome().await.unwrap();
    })
    .await;
}

#[actix::test]
async fn an_input_may_have_as_many_bytes_as_the_limit_and_not_one_more() {
    for_each_journal(async |journal| {
        let limits = finale::Limits::new().payload_bytes_max(10);
        let runtime = runtime(&journal).done("a").limits(limits).start().unwrap();
        let one = workflow("s>a a>e");
        // Two bytes are the quotes.
        let refused = runtime.activate(&one, "x".repeat(9)).await.unwrap_err();
        let ActivateError::Input(PayloadError::TooLarge { bytes: 11, bytes_max: 10 }) = refused else {
            panic!("{refused}");
        };
        expect_nothing(&runtime).await;
        runtime.activate(&one, "x".repeat(8)).await.unwrap();
    })
    .await;
}

/// A workflow with one task that gives back its input, of which `count` is required and `greeting` has a default.
fn declaring() -> Workflow {
    let mut definition = chart("s>a a>e").definition();
    let declare = |name: &str, kind, default: Option<serde_json::Value>| {
        let required = default.is_none();
        Declaration { name: name.to_owned(), kind, required, default }
    };
    definition.inputs.push(declare("count", DeclaredType::Integer, None));
    definition.inputs.push(declare("greeting", DeclaredType::String, Some("hello".into())));
    Workflow::new(definition).unwrap()
}

#[actix::test]
async fn an_input_that_is_not_what_is_declared_is_refused_and_a_default_reaches_the_handler() {
    for_each_journal(async |journal| {
        let echo = async |_: TaskContext, input: serde_json::Value| Ok::<_, TaskError>(input);
        let limits = finale::Limits::new().payload_bytes_max(30);
        let runtime = runtime(&journal).handler("a", echo).limits(limits).start().unwrap();
        for wrong in [json!({}), json!({"count": "x"}), json!({"count": true}), json!([1])] {
            let refused = runtime.activate(&declaring(), &wrong).await.unwrap_err();
            assert!(matches!(refused, ActivateError::InputDeclaration(_)), "{wrong}: {refused}");
        }
        // Small enough as it was given, and too large with the default.
        let refused = runtime.activate(&declaring(), json!({"count": 1234567890})).await.unwrap_err();
        assert!(matches!(refused, ActivateError::Input(PayloadError::TooLarge { .. })), "{refused}");
        expect_nothing(&runtime).await;
        let execution = runtime.activate(&declaring(), json!({"count": 1})).await.unwrap();
        let output: serde_json::Value = execution.outcome().await.unwrap().output().unwrap();
        assert_eq!(output, json!({"count": 1, "greeting": "hello"}));
    })
    .await;
}

#[test]
fn a_workflow_larger_than_its_limits_is_refused() {
    let definition = chart("s>a a>b b>e").definition();
    let limits = CompileLimits::default().nodes_max(3);
    let error = Workflow::with_limits(definition, &Registry::default(), limits).unwrap_err();
    assert!(error.to_string().contains("too_many_nodes"), "{error}");
}

#[actix::test]
async fn a_workflow_that_may_be_larger_than_by_default_may_be_so_where_it_runs() {
    let nodes = CompileLimits::default().nodes_max;
    let asked = |builder: DefinitionBuilder, number: usize| match number {
        0 => builder.task("t0", Task::external()),
        _ => builder.task(format!("t{number}"), Task::external()).after(format!("t{}", number - 1)),
    };
    let definition = (0..nodes).fold(Definition::builder("long"), asked).build();
    let limits = CompileLimits::default().nodes_max(nodes + 2);
    let workflow = Workflow::with_limits(definition, &Registry::default(), limits).unwrap();
    let runtime = Runtime::builder().shards(Shards::Current).start().unwrap();
    runtime.activate(&workflow, ()).await.unwrap();
}

#[actix::test]
async fn an_input_that_is_no_json_is_refused() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).done("a").start().unwrap();
        let no_key = std::collections::HashMap::from([((1, 2), 3)]);
        let refused = runtime.activate(&workflow("s>a a>e"), no_key).await.unwrap_err();
        assert!(matches!(refused, ActivateError::Input(PayloadError::Json(_))), "{refused}");
        expect_nothing(&runtime).await;
    })
    .await;
}

#[actix::test]
async fn no_more_executions_are_open_than_the_limit_and_a_place_is_free_when_one_ends() {
    for_each_journal(async |journal| {
        let limits = finale::Limits::new().open_executions_max(2);
        let runtime = runtime(&journal).limits(limits).start().unwrap();
        let ask = chart("s>a a>e").outside("a").workflow();
        let first = runtime.activate(&ask, ()).await.unwrap();
        let _second = runtime.activate(&ask, ()).await.unwrap();
        let refused = runtime.activate(&ask, ()).await.unwrap_err();
        assert!(matches!(refused, ActivateError::Saturated { open_executions_max: 2 }), "{refused}");

        runtime.complete_task(task_of(first.id(), &ask, "a"), ()).await.unwrap();
        first.outcome().await.unwrap();
        runtime.activate(&ask, ()).await.unwrap();
        assert!(runtime.activate(&ask, ()).await.is_err());
    })
    .await;
}

#[actix::test]
async fn what_is_refused_takes_no_place() {
    for_each_journal(async |journal| {
        let limits = finale::Limits::new().open_executions_max(1);
        let runtime = runtime(&journal).limits(limits).start().unwrap();
        for _ in 0..3 {
            let refused = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap_err();
            assert!(matches!(refused, ActivateError::HandlerNotRegistered { .. }), "{refused}");
        }
        let ask = chart("s>a a>e").outside("a").workflow();
        runtime.activate(&ask, ()).await.unwrap();
    })
    .await;
}

#[actix::test]
async fn a_place_that_one_shard_has_left_is_free_in_all_others() {
    for_each_journal_in_real_time(async |journal| {
        let limits = finale::Limits::new().open_executions_max(2);
        let builder = Runtime::builder().shards(Shards::Own(3)).journal(journal.clone());
        let runtime = builder.done("a").limits(limits).start().unwrap();
        let one = workflow("s>a a>e");
        for turn in 0..12 {
            let execution = runtime.activate(&one, ()).await;
            let execution = execution.unwrap_or_else(|refused| panic!("activation {turn}: {refused}"));
            execution.outcome().await.unwrap();
        }
    })
    .await;
}

#[actix::test]
async fn an_id_belongs_to_one_execution_also_when_that_has_ended() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).done("b").start().unwrap();
        let ask = chart("s>a a>e").outside("a").workflow();
        let id = runtime.new_execution_id();
        let first = runtime.activate(&ask, ()).id(id).await.unwrap();
        for moment in ["live", "ended"] {
            let refused = runtime.activate(&workflow("s>b b>e"), ()).id(id).await.unwrap_err();
            assert!(matches!(refused, ActivateError::IdConflict(named) if named == id), "{moment}: {refused}");
            // It is already over the second time.
            let _ = runtime.cancel_execution(id, "ann").await;
        }
        assert_eq!(first.snapshot().await.unwrap().workflow.name, "Test");
    })
    .await;
}

#[actix::test]
async fn of_two_activations_with_one_id_that_come_at_once_one_is_refused() {
    for_each_journal(async |journal| {
        let limits = finale::Limits::new().active_executions_max(1);
        let runtime = runtime(&journal).limits(limits).start().unwrap();
        let ask = chart("s>a a>e").outside("a").workflow();
        let id = runtime.new_execution_id();
        let (other, first, second) = tokio::join!(
            runtime.activate(&ask, ()).start(),
            runtime.activate(&ask, ()).id(id).start(),
            runtime.activate(&ask, ()).id(id).start()
        );
        other.unwrap();
        assert_eq!(first.unwrap().id(), id);
        let refused = second.unwrap_err();
        assert!(matches!(refused, ActivateError::IdConflict(named) if named == id), "{refused}");
        settle().await;
        assert_eq!(runtime.open_tasks(None, 10).await.unwrap().tasks.len(), 2);
    })
    .await;
}
