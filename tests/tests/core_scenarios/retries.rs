//! When tasks are tried again, with which waits, and what operators say of those that are held.

use finale_core::WaitingFor;
use finale_core::definition::{Backoff, Definition, Task, TriggerRule};
use finale_core::fact::{Operation, OperatorAction};

use super::*;

fn retries(retry: Retry) -> Scenario {
    Scenario::new(chart("s>a a>e").task("a", |task| task.retry = retry)).activate()
}

/// The attempt that is waited for, and how long, if one is.
fn armed(scenario: &Scenario) -> Option<Duration> {
    scenario.driven().execution().under_way(scenario.driven().definition()).into_iter().find_map(
        |effect| match effect {
            Effect::ArmTimer { timer: Timer::Backoff(..), within, .. } => Some(within),
            _ => None,
        },
    )
}

/// Fails attempt after attempt, each with one more second of work, and gives the waits between them.
fn waits(mut scenario: Scenario) -> Vec<Duration> {
    let mut waits = Vec::new();
    loop {
        scenario = scenario.fail("a", "no");
        let Some(wait) = armed(&scenario) else { return waits };
        waits.push(wait);
        scenario = scenario.advance(wait).expect_node("a", NodeStatus::Running);
    }
}

fn failed_with_code(code: &str) -> Failure {
    Failure::new(FailureClass::Failed, "no").with_code(code)
}

fn seconds(seconds: &[u64]) -> Vec<Duration> {
    seconds.iter().copied().map(Duration::from_secs).collect()
}

#[test]
fn waits_are_constant_linear_or_exponential_up_to_their_max() {
    let five = |backoff: Backoff| waits(retries(Retry::attempts(6).backoff(backoff)));
    assert_eq!(five(Backoff::constant(2 * SECOND)), seconds(&[2, 2, 2, 2, 2]));
    assert_eq!(five(Backoff::linear(2 * SECOND)), seconds(&[2, 4, 6, 8, 10]));
    assert_eq!(five(Backoff::exponential(SECOND, 3.0)), seconds(&[1, 3, 9, 27, 81]));
    assert_eq!(five(Backoff::exponential(SECOND, 3.0).max(20 * SECOND)), seconds(&[1, 3, 9, 20, 20]));
    assert_eq!(five(Backoff::linear(2 * SECOND).max(5 * SECOND)), seconds(&[2, 4, 5, 5, 5]));
}

#[test]
fn lost_attempts_do_not_make_the_wait_longer() {
    let scenario = retries(Retry::attempts(3).backoff(Backoff::exponential(SECOND, 2.0)));
    let scenario = scenario.crash().crash().fail("a", "no");
    assert_eq!(armed(&scenario), Some(SECOND));
    let scenario = scenario.advance(SECOND).fail("a", "no");
    assert_eq!(armed(&scenario), Some(2 * SECOND));
}

#[test]
fn jitter_shortens_waits_and_is_the_same_after_a_restart() {
    let backoff = Backoff::constant(100 * SECOND).jitter_percent(30);
    let waited = waits(retries(Retry::attempts(6).backoff(backoff)));
    assert!(waited.iter().all(|wait| (70 * SECOND..=100 * SECOND).contains(wait)), "{waited:?}");
    let different: std::collections::BTreeSet<_> = waited.iter().collect();
    assert_eq!(different.len(), 5, "each attempt draws for itself: {waited:?}");
    let scenario = retries(Retry::attempts(6).backoff(backoff)).fail("a", "no").crash();
    assert_eq!(armed(&scenario), Some(waited[0]));
    let scenario = scenario.advance(waited[0]).fail("a", "no");
    assert_eq!(armed(&scenario), Some(waited[1]));
}

#[test]
fn no_attempt_begins_after_the_time_for_all_of_them() {
    let within = || retries(Retry::attempts(100).backoff(10 * SECOND).within(25 * SECOND));
    let scenario = within().fail("a", "no").advance(10 * SECOND).fail("a", "no").advance(10 * SECOND);
    // A third wait would end 30 seconds after the first attempt was handed out.
    let _story = scenario.fail("a", "no").expect_error(r#"task "Do a" (a) failed: no [attempt 3 of 100]"#);
    // An attempt may take its time; none follows it.
    let scenario = within().fail("a", "no").advance(10 * SECOND).advance(100 * SECOND);
    let _story = scenario.expect_node("a", NodeStatus::Running).fail("a", "no").expect_status(ExecutionStatus::Failed);
    // What is exactly in time begins.
    let scenario = retries(Retry::attempts(100).backoff(10 * SECOND).within(10 * SECOND)).fail("a", "no");
    let _story = scenario.advance(10 * SECOND).complete("a", NULL).expect_status(ExecutionStatus::Completed);
}

#[test]
fn the_time_for_all_attempts_goes_on_across_a_restart() {
    let retry = Retry::attempts(100).backoff(10 * SECOND).within(25 * SECOND);
    let scenario = retries(retry).fail("a", "no").crash().advance(10 * SECOND).crash().advance(10 * SECOND);
    let _story = scenario.fail("a", "no").expect_status(ExecutionStatus::Failed);
}

#[test]
fn no_attempt_begins_too_late_because_the_process_was_gone() {
    let retry = || Retry::attempts(100).backoff(5 * SECOND).within(8 * SECOND);
    let late = retries(retry()).fail("a", "no").crash_for(3_600 * SECOND);
    let _story = late.expect_error(r#"task "Do a" (a) failed: no [attempt 1 of 100]"#);
    let held = retries(retry().hold()).fail("a", "no").crash_for(3_600 * SECOND);
    assert!(held.why().contains("an operator: attempt 1 failed: no"), "{}", held.why());
    // An operator gives it all its time again.
    let again = held.operate("a", OperatorAction::Retry).expect_node("a", NodeStatus::Running);
    let _story = again.fail("a", "no").advance(5 * SECOND).expect_node("a", NodeStatus::Running);
    let in_time = retries(retry()).fail("a", "no").crash_for(7 * SECOND);
    let _story = in_time.expect_node("a", NodeStatus::Running);
}

#[test]
fn only_failures_that_are_meant_are_tried_again() {
    let is_tried_again = |retry: &Retry, failure: Failure| {
        let scenario = retries(retry.clone()).fail_with("a", failure);
        let status = scenario.node("a").state.status();
        assert!(matches!(status, NodeStatus::Running | NodeStatus::Failed), "{status}");
        status == NodeStatus::Running
    };
    let of_class = |class| Failure::new(class, "no");
    let on = Retry::attempts(2).on(["timed_out", "busy"]);
    assert!(is_tried_again(&on, of_class(FailureClass::TimedOut)));
    assert!(is_tried_again(&on, failed_with_code("busy")));
    assert!(!is_tried_again(&on, of_class(FailureClass::Failed)));
    assert!(!is_tried_again(&on, failed_with_code("card_declined")));
    let not_on = Retry::attempts(2).not_on(["panicked", "card_declined"]);
    assert!(is_tried_again(&not_on, of_class(FailureClass::Failed)));
    assert!(is_tried_again(&not_on, failed_with_code("busy")));
    assert!(!is_tried_again(&not_on, of_class(FailureClass::Panicked)));
    assert!(!is_tried_again(&not_on, failed_with_code("card_declined")));
    let both = Retry::attempts(2).on(["failed"]).not_on(["card_declined"]);
    assert!(is_tried_again(&both, of_class(FailureClass::Failed)));
    assert!(!is_tried_again(&both, failed_with_code("card_declined")), "not_on takes precedence");
    // The name of a class is no code.
    assert!(!is_tried_again(&Retry::attempts(2).on(["timed_out"]), failed_with_code("timed_out")));
}

fn hold() -> Scenario {
    retries(Retry::attempts(2).hold()).fail("a", "no").fail("a", "still no")
}

fn expect_held(scenario: Scenario) -> Scenario {
    let a = scenario.key("a");
    scenario.expect_node("a", NodeStatus::Waiting).look(|driven| {
        assert_eq!(driven.held(), [a]);
        let why = driven.execution().why(driven.definition());
        assert_eq!(why.awaited[0].waiting_for, Some(WaitingFor::Operator));
    })
}

#[test]
fn what_is_used_up_and_to_be_held_waits_for_an_operator() {
    let scenario = expect_held(hold());
    assert!(scenario.why().contains("for an operator: attempt 2 failed: still no since "), "{}", scenario.why());
    let scenario = expect_held(scenario.advance(10_000_000 * SECOND));
    let _story = scenario.cancel().expect_status(ExecutionStatus::Cancelled);
    // Time can be used up as well.
    let late = Retry::attempts(9).backoff(10 * SECOND).within(5 * SECOND).hold();
    let _story = expect_held(retries(late).fail("a", "no")).cancel();
    // What cannot be helped by another attempt is not held.
    let permanent = Failure::new(FailureClass::Failed, "no").permanent();
    let _story = retries(Retry::attempts(2).hold()).fail_with("a", permanent).expect_status(ExecutionStatus::Failed);
    let not_on = Retry::attempts(2).not_on(["failed"]).hold();
    let _story = retries(not_on).fail("a", "no").expect_status(ExecutionStatus::Failed);
}

#[test]
fn an_operators_retry_gives_all_attempts_and_all_time_again() {
    let held = || expect_held(hold()).operate("a", OperatorAction::Retry).expect_node("a", NodeStatus::Running);
    let scenario = held().fail("a", "no").expect_node("a", NodeStatus::Running);
    let scenario = expect_held(scenario.fail("a", "no")).operate("a", OperatorAction::Retry);
    let _story = scenario.complete("a", json!(7)).expect_output(json!(7));
    // The backoff begins anew, and so does the time.
    let retry = Retry::attempts(3).backoff(Backoff::exponential(SECOND, 10.0)).within(12 * SECOND).hold();
    let scenario = retries(retry).fail("a", "no").advance(SECOND).fail("a", "no").advance(10 * SECOND);
    let scenario = expect_held(scenario.fail("a", "no")).advance(1_000 * SECOND).operate("a", OperatorAction::Retry);
    let scenario = scenario.fail("a", "no");
    assert_eq!(armed(&scenario), Some(SECOND));
    let scenario = scenario.advance(SECOND).fail("a", "no");
    assert_eq!(armed(&scenario), Some(10 * SECOND));
    let scenario = scenario.crash().advance(10 * SECOND).fail("a", "no");
    let _story =
        expect_held(scenario).fail_by_hand("a").expect_error(r#"task "Do a" (a) failed: given up [attempt 6 of 6]"#);
}

#[test]
fn an_unknown_outcome_is_held_and_never_tried_again_by_itself() {
    let unknown = || Failure::new(FailureClass::Unknown, "no answer");
    for retry in [Retry::attempts(1), Retry::attempts(9), Retry::attempts(9).on(["unknown_code"])] {
        let scenario = expect_held(retries(retry).fail_with("a", unknown()));
        assert!(scenario.why().contains("attempt 1 has an unknown outcome: no answer"), "{}", scenario.why());
        let scenario = scenario.crash().advance(1_000 * SECOND);
        let _story = expect_held(scenario).operate("a", OperatorAction::Complete(Payload::NULL)).expect_output(NULL);
    }
    // Also when somebody outside says so.
    let outside = Scenario::new(chart("s>a a>e").outside("a")).activate().fail_with("a", unknown());
    let again = expect_held(outside).operate("a", OperatorAction::Retry).expect_node("a", NodeStatus::Waiting);
    let _story = again.complete("a", json!(1)).expect_output(json!(1));
}

#[test]
fn held_work_stays_held_across_a_restart() {
    let scenario = expect_held(hold().crash().restart());
    let _story = scenario.operate("a", OperatorAction::Retry).complete("a", NULL).expect_output(NULL);
}

#[test]
fn held_work_that_runs_at_most_once_is_not_tried_again() {
    let once = Scenario::new(chart("s>a a>e").at_most_once("a")).activate();
    let scenario = expect_held(once.fail_with("a", Failure::new(FailureClass::Unknown, "no answer")));
    let again = operation(&scenario, OperatorAction::Retry, "so");
    let words = "the task runs at most once: it can be completed or failed, not tried again";
    let _story = expect_held(scenario.refuses(again, words)).fail_by_hand("a").expect_status(ExecutionStatus::Failed);
}

#[test]
fn once_the_end_is_decided_nothing_is_held() {
    let chart = || {
        let held = |task: &mut Task| task.retry = Retry::attempts(1).hold();
        fork().task("a", held).finish()
    };
    // A handler that may finish fails, and is not held.
    let scenario = Scenario::new(chart()).activate().fail("b", "no").expect_status(ExecutionStatus::Ending);
    let _story = scenario.fail("a", "no").expect_status(ExecutionStatus::Failed).expect_node("a", NodeStatus::Failed);
    let unknown = Failure::new(FailureClass::Unknown, "no answer");
    let scenario = Scenario::new(chart()).activate().fail("b", "no").fail_with("a", unknown);
    let _story = scenario.expect_node("a", NodeStatus::Failed);
    // What is held then is closed.
    let scenario = Scenario::new(chart()).activate().fail("a", "no").expect_node("a", NodeStatus::Waiting);
    let _story =
        scenario.fail("b", "no").expect_node("a", NodeStatus::Cancelled).expect_status(ExecutionStatus::Failed);
    let scenario = Scenario::new(chart()).deadline(5 * SECOND).activate().fail("a", "no").complete("b", NULL);
    let _story = scenario.advance(5 * SECOND).expect_error("the deadline 1970-01-01T00:00:06.000000Z passed");
}

#[test]
fn what_an_operator_fails_is_final_and_can_be_handled() {
    let caught = || {
        let chart = chart("s>a a>e a:failed>h h>e").task("a", |task| task.retry = Retry::attempts(9).hold());
        Scenario::new(chart).activate()
    };
    // A handler that works on it is dropped at once.
    let scenario = caught();
    let first = dispatch(&scenario, "a", 1);
    let scenario = scenario.fail_by_hand("a").expect_node("a", NodeStatus::Failed).look(|driven| {
        assert!(driven.effects().contains(&Effect::Stop { dispatch: first, then: AfterStop::Forget }));
    });
    let _story = scenario.complete("h", NULL).expect_status(ExecutionStatus::Completed);
    let blank = operation(&caught(), OperatorAction::Fail, " ");
    let _story = caught().refuses(blank, "a task fails for a reason: it must not be blank");
}

#[test]
fn what_an_operator_completes_is_done_wherever_it_was() {
    let seven = || OperatorAction::Complete(Payload::encode(&7).unwrap());
    let retried = || retries(Retry::attempts(9).backoff(SECOND).hold());
    let scenario = retried();
    let first = dispatch(&scenario, "a", 1);
    let _story = scenario.operate("a", seven()).expect_output(json!(7)).look(|driven| {
        assert!(driven.effects().contains(&Effect::Stop { dispatch: first, then: AfterStop::Forget }));
    });
    let scenario = retried().fail("a", "no");
    let timer = Timer::Backoff(scenario.key("a"), attempt(2));
    let _story = scenario.operate("a", seven()).expect_output(json!(7)).look(|driven| {
        assert!(driven.effects().contains(&Effect::DisarmTimer { timer }));
    });
    let _story = hold().operate("a", seven()).expect_output(json!(7));
    let scenario = Scenario::new(chart("s>a a>e").outside("a")).activate();
    let offered = dispatch(&scenario, "a", 1);
    let _story = scenario.operate("a", seven()).expect_output(json!(7)).look(|driven| {
        assert!(driven.effects().contains(&Effect::Withdraw { dispatch: offered }));
    });
}

#[test]
fn what_an_operator_skips_is_not_done_and_what_depends_on_it_goes_on() {
    let behind =
        || Scenario::new(chart("s>a a>b b>e").task("a", |task| task.retry = Retry::attempts(1).hold())).activate();
    let skipped = |scenario: Scenario| {
        scenario
            .operate("a", OperatorAction::Skip)
            .expect_skipped("a", "an operator skipped it")
            .complete("b", json!(1))
    };
    let _story = skipped(behind().fail("a", "no")).expect_output(json!(1));
    // A handler that works on it is dropped at once.
    let scenario = behind();
    let first = dispatch(&scenario, "a", 1);
    let _story = skipped(scenario).look(|driven| {
        assert!(driven.effects().contains(&Effect::Stop { dispatch: first, then: AfterStop::Forget }));
    });
    // As after a failure that is tolerated: for rules it has failed, and what handles its failure is not needed.
    let rules = chart("s>a s>x a>any a>all x>any x>all any>e all>e a:failed>h h>e")
        .rule("any", TriggerRule::OneFailed)
        .rule("all", TriggerRule::AllSuccess);
    let _story = Scenario::new(rules)
        .activate()
        .operate("a", OperatorAction::Skip)
        .expect_node("any", NodeStatus::Running)
        .complete("x", NULL)
        .expect_nodes(&["all", "h"], NodeStatus::Skipped)
        .complete("any", NULL)
        .expect_status(ExecutionStatus::Completed);
}

#[test]
fn what_waits_for_a_slot_can_be_completed_and_skipped() {
    let chart = || chart("s>p p:branch>a p:branch>b p:branch>c a>join b>join c>join join>e").at_once("p", 1);
    let scenario = Scenario::new(chart()).activate().expect_nodes(&["b", "c"], NodeStatus::Ready);
    let scenario = scenario.operate("b", OperatorAction::Skip).operate("c", OperatorAction::Complete(Payload::NULL));
    let _story =
        scenario.expect_node("b", NodeStatus::Skipped).complete("a", NULL).expect_status(ExecutionStatus::Completed);
}

#[test]
fn what_settles_a_task_between_two_attempts_names_the_one_that_was_made() {
    let between = || retries(Retry::attempts(3).backoff(60 * SECOND)).fail("a", "no");
    let error = r#"task "Do a" (a) cancelled: nobody wants it [attempt 1 of 3]"#;
    let _story = between().cancel_task("a", "nobody wants it").expect_error(error);
    let error = r#"task "Do a" (a) failed: given up [attempt 1 of 3]"#;
    let _story = between().fail_by_hand("a").expect_error(error);
    let held = || retries(Retry::attempts(1).hold()).fail("a", "no");
    let error = r#"task "Do a" (a) cancelled: nobody wants it"#;
    let _story = held().cancel_task("a", "nobody wants it").expect_error(error);
}

#[test]
fn an_operator_begins_the_next_attempt_now() {
    let scenario =
        retries(Retry::attempts(2).backoff(3_600 * SECOND)).fail("a", "no").expect_node("a", NodeStatus::Waiting);
    let scenario = scenario.operate("a", OperatorAction::RunNow).expect_node("a", NodeStatus::Running);
    let again = dispatch(&scenario, "a", 2);
    // Whether its handler waits for a limit only the task engine knows.
    let _story = scenario
        .operate("a", OperatorAction::RunNow)
        .look(|driven| assert_eq!(driven.effects().last(), Some(&Effect::PutFirst { dispatch: again })))
        .expect_node("a", NodeStatus::Running)
        .fail("a", "no")
        .expect_error(r#"task "Do a" (a) failed: no [attempt 2 of 2]"#);
}

#[test]
fn operators_say_of_tasks_only_what_can_be() {
    let scenario = Scenario::new(chart("s>a a>b b>e")).activate();
    let of = |node: &str, action| {
        let (key, reason) = (scenario.key(node), "so".into());
        Input::Operate(Operation { key, by: "jo".into(), reason, action })
    };
    let (complete, early, retry) = (
        of("s", OperatorAction::Complete(Payload::NULL)),
        of("b", OperatorAction::Fail),
        of("a", OperatorAction::Retry),
    );
    let late = of("a", OperatorAction::Fail);
    let _story = scenario
        .refuses(complete, "the node has no output: nobody works on it")
        .refuses(early, "node 0.2 is pending: it is too early for this")
        .refuses(retry, "node 0.1 is running: it is too early for this")
        .complete("a", NULL)
        .refuses(late, "node 0.1 is completed already");
}

#[test]
fn whoever_says_the_wrong_thing_of_a_wait_is_told_what_would_help() {
    let held = || retries(Retry::attempts(1).hold()).fail("a", "no");
    let run_now = operation(&held(), OperatorAction::RunNow, "so");
    let _held = held().refuses(run_now.clone(), "node 0.1 is held: retry it, or complete, fail or skip it by hand");
    let between = || retries(Retry::attempts(2).backoff(60 * SECOND)).fail("a", "no");
    let retry = operation(&between(), OperatorAction::Retry, "so");
    let help = "node 0.1 waits for its next attempt: run it now, or complete, fail or skip it by hand";
    let _between = between().refuses(retry.clone(), help);
    let outside = || Scenario::new(chart("s>a a>e").outside("a")).activate();
    let help = "node 0.1 waits for whoever does its task: report what came of it, or complete, fail or skip it by hand";
    let _outside = outside().refuses(run_now, help).refuses(retry, help);
    let inner = Definition::builder("inner").task("t", "work").build();
    let group = Scenario::of(Definition::builder("root").group("a", inner).build()).activate();
    let (run_now, key) = (operation(&group, OperatorAction::RunNow, "so"), group.key("a"));
    let help = "waits for what runs in it: let that end, or complete, fail or skip the node by hand";
    let _group = group.refuses(run_now, &format!("node {key} {help}"));
    let review = || Scenario::new(chart("s>a a:pass>b a:fail>c a:refer>d b>e c>e d>e")).activate();
    let complete = operation(&review(), OperatorAction::Complete(Payload::NULL), "so");
    let _review = review().refuses(complete, "a verification has no output: give a verdict on it");
}

fn operation(scenario: &Scenario, action: OperatorAction, reason: &str) -> Input {
    Input::Operate(Operation { key: scenario.key("a"), by: "jo".into(), reason: reason.into(), action })
}
