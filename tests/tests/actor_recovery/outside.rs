//! Those outside do not notice that the application was started again.

use finale::{CommandError, ExecutionStatus, Failure, FailureClass, NodeStatus, ReportError, Workflow};
use finale_core::definition::Verdict;
use finale_tests::actor::{chart, settle, workflow};
use finale_tests::lives::{for_each_life, for_each_restart, outcome};
use finale_tests::tasks::task_of;

fn asking() -> Workflow {
    chart("s>a a>b b>e").outside("a").outside("b").workflow()
}

#[actix::test]
async fn a_task_can_be_reported_on_before_the_recovery_has_come_to_it() {
    for_each_restart(async |lives, how| {
        let (flow, first) = (asking(), lives.next().start().unwrap());
        let id = first.activate(&flow, ()).await.unwrap().id();
        let second = lives.restart(&first, how).await.start().unwrap();
        second.complete_task(task_of(id, &flow, "a"), "one").await.unwrap();
        let again = second.complete_task(task_of(id, &flow, "a"), "other").await;
        assert_eq!(again, Err(ReportError::AlreadySettled(NodeStatus::Completed)));
        second.complete_task(task_of(id, &flow, "b"), "two").await.unwrap();
        assert_eq!(outcome(&second, id).await.output::<String>().unwrap(), "two");
        let late = second.complete_task(task_of(id, &flow, "b"), "three").await;
        assert_eq!(late, Err(ReportError::AlreadyTerminal(ExecutionStatus::Completed)));
    })
    .await;
}

#[actix::test]
async fn the_last_of_many_is_found_at_once() {
    for_each_restart(async |lives, how| {
        let (flow, first) = (asking(), lives.next().start().unwrap());
        let mut ids = Vec::new();
        for number in 0..300 {
            let activation = first.activate(&flow, ()).idempotency_key(format!("order {number}"));
            ids.push(activation.await.unwrap().id());
        }
        let [.., repeated, reported, cancelled, looked_at] = ids[..] else { panic!("there are 300") };
        let second = lives.restart(&first, how).await.start().unwrap();
        assert_eq!(second.health().recovering, 300);
        let again = second.activate(&flow, ()).idempotency_key("order 296").start();
        let task = task_of(reported, &flow, "a");
        let (again, report, cancel, look) = tokio::join!(
            again,
            second.complete_task(task, ()),
            second.cancel_execution(cancelled, "me"),
            second.execution(looked_at),
        );
        assert_eq!((again.unwrap().id(), report), (repeated, Ok(())));
        assert_eq!(cancel.unwrap().status, ExecutionStatus::Cancelled);
        assert_eq!(look.unwrap().status().await.unwrap(), ExecutionStatus::Running);
        settle().await;
        assert_eq!(second.health().recovering, 0);
        assert_eq!(second.open_tasks(None, 1_000).await.unwrap().tasks.len(), 299);
    })
    .await;
}

#[actix::test]
async fn open_tasks_are_listed_under_the_same_ids_and_attempts() {
    for_each_restart(async |lives, how| {
        let (flow, first) = (asking(), lives.next().start().unwrap());
        for number in 0..3 {
            first.activate(&flow, number).await.unwrap();
        }
        settle().await;
        let listed = first.open_tasks(None, 10).await.unwrap().tasks;
        let second = lives.restart(&first, how).await.start().unwrap();
        settle().await;
        let again = second.open_tasks(None, 10).await.unwrap().tasks;
        assert_eq!(again.len(), 3);
        for (before, after) in listed.iter().zip(&again) {
            assert_eq!((before.id, before.attempt, &before.node), (after.id, after.attempt, &after.node));
            assert_eq!((&before.title, &before.input), (&after.title, &after.input));
        }
    })
    .await;
}

#[actix::test]
async fn a_report_may_come_early_in_the_next_life_too() {
    for_each_restart(async |lives, how| {
        let (flow, first) = (asking(), lives.next().start().unwrap());
        let id = first.activate(&flow, ()).await.unwrap().id();
        let second = lives.restart(&first, how).await.start().unwrap();
        let early = actix::spawn({
            let (second, task) = (second.clone(), task_of(id, &flow, "b"));
            async move { second.complete_task(task, "early").await }
        });
        settle().await;
        assert!(!early.is_finished(), "it is not recorded yet");
        second.complete_task(task_of(id, &flow, "a"), ()).await.unwrap();
        early.await.unwrap().unwrap();
        assert_eq!(outcome(&second, id).await.output::<String>().unwrap(), "early");
    })
    .await;
}

#[actix::test]
async fn an_early_report_that_was_not_answered_is_gone_with_its_life() {
    for_each_restart(async |lives, how| {
        let (flow, first) = (asking(), lives.next().start().unwrap());
        let id = first.activate(&flow, ()).await.unwrap().id();
        let early = actix::spawn({
            let (first, task) = (first.clone(), task_of(id, &flow, "b"));
            async move { first.complete_task(task, "early").await }
        });
        settle().await;
        let second = lives.restart(&first, how).await.start().unwrap();
        second.complete_task(task_of(id, &flow, "a"), ()).await.unwrap();
        settle().await;
        assert_eq!(second.open_tasks_of(id).await.unwrap()[0].node, "b");
        assert!(!early.is_finished() || early.await.unwrap().is_err(), "nobody was told that it counts");
    })
    .await;
}

#[actix::test]
async fn an_answered_report_counts_whatever_happens_next() {
    for_each_restart(async |lives, how| {
        let (flow, first) = (asking(), lives.next().start().unwrap());
        let id = first.activate(&flow, ()).await.unwrap().id();
        first.complete_task(task_of(id, &flow, "a"), "one").await.unwrap();
        let second = lives.restart(&first, how).await.start().unwrap();
        let again = second.fail_task(task_of(id, &flow, "a"), Failure::new(FailureClass::Failed, "no")).await;
        assert_eq!(again, Err(ReportError::AlreadySettled(NodeStatus::Completed)));
        second.complete_task(task_of(id, &flow, "b"), "two").await.unwrap();
        assert_eq!(outcome(&second, id).await.status(), ExecutionStatus::Completed);
    })
    .await;
}

#[actix::test]
async fn a_verification_waits_for_the_same_verdict() {
    for_each_restart(async |lives, how| {
        let flow = workflow("s>v v:pass>e v:fail>e v:refer>e");
        let first = lives.next().start().unwrap();
        let id = first.activate(&flow, ()).await.unwrap().id();
        let other = first.activate(&flow, ()).await.unwrap().id();
        first.give_verdict(other, "v", Verdict::Fail, "me").await.unwrap();
        let second = lives.restart(&first, how).await.start().unwrap();
        second.give_verdict(id, "v", Verdict::Pass, "me").await.unwrap();
        for id in [id, other] {
            assert_eq!(outcome(&second, id).await.status(), ExecutionStatus::Completed);
            let again = second.give_verdict(id, "v", Verdict::Fail, "me").await;
            assert_eq!(again, Err(CommandError::AlreadyTerminal(ExecutionStatus::Completed)));
        }
    })
    .await;
}

#[actix::test]
async fn a_restart_writes_nothing_about_executions_that_only_wait() {
    for_each_life(async |lives| {
        let first = lives.next().start().unwrap();
        let flow = chart("s>p p:branch>a p:branch>v a>join v:pass>join v:fail>join v:refer>join join>e").outside("a");
        let flow = flow.timeout("a", std::time::Duration::from_secs(600)).workflow();
        for _ in 0..100 {
            first.activate(&flow, ()).await.unwrap();
        }
        lives.journal.set(finale::journal::Acknowledgement::Held);
        for _ in 0..3 {
            let runtime = lives.crash().start().unwrap();
            settle().await;
            assert_eq!((lives.journal.held(), runtime.health().recovering), (0, 0));
            assert_eq!(runtime.open_tasks(None, 1_000).await.unwrap().tasks.len(), 100);
        }
    })
    .await;
}
