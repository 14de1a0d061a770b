//! A task that brings the process down again and again is not run for ever.

use finale::{Builder, CommandError, ExecutionId, ExecutionStatus, Runtime};
use finale_tests::actor::{Dummies, Gate, settle, workflow};
use finale_tests::lives::{Diary, End, Lives, Noted, for_each_life, outcome};

const CRASHES: &str = "the process crashed 5 times while the same task was at work or waited for a limit";

/// Handlers that are noted and never done.
fn deadly(builder: Builder, diary: &Diary) -> Runtime {
    builder.noted_at("a b", diary, &Gate::closed()).done("c").start().expect("it starts")
}

/// Begins an execution and crashes that often over its task.
async fn crashed(lives: &Lives, diary: &Diary, times: usize) -> (Runtime, ExecutionId) {
    let mut runtime = deadly(lives.next(), diary);
    let id = runtime.activate(&workflow("s>a a>b b>e"), ()).await.expect("it is activated").id();
    settle().await;
    for _ in 0..times {
        runtime = deadly(lives.crash(), diary);
        settle().await;
    }
    (runtime, id)
}

async fn status(runtime: &Runtime, id: ExecutionId) -> ExecutionStatus {
    runtime.execution(id).await.expect("it is known").status().await.expect("it is known")
}

#[actix::test]
async fn the_fifth_crash_over_the_same_task_parks_it() {
    for_each_life(async |lives| {
        let diary = Diary::default();
        let (fourth, id) = crashed(&lives, &diary, 4).await;
        assert_eq!(status(&fourth, id).await, ExecutionStatus::Running);
        let mut runtime = deadly(lives.crash(), &diary);
        for how in [End::Shutdown, End::Crash, End::Shutdown] {
            settle().await;
            assert_eq!(diary.attempts("a"), [1, 2, 3, 4, 5]);
            assert_eq!(status(&runtime, id).await, ExecutionStatus::Quarantined);
            let why = runtime.execution(id).await.unwrap().why().await.unwrap();
            assert_eq!((why.error.as_deref(), runtime.health().quarantined), (Some(CRASHES), 1));
            let other = runtime.activate(&workflow("s>c c>e"), ()).await.unwrap();
            assert_eq!(other.outcome().await.unwrap().status(), ExecutionStatus::Completed);
            runtime = deadly(lives.restart(&runtime, how).await, &diary);
        }
    })
    .await;
}

/// Releases an execution that was parked, in a life that began like that, and crashes over it again.
async fn released(begins: Option<End>) {
    for_each_life(async |lives| {
        let diary = Diary::default();
        let (mut runtime, id) = crashed(&lives, &diary, 5).await;
        if let Some(how) = begins {
            runtime = deadly(lives.restart(&runtime, how).await, &diary);
            settle().await;
        }
        runtime.release_execution(id).await.expect("it is known");
        settle().await;
        assert_eq!(diary.attempts("a").last(), Some(&6));
        for attempt in 7..=10 {
            runtime = deadly(lives.crash(), &diary);
            settle().await;
            assert_eq!(status(&runtime, id).await, ExecutionStatus::Running, "attempt {attempt}");
            assert_eq!(diary.attempts("a").last(), Some(&attempt));
        }
        runtime = deadly(lives.crash(), &diary);
        settle().await;
        assert_eq!(status(&runtime, id).await, ExecutionStatus::Quarantined);
        let last = lives.crash().done("a b").start().expect("it starts");
        settle().await;
        last.release_execution(id).await.expect("it is known");
        assert_eq!(outcome(&last, id).await.status(), ExecutionStatus::Completed);
        let again = last.release_execution(id).await;
        assert_eq!(again, Err(CommandError::NotRunning(ExecutionStatus::Completed)));
    })
    .await;
}

#[actix::test]
async fn a_released_one_gets_as_many_crashes_again() {
    released(None).await;
}

#[actix::test]
async fn one_that_is_released_in_a_later_life_gets_as_many_crashes_again() {
    released(Some(End::Shutdown)).await;
}

#[actix::test]
async fn a_release_counts_when_it_is_answered() {
    for_each_life(async |lives| {
        let diary = Diary::default();
        let (runtime, id) = crashed(&lives, &diary, 5).await;
        lives.journal.set(finale::journal::Acknowledgement::Held);
        let release = actix::spawn(async move { runtime.release_execution(id).await });
        settle().await;
        assert!(!release.is_finished(), "it is not durable yet");
        lives.journal.release_up_to(1);
        release.await.unwrap().unwrap();
    })
    .await;
}

#[actix::test]
async fn an_operator_ends_it_for_good() {
    for_each_life(async |lives| {
        let diary = Diary::default();
        let (runtime, failed) = crashed(&lives, &diary, 5).await;
        runtime.fail_execution(failed, "me", "it kills us").await.unwrap();
        assert_eq!(outcome(&runtime, failed).await.error().unwrap().to_string(), "it kills us");
        let (runtime, cancelled) = crashed(&lives, &diary, 5).await;
        let receipt = runtime.cancel_execution(cancelled, "me").await.unwrap();
        assert_eq!(receipt.status, ExecutionStatus::Cancelled);
        let last = deadly(lives.crash(), &diary);
        assert_eq!(outcome(&last, failed).await.status(), ExecutionStatus::Failed);
        assert_eq!(outcome(&last, cancelled).await.status(), ExecutionStatus::Cancelled);
        assert_eq!((diary.attempts("a").len(), last.health().quarantined), (10, 0));
    })
    .await;
}

#[actix::test]
async fn orderly_shutdowns_do_not_count() {
    for_each_life(async |lives| {
        let diary = Diary::default();
        let (mut runtime, id) = crashed(&lives, &diary, 4).await;
        for _ in 0..6 {
            runtime = deadly(lives.restart(&runtime, End::Shutdown).await, &diary);
            settle().await;
        }
        assert_eq!(status(&runtime, id).await, ExecutionStatus::Running);
        let runtime = deadly(lives.crash(), &diary);
        settle().await;
        assert_eq!(status(&runtime, id).await, ExecutionStatus::Quarantined);
    })
    .await;
}

#[actix::test]
async fn each_task_has_its_own_count() {
    for_each_life(async |lives| {
        let diary = Diary::default();
        let (fourth, id) = crashed(&lives, &diary, 4).await;
        let builder =
            lives.restart(&fourth, End::Shutdown).await.noted("a", &diary).noted_at("b", &diary, &Gate::closed());
        let mut runtime = builder.start().unwrap();
        for _ in 0..4 {
            settle().await;
            assert_eq!(status(&runtime, id).await, ExecutionStatus::Running);
            runtime = deadly(lives.crash(), &diary);
        }
        settle().await;
        assert_eq!(status(&runtime, id).await, ExecutionStatus::Running);
        runtime = deadly(lives.crash(), &diary);
        settle().await;
        assert_eq!(status(&runtime, id).await, ExecutionStatus::Quarantined);
    })
    .await;
}

#[actix::test]
async fn how_many_crashes_are_too_many_can_be_chosen() {
    for_each_life(async |lives| {
        let first = lives.next().never("a").start().unwrap();
        let id = first.activate(&workflow("s>a a>e"), ()).await.unwrap().id();
        settle().await;
        let builder = lives.crash().limits(finale::Limits::new().crashes_max(1));
        let second = builder.never("a").start().unwrap();
        assert_eq!(status(&second, id).await, ExecutionStatus::Quarantined);
    })
    .await;
}
