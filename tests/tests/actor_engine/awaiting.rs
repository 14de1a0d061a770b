//! Handlers that give their places back while they wait for something, however the wait ends and wherever it is awaited.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use finale::journal::HeldJournal;
use finale::{
    Builder, ExecutionStatus, FailureClass, Fate, Faults, Limits, NodeStatus, Runtime, Task, TaskContext, TaskError,
    Workflow,
};
use finale_tests::actor::{Any, Dummies, Gate, for_each_journal, only_failure, outcome_of, runtime, settle, workflow};
use futures_util::future::LocalBoxFuture;
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout};

const MOMENT: Duration = Duration::from_millis(5);
const GRACE: Duration = Duration::from_secs(2);

/// A way to wait.
type Wait = fn(&TaskContext) -> LocalBoxFuture<'_, ()>;

/// With a place for one handler.
fn narrow(journal: &HeldJournal) -> Builder {
    runtime(journal).limits(Limits::new().running_tasks_max(1))
}

/// A handler that waits like that, comes to its next wait, and works for a moment, which the gate sees.
fn waiting(
    wait: Wait,
    gate: &Gate,
) -> impl Fn(TaskContext, Any) -> LocalBoxFuture<'static, Result<(), TaskError>> + use<> {
    let gate = gate.clone();
    move |context, _| {
        let gate = gate.clone();
        Box::pin(async move {
            wait(&context).await;
            let _inside = gate.enter();
            sleep(MOMENT).await;
            Ok(())
        })
    }
}

/// Waits until its time is over.
fn too_long(context: &TaskContext) -> LocalBoxFuture<'_, ()> {
    Box::pin(async {
        timeout(MOMENT, context.waiting_for(pending::<()>())).await.unwrap_err();
        yield_now().await;
    })
}

fn in_vain_again_and_again(context: &TaskContext) -> LocalBoxFuture<'_, ()> {
    Box::pin(async {
        for _ in 0..3 {
            tokio::select! {
                () = context.waiting_for(pending()) => {}
                () = sleep(MOMENT) => {}
            }
        }
        yield_now().await;
    })
}

fn dropped_at_once(context: &TaskContext) -> LocalBoxFuture<'_, ()> {
    Box::pin(async {
        {
            let waits = std::pin::pin!(context.waiting_for(pending::<()>()));
            assert!(futures_util::poll!(waits).is_pending());
        }
        yield_now().await;
    })
}

fn with_the_timeout_inside(context: &TaskContext) -> LocalBoxFuture<'_, ()> {
    Box::pin(async { assert!(context.waiting_for(timeout(MOMENT, pending::<()>())).await.is_err()) })
}

fn two_at_once(context: &TaskContext) -> LocalBoxFuture<'_, ()> {
    Box::pin(async {
        let (short, long) = (context.waiting_for(sleep(MOMENT)), context.waiting_for(sleep(3 * MOMENT)));
        futures_util::future::join(short, long).await;
    })
}

fn one_inside_of_another(context: &TaskContext) -> LocalBoxFuture<'_, ()> {
    Box::pin(async { context.waiting_for(context.waiting_for(sleep(MOMENT))).await })
}

/// A task that it has spawned waits.
fn in_a_task(context: &TaskContext) -> LocalBoxFuture<'_, ()> {
    let of_task = context.clone();
    Box::pin(async { actix::spawn(async move { of_task.waiting_for(sleep(MOMENT)).await }).await.unwrap() })
}

fn too_long_in_a_task(context: &TaskContext) -> LocalBoxFuture<'_, ()> {
    let of_task = context.clone();
    let waits = async move { timeout(MOMENT, of_task.waiting_for(pending::<()>())).await };
    Box::pin(async { assert!(actix::spawn(waits).await.unwrap().is_err()) })
}

#[actix::test]
async fn however_a_wait_ends_no_more_handlers_work_than_there_are_places() {
    let ways: [(&str, Wait); 8] = [
        ("too long", too_long),
        ("in vain", in_vain_again_and_again),
        ("dropped", dropped_at_once),
        ("inside", with_the_timeout_inside),
        ("two", two_at_once),
        ("nested", one_inside_of_another),
        ("task", in_a_task),
        ("too long in a task", too_long_in_a_task),
    ];
    for_each_journal(async |journal| {
        for (name, wait) in ways {
            let gate = Gate::closed();
            let runtime = narrow(&journal).handler("w", waiting(wait, &gate)).start().unwrap();
            let work = workflow("s>w w>e");
            let mut executions = Vec::new();
            for _ in 0..5 {
                executions.push(runtime.activate(&work, ()).await.unwrap());
            }
            for execution in executions {
                let outcome = timeout(100 * MOMENT, execution.outcome()).await.expect(name).unwrap();
                assert_eq!(outcome.status(), ExecutionStatus::Completed, "{name}");
            }
            assert_eq!((gate.begun(), gate.inside_max()), (5, 1), "{name}");
            let health = runtime.health();
            assert_eq!((health.running_tasks, health.suspended_tasks, health.queued_tasks), (0, 0, 0), "{name}");
            runtime.shutdown(MOMENT).await;
        }
    })
    .await;
}

/// A runtime in which `w` waits like that while the only place is taken by `b`, which holds it as long as the gate is shut;
/// then its time is over. Gives the execution of `w`.
async fn held_up(builder: Builder, gate: &Gate, work: &Workflow) -> (Runtime, finale::ExecutionHandle) {
    let runtime = builder.gated("b", gate).start().unwrap();
    let execution = runtime.activate(work, ()).await.unwrap();
    settle().await;
    runtime.activate(&workflow("s>b b>e"), ()).await.unwrap();
    sleep(2 * MOMENT).await;
    assert_eq!(gate.inside(), 1, "the place was given back");
    (runtime, execution)
}

async fn status_of_w(execution: &finale::ExecutionHandle) -> NodeStatus {
    let record = execution.snapshot().await.unwrap();
    record.nodes.iter().find(|node| node.id == "w").unwrap().state.status()
}

#[actix::test]
async fn a_handler_whose_wait_was_dropped_is_queued_and_goes_on_when_it_has_its_place() {
    for_each_journal(async |journal| {
        let (gate, at_work) = (Gate::closed(), Gate::closed());
        let builder = narrow(&journal).handler("w", waiting(too_long, &at_work));
        let (_runtime, execution) = held_up(builder, &gate, &workflow("s>w w>e")).await;
        sleep(100 * MOMENT).await;
        assert_eq!((status_of_w(&execution).await, at_work.begun()), (NodeStatus::Queued, 0));
        gate.open();
        let outcome = execution.outcome().await.unwrap();
        assert_eq!((outcome.status(), at_work.begun()), (ExecutionStatus::Completed, 1));
    })
    .await;
}

#[actix::test]
async fn the_time_limit_of_a_handler_goes_on_while_it_has_to_have_its_place() {
    for_each_journal(async |journal| {
        let (gate, at_work) = (Gate::closed(), Gate::closed());
        let limited = Workflow::builder("limited").task("w", Task::handler("w").timeout(10 * MOMENT)).build().unwrap();
        let builder = narrow(&journal).handler("w", waiting(too_long, &at_work));
        let (_runtime, execution) = held_up(builder, &gate, &limited).await;
        let outcome = execution.outcome().await.unwrap();
        assert_eq!((only_failure(&outcome).0, at_work.begun()), (FailureClass::TimedOut, 0));
    })
    .await;
}

/// Waits too long, and cleans up when it is told to stop.
async fn cleaning_up(context: TaskContext, _: Any) -> Result<(), TaskError> {
    too_long(&context).await;
    context.cancelled().await;
    // It does not lose its grace in another queue.
    assert!(timeout(MOMENT, context.waiting_for(pending::<()>())).await.is_err());
    sleep(MOMENT).await;
    Err("cleaned up")?
}

#[actix::test]
async fn a_handler_that_has_no_place_hears_at_once_that_it_is_to_stop() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let builder = narrow(&journal).handler("w", cleaning_up);
        let (_runtime, execution) = held_up(builder, &gate, &workflow("s>w w>e")).await;
        assert_eq!(status_of_w(&execution).await, NodeStatus::Queued);
        let begin = Instant::now();
        let receipt = execution.cancel("me").await.unwrap();
        assert_eq!(receipt.tasks[0].fate, Fate::Stopped);
        assert!(begin.elapsed() < GRACE / 2);
        assert_eq!(gate.inside(), 1);
    })
    .await;
}

#[actix::test]
async fn the_deadline_of_an_execution_reaches_a_handler_that_has_no_place() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let runtime = narrow(&journal).gated("b", &gate).handler("w", cleaning_up).start().unwrap();
        let begin = Instant::now();
        let execution = runtime.activate(&workflow("s>w w>e"), ()).deadline(20 * MOMENT).await.unwrap();
        settle().await;
        runtime.activate(&workflow("s>b b>e"), ()).await.unwrap();
        let outcome = execution.outcome().await.unwrap();
        assert_eq!(outcome.status(), ExecutionStatus::Failed);
        assert!(begin.elapsed() >= 20 * MOMENT && begin.elapsed() < GRACE / 2, "{:?}", begin.elapsed());
    })
    .await;
}

#[actix::test]
async fn one_that_is_to_stop_and_waits_goes_on_although_its_engine_panics_over_that() {
    for_each_journal(async |journal| {
        let faults = Arc::<Faults>::default();
        let of_handler = Arc::clone(&faults);
        let waits = move |context: TaskContext, _: Any| {
            let faults = Arc::clone(&of_handler);
            async move {
                context.cancelled().await;
                let waits = async {
                    sleep(MOMENT).await;
                    // The next that the engine hears is that the wait is over.
                    faults.kill_engine.over.store(1, Ordering::Relaxed);
                };
                context.waiting_for(waits).await;
                sleep(MOMENT).await;
                Err::<(), _>(TaskError::new("cleaned up"))
            }
        };
        let runtime = narrow(&journal).faults(Arc::clone(&faults)).handler("w", waits).start().unwrap();
        let execution = runtime.activate(&workflow("s>w w>e"), ()).await.unwrap();
        settle().await;
        let begin = Instant::now();
        assert_eq!(execution.cancel("me").await.unwrap().tasks[0].fate, Fate::Stopped);
        assert!(begin.elapsed() < GRACE / 2);
        assert_eq!(faults.kill_engine.over.load(Ordering::Relaxed), 0);
    })
    .await;
}

#[actix::test]
async fn a_shutdown_lets_a_handler_that_has_no_place_finish_once_it_has_one() {
    for_each_journal(async |journal| {
        let (gate, at_work) = (Gate::closed(), Gate::closed());
        let builder = narrow(&journal).handler("w", waiting(too_long, &at_work));
        let (runtime, _execution) = held_up(builder, &gate, &workflow("s>w w>e")).await;
        let shutdown = actix::spawn(async move { runtime.shutdown(GRACE).await });
        settle().await;
        assert_eq!(at_work.begun(), 0);
        gate.open();
        assert_eq!((shutdown.await.unwrap().dropped, at_work.begun()), (0, 1));
    })
    .await;
}

#[actix::test]
async fn a_shutdown_drops_a_handler_that_gets_no_place_before_its_end() {
    for_each_journal(async |journal| {
        let (gate, at_work) = (Gate::closed(), Gate::closed());
        let builder = narrow(&journal).handler("w", waiting(too_long, &at_work));
        let (runtime, _execution) = held_up(builder, &gate, &workflow("s>w w>e")).await;
        let begin = Instant::now();
        assert_eq!(runtime.shutdown(GRACE).await.dropped, 2);
        assert!(begin.elapsed() < GRACE + MOMENT && at_work.begun() == 0);
    })
    .await;
}

#[actix::test]
async fn a_wait_in_a_task_that_a_handler_has_spawned_lets_others_have_its_place() {
    for_each_journal(async |journal| {
        let child = workflow("s>child child>e");
        let known = Arc::<std::sync::OnceLock<Runtime>>::default();
        let (of_handler, to) = (Arc::clone(&known), child.clone());
        let parent = move |context: TaskContext, _: Any| {
            let (runtime, child) = (of_handler.get().unwrap().clone(), to.clone());
            async move {
                let waits = async move {
                    let execution = runtime.activate(&child, ()).await.unwrap();
                    context.waiting_for(execution.outcome()).await
                };
                let outcome = actix::spawn(waits).await.map_err(TaskError::new)??;
                Ok::<_, TaskError>(outcome.status() == ExecutionStatus::Completed)
            }
        };
        let builder = narrow(&journal).handler("parent", parent);
        let runtime = builder.handler("child", async |_: TaskContext| Ok::<_, TaskError>(())).start().unwrap();
        known.set(runtime.clone()).unwrap();
        let outcome = timeout(GRACE, outcome_of(&runtime, &workflow("s>parent parent>e"))).await.expect("it hangs");
        assert_eq!(outcome.status(), ExecutionStatus::Completed);
    })
    .await;
}

#[actix::test]
async fn of_waits_that_overlap_the_last_asks_for_the_place() {
    for_each_journal(async |journal| {
        let (gate, first, second) = (Gate::closed(), Arc::<Notify>::default(), Arc::<Notify>::default());
        let (of_first, of_second, is_over) = (Arc::clone(&first), Arc::clone(&second), Gate::closed());
        let over = is_over.clone();
        let both = move |context: TaskContext, _: Any| {
            let (first, second, over) = (Arc::clone(&of_first), Arc::clone(&of_second), over.clone());
            async move {
                let one = async {
                    context.waiting_for(first.notified()).await;
                    drop(over.enter());
                };
                futures_util::future::join(one, context.waiting_for(second.notified())).await;
                drop(over.enter());
                Ok::<_, TaskError>(())
            }
        };
        let (_runtime, execution) = held_up(narrow(&journal).handler("w", both), &gate, &workflow("s>w w>e")).await;
        assert_eq!((status_of_w(&execution).await, is_over.begun()), (NodeStatus::Waiting, 0));
        first.notify_one();
        settle().await;
        assert_eq!((status_of_w(&execution).await, is_over.begun()), (NodeStatus::Waiting, 1));
        second.notify_one();
        settle().await;
        assert_eq!((status_of_w(&execution).await, is_over.begun()), (NodeStatus::Queued, 1));
        gate.open();
        execution.outcome().await.unwrap();
        assert_eq!(is_over.begun(), 2);
    })
    .await;
}

/// Lets a task go on that waits, after what the given time says.
fn leaving_behind(before_the_end: Duration, over: &Arc<Notify>) -> impl Fn(TaskContext) -> BoxedResult + use<> {
    let over = Arc::clone(over);
    move |context| {
        let over = Arc::clone(&over);
        Box::pin(async move {
            actix::spawn(async move {
                context.waiting_for(sleep(2 * MOMENT)).await;
                context.waiting_for(sleep(MOMENT)).await;
                over.notify_one();
            });
            if !before_the_end.is_zero() {
                sleep(before_the_end).await;
            }
            Ok(())
        })
    }
}

type BoxedResult = LocalBoxFuture<'static, Result<(), TaskError>>;

#[actix::test]
async fn a_wait_that_outlives_its_handler_only_waits() {
    for_each_journal(async |journal| {
        for before_the_end in [Duration::ZERO, MOMENT] {
            let over = Arc::<Notify>::default();
            let runtime = narrow(&journal).handler("w", leaving_behind(before_the_end, &over)).start().unwrap();
            let outcome = outcome_of(&runtime, &workflow("s>w w>e")).await;
            assert_eq!(outcome.status(), ExecutionStatus::Completed);
            timeout(GRACE, over.notified()).await.expect("it hangs");
            assert_eq!((runtime.health().running_tasks, runtime.health().suspended_tasks), (0, 0));
            runtime.shutdown(MOMENT).await;
        }
    })
    .await;
}
