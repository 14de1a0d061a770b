//! What whoever activates a workflow can rely on.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod definitions;
mod idempotency;
mod refusals;

use std::time::Duration;

use finale::journal::{Acknowledgement, HeldJournal};
use finale::{ActivateError, CommandError, ExecutionStatus, Filter, Runtime, Shards, StartError, Time};
use finale_core::record::DecidedBy;
use finale_tests::actor::{Dummies, chart, for_each_journal, runtime, settle, workflow};
use serde_json::{Value, json};

#[actix::test]
async fn a_task_is_given_what_the_execution_was_activated_with() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let ask = chart("s>a a>e").outside("a").workflow();
        let execution = runtime.activate(&ask, json!({"order": 7})).await.unwrap();
        settle().await;
        let tasks = runtime.open_tasks_of(execution.id()).await.unwrap();
        assert_eq!(tasks[0].input.decode::<Value>().unwrap(), json!({"order": 7}));
    })
    .await;
}

#[actix::test]
async fn who_activated_is_recorded_and_listed() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).done("a").start().unwrap();
        let named = runtime.activate(&workflow("s>a a>e"), ()).by("ann").await.unwrap();
        let unnamed = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        assert_eq!(named.snapshot().await.unwrap().activated_by, "ann");
        assert_eq!(unnamed.snapshot().await.unwrap().activated_by, "unknown");
        let listed = runtime.executions(Filter::new()).await.unwrap().executions;
        let by: Vec<_> = listed.iter().map(|summary| summary.activated_by.as_str()).collect();
        assert_eq!(by, ["unknown", "ann"]);
    })
    .await;
}

#[actix::test]
async fn an_execution_that_takes_longer_than_its_deadline_fails_at_that_moment() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let ask = chart("s>a a>e").outside("a").workflow();
        let execution = runtime.activate(&ask, ()).deadline(Duration::from_secs(5)).await.unwrap();
        let outcome = execution.outcome().await.unwrap();
        assert_eq!(outcome.status(), ExecutionStatus::Failed);
        assert_eq!(outcome.decided_by, DecidedBy::Deadline);
        let created_at = execution.snapshot().await.unwrap().created_at;
        let took = outcome.completed_at.since(created_at);
        assert!((Duration::from_secs(5)..Duration::from_millis(5_010)).contains(&took), "{took:?}");
    })
    .await;
}

#[actix::test]
async fn an_execution_gets_the_id_that_was_chosen_for_it() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).done("a").start().unwrap();
        let id = runtime.new_execution_id();
        assert_eq!(runtime.execution(id).await.map(drop), Err(CommandError::NotFound));
        let execution = runtime.activate(&workflow("s>a a>e"), ()).id(id).await.unwrap();
        assert_eq!(execution.id(), id);
        assert_eq!(runtime.execution(id).await.unwrap().id(), id);
    })
    .await;
}

#[actix::test]
async fn an_activation_is_acknowledged_when_it_is_durable_and_not_before() {
    tokio::time::pause();
    let journal = HeldJournal::new(Acknowledgement::Held);
    let runtime = runtime(&journal).done("a").start().unwrap();
    let waiting = actix::spawn(runtime.activate(&workflow("s>a a>e"), ()).start());
    settle().await;
    assert_eq!(journal.held(), 1, "the activation is appended");
    assert!(!waiting.is_finished(), "and is not acknowledged");
    journal.release();
    let execution = waiting.await.unwrap().unwrap();
    assert_eq!(execution.status().await, Ok(ExecutionStatus::Running));
}

#[actix::test]
async fn no_handler_begins_before_the_activation_is_durable() {
    tokio::time::pause();
    let journal = HeldJournal::new(Acknowledgement::Held);
    let gate = finale_tests::actor::Gate::closed();
    let runtime = runtime(&journal).gated("a", &gate).start().unwrap();
    let _waiting = actix::spawn(runtime.activate(&workflow("s>a a>e"), ()).start());
    settle().await;
    assert_eq!(gate.begun(), 0);
    journal.release();
    settle().await;
    assert_eq!(gate.begun(), 1);
}

#[actix::test]
async fn an_activation_that_cannot_be_made_durable_is_refused_with_the_error_of_the_journal() {
    tokio::time::pause();
    let journal = HeldJournal::new(Acknowledgement::Held);
    let runtime = runtime(&journal).done("a").start().unwrap();
    let waiting = actix::spawn(runtime.activate(&workflow("s>a a>e"), ()).start());
    settle().await;
    journal.fail("the disk is full");
    let error = waiting.await.unwrap().unwrap_err();
    assert!(matches!(error, ActivateError::Journal(_)), "{error}");
    let error = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap_err();
    assert!(error.to_string().contains("the disk is full"), "{error}");
}

#[actix::test]
async fn an_activation_goes_on_when_whoever_waits_for_it_does_not() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).done("a").start().unwrap();
        let id = runtime.new_execution_id();
        let mut activation = Box::pin(runtime.activate(&workflow("s>a a>e"), ()).id(id).start());
        let polled = futures_util::poll!(activation.as_mut());
        assert!(polled.is_pending());
        drop(activation);
        settle().await;
        let execution = runtime.execution(id).await.unwrap();
        assert_eq!(execution.outcome().await.unwrap().status(), ExecutionStatus::Completed);
    })
    .await;
}

#[actix::test]
async fn an_activation_that_nobody_polls_does_not_begin() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).done("a").start().unwrap();
        drop(runtime.activate(&workflow("s>a a>e"), ()).start());
        settle().await;
        finale_tests::tasks::expect_nothing(&runtime).await;
    })
    .await;
}

#[test]
fn a_runtime_is_not_started_outside_of_a_system() {
    let error = Runtime::builder().shards(Shards::Current).start().unwrap_err();
    assert!(matches!(error, StartError::NoSystem), "{error}");
}

#[actix::test]
async fn a_limit_that_lets_nothing_happen_is_refused_by_its_name() {
    let new = finale::Limits::new;
    let limits = [
        ("open_executions_max", new().open_executions_max(0)),
        ("active_executions_max", new().active_executions_max(0)),
        ("running_tasks_max", new().running_tasks_max(0)),
        ("payload_bytes_max", new().payload_bytes_max(0)),
        ("text_bytes_max", new().text_bytes_max(0)),
        ("crashes_max", new().crashes_max(0)),
        ("event_lag_max", new().event_lag_max(0)),
    ];
    for (name, limits) in limits {
        let error = Runtime::builder().shards(Shards::Current).limits(limits).start().unwrap_err();
        assert!(matches!(error, StartError::ZeroLimit(named) if named == name), "{name}: {error}");
    }
    let error = Runtime::builder().shards(Shards::Own(0)).start().unwrap_err();
    assert!(matches!(error, StartError::ZeroLimit("shards")), "{error}");
    let error = Runtime::builder().shards(Shards::Current).done("a").handler_limit("a", 0).start().unwrap_err();
    assert!(matches!(error, StartError::ZeroLimit(_)), "{error}");
}

#[actix::test]
async fn a_limit_for_a_handler_that_nobody_registered_is_refused() {
    let error = Runtime::builder().shards(Shards::Current).done("a").handler_limit("b", 1).start().unwrap_err();
    assert!(matches!(&error, StartError::UnknownHandler(name) if name == "b"), "{error}");
}

#[actix::test]
async fn a_listed_execution_always_says_when_and_by_whom_it_was_activated() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).done("a").start().unwrap();
        let ask = workflow("s>a a>e");
        // Asked in the same breath: the list may come before the execution's first turn.
        let mut activation = Box::pin(runtime.activate(&ask, ()).by("ann").start());
        assert!(futures_util::poll!(activation.as_mut()).is_pending());
        let listed = runtime.executions(Filter::new()).await.unwrap();
        activation.await.unwrap();
        for summary in listed.executions {
            assert_eq!(summary.activated_by, "ann");
            assert!(summary.created_at > Time::from_micros(0));
        }
    })
    .await;
}
