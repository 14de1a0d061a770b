//! Each of the three state machines may panic over each of its inputs: nothing of what was asked or done is lost.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use finale::journal::{Acknowledgement, HeldJournal};
use finale::{
    Abandoned, CommandError, ExecutionStatus, Faults, Keep, Kill, NodeRecordState, Retention, Runtime, TaskContext,
    TaskError,
};
use finale_tests::actor::{Any, Dummies, Gate, chart, runtime, settle, workflow};
use finale_tests::tasks::task_of;

/// How much virtual time everything may take: if it hangs, the test fails instead.
const PATIENCE: Duration = Duration::from_secs(60 * 60);

/// Everything that a runtime may be asked to do, each with what must come of it.
async fn everything(runtime: &Runtime, gate: &Gate) {
    // Handlers that are ready, that wait for a permit, that come back later, and one that fails first.
    let flow = chart("s>a s>b s>c s>f a>join b>join c>join f>join join>e");
    let flow = flow.task("f", |task| {
        task.retry.attempts = 2;
        task.retry.backoff = Duration::from_secs(1).into();
    });
    let flow = flow.workflow();
    let begun = runtime.activate(&flow, ()).idempotency_key("once").await.unwrap();
    let repeated = runtime.activate(&flow, ()).idempotency_key("once").await.unwrap();
    assert_eq!(begun.id(), repeated.id());
    // A report that comes before its task is open, and one that comes after.
    let asks = chart("s>g g>x s>y x>join y>join join>e").outside("x").outside("y").workflow();
    let asking = runtime.activate(&asks, ()).await.unwrap();
    settle().await;
    let early = {
        let (runtime, task) = (runtime.clone(), task_of(asking.id(), &asks, "x"));
        actix::spawn(async move { runtime.complete_task(task, "early").await })
    };
    settle().await;
    runtime.complete_task(task_of(asking.id(), &asks, "y"), "late").await.unwrap();
    // One that is cancelled with a handler at work, and one that waits behind it for the only permit.
    let cancelled = runtime.activate(&workflow("s>l l>e"), ()).await.unwrap();
    let queued = runtime.activate(&workflow("s>l l>e"), ()).await.unwrap();
    settle().await;
    assert_eq!(cancelled.snapshot().await.unwrap().id, cancelled.id());
    assert_eq!(cancelled.cancel("me").await.unwrap().status, ExecutionStatus::Cancelled);
    assert_eq!(queued.cancel("me").await.unwrap().status, ExecutionStatus::Cancelled);
    gate.open();
    assert_eq!(begun.outcome().await.unwrap().status(), ExecutionStatus::Completed);
    assert_eq!(early.await.unwrap(), Ok(()));
    assert_eq!(asking.outcome().await.unwrap().status(), ExecutionStatus::Completed);
    runtime.complete_task(task_of(asking.id(), &asks, "y"), ()).await.unwrap_err();
    let report = runtime.shutdown(Duration::from_secs(60)).await;
    assert_eq!((report.unfinished, report.dropped), (0, 0));
}

fn started(journal: &HeldJournal, faults: &Arc<Faults>, gate: &Gate) -> Runtime {
    let flaky = async |task: TaskContext, _: Any| {
        if task.attempt() < 2 { Err(TaskError::new("busy")) } else { Ok(()) }
    };
    let obedient = async |task: TaskContext, _: Any| {
        task.cancelled().await;
        Err::<(), _>(TaskError::new("stopped"))
    };
    // What may be forgotten is looked for on another thread, which no test knows the time of.
    let builder = runtime(journal).retention(Retention::all(Keep::for_ever()));
    let builder = builder.faults(Arc::clone(faults)).done("a b").gated("c g", gate);
    let builder = builder.handler("f", flaky).handler("l", obedient);
    builder.handler_limit("l", 1).handler_limit("a", 1).start().unwrap()
}

/// Kills a machine over its first input, over its second one, and so on, until it has no more; gives their kinds.
async fn kill_over_each(acknowledgement: Acknowledgement, machine: impl Fn(&Faults) -> &Kill) -> BTreeSet<String> {
    let mut kinds = BTreeSet::new();
    for over in 1.. {
        let faults = Arc::<Faults>::default();
        let gate = Gate::closed();
        let runtime = started(&HeldJournal::new(acknowledgement), &faults, &gate);
        machine(&faults).over.store(over, Ordering::Relaxed);
        let all = tokio::time::timeout(PATIENCE, everything(&runtime, &gate)).await;
        all.unwrap_or_else(|_| panic!("it hangs after a panic over {:?}, number {over}", machine(&faults).kinds));
        let kill = machine(&faults);
        if kill.over.load(Ordering::Relaxed) > 0 {
            break;
        }
        kinds.extend(kill.kinds.lock().unwrap().iter().cloned());
    }
    kinds
}

async fn all_are_survived(machine: impl Fn(&Faults) -> &Kill, expected: &[&str]) {
    tokio::time::pause();
    for acknowledgement in [Acknowledgement::Immediate, Acknowledgement::Late] {
        let kinds = kill_over_each(acknowledgement, &machine).await;
        let missing: Vec<_> = expected.iter().filter(|kind| !kinds.contains(**kind)).collect();
        assert!(missing.is_empty(), "{missing:?} are not among {kinds:?}");
    }
}

#[actix::test]
async fn an_execution_survives_a_panic_over_each_of_its_inputs() {
    let expected = ["Activate", "Outcome", "Reported", "TimerFired", "Command", "Stopped"];
    all_are_survived(|faults| &faults.kill_execution, &expected).await;
}

#[actix::test]
async fn a_task_engine_survives_a_panic_over_each_of_its_inputs() {
    let expected = [
        "Define",
        "Register",
        "Moved",
        "Deregister",
        "Perform",
        "Taken",
        "KeepEarly",
        "HandlerReady",
        "HandlerPending",
        "HandlerEnded",
        "Wake",
        "PermitsGranted",
        "Drain",
    ];
    all_are_survived(|faults| &faults.kill_engine, &expected).await;
}

#[actix::test]
async fn a_supervisor_survives_a_panic_over_each_of_its_inputs() {
    let expected = [
        "Activate",
        "Ask",
        "Begun",
        "Detached",
        "Ended",
        "Delivered",
        "BatchDelivered",
        "KeyLooked",
        "StatusLooked",
        "PermitsGranted",
        "Close",
        "Leave",
    ];
    all_are_survived(|faults| &faults.kill_supervisor, &expected).await;
}

/// A machine that panics again and again does not do so for ever: everybody is told that the shard has failed.
async fn a_shard_fails(machine: impl Fn(&Faults) -> &Kill) {
    tokio::time::pause();
    let (faults, gate) = (Arc::<Faults>::default(), Gate::closed());
    let runtime = started(&HeldJournal::new(Acknowledgement::Immediate), &faults, &gate);
    let at_work = runtime.activate(&workflow("s>c c>e"), ()).await.unwrap();
    let parked = runtime.activate(&chart("s>x x>e").outside("x").workflow(), ()).await.unwrap();
    settle().await;
    for _ in 0..10 {
        machine(&faults).over.store(1, Ordering::Relaxed);
        let begun = tokio::time::timeout(PATIENCE, runtime.activate(&workflow("s>b b>e"), ()).start()).await;
        if let Ok(execution) = begun.expect("it hangs") {
            let _: Result<_, Abandoned> = tokio::time::timeout(PATIENCE, execution.outcome()).await.expect("it hangs");
        }
    }
    machine(&faults).over.store(0, Ordering::Relaxed);
    assert!(!runtime.health().is_well());
    for execution in [at_work, parked] {
        assert_eq!(tokio::time::timeout(PATIENCE, execution.outcome()).await, Ok(Err(Abandoned)));
        let cancelled = tokio::time::timeout(PATIENCE, execution.cancel("me")).await;
        assert_eq!(cancelled, Ok(Err(CommandError::Stopped)));
    }
    let report = tokio::time::timeout(PATIENCE, runtime.shutdown(Duration::from_secs(1))).await;
    let report = report.expect("it hangs");
    assert!(report.unfinished >= 2 && report.unresponsive == 0, "{report:?}");
}

#[actix::test]
async fn a_task_engine_that_panics_again_and_again_fails_the_shard() {
    a_shard_fails(|faults| &faults.kill_engine).await;
}

#[actix::test]
async fn a_supervisor_that_panics_again_and_again_fails_the_shard() {
    a_shard_fails(|faults| &faults.kill_supervisor).await;
}

#[actix::test]
async fn messages_behind_one_over_which_an_execution_panics_keep_their_order() {
    tokio::time::pause();
    let (faults, gate) = (Arc::<Faults>::default(), Gate::closed());
    let runtime = started(&HeldJournal::new(Acknowledgement::Immediate), &faults, &gate);
    let asks = chart("s>x x>y y>e").outside("x").outside("y").workflow();
    let execution = runtime.activate(&asks, ()).await.unwrap();
    settle().await;
    faults.kill_execution.over.store(1, Ordering::Relaxed);
    let report = |output: &'static str| {
        let (runtime, task) = (runtime.clone(), task_of(execution.id(), &asks, "x"));
        actix::spawn(async move { runtime.complete_task(task, output).await })
    };
    let (first, second, third) = (report("first"), report("second"), report("third"));
    settle().await;
    assert_eq!(first.await.unwrap(), Ok(()));
    second.await.unwrap().unwrap_err();
    third.await.unwrap().unwrap_err();
    let record = execution.snapshot().await.unwrap();
    let state = record.nodes.into_iter().find(|node| node.id == "x").map(|node| node.state);
    let Some(NodeRecordState::Completed { output, .. }) = state else { panic!("{state:?}") };
    assert_eq!(output.decode::<String>().unwrap(), "first");
}

#[actix::test]
async fn a_handler_that_may_go_on_and_waits_for_its_permit_does_so_after_its_engine_panicked() {
    tokio::time::pause();
    let faults = Arc::<Faults>::default();
    let (awaited, busy) = (Arc::<tokio::sync::Notify>::default(), Gate::closed());
    let notified = Arc::clone(&awaited);
    let waits = move |context: TaskContext, _: Any| {
        let notified = Arc::clone(&notified);
        async move {
            context.waiting_for(notified.notified()).await;
            Ok::<_, TaskError>(())
        }
    };
    let limits = finale::Limits::new().running_tasks_max(1);
    let journal = HeldJournal::new(Acknowledgement::Immediate);
    let builder = runtime(&journal).faults(Arc::clone(&faults)).limits(limits).gated("b", &busy).handler("p", waits);
    let runtime = builder.start().unwrap();
    let waits = runtime.activate(&workflow("s>p p>e"), ()).await.unwrap();
    settle().await;
    // The permit that it gave back goes to another one.
    runtime.activate(&workflow("s>b b>e"), ()).await.unwrap();
    settle().await;
    awaited.notify_one();
    settle().await;
    assert_eq!((runtime.health().suspended_tasks, runtime.health().running_tasks), (1, 1));
    // The engine panics over the next thing that it hears.
    faults.kill_engine.over.store(1, Ordering::Relaxed);
    runtime.activate(&chart("s>x x>e").outside("x").workflow(), ()).await.unwrap();
    settle().await;
    assert_eq!(faults.kill_engine.over.load(Ordering::Relaxed), 0);
    busy.open();
    let outcome = tokio::time::timeout(PATIENCE, waits.outcome()).await.expect("it hangs").unwrap();
    assert_eq!(outcome.status(), ExecutionStatus::Completed);
}
