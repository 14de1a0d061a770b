//! Trigger rules, and joins that do not wait for all.

use std::time::Duration;

use finale_core::compile::{Registry, WarningCode, compile};
use finale_core::definition::{Definition, JoinStrategy, Losers, OnFailure, TriggerRule};
use finale_core::execution::{AfterStop, Effect};
use finale_core::fact::StopOutcome;
use finale_core::record::{NodeRecordState, Outcome};
use finale_core::{ExecutionStatus, NodeStatus};
use finale_tests::chart::{Chart, chart};
use finale_tests::scenario::Scenario;
use serde_json::json;

/// Three branches, a join and what comes after it.
fn branches(strategy: JoinStrategy, losers: Losers) -> Chart {
    chart("s>a s>b s>c a>join b>join c>join join>after after>e").join("join", strategy, losers)
}

#[test]
fn a_rule_about_failures_that_does_not_hold_passes_no_failure_on() {
    let chart = chart("s>a s>b a>cure b>cure cure>after a>e b>e after>e")
        .rule("cure", TriggerRule::AllFailed)
        .rule("after", TriggerRule::NoneFailed)
        .on_failure(OnFailure::WaitAll);
    let _story = Scenario::new(chart)
        .activate()
        .fail("a", "no")
        .complete("b", json!(1))
        .expect_skipped("cure", "its trigger rule all_failed did not hold")
        .expect_node("after", NodeStatus::Running)
        .complete("after", json!(2))
        .expect_status(ExecutionStatus::Failed);
}

#[test]
fn the_reason_of_what_is_behind_a_rule_that_did_not_hold_names_it() {
    let chart = chart("s>a a>alarm alarm>tell tell>e a>e").rule("alarm", TriggerRule::OneFailed);
    let _story = Scenario::new(chart)
        .activate()
        .complete("a", json!(null))
        .expect_skipped("alarm", "its trigger rule one_failed did not hold")
        .expect_skipped("tell", "alarm was skipped: its trigger rule one_failed did not hold")
        .expect_status(ExecutionStatus::Completed);
}

#[test]
fn what_settles_after_a_join_has_gone_on_changes_nothing() {
    let _story = Scenario::new(branches(JoinStrategy::Any, Losers::Finish))
        .activate()
        .complete("a", json!(1))
        .expect_node("after", NodeStatus::Running)
        .complete("after", json!("done"))
        .complete("b", json!(2))
        .fail("c", "too late to matter")
        .expect_node("after", NodeStatus::Completed)
        .expect_output(json!("done"));
}

#[test]
fn losers_that_may_finish_are_waited_for() {
    let story = Scenario::new(branches(JoinStrategy::AtLeast { count: 2 }, Losers::Finish))
        .activate()
        .complete("b", json!(null))
        .expect_node("after", NodeStatus::Pending)
        .complete("c", json!(null))
        .complete("after", json!(null))
        .expect_status(ExecutionStatus::Running)
        .fail("a", "no")
        .expect_status(ExecutionStatus::Completed);
    let Outcome { counts, .. } = story.outcome();
    assert_eq!((counts.failed, counts.tolerated, counts.handled), (1, 1, 0));
}

#[test]
fn a_failure_before_a_join_counts_when_the_join_can_go_on_no_more() {
    let chart = branches(JoinStrategy::AtLeast { count: 2 }, Losers::Finish);
    let story = Scenario::new(chart).activate().fail("a", "no").expect_status(ExecutionStatus::Running);
    assert_eq!(story.record().counts.tolerated, 1, "nobody needs it yet");
    let _story = story
        .fail("b", "neither")
        .expect_status(ExecutionStatus::Ending)
        .stopped("c", StopOutcome::Stopped)
        .expect_error(r#"task "Do a" (a) failed: no; task "Do b" (b) failed: neither"#);
}

#[test]
fn a_failure_counts_at_once_where_a_way_leads_past_the_join() {
    let chart = chart("s>a s>b a>join b>join join>e a>other other>e").join("join", JoinStrategy::Any, Losers::Finish);
    let _story = Scenario::new(chart).activate().fail("a", "no").expect_status(ExecutionStatus::Ending);
}

#[test]
fn a_failure_is_tolerated_as_long_as_a_further_join_on_its_way_can_go_on() {
    let chart = chart("s>a s>b s>c a>join b>join join>x x>join2 c>join2 join2>e")
        .join("join", JoinStrategy::Any, Losers::Finish)
        .join("join2", JoinStrategy::Any, Losers::Finish);
    let _story = Scenario::new(chart)
        .activate()
        .fail("a", "no")
        .fail("b", "no")
        .expect_skipped("join", "a failed")
        .expect_skipped("x", "a failed")
        .expect_status(ExecutionStatus::Running)
        .complete("c", json!(3))
        .expect_status(ExecutionStatus::Completed);
}

#[test]
fn a_failure_that_counts_late_is_listed_where_it_happened() {
    let chart = chart("s>a s>b a>join b>join join>e s>c c>e")
        .join("join", JoinStrategy::Any, Losers::Finish)
        .on_failure(OnFailure::WaitAll);
    let _story =
        Scenario::new(chart).activate().fail("a", "first").fail("c", "second").fail("b", "third").expect_error(
            r#"task "Do a" (a) failed: first; task "Do c" (c) failed: second; task "Do b" (b) failed: third"#,
        );
}

#[test]
fn a_join_that_cancels_closes_what_leads_nowhere_else() {
    // `b` is at work, `c` waits for somebody outside, `d` for its next attempt, `later` for `b`; `f` is needed by `other`.
    let edges = "s>a s>b s>c s>d s>f a>join b>later later>join c>join d>join f>join f>other other>e join>after after>e";
    let chart = chart(edges).outside("c").retry("d", 2, Duration::from_secs(60)).join(
        "join",
        JoinStrategy::Any,
        Losers::Cancel,
    );
    let story = Scenario::new(chart).activate().fail("d", "once more").expect_node("d", NodeStatus::Waiting);
    let story = story.complete("a", json!(1));
    let stop = story.dispatch("b").map(|dispatch| Effect::Stop { dispatch, then: AfterStop::Report }).unwrap();
    let story = story
        .look(|driven| assert!(driven.effects().contains(&stop), "{:?}", driven.effects()))
        .expect_nodes(&["c", "d"], NodeStatus::Cancelled)
        .expect_skipped("later", "join went on without it")
        .expect_nodes(&["b", "f", "after"], NodeStatus::Running)
        .stopped("b", StopOutcome::Stopped)
        .expect_node("b", NodeStatus::Cancelled)
        .complete("after", json!(2))
        .complete("f", json!(3))
        .expect_node("other", NodeStatus::Running)
        .complete("other", json!(4))
        .expect_status(ExecutionStatus::Completed);
    assert_eq!(story.outcome().counts.cancelled, 3);
}

#[test]
fn whatever_a_loser_reports_changes_nothing() {
    for failed in [false, true] {
        let chart = branches(JoinStrategy::Any, Losers::Cancel).retry("b", 3, Duration::ZERO);
        let story = Scenario::new(chart).activate().complete("a", json!(1)).complete("after", json!(2));
        let story = match failed {
            true => story.fail("b", "no"),
            false => story.complete("b", json!("late")),
        };
        let _story = story
            .expect_node("b", NodeStatus::Cancelled)
            .expect_status(ExecutionStatus::Running)
            .stopped("c", StopOutcome::Aborted)
            .expect_output(json!(2));
    }
}

#[test]
fn a_loser_that_was_lost_with_its_process_is_not_run_again() {
    let chart = branches(JoinStrategy::Any, Losers::Cancel).at_most_once("c");
    let _story = Scenario::new(chart)
        .activate()
        .complete("a", json!(1))
        .crash()
        .expect_nodes(&["b", "c"], NodeStatus::Cancelled)
        .expect_node("after", NodeStatus::Running)
        .complete("after", json!(2))
        .expect_output(json!(2));
}

#[test]
fn nothing_begins_that_is_closed_in_the_same_turn() {
    let chart = chart("s>split split:branch>a split:branch>join a>join join>after after>e").join(
        "join",
        JoinStrategy::Any,
        Losers::Cancel,
    );
    let _story = Scenario::new(chart)
        .activate()
        .expect_skipped("a", "join went on without it")
        .expect_node("after", NodeStatus::Running)
        .look(|driven| assert_eq!(driven.begun().len(), 1, "only what comes after the join"))
        .complete("after", json!(1))
        .expect_status(ExecutionStatus::Completed);
}

#[test]
fn a_loser_that_would_be_handled_is_not() {
    let chart = chart("s>a s>b a>join b>join b:failed>cure cure>e join>e").outside("b").join(
        "join",
        JoinStrategy::Any,
        Losers::Cancel,
    );
    let _story = Scenario::new(chart)
        .activate()
        .complete("a", json!(1))
        .expect_node("b", NodeStatus::Cancelled)
        .expect_skipped("cure", "b did not fail")
        .expect_status(ExecutionStatus::Completed);
}

#[test]
fn a_condition_takes_over_the_rule_of_its_node() {
    let definition = Definition::builder("nightly")
        .on_failure(OnFailure::WaitAll)
        .task("backup", "backup")
        .task("alert", "alert")
        .after("backup")
        .trigger_rule(TriggerRule::OneFailed)
        .when("input.loud")
        .build();
    let rule = |id: &str| definition.nodes.iter().find(|node| node.id == id).map(|node| node.trigger_rule);
    assert_eq!(rule("alert?"), Some(TriggerRule::OneFailed));
    assert_eq!(rule("alert"), Some(TriggerRule::Default));
    assert!(compile(definition, &Registry::new()).is_ok());
}

#[test]
fn a_rule_that_can_never_hold_is_warned_of() {
    let warned = |chart: Chart| {
        let compiled = compile(chart.definition(), &Registry::new()).unwrap_or_else(|error| panic!("{error}"));
        let never = compiled.warnings().iter().filter(|warning| warning.code == WarningCode::NeverFires);
        never.map(ToString::to_string).collect::<Vec<_>>()
    };
    let one_failed = || chart("s>a s>b a>cure b>cure cure>e a>e b>e").rule("cure", TriggerRule::OneFailed);
    assert_eq!(
        warned(one_failed()),
        [
            "never_fires: \"cure\" can never run: its trigger rule one_failed holds only after failures, and the first one ends \
          the execution (fail_fast). Name it where the failure is, `on_failure: cure`, let it be the `finally` of the \
          workflow, or let the workflow go on after \
          failures, `on_failure: wait_all`"
        ]
    );
    assert_eq!(warned(one_failed().on_failure(OnFailure::WaitAll)), [""; 0]);
    assert_eq!(warned(one_failed().on_failure(OnFailure::Tolerate { count: 1 })), [""; 0]);
    assert_eq!(warned(one_failed().task("a", |task| task.optional = true)), [""; 0]);
    let all_failed = |both: bool| {
        let chart = one_failed().rule("cure", TriggerRule::AllFailed).task("a", |task| task.optional = true);
        if both { chart.task("b", |task| task.optional = true) } else { chart }
    };
    assert_eq!((warned(all_failed(false)).len(), warned(all_failed(true)).len()), (1, 0));
    // Its failure is tolerated until the join can go on no more.
    let before_join = chart("s>a s>b a>cure cure>join b>join join>e").join("join", JoinStrategy::Any, Losers::Finish);
    assert_eq!(warned(before_join.rule("cure", TriggerRule::OneFailed)), [""; 0]);
    // With the join that cannot go on they count, so that nothing behind it hears of them.
    let behind = chart("s>a s>b a>join b>join join>cure cure>e").join("join", JoinStrategy::Any, Losers::Finish);
    assert_eq!(warned(behind.rule("cure", TriggerRule::OneFailed)).len(), 1);
    let handled = chart("s>a a>cure cure>e a>e a:failed>other other>e").rule("cure", TriggerRule::OneFailed);
    assert_eq!(warned(handled).len(), 1, "what is handled is no failure for what comes after");
}

#[test]
fn what_a_rule_cannot_mean_is_refused() {
    let codes = |chart: Chart| {
        let error = compile(chart.definition(), &Registry::new()).expect_err("something is wrong with it");
        error.problems.iter().map(|problem| problem.code.as_str()).collect::<Vec<_>>()
    };
    let two = || chart("s>a s>b a>join b>join join>e");
    let any = |count| two().join("join", JoinStrategy::AtLeast { count }, Losers::Finish);
    assert_eq!((codes(any(0)), codes(any(3))), (vec!["bad_join"], vec!["bad_join"]));
    assert_eq!(codes(two().join("join", JoinStrategy::All, Losers::Cancel)), ["bad_join"]);
    assert_eq!(codes(two().rule("join", TriggerRule::AllDone)), ["bad_trigger_rule"]);
    assert_eq!(codes(two().rule("s", TriggerRule::AllDone)), ["bad_trigger_rule"]);
    assert_eq!(codes(two().rule("e", TriggerRule::AtLeast { count: 2 })), ["bad_trigger_rule"]);
    let guarded = Definition::builder("w")
        .task("a", "h")
        .task("b", "h")
        .join("heard", JoinStrategy::Any)
        .after_all(["a", "b"])
        .when("input.x")
        .build();
    let error = compile(guarded, &Registry::new()).expect_err("the condition would have the edges");
    assert!(error.to_string().contains("guard_misplaced: \"heard\" is a join that does not wait"), "{error}");
}

#[test]
fn a_node_that_began_early_is_not_asked_for_again_after_a_replay() {
    let story = Scenario::new(branches(JoinStrategy::Any, Losers::Finish))
        .activate()
        .complete("a", json!(1))
        .restart()
        .complete("b", json!(2));
    let after = story.node("after");
    assert!(matches!(after.state, NodeRecordState::Running(begun) if begun.attempt.is_some_and(|it| it.get() == 2)));
    let _story =
        story.complete("after", json!(null)).complete("c", json!(null)).expect_status(ExecutionStatus::Completed);
}
