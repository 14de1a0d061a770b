//! How executions go, told one by one: the semantics as sentences.

use std::time::Duration;

use finale_core::definition::{OnFailure, Retry, Verdict};
use finale_core::execution::{AfterStop, Command, Effect, Input, Interruption};
use finale_core::fact::{Fact, Stop, Timer};
use finale_core::failure::{Failure, FailureClass};
use finale_core::record::{Begun, DecidedBy, End, NodeRecordState};
use finale_core::{Dispatch, ExecutionStatus, NodeStatus, Payload, Time, WorkKey};
use finale_tests::chart::{Chart, chart};
use finale_tests::scenario::Scenario;
use serde_json::{Value, json};

const SECOND: Duration = Duration::from_secs(1);
const NULL: Value = Value::Null;

/// Two tasks at once behind a split, then `after` behind both.
const FORK: &str = "s>p p:branch>a p:branch>b a>join b>join join>after after>e";

fn fork() -> Chart {
    chart(FORK)
}

fn retried(attempts: u16, backoff: Duration) -> impl FnOnce(&mut finale_core::definition::Task) {
    move |task| task.retry = Retry { attempts, backoff }
}

fn dispatch(scenario: &Scenario, node: &str, attempt: u16) -> Dispatch {
    Dispatch { key: scenario.key(node), attempt, epoch: 0 }
}

fn done(dispatch: Dispatch) -> Input {
    let at = Time::from_micros(1);
    Input::Outcome { dispatch, result: Ok(Payload::NULL), started: at, ended: at }
}

fn complete_by_hand() -> Input {
    Input::Command(Command::Complete { by: "jo".into() })
}

fn fail_by_hand(reason: &str) -> Input {
    Input::Command(Command::Fail { by: "jo".into(), reason: reason.into() })
}

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
    let scenario = Scenario::new(chart.condition("c", "input.missing")).input(json!({})).activate().fail("a", "no luck");
    assert_eq!((scenario.record().counts.failed, scenario.record().counts.tolerated), (1, 1));
}

#[test]
fn fail_fast_skips_dependents_with_the_failure_and_the_rest_with_the_end() {
    let _story = Scenario::new(chart("s>p p:branch>a p:branch>b a>c b>d c>e d>e"))
        .activate()
        .fail("a", "no luck")
        .expect_status(ExecutionStatus::Ending)
        .expect_skipped("c", "a failed")
        .expect_skipped("d", "the execution ended first")
        .stopped("b", Stop::Stopped)
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

#[test]
fn a_task_is_tried_again_after_its_backoff_and_the_error_counts_the_attempts() {
    let chart = chart("s>charge charge>e").task("charge", |task| {
        task.title = Some("Charge card".to_owned());
        task.retry = Retry { attempts: 3, backoff: SECOND };
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
        .look(|driven| assert_eq!(driven.effects().last(), Some(&Effect::Run { dispatch: second, input: Payload::NULL })))
        .complete("a", json!(true))
        .expect_output(json!(true));
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
    let input = Input::Reported { key: scenario.key("a"), result };
    let _story = scenario.tell(input).expect_status(ExecutionStatus::Failed);
}

#[test]
fn an_attempt_that_takes_too_long_is_dropped_and_fails() {
    let scenario = Scenario::new(chart("s>a a>e").task("a", |task| task.timeout = Some(SECOND))).activate();
    let (first, key) = (dispatch(&scenario, "a", 1), scenario.key("a"));
    let due = Time::from_micros(2_000_000);
    let _story = scenario
        .expect_effects(&[
            Effect::Run { dispatch: first, input: Payload::NULL },
            Effect::ArmTimer { timer: Timer::Timeout(key, 1), due },
        ])
        .advance(SECOND)
        .look(|driven| {
            let dropped = Effect::Stop { dispatch: first, then: AfterStop::Forget };
            assert!(driven.effects().contains(&dropped), "{:?}", driven.effects());
        })
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
    let _story = scenario
        .cancel_task("a", "not needed")
        .expect_error(r#"task "Do a" (a) cancelled: not needed"#)
        .look(|driven| {
            let dropped = Effect::Stop { dispatch: first, then: AfterStop::Forget };
            assert!(driven.effects().contains(&dropped), "{:?}", driven.effects());
        });
}

#[test]
fn an_expression_that_cannot_be_evaluated_fails_its_node() {
    let chart = chart("s>a a>e").task("a", |task| {
        task.input = Some("input.missing".to_owned());
        task.retry = Retry { attempts: 3, backoff: Duration::ZERO };
    });
    let scenario = Scenario::new(chart).input(json!({"x": 1})).activate().expect_status(ExecutionStatus::Failed);
    match scenario.node("a").state {
        NodeRecordState::Failed { class, begun, .. } => assert_eq!((class, begun.attempt), (FailureClass::Expression, 0)),
        other => panic!("{other:?}"),
    }
    let error = scenario.outcome().error().expect("it failed").to_string();
    assert!(error.starts_with(r#"task "Do a" (a) expression: "#), "{error}");
    assert!(!error.contains("attempt"), "it never came to an attempt: {error}");
}

#[test]
fn a_task_is_given_what_its_input_expression_says() {
    let chart = chart("s>a a>b b>e").task("b", |task| task.input = Some("nodes.a.output.id".to_owned()));
    let scenario = Scenario::new(chart).input(json!({"x": 1})).activate();
    let (a, b) = (dispatch(&scenario, "a", 1), dispatch(&scenario, "b", 1));
    let given = |value: Value| Payload::encode(&value).unwrap();
    let _story = scenario
        .expect_effects(&[Effect::Run { dispatch: a, input: given(json!({"x": 1})) }])
        .complete("a", json!({"id": 42}))
        .expect_effects(&[Effect::Run { dispatch: b, input: given(json!(42)) }]);
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
    let _story = Scenario::new(chart(EDGES).preset("v", Verdict::Pass)).activate().expect_node("a", NodeStatus::Running);
}

#[test]
fn a_verdict_can_come_too_early_and_too_late() {
    let scenario = Scenario::new(chart("s>a a>v v:pass>b v:fail>e v:refer>e b>e")).activate();
    let node = scenario.key("v").node;
    let verdict = |node| Input::Verdict { node, verdict: Verdict::Pass, by: "jo".into() };
    let _story = scenario
        .refuses(verdict(node), "node number 2 is pending: it is too early for this")
        .refuses(verdict(1), "the node is not a verification")
        .refuses(verdict(9), "there is no such work in the execution")
        .complete("a", NULL)
        .verdict("v", Verdict::Pass)
        .refuses(verdict(node), "node number 2 is completed already");
}

#[test]
fn duplicate_stale_and_unknown_outcomes_change_nothing() {
    let scenario = Scenario::new(chart("s>a a>b b>e").task("a", retried(2, Duration::ZERO))).activate().fail("a", "once");
    let (first, second, b) = (dispatch(&scenario, "a", 1), dispatch(&scenario, "a", 2), dispatch(&scenario, "b", 1));
    let unknown = Dispatch { key: WorkKey::node(99), ..first };
    let item = Dispatch { key: WorkKey { item: 1, ..first.key }, ..second };
    let earlier_life = Dispatch { epoch: 1, ..second };
    let _story = scenario
        .refuses(done(first), "attempt 1 of node number 1 is not the current one")
        .refuses(done(earlier_life), "attempt 2 of node number 1 is not the current one")
        .refuses(done(b), "node number 2 is pending: it is too early for this")
        .refuses(done(unknown), "there is no such work in the execution")
        .refuses(done(item), "there is no such work in the execution")
        .complete("a", NULL)
        .refuses(done(second), "node number 1 is completed already")
        .refuses(done(first), "attempt 1 of node number 1 is not the current one");
}

#[test]
fn a_timer_that_nobody_armed_fires_in_vain() {
    let scenario = Scenario::new(chart("s>a a>e")).activate();
    let key = scenario.key("a");
    let _story = scenario
        .refuses(Input::TimerFired(Timer::Deadline), "nobody waits for this moment")
        .refuses(Input::TimerFired(Timer::Timeout(key, 1)), "nobody waits for this moment")
        .refuses(Input::TimerFired(Timer::Backoff(key, 1)), "attempt 1 of node number 1 is not the current one");
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
fn cancel_closes_what_waits_and_stops_what_runs_before_the_execution_ends() {
    let chart = chart("s>p p:branch>a p:branch>b p:branch>c p:branch>v a>e b>e c>e v:pass>e v:fail>e v:refer>e");
    let scenario = Scenario::new(chart.outside("b").task("c", retried(2, SECOND))).activate().fail("c", "once");
    let (a, b) = (dispatch(&scenario, "a", 1), dispatch(&scenario, "b", 1));
    let (c, v) = (dispatch(&scenario, "c", 1), Dispatch { attempt: 0, ..dispatch(&scenario, "v", 0) });
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
            assert_eq!(driven.execution().under_way(driven.definition()), [stop]);
            assert!(driven.armed().is_empty());
        })
        .stopped("a", Stop::Aborted)
        .expect_status(ExecutionStatus::Cancelled)
        .look(|driven| {
            let closed = Interruption::Stopped(Stop::Closed);
            let stopped = Interruption::Stopped(Stop::Aborted);
            assert_eq!(driven.execution().interrupted(), [(a, stopped), (b, closed), (c, closed), (v, closed)]);
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
        .refuses(Input::Stopped { dispatch: a, how: Stop::Stopped }, "node number 2 is completed already")
        .expect_status(ExecutionStatus::Ending)
        .stopped("b", Stop::Lost)
        .expect_status(ExecutionStatus::Cancelled)
        .look(|driven| {
            let lost = Interruption::Stopped(Stop::Lost);
            assert_eq!(driven.execution().interrupted(), [(a, Interruption::Finished), (b, lost)]);
        });
}

#[test]
fn a_timeout_that_fires_while_its_handler_is_being_stopped_is_too_late() {
    let scenario = Scenario::new(chart("s>a a>e").task("a", |task| task.timeout = Some(SECOND))).activate().cancel();
    let key = scenario.key("a");
    let _story = scenario
        .refuses(Input::TimerFired(Timer::Timeout(key, 1)), "nobody waits for this moment")
        .stopped("a", Stop::Stopped)
        .expect_node("a", NodeStatus::Cancelled);
}

#[test]
fn a_second_cancel_joins_the_first_and_one_after_the_end_is_refused() {
    let cancel = || Input::Command(Command::Cancel { by: "joe".into() });
    let scenario = Scenario::new(chart("s>a a>e")).activate().cancel();
    let facts = |scenario: &Scenario| scenario.record().state.status();
    assert_eq!(facts(&scenario), ExecutionStatus::Ending);
    let scenario = scenario
        .look(|driven| assert_eq!(driven.execution().sequence(), 2))
        .tell(cancel())
        .look(|driven| assert_eq!(driven.execution().sequence(), 2))
        .stopped("a", Stop::Stopped)
        .refuses(cancel(), "the execution is over already: cancelled");
    assert_eq!(scenario.outcome().decided_by, DecidedBy::Cancelled { by: "jo".to_owned() });
}

#[test]
fn with_finish_running_siblings_finish_and_their_results_change_nothing() {
    let chart = chart("s>p p:branch>a p:branch>b p:branch>c a>e b>d c>e d>e").outside("c").finish();
    let scenario = Scenario::new(chart).activate().fail("a", "no luck").expect_status(ExecutionStatus::Ending);
    let b = dispatch(&scenario, "b", 1);
    let scenario = scenario
        .expect_node("c", NodeStatus::Cancelled)
        .look(|driven| assert_eq!(driven.stopping(), []))
        .refuses(Input::Stopped { dispatch: b, how: Stop::Stopped }, "nobody told it to stop")
        .complete("b", json!("recorded"))
        .expect_status(ExecutionStatus::Failed)
        .expect_node("b", NodeStatus::Completed)
        .expect_skipped("d", "the execution ended first")
        .expect_error(r#"task "Do a" (a) failed: no luck"#);
    assert_eq!(scenario.outcome().decided_by, DecidedBy::FailFast { node: "a".to_owned() });
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
        .stopped("b", Stop::Stopped)
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
        .stopped("a", Stop::Stopped)
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
    let _story = Scenario::new(one.clone()).activate().complete("a", json!(1)).complete("b", json!(2)).expect_output(json!(2));
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

#[test]
fn after_the_end_nothing_changes() {
    let scenario = Scenario::new(chart("s>a a>e")).activate().complete("a", NULL);
    let (first, over) = (dispatch(&scenario, "a", 1), "the execution is over already: completed");
    let _story = scenario
        .refuses(done(first), over)
        .refuses(Input::Stopped { dispatch: first, how: Stop::Lost }, over)
        .refuses(Input::TimerFired(Timer::Timeout(first.key, 1)), over)
        .refuses(Input::Reported { key: first.key, result: Ok(Payload::NULL) }, over)
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

#[test]
fn why_says_what_a_waiting_execution_waits_for() {
    let chart = chart("s>p p:branch>a p:branch>b p:branch>c a>e b>e c>e");
    let chart = chart.outside("b").task("b", |task| task.assignee = Some("kim".to_owned()));
    let scenario = Scenario::new(chart.task("c", retried(2, SECOND))).activate().fail("c", "once");
    let since = "since 1970-01-01T00:00:01.000000Z";
    let waits = format!(
        "running\n  waits at \"Do a\" (a) for attempt 1 by handler a {since}\n  waits at \"Do b\" (b) for attempt 1 by kim \
         {since}\n  waits at \"Do c\" (c) for attempt 2 at 1970-01-01T00:00:02.000000Z {since}"
    );
    assert_eq!(scenario.why(), waits);
}

#[test]
fn why_says_why_an_execution_failed() {
    let scenario = Scenario::new(chart("s>a a>e")).activate().fail("a", "no luck");
    assert_eq!(scenario.why(), r#"failed: task "Do a" (a) failed: no luck"#);
}

#[test]
fn the_last_outcome_and_the_end_are_facts_of_one_turn_and_always_the_same_bytes() {
    let tell = || Scenario::new(chart("s>a a>e")).activate().complete("a", json!({"id": 7}));
    let mut histories = Vec::new();
    for _ in 0..2 {
        let _story = tell().look(|driven| {
            let facts: Vec<Fact> = driven.facts().into_iter().map(|recorded| recorded.fact).collect();
            assert!(matches!(facts[..], [Fact::Activated(_), Fact::Outcome { .. }, Fact::Ended(_)]), "{facts:?}");
            histories.push(driven.history().to_vec());
        });
    }
    assert_eq!(histories[0], histories[1]);
}

#[test]
fn time_never_runs_backwards_in_a_history() {
    let _story = Scenario::new(chart("s>a a>b b>e")).activate().advance(SECOND).complete("a", NULL).look(|driven| {
        let times: Vec<Time> = driven.facts().iter().map(|recorded| recorded.at).collect();
        assert_eq!(times, [Time::from_micros(1_000_000), Time::from_micros(2_000_000)]);
    });
}
