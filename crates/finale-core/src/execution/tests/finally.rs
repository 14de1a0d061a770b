//! What runs when the end of a scope is decided.

use super::*;
use crate::definition::{Call, Inside, LoopCondition, TriggerRule};
use crate::record::{EndingFailure, EndingKind};

fn told() -> Task {
    Task::handler("tell").input("[verdict, error, input]")
}

fn given(run: &Run, path: &str) -> String {
    let key = run.execution.resolve(&run.definition, &path.parse().unwrap()).expect("it is there");
    String::from_utf8(run.execution.input_of(key).as_bytes().to_vec()).unwrap()
}

fn ending_failures(run: &Run) -> Vec<EndingFailure> {
    run.execution.end_outcome(&run.definition).expect("it has ended").ending_failures
}

fn backup(finally: impl Into<Inside>) -> Compiled {
    compiled(Definition::builder("nightly").task("backup", "backup").finally(finally).build())
}

fn cancel(run: &mut Run) {
    run.tell(Input::Command(Command::Cancel { by: "me".into() }));
}

fn force(run: &mut Run) {
    run.tell(Input::Command(Command::ForceCancel { by: "me".into() }));
}

#[test]
fn it_runs_once_whatever_the_verdict_and_sees_it() {
    let mut run = Run::activated(backup(told()), "7");
    run.done("backup", "1");
    assert_eq!(run.execution.status(), ExecutionStatus::Ending);
    assert_eq!(given(&run, "@finally::finally"), r#"["completed",null,7]"#);
    run.done("@finally::finally", "2");
    assert_eq!(run.output(), "1", "what it gives is of no interest");
    run.check();

    let mut run = Run::activated(backup(told()), "7");
    run.failed("backup", "disk full");
    let error = r#"task \"Backup\" (backup) failed: disk full"#;
    assert_eq!(given(&run, "@finally::finally"), format!(r#"["failed","{error}",7]"#));
    run.done("@finally::finally", "2");
    assert_eq!(run.error(), error.replace('\\', ""));
    run.check();

    let mut run = Run::activated(backup(told()), "7");
    let backup = run.work("backup");
    cancel(&mut run);
    assert_eq!(run.at_work(), [backup], "it begins when nothing runs any more");
    run.stopped(backup);
    assert_eq!(given(&run, "@finally::finally"), r#"["cancelled",null,7]"#);
    cancel(&mut run);
    run.done("@finally::finally", "2");
    assert_eq!(run.execution.status(), ExecutionStatus::Cancelled);
    run.check();
}

#[test]
fn it_runs_after_a_deadline_and_after_what_an_operator_declares() {
    let mut run = Run::new(backup(told()));
    let activation = Activation {
        definition: run.definition.hash(),
        semantics: SEMANTICS,
        input: Payload::NULL,
        by: "tester".into(),
        deadline: Some(Time::from_micros(2_000)),
        idempotency_key: None,
        business_key: None,
    };
    run.tell(Input::Activate(activation));
    let backup_of = run.work("backup");
    run.tell(Input::TimerFired(Timer::Deadline));
    run.stopped(backup_of);
    assert!(given(&run, "@finally::finally").starts_with(r#"["failed","the deadline "#));
    assert!(run.try_tell(Input::TimerFired(Timer::Deadline)).is_err(), "it is of no interest any more");
    run.done("@finally::finally", "2");
    assert_eq!(run.execution.status(), ExecutionStatus::Failed);
    run.check();

    let mut run = Run::activated(backup(told()), "7");
    let backup_of = run.work("backup");
    run.tell(Input::Command(Command::Complete { by: "boss".into() }));
    run.stopped(backup_of);
    assert_eq!(given(&run, "@finally::finally"), r#"["completed",null,7]"#);
    run.done("@finally::finally", "2");
    assert_eq!(run.execution.status(), ExecutionStatus::Completed);
    run.check();
}

/// Three attempts, a graph, and somebody outside: it is a scope like any other.
#[test]
fn it_is_a_scope_like_any_other_with_retries_and_people() {
    let retried = Task::handler("tell").retry(2, Duration::ZERO);
    let inside = Definition::builder("end").task("tell", retried).task("sign", Task::external()).after("tell");
    let mut run = Run::activated(backup(inside.build()), "7");
    run.done("backup", "1");
    run.failed("@finally::tell", "no line");
    let again = run.work("@finally::tell");
    assert_eq!(again.attempt.get(), 2);
    run.done("@finally::tell", "1");
    let sign = run.work("@finally::sign");
    let report = Report::new(sign.key, Ok(Payload::NULL));
    run.tell(Input::Reported(report));
    assert_eq!(run.output(), "1");
    assert_eq!(run.execution.counts(&run.definition).tasks, 1, "it is counted nowhere");
    run.check();
}

/// `wait_all`: one part of it fails, the others run all the same.
#[test]
fn what_fails_in_it_is_recorded_and_changes_no_verdict() {
    let inside = || Definition::builder("end").task("tell", "tell").task("clean", "clean").build();
    let mut run = Run::activated(backup(inside()), "7");
    run.done("backup", "1");
    run.failed("@finally::tell", "no line");
    assert_eq!(run.execution.status(), ExecutionStatus::Ending, "the other part goes on");
    run.done("@finally::clean", "1");
    assert_eq!(run.output(), "1");
    let [failure] = &ending_failures(&run)[..] else { panic!("{:?}", ending_failures(&run)) };
    assert_eq!((failure.kind, &*failure.of), (EndingKind::Finally, ""));
    assert_eq!(failure.to_string(), "finally failed: @finally::tell failed: no line");
    assert!(run.execution.why(&run.definition).to_string().contains("finally failed: @finally::tell failed: no line"));
    run.check();

    let mut run = Run::activated(backup(inside()), "7");
    run.failed("backup", "disk full");
    run.failed("@finally::tell", "no line");
    run.failed("@finally::clean", "no broom");
    assert_eq!(run.error(), "task \"Backup\" (backup) failed: disk full", "the first cause stays the cause");
    assert_eq!(ending_failures(&run).len(), 1);
    run.check();
}

#[test]
fn an_output_is_evaluated_before_it_and_decides_the_verdict() {
    let root = |output: &str| {
        let root = Definition::builder("root").task("a", "work").output(output).finally(told());
        Run::activated(compiled(root.build()), "7")
    };
    let mut run = root("nodes.a.output + 1");
    run.done("a", "1");
    assert_eq!(given(&run, "@finally::finally"), r#"["completed",null,7]"#);
    run.done("@finally::finally", "null");
    assert_eq!(run.output(), "2");
    run.check();

    let mut run = root("nodes.a.output.x.y");
    run.done("a", "1");
    assert!(given(&run, "@finally::finally").starts_with(r#"["failed","the output could not be evaluated"#));
    run.done("@finally::finally", "null");
    assert_eq!(run.execution.status(), ExecutionStatus::Failed);
    run.check();
}

#[test]
fn an_execution_without_tasks_has_its_finally_all_the_same() {
    let mut run = Run::activated(compiled(Definition::builder("empty").finally("tell").build()), "7");
    assert_eq!(given(&run, "@finally::finally"), "7", "by default it is given what the execution was");
    run.done("@finally::finally", "null");
    assert_eq!(run.execution.status(), ExecutionStatus::Completed);
    run.check();
}

/// The node settles when it is over; the rest of the execution goes on meanwhile.
#[test]
fn scopes_inside_have_their_own_before_their_node_settles() {
    let ship = Definition::builder("ship").task("label", "work").finally(told()).build();
    let root = || {
        let root = Definition::builder("root").on_failure(OnFailure::WaitAll);
        let root = root.call("ship", Call::of(ship.clone()).input("{'x': 1}")).task("beside", "work");
        Run::activated(compiled(root.task("after", "work").after("ship").build()), "7")
    };
    let mut run = root();
    run.done("ship::label", "1");
    assert_eq!(run.status_of("ship"), NodeStatus::Waiting);
    assert_eq!(given(&run, "ship::@finally::finally"), r#"["completed",null,{"x":1}]"#);
    run.done("ship::@finally::finally", "2");
    assert_eq!(run.output_at("ship"), "1");
    run.done("after", "3");
    run.done("beside", "4");
    assert_eq!(run.execution.status(), ExecutionStatus::Completed);
    run.check();

    let mut run = root();
    run.failed("ship::label", "no paper");
    assert_eq!(given(&run, "ship::@finally::finally"), r#"["failed","ship::label failed: no paper",{"x":1}]"#);
    assert_eq!(run.status_of("ship"), NodeStatus::Waiting);
    run.failed("ship::@finally::finally", "no line");
    assert_eq!(run.status_of("ship"), NodeStatus::Failed);
    run.done("beside", "4");
    assert_eq!(run.error(), "sub-workflow \"Ship\" (ship) failed: ship::label failed: no paper");
    assert_eq!(ending_failures(&run)[0].to_string(), "finally of ship failed: ship::@finally::finally failed: no line");
    run.check();

    let mut run = root();
    let (label, beside) = (run.work("ship::label"), run.work("beside"));
    cancel(&mut run);
    run.stopped(beside);
    run.stopped(label);
    assert_eq!(given(&run, "ship::@finally::finally"), r#"["cancelled",null,{"x":1}]"#);
    run.done("ship::@finally::finally", "2");
    assert_eq!(run.execution.status(), ExecutionStatus::Cancelled);
    run.check();
}

#[test]
fn the_end_of_what_it_is_in_does_not_cut_it_short() {
    let inside = Definition::builder("inside").task("a", "work").finally("tell").build();
    let root = Definition::builder("root").group("g", inside).task("beside", "work").finally("tell").build();
    let mut run = Run::activated(compiled(root), "7");
    run.done("g::a", "1");
    let tell = run.work("g::@finally::finally");
    run.failed("beside", "no");
    assert_eq!(run.execution.status(), ExecutionStatus::Ending);
    assert_eq!(run.at_work(), [tell]);
    assert!(!run.effects.contains(&Effect::Stop { dispatch: tell, then: AfterStop::Report }), "nobody stops it");
    run.tell(Input::Outcome {
        dispatch: tell,
        result: Ok(Payload::NULL),
        started: Time::default(),
        ended: Time::default(),
    });
    assert_eq!(run.status_of("g"), NodeStatus::Cancelled, "nobody wants the group any more");
    run.done("@finally::finally", "1");
    assert_eq!(run.execution.status(), ExecutionStatus::Failed);
    run.check();
}

#[test]
fn items_and_rounds_have_their_own_and_are_given_back_after_it() {
    let inside =
        || Definition::builder("inside").task("a", "work").finally(Task::handler("tell").input("[item, verdict]"));
    let root = Definition::builder("root").map("each", "input", inside().build()).build();
    let mut run = Run::activated(compiled(root), "[5,6]");
    run.done("each[1]::a", "60");
    assert_eq!(given(&run, "each[1]::@finally::finally"), r#"[6,"completed"]"#);
    run.done("each[1]::@finally::finally", "1");
    run.done("each[0]::a", "50");
    assert_eq!(given(&run, "each[0]::@finally::finally"), r#"[5,"completed"]"#);
    run.done("each[0]::@finally::finally", "1");
    assert_eq!(run.output(), "[50,60]");
    assert!(run.execution.inner.is_empty(), "nothing is kept of them");
    run.check();

    let inside = Definition::builder("inside").task("a", "work").finally(Task::handler("tell").input("round"));
    let root = Definition::builder("root").repeat("poll", inside.build(), LoopCondition::until("output"), 3).build();
    let mut run = Run::activated(compiled(root), "null");
    run.done("poll#1::a", "false");
    assert_eq!(given(&run, "poll#1::@finally::finally"), "1");
    run.done("poll#1::@finally::finally", "null");
    run.done("poll#2::a", "true");
    run.done("poll#2::@finally::finally", "null");
    assert_eq!(run.output(), "true");
    run.check();
}

#[test]
fn after_a_crash_what_was_at_work_in_it_is_run_again_and_what_was_done_is_not() {
    let inside = Definition::builder("end").task("tell", "tell").task("clean", "clean").after("tell").build();
    let mut run = Run::activated(backup(inside), "7");
    run.failed("backup", "disk full");
    run.tell(Input::Recovered { epoch: Epoch(1), crashed: true });
    let tell = run.work("@finally::tell");
    assert_eq!((run.at_work(), tell.attempt.get()), (vec![tell], 2));
    run.done("@finally::tell", "1");
    run.tell(Input::Recovered { epoch: Epoch(2), crashed: true });
    let clean = run.work("@finally::clean");
    assert_eq!((run.at_work(), clean.attempt.get()), (vec![clean], 2));
    run.done("@finally::clean", "1");
    assert_eq!(run.error(), "task \"Backup\" (backup) failed: disk full");
    run.check();
}

#[test]
fn a_forced_cancel_stops_it_and_begins_none() {
    let mut run = Run::activated(backup("tell"), "7");
    run.done("backup", "1");
    let tell = run.work("@finally::finally");
    force(&mut run);
    assert!(run.effects.contains(&Effect::Stop { dispatch: tell, then: AfterStop::Report }));
    force(&mut run);
    run.stopped(tell);
    assert_eq!(run.output(), "1", "what was decided stays");
    assert_eq!(ending_failures(&run)[0].to_string(), "finally was not finished: it was cut short");
    run.check();

    let inside = Definition::builder("inside").task("a", "work").finally("tell").build();
    let root = Definition::builder("root").group("g", inside).finally("tell").build();
    let mut run = Run::activated(compiled(root), "7");
    let work = run.work("g::a");
    force(&mut run);
    run.stopped(work);
    assert_eq!(run.execution.status(), ExecutionStatus::Cancelled);
    let failures: Vec<_> = ending_failures(&run).iter().map(ToString::to_string).collect();
    assert_eq!(failures, ["finally of g was not run", "finally was not run"]);
    assert!(run.try_tell(Input::Command(Command::ForceCancel { by: "me".into() })).is_err());
    run.check();
}

#[test]
fn an_end_that_takes_too_long_is_forced() {
    let within = Duration::from_secs(5);
    let root = || Definition::builder("root").task("a", "work").finally("tell").ending_within(within).build();
    let mut run = Run::activated(compiled(root()), "7");
    let armed = |run: &Run| {
        run.effects.iter().any(|effect| matches!(effect, Effect::ArmTimer { timer: Timer::EndingWithin, .. }))
    };
    assert!(!armed(&run));
    assert!(run.try_tell(Input::TimerFired(Timer::EndingWithin)).is_err());
    run.failed("a", "no");
    assert!(armed(&run));
    let tell = run.work("@finally::finally");
    run.tell(Input::TimerFired(Timer::EndingWithin));
    run.stopped(tell);
    assert_eq!(run.execution.status(), ExecutionStatus::Failed);
    assert_eq!(ending_failures(&run).len(), 1);
    run.check();

    let mut run = Run::activated(compiled(root()), "7");
    run.done("a", "1");
    run.done("@finally::finally", "1");
    assert!(run.effects.contains(&Effect::DisarmTimer { timer: Timer::EndingWithin }));
    run.check();

    // Siblings that may finish do so for that long.
    let root =
        Definition::builder("root").siblings(crate::definition::Siblings::Finish).task("a", "work").task("b", "work");
    let mut run = Run::activated(compiled(root.ending_within(within).build()), "7");
    let slow = run.work("b");
    run.failed("a", "no");
    run.tell(Input::TimerFired(Timer::EndingWithin));
    assert!(run.effects.contains(&Effect::Stop { dispatch: slow, then: AfterStop::Report }));
    run.stopped(slow);
    assert_eq!(run.execution.status(), ExecutionStatus::Failed);
    run.check();
}

#[test]
fn its_nodes_are_listed_and_found_by_their_paths() {
    let inside = Definition::builder("inside").task("a", "work").finally("tell").build();
    let root = Definition::builder("root").group("g", inside).task("b", "work").after("g").finally("tell").build();
    let mut run = Run::activated(compiled(root), "7");
    let names = |run: &Run| {
        let nodes = run.execution.record(&run.definition).nodes;
        let is_of_ending = |id: &String| id.contains('@');
        nodes
            .into_iter()
            .filter(|node| is_of_ending(&node.id))
            .map(|node| (node.id, node.state.status()))
            .collect::<Vec<_>>()
    };
    let both = |inner, outer| vec![("g::@finally::finally".to_owned(), inner), ("@finally::finally".to_owned(), outer)];
    assert_eq!(names(&run), both(NodeStatus::Pending, NodeStatus::Pending));
    run.done("g::a", "1");
    assert_eq!(names(&run), both(NodeStatus::Running, NodeStatus::Pending));
    let why = run.execution.why(&run.definition);
    assert_eq!(why.awaited[0].node, "g::@finally::finally");
    run.done("g::@finally::finally", "1");
    run.done("b", "1");
    assert_eq!(names(&run), both(NodeStatus::Completed, NodeStatus::Running));
    let node = run.definition.find("g::@finally::finally").expect("it is found before it is reached, too");
    assert_eq!(run.definition.node(node).id, "finally");
    let is_tell = |node| run.definition.handler(node) == Some("tell");
    assert!(run.execution.find_ahead(&run.definition, is_tell).is_some());
    assert!(run.execution.find_ahead(&run.definition, |node| run.definition.handler(node) == Some("work")).is_none());
    run.done("@finally::finally", "1");
    assert_eq!(run.execution.status(), ExecutionStatus::Completed);
    run.check();
}

#[test]
fn it_may_have_everything_inside_and_a_finally_of_its_own() {
    let mail = Definition::builder("mail").task("send", "work").build();
    let inside = Definition::builder("end")
        .map("each", "[1, 2]", "work")
        .call("mail", Call::of(mail).input("{'v': verdict}"))
        .after("each")
        .task("last", "work")
        .after("mail")
        .trigger_rule(TriggerRule::AllDone)
        .finally(told())
        .build();
    let mut run = Run::activated(backup(inside), "7");
    run.done("backup", "1");
    run.done("@finally::each[0]::each", "1");
    run.done("@finally::each[1]::each", "1");
    assert_eq!(given(&run, "@finally::mail::send"), r#"{"v":"completed"}"#);
    run.failed("@finally::mail::send", "no line");
    run.done("@finally::last", "1");
    assert!(given(&run, "@finally::@finally::finally").starts_with(r#"["failed","@finally::mail::send failed: "#));
    run.done("@finally::@finally::finally", "1");
    assert_eq!(run.execution.status(), ExecutionStatus::Completed);
    run.check();
}

#[test]
fn what_has_no_meaning_in_it_is_refused() {
    let codes = |definition: Definition| {
        let error = compile(definition, &Registry::default()).expect_err("it is refused");
        error.problems.iter().map(|problem| (problem.code.as_str(), problem.message.clone())).collect::<Vec<_>>()
    };
    let inside = || Definition::builder("end").task("tell", "tell");
    let refused = codes(Definition::builder("w").task("a", "h").finally(inside().output("1").build()).build());
    assert_eq!(refused[0].0, "unused_in_body");
    assert!(refused[0].1.starts_with("inside of \"@finally\": its output"), "{refused:?}");
    let policy = inside().on_failure(OnFailure::Tolerate { count: 1 }).build();
    assert_eq!(codes(Definition::builder("w").task("a", "h").finally(policy).build())[0].0, "unused_in_body");
    let zero = Definition::builder("w").task("a", "h").ending_within(Duration::ZERO).build();
    assert_eq!(codes(zero)[0].0, "bad_ending_within");
    let early = Definition::builder("w").task("a", Task::handler("h").input("verdict")).finally("tell").build();
    assert_eq!(codes(early)[0].0, "expression_invalid");
    let written = serde_json::to_string(backup(told()).definition()).unwrap();
    let read: Definition = serde_json::from_str(&written).unwrap();
    assert_eq!(compiled(read).hash(), backup(told()).hash());
}
