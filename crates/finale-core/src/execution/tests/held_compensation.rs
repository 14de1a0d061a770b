//! What undoes a node is held like any other task when its attempts are used up, and an operator settles it.

use super::*;
use crate::definition::{Exhausted, Retry};
use crate::fact::{Operation, OperatorAction, Timer};
use crate::record::{EndingFailure, EndingKind};

const UNDO: &str = "reserve@compensate::reserve";

/// The order has failed, and both attempts to undo its reservation have.
fn held() -> Run {
    let retry = Retry { exhausted: Exhausted::Hold, ..Retry::attempts(2) };
    let root = Definition::builder("saga")
        .task("reserve", "work")
        .compensate(Task::handler("undo").retry_as(retry))
        .task("ship", "work")
        .after("reserve");
    let mut run = Run::activated(compiled(root.build()), "{}");
    run.done("reserve", "1");
    run.failed("ship", "no van");
    run.failed(UNDO, "no answer");
    run.failed(UNDO, "no answer");
    run
}

fn operate(run: &mut Run, action: OperatorAction) -> Result<(), Refused> {
    let key = run.work(UNDO).key;
    run.try_tell(Input::Operate(Operation { key, by: "jo".into(), reason: "by phone".into(), action }))
}

fn ending_failures(run: &Run) -> Vec<EndingFailure> {
    run.execution.end_outcome(&run.definition).expect("it has ended").ending_failures
}

#[test]
fn a_compensation_whose_attempts_are_used_up_is_held_across_a_restart() {
    let mut run = held();
    for _ in 0..2 {
        let key = run.work(UNDO).key;
        assert_eq!(run.execution.state_at(key).waiting_for(), Some(WaitingFor::Operator));
        assert_eq!((run.execution.status(), run.at_work().len()), (ExecutionStatus::Ending, 0));
        let why = run.execution.why(&run.definition);
        assert_eq!(why.awaited[0].node, UNDO);
        assert_eq!(why.awaited[0].what, "an operator: attempt 2 failed: no answer");
        run.check();
        let epoch = run.execution.epoch().next();
        run.tell(Input::Recovered { epoch, crashed: true });
    }
}

#[test]
fn an_operator_settles_a_held_compensation() {
    let mut completed = held();
    operate(&mut completed, OperatorAction::Complete(Payload::NULL)).unwrap();
    assert_eq!(completed.error(), "task \"Ship\" (ship) failed: no van");
    assert_eq!(ending_failures(&completed), []);
    assert_eq!(completed.execution.counts(&completed.definition).compensated, 1);
    completed.check();

    let mut failed = held();
    operate(&mut failed, OperatorAction::Fail).unwrap();
    assert_eq!(failed.error(), "task \"Ship\" (ship) failed: no van", "the first cause stays");
    let left = &ending_failures(&failed)[0];
    assert_eq!((left.kind, left.of.as_str()), (EndingKind::Compensation, "reserve"));
    assert!(left.reason.contains("by phone"), "{left:?}");
    failed.check();

    let mut skipped = held();
    operate(&mut skipped, OperatorAction::Skip).unwrap();
    assert_eq!(skipped.execution.status(), ExecutionStatus::Failed);
    skipped.check();
}

#[test]
fn an_operators_retry_of_a_held_compensation_gives_all_attempts_again() {
    let mut run = held();
    operate(&mut run, OperatorAction::Retry).unwrap();
    assert_eq!(run.work(UNDO).attempt.get(), 3);
    run.failed(UNDO, "no answer");
    run.done(UNDO, "null");
    assert_eq!((run.execution.status(), ending_failures(&run)), (ExecutionStatus::Failed, vec![]));
    run.check();
}

#[test]
fn a_forced_end_does_not_wait_for_the_operator_of_a_held_compensation() {
    let mut run = held();
    run.tell(Input::Command(Command::ForceCancel { by: "me".into() }));
    assert_eq!(run.execution.status(), ExecutionStatus::Failed);
    assert_eq!(ending_failures(&run).len(), 1);
    assert!(operate(&mut run, OperatorAction::Retry).is_err());
    run.check();
    let late = run.try_tell(Input::TimerFired(Timer::EndingWithin));
    assert!(late.is_err());
}
