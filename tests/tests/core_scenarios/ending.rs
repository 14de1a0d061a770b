//! How executions end: cancel, finish, operators, deadlines, outputs.

use finale_core::definition::TriggerRule;

use super::*;

#[test]
fn an_execution_without_tasks_completes_at_once() {
    let _story = Scenario::new(chart("s>e"))
        .activate()
        .expect_status(ExecutionStatus::Completed)
        .expect_nodes(&["s", "e"], NodeStatus::Completed)
        .expect_effects(&[Effect::Ended])
        .expect_output(json!({}));
}

#[test]
fn cancel_closes_what_waits_and_stops_what_runs_before_the_execution_ends() {
    let chart = chart("s>p p:branch>a p:branch>b p:branch>c p:branch>v a>e b>e c>e v:pass>e v:fail>e v:refer>e");
    let scenario = Scenario::new(chart.outside("b").task("c", retried(2, SECOND))).activate().fail("c", "once");
    let (a, b) = (dispatch(&scenario, "a", 1), dispatch(&scenario, "b", 1));
    let (c, v) = (dispatch(&scenario, "c", 1), scenario.key("v"));
    let seen = scenario.advance(SECOND / 2).look(|driven| assert_eq!(driven.armed().len(), 1)).cancel();
    let scenario = seen
        .expect_status(ExecutionStatus::Ending)
        .expect_nodes(&["b", "c", "v"], NodeStatus::Cancelled)
        .expect_node("a", NodeStatus::Running)
        .expect_skipped("e", "the execution ended first")
        .look(|driven| {
            let stop = Effect::Stop { dispatch: a, then: AfterStop::Report };
            assert!(driven.effects().contains(&Effect::Withdraw { dispatch: b }));
            assert_eq!(driven.effects().last(), Some(&stop));
            assert_eq!(driven.stopping(), [a]);
            assert!(driven.armed().is_empty());
        })
        .stopped("a", StopOutcome::Aborted)
        .expect_status(ExecutionStatus::Cancelled)
        .look(|driven| {
            let closed = Interruption::Stopped(StopOutcome::Closed);
            let stopped = Interruption::Stopped(StopOutcome::Aborted);
            assert_eq!(
                driven.execution().interrupted(),
                [
                    interrupted(a, stopped),
                    interrupted(b, closed),
                    interrupted(c, closed),
                    Interrupted { key: v, attempt: None, interruption: closed, path: None },
                ]
            );
        });
    assert_eq!(scenario.outcome().end, End::Cancelled { by: "jo".to_owned() });
    let since = |node: &str| match scenario.node(node).state {
        NodeRecordState::Cancelled { begun: Begun { started_at, .. }, .. } => started_at,
        other => panic!("{other:?}"),
    };
    assert_eq!([since("a"), since("v")], [Time::from_micros(1_000_000); 2]);
}

#[test]
fn a_handler_that_is_told_to_stop_may_finish_anyway_or_be_lost() {
    let scenario = Scenario::new(chart("s>p p:branch>a p:branch>b a>e b>e")).activate().cancel();
    let (a, b) = (dispatch(&scenario, "a", 1), dispatch(&scenario, "b", 1));
    let _story = scenario
        .complete("a", json!("late"))
        .expect_node("a", NodeStatus::Completed)
        .refuses(Input::Stopped { dispatch: a, how: StopOutcome::Stopped }, "node 0.2 is completed already")
        .expect_status(ExecutionStatus::Ending)
        .stopped("b", StopOutcome::Lost)
        .expect_status(ExecutionStatus::Cancelled)
        .look(|driven| {
            let lost = Interruption::Stopped(StopOutcome::Lost);
            assert_eq!(
                driven.execution().interrupted(),
                [interrupted(a, Interruption::Finished), interrupted(b, lost)]
            );
        });
}

#[test]
fn a_second_cancel_joins_the_first_and_one_after_the_end_is_refused() {
    let cancel = || Input::Command(Command::Cancel { by: "joe".into() });
    let scenario = Scenario::new(chart("s>a a>e")).activate().cancel();
    let scenario = scenario
        .look(|driven| assert_eq!(driven.execution().sequence(), 2))
        .tell(cancel())
        .look(|driven| assert_eq!(driven.execution().sequence(), 2))
        .stopped("a", StopOutcome::Stopped)
        .refuses(cancel(), "the execution is over already: cancelled");
    assert_eq!(scenario.outcome().decided_by, DecidedBy::Cancelled { by: "jo".to_owned() });
}

#[test]
fn with_finish_running_siblings_finish_and_their_results_change_nothing() {
    let chart = chart("s>p p:branch>a p:branch>b p:branch>c a>e b>d c>e d>e").outside("c").finish();
    let scenario = Scenario::new(chart).activate().fail("a", "no luck").expect_status(ExecutionStatus::Ending);
    let scenario = scenario
        .expect_node("c", NodeStatus::Cancelled)
        .look(|driven| assert_eq!(driven.stopping(), []))
        .complete("b", json!("recorded"))
        .expect_status(ExecutionStatus::Failed)
        .expect_node("b", NodeStatus::Completed)
        .expect_skipped("d", "the execution ended first")
        .expect_error(r#"task "Do a" (a) failed: no luck"#);
    assert_eq!(scenario.outcome().decided_by, DecidedBy::FailFast { node: "a".to_owned() });
}

#[test]
fn with_finish_a_handler_that_is_lost_is_closed_and_not_run_again() {
    let limited = fork().task("b", |task| task.timeout = Some(SECOND));
    let scenario = Scenario::new(limited.finish()).activate();
    let b = dispatch(&scenario, "b", 1);
    let lost = || Input::Stopped { dispatch: b, how: StopOutcome::Lost };
    let _story = scenario
        .refuses(lost(), "nobody told it to stop")
        .fail("a", "no luck")
        .tell(lost())
        .expect_node("b", NodeStatus::Cancelled)
        .look(|driven| assert_eq!(driven.armed(), []))
        .expect_status(ExecutionStatus::Failed);
}

#[test]
fn with_finish_an_attempt_that_fails_is_not_tried_again() {
    let _story = Scenario::new(fork().task("b", retried(3, Duration::ZERO)).finish())
        .activate()
        .fail("a", "no luck")
        .fail("b", "neither")
        .expect_status(ExecutionStatus::Failed)
        .expect_error(r#"task "Do a" (a) failed: no luck; task "Do b" (b) failed: neither [attempt 1 of 3]"#);
}

#[test]
fn a_cancel_while_siblings_finish_stops_them_and_the_failure_stays_the_cause() {
    let scenario = Scenario::new(fork().finish()).activate().fail("a", "no luck");
    let b = dispatch(&scenario, "b", 1);
    let _story = scenario
        .cancel()
        .look(|driven| assert_eq!(driven.stopping(), [b]))
        .stopped("b", StopOutcome::Stopped)
        .expect_status(ExecutionStatus::Failed)
        .expect_error(r#"task "Do a" (a) failed: no luck"#);
}

#[test]
fn a_cancel_does_not_wait_for_handlers_even_with_finish() {
    let scenario = Scenario::new(fork().finish()).activate().cancel();
    let both = [dispatch(&scenario, "a", 1), dispatch(&scenario, "b", 1)];
    let _story = scenario.look(|driven| assert_eq!(driven.stopping(), both));
}

#[test]
fn an_operator_can_declare_an_execution_complete() {
    let scenario = Scenario::new(chart("s>a a>b b>e").outside("a"))
        .activate()
        .tell(complete_by_hand())
        .expect_status(ExecutionStatus::Completed)
        .expect_node("a", NodeStatus::Cancelled)
        .expect_node("b", NodeStatus::Skipped)
        .expect_output(NULL)
        .refuses(complete_by_hand(), "the execution is completed, not running");
    assert_eq!(scenario.outcome().decided_by, DecidedBy::Operator { by: "jo".to_owned() });
}

#[test]
fn an_operator_can_declare_an_execution_failed_for_a_reason() {
    let scenario = Scenario::new(chart("s>a a>e").outside("a"))
        .activate()
        .refuses(fail_by_hand(" "), "an execution fails for a reason: it must not be blank")
        .tell(fail_by_hand("customer left"))
        .expect_error("customer left");
    assert_eq!(scenario.outcome().decided_by, DecidedBy::Operator { by: "jo".to_owned() });
}

#[test]
fn a_deadline_that_passes_fails_the_execution_and_stops_its_handlers() {
    let scenario = Scenario::new(chart("s>a a>e").finish()).deadline(SECOND * 5).activate().advance(SECOND * 5);
    let scenario = scenario
        .expect_status(ExecutionStatus::Ending)
        .look(|driven| assert_eq!(driven.stopping().len(), 1))
        .stopped("a", StopOutcome::Stopped)
        .expect_error("the deadline 1970-01-01T00:00:06.000000Z passed");
    assert_eq!(scenario.outcome().decided_by, DecidedBy::Deadline);
}

#[test]
fn a_deadline_is_of_no_interest_once_the_end_is_decided() {
    let _story = Scenario::new(chart("s>a a>e"))
        .deadline(SECOND)
        .activate()
        .cancel()
        .look(|driven| assert_eq!(driven.armed(), []))
        .refuses(Input::TimerFired(Timer::Deadline), "the execution is ending, not running");
}

#[test]
fn the_output_is_that_of_the_only_last_task_else_a_map_of_the_last_ones_else_an_expression() {
    let one = chart("s>a a>b b>e");
    let _story =
        Scenario::new(one.clone()).activate().complete("a", json!(1)).complete("b", json!(2)).expect_output(json!(2));
    let two = chart("s>p p:branch>a p:branch>b a>join b>join join>e");
    let _story = Scenario::new(two)
        .activate()
        .complete("b", json!([2]))
        .complete("a", json!(1))
        .expect_output(json!({"a": 1, "b": [2]}));
    let _story = Scenario::new(one.output("nodes.a.output + nodes.b.output"))
        .activate()
        .complete("a", json!(1))
        .complete("b", json!(2))
        .expect_output(json!(3));
}

#[test]
fn an_output_that_cannot_be_evaluated_fails_the_execution() {
    let scenario = Scenario::new(chart("s>a a>e").output("nodes.a.output.missing"))
        .activate()
        .complete("a", json!({}))
        .expect_status(ExecutionStatus::Failed);
    let outcome = scenario.outcome();
    assert_eq!(outcome.decided_by, DecidedBy::Output);
    let error = outcome.error().expect("it failed").message();
    assert!(error.starts_with("the output could not be evaluated: "), "{error}");
}

/// Whoever tells of a failure, or cleans up after it, handles nothing by that.
#[test]
fn what_runs_after_a_failure_and_completes_does_not_make_the_execution_good() {
    for rule in [TriggerRule::AllDone, TriggerRule::OneFailed, TriggerRule::AllFailed] {
        let chart = chart("s>a a>tell tell>e").rule("tell", rule).on_failure(OnFailure::WaitAll);
        let scenario = Scenario::new(chart).activate().fail("a", "no paper").complete("tell", json!("told"));
        let scenario = scenario.expect_node("tell", NodeStatus::Completed).expect_status(ExecutionStatus::Failed);
        let outcome = scenario.outcome();
        let error = outcome.error().expect("it failed").to_string();
        assert!(
            error.contains("no paper") && outcome.counts.handled + outcome.counts.tolerated == 0,
            "{rule}: {error}"
        );
    }
}
