//! An execution survives the death of its actor, and one that brings its actor down again and again is parked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use finale::journal::HeldJournal;
use finale::{ActivateError, Builder, CommandError, ExecutionHandle, ExecutionStatus, Faults, Filter, Runtime, TaskId};
use finale_core::record::{DecidedBy, State};
use finale_tests::actor::{Dummies, Gate, chart, for_each_journal, outcome_of, runtime, settle, workflow};

/// More deaths than an execution survives.
const TOO_MANY: u32 = 4;

fn faulty(journal: &HeldJournal) -> (Builder, Arc<Faults>) {
    let faults = Arc::<Faults>::default();
    (runtime(journal).faults(Arc::clone(&faults)), faults)
}

fn die(faults: &Faults, deaths: u32) {
    faults.panic_in_turn.store(deaths, Ordering::Relaxed);
}

fn left(deaths: &AtomicU32) -> u32 {
    deaths.load(Ordering::Relaxed)
}

#[actix::test]
async fn an_execution_whose_actor_died_is_rebuilt_and_completes() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let (builder, faults) = faulty(&journal);
        let runtime = builder.gated("a b", &gate).start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>b b>e"), ()).await.unwrap();
        settle().await;
        die(&faults, 1);
        gate.open();
        assert_eq!(execution.outcome().await.unwrap().output::<String>().unwrap(), "b");
        assert_eq!((left(&faults.panic_in_turn), gate.begun()), (0, 2), "no outcome was lost: nothing ran twice");
    })
    .await;
}

#[actix::test]
async fn an_actor_may_die_over_the_activation() {
    for_each_journal(async |journal| {
        let (builder, faults) = faulty(&journal);
        let runtime = builder.done("a").start().unwrap();
        die(&faults, 1);
        assert_eq!(outcome_of(&runtime, &workflow("s>a a>e")).await.status(), ExecutionStatus::Completed);
    })
    .await;
}

#[actix::test]
async fn mail_in_the_hands_of_an_actor_that_dies_is_not_lost() {
    for_each_journal(async |journal| {
        let (builder, faults) = faulty(&journal);
        let runtime = builder.start().unwrap();
        let flow = chart("s>a s>b a>join b>join join>e").outside("a").outside("b").workflow();
        let execution = runtime.activate(&flow, ()).await.unwrap();
        settle().await;
        let tasks = runtime.open_tasks_of(execution.id()).await.unwrap();
        die(&faults, 2);
        let reports = tokio::join!(runtime.complete_task(tasks[0].id, 1), runtime.complete_task(tasks[1].id, 2));
        assert_eq!(reports, (Ok(()), Ok(())), "who reported is answered");
        assert_eq!(execution.outcome().await.unwrap().counts.completed, 2);
        assert_eq!(left(&faults.panic_in_turn), 0);
    })
    .await;
}

#[actix::test]
async fn others_do_not_notice_that_an_actor_died() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let (builder, faults) = faulty(&journal);
        let runtime = builder.gated("a", &gate).done("b").start().unwrap();
        let victim = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        settle().await;
        die(&faults, TOO_MANY);
        gate.open();
        settle().await;
        assert_eq!(victim.status().await.unwrap(), ExecutionStatus::Quarantined);
        for _ in 0..10 {
            assert_eq!(outcome_of(&runtime, &workflow("s>b b>e")).await.status(), ExecutionStatus::Completed);
        }
    })
    .await;
}

#[actix::test]
async fn deaths_far_apart_do_not_count_together() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let (builder, faults) = faulty(&journal);
        let runtime = builder.gated("a b c d f g", &gate).start().unwrap();
        let flow = workflow("s>a a>b b>c c>d d>f f>g g>e");
        let execution = runtime.activate(&flow, ()).await.unwrap();
        for _ in 0..6 {
            settle().await;
            die(&faults, 1);
            gate.let_through(1);
            tokio::time::sleep(Duration::from_secs(61)).await;
            assert_eq!(left(&faults.panic_in_turn), 0);
        }
        assert_eq!(execution.outcome().await.unwrap().status(), ExecutionStatus::Completed);
    })
    .await;
}

/// An execution that is parked over the outcome of its only task.
async fn quarantined(runtime: &Runtime, faults: &Faults, gate: &Gate) -> ExecutionHandle {
    let flow = chart("s>a a>b b>e").outside("b").workflow();
    let execution = runtime.activate(&flow, ()).await.expect("it is activated");
    settle().await;
    die(faults, TOO_MANY);
    gate.let_through(1);
    settle().await;
    assert_eq!(execution.status().await.expect("it is there"), ExecutionStatus::Quarantined);
    execution
}

#[actix::test]
async fn an_execution_whose_actor_dies_too_often_is_parked_for_all_to_see() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let (builder, faults) = faulty(&journal);
        let runtime = builder.gated("a", &gate).start().unwrap();
        let execution = quarantined(&runtime, &faults, &gate).await;
        let record = execution.snapshot().await.unwrap();
        let State::Quarantined { reason } = &record.state else { panic!("{record:?}") };
        assert_eq!(reason, "its state machine panicked again and again");
        let a = record.nodes.iter().find(|node| node.id == "a").unwrap();
        assert_eq!(a.state.status(), finale::NodeStatus::Running, "what was never recorded is not shown");
        let why = execution.why().await.unwrap();
        assert_eq!((why.status, why.error.as_ref()), (ExecutionStatus::Quarantined, Some(reason)));
        let listed = runtime.executions(Filter::new().status(ExecutionStatus::Quarantined)).await.unwrap();
        assert_eq!(listed.executions.iter().map(|summary| summary.id).collect::<Vec<_>>(), [execution.id()]);
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!(execution.status().await.unwrap(), ExecutionStatus::Quarantined, "nobody but an operator ends this");
        assert!(!record.state.status().is_terminal());
    })
    .await;
}

#[actix::test]
async fn a_released_execution_goes_on_where_it_was() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let (builder, faults) = faulty(&journal);
        let runtime = builder.gated("a", &gate).start().unwrap();
        let execution = quarantined(&runtime, &faults, &gate).await;
        runtime.release_execution(execution.id()).await.unwrap();
        settle().await;
        let [task] = runtime.open_tasks_of(execution.id()).await.unwrap().try_into().unwrap();
        runtime.complete_task(task.id, ()).await.unwrap();
        assert_eq!(execution.outcome().await.unwrap().status(), ExecutionStatus::Completed);
        assert_eq!(gate.begun(), 1, "its outcome was kept");
        let again = runtime.release_execution(execution.id()).await;
        assert_eq!(again, Err(CommandError::NotRunning(ExecutionStatus::Completed)));
    })
    .await;
}

#[actix::test]
async fn an_operator_can_fail_a_parked_execution() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let (builder, faults) = faulty(&journal);
        let runtime = builder.gated("a", &gate).done("b").start().unwrap();
        let execution = quarantined(&runtime, &faults, &gate).await;
        runtime.fail_execution(execution.id(), "me", "beyond repair").await.unwrap();
        let outcome = execution.outcome().await.unwrap();
        assert_eq!(outcome.error().unwrap().message(), "beyond repair");
        assert_eq!(execution.snapshot().await.unwrap().state.status(), ExecutionStatus::Failed);
        assert_eq!(outcome_of(&runtime, &workflow("s>b b>e")).await.status(), ExecutionStatus::Completed);
    })
    .await;
}

#[actix::test]
async fn the_word_of_an_operator_is_heard_before_the_mail_that_brings_the_actor_down() {
    for_each_journal(async |journal| {
        let (builder, faults) = faulty(&journal);
        let runtime = builder.done("a").start().unwrap();
        faults.panic_over_outcome.store(u32::MAX, Ordering::Relaxed);
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        settle().await;
        assert_eq!(execution.status().await.unwrap(), ExecutionStatus::Quarantined);
        runtime.fail_execution(execution.id(), "me", "beyond repair").await.unwrap();
        // The outcome that it stumbles over still lies there, and the handler is over: only the end is left.
        settle().await;
        let decided = execution.why().await.unwrap().decided_by;
        assert_eq!(decided, Some(DecidedBy::Operator { by: "me".to_owned() }));
        faults.panic_over_outcome.store(0, Ordering::Relaxed);
        let released = runtime.release_execution(execution.id()).await;
        assert_eq!(released, Ok(()), "it was parked again, with its end decided");
        assert_eq!(execution.outcome().await.unwrap().error().unwrap().message(), "beyond repair");
    })
    .await;
}

#[actix::test]
async fn a_parked_execution_can_be_cancelled() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let (builder, faults) = faulty(&journal);
        let runtime = builder.gated("a", &gate).done("b").start().unwrap();
        let execution = quarantined(&runtime, &faults, &gate).await;
        assert_eq!(execution.cancel("me").await.unwrap().status, ExecutionStatus::Cancelled);
        assert_eq!(outcome_of(&runtime, &workflow("s>b b>e")).await.status(), ExecutionStatus::Completed);
    })
    .await;
}

#[actix::test]
async fn reports_on_tasks_of_a_parked_execution_wait_for_its_release() {
    for_each_journal(async |journal| {
        let (builder, faults) = faulty(&journal);
        let runtime = builder.start().unwrap();
        let flow = chart("s>a s>b a>join b>join join>e").outside("a").outside("b").workflow();
        let execution = runtime.activate(&flow, ()).await.unwrap();
        settle().await;
        let tasks: Vec<TaskId> =
            runtime.open_tasks_of(execution.id()).await.unwrap().iter().map(|task| task.id).collect();
        die(&faults, TOO_MANY);
        let reports: Vec<_> = tasks
            .into_iter()
            .map(|task| {
                let runtime = runtime.clone();
                actix::spawn(async move { runtime.complete_task(task, ()).await })
            })
            .collect();
        settle().await;
        assert_eq!(execution.status().await.unwrap(), ExecutionStatus::Quarantined);
        let skipped = execution.skip_by_hand("a", "me", "nobody needs it").await;
        assert_eq!(
            skipped,
            Err(CommandError::NotRunning(ExecutionStatus::Quarantined)),
            "an operator is answered at once"
        );
        runtime.release_execution(execution.id()).await.unwrap();
        for report in reports {
            assert_eq!(report.await.unwrap(), Ok(()));
        }
        assert_eq!(execution.outcome().await.unwrap().status(), ExecutionStatus::Completed);
    })
    .await;
}

#[actix::test]
async fn an_activation_over_which_the_actor_dies_too_often_is_refused() {
    for_each_journal(async |journal| {
        let (builder, faults) = faulty(&journal);
        let runtime = builder.done("a").start().unwrap();
        die(&faults, TOO_MANY);
        let flow = workflow("s>a a>e");
        let refused = runtime.activate(&flow, ()).idempotency_key("once").await.unwrap_err();
        assert!(matches!(refused, ActivateError::NotBegun { .. }), "{refused:?}");
        assert!(runtime.executions(Filter::new()).await.unwrap().executions.is_empty(), "nothing of it exists");
        let again = runtime.activate(&flow, ()).idempotency_key("once").await.unwrap();
        assert_eq!(again.outcome().await.unwrap().status(), ExecutionStatus::Completed);
    })
    .await;
}
