//! Retries and held work inside of maps, loops, groups and calls.

use std::time::Duration;

use super::*;
use crate::definition::{Backoff, Call, DefinitionBuilder, LoopCondition, Retry, Tolerance};
use crate::fact::{Operation, OperatorAction, Timer};

const SECOND: Duration = Duration::from_secs(1);

fn tried() -> Task {
    Task::handler("work").retry_as(Retry::attempts(2).backoff(Backoff::exponential(SECOND, 2.0)).hold())
}

fn run(builder: DefinitionBuilder) -> Run {
    Run::activated(compiled(builder.build()), r#"{"x":1}"#)
}

impl Run {
    fn backoff(&mut self, path: &str) {
        let Dispatch { key, attempt, .. } = self.work(path);
        self.tell(Input::TimerFired(Timer::Backoff(key, attempt)));
    }

    fn operate(&mut self, path: &str, action: OperatorAction) {
        let key = self.work(path).key;
        self.tell(Input::Operate(Operation { key, by: "jo".into(), reason: "so".into(), action }));
    }

    fn waits_for(&self, path: &str) -> Option<WaitingFor> {
        let key = self.work(path).key;
        self.execution.state_at(key).waiting_for()
    }

    /// Fails both attempts, so that an operator is waited for.
    fn hold(&mut self, path: &str) {
        self.failed(path, "no");
        assert_eq!(self.waits_for(path), Some(WaitingFor::Backoff));
        self.backoff(path);
        self.failed(path, "no");
        assert_eq!(self.waits_for(path), Some(WaitingFor::Operator));
    }
}

#[test]
fn tasks_inside_of_other_nodes_are_tried_again_each_for_itself() {
    let inner = || Definition::builder("inner").task("t", tried()).build();
    let until = LoopCondition::until("round == 2");
    let all = Definition::builder("root")
        .map("m", "[10, 20]", tried())
        .repeat("l", tried(), until, 2)
        .group("g", inner())
        .call("c", Call::to("inner", "1.0.0"))
        .build();
    let mut run = Run::activated(compiled(Definition { workflows: vec![inner()], ..all }), "{}");
    for path in ["m[0]::m", "m[1]::m", "l#1::l", "g::t", "c::t"] {
        run.failed(path, "no");
        assert_eq!(run.waits_for(path), Some(WaitingFor::Backoff), "{path}");
    }
    run.tell(Input::Recovered { epoch: Epoch(1), crashed: true });
    for path in ["m[1]::m", "m[0]::m", "l#1::l", "g::t", "c::t"] {
        run.backoff(path);
        assert_eq!(run.work(path).attempt.get(), 2);
        run.done(path, "1");
    }
    // The second round has all its attempts.
    run.hold("l#2::l");
    run.operate("l#2::l", OperatorAction::Complete(Payload::encode(&2).unwrap()));
    assert_eq!(run.output(), r#"{"m":[1,1],"l":2,"g":1,"c":1}"#);
    assert_eq!(run.execution.retry_budgets, None, "nothing is kept of what is settled");
    run.check();
}

#[test]
fn an_item_that_is_held_keeps_its_map_open_until_an_operator_says_what_becomes_of_it() {
    let map = || Definition::builder("root").map("m", "[1, 2]", tried()).tolerate(Tolerance::Count(1));
    let mut failed = run(map());
    failed.hold("m[0]::m");
    failed.done("m[1]::m", "2");
    assert_eq!(failed.execution.status(), ExecutionStatus::Running);
    failed.operate("m[0]::m", OperatorAction::Fail);
    assert_eq!(failed.output(), "[null,2]");
    failed.check();
    let mut again = run(map());
    again.hold("m[0]::m");
    again.done("m[1]::m", "2");
    again.operate("m[0]::m", OperatorAction::Retry);
    again.failed("m[0]::m", "no");
    again.backoff("m[0]::m");
    again.done("m[0]::m", "1");
    assert_eq!(again.output(), "[1,2]");
    assert_eq!(again.execution.retry_budgets, None);
    again.check();
}

#[test]
fn what_is_held_inside_is_closed_with_what_it_is_in() {
    let mut cancelled = run(Definition::builder("root").map("m", "[1, 2]", tried()));
    cancelled.hold("m[0]::m");
    let dispatch = cancelled.work("m[1]::m");
    cancelled.tell(Input::Command(Command::Cancel { by: "jo".into() }));
    cancelled.stopped(dispatch);
    assert_eq!(cancelled.execution.status(), ExecutionStatus::Cancelled);
    cancelled.check();
    // Another item fails the map: what is held in it is not waited for.
    let mut failed = run(Definition::builder("root").map("m", "[1, 2]", tried()));
    failed.hold("m[0]::m");
    failed.operate("m[1]::m", OperatorAction::Fail);
    assert_eq!(failed.execution.status(), ExecutionStatus::Failed);
    assert_eq!(failed.execution.retry_budgets, None);
    failed.check();
}

fn around() -> DefinitionBuilder {
    let inner = Definition::builder("inner").task("t", "work").task("u", "work").build();
    Definition::builder("root").group("g", inner).task("b", "work").after("g")
}

#[test]
fn an_operator_ends_a_node_with_scopes_when_its_handlers_have_left() {
    let mut done = run(around());
    let handlers = ["g::t", "g::u"].map(|path| done.work(path));
    done.operate("g", OperatorAction::Complete(Payload::encode(&7).unwrap()));
    for dispatch in handlers {
        assert!(done.effects.contains(&Effect::Stop { dispatch, then: AfterStop::Report }));
        assert_eq!(done.status_of("g"), NodeStatus::Waiting);
        assert_eq!(done.status_of("b"), NodeStatus::Pending);
        let again =
            Operation { key: done.work("g").key, by: "jo".into(), reason: "so".into(), action: OperatorAction::Skip };
        let refused = done.try_tell(Input::Operate(again)).unwrap_err();
        assert!(matches!(refused, Refused::EndDecided { .. }), "{refused}");
        let inside =
            Operation { key: dispatch.key, by: "jo".into(), reason: "so".into(), action: OperatorAction::Skip };
        assert_eq!(done.try_tell(Input::Operate(inside)), Err(Refused::ScopeOver { key: dispatch.key }));
        done.stopped(dispatch);
    }
    assert_eq!(done.output_at("g"), "7");
    done.done("b", "1");
    assert_eq!(done.output(), "1");
    done.check();
}

#[test]
fn an_operator_fails_and_skips_nodes_with_scopes() {
    let mut failed = run(around());
    let handlers = ["g::t", "g::u"].map(|path| failed.work(path));
    failed.operate("g", OperatorAction::Fail);
    for dispatch in handlers {
        failed.stopped(dispatch);
    }
    assert_eq!(failed.error(), r#"group "G" (g) failed: so"#);
    failed.check();
    let mut skipped =
        run(Definition::builder("root").map("m", "[1, 2, 3]", tried()).max_concurrency(1).task("b", "work").after("m"));
    skipped.hold("m[0]::m");
    skipped.operate("m", OperatorAction::Skip);
    assert_eq!(skipped.status_of("m"), NodeStatus::Skipped);
    skipped.done("b", "1");
    assert_eq!(skipped.execution.retry_budgets, None);
    assert_eq!(skipped.output(), "1");
    skipped.check();
    // Between two rounds as well.
    let waits = Definition::builder("root").repeat("l", "work", LoopCondition::until("output"), 9).round_delay(SECOND);
    let mut completed = run(waits);
    completed.done("l#1::l", "false");
    let timer = Timer::Round(completed.work("l").key, 2);
    completed.operate("l", OperatorAction::Complete(Payload::encode(&3).unwrap()));
    assert!(completed.effects.contains(&Effect::DisarmTimer { timer }));
    assert_eq!(completed.output(), "3");
    completed.check();
}

#[test]
fn what_ends_around_counts_more_than_what_an_operator_said_before() {
    let mut cancelled = run(around());
    let handlers = ["g::t", "g::u"].map(|path| cancelled.work(path));
    cancelled.operate("g", OperatorAction::Complete(Payload::NULL));
    cancelled.tell(Input::Command(Command::Cancel { by: "jo".into() }));
    for dispatch in handlers {
        cancelled.stopped(dispatch);
    }
    assert_eq!(cancelled.status_of("g"), NodeStatus::Cancelled);
    assert_eq!(cancelled.execution.status(), ExecutionStatus::Cancelled);
    cancelled.check();
}

#[test]
fn an_operator_begins_the_next_round_now() {
    let waits = Definition::builder("root").repeat("l", "work", LoopCondition::until("output"), 9).round_delay(SECOND);
    let mut run = run(waits);
    run.done("l#1::l", "false");
    let timer = Timer::Round(run.work("l").key, 2);
    run.operate("l", OperatorAction::RunNow);
    assert!(run.effects.contains(&Effect::DisarmTimer { timer }));
    assert!(run.try_tell(Input::TimerFired(timer)).is_err(), "nobody waits for it any more");
    run.done("l#2::l", "true");
    assert_eq!(run.output(), "true");
    run.check();
}

/// It was kept until the task is asked for again, which nobody may ever do: whoever reported got no answer.
#[test]
fn a_report_on_a_held_task_is_refused_and_not_kept() {
    let asked = Task::external().retry_as(Retry::attempts(1).hold());
    let mut run = run(Definition::builder("root").task("e", asked));
    let key = run.work("e").key;
    let report = |result| Input::Reported(Report { key, attempt: None, result, by: "jo".into() });
    run.tell(report(Err(Failure::new(FailureClass::Failed, "no"))));
    assert_eq!(run.waits_for("e"), Some(WaitingFor::Operator));
    let refused = Refused::WaitsForElse { key, waiting_for: WaitingFor::Operator };
    assert_eq!(run.try_tell(report(Ok(Payload::NULL))), Err(refused));
    run.operate("e", OperatorAction::Retry);
    assert_eq!(run.waits_for("e"), Some(WaitingFor::Task));
    run.tell(report(Ok(Payload::NULL)));
    assert_eq!(run.output(), "null");
    run.check();
}
