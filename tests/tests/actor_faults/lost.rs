//! What is lost on its way is found by the sweep and repaired.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use finale::{ExecutionStatus, Fate, Faults, TaskContext, TaskError};
use finale_tests::actor::{Any, Dummies, Gate, chart, for_each_journal, only_failure, runtime, settle, workflow};
use tokio::time::Instant;

fn lose(faults: &Faults, outcomes: u32) {
    faults.lose_outcomes.store(outcomes, Ordering::Relaxed);
}

#[actix::test]
async fn a_lost_outcome_of_a_handler_is_told_again_and_nothing_runs_twice() {
    for_each_journal(async |journal| {
        let (faults, gate) = (Arc::<Faults>::default(), Gate::closed());
        gate.open();
        let runtime = runtime(&journal).faults(Arc::clone(&faults)).gated("a b", &gate).start().unwrap();
        lose(&faults, 3);
        let begin = Instant::now();
        let execution = runtime.activate(&workflow("s>a a>b b>e"), ()).await.unwrap();
        assert_eq!(execution.outcome().await.unwrap().status(), ExecutionStatus::Completed);
        assert_eq!(gate.begun(), 2);
        assert!(begin.elapsed() < Duration::from_secs(5), "one sweep for each");
    })
    .await;
}

#[actix::test]
async fn the_attempt_number_of_a_task_whose_outcome_was_lost_stays_the_same() {
    for_each_journal(async |journal| {
        let faults = Arc::<Faults>::default();
        let number = async |task: TaskContext, _: Any| Ok::<_, TaskError>(task.attempt());
        let runtime = runtime(&journal).faults(Arc::clone(&faults)).handler("a", number).start().unwrap();
        lose(&faults, 1);
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        assert_eq!(execution.outcome().await.unwrap().output::<u16>().unwrap(), 1);
    })
    .await;
}

#[actix::test]
async fn a_lost_failure_is_repaired_too() {
    for_each_journal(async |journal| {
        let faults = Arc::<Faults>::default();
        let runtime = runtime(&journal).faults(Arc::clone(&faults)).failing("a").start().unwrap();
        lose(&faults, 1);
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        assert_eq!(only_failure(&execution.outcome().await.unwrap()).1, "broken");
    })
    .await;
}

#[actix::test]
async fn a_lost_report_from_outside_is_repaired_with_its_own_result() {
    for_each_journal(async |journal| {
        let faults = Arc::<Faults>::default();
        let runtime = runtime(&journal).faults(Arc::clone(&faults)).start().unwrap();
        let execution = runtime.activate(&chart("s>a a>e").outside("a").workflow(), ()).await.unwrap();
        settle().await;
        let [task] = runtime.open_tasks_of(execution.id()).await.unwrap().try_into().unwrap();
        lose(&faults, 1);
        runtime.complete_task(task.id, "the original").await.unwrap();
        assert_eq!(execution.outcome().await.unwrap().output::<String>().unwrap(), "the original");
    })
    .await;
}

#[actix::test]
async fn an_outcome_lost_while_its_execution_is_cancelled_does_not_hold_the_end_up() {
    for_each_journal(async |journal| {
        let faults = Arc::<Faults>::default();
        let finishing = async |task: TaskContext, _: Any| {
            task.cancelled().await;
            Ok::<_, TaskError>(())
        };
        let runtime = runtime(&journal).faults(Arc::clone(&faults)).handler("a", finishing).start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        settle().await;
        lose(&faults, 1);
        let receipt = execution.cancel("me").await.unwrap();
        assert_eq!((receipt.status, receipt.tasks[0].fate), (ExecutionStatus::Cancelled, Fate::FinishedAnyway));
    })
    .await;
}

#[actix::test]
async fn an_outcome_of_a_sibling_lost_after_the_end_is_decided_does_not_hold_the_end_up() {
    for_each_journal(async |journal| {
        let (faults, gate) = (Arc::<Faults>::default(), Gate::closed());
        let runtime = runtime(&journal).faults(Arc::clone(&faults)).failing("a").gated("b", &gate).start().unwrap();
        let flow = chart("s>a s>b a>join b>join join>e").finish().workflow();
        let execution = runtime.activate(&flow, ()).await.unwrap();
        settle().await;
        lose(&faults, 1);
        gate.open();
        assert_eq!(execution.outcome().await.unwrap().status(), ExecutionStatus::Failed);
        assert_eq!(gate.begun(), 1, "nothing begins after the end is decided");
    })
    .await;
}

#[actix::test]
async fn the_sweep_leaves_alone_what_is_under_way() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let builder = runtime(&journal).sweep_interval(Duration::from_millis(10)).gated("a b", &gate);
        let runtime = builder.handler_limit("b", 1).start().unwrap();
        let flow = chart("s>a s>b s>c a>join b>join c>join join>e").outside("c").workflow();
        let mut executions = Vec::new();
        for _ in 0..3 {
            executions.push(runtime.activate(&flow, ()).await.unwrap());
        }
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(gate.begun(), 4);
        gate.open();
        for execution in executions {
            let [task] = runtime.open_tasks_of(execution.id()).await.unwrap().try_into().unwrap();
            runtime.complete_task(task.id, ()).await.unwrap();
            assert_eq!(execution.outcome().await.unwrap().status(), ExecutionStatus::Completed);
            assert!(runtime.late_events(execution.id()).await.unwrap().is_empty());
        }
        assert_eq!(gate.begun(), 6);
    })
    .await;
}

/// A sweep and the end of a backoff at the same moment: both see that the next attempt is to begin.
#[actix::test]
async fn an_attempt_that_is_just_begun_is_not_begun_twice_by_the_sweep() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        gate.open();
        let counted = gate.clone();
        let flaky = move |task: TaskContext, _: Any| {
            let gate = counted.clone();
            async move {
                gate.pass().await;
                if task.attempt() < 20 { Err(TaskError::new("busy")) } else { Ok(()) }
            }
        };
        let builder = runtime(&journal).sweep_interval(Duration::from_millis(100)).handler("a", flaky);
        let runtime = builder.start().unwrap();
        let flow = chart("s>a a>e").task("a", |task| {
            task.retry.attempts = 20;
            task.retry.backoff = Duration::from_millis(100).into();
        });
        let execution = runtime.activate(&flow.workflow(), ()).await.unwrap();
        assert_eq!(execution.outcome().await.unwrap().status(), ExecutionStatus::Completed);
        assert_eq!(gate.begun(), 20);
    })
    .await;
}
