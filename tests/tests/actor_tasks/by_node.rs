//! Reports by the node of a task: what is unknown, too early, answered and over is told apart.

use finale::prelude::*;
use finale::{CommandError, Definition, Failure, FailureClass, NodeStatus, ReportError, TaskReport};
use finale_tests::actor::{Dummies, chart, for_each_journal, runtime, settle};
use finale_tests::tasks::task_of;

#[actix::test]
async fn a_task_is_reported_on_by_its_node_and_errors_are_told_apart() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let asks = chart("s>a a>b b>e").outside("a").outside("b").workflow();
        let execution = runtime.activate(&asks, ()).await.unwrap();
        let unknown = runtime.new_execution_id();
        let report = runtime.report_node(unknown, "a", TaskReport::completed(1)).await;
        assert_eq!(report, Err(ReportError::NotFound));
        assert_eq!(execution.complete("c", 1).await, Err(ReportError::UnknownNode("c".to_owned())));
        assert_eq!(execution.complete("s", 1).await.unwrap_err().code(), "invalid");
        // Too early: it is kept until its task is asked for.
        let early = actix::spawn({
            let execution = execution.clone();
            async move { execution.complete("b", "early").await }
        });
        settle().await;
        assert!(!early.is_finished());
        execution.complete("a", 1).await.unwrap();
        assert_eq!(early.await.unwrap(), Ok(()));
        assert_eq!(execution.outcome().await.unwrap().output::<String>().unwrap(), "early");
        let over = Err(ReportError::AlreadyTerminal(ExecutionStatus::Completed));
        assert_eq!(execution.complete("a", 2).await, over);
    })
    .await;
}

#[actix::test]
async fn a_report_by_node_on_a_task_that_was_answered_says_so() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let asks = chart("s>a a>b b>e").outside("a").outside("b").workflow();
        let execution = runtime.activate(&asks, ()).await.unwrap();
        execution.complete("a", 1).await.unwrap();
        let again = Failure::new(FailureClass::Rejected, "no");
        assert_eq!(execution.fail("a", again.clone()).await, Err(ReportError::AlreadySettled(NodeStatus::Completed)));
        execution.fail("b", again).await.unwrap();
        assert_eq!(execution.outcome().await.unwrap().status(), ExecutionStatus::Failed);
    })
    .await;
}

#[actix::test]
async fn a_report_names_its_attempt_and_who_reports() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let asks = chart("s>a a>e").outside("a").task("a", |task| task.retry.attempts = 2).workflow();
        let execution = runtime.activate(&asks, ()).await.unwrap();
        settle().await;
        let broken = || TaskReport::failed(Failure::new(FailureClass::Failed, "busy")).attempt(1);
        execution.report("a", broken()).await.unwrap();
        settle().await;
        let stale = Err(ReportError::StaleAttempt { attempt: 1 });
        assert_eq!(execution.report("a", broken()).await, stale);
        assert_eq!(runtime.report_task(task_of(execution.id(), &asks, "a"), broken()).await, stale);
        assert_eq!(
            execution.report("a", TaskReport::completed(1).attempt(0)).await,
            Err(ReportError::StaleAttempt { attempt: 0 })
        );
        execution.report("a", TaskReport::completed(1).attempt(2).by("ann")).await.unwrap();
        let reading = finale::offline::read(&journal, execution.id()).unwrap();
        let facts = serde_json::to_string(&reading.history()).unwrap();
        assert!(facts.contains("ann"), "{facts}");
    })
    .await;
}

#[actix::test]
async fn a_report_by_node_before_a_cancel_on_the_same_thread_comes_first() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let asks = chart("s>a a>e").outside("a").workflow();
        for _ in 0..20 {
            let execution = runtime.activate(&asks, ()).await.unwrap();
            let (report, cancel) = tokio::join!(execution.complete("a", 1), execution.cancel("ann"));
            assert_eq!((report, cancel.is_err()), (Ok(()), true));
        }
    })
    .await;
}

#[actix::test]
async fn an_output_of_another_type_than_was_declared_is_refused() {
    for_each_journal(async |journal| {
        let typed = || {
            let article = Workflow::typed("article");
            article.external::<u32>("approve");
            article.build().unwrap()
        };
        // What is declared is known from the activation, and after a restart from the builder.
        let runtime_of = || runtime(&journal).workflow(&typed());
        let first = runtime(&journal).start().unwrap();
        let id = first.activate(&typed(), ()).await.unwrap().id();
        let refused = first.execution(id).await.unwrap().complete("approve", "many").await.unwrap_err();
        assert_eq!(refused.code(), "wrong_type");
        assert!(refused.to_string().starts_with("the output is not of the declared type: "), "{refused}");
        first.shutdown(std::time::Duration::ZERO).await;
        let second = runtime_of().start().unwrap();
        let execution = second.execution(id).await.unwrap();
        let task = execution.open_tasks().await.unwrap()[0].id;
        assert_eq!(second.complete_task(task, "many").await.unwrap_err().code(), "wrong_type");
        assert_eq!(execution.late_events().await.unwrap().len(), 1);
        second.complete_task(task, 7).await.unwrap();
        assert_eq!(execution.outcome().await.unwrap().output::<u32>().unwrap(), 7);
        let again = execution.complete("approve", "many").await.unwrap_err();
        assert_eq!(again.code(), "already_terminal", "what is over is told as that");
    })
    .await;
}

#[actix::test]
async fn what_can_be_done_by_id_can_be_done_by_handle() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).never("a").start().unwrap();
        let work = chart("s>a a>e").workflow();
        let activate = async || {
            let execution = runtime.activate(&work, ()).await.unwrap();
            settle().await;
            execution
        };
        let execution = activate().await;
        execution.declare_completed("ann").await.unwrap();
        assert_eq!(execution.outcome().await.unwrap().status(), ExecutionStatus::Completed);
        let execution = activate().await;
        execution.declare_failed("ann", "why not").await.unwrap();
        assert_eq!(execution.outcome().await.unwrap().status(), ExecutionStatus::Failed);
        let execution = activate().await;
        assert_eq!(execution.release().await.unwrap_err().code(), "invalid");
        execution.cancel_task("a", "ann").await.unwrap();
        let outcome = execution.outcome().await.unwrap();
        assert_eq!(outcome.error().unwrap().failures()[0].class, FailureClass::Cancelled);
    })
    .await;
}

#[actix::test]
async fn a_report_into_an_item_that_is_over_is_told_from_one_that_is_ahead_or_can_never_be() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let inside = Definition::builder("item").task("ask", Task::external()).build();
        let asks = Workflow::builder("asks").map("each", "input", inside).max_concurrency(1).build().unwrap();
        let execution = runtime.activate(&asks, [1, 2]).await.unwrap();
        settle().await;
        execution.complete("each[0]::ask", 1).await.unwrap();
        assert_eq!(execution.complete("each[0]::ask", 1).await, Err(ReportError::ScopeOver));
        assert_eq!(execution.skip_by_hand("each[0]::ask", "me", "").await, Err(CommandError::ScopeOver));
        let never = "each[2]::ask".to_owned();
        assert_eq!(execution.complete(&never, 1).await, Err(ReportError::UnknownNode(never.clone())));
        assert_eq!(execution.skip_by_hand(&never, "me", "").await, Err(CommandError::UnknownNode(never)));
        execution.complete("each[1]::ask", 2).await.unwrap();
        assert_eq!(execution.outcome().await.unwrap().output::<Vec<u32>>().unwrap(), [1, 2]);
    })
    .await;
}
