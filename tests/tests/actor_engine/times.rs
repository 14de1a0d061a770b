//! How long attempts may wait, how long handlers may say nothing, and how far they say they are.

use std::time::Duration;

use finale::{BlockingContext, ExecutionHandle, ExecutionStatus, FailureClass, TaskContext, TaskError, TaskProgress};
use finale_tests::actor::{
    Any, Dummies, Gate, chart, for_each_journal, only_failure, outcome_of, runtime, settle, workflow,
};
use tokio::time::Instant;

const MINUTE: Duration = Duration::from_secs(60);

#[actix::test]
async fn an_attempt_that_waits_too_long_for_its_handler_has_timed_out() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let runtime = runtime(&journal).gated("a", &gate).handler_limit("a", 1).start().unwrap();
        let first = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        settle().await;
        let begin = Instant::now();
        let hasty = chart("s>a a>e").task("a", |task| task.times.queue = Some(MINUTE)).workflow();
        let outcome = outcome_of(&runtime, &hasty).await;
        assert_eq!(
            only_failure(&outcome),
            (FailureClass::TimedOut, "its handler could not begin within 1m".to_owned())
        );
        assert_eq!(begin.elapsed().as_secs(), 60);
        assert_eq!(gate.begun(), 1, "the handler never began");
        gate.open();
        assert_eq!(first.outcome().await.unwrap().status(), ExecutionStatus::Completed);
    })
    .await;
}

#[actix::test]
async fn a_handler_that_gives_no_sign_of_life_is_dropped_and_its_task_tried_again() {
    for_each_journal(async |journal| {
        let speaks = |task: TaskContext, _: Any| async move {
            if task.attempt() == 1 {
                tokio::time::sleep(MINUTE / 2).await;
                task.heartbeat();
                std::future::pending::<()>().await;
            }
            for part in 1..=5 {
                tokio::time::sleep(MINUTE / 2).await;
                if part % 2 == 0 { task.progress(0.2 * f64::from(part), "") } else { task.heartbeat() }
            }
            Ok::<_, TaskError>(task.attempt())
        };
        let runtime = runtime(&journal).handler("a", speaks).start().unwrap();
        let flow = chart("s>a a>e").retry("a", 2, Duration::ZERO);
        let flow = flow.task("a", |task| task.times.heartbeat = Some(MINUTE)).workflow();
        let begin = Instant::now();
        assert_eq!(outcome_of(&runtime, &flow).await.output::<u16>().unwrap(), 2);
        // The first one was silent for a minute after half of one; the second one takes two and a half.
        assert_eq!(begin.elapsed().as_secs(), 90 + 150);
    })
    .await;
}

#[actix::test]
async fn a_task_that_takes_too_long_in_all_has_its_handler_dropped() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).never("a").start().unwrap();
        let flow = chart("s>a a>e").retry("a", 9, Duration::ZERO).timeout("a", MINUTE);
        let flow = flow.task("a", |task| task.times.total = Some(150 * MINUTE / 60)).workflow();
        let begin = Instant::now();
        let outcome = outcome_of(&runtime, &flow).await;
        assert_eq!(only_failure(&outcome), (FailureClass::TimedOut, "not done within 2m30s in all".to_owned()));
        assert_eq!(begin.elapsed().as_secs(), 150);
    })
    .await;
}

async fn progress_of(execution: &ExecutionHandle, node: &str) -> Option<TaskProgress> {
    let record = execution.snapshot().await.expect("the runtime answers");
    record.nodes.into_iter().find(|other| other.id == node).expect("it has this node").progress
}

#[actix::test]
async fn a_snapshot_says_how_far_handlers_at_work_say_they_are() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let wait = gate.clone();
        let copies = move |task: TaskContext, input: Any| {
            let wait = wait.clone();
            async move {
                task.progress(0.1, "1 of 10 files");
                tokio::time::sleep(MINUTE).await;
                task.progress(0.4, "4 of 10 files");
                task.progress(7.0, "more than all");
                wait.handler()(task, input).await
            }
        };
        let runtime = runtime(&journal).handler("a", copies).never("b").start().unwrap();
        let execution =
            runtime.activate(&workflow("s>p p:branch>a p:branch>b a>join b>join join>e"), ()).await.unwrap();
        settle().await;
        assert_eq!(progress_of(&execution, "a").await, Some(TaskProgress::new(0.1, "1 of 10 files")));
        assert_eq!(progress_of(&execution, "b").await, None, "it says nothing");
        tokio::time::sleep(2 * MINUTE).await;
        assert_eq!(progress_of(&execution, "a").await, Some(TaskProgress::new(1.0, "more than all")));
        gate.open();
        settle().await;
        assert_eq!(progress_of(&execution, "a").await, None, "it is gone with the attempt");
        execution.cancel("ann").await.unwrap();
    })
    .await;
}

#[actix::test]
async fn a_blocking_handler_says_how_far_it_is_from_its_own_thread() {
    let (told, heard) = std::sync::mpsc::channel::<()>();
    let heard = std::sync::Mutex::new(heard);
    let counts = move |context: BlockingContext, _: Any| {
        context.progress(0.5, "half of it");
        heard.lock().unwrap().recv().map_err(|error| TaskError::new(error.to_string()))
    };
    let runtime =
        finale::Runtime::builder().shards(finale::Shards::Current).blocking_handler("a", counts).start().unwrap();
    let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
    while progress_of(&execution, "a").await.is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(progress_of(&execution, "a").await, Some(TaskProgress::new(0.5, "half of it")));
    told.send(()).unwrap();
    assert_eq!(execution.outcome().await.unwrap().status(), ExecutionStatus::Completed);
}
