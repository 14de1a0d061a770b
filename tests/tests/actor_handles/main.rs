//! What whoever holds a runtime or an execution can rely on.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod commands;
mod events;
mod listing;
mod looking;
mod queued;
mod said;
mod signals;
mod stuck_reads;
mod wakers;

use std::time::Duration;

use finale::{CommandError, ExecutionHandle, ExecutionId, ExecutionStatus, Runtime, Shards};
use finale_tests::actor::{Dummies, Gate, for_each_journal, for_each_journal_in_real_time, runtime, settle, workflow};

fn is_shared<T: Clone + Send + Sync + 'static>() {}
fn is_sent<T: Send>(value: T) -> T {
    value
}

#[actix::test]
async fn handles_can_be_shared_between_threads_and_their_futures_sent() {
    is_shared::<Runtime>();
    is_shared::<ExecutionHandle>();
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).done("a").start().unwrap();
        let one = workflow("s>a a>e");
        let execution = is_sent(runtime.activate(&one, ()).into_future()).await.unwrap();
        let execution = is_sent(runtime.execution(execution.id())).await.unwrap();
        is_sent(execution.outcome()).await.unwrap();
        is_sent(execution.snapshot()).await.unwrap();
        is_sent(execution.why()).await.unwrap();
        is_sent(execution.events()).await.unwrap();
        is_sent(runtime.late_events(execution.id())).await.unwrap();
        is_sent(execution.cancel("ann")).await.unwrap_err();
    })
    .await;
}

#[actix::test]
async fn an_execution_goes_on_when_nobody_holds_it() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let runtime = runtime(&journal).gated("a", &gate).start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        let id = execution.id();
        drop(execution.outcome());
        drop(execution);
        gate.open();
        settle().await;
        let execution = runtime.execution(id).await.unwrap();
        assert_eq!(execution.status().await, Ok(ExecutionStatus::Completed));
    })
    .await;
}

#[actix::test]
async fn executions_go_on_when_nobody_holds_the_runtime() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let runtime = runtime(&journal).gated("a", &gate).start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        drop(runtime);
        gate.open();
        assert_eq!(execution.outcome().await.unwrap().status(), ExecutionStatus::Completed);
    })
    .await;
}

#[actix::test]
async fn everybody_who_asks_gets_the_same_outcome_before_and_after_the_end() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let runtime = runtime(&journal).gated("a", &gate).start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        let again = runtime.execution(execution.id()).await.unwrap();
        let waiting: Vec<_> =
            (0..5).flat_map(|_| [&execution, &again]).map(|handle| actix::spawn(handle.outcome())).collect();
        settle().await;
        assert!(waiting.iter().all(|waiting| !waiting.is_finished()));
        gate.open();
        let outcome = execution.outcome().await.unwrap();
        for waiting in waiting {
            assert_eq!(waiting.await.unwrap().unwrap(), outcome);
        }
        assert_eq!(execution.outcome().await.unwrap(), outcome);
        let later = runtime.execution(execution.id()).await.unwrap();
        assert_eq!(later.outcome().await.unwrap(), outcome);
    })
    .await;
}

#[actix::test]
async fn an_outcome_can_be_awaited_on_another_thread() {
    for_each_journal_in_real_time(async |journal| {
        let gate = Gate::closed();
        let builder = Runtime::builder().shards(Shards::Own(2)).journal(journal.clone());
        let runtime = builder.gated("a", &gate).start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        let outcome = execution.outcome();
        let waiting = std::thread::spawn(move || futures_util::FutureExt::now_or_never(outcome).is_some());
        assert!(!waiting.join().unwrap(), "it has not ended");
        let outcome = execution.outcome();
        let (answer, answered) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let elsewhere = tokio::runtime::Builder::new_current_thread().build().unwrap();
            answer.send(elsewhere.block_on(outcome)).unwrap();
        });
        gate.open();
        assert_eq!(answered.await.unwrap().unwrap(), execution.outcome().await.unwrap());
    })
    .await;
}

#[actix::test]
async fn ids_grow_over_time() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).done("a").start().unwrap();
        let one = workflow("s>a a>e");
        let mut last: Option<ExecutionId> = None;
        for _ in 0..200 {
            let id = runtime.activate(&one, ()).await.unwrap().id();
            assert!(Some(id) > last, "{id} after {last:?}");
            last = Some(id);
        }
        let mut last = None;
        for _ in 0..200 {
            let id = runtime.new_execution_id();
            assert!(Some(id) > last, "{id} after {last:?}");
            last = Some(id);
        }
        tokio::time::advance(Duration::from_secs(3)).await;
        let later = runtime.activate(&one, ()).await.unwrap().id();
        assert!(Some(later) > last);
    })
    .await;
}

#[actix::test]
async fn an_id_leads_to_its_execution_wherever_that_runs() {
    for_each_journal_in_real_time(async |journal| {
        let builder = Runtime::builder().shards(Shards::Own(3)).journal(journal.clone());
        let runtime = builder.done("a").start().unwrap();
        let one = workflow("s>a a>e");
        for _ in 0..9 {
            let minted = runtime.activate(&one, ()).await.unwrap();
            let chosen = runtime.activate(&one, ()).id(runtime.new_execution_id()).await.unwrap();
            for execution in [minted, chosen] {
                let found = runtime.execution(execution.id()).await.unwrap();
                assert_eq!(found.outcome().await.unwrap(), execution.outcome().await.unwrap());
                assert_eq!(found.snapshot().await.unwrap().id, execution.id());
            }
        }
        let unknown = runtime.execution(runtime.new_execution_id()).await;
        assert_eq!(unknown.map(drop), Err(CommandError::NotFound));
    })
    .await;
}

#[actix::test]
async fn ids_that_others_minted_work_as_well() {
    for_each_journal_in_real_time(async |journal| {
        let builder = Runtime::builder().shards(Shards::Own(3)).journal(journal.clone());
        let runtime = builder.done("a").start().unwrap();
        for number in 1..9 {
            let id = ExecutionId::from_uuid(uuid::Uuid::from_u128(number << 70 | number));
            let execution = runtime.activate(&workflow("s>a a>e"), ()).id(id).await.unwrap();
            execution.outcome().await.unwrap();
            assert_eq!(runtime.execution(id).await.unwrap().id(), id);
        }
    })
    .await;
}

mod futures;
