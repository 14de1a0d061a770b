//! What whoever does tasks outside can rely on.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod by_node;
mod early;
mod late;
mod messages;
mod scarce;

use finale::journal::{Acknowledgement, HeldJournal};
use finale::{
    ExecutionHandle, ExecutionStatus, Failure, FailureClass, Limits, NodeStatus, OpenTask, ReportError, Runtime,
    Shards, TaskId, Workflow,
};
use finale_core::PayloadError;
use finale_core::{NodeIndex, ScopeId, WorkKey};
use finale_tests::actor::{
    Dummies, Gate, chart, for_each_journal, for_each_journal_in_real_time, only_failure, runtime, settle, workflow,
};
use finale_tests::tasks::task_of;

/// A workflow of one task that somebody outside does.
fn asks() -> Workflow {
    chart("s>a a>e").outside("a").workflow()
}

/// An execution of it that waits, and its task.
async fn waiting(runtime: &Runtime) -> (ExecutionHandle, TaskId) {
    let asks = asks();
    let execution = runtime.activate(&asks, 5).await.unwrap();
    settle().await;
    let task = task_of(execution.id(), &asks, "a");
    (execution, task)
}

#[actix::test]
async fn an_open_task_says_what_is_to_be_done_by_whom_and_with_what() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let asks = chart("s>a a>e").outside("a").task("a", |task| task.assignee = Some("ann".into())).workflow();
        let execution = runtime.activate(&asks, 5).await.unwrap();
        settle().await;
        let tasks = runtime.open_tasks(None, 10).await.unwrap();
        assert_eq!(tasks.next, None);
        let OpenTask { id, workflow, node, title, assignee, attempt, input, since, .. } = &tasks.tasks[0];
        assert_eq!(*id, task_of(execution.id(), &asks, "a"));
        assert_eq!((workflow.as_str(), node.as_str(), title.as_str()), ("test", "a", "Do a"));
        assert_eq!((assignee.as_deref(), *attempt), (Some("ann"), 1));
        assert_eq!(input.decode::<u32>().unwrap(), 5);
        assert!(*since >= execution.snapshot().await.unwrap().created_at);
        assert_eq!(runtime.open_tasks_of(execution.id()).await.unwrap(), tasks.tasks);
    })
    .await;
}

#[actix::test]
async fn open_tasks_are_paged_without_gap_or_repetition() {
    for_each_journal_in_real_time(async |journal| {
        let runtime = Runtime::builder().shards(Shards::Own(2)).journal(journal.clone()).start().unwrap();
        let wide = chart("s>x x:branch>a x:branch>b a>join b>join join>e").outside("a").outside("b").workflow();
        let mut expected = Vec::new();
        for _ in 0..5 {
            let execution = runtime.activate(&wide, ()).await.unwrap();
            expected.extend(["a", "b"].map(|node| task_of(execution.id(), &wide, node)));
            while runtime.open_tasks_of(execution.id()).await.unwrap().len() < 2 {
                tokio::task::yield_now().await;
            }
        }
        expected.sort_unstable();
        for limit in [1, 3, 5, 10, 100] {
            let (mut listed, mut pages, mut after) = (Vec::new(), 0, None);
            loop {
                let page = runtime.open_tasks(after, limit).await.unwrap();
                listed.extend(page.tasks.iter().map(|task| task.id));
                pages += 1;
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(listed, expected, "pages of {limit}");
            assert_eq!(pages, expected.len().div_ceil(limit), "pages of {limit}");
        }
    })
    .await;
}

#[actix::test]
async fn a_completed_task_gives_its_output_to_the_execution() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let (execution, task) = waiting(&runtime).await;
        runtime.complete_task(task, "signed").await.unwrap();
        assert_eq!(execution.outcome().await.unwrap().output::<String>().unwrap(), "signed");
        assert!(runtime.open_tasks(None, 10).await.unwrap().tasks.is_empty());
    })
    .await;
}

#[actix::test]
async fn a_failed_task_fails_with_the_class_and_reason_that_were_reported() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        for class in [FailureClass::Failed, FailureClass::Rejected, FailureClass::Deleted, FailureClass::Cancelled] {
            let (execution, task) = waiting(&runtime).await;
            runtime.fail_task(task, Failure::new(class, "no time")).await.unwrap();
            let outcome = execution.outcome().await.unwrap();
            assert_eq!(outcome.status(), ExecutionStatus::Failed);
            assert_eq!(only_failure(&outcome), (class, "no time".to_owned()));
        }
    })
    .await;
}

#[actix::test]
async fn a_cancelled_task_fails_as_cancelled_and_says_by_whom() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let (execution, task) = waiting(&runtime).await;
        runtime.cancel_task(task, "ann").await.unwrap();
        let outcome = execution.outcome().await.unwrap();
        assert_eq!(outcome.status(), ExecutionStatus::Failed, "only its own command cancels an execution");
        assert_eq!(only_failure(&outcome), (FailureClass::Cancelled, "by ann".to_owned()));
    })
    .await;
}

#[actix::test]
async fn a_failed_task_is_offered_again_as_often_as_the_definition_says() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let retried = chart("s>a a>e").outside("a").task("a", |task| task.retry.attempts = 2).workflow();
        let execution = runtime.activate(&retried, ()).await.unwrap();
        settle().await;
        let task = task_of(execution.id(), &retried, "a");
        runtime.fail_task(task, Failure::new(FailureClass::Failed, "busy")).await.unwrap();
        settle().await;
        assert_eq!(runtime.open_tasks_of(execution.id()).await.unwrap()[0].attempt, 2);
        runtime.complete_task(task, "done").await.unwrap();
        assert_eq!(execution.outcome().await.unwrap().output::<String>().unwrap(), "done");
    })
    .await;
}

#[actix::test]
async fn a_report_is_answered_when_it_is_durable_and_not_before() {
    tokio::time::pause();
    let journal = HeldJournal::new(Acknowledgement::Immediate);
    let runtime = runtime(&journal).start().unwrap();
    let (execution, task) = waiting(&runtime).await;
    journal.set(Acknowledgement::Held);
    let first = {
        let it = runtime.clone();
        actix::spawn(async move { it.complete_task(task, 1).await })
    };
    let second = {
        let it = runtime.clone();
        actix::spawn(async move { it.complete_task(task, 2).await })
    };
    settle().await;
    assert!(!first.is_finished() && !second.is_finished());
    assert_eq!(runtime.late_events(execution.id()).await.unwrap(), [], "nothing is settled for anybody yet");
    journal.release();
    assert_eq!(first.await.unwrap(), Ok(()));
    assert_eq!(second.await.unwrap(), Err(ReportError::AlreadyTerminal(ExecutionStatus::Completed)));
    assert_eq!(execution.outcome().await.unwrap().output::<u32>().unwrap(), 1);
}

#[actix::test]
async fn a_report_that_cannot_be_made_durable_is_answered_with_the_error_of_the_journal() {
    tokio::time::pause();
    let journal = HeldJournal::new(Acknowledgement::Immediate);
    let runtime = runtime(&journal).start().unwrap();
    let (_execution, task) = waiting(&runtime).await;
    journal.set(Acknowledgement::Held);
    let reported = {
        let it = runtime.clone();
        actix::spawn(async move { it.complete_task(task, 1).await })
    };
    settle().await;
    journal.fail("the disk is full");
    assert!(matches!(reported.await.unwrap(), Err(ReportError::Journal(_))));
    assert!(matches!(runtime.complete_task(task, 1).await, Err(ReportError::Journal(_))));
}

#[actix::test]
async fn what_is_settled_stays_so() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let chain = chart("s>a a>b b>e").outside("a").outside("b").workflow();
        let execution = runtime.activate(&chain, ()).await.unwrap();
        settle().await;
        let (a, b) = (task_of(execution.id(), &chain, "a"), task_of(execution.id(), &chain, "b"));
        runtime.complete_task(a, "first").await.unwrap();
        let settled = Err(ReportError::AlreadySettled(NodeStatus::Completed));
        assert_eq!(runtime.complete_task(a, "second").await, settled);
        assert_eq!(runtime.fail_task(a, Failure::new(FailureClass::Failed, "late")).await, settled);
        assert_eq!(runtime.cancel_task(a, "ann").await, settled);

        runtime.complete_task(b, "last").await.unwrap();
        let over = Err(ReportError::AlreadyTerminal(ExecutionStatus::Completed));
        assert_eq!(runtime.complete_task(b, "again").await, over);
        execution.outcome().await.unwrap();
        assert_eq!(runtime.complete_task(b, "again").await, over);
        assert_eq!(runtime.cancel_task(a, "ann").await, over);
    })
    .await;
}

#[actix::test]
async fn what_does_not_exist_is_not_found() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let (_execution, task) = waiting(&runtime).await;
        let elsewhere = TaskId { execution: runtime.new_execution_id(), ..task };
        assert_eq!(runtime.complete_task(elsewhere, ()).await, Err(ReportError::NotFound));
        for (scope, node) in [(0, 99), (1, task.key.node.0)] {
            let key = WorkKey { scope: ScopeId(scope), node: NodeIndex(node) };
            assert_eq!(runtime.complete_task(TaskId { key, ..task }, ()).await, Err(ReportError::NotFound));
        }
        let start = TaskId { key: WorkKey::default(), ..task };
        assert!(matches!(runtime.complete_task(start, ()).await, Err(ReportError::Invalid(_))));
        assert_eq!(runtime.complete_task(task, ()).await, Ok(()));
        assert!(runtime.open_tasks_of(elsewhere.execution).await.unwrap().is_empty());
    })
    .await;
}

#[actix::test]
async fn what_a_handler_does_cannot_be_completed_from_outside() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let runtime = runtime(&journal).gated("a", &gate).start().unwrap();
        let one = workflow("s>a a>e");
        let execution = runtime.activate(&one, ()).await.unwrap();
        settle().await;
        let task = task_of(execution.id(), &one, "a");
        assert!(matches!(runtime.complete_task(task, ()).await, Err(ReportError::Invalid(_))));
        let failure = Failure::new(FailureClass::Failed, "no");
        assert!(matches!(runtime.fail_task(task, failure).await, Err(ReportError::Invalid(_))));
        assert!(runtime.open_tasks(None, 10).await.unwrap().tasks.is_empty());
        gate.open();
        assert_eq!(execution.outcome().await.unwrap().output::<String>().unwrap(), "a");
    })
    .await;
}

#[actix::test]
async fn what_a_handler_does_can_be_cancelled_from_outside_and_its_handler_is_dropped() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let runtime = runtime(&journal).gated("a b", &gate).start().unwrap();
        let chain = workflow("s>a a>b b>e");
        let execution = runtime.activate(&chain, ()).await.unwrap();
        settle().await;
        assert_eq!(gate.inside(), 1);
        let (a, b) = (task_of(execution.id(), &chain, "a"), task_of(execution.id(), &chain, "b"));
        assert_eq!(runtime.cancel_task(b, "ann").await, Err(ReportError::NotReady(NodeStatus::Pending)));
        runtime.cancel_task(a, "ann").await.unwrap();
        let outcome = execution.outcome().await.unwrap();
        assert_eq!(only_failure(&outcome), (FailureClass::Cancelled, "by ann".to_owned()));
        settle().await;
        assert_eq!((gate.inside(), gate.begun()), (0, 1));
    })
    .await;
}

#[actix::test]
async fn an_output_may_have_as_many_bytes_as_the_limit_and_not_one_more() {
    for_each_journal(async |journal| {
        let limits = Limits::new().payload_bytes_max(10);
        let runtime = runtime(&journal).limits(limits).start().unwrap();
        let (execution, task) = waiting(&runtime).await;
        let too_large = Err(ReportError::Payload(PayloadError::TooLarge { bytes: 11, bytes_max: 10 }));
        // Two bytes are the quotes.
        assert_eq!(runtime.complete_task(task, "x".repeat(9)).await, too_large);
        assert_eq!(runtime.fail_task(task, Failure::new(FailureClass::Failed, "x".repeat(11))).await, too_large);
        assert_eq!(execution.status().await, Ok(ExecutionStatus::Running));
        runtime.complete_task(task, "x".repeat(8)).await.unwrap();
        assert_eq!(execution.outcome().await.unwrap().status(), ExecutionStatus::Completed);
    })
    .await;
}

#[actix::test]
async fn open_tasks_of_an_execution_are_withdrawn_at_its_end() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let (execution, task) = waiting(&runtime).await;
        execution.cancel("ann").await.unwrap();
        settle().await;
        assert!(runtime.open_tasks(None, 10).await.unwrap().tasks.is_empty());
        let over = Err(ReportError::AlreadyTerminal(ExecutionStatus::Cancelled));
        assert_eq!(runtime.complete_task(task, ()).await, over);
    })
    .await;
}
