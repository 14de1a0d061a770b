//! There is one shutdown: all who ask for it join it, and it goes on without them.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use finale::{ActivateError, ExecutionStatus, Runtime, Shards};
use finale_tests::actor::{Dummies, Gate, for_each_journal, runtime, settle, workflow};

const MINUTE: Duration = Duration::from_secs(60);

#[actix::test]
async fn all_who_shut_down_join_one_shutdown_and_hear_the_same() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).never("a").start().unwrap();
        runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        settle().await;
        let first = actix::spawn({
            let runtime = runtime.clone();
            async move { runtime.shutdown(MINUTE).await }
        });
        settle().await;
        let begin = tokio::time::Instant::now();
        let second = runtime.shutdown(Duration::from_secs(1)).await;
        assert!(begin.elapsed() > MINUTE / 2, "the deadline of the first one counts");
        let counts = |report: &finale::ShutdownReport| (report.unfinished, report.dropped, report.unresponsive);
        assert_eq!((counts(&first.await.unwrap()), counts(&second)), ((1, 1, 0), (1, 1, 0)));
        let third = runtime.shutdown(MINUTE).await;
        assert_eq!(counts(&third), (1, 1, 0), "also when it is over");
    })
    .await;
}

#[actix::test]
async fn a_shutdown_goes_on_without_its_caller() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let runtime = runtime(&journal).gated("a", &gate).start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        settle().await;
        // `Duration::MAX` does not overflow either.
        tokio::time::timeout(Duration::from_secs(1), runtime.shutdown(Duration::MAX)).await.unwrap_err();
        let refused = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap_err();
        assert!(matches!(refused, ActivateError::Stopped), "{refused:?}");
        gate.open();
        assert_eq!(execution.outcome().await.unwrap().status(), ExecutionStatus::Completed);
        let report = runtime.shutdown(MINUTE).await;
        assert_eq!((report.unfinished, report.dropped, report.unresponsive), (0, 0, 0));
    })
    .await;
}

#[test]
fn the_threads_of_a_runtime_go_on_when_the_system_stops() {
    let (begun, has_begun) = mpsc::channel();
    let system = thread::spawn(move || {
        let system = actix::System::new();
        system.block_on(async move {
            let runtime = Runtime::builder().shards(Shards::Own(2)).done("a").never("b").grace(Duration::ZERO);
            let runtime = runtime.start().unwrap();
            let execution = runtime.activate(&workflow("s>b b>e"), ()).await.unwrap();
            begun.send((runtime, execution)).unwrap();
            actix::System::current().stop();
        });
        system.run().unwrap();
    });
    let (runtime, execution) = has_begun.recv().unwrap();
    system.join().unwrap();
    let elsewhere = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    elsewhere.block_on(async {
        let other = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        assert_eq!(other.outcome().await.unwrap().status(), ExecutionStatus::Completed);
        assert_eq!(execution.cancel("me").await.unwrap().status, ExecutionStatus::Cancelled);
        let report = runtime.shutdown(Duration::from_secs(10)).await;
        assert_eq!((report.unfinished, report.dropped, report.unresponsive), (0, 0, 0));
    });
}
