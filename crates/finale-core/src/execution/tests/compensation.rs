//! What undoes nodes, when the scope that they are in fails or is cancelled.

use super::*;
use crate::definition::{Call, LoopCondition, Tolerance};
use crate::fact::{Operation, OperatorAction};
use crate::record::{EndingFailure, EndingKind};

fn refund() -> Task {
    Task::handler("undo").input("[input, output]")
}

fn given(run: &Run, path: &str) -> String {
    let key = run.execution.resolve(&run.definition, &path.parse().unwrap()).unwrap_or_else(|| panic!("no {path}"));
    String::from_utf8(run.execution.input_of(key).as_bytes().to_vec()).unwrap()
}

fn ending_failures(run: &Run) -> Vec<EndingFailure> {
    run.execution.end_outcome(&run.definition).expect("it has ended").ending_failures
}

/// The paths of what handlers work on.
fn at_work(run: &Run) -> Vec<String> {
    let path = |dispatch: Dispatch| run.execution.path(&run.definition, dispatch.key).unwrap().to_string();
    run.at_work().into_iter().map(path).collect()
}

fn cancel(run: &mut Run) {
    run.tell(Input::Command(Command::Cancel { by: "me".into() }));
}

/// `reserve`, then `charge`, then `ship`; the first two can be undone.
fn saga() -> Run {
    let root = Definition::builder("saga")
        .task("reserve", Task::handler("work").input("input.stock"))
        .compensate(refund())
        .task("charge", Task::handler("work").input("{'euros': input.euros}"))
        .compensate(Task::handler("undo").input("{'receipt': output, 'of': input}"))
        .after("reserve")
        .task("ship", "work")
        .after("charge");
    Run::activated(compiled(root.build()), r#"{"stock":"kettle","euros":20}"#)
}

#[test]
fn what_completed_is_undone_one_after_the_other_the_last_first() {
    let mut run = saga();
    run.done("reserve", "1");
    run.done("charge", "\"r7\"");
    run.failed("ship", "no van");
    assert_eq!(at_work(&run), ["charge@compensate::charge"]);
    assert_eq!(run.execution.status(), ExecutionStatus::Ending);
    assert_eq!(given(&run, "charge@compensate::charge"), r#"{"of":{"euros":20},"receipt":"r7"}"#);
    run.done("charge@compensate::charge", "null");
    assert_eq!(at_work(&run), ["reserve@compensate::reserve"]);
    assert_eq!(given(&run, "reserve@compensate::reserve"), r#"["kettle",1]"#);
    run.done("reserve@compensate::reserve", "null");
    assert_eq!(run.error(), "task \"Ship\" (ship) failed: no van");
    let counts = run.execution.counts(&run.definition);
    assert_eq!((counts.tasks, counts.completed, counts.failed, counts.compensated), (3, 2, 1, 2));
    assert_eq!(run.status_of("charge"), NodeStatus::Completed, "it stays what it was");
    assert_eq!(ending_failures(&run), []);
    run.check();
}

#[test]
fn a_record_says_of_each_node_whether_it_is_undone() {
    let mut run = saga();
    let marks = |run: &Run| {
        let record = run.execution.record(&run.definition);
        let undone = record.nodes.iter().filter_map(|node| Some((node.id.clone(), node.compensation?)));
        undone.map(|(node, state)| format!("{node} {state:?}")).collect::<Vec<_>>()
    };
    run.done("reserve", "1");
    run.done("charge", "2");
    run.failed("ship", "no van");
    assert_eq!(marks(&run), ["charge Running"]);
    assert!(run.execution.why(&run.definition).to_string().contains("\n  charge is being undone\n"));
    run.failed("charge@compensate::charge", "the bank sleeps");
    assert_eq!(marks(&run), ["reserve Running", "charge Failed"]);
    run.done("reserve@compensate::reserve", "null");
    assert_eq!(marks(&run), ["reserve Completed", "charge Failed"]);
    let why = run.execution.why(&run.definition);
    assert_eq!(why.compensations.len(), 2);
    let words = why.to_string();
    assert!(words.contains("\n  reserve was undone\n  at the end, "), "{words}");
    let record = run.execution.record(&run.definition);
    let json = serde_json::to_value(&record).unwrap();
    let of = |id: &str| json["nodes"].as_array().unwrap().iter().find(|node| node["id"] == id).unwrap().clone();
    assert_eq!(of("reserve")["compensation"], "completed");
    assert_eq!(of("ship").get("compensation"), None);
    assert_eq!(serde_json::from_value::<crate::Record>(json).unwrap().nodes, record.nodes);
    run.check();
}

#[test]
fn what_completes_is_not_undone() {
    let mut run = saga();
    run.done("reserve", "1");
    run.done("charge", "2");
    run.done("ship", "3");
    assert_eq!(run.output(), "3");
    run.check();
}

#[test]
fn what_has_not_completed_is_not_undone() {
    let mut run = saga();
    run.done("reserve", "1");
    run.failed("charge", "card declined");
    assert_eq!(at_work(&run), ["reserve@compensate::reserve"]);
    run.done("reserve@compensate::reserve", "null");
    assert_eq!(run.execution.status(), ExecutionStatus::Failed);
    run.check();
}

#[test]
fn a_cancel_undoes_what_was_done_also_what_was_finished_meanwhile() {
    let mut run = saga();
    run.done("reserve", "1");
    let charge = run.work("charge");
    cancel(&mut run);
    assert_eq!(run.at_work(), [charge], "it waits for what runs");
    run.done("charge", "2");
    assert_eq!(at_work(&run), ["charge@compensate::charge"]);
    cancel(&mut run);
    run.done("charge@compensate::charge", "null");
    run.done("reserve@compensate::reserve", "null");
    assert_eq!(run.execution.status(), ExecutionStatus::Cancelled);
    assert_eq!(run.execution.interrupted().len(), 1, "what undoes was not in flight");
    run.check();
}

#[test]
fn what_an_operator_declares_complete_is_not_undone_and_what_they_declare_failed_is() {
    let mut run = saga();
    run.done("reserve", "1");
    let charge = run.work("charge");
    run.tell(Input::Command(Command::Complete { by: "boss".into() }));
    run.stopped(charge);
    assert_eq!(run.execution.status(), ExecutionStatus::Completed);
    run.check();

    let mut run = saga();
    run.done("reserve", "1");
    let charge = run.work("charge");
    run.tell(Input::Command(Command::Fail { by: "boss".into(), reason: "no".into() }));
    run.stopped(charge);
    assert_eq!(at_work(&run), ["reserve@compensate::reserve"]);
    run.done("reserve@compensate::reserve", "null");
    assert_eq!(run.error(), "no");
    run.check();
}

#[test]
fn a_compensation_that_fails_is_recorded_and_the_others_run() {
    let mut run = saga();
    run.done("reserve", "1");
    run.done("charge", "2");
    run.failed("ship", "no van");
    run.failed("charge@compensate::charge", "bank closed");
    assert_eq!(at_work(&run), ["reserve@compensate::reserve"]);
    run.done("reserve@compensate::reserve", "null");
    assert_eq!(run.error(), "task \"Ship\" (ship) failed: no van");
    let failures = ending_failures(&run);
    assert_eq!((failures.len(), failures[0].kind, &*failures[0].of), (1, EndingKind::Compensation, "charge"));
    let words = "the compensation of charge failed: charge@compensate::charge failed: bank closed";
    assert_eq!(failures[0].to_string(), words);
    assert_eq!(run.execution.counts(&run.definition).compensated, 1);
    run.check();
}

#[test]
fn after_a_crash_the_same_compensation_goes_on_and_none_runs_twice() {
    let mut run = saga();
    run.done("reserve", "1");
    run.done("charge", "2");
    run.failed("ship", "no van");
    run.tell(Input::Recovered { epoch: Epoch(1), crashed: true });
    assert_eq!(at_work(&run), ["charge@compensate::charge"]);
    assert_eq!(run.work("charge@compensate::charge").attempt.get(), 2);
    run.done("charge@compensate::charge", "null");
    run.tell(Input::Recovered { epoch: Epoch(2), crashed: true });
    assert_eq!(at_work(&run), ["reserve@compensate::reserve"]);
    run.done("reserve@compensate::reserve", "null");
    assert_eq!(run.execution.counts(&run.definition).compensated, 2);
    run.check();
}

#[test]
fn then_its_finally_runs_and_sees_the_first_cause() {
    let root = Definition::builder("root")
        .task("charge", "work")
        .compensate("undo")
        .task("ship", "work")
        .after("charge")
        .finally(Task::handler("tell").input("[verdict, error, nodes.charge.output]"));
    let mut run = Run::activated(compiled(root.build()), "7");
    run.done("charge", "1");
    run.failed("ship", "no van");
    assert_eq!(at_work(&run), ["charge@compensate::charge"]);
    run.failed("charge@compensate::charge", "bank closed");
    let given = given(&run, "@finally::finally");
    assert_eq!(given, r#"["failed","task \"Ship\" (ship) failed: no van",1]"#);
    run.done("@finally::finally", "null");
    assert_eq!(run.execution.status(), ExecutionStatus::Failed);
    run.check();
}

#[test]
fn a_forced_cancel_stops_a_compensation_and_runs_no_other() {
    let mut run = saga();
    run.done("reserve", "1");
    run.done("charge", "2");
    run.failed("ship", "no van");
    let undo = run.work("charge@compensate::charge");
    run.tell(Input::Command(Command::ForceCancel { by: "me".into() }));
    assert!(run.effects.contains(&Effect::Stop { dispatch: undo, then: AfterStop::Report }));
    run.stopped(undo);
    assert_eq!(run.execution.status(), ExecutionStatus::Failed, "what was decided stays");
    let failures: Vec<_> = ending_failures(&run).iter().map(ToString::to_string).collect();
    let cut_short = "the compensation of charge was not finished: it was cut short";
    assert_eq!(failures, [cut_short, "the compensation of reserve was not run"]);
    assert!(run.execution.interrupted().iter().any(|interrupted| interrupted.key == undo.key), "the receipt says so");
    run.check();

    let mut run = saga();
    run.done("reserve", "1");
    let charge = run.work("charge");
    run.tell(Input::Command(Command::ForceCancel { by: "me".into() }));
    run.stopped(charge);
    assert_eq!(run.execution.status(), ExecutionStatus::Cancelled);
    assert_eq!(ending_failures(&run)[0].to_string(), "the compensation of reserve was not run");
    run.check();
}

/// `ship` failed and is caught: the execution completes, and nothing is undone. If what catches it fails, all is.
#[test]
fn a_failure_that_is_handled_undoes_nothing_unless_its_handler_fails() {
    let root = || {
        let root = Definition::builder("root").task("charge", "work").compensate("undo");
        let root = root.task("ship", "work").after("charge").catch("pick_up").task("pick_up", "work");
        Run::activated(compiled(root.build()), "7")
    };
    let mut run = root();
    run.done("charge", "1");
    run.failed("ship", "no van");
    run.done("pick_up", "2");
    assert_eq!(run.execution.status(), ExecutionStatus::Completed);
    run.check();

    let mut run = root();
    run.done("charge", "1");
    run.failed("ship", "no van");
    run.failed("pick_up", "no shop");
    assert_eq!(at_work(&run), ["charge@compensate::charge"]);
    run.done("charge@compensate::charge", "null");
    assert!(run.error().starts_with("task \"Ship\" (ship) failed: no van"));
    run.check();
}

/// The scope of `ship` completed: its nodes are undone where `ship` itself completed.
#[test]
fn scopes_that_completed_are_entered_in_the_place_of_their_node() {
    let ship =
        Definition::builder("ship").task("pack", "work").compensate("undo").task("load", "work").compensate("undo");
    let ship = ship.after("pack").build();
    let root = Definition::builder("root")
        .task("first", "work")
        .compensate("undo")
        .call("ship", Call::of(ship).input("input"))
        .after("first")
        .task("last", "work")
        .compensate("undo")
        .after("ship")
        .task("fails", "work")
        .after("last");
    let mut run = Run::activated(compiled(root.build()), "7");
    for path in ["first", "ship::pack", "ship::load", "last"] {
        run.done(path, "1");
    }
    run.failed("fails", "no");
    let order = [
        "last@compensate::last",
        "ship::load@compensate::load",
        "ship::pack@compensate::pack",
        "first@compensate::first",
    ];
    for path in order {
        assert_eq!(at_work(&run), [path]);
        run.done(path, "null");
    }
    assert_eq!(run.execution.counts(&run.definition).compensated, 4);
    run.check();
}

#[test]
fn a_node_that_says_what_undoes_it_is_not_entered() {
    let ship = Definition::builder("ship").task("pack", "work").compensate("undo").build();
    let root = Definition::builder("root")
        .call("ship", Call::of(ship).input("{'x': input}"))
        .compensate(refund())
        .task("fails", "work")
        .after("ship");
    let mut run = Run::activated(compiled(root.build()), "7");
    run.done("ship::pack", "1");
    run.failed("fails", "no");
    assert_eq!(at_work(&run), ["ship@compensate::ship"]);
    assert_eq!(given(&run, "ship@compensate::ship"), r#"[{"x":7},1]"#);
    run.done("ship@compensate::ship", "null");
    assert_eq!(run.execution.status(), ExecutionStatus::Failed);
    run.check();
}

/// What failed inside was undone inside, before its node failed: the scope around does not enter it again.
#[test]
fn a_scope_that_fails_undoes_itself_once_before_its_node_fails() {
    let ship = Definition::builder("ship").task("pack", "work").compensate("undo").task("load", "work").after("pack");
    let root = Definition::builder("root")
        .task("first", "work")
        .compensate("undo")
        .call("ship", Call::of(ship.build()).input("input"))
        .after("first");
    let mut run = Run::activated(compiled(root.build()), "7");
    run.done("first", "1");
    run.done("ship::pack", "1");
    run.failed("ship::load", "no van");
    assert_eq!(run.execution.status(), ExecutionStatus::Running, "the end of the execution is not decided yet");
    assert_eq!(at_work(&run), ["ship::pack@compensate::pack"]);
    assert_eq!(run.status_of("ship"), NodeStatus::Waiting);
    run.done("ship::pack@compensate::pack", "null");
    assert_eq!(at_work(&run), ["first@compensate::first"]);
    run.done("first@compensate::first", "null");
    assert_eq!(run.error(), "sub-workflow \"Ship\" (ship) failed: ship::load failed: no van");
    run.check();
}

/// Open scopes inside are ended first, all at once; then the rest, one at a time.
#[test]
fn open_scopes_inside_are_ended_first() {
    let inside = || Definition::builder("g").task("a", "work").compensate("undo").task("b", "work").after("a").build();
    let root = Definition::builder("root").task("first", "work").compensate("undo");
    let root = root.group("g", inside()).after("first").group("h", inside()).after("first");
    let mut run = Run::activated(compiled(root.build()), "7");
    run.done("first", "1");
    run.done("g::a", "1");
    run.done("h::a", "1");
    let (g, h) = (run.work("g::b"), run.work("h::b"));
    cancel(&mut run);
    run.stopped(h);
    run.stopped(g);
    assert_eq!(at_work(&run), ["h::a@compensate::a", "g::a@compensate::a"], "both at once");
    run.done("g::a@compensate::a", "null");
    assert_eq!(at_work(&run), ["h::a@compensate::a"]);
    run.done("h::a@compensate::a", "null");
    assert_eq!(at_work(&run), ["first@compensate::first"]);
    run.done("first@compensate::first", "null");
    assert_eq!(run.execution.status(), ExecutionStatus::Cancelled);
    run.check();
}

fn items(tolerance: Option<Tolerance>) -> Run {
    let inside = Definition::builder("item")
        .task("book", "work")
        .compensate(Task::handler("undo").input("[item, index, output]"));
    let inside = inside.task("check", "work").after("book").build();
    let root = Definition::builder("root").map("each", "input", inside);
    let root = tolerance.into_iter().fold(root, |root, tolerance| root.tolerate(tolerance));
    Run::activated(compiled(root.task("last", "work").after("each").build()), "[5,6,7]")
}

#[test]
fn a_map_that_fails_undoes_its_completed_items_first() {
    let mut run = items(None);
    for item in [1, 0, 2] {
        run.done(&format!("each[{item}]::book"), &(item * 10).to_string());
    }
    run.done("each[1]::check", "1");
    run.done("each[0]::check", "1");
    assert_eq!(run.execution.inner.len(), 3, "what may have to be undone is kept");
    run.failed("each[2]::check", "no");
    // The item that failed undoes itself, then the map what completed: the last first.
    assert_eq!(at_work(&run), ["each[2]::book@compensate::book"]);
    run.done("each[2]::book@compensate::book", "null");
    assert_eq!(at_work(&run), ["each[0]::book@compensate::book"]);
    assert_eq!(given(&run, "each[0]::book@compensate::book"), "[5,0,0]");
    assert_eq!(run.status_of("each"), NodeStatus::Waiting);
    run.done("each[0]::book@compensate::book", "null");
    assert_eq!(given(&run, "each[1]::book@compensate::book"), "[6,1,10]");
    run.done("each[1]::book@compensate::book", "null");
    assert_eq!(run.error(), "map \"Each\" (each) failed: each[2]::check failed: no");
    assert_eq!(run.execution.counts(&run.definition).compensated, 3);
    run.check();
}

#[test]
fn nobody_says_otherwise_of_a_node_that_undoes_what_its_scopes_did() {
    let mut run = items(None);
    for item in [0, 1, 2] {
        run.done(&format!("each[{item}]::book"), "1");
    }
    run.done("each[0]::check", "1");
    run.done("each[1]::check", "1");
    run.failed("each[2]::check", "no");
    run.done("each[2]::book@compensate::book", "null");
    let key = run.work("each").key;
    for action in [OperatorAction::Complete(Payload::NULL), OperatorAction::Skip, OperatorAction::Fail] {
        let operation = Operation { key, by: "jo".into(), reason: "so".into(), action };
        assert_eq!(run.try_tell(Input::Operate(operation)), Err(Refused::EndDecided { key }));
    }
    for item in [1, 0] {
        run.done(&format!("each[{item}]::book@compensate::book"), "null");
    }
    assert_eq!(run.error(), "map \"Each\" (each) failed: each[2]::check failed: no");
    assert_eq!(run.execution.counts(&run.definition).compensated, 3);
    run.check();
}

#[test]
fn nobody_says_otherwise_of_a_node_whose_end_is_decided_inside_of_it() {
    let inside = || {
        let first = Definition::builder("inside").task("book", "work").compensate("undo");
        first.task("check", "work").after("book").finally("work").build()
    };
    let ended = |mut run: Run, scope: &str, how: &str| {
        run.done(&format!("{scope}::book"), "1");
        match how {
            "failed" => run.failed(&format!("{scope}::check"), "no"),
            _ => run.done(&format!("{scope}::check"), "1"),
        }
        run
    };
    let group = || Definition::builder("root").group("it", inside());
    let map = || Definition::builder("root").map("it", "input", inside());
    let each = || Definition::builder("root").repeat("it", inside(), LoopCondition::until("round == 2"), 3);
    for (definition, scope, how, is_decided) in [
        (group(), "it", "failed", true),
        (group(), "it", "completed", true),
        (map(), "it[0]", "failed", true),
        (map(), "it[0]", "completed", false),
        (each(), "it#1", "failed", true),
        (each(), "it#1", "completed", false),
    ] {
        let mut run = ended(Run::activated(compiled(definition.build()), "[1,2]"), scope, how);
        let key = run.execution.resolve(&run.definition, &"it".parse().unwrap()).expect("it is there");
        let mut said = |action| {
            let operation = Operation { key, by: "jo".into(), reason: "so".into(), action };
            run.try_tell(Input::Operate(operation))
        };
        if is_decided {
            for action in [OperatorAction::Complete(Payload::NULL), OperatorAction::Skip, OperatorAction::Fail] {
                assert_eq!(said(action), Err(Refused::EndDecided { key }), "{scope} {how}");
            }
        } else {
            assert_eq!(said(OperatorAction::Complete(Payload::NULL)), Ok(()), "{scope} {how}");
        }
    }
}

#[test]
fn completed_items_are_kept_and_undone_when_something_else_fails() {
    let mut run = items(Some(Tolerance::Count(1)));
    for item in [2, 0, 1] {
        run.done(&format!("each[{item}]::book"), &(item * 10).to_string());
    }
    run.failed("each[0]::check", "no");
    run.done("each[0]::book@compensate::book", "null");
    run.done("each[1]::check", "1");
    run.done("each[2]::check", "2");
    assert_eq!(run.output_at("each"), "[null,1,2]");
    run.failed("last", "no");
    assert_eq!(at_work(&run), ["each[2]::book@compensate::book"]);
    run.done("each[2]::book@compensate::book", "null");
    assert_eq!(given(&run, "each[1]::book@compensate::book"), "[6,1,10]");
    run.tell(Input::Recovered { epoch: Epoch(1), crashed: true });
    run.done("each[1]::book@compensate::book", "null");
    assert_eq!(run.error(), "task \"Last\" (last) failed: no", "what undid itself is not entered");
    run.check();
}

#[test]
fn items_in_which_nothing_is_to_be_undone_are_given_back() {
    let inside = Definition::builder("item").task("look", "work").task("book", "work").compensate("undo").after("look");
    let inside = inside.when("nodes.look.output").build();
    let root = Definition::builder("root").map("each", "input", inside).task("last", "work").after("each");
    let mut run = Run::activated(compiled(root.build()), "[5,6]");
    run.done("each[0]::look", "false");
    run.done("each[1]::look", "true");
    run.done("each[1]::book", "1");
    assert_eq!(run.execution.inner.len(), 1, "the first one has booked nothing");
    run.failed("last", "no");
    run.done("each[1]::book@compensate::book", "null");
    assert_eq!(run.execution.status(), ExecutionStatus::Failed);
    run.check();
}

#[test]
fn a_map_that_is_closed_undoes_its_completed_items() {
    let mut run = items(None);
    for item in [0, 1, 2] {
        run.done(&format!("each[{item}]::book"), &(item * 10).to_string());
    }
    run.done("each[0]::check", "1");
    let (one, two) = (run.work("each[1]::check"), run.work("each[2]::check"));
    cancel(&mut run);
    run.stopped(one);
    run.stopped(two);
    let both = ["each[1]::book@compensate::book", "each[2]::book@compensate::book"];
    let mut open = at_work(&run);
    open.sort();
    assert_eq!(open, both, "open ones at once");
    both.iter().for_each(|path| run.done(path, "null"));
    assert_eq!(at_work(&run), ["each[0]::book@compensate::book"]);
    run.done("each[0]::book@compensate::book", "null");
    assert_eq!(run.status_of("each"), NodeStatus::Cancelled);
    assert_eq!(run.execution.status(), ExecutionStatus::Cancelled);
    run.check();
}

#[test]
fn a_loop_that_fails_undoes_its_completed_rounds() {
    let inside =
        Definition::builder("round").task("try", "work").compensate(Task::handler("undo").input("[round, output]"));
    let root = || {
        let root =
            Definition::builder("root").repeat("poll", inside.clone().build(), LoopCondition::until("output == 9"), 2);
        Run::activated(compiled(root.round_delay(Duration::from_secs(1)).build()), "null")
    };
    let mut run = root();
    run.done("poll#1::try", "1");
    let key = run.work("poll#1::try").key;
    let _ = key;
    let poll = run.execution.resolve(&run.definition, &"poll".parse().unwrap()).unwrap();
    run.tell(Input::TimerFired(Timer::Round(poll, 2)));
    run.done("poll#2::try", "2");
    assert_eq!(at_work(&run), ["poll#2::try@compensate::try"], "no round is left");
    assert_eq!(given(&run, "poll#2::try@compensate::try"), "[2,2]");
    run.done("poll#2::try@compensate::try", "null");
    assert_eq!(given(&run, "poll#1::try@compensate::try"), "[1,1]");
    run.done("poll#1::try@compensate::try", "null");
    assert_eq!(run.error(), "loop \"Poll\" (poll) exhausted: 2 rounds were not enough");
    run.check();

    // Between two rounds somebody cancels it.
    let mut run = root();
    run.done("poll#1::try", "1");
    cancel(&mut run);
    assert_eq!(at_work(&run), ["poll#1::try@compensate::try"]);
    run.done("poll#1::try@compensate::try", "null");
    assert_eq!(run.status_of("poll"), NodeStatus::Cancelled);
    assert_eq!(run.execution.status(), ExecutionStatus::Cancelled);
    run.check();
}

/// `g` completed and is in its `finally` when the rest fails: what it did is undone before its node is closed.
#[test]
fn what_completed_while_its_finally_runs_is_undone_too() {
    let inside = Definition::builder("g").task("a", "work").compensate("undo").finally("tell").build();
    let root = Definition::builder("root").group("g", inside).task("beside", "work");
    let mut run = Run::activated(compiled(root.build()), "7");
    run.done("g::a", "1");
    run.failed("beside", "no");
    assert_eq!(at_work(&run), ["g::@finally::finally"]);
    run.done("g::@finally::finally", "null");
    assert_eq!(at_work(&run), ["g::a@compensate::a"]);
    assert_eq!(run.status_of("g"), NodeStatus::Waiting);
    run.done("g::a@compensate::a", "null");
    assert_eq!(run.status_of("g"), NodeStatus::Cancelled);
    assert_eq!(run.execution.status(), ExecutionStatus::Failed);
    run.check();
}

#[test]
fn a_compensation_is_a_scope_like_any_other_and_sees_the_nodes_around() {
    let undo = Definition::builder("undo")
        .task("find", Task::handler("work").input("[output, nodes.before.output]"))
        .task("sign", Task::external())
        .after("find")
        .build();
    let root = Definition::builder("root").task("before", "work").task("charge", "work").compensate(undo);
    let mut run = Run::activated(compiled(root.after("before").task("ship", "work").after("charge").build()), "7");
    run.done("before", "0");
    run.done("charge", "1");
    run.failed("ship", "no van");
    assert_eq!(given(&run, "charge@compensate::find"), "[1,0]");
    run.done("charge@compensate::find", "2");
    let sign = run.work("charge@compensate::sign");
    run.tell(Input::Reported(Report::new(sign.key, Ok(Payload::NULL))));
    assert_eq!(run.execution.status(), ExecutionStatus::Failed);
    let names: Vec<_> = run.execution.record(&run.definition).nodes.into_iter().map(|node| node.id).collect();
    let listed = ["before", "charge", "charge@compensate::find", "charge@compensate::sign"];
    assert_eq!(names[..4], listed, "{names:?}");
    run.check();
}

#[test]
fn only_work_can_be_undone() {
    let decision = Definition::builder("w").task("a", "h").condition("c", "true").compensate("undo").after("a");
    let error = compile(decision.build(), &Registry::default()).expect_err("it is refused");
    assert_eq!(error.problems[0].code.as_str(), "nothing_to_compensate");
    let outside = Definition::builder("w").task("a", Task::handler("h").input("output")).compensate("undo").build();
    assert_eq!(
        compile(outside, &Registry::default()).expect_err("not known there").problems[0].code.as_str(),
        "expression_invalid"
    );
    let typo =
        Definition::builder("w").task("a", "h").compensate(Task::handler("undo").input("nodes.b.output")).build();
    let error = compile(typo, &Registry::default()).expect_err("it is refused");
    assert!(error.to_string().contains("a@compensate"), "{error}");
}

#[test]
fn many_kept_items_are_undone_one_at_a_time() {
    let inside = Definition::builder("item").task("book", "work").compensate("undo").build();
    let root = Definition::builder("root").map("each", "input", inside).task("last", "work").after("each");
    let mut run = Run::activated(compiled(root.build()), &format!("[{}0]", "0,".repeat(1_999)));
    run.go_on();
    while let Some(dispatch) = run.at_work().first().copied() {
        let is_last = dispatch.key.scope.is_root();
        let result = if is_last { Err(Failure::new(FailureClass::Failed, "no")) } else { Ok(Payload::NULL) };
        for dispatch in run.at_work() {
            let (started, ended) = (Time::default(), Time::default());
            run.tell(Input::Outcome { dispatch, result: result.clone(), started, ended });
        }
        run.go_on();
        if is_last {
            break;
        }
    }
    for _ in 0..2_000 {
        let [dispatch] = run.at_work()[..] else { panic!("one at a time") };
        let (started, ended) = (Time::default(), Time::default());
        run.tell(Input::Outcome { dispatch, result: Ok(Payload::NULL), started, ended });
    }
    assert_eq!(run.execution.counts(&run.definition).compensated, 2_000);
    assert_eq!(run.execution.status(), ExecutionStatus::Failed);
    run.check();
}
