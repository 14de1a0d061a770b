//! Nodes that wait: for some time, until a moment, for a signal.

use std::time::Duration;

use finale_core::definition::{
    Definition, Document, Inside, JoinStrategy, LoopCondition, Losers, OnFailure, Signal, Wait,
};
use finale_core::execution::{Effect, Input};
use finale_core::fact::{Operation, OperatorAction, Signalled, Timer};
use finale_core::{ExecutionStatus, NodeStatus, Payload, Time};
use finale_tests::chart::{Chart, chart};
use finale_tests::scenario::Scenario;
use serde_json::json;

use super::{NULL, SECOND};

const DAY: Duration = Duration::from_secs(86_400);

/// A wait and what comes after it.
fn waiting(wait: Wait) -> Chart {
    chart("s>w w>after after>e").wait("w", wait)
}

fn signal(name: &str) -> Chart {
    waiting(Wait::Signal(name.into()))
}

fn sent(name: &str) -> Input {
    let payload = Payload::NULL;
    Input::Signal(Signalled { name: name.into(), payload, by: "jo".into(), id: None })
}

#[test]
fn a_delay_holds_up_what_comes_after_it_for_that_long() {
    let _story = Scenario::new(waiting(Wait::Delay(30 * DAY)))
        .activate()
        .expect_node("w", NodeStatus::Waiting)
        .advance(30 * DAY - SECOND)
        .expect_node("after", NodeStatus::Pending)
        .advance(SECOND)
        .expect_node("w", NodeStatus::Completed)
        .complete("after", json!(1))
        .expect_output(json!(1));
}

#[test]
fn a_delay_counts_from_when_its_node_is_reached_and_goes_on_over_a_crash() {
    let chart = chart("s>a a>w w>after after>e").wait("w", Wait::Delay(DAY));
    let _story = Scenario::new(chart)
        .activate()
        .advance(5 * DAY)
        .complete("a", NULL)
        .advance(DAY / 2)
        .crash()
        .advance(DAY / 2 - SECOND)
        .expect_node("w", NodeStatus::Waiting)
        .advance(SECOND)
        .expect_node("after", NodeStatus::Running);
}

#[test]
fn a_delay_of_nothing_and_a_moment_that_has_passed_are_no_wait() {
    let _story =
        Scenario::new(waiting(Wait::Delay(Duration::ZERO))).activate().expect_node("after", NodeStatus::Running);
    let until = Wait::Until("input.at".to_owned());
    let _story = Scenario::new(waiting(until))
        .input(json!({"at": "1970-01-01T00:00:00Z"}))
        .activate()
        .expect_node("after", NodeStatus::Running);
}

#[test]
fn a_moment_is_waited_for_whichever_way_it_is_written() {
    for at in [json!("1970-01-02T00:00:00Z"), json!("1970-01-02T02:00:00+02:00"), json!(86_400_000)] {
        let _story = Scenario::new(waiting(Wait::Until("input.at".to_owned())))
            .input(json!({ "at": at }))
            .activate()
            .advance(DAY - 2 * SECOND)
            .expect_node("w", NodeStatus::Waiting)
            .advance(SECOND)
            .expect_node("w", NodeStatus::Completed);
    }
}

#[test]
fn what_is_no_moment_fails_its_node() {
    let _story = Scenario::new(waiting(Wait::Until("input.at".to_owned())))
        .input(json!({"at": "tomorrow"}))
        .activate()
        .expect_node("w", NodeStatus::Failed)
        .expect_status(ExecutionStatus::Failed);
}

#[test]
fn a_signal_is_taken_by_who_waits_for_it_and_what_it_says_is_its_output() {
    let chart = signal("paid").task("after", |task| task.input = Some("nodes.w.output.euros".to_owned()));
    let story = Scenario::new(chart).activate().signal("other", json!(1)).expect_node("w", NodeStatus::Waiting);
    assert_eq!(story.driven().execution().awaited_signals().count(), 1);
    assert!(story.why().contains("for the signal \"paid\" since"), "{}", story.why());
    let story = story.signal("paid", json!({"euros": 20})).expect_node("after", NodeStatus::Running);
    let given = story.driven().effects().iter().find_map(|effect| match effect {
        Effect::Run { input, .. } => input.clone(),
        _ => None,
    });
    assert_eq!(given, Payload::encode(&20).ok());
    let _story = story.expect_signals(json!([["other", 1]]));
}

#[test]
fn the_last_signal_of_a_workflow_is_its_output() {
    let chart = chart("s>w w>e").signal("w", "paid");
    let _story = Scenario::new(chart).activate().signal("paid", json!(20)).expect_output(json!(20));
}

#[test]
fn a_signal_that_came_early_is_kept_in_order_also_over_a_crash() {
    let chart = chart("s>a a>w w>v v>e").signal("w", "paid").signal("v", "paid");
    let _story = Scenario::new(chart)
        .activate()
        .signal("paid", json!("first"))
        .signal("paid", json!("second"))
        .signal("paid", json!("third"))
        .crash()
        .complete("a", NULL)
        .expect_output(json!("second"))
        .expect_signals(json!([["paid", "third"]]));
}

#[test]
fn of_several_that_wait_the_first_takes_the_signal() {
    let chart = chart("s>a s>b a>w b>v w>e v>e").signal("w", "go").signal("v", "go");
    let _story = Scenario::new(chart)
        .activate()
        .complete("b", NULL)
        .complete("a", NULL)
        .signal("go", json!(1))
        .expect_node("v", NodeStatus::Completed)
        .expect_node("w", NodeStatus::Waiting)
        .signal("go", json!(2))
        .expect_output(json!({"v": 1, "w": 2}));
}

#[test]
fn a_repeated_id_changes_nothing() {
    let chart = chart("s>w w>v v>e").signal("w", "paid").signal("v", "paid");
    let _story = Scenario::new(chart)
        .activate()
        .signal_once("paid", "7", json!(1))
        .signal_once("paid", "7", json!(1))
        .expect_node("v", NodeStatus::Waiting)
        .crash()
        .signal_once("paid", "7", json!(1))
        .expect_node("v", NodeStatus::Waiting)
        .signal_once("paid", "8", json!(2))
        .expect_output(json!(2));
}

#[test]
fn a_signal_that_does_not_come_in_time_fails_its_node_as_timed_out() {
    let _story = Scenario::new(waiting(Wait::Signal(Signal::named("paid").timeout(DAY))))
        .activate()
        .advance(DAY)
        .expect_error(r#"wait "Do w" (w) timed out: no signal "paid" within 1d"#);
}

#[test]
fn the_failure_of_a_wait_can_be_handled() {
    let chart = chart("s>w w>after w:failed>cure after>e cure>e").signal("w", Signal::named("paid").timeout(DAY));
    let story = Scenario::new(chart)
        .activate()
        .advance(DAY)
        .expect_skipped("after", "w failed, which cure handles")
        .complete("cure", json!("cured"))
        .expect_output(json!("cured"));
    assert_eq!(story.outcome().counts.failed, 0, "counts are of tasks");
}

#[test]
fn what_is_named_for_a_timeout_runs_instead_of_what_comes_after() {
    let edges = "s>w w>after w:timeout>late after>e late>e";
    let wait = || chart(edges).signal("w", Signal::named("paid").timeout(DAY));
    let _story = Scenario::new(wait())
        .activate()
        .advance(DAY)
        .expect_node("w", NodeStatus::Completed)
        .expect_skipped("after", "w timed out")
        .complete("late", json!("late"))
        .expect_status(ExecutionStatus::Completed);
    let _story = Scenario::new(wait())
        .activate()
        .signal("paid", json!(20))
        .expect_skipped("late", "the signal came that w waited for")
        .complete("after", json!("in time"))
        .expect_status(ExecutionStatus::Completed);
}

#[test]
fn the_timeout_after_the_signal_is_nothing() {
    let story = Scenario::new(waiting(Wait::Signal(Signal::named("paid").timeout(DAY)))).activate();
    let timer = Timer::Wait(story.key("w"));
    let _story = story
        .signal("paid", NULL)
        .look(|driven| assert!(driven.effects().contains(&Effect::DisarmTimer { timer })))
        .refuses(Input::TimerFired(timer), "nobody waits for this moment")
        .advance(2 * DAY)
        .expect_node("w", NodeStatus::Completed);
}

#[test]
fn a_closed_node_takes_no_signal() {
    let chart = chart("s>w s>a w>join a>join join>v v>e").signal("w", "go").signal("v", "go").join(
        "join",
        JoinStrategy::Any,
        Losers::Cancel,
    );
    let _story = Scenario::new(chart)
        .activate()
        .complete("a", NULL)
        .expect_node("w", NodeStatus::Cancelled)
        .signal("go", json!("for v"))
        .expect_node("v", NodeStatus::Completed)
        .expect_status(ExecutionStatus::Completed);
}

#[test]
fn a_cancel_ends_all_waits_and_what_comes_then_is_too_late() {
    let chart = chart("s>w s>d s>v w>e d>e v>e")
        .signal("w", Signal::named("go").timeout(DAY))
        .wait("d", Wait::Delay(DAY))
        .wait("v", Wait::Until("input.at".to_owned()));
    let _story = Scenario::new(chart)
        .input(json!({"at": 86_400_000}))
        .activate()
        .signal("other", NULL)
        .cancel()
        .expect_nodes(&["w", "d", "v"], NodeStatus::Cancelled)
        .expect_status(ExecutionStatus::Cancelled)
        .expect_signals(json!([["other", null]]))
        .refuses(sent("go"), "the execution is over already: cancelled");
}

#[test]
fn a_signal_is_taken_while_the_execution_is_ending_and_is_left_over() {
    let chart = chart("s>a s>b s>w a>e b>e w>e").signal("w", "go");
    let _story = Scenario::new(chart)
        .activate()
        .fail("a", "no")
        .expect_node("w", NodeStatus::Cancelled)
        .expect_status(ExecutionStatus::Ending)
        .signal("go", json!(1))
        .expect_signals(json!([["go", 1]]));
}

#[test]
fn the_name_of_a_signal_can_be_evaluated() {
    let chart = chart("s>w w>e").signal("w", "paid-${{ input.order }}");
    let _story = Scenario::new(chart)
        .input(json!({"order": 7}))
        .activate()
        .signal("paid-8", NULL)
        .expect_node("w", NodeStatus::Waiting)
        .signal("paid-7", json!(20))
        .expect_output(json!(20));
    let nameless = self::chart("s>w w>e").signal("w", "${{ input.order }}");
    let _story = Scenario::new(nameless).input(json!({"order": " "})).activate().expect_node("w", NodeStatus::Failed);
}

#[test]
fn an_operator_ends_a_wait_by_hand() {
    let operate = |story: &Scenario, action| {
        Input::Operate(Operation { key: story.key("w"), by: "ann".into(), reason: "so".into(), action })
    };
    let delayed = || Scenario::new(waiting(Wait::Delay(DAY))).activate();
    let (story, timer) = (delayed(), Timer::Wait(delayed().key("w")));
    let run_now = operate(&story, OperatorAction::RunNow);
    let _now = story
        .tell(run_now.clone())
        .look(|driven| assert!(driven.effects().contains(&Effect::DisarmTimer { timer })))
        .expect_node("after", NodeStatus::Running)
        .refuses(run_now.clone(), "node 0.1 is completed already");
    let _not_a_time = Scenario::new(signal("paid"))
        .activate()
        .refuses(run_now, "node 0.1 waits for a signal: send it, or complete, fail or skip the node by hand");
    let story = Scenario::new(chart("s>w w>e").signal("w", Signal::named("paid").timeout(DAY))).activate();
    let complete = operate(&story, OperatorAction::Complete(Payload::encode(&20).expect("it is a number")));
    let _done = story.tell(complete).expect_output(json!(20));
    let story = Scenario::new(signal("paid")).activate();
    let fail = operate(&story, OperatorAction::Fail);
    let _failed = story.tell(fail).expect_error(r#"wait "Do w" (w) failed: so"#);
}

#[test]
fn a_signal_without_a_name_is_refused() {
    let story = Scenario::new(signal("paid")).activate();
    let long = "x".repeat(Signal::NAME_BYTES_MAX + 1);
    let _story = story
        .refuses(sent(" "), "the name of a signal must not be blank")
        .refuses(sent(&long), "the name of the signal is longer than the 256 bytes that are allowed");
}

fn over_two_items(body: impl Into<Inside>) -> Scenario {
    let items = Document::from_json(b"[\"a\", \"b\"]").expect("it is a list");
    Scenario::of(Definition::builder("map").map("each", items, body).build()).activate()
}

#[test]
fn each_item_of_a_map_waits_for_itself() {
    let body = Definition::builder("body").signal("w", "go-${{ item }}").delay("d", SECOND).after("w").task("t", "h");
    let story = over_two_items(body.after("d").build());
    assert_eq!(story.driven().execution().awaited_signals().count(), 2);
    let _story = story
        .signal("go-b", json!(2))
        .crash()
        .advance(SECOND)
        .complete("each[1]::t", json!("b is done"))
        .signal("go-a", json!(1))
        .advance(SECOND)
        .complete("each[0]::t", json!("a is done"))
        .expect_output(json!(["a is done", "b is done"]));
}

#[test]
fn items_share_the_signals_of_their_execution_first_come_first_served() {
    let body = Definition::builder("body").signal("w", "go");
    let _story = over_two_items(body.build())
        .signal("go", json!("first"))
        .signal("go", json!("second"))
        .expect_output(json!(["first", "second"]));
}

#[test]
fn each_round_of_a_loop_waits_anew() {
    let body = Definition::builder("body").signal("w", Signal::named("asked").timeout(DAY)).on_timeout("none");
    let body = body.task("none", "h").build();
    let builder = Definition::builder("loop").repeat("poll", body, LoopCondition::until("round >= 3"), 5);
    let _story = Scenario::of(builder.build())
        .activate()
        .signal("asked", json!(1))
        .advance(DAY)
        .complete("poll#2::none", json!("nothing"))
        .signal("asked", json!(3))
        .expect_status(ExecutionStatus::Completed);
}

#[test]
fn a_call_and_a_group_see_the_signals_of_the_execution() {
    let called = Definition::builder("called").signal("w", "go").build();
    let group = Definition::builder("group").until("u", "input.at").signal("w", "go").after("u").build();
    let builder = Definition::builder("outer").signal("early", "go").call("call", called).after("early");
    let _story = Scenario::of(builder.group("group", group).after("call").build())
        .input(json!({"at": 86_400_000}))
        .activate()
        .signal("go", json!(1))
        .signal("go", json!(2))
        .signal("go", json!(3))
        .expect_node("group::u", NodeStatus::Waiting)
        .advance(DAY)
        .expect_output(json!(3));
}

#[test]
fn a_scope_that_fails_ends_the_waits_inside() {
    let group = Definition::builder("group").signal("w", "go").task("t", "h").build();
    let builder = Definition::builder("outer").group("group", group).catch("cure").task("cure", "h");
    let _story = Scenario::of(builder.signal("after", "go").after("cure").build())
        .activate()
        .fail("group::t", "no")
        .complete("cure", NULL)
        .signal("go", json!("for who is left"))
        .expect_output(json!("for who is left"));
}

#[test]
fn a_timeout_of_one_among_several_is_a_failure_that_the_policy_judges() {
    let chart = chart("s>w s>a w>e a>e")
        .signal("w", Signal::named("paid").timeout(DAY))
        .on_failure(OnFailure::Tolerate { count: 1 });
    let _story =
        Scenario::new(chart).activate().advance(DAY).complete("a", json!(1)).expect_status(ExecutionStatus::Completed);
}

#[test]
fn a_record_says_since_when_and_for_how_long_it_was_waited() {
    let story = Scenario::new(waiting(Wait::Delay(DAY))).clock(Time::from_micros(0)).activate().advance(DAY);
    let node = serde_json::to_value(story.node("w")).unwrap();
    assert_eq!((&node["kind"], &node["status"]), (&json!("wait"), &json!("completed")));
    assert_eq!(node["started_at"], "1970-01-01T00:00:00.000000Z");
    assert_eq!(node["completed_at"], "1970-01-02T00:00:00.000000Z");
}

/// The definition file, told by the words of its nodes.
fn approval() -> Scenario {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/definitions/approval-escalation.yaml");
    let text = std::fs::read(path).expect("it is there");
    let loaded = finale_formats::load(&text, finale_formats::Format::Auto, path).expect("it is sound");
    Scenario::of(loaded.definition).input(json!({"request": "a kettle"})).activate().complete("ask_lead", NULL)
}

#[test]
fn a_request_is_decided_by_whoever_answers_first_or_withdrawn_after_a_month() {
    let says = |approved: bool| json!({ "approved": approved });
    let _in_time = approval()
        .advance(3 * DAY - SECOND)
        .signal("decision", says(true))
        .expect_nodes(&["ask_director", "director", "withdraw", "turn_down"], NodeStatus::Skipped)
        .complete("carry_out", json!("done"))
        .expect_status(ExecutionStatus::Completed);
    let _refused = approval()
        .signal("decision", says(false))
        .expect_nodes(&["ask_director", "director", "withdraw", "carry_out"], NodeStatus::Skipped)
        .complete("turn_down", NULL)
        .expect_status(ExecutionStatus::Completed);
    for (approved, runs, other) in [(true, "carry_out", "turn_down"), (false, "turn_down", "carry_out")] {
        let _escalated = approval()
            .advance(3 * DAY)
            .expect_nodes(&["approved", "decided"], NodeStatus::Pending)
            .complete("ask_director", NULL)
            .advance(26 * DAY)
            .signal("decision", says(approved))
            .expect_nodes(&[other, "withdraw"], NodeStatus::Skipped)
            .complete(runs, NULL)
            .expect_status(ExecutionStatus::Completed);
    }
    let _withdrawn = approval()
        .advance(3 * DAY)
        .complete("ask_director", NULL)
        .crash()
        .advance(27 * DAY)
        .expect_nodes(&["decided", "approved", "carry_out", "turn_down"], NodeStatus::Skipped)
        .complete("withdraw", NULL)
        .expect_status(ExecutionStatus::Completed);
    let _no_boolean = approval()
        .signal("decision", json!({"approved": "perhaps"}))
        .expect_node("approved", NodeStatus::Failed)
        .expect_status(ExecutionStatus::Failed);
    let _mail_fails =
        approval().advance(3 * DAY).fail("ask_director", "no such address").expect_status(ExecutionStatus::Failed);
}
