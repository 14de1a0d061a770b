//! What runs and what is skipped: edges, joins, decisions, policies.

use super::*;

#[test]
fn a_task_runs_when_the_one_before_it_has_completed() {
    let _story = Scenario::new(chart("s>a a>b b>e"))
        .activate()
        .expect_node("a", NodeStatus::Running)
        .expect_node("b", NodeStatus::Pending)
        .complete("a", json!(1))
        .expect_node("b", NodeStatus::Running)
        .complete("b", json!(2))
        .expect_status(ExecutionStatus::Completed)
        .expect_output(json!(2));
}

#[test]
fn a_join_waits_until_all_its_edges_are_settled() {
    let _story = Scenario::new(fork())
        .activate()
        .complete("b", NULL)
        .expect_node("join", NodeStatus::Pending)
        .complete("a", NULL)
        .expect_node("join", NodeStatus::Completed)
        .expect_node("after", NodeStatus::Running);
}

#[test]
fn a_branch_not_taken_is_skipped_with_the_decision_as_its_reason() {
    let chart = chart("s>c c:true>big c:false>small big>more more>e small>e").condition("c", "input.x > 3");
    let _story = Scenario::new(chart)
        .input(json!({"x": 2}))
        .activate()
        .expect_skipped("big", "c went false")
        .expect_skipped("more", "c went false")
        .expect_node("small", NodeStatus::Running)
        .complete("small", NULL)
        .expect_node("e", NodeStatus::Completed)
        .expect_status(ExecutionStatus::Completed);
}

#[test]
fn a_conditional_without_a_condition_goes_false() {
    let _story = Scenario::new(chart("s>c c:true>a c:false>b a>e b>e"))
        .activate()
        .expect_skipped("a", "c went false")
        .expect_node("b", NodeStatus::Running);
}

#[test]
fn a_join_runs_when_one_edge_is_live_and_the_others_are_dead() {
    let _story = Scenario::new(chart("s>c c:true>a c:false>b a>join b>join join>after after>e").condition("c", "true"))
        .activate()
        .complete("a", NULL)
        .expect_skipped("b", "c went true")
        .expect_node("after", NodeStatus::Running);
}

#[test]
fn a_blocked_edge_skips_the_node_however_live_the_others_are() {
    let _story = Scenario::new(fork().on_failure(OnFailure::WaitAll))
        .activate()
        .fail("a", "no luck")
        .expect_node("after", NodeStatus::Pending)
        .complete("b", NULL)
        .expect_skipped("join", "a failed")
        .expect_skipped("after", "a failed")
        .expect_skipped("e", "a failed")
        .expect_status(ExecutionStatus::Failed);
}

#[test]
fn a_blocked_edge_outweighs_a_dead_one() {
    let chart = chart("s>p p:branch>a p:branch>c a>x c:true>x c:false>y x>e y>e");
    let _story = Scenario::new(chart.condition("c", "false").on_failure(OnFailure::WaitAll))
        .activate()
        .fail("a", "no luck")
        .expect_skipped("x", "a failed");
}

#[test]
fn a_verification_waits_for_its_verdict_and_a_preset_one_does_not() {
    const EDGES: &str = "s>v v:pass>a v:fail>b v:refer>c a>e b>e c>e";
    let _story = Scenario::new(chart(EDGES))
        .activate()
        .expect_node("v", NodeStatus::Waiting)
        .verdict("v", Verdict::Refer)
        .expect_node("v", NodeStatus::Completed)
        .expect_skipped("a", "v went refer")
        .expect_skipped("b", "v went refer")
        .expect_node("c", NodeStatus::Running);
    let _story =
        Scenario::new(chart(EDGES).preset("v", Verdict::Pass)).activate().expect_node("a", NodeStatus::Running);
}

#[test]
fn the_failure_of_an_optional_task_is_recorded_and_its_dependents_go_on() {
    let scenario = Scenario::new(chart("s>a a>b b>e").task("a", |task| task.optional = true))
        .activate()
        .fail("a", "no luck")
        .expect_node("a", NodeStatus::Failed)
        .expect_node("b", NodeStatus::Running)
        .complete("b", NULL)
        .expect_status(ExecutionStatus::Completed);
    assert_eq!((scenario.record().counts.failed, scenario.record().counts.tolerated), (1, 1));
}

#[test]
fn a_failed_condition_is_no_tolerated_task() {
    let chart = chart("s>a a>c c:true>b c:false>e b>e").task("a", |task| task.optional = true);
    let scenario =
        Scenario::new(chart.condition("c", "input.missing")).input(json!({})).activate().fail("a", "no luck");
    assert_eq!((scenario.record().counts.failed, scenario.record().counts.tolerated), (1, 1));
    assert_eq!(scenario.record().counts.to_string(), "2: 1 failed (tolerated), 1 skipped");
    let error = scenario.outcome().error().map(ToString::to_string).unwrap_or_default();
    assert!(error.starts_with("condition \""), "{error}");
}

#[test]
fn fail_fast_skips_dependents_with_the_failure_and_the_rest_with_the_end() {
    let _story = Scenario::new(chart("s>p p:branch>a p:branch>b a>c b>d c>e d>e"))
        .activate()
        .fail("a", "no luck")
        .expect_status(ExecutionStatus::Ending)
        .expect_skipped("c", "a failed")
        .expect_skipped("d", "the execution ended first")
        .stopped("b", StopOutcome::Stopped)
        .expect_status(ExecutionStatus::Failed)
        .expect_node("b", NodeStatus::Cancelled)
        .expect_error(r#"task "Do a" (a) failed: no luck"#);
}

#[test]
fn wait_all_runs_what_does_not_depend_on_the_failure_and_lists_all_failures() {
    let scenario = Scenario::new(chart("s>p p:branch>a p:branch>b a>c b>d c>e d>e").on_failure(OnFailure::WaitAll))
        .activate()
        .fail("a", "no luck")
        .expect_status(ExecutionStatus::Running)
        .expect_skipped("c", "a failed")
        .complete("b", NULL)
        .fail_as("d", FailureClass::Rejected, "not mine")
        .expect_status(ExecutionStatus::Failed)
        .expect_error(r#"task "Do a" (a) failed: no luck; task "Do d" (d) rejected: not mine"#);
    assert_eq!(scenario.outcome().decided_by, DecidedBy::WaitAll { node: "a".to_owned() });
}

#[test]
fn a_join_goes_on_without_the_branch_whose_failure_is_tolerated() {
    let scenario = Scenario::new(fork().on_failure(OnFailure::Tolerate { count: 1 }))
        .activate()
        .fail("a", "no luck")
        .complete("b", NULL)
        .expect_node("join", NodeStatus::Completed)
        .complete("after", json!("fine"))
        .expect_status(ExecutionStatus::Completed)
        .expect_output(json!("fine"));
    assert_eq!(scenario.outcome().counts.tolerated, 1);
}

#[test]
fn a_tolerated_failure_still_blocks_what_is_no_join() {
    let _story = Scenario::new(chart("s>a a>b b>e").on_failure(OnFailure::Tolerate { count: 1 }))
        .activate()
        .fail("a", "no luck")
        .expect_skipped("b", "a failed")
        .expect_status(ExecutionStatus::Completed);
}

#[test]
fn the_failure_that_is_one_too_many_begins_nothing_even_behind_a_join() {
    let chart = chart("s>p p:branch>a p:branch>b p:branch>c a>join b>join c>join join>after after>e");
    let scenario = Scenario::new(chart.on_failure(OnFailure::Tolerate { count: 1 }).finish())
        .activate()
        .complete("a", NULL)
        .fail("b", "no luck")
        .fail("c", "no luck either")
        .expect_skipped("join", "the execution ended first")
        .expect_skipped("after", "the execution ended first")
        .expect_status(ExecutionStatus::Failed);
    assert_eq!(scenario.outcome().decided_by, DecidedBy::Tolerate { node: "c".to_owned(), count: 1 });
}
