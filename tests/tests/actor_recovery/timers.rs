//! Moments that are waited for come as they would have come without the restart, and never early.

use std::sync::atomic::Ordering;
use std::time::Duration;

use finale::{ExecutionStatus, FailureClass, NewSignal, NodeStatus, Signal, TaskContext, TaskError, Wait};
use finale_core::record::DecidedBy;
use finale_tests::actor::{Any, Dummies, Gate, Passing, chart, only_failure, settle, workflow};
use finale_tests::lives::{Diary, for_each_restart, outcome};
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);

/// A handler that fails the first time.
fn flaky(diary: &Diary) -> impl Fn(TaskContext, Any) -> Passing + Send + Sync + 'static {
    let diary = diary.clone();
    move |task, _| {
        diary.note(&task);
        let busy = task.attempt() == 1;
        Box::pin(async move { if busy { Err(TaskError::new("busy")) } else { Ok(String::new()) } })
    }
}

/// How long after the failure of the first attempt the second one begins, if the application is down from 20 s on.
async fn second_attempt(down: Duration) -> Vec<Duration> {
    let found = std::sync::Mutex::new(Vec::new());
    for_each_restart(async |lives, how| {
        let diary = Diary::default();
        let flow = chart("s>a a>e").retry("a", 2, 60 * SECOND).workflow();
        let first = lives.next().handler("a", flaky(&diary)).start().expect("it starts");
        let id = first.activate(&flow, ()).await.expect("it is activated").id();
        let failed = Instant::now();
        sleep(20 * SECOND).await;
        drop(lives.restart(&first, how).await);
        sleep(down).await;
        let second = lives.next().handler("a", flaky(&diary)).start().expect("it starts");
        assert_eq!(outcome(&second, id).await.status(), ExecutionStatus::Completed);
        assert_eq!(diary.attempts("a"), [1, 2]);
        found.lock().expect("nobody panicked with it").push(diary.runs()[1].began - failed);
    })
    .await;
    found.into_inner().expect("nobody panicked with it")
}

#[actix::test]
async fn a_backoff_goes_on_until_the_moment_it_was_meant_to_end() {
    for after in second_attempt(10 * SECOND).await {
        assert!(after >= 60 * SECOND - Duration::from_millis(1), "{after:?} is too early");
        assert!(after < 61 * SECOND, "{after:?} is too late");
    }
}

#[actix::test]
async fn a_backoff_that_ended_while_the_application_was_down_is_over_at_once() {
    for after in second_attempt(100 * SECOND).await {
        assert!(after >= 120 * SECOND && after < 121 * SECOND, "{after:?}");
    }
}

#[actix::test]
async fn a_backoff_that_began_when_the_clock_was_ahead_takes_no_longer_than_itself() {
    for_each_restart(async |lives, how| {
        let diary = Diary::default();
        let flow = chart("s>a a>e").retry("a", 2, 60 * SECOND).workflow();
        let ahead = lives.faults();
        ahead.wall_clock.fetch_add(3_600_000_000, Ordering::Relaxed);
        let first = lives.next().faults(ahead).handler("a", flaky(&diary)).start().unwrap();
        let id = first.activate(&flow, ()).await.unwrap().id();
        settle().await;
        drop(lives.restart(&first, how).await);
        let second = lives.next().handler("a", flaky(&diary)).start().unwrap();
        let began = Instant::now();
        assert_eq!(outcome(&second, id).await.status(), ExecutionStatus::Completed);
        assert!(began.elapsed() < 61 * SECOND, "it took {:?}", began.elapsed());
        assert_eq!(diary.attempts("a"), [1, 2]);
    })
    .await;
}

#[actix::test]
async fn a_deadline_counts_the_time_that_the_application_was_down() {
    for_each_restart(async |lives, how| {
        let flow = chart("s>a a>e").outside("a").workflow();
        let first = lives.next().start().unwrap();
        let near = first.activate(&flow, ()).deadline(30 * SECOND).await.unwrap().id();
        let far = first.activate(&flow, ()).deadline(300 * SECOND).await.unwrap().id();
        let began = Instant::now();
        drop(lives.restart(&first, how).await);
        sleep(100 * SECOND).await;
        let second = lives.next().start().unwrap();
        let outcome_near = outcome(&second, near).await;
        assert_eq!(outcome_near.decided_by, DecidedBy::Deadline);
        assert!(began.elapsed() < 101 * SECOND);
        assert_eq!(outcome(&second, far).await.decided_by, DecidedBy::Deadline);
        let took = began.elapsed();
        assert!(took >= 300 * SECOND - Duration::from_millis(1) && took < 301 * SECOND, "{took:?}");
    })
    .await;
}

#[actix::test]
async fn the_timeout_of_a_task_outside_goes_on_and_fires_once() {
    for_each_restart(async |lives, how| {
        let flow = chart("s>a a>e").outside("a").timeout("a", 30 * SECOND).retry("a", 2, Duration::ZERO).workflow();
        let first = lives.next().start().unwrap();
        let id = first.activate(&flow, ()).await.unwrap().id();
        sleep(10 * SECOND).await;
        drop(lives.restart(&first, how).await);
        sleep(100 * SECOND).await;
        let (second, restarted) = (lives.next().start().unwrap(), Instant::now());
        sleep(Duration::from_millis(10)).await;
        let [task] = second.open_tasks_of(id).await.unwrap().try_into().unwrap();
        assert_eq!(task.attempt, 2, "the first timed out at once");
        let outcome = outcome(&second, id).await;
        assert_eq!(only_failure(&outcome).0, FailureClass::TimedOut);
        assert!(restarted.elapsed() >= 30 * SECOND, "the second attempt has its own time");
    })
    .await;
}

#[actix::test]
async fn a_delay_and_the_timeout_of_a_signal_count_the_time_that_the_application_was_down() {
    for_each_restart(async |lives, how| {
        let signal = Signal::named("paid").timeout(300 * SECOND);
        let flow = chart("s>w s>v w>e v>e").wait("w", Wait::Delay(30 * SECOND)).signal("v", signal).workflow();
        let first = lives.next().start().unwrap();
        let id = first.activate(&flow, ()).await.unwrap().id();
        let began = Instant::now();
        sleep(10 * SECOND).await;
        drop(lives.restart(&first, how).await);
        sleep(50 * SECOND).await;
        let second = lives.next().start().unwrap();
        sleep(Duration::from_millis(10)).await;
        let nodes = second.execution(id).await.unwrap().snapshot().await.unwrap().nodes;
        let waits: Vec<_> = nodes.iter().filter(|node| node.kind == "wait").map(|node| node.state.status()).collect();
        assert_eq!(waits, [NodeStatus::Completed, NodeStatus::Waiting]);
        assert_eq!(only_failure(&outcome(&second, id).await).0, FailureClass::TimedOut);
        let took = began.elapsed();
        assert!(took >= 300 * SECOND - Duration::from_millis(1) && took < 301 * SECOND, "{took:?}");
    })
    .await;
}

#[actix::test]
async fn signals_that_were_sent_before_a_restart_are_taken_after_it_and_not_counted_twice() {
    for_each_restart(async |lives, how| {
        let flow = chart("s>a a>w w>v v>e").outside("a").signal("w", "go").signal("v", "go").workflow();
        let first = lives.next().start().unwrap();
        let execution = first.activate(&flow, ()).await.unwrap();
        let signal = |says: u32| NewSignal::named("go").payload(says).id(format!("number {says}"));
        execution.send_signal(signal(1)).await.unwrap();
        let second = lives.restart(&first, how).await.start().unwrap();
        let execution = second.execution(execution.id()).await.unwrap();
        execution.send_signal(signal(1)).await.unwrap();
        execution.complete("a", ()).await.unwrap();
        assert_eq!(execution.why().await.unwrap().awaited[0].node, "v");
        execution.send_signal(signal(2)).await.unwrap();
        assert_eq!(outcome(&second, execution.id()).await.output::<u32>().unwrap(), 2);
    })
    .await;
}

#[actix::test]
async fn an_attempt_that_is_run_again_gets_its_whole_time() {
    for_each_restart(async |lives, how| {
        let gate = Gate::closed();
        let flow = chart("s>a a>e").timeout("a", 30 * SECOND).workflow();
        let first = lives.next().never("a").start().unwrap();
        let id = first.activate(&flow, ()).await.unwrap().id();
        sleep(20 * SECOND).await;
        let second = lives.restart(&first, how).await.gated("a", &gate).start().unwrap();
        sleep(20 * SECOND).await;
        assert_eq!(gate.inside(), 1);
        let outcome = outcome(&second, id).await;
        assert_eq!(only_failure(&outcome).0, FailureClass::TimedOut);
    })
    .await;
}

#[actix::test]
async fn the_grace_of_a_handler_dies_with_its_life() {
    for_each_restart(async |lives, how| {
        let first = lives.next().grace(600 * SECOND).never("a").start().unwrap();
        let execution = first.activate(&workflow("s>a a>e"), ()).await.unwrap();
        settle().await;
        let id = execution.id();
        let cancel = actix::spawn(async move { execution.cancel("me").await });
        settle().await;
        let second = lives.restart(&first, how).await.never("a").start().unwrap();
        let restarted = Instant::now();
        assert_eq!(outcome(&second, id).await.status(), ExecutionStatus::Cancelled);
        assert!(restarted.elapsed() < SECOND);
        cancel.abort();
    })
    .await;
}
