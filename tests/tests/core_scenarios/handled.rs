//! Failures that another node handles.

use std::time::Duration;

use finale_core::compile::{Registry, compile};
use finale_core::definition::{Definition, JoinStrategy, Losers, OnFailure, Task};
use finale_core::execution::Effect;
use finale_core::fact::StopOutcome;
use finale_core::failure::FailureClass;
use finale_core::{ExecutionStatus, NodeStatus, Payload, Time};
use finale_tests::chart::{Chart, chart};
use finale_tests::driven::Driven;
use finale_tests::scenario::Scenario;
use serde_json::{Value, json};

/// `charge`, then `ship`, whose failure `refund` handles.
fn order() -> Chart {
    chart("s>charge charge>ship ship>tell tell>e ship:failed>refund refund>e")
}

#[test]
fn a_failure_that_is_handled_counts_for_no_policy() {
    for on_failure in [OnFailure::FailFast, OnFailure::WaitAll, OnFailure::Tolerate { count: 0 }] {
        let story = Scenario::new(order().on_failure(on_failure).retry("ship", 2, Duration::ZERO))
            .activate()
            .complete("charge", json!(20))
            .fail("ship", "the van broke down")
            .expect_nodes(&["refund", "tell"], NodeStatus::Pending)
            .fail("ship", "no other van")
            .expect_node("ship", NodeStatus::Failed)
            .expect_skipped("tell", "ship failed, which refund handles")
            .expect_node("refund", NodeStatus::Running)
            .complete("refund", json!("refunded"))
            .expect_status(ExecutionStatus::Completed);
        let counts = story.outcome().counts;
        assert_eq!((counts.failed, counts.handled, counts.tolerated), (1, 1, 0));
        assert!(counts.to_string().contains("1 failed (handled)"), "{counts}");
    }
}

#[test]
fn what_handles_no_failure_is_skipped() {
    let _story = Scenario::new(order())
        .activate()
        .complete("charge", json!(1))
        .complete("ship", json!(2))
        .expect_skipped("refund", "ship did not fail")
        .complete("tell", json!(3))
        .expect_output(json!(3));
}

#[test]
fn a_task_that_somebody_cancels_is_handled_like_any_failure() {
    let _story = Scenario::new(order())
        .activate()
        .complete("charge", json!(1))
        .cancel_task("ship", "not today")
        .expect_node("refund", NodeStatus::Running)
        .complete("refund", json!(2))
        .expect_status(ExecutionStatus::Completed);
}

#[test]
fn a_node_that_handles_several_waits_for_all_of_them() {
    let chart = chart("s>a s>b s>c a>e b>e c>e a:failed>cure b:failed>cure c:failed>cure cure>e")
        .input("cure", "{\"first\": failure.node, \"all\": failures | map(attribute=\"reason\") | list}");
    let story = Scenario::new(chart)
        .activate()
        .fail("b", "second to none")
        .complete("c", json!(1))
        .expect_node("cure", NodeStatus::Pending)
        .fail("a", "too")
        .expect_node("cure", NodeStatus::Running);
    assert_eq!(input(&story, "cure"), json!({"first": "b", "all": ["second to none", "too"]}));
    let _story = story.complete("cure", json!(2)).expect_status(ExecutionStatus::Completed);
}

/// What the handler of a node was given last.
fn input(story: &Scenario, node: &str) -> Value {
    let key = story.key(node);
    let given = |effect: &Effect| match effect {
        Effect::Run { dispatch, input } if dispatch.key == key => {
            input.as_ref().map(|input| input.decode().expect("inputs are JSON"))
        }
        _ => None,
    };
    story.driven().effects().iter().rev().find_map(given).expect("it was given something")
}

#[test]
fn a_node_that_handles_failures_is_given_them() {
    let chart = order().retry("ship", 2, Duration::ZERO).input("refund", "failure");
    let story = Scenario::new(chart)
        .activate()
        .complete("charge", json!(1))
        .fail("ship", "no van")
        .fail_as("ship", FailureClass::TimedOut, "no driver")
        .restart();
    let expected = json!({
        "node": "ship", "kind": "task", "title": "Do ship", "attempt": 2, "attempts": 2, "class": "timed_out",
        "reason": "no driver",
    });
    assert_eq!(input(&story, "refund"), expected);
    let _story = story.look(|driven| {
        let refund = driven.definition().position("refund").expect("it is there");
        let failures = driven.execution().handled_failures(driven.definition(), finale_core::WorkKey::root(refund));
        assert_eq!(serde_json::to_value(&failures).expect("it is JSON"), json!([expected]));
    });
}

#[test]
fn a_failure_counts_when_what_handles_it_has_failed() {
    let words = r#"task "Do ship" (ship) failed: no van; task "Do refund" (refund) failed: no money"#;
    let story = Scenario::new(order())
        .activate()
        .complete("charge", json!(1))
        .fail("ship", "no van")
        .fail("refund", "no money")
        .expect_error(words);
    assert_eq!(story.outcome().counts.handled, 0);
    let two = Scenario::new(order().on_failure(OnFailure::Tolerate { count: 1 }))
        .activate()
        .complete("charge", json!(1))
        .fail("ship", "no van")
        .fail("refund", "no money");
    let _story = two.expect_error(words);
}

#[test]
fn a_failure_counts_also_if_what_handles_it_is_optional_and_has_failed() {
    let chart = order().task("refund", |task| task.optional = true);
    let _story = Scenario::new(chart)
        .activate()
        .complete("charge", json!(1))
        .fail("ship", "no van")
        .fail("refund", "no money")
        .expect_error(r#"task "Do ship" (ship) failed: no van"#);
}

#[test]
fn who_handles_failures_can_have_its_own_handled() {
    let edges = "s>a a>e a:failed>cure cure>e cure:failed>call call>e";
    let begun = || Scenario::new(chart(edges)).activate().fail("a", "first").fail("cure", "second");
    let story = begun().complete("call", json!("somebody came")).expect_output(json!("somebody came"));
    assert_eq!(story.outcome().counts.handled, 2);
    let _story = begun().fail("call", "third").expect_error(
        r#"task "Do a" (a) failed: first; task "Do cure" (cure) failed: second; task "Do call" (call) failed: third"#,
    );
}

#[test]
fn what_handles_the_failure_of_the_last_task_gives_the_output_instead() {
    let begun = || Scenario::new(chart("s>a a>e a:failed>cure cure>e")).activate();
    let _story = begun().complete("a", json!("done")).expect_output(json!("done"));
    let _story = begun().fail("a", "no").complete("cure", json!("cured")).expect_output(json!("cured"));
    let two = || Scenario::new(chart("s>a s>b a>e b>e a:failed>cure cure>e")).activate();
    let _story = two()
        .fail("a", "no")
        .complete("b", json!(1))
        .complete("cure", json!(2))
        .expect_output(json!({"b": 1, "cure": 2}));
}

#[test]
fn nothing_is_handled_once_the_end_is_decided() {
    let chart = chart("s>a s>b a>e b>e a:failed>cure cure>e").finish();
    let story = Scenario::new(chart)
        .activate()
        .fail("b", "the end")
        .fail("a", "too late")
        .expect_skipped("cure", "the execution ended first")
        .expect_error(r#"task "Do b" (b) failed: the end; task "Do a" (a) failed: too late"#);
    assert_eq!(story.outcome().counts.handled, 0);
}

#[test]
fn a_condition_that_cannot_be_evaluated_can_be_handled() {
    let chart = chart("s>c c:true>a c:false>e a>e c:failed>cure cure>e").condition("c", "input.missing > 3");
    let _story = Scenario::new(chart)
        .activate()
        .expect_node("cure", NodeStatus::Running)
        .expect_skipped("a", "c failed, which cure handles")
        .complete("cure", json!(1))
        .expect_status(ExecutionStatus::Completed);
}

#[test]
fn the_condition_of_a_task_is_not_handled_with_it() {
    let ship = Definition::builder("w").task("ship", "ship").when("input.missing").catch("refund");
    let mut driven = Driven::new(ship.task("refund", "refund").build());
    let activation = driven.activation(Payload::NULL, None);
    driven.tell(Time::default(), activation).expect("it is activated");
    assert_eq!(driven.execution().status(), ExecutionStatus::Failed);
    let statuses = driven.definition().positions().zip(driven.nodes());
    let failed = statuses.filter(|(_, status)| *status == NodeStatus::Failed).map(|(node, _)| node);
    let failed: Vec<_> = failed.map(|node| driven.definition().node(node).id.as_str()).collect();
    assert_eq!(failed, ["ship?"]);
}

#[test]
fn a_failure_that_counts_again_is_still_one_that_a_join_can_do_without() {
    let chart =
        chart("s>a s>b a>join b>join join>e a:failed>cure cure>join").join("join", JoinStrategy::Any, Losers::Finish);
    let _story = Scenario::new(chart)
        .activate()
        .fail("a", "no")
        .fail("cure", "neither")
        .expect_status(ExecutionStatus::Running)
        .complete("b", json!(1))
        .expect_status(ExecutionStatus::Completed);
}

#[test]
fn a_cancel_ends_what_handles_a_failure_too() {
    let _story = Scenario::new(order())
        .activate()
        .complete("charge", json!(1))
        .fail("ship", "no van")
        .cancel()
        .stopped("refund", StopOutcome::Stopped)
        .expect_status(ExecutionStatus::Cancelled);
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let codes = |definition: Definition| {
        let error = compile(definition, &Registry::new()).expect_err("something is wrong with it");
        error.problems.iter().map(|problem| problem.code.as_str()).collect::<Vec<_>>()
    };
    let optional = order().task("ship", |task| task.optional = true).definition();
    assert_eq!(codes(optional), ["on_failure_optional"]);
    let twice = chart("s>a a>e a:failed>b a:failed>c b>e c>e").definition();
    assert_eq!(codes(twice), ["on_failure_duplicate"]);
    let start = chart("s>a a>e s:failed>b b>e").definition();
    assert_eq!(codes(start), ["on_failure_outside"]);
    let mixed = chart("s>a s>b a>e b>e a:failed>b").definition();
    assert_eq!(codes(mixed), ["failure_handler_edges"]);
    let circle = chart("s>a a>e a:failed>b b>c c>e c:failed>b").definition();
    assert!(codes(circle).contains(&"cycle_detected"));
    let dead_end = Definition::builder("w").task("a", "h").catch("b").task("b", Task::handler("h").input("failure"));
    assert!(compile(dead_end.build(), &Registry::new()).is_ok(), "both lead to the end that is implied");
    let elsewhere = Definition::builder("w").task("a", Task::handler("h").input("failure.reason")).build();
    assert_eq!(codes(elsewhere), ["expression_invalid"]);
    let guarded = Definition::builder("w").task("a", "h").catch("b").task("b", "h").when("input.x").build();
    assert_eq!(codes(guarded), ["guard_misplaced"]);
}
