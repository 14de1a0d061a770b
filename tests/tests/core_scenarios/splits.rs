//! Splits with a limit.

use std::time::Duration;

use finale_core::definition::{JoinStrategy, Losers};
use finale_core::fact::StopOutcome;
use finale_core::{ExecutionStatus, NodeStatus};
use finale_tests::chart::{Chart, chart};
use finale_tests::scenario::Scenario;
use serde_json::json;

/// Four branches, of which so many may be at work at once, and a task behind the join.
fn four(max: u32) -> Chart {
    let edges = "s>p p:branch>a p:branch>b p:branch>c p:branch>d a>join b>join c>join d>join join>after after>e";
    chart(edges).at_once("p", max)
}

#[test]
fn a_split_lets_no_more_handlers_work_than_its_limit() {
    let story = Scenario::new(four(2)).activate().expect_nodes(&["a", "b"], NodeStatus::Running);
    let story = story.expect_nodes(&["c", "d"], NodeStatus::Ready);
    assert!(story.why().contains("\"Do c\" (c) for a slot: no more than 2 may be at work behind p"), "{}", story.why());
    let _story = story
        .complete("b", json!(1))
        .expect_node("c", NodeStatus::Running)
        .expect_node("d", NodeStatus::Ready)
        .complete("c", json!(1))
        .complete("a", json!(1))
        .complete("d", json!(1))
        .expect_node("after", NodeStatus::Running)
        .complete("after", json!(1))
        .expect_status(ExecutionStatus::Completed);
}

#[test]
fn slots_behind_a_split_are_given_in_order() {
    // A second task of a branch waits behind those that were there before it, and so does a further attempt.
    let edges = "s>p p:branch>a p:branch>b p:branch>c a>a2 a2>join b>join c>join join>e";
    let chart = chart(edges).at_once("p", 1).retry("b", 2, Duration::ZERO);
    let _story = Scenario::new(chart)
        .activate()
        .complete("a", json!(1))
        .expect_node("b", NodeStatus::Running)
        .expect_nodes(&["c", "a2"], NodeStatus::Ready)
        .fail("b", "once more")
        .expect_node("c", NodeStatus::Running)
        .expect_nodes(&["a2", "b"], NodeStatus::Ready)
        .complete("c", json!(1))
        .expect_node("a2", NodeStatus::Running)
        .complete("a2", json!(1))
        .expect_node("b", NodeStatus::Running)
        .complete("b", json!(1))
        .expect_status(ExecutionStatus::Completed);
}

#[test]
fn what_waits_takes_no_slot_behind_a_split() {
    let chart = four(1).outside("a").retry("b", 2, Duration::from_secs(60));
    let _story = Scenario::new(chart)
        .activate()
        .expect_node("a", NodeStatus::Waiting)
        .expect_node("b", NodeStatus::Running)
        .fail("b", "later")
        .expect_node("b", NodeStatus::Waiting)
        .expect_node("c", NodeStatus::Running)
        .advance(Duration::from_secs(60))
        .expect_nodes(&["b", "d"], NodeStatus::Ready)
        .complete("c", json!(1))
        .expect_node("d", NodeStatus::Running)
        .complete("d", json!(1))
        .expect_node("b", NodeStatus::Running)
        .complete("b", json!(1))
        .complete("a", json!(1))
        .complete("after", json!(1))
        .expect_status(ExecutionStatus::Completed);
}

#[test]
fn a_task_behind_two_splits_needs_two_slots() {
    let edges = "s>p p:branch>a p:branch>q q:branch>b q:branch>c b>join2 c>join2 join2>join a>join join>e";
    let chart = chart(edges).at_once("p", 2).at_once("q", 1);
    let _story = Scenario::new(chart)
        .activate()
        .expect_nodes(&["a", "b"], NodeStatus::Running)
        .expect_node("c", NodeStatus::Ready)
        .complete("a", json!(1))
        .expect_node("c", NodeStatus::Ready)
        .complete("b", json!(1))
        .expect_node("c", NodeStatus::Running)
        .complete("c", json!(1))
        .expect_status(ExecutionStatus::Completed);
}

#[test]
fn what_handles_a_failure_is_behind_the_split_if_it_leads_back_into_the_branches() {
    let edges = "s>p p:branch>a p:branch>b a>join b>join join>e a:failed>cure cure>join b:failed>tell tell>e";
    let chart = chart(edges).at_once("p", 1);
    let _story = Scenario::new(chart)
        .activate()
        .fail("a", "no")
        .expect_node("b", NodeStatus::Running)
        .expect_node("cure", NodeStatus::Ready)
        .fail("b", "no")
        .expect_nodes(&["cure", "tell"], NodeStatus::Running)
        .complete("cure", json!(1))
        .complete("tell", json!(1))
        .expect_status(ExecutionStatus::Completed);
}

#[test]
fn a_retry_that_waits_for_a_slot_can_be_cancelled_and_is_closed_with_its_execution() {
    let begun = || {
        let story = Scenario::new(four(1).retry("a", 3, Duration::ZERO)).activate().fail("a", "once more");
        story.expect_node("a", NodeStatus::Ready).expect_node("b", NodeStatus::Running)
    };
    let _story = begun().cancel_task("a", "leave it").expect_status(ExecutionStatus::Ending);
    let _story = begun().cancel().expect_node("a", NodeStatus::Cancelled).stopped("b", StopOutcome::Stopped);
}

#[test]
fn a_crash_gives_back_no_slot_that_is_taken_again() {
    let _story = Scenario::new(four(2).at_most_once("b").join("join", JoinStrategy::Any, Losers::Finish))
        .activate()
        .crash()
        .expect_node("b", NodeStatus::Failed)
        .expect_nodes(&["a", "c"], NodeStatus::Running)
        .expect_node("d", NodeStatus::Ready)
        .complete("a", json!(1))
        .expect_node("d", NodeStatus::Running);
}

#[test]
fn the_failure_that_decides_the_end_gives_its_slot_to_nobody() {
    let _story = Scenario::new(four(1))
        .activate()
        .fail("a", "no")
        .expect_nodes(&["b", "c", "d"], NodeStatus::Skipped)
        .expect_status(ExecutionStatus::Failed);
}

#[test]
fn a_handler_that_a_join_has_closed_gives_its_slot_back_once_whatever_it_reports() {
    // The join goes on after `a`, and closes `b`; all others are waited for behind it.
    let edges = "s>p p:branch>a p:branch>b p:branch>c p:branch>d p:branch>f a>join b>join join>joined c>joined d>joined \
                 f>joined joined>e";
    let chart = || chart(edges).at_once("p", 2).join("join", JoinStrategy::Any, Losers::Cancel);
    let closed = || Scenario::new(chart()).activate().complete("a", json!(1));
    let goes_on = |story: Scenario| {
        let story = story.expect_nodes(&["c", "d"], NodeStatus::Running).expect_node("f", NodeStatus::Ready);
        let story = story.expect_node("b", NodeStatus::Cancelled).complete("c", json!(1));
        let _story = story.expect_nodes(&["d", "f"], NodeStatus::Running);
    };
    let story = closed().expect_nodes(&["b", "c"], NodeStatus::Running).expect_nodes(&["d", "f"], NodeStatus::Ready);
    goes_on(story.stopped("b", StopOutcome::Stopped));
    goes_on(closed().complete("b", json!(1)));
    goes_on(closed().fail("b", "too late to matter"));
    goes_on(closed().cancel_task("b", "nobody needs it"));
}
