//! What came too late, twice or for nothing changes nothing, and can be read.

use std::time::Duration;

use finale::{CommandError, Failure, FailureClass, LateEvent, Limits, ReportError, TaskId};
use finale_core::definition::Verdict;
use finale_tests::actor::{Dummies, Gate, chart, for_each_journal, runtime, settle};
use finale_tests::tasks::task_of;

use super::waiting;

fn said(events: &[LateEvent]) -> Vec<(&str, &str)> {
    events.iter().map(|event| (event.what, event.reason.as_str())).collect()
}

#[actix::test]
async fn duplicates_and_what_comes_after_the_end_are_noted_beside_the_history() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let chain = chart("s>a a>b b>e").outside("a").outside("b").workflow();
        let execution = runtime.activate(&chain, ()).await.unwrap();
        settle().await;
        let (a, b) = (task_of(execution.id(), &chain, "a"), task_of(execution.id(), &chain, "b"));
        assert_eq!(runtime.late_events(execution.id()).await.unwrap(), []);
        runtime.complete_task(a, 1).await.unwrap();
        runtime.complete_task(a, 2).await.unwrap_err();
        runtime.complete_task(b, 3).await.unwrap();
        execution.outcome().await.unwrap();
        let sealed = execution.snapshot().await.unwrap();
        runtime.fail_task(b, Failure::new(FailureClass::Failed, "late")).await.unwrap_err();

        let late = runtime.late_events(execution.id()).await.unwrap();
        let expected = [
            ("report on a task", format!("node {} is completed already", a.key)),
            ("report on a task", "the execution is over already: completed".to_owned()),
        ];
        assert_eq!(said(&late), expected.each_ref().map(|(what, reason)| (*what, reason.as_str())));
        assert!(late[0].at <= late[1].at);
        assert_eq!(execution.snapshot().await.unwrap(), sealed);
    })
    .await;
}

#[actix::test]
async fn a_verdict_that_is_not_waited_for_is_noted() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let (execution, _) = waiting(&runtime).await;
        let given = runtime.give_verdict(execution.id(), "a", Verdict::Pass, "ann").await;
        assert!(matches!(given, Err(CommandError::Invalid(_))));
        let late = runtime.late_events(execution.id()).await.unwrap();
        assert_eq!(said(&late), [("verdict", "the node is not a verification")]);
    })
    .await;
}

#[actix::test]
async fn a_handler_that_is_too_late_is_dropped_and_its_result_counts_for_nothing() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let runtime = runtime(&journal).gated("a", &gate).start().unwrap();
        let slow = chart("s>a a>e").task("a", |task| task.timeout = Some(Duration::from_secs(1))).workflow();
        let execution = runtime.activate(&slow, ()).await.unwrap();
        let outcome = execution.outcome().await.unwrap();
        gate.open();
        settle().await;
        assert_eq!(gate.inside(), 0);
        assert_eq!(*execution.outcome().await.unwrap(), *outcome);
        assert_eq!(finale_tests::actor::only_failure(&outcome).0, FailureClass::TimedOut);
    })
    .await;
}

#[actix::test]
async fn no_more_late_events_are_kept_than_the_limit_and_the_newest_stay() {
    for_each_journal(async |journal| {
        for kept in [0, 2] {
            let limits = Limits::new().late_events_max(kept);
            let runtime = runtime(&journal).limits(limits).start().unwrap();
            let (execution, task) = waiting(&runtime).await;
            runtime.complete_task(task, ()).await.unwrap();
            execution.outcome().await.unwrap();
            for _ in 0..5 {
                tokio::time::advance(Duration::from_secs(1)).await;
                runtime.complete_task(task, ()).await.unwrap_err();
            }
            let late = runtime.late_events(execution.id()).await.unwrap();
            assert_eq!(late.len(), kept);
            let completed_at = execution.outcome().await.unwrap().completed_at;
            assert!(late.iter().all(|event| event.at.since(completed_at) >= Duration::from_secs(4)));
        }
    })
    .await;
}

#[actix::test]
async fn late_events_are_those_of_the_execution_that_is_asked_about() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let (first, task) = waiting(&runtime).await;
        let (second, _) = waiting(&runtime).await;
        runtime.complete_task(task, ()).await.unwrap();
        runtime.complete_task(task, ()).await.unwrap_err();
        let unknown = TaskId { execution: runtime.new_execution_id(), ..task };
        assert_eq!(runtime.complete_task(unknown, ()).await, Err(ReportError::NotFound));
        assert_eq!(runtime.late_events(first.id()).await.unwrap().len(), 1);
        assert_eq!(runtime.late_events(second.id()).await.unwrap(), []);
        assert_eq!(runtime.late_events(unknown.execution).await, Err(CommandError::NotFound));
    })
    .await;
}
