//! What becomes of handlers when their execution is cancelled, and what the receipt says about it.

use std::sync::mpsc;
use std::time::Duration;

use finale::{BlockingContext, CancelReceipt, CommandError, ExecutionStatus, Fate, TaskContext, TaskError};
use finale_tests::actor::{
    Any, Dummies, Gate, chart, for_each_journal, for_each_journal_in_real_time, runtime, settle, workflow,
};
use tokio::time::Instant;

/// The grace when nobody says otherwise.
const GRACE: Duration = Duration::from_secs(2);

fn fates(receipt: &CancelReceipt) -> Vec<(&str, Fate)> {
    receipt.tasks.iter().map(|task| (task.node.as_str(), task.fate)).collect()
}

#[actix::test]
async fn an_execution_waits_for_a_handler_that_is_never_ready() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).never("a").start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1_000)).await;
        assert_eq!(execution.status().await.unwrap(), ExecutionStatus::Running);
        let why = execution.why().await.unwrap();
        assert_eq!((why.awaited.len(), why.awaited[0].what.as_str()), (1, "attempt 1 by handler a"));
    })
    .await;
}

#[actix::test]
async fn a_handler_that_does_not_stop_is_dropped_after_the_grace() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let runtime = runtime(&journal).gated("a", &gate).start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        settle().await;
        let begin = Instant::now();
        let receipt = execution.cancel("me").await.unwrap();
        assert_eq!(fates(&receipt), [("a", Fate::Aborted)]);
        assert_eq!((receipt.status, gate.inside()), (ExecutionStatus::Cancelled, 0));
        assert!(begin.elapsed() >= GRACE && begin.elapsed() < GRACE + Duration::from_millis(100));
    })
    .await;
}

#[actix::test]
async fn the_sweep_does_not_prolong_the_grace() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).never("a").sweep_interval(Duration::from_millis(100)).start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        settle().await;
        let begin = Instant::now();
        execution.cancel("me").await.unwrap();
        assert!(begin.elapsed() < GRACE + Duration::from_millis(50));
    })
    .await;
}

/// Waits until it is told to stop, at two places at once, and gives up then.
async fn heeding(task: TaskContext, _: Any) -> Result<(), TaskError> {
    let helper = task.clone();
    let helper = actix::spawn(async move { helper.cancelled().await });
    task.cancelled().await;
    helper.await.map_err(TaskError::new)?;
    Err(TaskError::new("told to stop"))
}

#[actix::test]
async fn a_handler_that_heeds_the_token_is_stopped_without_waiting_for_the_grace() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).handler("a", heeding).start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        settle().await;
        let begin = Instant::now();
        let receipt = execution.cancel("me").await.unwrap();
        assert_eq!(fates(&receipt), [("a", Fate::Stopped)]);
        assert!(begin.elapsed() < GRACE / 2);
    })
    .await;
}

#[actix::test]
async fn a_handler_that_finishes_within_the_grace_has_its_output_recorded() {
    for_each_journal(async |journal| {
        let finishing = async |task: TaskContext, _: Any| {
            task.cancelled().await;
            tokio::time::sleep(GRACE / 2).await;
            Ok::<_, TaskError>("done all the same")
        };
        let runtime = runtime(&journal).handler("a", finishing).start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        settle().await;
        let receipt = execution.cancel("me").await.unwrap();
        assert_eq!(fates(&receipt), [("a", Fate::FinishedAnyway)]);
        assert_eq!(receipt.status, ExecutionStatus::Cancelled);
        let record = execution.snapshot().await.unwrap();
        let a = record.nodes.iter().find(|node| node.id == "a").unwrap();
        let finale_core::record::NodeRecordState::Completed { output, .. } = &a.state else { panic!("{a:?}") };
        assert_eq!(output.decode::<String>().unwrap(), "done all the same");
    })
    .await;
}

#[actix::test]
async fn a_blocking_handler_that_never_returns_is_lost_after_the_grace() {
    for_each_journal_in_real_time(async |journal| {
        let (begun, mut has_begun) = tokio::sync::mpsc::unbounded_channel();
        let (release, released) = mpsc::channel::<()>();
        let released = std::sync::Mutex::new(released);
        let stuck = move |_: BlockingContext, _: Any| {
            begun.send(()).map_err(TaskError::new)?;
            // Ends with an error when the test drops the other end.
            let _ = released.lock().unwrap().recv();
            Ok(())
        };
        let runtime = runtime(&journal).blocking_handler("a", stuck).grace(Duration::from_millis(20)).start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        has_begun.recv().await.unwrap();
        let receipt = execution.cancel("me").await.unwrap();
        assert_eq!(fates(&receipt), [("a", Fate::Lost)]);
        assert_eq!(receipt.status, ExecutionStatus::Cancelled);
        drop(release);
    })
    .await;
}

#[actix::test]
async fn a_blocking_handler_that_looks_at_the_flag_is_stopped() {
    for_each_journal_in_real_time(async |journal| {
        let (begun, mut has_begun) = tokio::sync::mpsc::unbounded_channel();
        let looking = move |task: BlockingContext, _: Any| -> Result<(), TaskError> {
            begun.send(()).map_err(TaskError::new)?;
            while !task.is_cancelled() {
                std::thread::yield_now();
            }
            Err(TaskError::new("told to stop"))
        };
        let runtime = runtime(&journal).blocking_handler("a", looking).grace(Duration::from_secs(30)).start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        has_begun.recv().await.unwrap();
        assert_eq!(fates(&execution.cancel("me").await.unwrap()), [("a", Fate::Stopped)]);
    })
    .await;
}

#[actix::test]
async fn a_task_for_somebody_outside_is_closed_at_once() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let execution = runtime.activate(&chart("s>a a>e").outside("a").workflow(), ()).await.unwrap();
        settle().await;
        let begin = Instant::now();
        assert_eq!(fates(&execution.cancel("me").await.unwrap()), [("a", Fate::Closed)]);
        assert!(begin.elapsed() < Duration::from_millis(10));
        assert!(runtime.open_tasks_of(execution.id()).await.unwrap().is_empty());
    })
    .await;
}

#[actix::test]
async fn a_task_that_waits_for_a_place_is_closed_and_never_begins() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let runtime = runtime(&journal).gated("a", &gate).handler_limit("a", 1).start().unwrap();
        let first = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        let second = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        settle().await;
        assert_eq!(fates(&second.cancel("me").await.unwrap()), [("a", Fate::Closed)]);
        gate.open();
        assert_eq!(first.outcome().await.unwrap().status(), ExecutionStatus::Completed);
        settle().await;
        assert_eq!(gate.begun(), 1);
    })
    .await;
}

#[actix::test]
async fn a_second_cancellation_joins_the_first() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).never("a").start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        settle().await;
        let (first, second) = tokio::join!(execution.cancel("me"), execution.cancel("you"));
        assert_eq!(first.unwrap(), second.unwrap());
        let third = execution.cancel("them").await;
        assert_eq!(third, Err(CommandError::AlreadyTerminal(ExecutionStatus::Cancelled)));
    })
    .await;
}

#[actix::test]
async fn a_cancelled_task_has_its_handler_dropped_and_fails() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let runtime = runtime(&journal).gated("a", &gate).start().unwrap();
        let flow = chart("s>a a>e").task("a", |task| task.retry.attempts = 3).workflow();
        let execution = runtime.activate(&flow, ()).await.unwrap();
        settle().await;
        let record = execution.snapshot().await.unwrap();
        let task = record.nodes.iter().find_map(|node| node.task_id.filter(|_| node.id == "a")).unwrap();
        runtime.cancel_task(task, "me").await.unwrap();
        let failure = finale_tests::actor::only_failure(&execution.outcome().await.unwrap());
        assert_eq!(failure, (finale::FailureClass::Cancelled, "by me".to_owned()));
        settle().await;
        assert_eq!((gate.begun(), gate.inside()), (1, 0));
    })
    .await;
}
