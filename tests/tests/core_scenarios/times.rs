//! How long tasks may take in all.

use finale_core::definition::{Task, Times};
use finale_core::fact::OperatorAction;

use super::*;

fn total(seconds: u32, retry: Retry) -> Scenario {
    let limit = move |task: &mut Task| {
        (task.times, task.retry) = (Times { total: Some(seconds * SECOND), ..Times::default() }, retry);
    };
    Scenario::new(chart("s>a a>e").task("a", limit)).activate()
}

fn timer(scenario: &Scenario) -> Timer {
    Timer::Total(scenario.key("a"))
}

#[test]
fn a_task_that_takes_too_long_in_all_has_timed_out_and_is_not_tried_again() {
    let scenario = total(10, Retry::attempts(9));
    let first = dispatch(&scenario, "a", 1);
    let scenario = scenario.advance(10 * SECOND);
    let _story = scenario
        .expect_error(r#"task "Do a" (a) timed out: not done within 10s in all [attempt 1 of 9]"#)
        .look(|driven| assert!(driven.effects().contains(&Effect::Stop { dispatch: first, then: AfterStop::Forget })));
    // The waits between attempts count too.
    let scenario = total(10, Retry::attempts(9).backoff(60 * SECOND)).advance(SECOND).fail("a", "no");
    let _story = scenario
        .advance(8 * SECOND)
        .expect_node("a", NodeStatus::Waiting)
        .advance(SECOND)
        // The second attempt was never begun.
        .expect_error(r#"task "Do a" (a) timed out: not done within 10s in all [attempt 1 of 9]"#);
    // And it holds for somebody outside.
    let outside = chart("s>a a>e").outside("a").task("a", |task| task.times.total = Some(10 * SECOND));
    let _story = Scenario::new(outside).activate().advance(10 * SECOND).expect_status(ExecutionStatus::Failed);
}

#[test]
fn what_is_done_in_time_leaves_no_timer() {
    let scenario = total(10, Retry::attempts(9)).fail("a", "no").advance(9 * SECOND).complete("a", json!(1));
    let timer = timer(&scenario);
    let _story = scenario.expect_output(json!(1)).look(|driven| {
        assert!(driven.effects().contains(&Effect::DisarmTimer { timer }));
        assert!(driven.armed().is_empty());
    });
}

#[test]
fn the_time_in_all_goes_on_across_a_restart() {
    let scenario = total(10, Retry::attempts(9)).advance(6 * SECOND).crash().advance(3 * SECOND);
    let _story = scenario.expect_node("a", NodeStatus::Running).advance(SECOND).expect_status(ExecutionStatus::Failed);
}

#[test]
fn the_time_in_all_stands_still_while_a_task_is_held_and_a_retry_gives_all_of_it_again() {
    let held = || total(10, Retry::attempts(1).hold()).advance(9 * SECOND).fail("a", "no").advance(100 * SECOND);
    let scenario = held().expect_node("a", NodeStatus::Waiting).operate("a", OperatorAction::Retry).advance(9 * SECOND);
    let scenario = scenario.expect_node("a", NodeStatus::Running).advance(SECOND).expect_node("a", NodeStatus::Waiting);
    assert!(
        scenario.why().contains("for an operator: attempt 2 timed out: not done within 10s in all"),
        "{}",
        scenario.why()
    );
    let held = Retry::attempts(9).backoff(60 * SECOND).hold();
    let between = total(10, held).advance(SECOND).fail("a", "no").advance(9 * SECOND);
    assert!(between.why().contains("attempt 1 timed out: not done within 10s in all"), "{}", between.why());
    let between = between.operate("a", OperatorAction::Retry).expect_node("a", NodeStatus::Running);
    let second = dispatch(&between, "a", 2);
    let _story = between.look(|driven| {
        let ran = |effect: &Effect| matches!(effect, Effect::Run { dispatch, .. } if *dispatch == second);
        assert!(driven.effects().iter().any(ran), "no attempt is left out");
    });
    let timer = timer(&scenario);
    let _story = scenario.refuses(Input::TimerFired(timer), "nobody waits for this moment").fail_by_hand("a");
}

#[test]
fn what_is_said_between_two_attempts_is_said_of_the_last_one_and_that_is_there_once() {
    let attempts = |scenario: &Scenario| {
        let node = scenario.node("a");
        let last = match &node.state {
            NodeRecordState::Failed { begun, error, .. } => Some((*begun, error.clone())),
            NodeRecordState::Completed { begun, .. } => Some((*begun, "completed".to_owned())),
            _ => None,
        };
        let last = last.map(|(Begun { attempt, started_at }, what)| (attempt, started_at, what));
        let earlier = node.earlier.into_iter().map(|one| (Some(one.attempt), one.started_at, one.error));
        earlier.chain(last).collect::<Vec<_>>()
    };
    let waits = |retry: Retry| total(10, retry.backoff(60 * SECOND)).advance(SECOND).fail("a", "no").advance(SECOND);
    // The story tells the outcome of a handler as if it had begun only then.
    let begun = total(10, Retry::attempts(9)).record().created_at.after(SECOND);
    let one = |what: &str| vec![(Some(attempt(1)), begun, what.to_owned())];
    let late = "timed out: not done within 10s in all";
    assert_eq!(attempts(&waits(Retry::attempts(9)).advance(8 * SECOND)), one(late));
    assert_eq!(attempts(&waits(Retry::attempts(9).hold()).advance(8 * SECOND)), one(late));
    for retry in [Retry::attempts(9), Retry::attempts(1).hold()] {
        let output = Payload::NULL;
        assert_eq!(attempts(&waits(retry.clone()).operate("a", OperatorAction::Fail)), one("failed: given up"));
        assert_eq!(attempts(&waits(retry.clone()).operate("a", OperatorAction::Complete(output))), one("completed"));
        assert_eq!(attempts(&waits(retry).cancel_task("a", "not needed")), one("cancelled: not needed"));
    }
    // What is said of an attempt that is under way adds to those before.
    let second = total(10, Retry::attempts(9)).fail("a", "no").advance(10 * SECOND);
    let words: Vec<_> = attempts(&second).into_iter().map(|(attempt, _, what)| (attempt, what)).collect();
    assert_eq!(words, [(Some(attempt(1)), "failed: no".to_owned()), (Some(attempt(2)), late.to_owned())]);
}
