//! The short way for what handlers come to, and storage that is used again.

use super::*;
use crate::record::{ConcurrencyLimit, HeldUp, HeldUpBy, NodeRecordState, QueuePosition};

fn chain() -> Compiled {
    compiled(Definition::builder("chain").task("a", "work").task("b", "work").after("a").build())
}

#[test]
fn an_outcome_comes_to_the_same_with_and_without_an_input_made_of_it() {
    let (mut long, mut short) = (Run::activated(chain(), "{}"), Run::activated(chain(), "{}"));
    let at = Time::from_micros(2_000);
    let failure = Failure::new(FailureClass::Failed, "no luck");
    let results: [Result<&[u8], &Failure>; 2] = [Ok(b"[1]"), Err(&failure)];
    for (path, result) in ["a", "b"].into_iter().zip(results) {
        let dispatch = long.work(path);
        let owned = result.map(|json| Payload::from_json(json).unwrap()).map_err(Failure::clone);
        let input = Input::Outcome { dispatch, result: owned, started: at, ended: at };
        long.execution.handle(&long.definition, at, input, &mut long.turn).unwrap();
        let told = short.execution.handle_outcome(&short.definition, at, dispatch, result, (at, at), &mut short.turn);
        told.unwrap();
        assert_eq!(long.turn.facts(), short.turn.facts());
        assert_eq!(long.turn.take_effects(), short.turn.take_effects());
        assert!(long.execution == short.execution);
        let again = short.execution.handle_outcome(&short.definition, at, dispatch, result, (at, at), &mut short.turn);
        assert!(again.is_err(), "it is refused like any other");
    }
    long.turn.discard();
    short.turn.discard();
}

#[test]
fn an_execution_in_used_storage_is_as_a_new_one() {
    let definition = chain();
    let mut used = Run::activated(chain(), "{}");
    used.done("a", "1");
    used.failed("b", "no luck");
    let mut execution = used.execution;
    execution.reset(id(), &definition);
    assert!(execution == Execution::new(id(), &definition));
    assert_eq!(execution.activation(), None);
    let other = compiled(Definition::builder("other").task("x", "work").build());
    execution.reset(id(), &other);
    assert!(execution == Execution::new(id(), &other));
}

/// The clock was set back while the process was down.
#[test]
fn no_attempt_begins_before_it_was_asked_for_whatever_the_clock_of_its_handler_says() {
    let mut run = Run::activated(compiled(Definition::builder("root").task("a", "work").build()), "1");
    let dispatch = run.work("a");
    let asked = run.execution.since(dispatch.key).expect("it is at work");
    let (started, ended) = (Time::from_micros(5), Time::from_micros(9));
    run.tell(Input::Outcome { dispatch, result: Ok(Payload::NULL), started, ended });
    let record = run.execution.record(&run.definition);
    let node = record.nodes.iter().find(|node| node.id == "a").expect("it is there");
    let NodeRecordState::Completed { begun, completed_at, .. } = &node.state else { panic!("{node:?}") };
    assert_eq!((begun.started_at, *completed_at), (asked, asked));
    run.check();
}

#[test]
fn what_is_held_up_of_an_end_is_counted_nowhere() {
    let inside = Definition::builder("inside").task("a", "work").finally("work").build();
    let root = Definition::builder("root").group("it", inside).task("slow", "work");
    let mut run = Run::activated(compiled(root.build()), "1");
    run.done("it::a", "1");
    let dispatch = run.work("it::@finally::finally");
    let counts = run.execution.counts(&run.definition);
    let queue = HeldUpBy::Queue(QueuePosition { position: 1, limit: ConcurrencyLimit::Runtime });
    for by in [queue, HeldUpBy::Execution] {
        let mut record = run.execution.record(&run.definition);
        record.hold_up(&[HeldUp { key: dispatch.key, attempt: dispatch.attempt, by }]);
        assert_eq!(record.counts, counts);
        let is_held_up = |state: &NodeRecordState| !matches!(state, NodeRecordState::Running(_));
        assert!(record.nodes.iter().any(|node| node.id == "it::@finally::finally" && is_held_up(&node.state)));
    }
}
