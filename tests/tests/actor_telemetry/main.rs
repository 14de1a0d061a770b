//! What is logged and counted: these names and fields are a promise.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod broken;
mod kept;
mod log;
mod metric;
mod spans;

use std::time::Duration;

use finale::journal::{Acknowledgement, HeldJournal};
use finale::telemetry::metric as name;
use finale::{Failure, FailureClass, Workflow};
use finale_core::definition::Conditional;
use finale_core::definition::NodeKind;
use finale_tests::actor::{Dummies, Gate, chart, for_each_journal, runtime, settle, workflow};
use finale_tests::lives::for_each_restart;
use finale_tests::tasks::task_of;

use log::Log;

/// The names of metrics, and what is promised of them.
const METRICS: [(&str, &str); 10] = [
    (name::EXECUTIONS_TOTAL, "finale_executions_total"),
    (name::EXECUTION_DURATION_SECONDS, "finale_execution_duration_seconds"),
    (name::TASKS_TOTAL, "finale_tasks_total"),
    (name::TASK_DURATION_SECONDS, "finale_task_duration_seconds"),
    (name::EXECUTIONS_RUNNING, "finale_executions_running"),
    (name::TASKS_RUNNING, "finale_tasks_running"),
    (name::ADMISSION_QUEUE_DEPTH, "finale_admission_queue_depth"),
    (name::TASK_QUEUE_DEPTH, "finale_task_queue_depth"),
    (name::JOURNAL_COMMIT_FACTS, "finale_journal_commit_facts"),
    (name::JOURNAL_COMMIT_SECONDS, "finale_journal_commit_seconds"),
];

#[actix::test]
async fn a_run_that_completes_is_logged_step_by_step() {
    for_each_journal(async |journal| {
        let log = Log::begin();
        let runtime = runtime(&journal).done("a").start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        execution.outcome().await.unwrap();
        settle().await;
        log.expect(&[
            "DEBUG workflow.execution.status_transitioned execution from=pending to=running",
            "DEBUG workflow.execution.node_status_transitioned execution node=s from=pending to=completed",
            "DEBUG workflow.execution.node_status_transitioned execution node=a from=pending to=running",
            "DEBUG workflow.execution.task_created execution node=a task attempt=1",
            "INFO workflow.execution.activated execution workflow=test",
            "DEBUG workflow.execution.node_task_completed execution node=a attempt=1 took",
            "DEBUG workflow.execution.node_status_transitioned execution node=a from=running to=completed",
            "DEBUG workflow.execution.node_status_transitioned execution node=e from=pending to=completed",
            "DEBUG workflow.execution.status_transitioned execution from=running to=completed",
            "INFO workflow.execution.completed execution workflow=test took",
        ]);
    })
    .await;
}

#[actix::test]
async fn a_run_that_fails_is_logged_with_its_attempts_and_its_error() {
    for_each_journal(async |journal| {
        let log = Log::begin();
        let runtime = runtime(&journal).failing("a").done("b").start().unwrap();
        let retried = chart("s>a a>b b>e").task("a", |task| {
            task.retry.attempts = 2;
            task.retry.backoff = Duration::from_secs(1).into();
        });
        runtime.activate(&retried.workflow(), ()).await.unwrap().outcome().await.unwrap();
        log.expect_those(
            &["activated", "task_created", "node_task_failed", "node_skipped", "failed", "completed"],
            &[
                "DEBUG workflow.execution.task_created execution node=a task attempt=1",
                "INFO workflow.execution.activated execution workflow=test",
                "DEBUG workflow.execution.node_task_failed execution node=a attempt=1 took failure=failed: broken",
                "DEBUG workflow.execution.task_created execution node=a task attempt=2",
                "DEBUG workflow.execution.node_task_failed execution node=a attempt=2 took failure=failed: broken",
                "DEBUG workflow.execution.node_skipped execution node=b",
                "DEBUG workflow.execution.node_skipped execution node=e",
                "WARN workflow.execution.failed execution workflow=test took \
                 error=task \"Do a\" (a) failed: broken [attempt 2 of 2]",
            ],
        );
    })
    .await;
}

#[actix::test]
async fn a_task_for_somebody_outside_is_created_once_for_each_attempt() {
    for_each_journal(async |journal| {
        let log = Log::begin();
        let runtime = runtime(&journal).start().unwrap();
        let retried = chart("s>a a>e").outside("a").task("a", |task| {
            task.retry.attempts = 2;
            task.retry.backoff = Duration::from_secs(1).into();
        });
        let retried = retried.workflow();
        let execution = runtime.activate(&retried, ()).await.unwrap();
        settle().await;
        let task = task_of(execution.id(), &retried, "a");
        runtime.fail_task(task, Failure::new(FailureClass::Failed, "busy")).await.unwrap();
        tokio::time::sleep(Duration::from_secs(2)).await;
        runtime.complete_task(task, ()).await.unwrap();
        log.expect_those(
            &["task_created"],
            &[
                "DEBUG workflow.execution.task_created execution node=a task attempt=1",
                "DEBUG workflow.execution.task_created execution node=a task attempt=2",
            ],
        );
    })
    .await;
}

#[actix::test]
async fn a_cancelled_run_is_logged_with_who_cancelled_it() {
    for_each_journal(async |journal| {
        let log = Log::begin();
        let runtime = runtime(&journal).never("a").start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        settle().await;
        execution.cancel("ann").await.unwrap();
        execution.cancel("bob").await.unwrap_err();
        runtime.complete_execution(execution.id(), "bob").await.unwrap_err();
        log.expect_those(
            &["status_transitioned", "cancelled", "cancel_conflict", "invalid_status"],
            &[
                "DEBUG workflow.execution.status_transitioned execution from=pending to=running",
                "DEBUG workflow.execution.status_transitioned execution from=running to=ending",
                "DEBUG workflow.execution.status_transitioned execution from=ending to=cancelled",
                "INFO workflow.execution.cancelled execution workflow=test took by=ann",
                "DEBUG workflow.execution.cancel_conflict execution status=cancelled",
                "DEBUG workflow.execution.invalid_status execution status=cancelled",
            ],
        );
    })
    .await;
}

#[actix::test]
async fn what_is_asked_of_an_execution_that_is_ending_is_logged_as_invalid() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).never("a").start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        settle().await;
        let cancelling = {
            let it = execution.clone();
            actix::spawn(async move { it.cancel("ann").await })
        };
        settle().await;
        let log = Log::begin();
        runtime.complete_execution(execution.id(), "bob").await.unwrap_err();
        log.expect(&["DEBUG workflow.execution.invalid_status execution status=ending"]);
        cancelling.await.unwrap().unwrap();
    })
    .await;
}

#[actix::test]
async fn what_a_condition_came_to_is_logged_and_what_it_went_past() {
    for_each_journal(async |journal| {
        let log = Log::begin();
        let runtime = runtime(&journal).done("a b").start().unwrap();
        let decides = chart("s>if if:true>a if:false>b a>e b>e");
        let sound = decides.clone().condition("if", "input.fast").workflow();
        runtime.activate(&sound, serde_json::json!({"fast": true})).await.unwrap().outcome().await.unwrap();
        runtime.activate(&sound, serde_json::json!({})).await.unwrap().outcome().await.unwrap();
        let lines = log.those(&["condition_evaluated", "node_skipped", "condition_eval_failed"]);
        assert_eq!(lines[0], "DEBUG workflow.execution.condition_evaluated execution node=if value=true");
        assert_eq!(lines[1], "DEBUG workflow.execution.node_skipped execution node=b");
        assert!(
            lines[2].starts_with("DEBUG workflow.execution.condition_eval_failed execution node=if reason="),
            "{lines:?}"
        );
    })
    .await;
}

#[actix::test]
async fn what_comes_too_late_or_for_nothing_is_logged() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let asks = chart("s>a a>e").outside("a").workflow();
        let execution = runtime.activate(&asks, ()).await.unwrap();
        settle().await;
        let task = task_of(execution.id(), &asks, "a");
        runtime.complete_task(task, ()).await.unwrap();
        execution.outcome().await.unwrap();
        let log = Log::begin();
        runtime.complete_task(task, ()).await.unwrap_err();
        log.expect(&["DEBUG workflow.execution.late_event execution what=report on a task \
                      reason=the execution is over already: completed"]);
        let unknown = runtime.new_execution_id();
        runtime.complete_task(task_of(unknown, &asks, "a"), ()).await.unwrap_err();
        runtime.execution(unknown).await.unwrap_err();
        runtime.cancel_execution(unknown, "ann").await.unwrap_err();
        assert_eq!(log.those(&["not_found"]).len(), 3);
        assert_eq!(log.those(&["not_found"])[0], "DEBUG workflow.execution.not_found execution");
    })
    .await;
}

#[actix::test]
async fn a_definition_that_is_refused_is_logged_with_the_reason() {
    for_each_journal(async |journal| {
        let log = Log::begin();
        let mut broken = chart("s>a a>e").definition();
        broken.nodes[1].kind = NodeKind::Conditional(Conditional::default());
        Workflow::new(broken).unwrap_err();
        let runtime = runtime(&journal).done("a").start().unwrap();
        runtime.activate(&workflow("s>b b>e"), ()).await.unwrap_err();
        let lines = log.those(&["invalid_definition"]);
        assert!(lines[0].starts_with("WARN workflow.execution.invalid_definition workflow=test error="), "{lines:?}");
        assert_eq!(
            lines[1],
            "WARN workflow.execution.invalid_definition workflow=test \
             error=no handler \"b\" is registered; there are: a"
        );
    })
    .await;
}

#[actix::test]
async fn an_execution_that_is_written_off_is_logged_as_failed() {
    for_each_restart(async |lives, how| {
        let first = lives.next().start().unwrap();
        let asks = chart("s>a a>e").outside("a").workflow();
        let id = first.activate(&asks, ()).await.unwrap().id();
        lives.journal.damage(id);
        let runtime = lives.restart(&first, how).await.start().unwrap();
        settle().await;
        let log = Log::begin();
        runtime.fail_execution(id, "ann", "nothing to be saved").await.unwrap();
        log.expect_those(&["failed"], &["WARN workflow.execution.failed execution error=nothing to be saved"]);
    })
    .await;
}

#[actix::test]
async fn nothing_is_logged_before_it_is_durable() {
    tokio::time::pause();
    let log = Log::begin();
    let journal = HeldJournal::new(Acknowledgement::Held);
    let gate = Gate::closed();
    let runtime = runtime(&journal).gated("a", &gate).start().unwrap();
    let waiting = actix::spawn(runtime.activate(&workflow("s>a a>e"), ()).start());
    settle().await;
    log.expect(&[]);
    journal.release();
    let execution = waiting.await.unwrap().unwrap();
    settle().await;
    assert_eq!(log.those(&["activated", "task_created"]).len(), 2);
    let before = log.those(&[]).len();
    gate.open();
    settle().await;
    assert_eq!(log.those(&[]).len(), before, "the end is not durable");
    journal.release();
    execution.outcome().await.unwrap();
    assert_eq!(log.those(&["node_task_completed", "completed"]).len(), 2);
}

#[test]
fn the_names_of_events_and_metrics_are_those_that_are_promised() {
    use finale::telemetry::{event, span};
    let events = [
        (event::ACTIVATED, "activated"),
        (event::COMPLETED, "completed"),
        (event::FAILED, "failed"),
        (event::CANCELLED, "cancelled"),
        (event::CANCEL_CONFLICT, "cancel_conflict"),
        (event::STATUS_TRANSITIONED, "status_transitioned"),
        (event::NODE_STATUS_TRANSITIONED, "node_status_transitioned"),
        (event::NODE_TASK_COMPLETED, "node_task_completed"),
        (event::NODE_TASK_FAILED, "node_task_failed"),
        (event::TASK_CREATED, "task_created"),
        (event::NODE_SKIPPED, "node_skipped"),
        (event::CONDITION_EVALUATED, "condition_evaluated"),
        (event::CONDITION_EVAL_FAILED, "condition_eval_failed"),
        (event::INVALID_DEFINITION, "invalid_definition"),
        (event::NOT_FOUND, "not_found"),
        (event::INVALID_STATUS, "invalid_status"),
        (event::LATE_EVENT, "late_event"),
    ];
    for (name, last) in events {
        assert_eq!(name, format!("workflow.execution.{last}"));
    }
    assert!(METRICS.iter().all(|(name, promised)| name == promised));
    assert_eq!((span::EXECUTION, span::TASK), ("finale.execution", "finale.task"));
}

#[actix::test]
async fn a_handler_that_fails_over_an_end_is_logged_with_the_execution_and_the_error() {
    for_each_journal(async |journal| {
        let log = Log::begin();
        let refuses = async |_| Err::<(), _>("the mailbox is full".into());
        let runtime = runtime(&journal).done("a").on_ended(refuses).start().unwrap();
        runtime.activate(&workflow("s>a a>e"), ()).await.unwrap().outcome().await.unwrap();
        settle().await;
        let said = log.those(&[]).into_iter().filter(|line| line.starts_with("WARN")).collect::<Vec<_>>();
        let what = "message=a handler that was told of an end has failed, and is told again";
        assert_eq!(said, [format!("WARN {what} execution reason=the mailbox is full")]);
    })
    .await;
}
