//! What operators can do to an execution, and what they are told when they cannot.

use std::time::Duration;

use finale::{
    CancelReceipt, CommandError, ExecutionHandle, ExecutionStatus, Fate, NodeStatus, Runtime, TaskContext, TaskError,
};
use finale_core::definition::Verdict;
use finale_core::record::{DecidedBy, End, State};
use finale_tests::actor::{Any, Dummies, chart, for_each_journal, runtime, settle, workflow};
use finale_tests::tasks::task_of;

fn fates(receipt: &CancelReceipt) -> Vec<(&str, Fate)> {
    receipt.tasks.iter().map(|task| (task.node.as_str(), task.fate)).collect()
}

#[actix::test]
async fn a_receipt_says_what_became_of_each_task_that_was_under_way() {
    for_each_journal(async |journal| {
        let stops = async |task: TaskContext, _: Any| {
            task.cancelled().await;
            Err::<(), _>(TaskError::new("told to stop"))
        };
        let finishes = async |task: TaskContext, _: Any| {
            task.cancelled().await;
            Ok::<_, TaskError>("done anyway")
        };
        let builder = runtime(&journal).handler("stops", stops).handler("finishes", finishes).never("hangs");
        let runtime = builder.start().unwrap();
        let edges = "s>x x:branch>stops x:branch>finishes x:branch>hangs x:branch>asked \
                     stops>join finishes>join hangs>join asked>join join>last last>e";
        let wide = chart(edges).outside("asked").outside("last").workflow();
        let execution = runtime.activate(&wide, ()).await.unwrap();
        settle().await;
        let receipt = execution.cancel("ann").await.unwrap();
        assert_eq!(receipt.status, ExecutionStatus::Cancelled);
        let expected = [
            ("stops", Fate::Stopped),
            ("finishes", Fate::FinishedAnyway),
            ("hangs", Fate::Aborted),
            ("asked", Fate::Closed),
        ];
        assert_eq!(fates(&receipt), expected);
        assert_eq!(receipt.tasks[0].task, task_of(execution.id(), &wide, "stops"));
        let outcome = execution.outcome().await.unwrap();
        assert_eq!(receipt.completed_at, outcome.completed_at);
        assert_eq!(outcome.decided_by, DecidedBy::Cancelled { by: "ann".into() });
        assert_eq!(outcome.end, End::Cancelled { by: "ann".into() });
    })
    .await;
}

#[actix::test]
async fn a_second_cancellation_joins_the_first() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).never("a").start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        settle().await;
        let cancel = |by: &'static str| {
            let execution = execution.clone();
            actix::spawn(async move { execution.cancel(by).await })
        };
        let (first, second) = (cancel("ann"), cancel("bob"));
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!first.is_finished(), "the handler has its grace");
        let third = cancel("cleo");
        let receipt = first.await.unwrap().unwrap();
        assert_eq!(second.await.unwrap().unwrap(), receipt);
        assert_eq!(third.await.unwrap().unwrap(), receipt);
        let outcome = execution.outcome().await.unwrap();
        assert_eq!(outcome.decided_by, DecidedBy::Cancelled { by: "ann".into() });
    })
    .await;
}

#[actix::test]
async fn what_has_ended_cannot_be_cancelled_and_says_how_it_ended() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).done("a").failing("b").start().unwrap();
        for (edges, status) in [("s>a a>e", ExecutionStatus::Completed), ("s>b b>e", ExecutionStatus::Failed)] {
            let execution = runtime.activate(&workflow(edges), ()).await.unwrap();
            execution.outcome().await.unwrap();
            assert_eq!(execution.cancel("ann").await, Err(CommandError::AlreadyTerminal(status)));
            assert_eq!(execution.status().await, Ok(status));
        }
    })
    .await;
}

#[actix::test]
async fn a_cancellation_that_comes_with_the_end_is_answered() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let ask = chart("s>a a>e").outside("a").workflow();
        let execution = runtime.activate(&ask, ()).await.unwrap();
        settle().await;
        let (reported, cancelled) =
            tokio::join!(runtime.complete_task(task_of(execution.id(), &ask, "a"), ()), execution.cancel("ann"));
        match execution.outcome().await.unwrap().status() {
            ExecutionStatus::Completed => {
                assert_eq!(reported, Ok(()));
                assert_eq!(cancelled, Err(CommandError::AlreadyTerminal(ExecutionStatus::Completed)));
            }
            status => {
                assert_eq!(cancelled.unwrap().status, status);
                reported.unwrap_err();
            }
        }
    })
    .await;
}

#[actix::test]
async fn what_is_unknown_is_not_found_by_any_command() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let id = runtime.new_execution_id();
        assert_eq!(runtime.cancel_execution(id, "ann").await, Err(CommandError::NotFound));
        assert_eq!(runtime.complete_execution(id, "ann").await, Err(CommandError::NotFound));
        assert_eq!(runtime.fail_execution(id, "ann", "so").await, Err(CommandError::NotFound));
        assert_eq!(runtime.give_verdict(id, "v", Verdict::Pass, "ann").await, Err(CommandError::NotFound));
        assert_eq!(runtime.release_execution(id).await, Err(CommandError::NotFound));
        assert_eq!(runtime.late_events(id).await, Err(CommandError::NotFound));
    })
    .await;
}

async fn waiting(runtime: &Runtime) -> ExecutionHandle {
    let execution = runtime.activate(&chart("s>a a>e").outside("a").workflow(), ()).await.unwrap();
    settle().await;
    execution
}

#[actix::test]
async fn an_operator_can_declare_an_execution_completed_or_failed_and_is_recorded() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let (completed, failed) = (waiting(&runtime).await, waiting(&runtime).await);
        runtime.complete_execution(completed.id(), "ann").await.unwrap();
        runtime.fail_execution(failed.id(), "bob", "  the customer left ").await.unwrap();
        let outcome = completed.outcome().await.unwrap();
        assert_eq!(outcome.status(), ExecutionStatus::Completed);
        assert_eq!(outcome.decided_by, DecidedBy::Operator { by: "ann".into() });
        let outcome = failed.outcome().await.unwrap();
        assert_eq!(outcome.error().unwrap().message(), "  the customer left ");
        assert_eq!(outcome.decided_by, DecidedBy::Operator { by: "bob".into() });
        assert!(runtime.open_tasks(None, 10).await.unwrap().tasks.is_empty());
    })
    .await;
}

#[actix::test]
async fn a_blank_reason_is_no_reason() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let execution = waiting(&runtime).await;
        for blank in ["", " \n\t"] {
            let refused = runtime.fail_execution(execution.id(), "ann", blank).await.unwrap_err();
            assert!(matches!(refused, CommandError::Invalid(_)), "{refused}");
        }
        assert_eq!(execution.status().await, Ok(ExecutionStatus::Running));
    })
    .await;
}

#[actix::test]
async fn what_has_ended_is_not_running_for_commands() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let execution = waiting(&runtime).await;
        execution.cancel("ann").await.unwrap();
        let refused = Err(CommandError::NotRunning(ExecutionStatus::Cancelled));
        assert_eq!(runtime.complete_execution(execution.id(), "ann").await, refused);
        assert_eq!(runtime.fail_execution(execution.id(), "ann", "so").await, refused);
        assert_eq!(runtime.release_execution(execution.id()).await, refused);
        let State::Ended(outcome) = execution.snapshot().await.unwrap().state else { panic!() };
        assert_eq!(outcome, *execution.outcome().await.unwrap());
    })
    .await;
}

#[actix::test]
async fn what_was_never_quarantined_is_not_released() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let execution = waiting(&runtime).await;
        let refused = runtime.release_execution(execution.id()).await.unwrap_err();
        assert!(matches!(refused, CommandError::Invalid(_)), "{refused}");
    })
    .await;
}

#[actix::test]
async fn a_verdict_is_taken_once_when_it_is_waited_for() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let judged =
            chart("s>a a>v v:pass>b v:fail>c v:refer>b b>e c>e").outside("a").outside("b").outside("c").workflow();
        let execution = runtime.activate(&judged, ()).await.unwrap();
        let id = execution.id();
        let verdict = async |node: &str| runtime.give_verdict(id, node, Verdict::Fail, "ann").await;
        assert_eq!(verdict("v").await, Err(CommandError::NotReady(NodeStatus::Pending)));
        assert!(matches!(verdict("a").await, Err(CommandError::Invalid(_))));
        assert_eq!(verdict("nowhere").await, Err(CommandError::UnknownNode("nowhere".to_owned())));

        runtime.complete_task(task_of(id, &judged, "a"), ()).await.unwrap();
        assert_eq!(verdict("v").await, Ok(()));
        assert_eq!(verdict("v").await, Err(CommandError::AlreadySettled(NodeStatus::Completed)));
        let open = runtime.open_tasks_of(id).await.unwrap();
        assert_eq!(open.iter().map(|task| task.node.as_str()).collect::<Vec<_>>(), ["c"]);

        runtime.complete_task(task_of(id, &judged, "c"), ()).await.unwrap();
        execution.outcome().await.unwrap();
        assert_eq!(verdict("v").await, Err(CommandError::AlreadyTerminal(ExecutionStatus::Completed)));
    })
    .await;
}
