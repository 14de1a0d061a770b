//! Attempts, the time between them, and how long each may take.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use finale::{ExecutionStatus, FailureClass, ReportError, TaskContext, TaskError};
use finale_core::definition::{Retry, Task};
use finale_core::record::DecidedBy;
use finale_tests::actor::{
    Any, Dummies, Gate, chart, for_each_journal, only_failure, outcome_of, runtime, settle, workflow,
};
use tokio::time::Instant;

const MINUTE: Duration = Duration::from_secs(60);

fn tries(attempts: u16, backoff: Duration) -> impl FnOnce(&mut Task) {
    move |task| task.retry = Retry::attempts(attempts).backoff(backoff)
}

#[actix::test]
async fn a_failed_task_is_tried_again_after_its_backoff_with_the_next_attempt_number() {
    for_each_journal(async |journal| {
        let begin = Instant::now();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let seen_here = Arc::clone(&seen);
        let flaky = move |task: TaskContext, _: Any| {
            let attempt = task.attempt();
            seen_here.lock().unwrap().push((attempt, begin.elapsed().as_secs(), task.task_id()));
            async move { if attempt < 3 { Err(TaskError::new("busy")) } else { Ok(attempt) } }
        };
        let runtime = runtime(&journal).handler("a", flaky).start().unwrap();
        let flow = chart("s>a a>e").task("a", tries(4, MINUTE)).workflow();
        assert_eq!(outcome_of(&runtime, &flow).await.output::<u16>().unwrap(), 3);
        let seen = seen.lock().unwrap();
        let when: Vec<_> = seen.iter().map(|(attempt, second, _)| (*attempt, *second)).collect();
        assert_eq!(when, [(1, 0), (2, 60), (3, 120)]);
        assert!(seen.iter().all(|(.., id)| *id == seen[0].2), "the id of a task is the same over its attempts");
    })
    .await;
}

#[actix::test]
async fn when_the_attempts_are_used_up_the_error_says_which_was_the_last() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).failing("a").start().unwrap();
        let flow = chart("s>a a>e").task("a", tries(3, Duration::ZERO)).workflow();
        let outcome = outcome_of(&runtime, &flow).await;
        let message = outcome.error().unwrap().to_string();
        assert_eq!(message, r#"task "Do a" (a) failed: broken [attempt 3 of 3]"#);
    })
    .await;
}

#[actix::test]
async fn a_permanent_error_is_not_tried_again() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        gate.open();
        let counted = gate.clone();
        let refuse = move |_: TaskContext, _: Any| {
            let counted = counted.clone();
            async move {
                counted.pass().await;
                Err::<(), _>(TaskError::new("card declined").permanent())
            }
        };
        let runtime = runtime(&journal).handler("a", refuse).start().unwrap();
        let flow = chart("s>a a>e").task("a", tries(5, MINUTE)).workflow();
        let failure = only_failure(&outcome_of(&runtime, &flow).await);
        assert_eq!((failure, gate.begun()), ((FailureClass::Failed, "card declined".to_owned()), 1));
    })
    .await;
}

#[actix::test]
async fn cancelling_between_two_attempts_begins_no_other() {
    for_each_journal(async |journal| {
        let begin = Instant::now();
        let runtime = runtime(&journal).failing("a").start().unwrap();
        let flow = chart("s>a a>e").task("a", tries(2, 10 * MINUTE)).workflow();
        let execution = runtime.activate(&flow, ()).await.unwrap();
        settle().await;
        assert_eq!(execution.cancel("me").await.unwrap().status, ExecutionStatus::Cancelled);
        assert!(begin.elapsed() < MINUTE);
        tokio::time::sleep(20 * MINUTE).await;
        assert_eq!(execution.status().await.unwrap(), ExecutionStatus::Cancelled);
    })
    .await;
}

#[actix::test]
async fn an_attempt_that_takes_too_long_is_timed_out_and_its_handler_dropped() {
    for_each_journal(async |journal| {
        let (begin, gate) = (Instant::now(), Gate::closed());
        let runtime = runtime(&journal).gated("a", &gate).start().unwrap();
        let flow = chart("s>a a>e").task("a", |task| task.timeout = Some(MINUTE)).workflow();
        let execution = runtime.activate(&flow, ()).await.unwrap();
        let failure = only_failure(&execution.outcome().await.unwrap());
        assert_eq!(failure, (FailureClass::TimedOut, "no result within 1m".to_owned()));
        assert!(begin.elapsed() >= MINUTE && begin.elapsed() < MINUTE + Duration::from_secs(1));
        settle().await;
        assert_eq!(gate.inside(), 0);
        assert_eq!(runtime.late_events(execution.id()).await.unwrap(), [], "its handler reports nothing more");
    })
    .await;
}

#[actix::test]
async fn the_late_result_of_a_timed_out_attempt_changes_nothing() {
    for_each_journal(async |journal| {
        let slow_first = async |task: TaskContext, _: Any| {
            if task.attempt() == 1 {
                // It hears that it is dropped at the earliest when it would be done.
                tokio::time::sleep(MINUTE).await;
            } else {
                tokio::time::sleep(MINUTE / 2).await;
            }
            Ok::<_, TaskError>(task.attempt())
        };
        let runtime = runtime(&journal).handler("a", slow_first).start().unwrap();
        let flow = chart("s>a a>e").task("a", |task| {
            task.timeout = Some(MINUTE - Duration::from_millis(1));
            task.retry.attempts = 2;
        });
        assert_eq!(outcome_of(&runtime, &flow.workflow()).await.output::<u16>().unwrap(), 2);
    })
    .await;
}

#[actix::test]
async fn a_task_for_somebody_outside_times_out_too() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let flow = chart("s>a a>e").outside("a").task("a", |task| task.timeout = Some(MINUTE)).workflow();
        let execution = runtime.activate(&flow, ()).await.unwrap();
        settle().await;
        let [task] = runtime.open_tasks_of(execution.id()).await.unwrap().try_into().unwrap();
        let failure = only_failure(&execution.outcome().await.unwrap());
        assert_eq!(failure, (FailureClass::TimedOut, "no result within 1m".to_owned()));
        assert!(runtime.open_tasks_of(execution.id()).await.unwrap().is_empty());
        let late = runtime.complete_task(task.id, ()).await;
        assert_eq!(late, Err(ReportError::AlreadyTerminal(ExecutionStatus::Failed)));
    })
    .await;
}

#[actix::test]
async fn a_timed_out_task_is_offered_again_while_it_has_attempts() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let flow = chart("s>a a>e").outside("a").task("a", |task| {
            task.timeout = Some(MINUTE);
            task.retry.attempts = 2;
        });
        let execution = runtime.activate(&flow.workflow(), ()).await.unwrap();
        tokio::time::sleep(MINUTE + Duration::from_secs(1)).await;
        let [task] = runtime.open_tasks_of(execution.id()).await.unwrap().try_into().unwrap();
        assert_eq!(task.attempt, 2);
        runtime.complete_task(task.id, "at last").await.unwrap();
        assert_eq!(execution.outcome().await.unwrap().output::<String>().unwrap(), "at last");
    })
    .await;
}

#[actix::test]
async fn an_execution_that_is_not_over_at_its_deadline_fails() {
    for_each_journal(async |journal| {
        let (begin, gate) = (Instant::now(), Gate::closed());
        let runtime = runtime(&journal).gated("a", &gate).start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).deadline(MINUTE).await.unwrap();
        let outcome = execution.outcome().await.unwrap();
        assert_eq!((outcome.status(), &outcome.decided_by), (ExecutionStatus::Failed, &DecidedBy::Deadline));
        assert!(begin.elapsed() < MINUTE + Duration::from_secs(3), "the deadline and the grace");
        assert_eq!(gate.inside(), 0);
    })
    .await;
}

#[actix::test]
async fn an_execution_that_is_over_before_its_deadline_completes() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).done("a").start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).deadline(MINUTE).await.unwrap();
        assert_eq!(execution.outcome().await.unwrap().status(), ExecutionStatus::Completed);
        tokio::time::sleep(2 * MINUTE).await;
        assert!(runtime.late_events(execution.id()).await.unwrap().is_empty(), "its deadline was disarmed");
    })
    .await;
}
