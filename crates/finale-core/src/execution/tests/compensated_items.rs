//! What undoes the items of a map whose body is one task.

use super::*;
use crate::definition::{Call, Inside, JoinStrategy, Losers};
use crate::fact::{Operation, OperatorAction};

fn at_work(run: &Run) -> Vec<String> {
    let path = |dispatch: Dispatch| run.execution.path(&run.definition, dispatch.key).unwrap().to_string();
    run.at_work().into_iter().map(path).collect()
}

fn given(run: &Run, path: &str) -> String {
    let key = run.execution.resolve(&run.definition, &path.parse().unwrap()).unwrap_or_else(|| panic!("no {path}"));
    String::from_utf8(run.execution.input_of(key).as_bytes().to_vec()).unwrap()
}

/// A map that books each item, and something behind it.
fn booked(body: impl Into<Inside>, undo: impl Into<Inside>) -> Run {
    let root = Definition::builder("root").map("book", "input", body.into().compensate(undo));
    Run::activated(compiled(root.task("last", "work").after("book").build()), "[5,6,7]")
}

#[test]
fn the_only_task_of_an_item_is_given_the_item_and_undone_by_itself() {
    let mut run = booked("work", Task::handler("undo").input("[item, index, input, output]"));
    assert_eq!(given(&run, "book[1]::book"), "6");
    run.done("book[1]::book", "16");
    run.done("book[0]::book", "15");
    run.failed("book[2]::book", "no");
    assert_eq!(at_work(&run), ["book[0]::book@compensate::book"], "what completed last is undone first");
    assert_eq!(given(&run, "book[0]::book@compensate::book"), "[5,0,5,15]");
    run.done("book[0]::book@compensate::book", "null");
    run.done("book[1]::book@compensate::book", "null");
    assert_eq!(run.error(), "map \"Book\" (book) failed: book[2]::book failed: no");
    assert_eq!(run.execution.counts(&run.definition).compensated, 2);
    run.check();
}

#[test]
fn after_a_restart_the_items_that_are_left_are_undone_and_none_twice() {
    let mut run = booked("work", Task::handler("undo").input("output"));
    for item in [2, 0, 1] {
        run.done(&format!("book[{item}]::book"), &item.to_string());
    }
    assert_eq!(run.output_at("book"), "[0,1,2]");
    run.tell(Input::Recovered { epoch: Epoch(1), crashed: true });
    run.failed("last", "no");
    assert_eq!(at_work(&run), ["book[1]::book@compensate::book"]);
    run.tell(Input::Recovered { epoch: Epoch(2), crashed: true });
    assert_eq!(run.work("book[1]::book@compensate::book").attempt.get(), 2);
    run.done("book[1]::book@compensate::book", "null");
    run.done("book[0]::book@compensate::book", "null");
    run.tell(Input::Recovered { epoch: Epoch(3), crashed: true });
    assert_eq!(at_work(&run), ["book[2]::book@compensate::book"]);
    assert_eq!(given(&run, "book[2]::book@compensate::book"), "2");
    run.done("book[2]::book@compensate::book", "null");
    assert_eq!(run.execution.counts(&run.definition).compensated, 3);
    assert_eq!(run.error(), "task \"Last\" (last) failed: no [attempt 2 of 2]");
    run.check();
}

#[test]
fn a_call_that_is_the_body_is_given_the_item_as_before() {
    let called = Definition::builder("called").task("t", "work").build();
    let mut run = booked(Call::of(called), "undo");
    assert_eq!(given(&run, "book[2]::book::t"), "7");
    for item in 0..3 {
        run.done(&format!("book[{item}]::book::t"), "1");
    }
    run.failed("last", "no");
    assert_eq!(at_work(&run), ["book[2]::book@compensate::book"]);
}

/// The map has booked its first item when an operator fails it, so that this is undone.
fn failed_by_hand(root: crate::definition::DefinitionBuilder) -> Run {
    let mut run = Run::activated(compiled(root.build()), "[5,6]");
    run.done("book[0]::book", "15");
    let (key, second) = (run.work("book").key, run.work("book[1]::book"));
    let operation = Operation { key, action: OperatorAction::Fail, by: "jo".into(), reason: "enough".into() };
    run.tell(Input::Operate(operation));
    run.stopped(second);
    assert_eq!(at_work(&run), ["book[0]::book@compensate::book"]);
    run
}

#[test]
fn what_an_operator_failed_is_cancelled_if_what_it_is_in_ends_while_its_items_are_undone() {
    let book = || Inside::from("work").compensate("undo");
    let root = Definition::builder("root").map("book", "input", book()).task("other", Task::external());
    let mut run = failed_by_hand(root);
    run.tell(Input::Command(Command::Cancel { by: "jo".into() }));
    run.done("book[0]::book@compensate::book", "null");
    assert_eq!(run.status_of("book"), NodeStatus::Cancelled);
    assert_eq!(run.execution.status(), ExecutionStatus::Cancelled);
    run.check();

    // Also if it is a join that goes on without it: then its failure counts for nothing.
    let root = Definition::builder("root").map("book", "input", book()).task("other", Task::external());
    let root = root.join("join", JoinStrategy::Any).after_all(["book", "other"]).losers(Losers::Cancel);
    let mut run = failed_by_hand(root.task("last", "work").after("join"));
    let key = run.work("other").key;
    run.tell(Input::Reported(Report::new(key, Ok(Payload::NULL))));
    run.done("book[0]::book@compensate::book", "null");
    assert_eq!(run.status_of("book"), NodeStatus::Cancelled);
    run.done("last", "1");
    assert_eq!(run.execution.status(), ExecutionStatus::Completed);
    run.check();
}
