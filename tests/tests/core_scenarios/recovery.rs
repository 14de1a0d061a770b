//! What becomes of executions when the process that drives them crashes or is shut down.

use finale_core::compile::{Registry, compile};
use finale_core::definition::Delivery;
use finale_core::execution::{Execution, Notice, Turn};
use finale_core::fact::Activation;
use finale_core::{Compiled, ExecutionId};

use super::*;

const STALE: &str = "attempt 1 of node 0.1 is not the current one";
const LOST: &str = r#"task "Do a" (a) lost: the process ended after it was handed to its handler; it may have been at work, and must not be run again"#;

fn once(task: &mut finale_core::definition::Task) {
    task.delivery = Delivery::AtMostOnce;
}

fn limited(task: &mut finale_core::definition::Task) {
    task.timeout = Some(10 * SECOND);
}

fn in_life(epoch: u32, scenario: &Scenario, node: &str, attempt: u16) -> Dispatch {
    Dispatch { epoch: Epoch(epoch), ..dispatch(scenario, node, attempt) }
}

fn second(number: i64) -> Time {
    Time::from_micros(number * 1_000_000)
}

fn recovered(epoch: u32) -> Input {
    Input::Recovered { epoch: Epoch(epoch), crashed: true }
}

#[test]
fn what_a_handler_worked_on_is_run_again_with_the_same_key_and_input() {
    let chart = chart("s>a a>b b>e").task("a", limited).task("a", |task| task.input = Some("input.id".to_owned()));
    let scenario = Scenario::new(chart).input(json!({"id": 7})).activate();
    let again = in_life(1, &scenario, "a", 2);
    let _story = scenario
        .advance(4 * SECOND)
        .look(|driven| assert_eq!(driven.effects().len(), 1))
        .crash()
        .expect_node("a", NodeStatus::Running)
        .look(|driven| {
            assert_eq!(driven.execution().epoch(), Epoch(1));
            let run = Effect::Run { dispatch: again, input: Some(Payload::encode(&7).unwrap()) };
            assert_eq!(driven.effects()[1..], [run]);
        })
        .complete("a", NULL)
        .complete("b", NULL)
        .expect_status(ExecutionStatus::Completed);
}

#[test]
fn what_comes_from_the_old_life_is_stale() {
    let chart = chart("s>a a>e").task("a", limited);
    let scenario = Scenario::new(chart).activate();
    let (first, key) = (dispatch(&scenario, "a", 1), scenario.key("a"));
    let again = in_life(1, &scenario, "a", 2);
    let _story = scenario
        .crash()
        .refuses(done(first), STALE)
        .refuses(done(Dispatch { attempt: AttemptNo::FIRST, ..again }), STALE)
        .refuses(done(Dispatch { epoch: Epoch(0), ..again }), "attempt 2 of node 0.1 is not the current one")
        .refuses(Input::Stopped { dispatch: first, how: StopOutcome::Stopped }, STALE)
        .refuses(Input::TimerFired(Timer::Timeout(key, attempt(1))), STALE)
        .tell(done(again))
        .expect_status(ExecutionStatus::Completed);
}

#[test]
fn being_lost_does_not_use_up_retries() {
    let _story = Scenario::new(chart("s>a a>e").task("a", retried(3, Duration::ZERO)))
        .activate()
        .fail("a", "first")
        .crash()
        .fail("a", "second")
        .expect_status(ExecutionStatus::Running)
        .fail("a", "third")
        .expect_error(r#"task "Do a" (a) failed: third [attempt 4 of 4]"#);
    let _story = Scenario::new(chart("s>a a>e").task("a", retried(2, SECOND)))
        .activate()
        .crash()
        .restart()
        .fail("a", "first")
        .advance(SECOND)
        .restart()
        .fail("a", "second")
        .expect_error(r#"task "Do a" (a) failed: second [attempt 5 of 5]"#);
    let _story = Scenario::new(chart("s>a a>e"))
        .activate()
        .crash()
        .fail("a", "no luck")
        .expect_error(r#"task "Do a" (a) failed: no luck [attempt 2 of 2]"#);
}

#[test]
fn a_task_that_is_cancelled_while_it_backs_off_says_how_often_it_was_lost() {
    let _story = Scenario::new(chart("s>a a>e").task("a", retried(2, SECOND)))
        .activate()
        .crash()
        .fail("a", "first")
        .cancel_task("a", "not needed")
        .expect_error(r#"task "Do a" (a) cancelled: not needed [attempt 2 of 3]"#);
}

#[test]
fn losses_count_the_crashes_over_what_is_at_work() {
    let chart = chart("s>p p:branch>a p:branch>b a>c b>e c>e").task("b", retried(2, SECOND));
    let _story = Scenario::new(chart)
        .expect_losses(0)
        .activate()
        .expect_losses(0)
        .restart()
        .expect_losses(0)
        .crash()
        .complete("a", NULL)
        .expect_losses(1)
        .crash()
        .expect_losses(2)
        .fail("b", "backs off")
        // Nobody works on b now, and c was lost but once.
        .expect_losses(1)
        .advance(SECOND)
        .expect_losses(2)
        .complete("b", NULL)
        .expect_losses(1)
        .complete("c", NULL)
        .expect_losses(0);
}

#[test]
fn what_must_not_be_run_twice_fails_as_lost() {
    for story in [Scenario::crash, Scenario::restart] {
        let scenario = Scenario::new(chart("s>a a>b b>e").task("a", once)).activate();
        let first = dispatch(&scenario, "a", 1);
        let scenario = story(scenario)
            .expect_status(ExecutionStatus::Failed)
            .expect_skipped("b", "a failed")
            .expect_error(LOST)
            .look(|driven| assert_eq!(driven.effects()[1..], [Effect::Ended]))
            .refuses(done(first), "the execution is over already: failed");
        assert_eq!(scenario.outcome().decided_by, DecidedBy::FailFast { node: "a".to_owned() });
        match scenario.node("a").state {
            NodeRecordState::Failed { class, begun, .. } => {
                assert_eq!((class, begun.attempt), (FailureClass::Lost, Some(AttemptNo::FIRST)));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_runs_at_most_once_is_not_run_again_for_other_failures_either() {
    let _story = Scenario::new(chart("s>a a>e").task("a", once))
        .activate()
        .fail_as("a", FailureClass::Lost, "")
        .expect_status(ExecutionStatus::Failed);
    let _story = Scenario::new(chart("s>a a>b b>e").task("a", once))
        .activate()
        .complete("a", NULL)
        .crash()
        .complete("b", NULL)
        .expect_status(ExecutionStatus::Completed);
}

#[test]
fn after_an_optional_task_is_lost_its_dependents_go_on() {
    let chart = chart("s>p p:branch>a p:branch>z a>b b>e z>e").task("a", once).task("a", |task| task.optional = true);
    let scenario = Scenario::new(chart).activate().crash();
    let (b, z) = (in_life(1, &scenario, "b", 1), in_life(1, &scenario, "z", 2));
    let _story = scenario
        .look(|driven| {
            let run = |dispatch| Effect::Run { dispatch, input: None };
            assert_eq!(driven.effects()[2..], [run(b), run(z)]);
        })
        .expect_losses(1)
        .complete("b", NULL)
        .complete("z", NULL)
        .expect_status(ExecutionStatus::Completed);
}

#[test]
fn a_loss_that_decides_the_end_closes_what_else_was_lost() {
    let forked = || chart("s>p p:branch>b p:branch>a p:branch>c b>e a>e c>e");
    for chart in [forked().task("a", once).task("c", once), forked().task("a", once).finish()] {
        let scenario = Scenario::new(chart).activate();
        let ran = |node| dispatch(&scenario, node, 1);
        let closed = Interruption::Stopped(StopOutcome::Lost);
        let interrupted = [ran("b"), ran("c")].map(|dispatch| interrupted(dispatch, closed));
        let _story = scenario
            .crash()
            .expect_status(ExecutionStatus::Failed)
            .expect_node("a", NodeStatus::Failed)
            .expect_nodes(&["b", "c"], NodeStatus::Cancelled)
            .expect_error(LOST)
            .look(|driven| assert_eq!(driven.execution().interrupted(), interrupted));
    }
}

#[test]
fn several_losses_are_judged_by_the_policy() {
    let chart = || chart("s>p p:branch>a p:branch>b a>join b>join join>e").task("a", once).task("b", once);
    let failed = |on_failure| Scenario::new(chart().on_failure(on_failure)).activate().crash();
    let all = failed(OnFailure::WaitAll).expect_nodes(&["a", "b"], NodeStatus::Failed);
    assert_eq!(all.outcome().decided_by, DecidedBy::WaitAll { node: "a".to_owned() });
    let _story = failed(OnFailure::Tolerate { count: 2 }).expect_status(ExecutionStatus::Completed);
    let one = failed(OnFailure::Tolerate { count: 1 }).expect_nodes(&["a", "b"], NodeStatus::Failed);
    assert_eq!(one.outcome().decided_by, DecidedBy::Tolerate { node: "b".to_owned(), count: 1 });
    let none = failed(OnFailure::Tolerate { count: 0 }).expect_node("b", NodeStatus::Cancelled);
    assert_eq!(none.outcome().decided_by, DecidedBy::Tolerate { node: "a".to_owned(), count: 0 });
}

#[test]
fn once_the_end_is_decided_nothing_is_run_again() {
    let _story = Scenario::new(fork().task("a", retried(3, SECOND)).task("b", once))
        .activate()
        .cancel()
        .expect_status(ExecutionStatus::Ending)
        .crash()
        .expect_nodes(&["a", "b"], NodeStatus::Cancelled)
        .expect_status(ExecutionStatus::Cancelled)
        .look(|driven| {
            let how = driven.execution().interrupted().iter().map(|interrupted| interrupted.interruption);
            assert_eq!(how.collect::<Vec<_>>(), [Interruption::Stopped(StopOutcome::Lost); 2]);
            assert_eq!(driven.facts().len(), 4);
            assert_eq!(driven.effects().last(), Some(&Effect::Ended));
        });
    let _story = Scenario::new(fork().task("b", limited).finish())
        .deadline(SECOND)
        .activate()
        .fail("a", "no luck")
        .expect_status(ExecutionStatus::Ending)
        .restart()
        .expect_node("b", NodeStatus::Cancelled)
        .expect_error(r#"task "Do a" (a) failed: no luck"#);
}

#[test]
fn an_expression_that_decides_the_end_right_after_a_recovery_stops_what_was_dispatched_again() {
    let chart = chart("s>p p:branch>a p:branch>b a>c b>e c>e")
        .task("a", once)
        .task("a", |task| task.optional = true)
        .task("c", |task| task.input = Some("nodes.a.output".to_owned()));
    let scenario = Scenario::new(chart).activate().crash();
    let again = in_life(1, &scenario, "b", 2);
    let run = Effect::Run { dispatch: again, input: None };
    let stop = Effect::Stop { dispatch: again, then: AfterStop::Report };
    // Both are performed once all of it is durable: a shell that knows of the end by then does not begin it at all.
    let _story = scenario
        .expect_status(ExecutionStatus::Ending)
        .expect_node("c", NodeStatus::Failed)
        .look(|driven| assert_eq!(driven.effects()[2..], [run, stop]))
        .stopped("b", StopOutcome::Closed)
        .expect_status(ExecutionStatus::Failed)
        .expect_node("b", NodeStatus::Cancelled);
}

#[test]
fn what_waits_goes_on_waiting_until_the_same_moments() {
    let chart = chart("s>p p:branch>o p:branch>v p:branch>r o>e v:pass>e v:fail>e v:refer>e r>e")
        .outside("o")
        .task("o", limited)
        .task("r", retried(2, 5 * SECOND));
    let scenario = Scenario::new(chart).deadline(60 * SECOND).activate().fail("r", "once");
    let (o, r) = (in_life(1, &scenario, "o", 1), scenario.key("r"));
    let arm = |timer, due, within| Effect::ArmTimer { timer, due: second(due), within: within * SECOND };
    let waiting = [
        Effect::Offer { dispatch: o, input: Payload::NULL, since: second(1), path: None },
        arm(Timer::Timeout(o.key, attempt(1)), 11, 10),
        arm(Timer::Backoff(r, attempt(2)), 6, 5),
        arm(Timer::Deadline, 61, 60),
    ];
    let mut begun = 0;
    let _story = scenario
        .advance(2 * SECOND)
        .look(|driven| begun = driven.effects().len())
        .crash()
        .expect_nodes(&["o", "v", "r"], NodeStatus::Waiting)
        .look(|driven| {
            assert_eq!(driven.effects()[begun..], [], "nothing was lost");
            assert_eq!(driven.execution().under_way(driven.definition()), waiting);
        })
        .expect_losses(0)
        .refuses(done(Dispatch { epoch: Epoch(0), ..o }), "attempt 1 of node 0.2 is not the current one")
        .complete("o", NULL)
        .verdict("v", Verdict::Pass)
        .advance(3 * SECOND)
        .expect_node("r", NodeStatus::Running)
        .fail("r", "twice")
        .expect_error(r#"task "Do r" (r) failed: twice [attempt 2 of 2]"#);
}

#[test]
fn a_recovery_needs_an_open_execution_and_a_later_life() {
    let earlier = "a recovery begins a later life than the current one";
    let _story = Scenario::new(chart("s>a a>e"))
        .refuses(recovered(1), "the execution is pending, not running")
        .activate()
        .refuses(recovered(0), earlier)
        .tell(recovered(7))
        .look(|driven| assert_eq!(driven.execution().epoch(), Epoch(7)))
        .refuses(recovered(7), earlier)
        .complete("a", NULL)
        .refuses(recovered(8), "the execution is over already: completed");
}

/// An execution of one task that is driven without the books, which would take too long over many lives.
fn alone(change: impl FnOnce(&mut finale_core::definition::Task)) -> (Compiled, Execution, Turn) {
    let chart = chart("s>a a>e").task("a", change);
    let compiled = compile(chart.definition(), &Registry::new()).expect("it compiles");
    let mut execution = Execution::new(ExecutionId::from_uuid(uuid::Uuid::from_u128(7)), &compiled);
    let activation = Activation {
        definition: compiled.hash(),
        semantics: finale_core::execution::SEMANTICS,
        input: Payload::NULL,
        by: "tester".into(),
        deadline: None,
        idempotency_key: None,
        business_key: None,
    };
    let mut turn = Turn::new();
    turn.watch(true);
    execution.handle(&compiled, second(1), Input::Activate(activation), &mut turn).expect("it is new");
    turn.discard();
    (compiled, execution, turn)
}

fn notices_of_a_crash(change: impl FnOnce(&mut finale_core::definition::Task)) -> Vec<Notice> {
    let (compiled, mut execution, mut turn) = alone(change);
    execution.handle(&compiled, second(4), recovered(1), &mut turn).expect("it is open");
    turn.appended();
    turn.take_notices().into_iter().map(|noticed| noticed.notice).collect()
}

/// What says that the attempt has not begun, and does not before the process is gone.
fn not_begun(dispatch: Dispatch) -> Input {
    Input::Stopped { dispatch, how: StopOutcome::Closed }
}

#[test]
fn what_had_not_begun_at_a_shutdown_is_begun_by_the_next_process_and_is_no_attempt_more() {
    for (once_at_most, crashed) in [(false, false), (true, false), (false, true), (true, true)] {
        let chart = chart("s>a a>b b>e").task("b", |task| {
            if once_at_most {
                once(task);
            }
        });
        let scenario = Scenario::new(chart).activate().complete("a", NULL);
        let first = dispatch(&scenario, "b", 1);
        let scenario = scenario
            .refuses(Input::Stopped { dispatch: first, how: StopOutcome::Stopped }, "nobody told it to stop")
            .tell(not_begun(first))
            .refuses(not_begun(first), "it is known already that it has not begun")
            .expect_node("b", NodeStatus::Running);
        // Nor does a crash after that count against it: it was not at work.
        assert!(!scenario.driven().execution().may_be_at_work());
        let scenario = if crashed { scenario.crash() } else { scenario.restart() };
        assert_eq!(scenario.dispatch("b"), Some(in_life(1, &scenario, "b", 1)));
        assert!(scenario.driven().execution().may_be_at_work());
        let scenario =
            scenario.expect_losses(0).refuses(not_begun(first), "attempt 1 of node 0.2 is not the current one");
        assert_eq!(scenario.node("b").earlier, []);
        let _story = scenario.complete("b", NULL).expect_status(ExecutionStatus::Completed);
    }
}

#[test]
fn what_had_not_begun_at_a_shutdown_is_at_work_in_the_next_process() {
    let scenario = Scenario::new(chart("s>a a>e").task("a", once)).activate();
    let first = dispatch(&scenario, "a", 1);
    // That one begins it, and crashes.
    let _story = scenario.tell(not_begun(first)).restart().crash().expect_error(LOST);
    // It holds its slot meanwhile, and what ends around it closes it.
    let edges = "s>p p:branch>a p:branch>b p:branch>c a>join b>join c>join join>e";
    let behind = || Scenario::new(chart(edges).at_once("p", 1)).activate();
    let first = dispatch(&behind(), "a", 1);
    let scenario = behind().tell(not_begun(first)).restart().expect_node("a", NodeStatus::Running);
    let scenario = scenario.expect_nodes(&["b", "c"], NodeStatus::Ready).complete("a", NULL);
    let _story = scenario.expect_node("b", NodeStatus::Running).expect_node("c", NodeStatus::Ready);
    let scenario = behind().tell(not_begun(first)).cancel().restart().expect_status(ExecutionStatus::Cancelled);
    assert_eq!(scenario.node("a").state.status(), NodeStatus::Cancelled);
}

#[test]
fn every_lost_attempt_is_told_of_with_its_outcome() {
    let lost = |failure| Notice::Attempt {
        key: WorkKey::root(NodeIndex(1)),
        attempt: AttemptNo::FIRST,
        failure: Some(Box::new(failure)),
        took: 3 * SECOND,
    };
    let moved = |to, number| {
        let key = WorkKey::root(NodeIndex(1));
        Notice::Node { key, from: NodeStatus::Running, to, attempt: AttemptNo::new(number), waiting_for: None }
    };
    let failure = Failure::new(FailureClass::Lost, "the process ended after it was handed to its handler");
    assert_eq!(notices_of_a_crash(|_| {}), [lost(failure), moved(NodeStatus::Running, 2)]);
    let words =
        "the process ended after it was handed to its handler; it may have been at work, and must not be run again";
    let failure = Failure::new(FailureClass::Lost, words).permanent();
    assert_eq!(notices_of_a_crash(once)[..2], [lost(failure), moved(NodeStatus::Failed, 1)]);
}

#[test]
fn a_history_in_which_a_life_begins_twice_is_damaged() {
    let mut before = 0;
    let _story =
        Scenario::new(chart("s>a a>e")).activate().look(|driven| before = driven.history().len()).crash().look(
            |driven| {
                let history = driven.history();
                let twice = [history, &history[before..]].concat();
                let folded = Execution::fold(driven.execution().id(), driven.definition(), &twice);
                assert_eq!(
                    folded.unwrap_err().to_string(),
                    "fact 3 does not fit: a recovery begins a later life than the current one"
                );
            },
        );
}

#[test]
fn attempts_are_counted_up_to_their_limit_and_no_further() {
    let (compiled, mut execution, mut turn) = alone(retried(u16::MAX, Duration::ZERO));
    for epoch in 1..=u32::from(u16::MAX) + 5 {
        execution.handle(&compiled, second(2), recovered(epoch), &mut turn).unwrap();
        turn.discard();
    }
    assert_eq!((execution.losses(), execution.epoch()), (u16::MAX, Epoch(65_540)));
    let dispatch = Dispatch { key: WorkKey::root(NodeIndex(1)), attempt: attempt(u16::MAX), epoch: Epoch(65_540) };
    let result = Err(Failure::new(FailureClass::Failed, "at last"));
    let failed = Input::Outcome { dispatch, result, started: second(2), ended: second(2) };
    execution.handle(&compiled, second(2), failed, &mut turn).unwrap();
    turn.discard();
    let outcome = execution.end_outcome(&compiled).unwrap();
    let error = outcome.error().unwrap().to_string();
    assert_eq!(error, r#"task "Do a" (a) failed: at last [attempt 65535 of 65535]"#);
}
