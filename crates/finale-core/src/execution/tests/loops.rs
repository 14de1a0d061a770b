//! Loops: a body round by round.

use std::time::Duration;

use super::*;
use crate::definition::{DefinitionBuilder, LoopCondition};
use crate::fact::Timer;

fn given(run: &Run, path: &str) -> String {
    let key = run.execution.resolve(&run.definition, &path.parse().unwrap()).expect("it is there");
    String::from_utf8(run.execution.input_of(key).as_bytes().to_vec()).unwrap()
}

fn poll(condition: LoopCondition, rounds_max: u32) -> DefinitionBuilder {
    let task = Task::handler("work").input("[round, previous]");
    Definition::builder("root").repeat("poll", task, condition, rounds_max)
}

fn run(builder: DefinitionBuilder) -> Run {
    Run::activated(compiled(builder.build()), r#"{"x":1}"#)
}

#[test]
fn rounds_follow_each_other_until_the_condition_holds_of_what_the_last_one_gave() {
    let mut run = run(poll(LoopCondition::until("output >= 2"), 5));
    assert_eq!(given(&run, "poll#1::poll"), "[1,null]");
    run.done("poll#1::poll", "1");
    assert_eq!(run.execution.resolve(&run.definition, &"poll#1::poll".parse().unwrap()), None, "it is given back");
    assert_eq!(given(&run, "poll#2::poll"), "[2,1]");
    run.done("poll#2::poll", "2");
    assert_eq!(run.output(), "2");
    assert_eq!(run.execution.counts(&run.definition).completed, 2);
    run.check();
}

#[test]
fn the_condition_sees_the_round_and_the_two_last_outputs() {
    let mut run = run(poll(LoopCondition::until("round > 1 and output == previous and input.x == 1"), 5));
    for output in ["7", "8", "8"] {
        let path = open(&run);
        run.done(&path, output);
    }
    assert_eq!(run.output(), "8");
    run.check();
}

fn open(run: &Run) -> String {
    let [dispatch] = run.at_work()[..] else { panic!("one handler is at work") };
    run.execution.path(&run.definition, dispatch.key).unwrap().to_string()
}

#[test]
fn a_loop_goes_on_while_the_condition_holds_and_gives_null_if_it_never_did() {
    let mut twice = run(poll(LoopCondition::while_true("round <= 2"), 5));
    twice.done("poll#1::poll", "1");
    twice.done("poll#2::poll", "2");
    assert_eq!(twice.output(), "2");
    twice.check();
    let never = run(poll(LoopCondition::while_true("false"), 5));
    assert_eq!(never.output(), "null");
    never.check();
    let mut previous = run(poll(LoopCondition::while_true("previous is none or previous < 1"), 5));
    previous.done("poll#1::poll", "1");
    assert_eq!(previous.output(), "1");
    previous.check();
}

#[test]
fn rounds_that_are_used_up_fail_the_loop() {
    for condition in [LoopCondition::until("false"), LoopCondition::while_true("true")] {
        let mut run = run(poll(condition, 2));
        run.done("poll#1::poll", "1");
        run.done("poll#2::poll", "1");
        assert_eq!(run.error(), r#"loop "Poll" (poll) exhausted: 2 rounds were not enough"#);
        run.check();
    }
    let mut enough = run(poll(LoopCondition::while_true("round <= 2"), 2));
    enough.done("poll#1::poll", "1");
    enough.done("poll#2::poll", "2");
    assert_eq!(enough.output(), "2", "as many rounds as there may be are enough");
}

#[test]
fn a_failed_round_fails_the_loop_with_the_path_to_its_cause() {
    let mut run = run(poll(LoopCondition::until("output"), 9));
    run.done("poll#1::poll", "false");
    run.failed("poll#2::poll", "no");
    assert_eq!(run.error(), r#"loop "Poll" (poll) failed: poll#2::poll failed: no"#);
    run.check();
}

#[test]
fn a_condition_that_cannot_be_evaluated_fails_the_loop() {
    let mut run = run(poll(LoopCondition::until("output"), 9));
    run.done("poll#1::poll", "7");
    assert!(run.error().starts_with(r#"loop "Poll" (poll) could not be evaluated: "#), "{}", run.error());
    run.check();
}

#[test]
fn between_two_rounds_a_loop_waits_and_a_restart_waits_on() {
    let mut run = run(poll(LoopCondition::until("output"), 9).round_delay(Duration::from_secs(3)));
    run.done("poll#1::poll", "false");
    assert!(run.at_work().is_empty());
    assert_eq!(run.execution.why(&run.definition).awaited[0].what, "round 2 at 1970-01-01T00:00:03.001000Z");
    let key = run.work("poll").key;
    let (timer, within) = (Timer::Round(key, 2), Duration::from_secs(3));
    let armed = Effect::ArmTimer { timer, due: Time::from_micros(3_001_000), within };
    assert_eq!(run.effects.last(), Some(&armed));
    run.tell(Input::Recovered { epoch: Epoch(1), crashed: true });
    assert_eq!(run.execution.under_way(&run.definition), [armed]);
    assert!(run.try_tell(Input::TimerFired(Timer::Round(key, 1))).is_err(), "that round was");
    run.tell(Input::TimerFired(timer));
    assert_eq!(given(&run, "poll#2::poll"), "[2,false]");
    assert!(run.try_tell(Input::TimerFired(timer)).is_err(), "it has fired");
    run.done("poll#2::poll", "true");
    assert_eq!(run.output(), "true");
    run.check();
}

#[test]
fn a_cancel_ends_a_round_and_a_delay() {
    let mut at_work = run(poll(LoopCondition::until("output"), 9));
    let dispatch = at_work.work("poll#1::poll");
    at_work.tell(Input::Command(Command::Cancel { by: "jo".into() }));
    at_work.stopped(dispatch);
    assert_eq!(at_work.execution.status(), ExecutionStatus::Cancelled);
    at_work.check();
    let mut waits = run(poll(LoopCondition::until("output"), 9).round_delay(Duration::from_secs(3)));
    waits.done("poll#1::poll", "false");
    let timer = Timer::Round(waits.work("poll").key, 2);
    waits.tell(Input::Command(Command::Cancel { by: "jo".into() }));
    assert_eq!(waits.execution.status(), ExecutionStatus::Cancelled);
    assert!(waits.effects.contains(&Effect::DisarmTimer { timer }));
    assert_eq!(waits.status_of("poll"), NodeStatus::Cancelled);
    waits.check();
}

#[test]
fn a_loop_of_maps_and_a_map_of_loops() {
    let each = Definition::builder("i").map("each", "[round, previous | default(0, true)]", "work").build();
    let root = Definition::builder("root").repeat("poll", each, LoopCondition::until("round == 2"), 2);
    let mut maps = run(root);
    assert_eq!(given(&maps, "poll#1::each[1]::each"), "0");
    maps.done("poll#1::each[0]::each", "1");
    maps.done("poll#1::each[1]::each", "1");
    assert_eq!(given(&maps, "poll#2::each[1]::each"), "[1,1]");
    maps.done("poll#2::each[0]::each", "3");
    maps.done("poll#2::each[1]::each", "4");
    assert_eq!(maps.output(), "[3,4]");
    maps.check();
    let task = Task::handler("work").input("[index, item, round]");
    let inside = Definition::builder("i").repeat("poll", task, LoopCondition::until("output == item"), 3).build();
    let mut loops = run(Definition::builder("root").map("each", "[5, 6]", inside));
    loops.done("each[1]::poll#1::poll", "5");
    assert_eq!(given(&loops, "each[1]::poll#2::poll"), "[1,6,2]");
    loops.done("each[1]::poll#2::poll", "6");
    loops.done("each[0]::poll#1::poll", "5");
    assert_eq!(loops.output(), "[5,6]");
    loops.check();
}

/// A round without any work costs a decision each: the rest is drawn when the execution is told to go on.
#[test]
fn many_rounds_without_work_are_drawn_in_parts() {
    let nothing = Definition::builder("i").output("round").build();
    let mut run =
        run(Definition::builder("root").repeat("spin", nothing, LoopCondition::until("round == 5000"), 5_000));
    assert!(run.execution.continuing);
    let turns = run.go_on();
    assert!((1..40).contains(&turns), "{turns}");
    assert_eq!(run.output(), "5000");
    run.check();
}

#[test]
fn what_is_wrong_with_a_loop_has_a_code() {
    let codes = |builder: DefinitionBuilder| {
        let error = compile(builder.build(), &Registry::new()).unwrap_err();
        error.problems.into_iter().map(|problem| (problem.code.as_str(), problem.nodes)).collect::<Vec<_>>()
    };
    let named = |id: &str| vec![id.to_owned()];
    assert_eq!(codes(poll(LoopCondition::until("output"), 0)), [("bad_rounds", named("poll"))]);
    assert_eq!(codes(poll(LoopCondition::until("item"), 1)), [("expression_invalid", named("poll"))]);
    assert_eq!(codes(poll(LoopCondition::while_true("output"), 1)), [("expression_invalid", named("poll"))]);
    let task = Task::handler("work").input("output");
    let inside = Definition::builder("root").repeat("poll", task, LoopCondition::until("output"), 1);
    assert_eq!(codes(inside), [("expression_invalid", named("poll::poll"))]);
}
