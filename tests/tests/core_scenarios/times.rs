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
