//! What becomes of one task: attempts, backoff, timeouts, expressions.

use super::*;

#[test]
fn a_task_is_tried_again_after_its_backoff_and_the_error_counts_the_attempts() {
    let chart = chart("s>charge charge>e").task("charge", |task| {
        task.title = Some("Charge card".to_owned());
        task.retry = Retry::attempts(3).backoff(SECOND);
    });
    let _story = Scenario::new(chart)
        .activate()
        .fail("charge", "network")
        .expect_node("charge", NodeStatus::Waiting)
        .advance(SECOND / 2)
        .expect_node("charge", NodeStatus::Waiting)
        .advance(SECOND / 2)
        .expect_node("charge", NodeStatus::Running)
        .fail("charge", "network")
        .advance(SECOND)
        .fail("charge", "card declined")
        .expect_status(ExecutionStatus::Failed)
        .expect_error(r#"task "Charge card" (charge) failed: card declined [attempt 3 of 3]"#);
}

#[test]
fn a_task_without_backoff_is_tried_again_at_once() {
    let scenario = Scenario::new(chart("s>a a>e").task("a", retried(2, Duration::ZERO))).activate().fail("a", "once");
    let second = dispatch(&scenario, "a", 2);
    let _story = scenario
        .look(|driven| {
            assert_eq!(driven.effects().last(), Some(&Effect::Run { dispatch: second, input: None }));
        })
        .complete("a", json!(true))
        .expect_output(json!(true));
}

#[test]
fn whoever_fails_may_ask_for_a_longer_wait_and_not_for_a_shorter_one_or_another_attempt() {
    for (asked, waited) in [(5 * SECOND, 5 * SECOND), (SECOND / 2, SECOND), (Duration::from_nanos(7), SECOND)] {
        let scenario = Scenario::new(chart("s>a a>e").task("a", retried(2, SECOND))).activate();
        let (key, failed) = (scenario.key("a"), |scenario: &Scenario| Input::Outcome {
            dispatch: scenario.dispatch("a").expect("it is at work"),
            result: Err(Failure::new(FailureClass::Failed, "busy").retry_after(asked)),
            started: Time::default(),
            ended: Time::default(),
        });
        let first = failed(&scenario);
        let due = Time::default().after(SECOND).after(waited);
        let scenario = scenario.tell(first).look(|driven| {
            let armed = Effect::ArmTimer { timer: Timer::Backoff(key, attempt(2)), due, within: waited };
            assert!(driven.effects().contains(&armed), "{:?}", driven.effects());
        });
        let scenario = scenario.expect_node("a", NodeStatus::Waiting).advance(waited);
        let second = failed(&scenario);
        let _story = scenario.tell(second).expect_status(ExecutionStatus::Failed);
    }
}

#[test]
fn a_wait_that_is_too_short_to_be_written_is_none() {
    let scenario = Scenario::new(chart("s>a a>e").task("a", retried(2, Duration::ZERO))).activate();
    let failure = Failure::new(FailureClass::Failed, "busy").retry_after(Duration::from_nanos(7));
    let (started, ended) = (Time::default(), Time::default());
    let input = Input::Outcome { dispatch: dispatch(&scenario, "a", 1), result: Err(failure), started, ended };
    let _story = scenario.tell(input).expect_node("a", NodeStatus::Running);
}

#[test]
fn what_people_decided_and_what_is_permanent_is_not_tried_again() {
    for class in [FailureClass::Cancelled, FailureClass::Rejected, FailureClass::Deleted] {
        let _story = Scenario::new(chart("s>a a>e").outside("a").task("a", retried(3, SECOND)))
            .activate()
            .fail_as("a", class, "")
            .expect_status(ExecutionStatus::Failed)
            .expect_error(&format!(r#"task "Do a" (a) {class} [attempt 1 of 3]"#));
    }
    let scenario = Scenario::new(chart("s>a a>e").outside("a").task("a", retried(3, SECOND))).activate();
    let result = Err(Failure::new(FailureClass::Failed, "bad card").permanent());
    let input = Input::Reported(Report::new(scenario.key("a"), result));
    let _story = scenario.tell(input).expect_status(ExecutionStatus::Failed);
}

#[test]
fn the_limit_of_a_handler_is_a_matter_of_whoever_runs_it() {
    let scenario = Scenario::new(chart("s>a a>e").task("a", |task| task.timeout = Some(SECOND))).activate();
    let first = dispatch(&scenario, "a", 1);
    let result = Err(Failure::new(FailureClass::TimedOut, "no result within 1s"));
    let (started, ended) = (Time::from_micros(7), Time::from_micros(1_000_007));
    let _story = scenario
        .expect_effects(&[Effect::Run { dispatch: first, input: None }])
        .look(|driven| {
            let limit = |node| driven.definition().attempt_limit(driven.definition().position(node).unwrap());
            assert_eq!((limit("a"), limit("s")), (Some(SECOND), None));
        })
        // However long it waits for its place.
        .advance(60 * SECOND)
        .expect_node("a", NodeStatus::Running)
        .tell(Input::Outcome { dispatch: first, result, started, ended })
        .expect_error(r#"task "Do a" (a) timed out: no result within 1s"#);
}

#[test]
fn an_external_task_may_time_out_too_and_is_withdrawn() {
    let chart = chart("s>a a>e").outside("a").task("a", |task| task.timeout = Some(SECOND));
    let scenario = Scenario::new(chart).activate().expect_node("a", NodeStatus::Waiting);
    let first = dispatch(&scenario, "a", 1);
    let _story = scenario
        .advance(SECOND)
        .expect_status(ExecutionStatus::Failed)
        .look(|driven| assert!(driven.effects().contains(&Effect::Withdraw { dispatch: first })));
}

#[test]
fn a_person_can_cancel_a_task_that_a_handler_works_on() {
    let scenario = Scenario::new(chart("s>a a>e")).activate();
    let first = dispatch(&scenario, "a", 1);
    let _story = scenario.cancel_task("a", "not needed").expect_error(r#"task "Do a" (a) cancelled: not needed"#).look(
        |driven| {
            let dropped = Effect::Stop { dispatch: first, then: AfterStop::Forget };
            assert!(driven.effects().contains(&dropped), "{:?}", driven.effects());
        },
    );
}

#[test]
fn an_expression_that_cannot_be_evaluated_fails_its_node() {
    let chart = chart("s>a a>e").task("a", |task| {
        task.input = Some("input.missing".to_owned());
        task.retry = Retry::attempts(3);
    });
    let scenario = Scenario::new(chart).input(json!({"x": 1})).activate().expect_status(ExecutionStatus::Failed);
    match scenario.node("a").state {
        NodeRecordState::Failed { class, begun, .. } => {
            assert_eq!((class, begun.attempt), (FailureClass::Expression, None));
        }
        other => panic!("{other:?}"),
    }
    let error = scenario.outcome().error().expect("it failed").to_string();
    assert!(error.starts_with(r#"task "Do a" (a) could not be evaluated: "#), "{error}");
    assert!(!error.contains("attempt"), "it never came to an attempt: {error}");
}

#[test]
fn a_task_is_given_what_its_input_expression_says() {
    let chart = chart("s>a a>b b>e").task("b", |task| task.input = Some("nodes.a.output.id".to_owned()));
    let scenario = Scenario::new(chart).input(json!({"x": 1})).activate();
    let (a, b) = (dispatch(&scenario, "a", 1), dispatch(&scenario, "b", 1));
    let given = |value: Value| Payload::encode(&value).unwrap();
    let _story = scenario
        .expect_effects(&[Effect::Run { dispatch: a, input: None }])
        .complete("a", json!({"id": 42}))
        .expect_effects(&[Effect::Run { dispatch: b, input: Some(given(json!(42))) }]);
}
