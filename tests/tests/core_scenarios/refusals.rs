//! What is refused, in which words, and changes nothing.

use super::*;

#[test]
fn a_verdict_can_come_too_early_and_too_late() {
    let scenario = Scenario::new(chart("s>a a>v v:pass>b v:fail>e v:refer>e b>e")).activate();
    let (key, other) = (scenario.key("v"), |node| WorkKey::root(NodeIndex(node)));
    let verdict = |key| Input::Verdict { key, verdict: Verdict::Pass, by: "jo".into() };
    let _story = scenario
        .refuses(verdict(key), "node 0.2 is pending: it is too early for this")
        .refuses(verdict(other(1)), "the node is not a verification")
        .refuses(verdict(other(9)), "there is no such work in the execution")
        .complete("a", NULL)
        .verdict("v", Verdict::Pass)
        .refuses(verdict(key), "node 0.2 is completed already");
}

#[test]
fn duplicate_stale_and_unknown_outcomes_change_nothing() {
    let scenario =
        Scenario::new(chart("s>a a>b b>e").task("a", retried(2, Duration::ZERO))).activate().fail("a", "once");
    let (first, second, b) = (dispatch(&scenario, "a", 1), dispatch(&scenario, "a", 2), dispatch(&scenario, "b", 1));
    let unknown = Dispatch { key: WorkKey::root(NodeIndex(99)), ..first };
    let item = Dispatch { key: WorkKey { scope: ScopeId(1), ..first.key }, ..second };
    let earlier_life = Dispatch { epoch: Epoch(1), ..second };
    let _story = scenario
        .refuses(done(first), "attempt 1 of node 0.1 is not the current one")
        .refuses(done(earlier_life), "attempt 2 of node 0.1 is not the current one")
        .refuses(done(b), "node 0.2 is pending: it is too early for this")
        .refuses(done(unknown), "there is no such work in the execution")
        .refuses(done(item), "there is no such work in the execution")
        .complete("a", NULL)
        .refuses(done(second), "node 0.1 is completed already")
        .refuses(done(first), "attempt 1 of node 0.1 is not the current one");
}

#[test]
fn a_timer_that_nobody_armed_fires_in_vain() {
    let scenario = Scenario::new(chart("s>a a>e")).activate();
    let key = scenario.key("a");
    let _story = scenario
        .refuses(Input::TimerFired(Timer::Deadline), "nobody waits for this moment")
        .refuses(Input::TimerFired(Timer::Timeout(key, attempt(1))), "nobody waits for this moment")
        .refuses(Input::TimerFired(Timer::Backoff(key, attempt(1))), "attempt 1 of node 0.1 is not the current one");
}

#[test]
fn an_activation_for_another_definition_is_refused() {
    let other = Scenario::new(chart("s>b b>e"));
    let mut activation = None;
    let _other = other.look(|driven| activation = Some(driven.activation(Payload::NULL, None)));
    let _story = Scenario::new(chart("s>a a>e"))
        .refuses(activation.unwrap(), "the activation is meant for another definition")
        .activate();
}

#[test]
fn a_timeout_that_fires_while_its_handler_is_being_stopped_is_too_late() {
    let scenario = Scenario::new(chart("s>a a>e").task("a", |task| task.timeout = Some(SECOND))).activate().cancel();
    let key = scenario.key("a");
    let _story = scenario
        .look(|driven| assert_eq!(driven.armed(), []))
        .refuses(Input::TimerFired(Timer::Timeout(key, attempt(1))), "nobody waits for this moment")
        .stopped("a", StopOutcome::Stopped)
        .expect_node("a", NodeStatus::Cancelled);
}

#[test]
fn after_the_end_nothing_changes() {
    let scenario = Scenario::new(chart("s>a a>e")).activate().complete("a", NULL);
    let (first, over) = (dispatch(&scenario, "a", 1), "the execution is over already: completed");
    let _story = scenario
        .refuses(done(first), over)
        .refuses(Input::Stopped { dispatch: first, how: StopOutcome::Lost }, over)
        .refuses(Input::TimerFired(Timer::Timeout(first.key, attempt(1))), over)
        .refuses(Input::Reported(Report::new(first.key, Ok(Payload::NULL))), over)
        .refuses(fail_by_hand("too late"), "the execution is completed, not running");
}

#[test]
fn before_the_activation_nothing_is_accepted() {
    let scenario = Scenario::new(chart("s>a a>e"));
    let first = dispatch(&scenario, "a", 1);
    let _story = scenario
        .refuses(done(first), "the execution is pending, not running")
        .refuses(complete_by_hand(), "the execution is pending, not running");
}
