//! There is one shutdown: all who ask for it join it, and it goes on without them.

use std::sync::{Arc, mpsc};
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

/// A caller that has a thread of its own and no tokio runtime there.
#[test]
fn a_shutdown_can_be_awaited_without_a_tokio_runtime() {
    for (is_busy, deadline) in [(false, MINUTE), (true, Duration::from_millis(200))] {
        let system = actix::System::new();
        let runtime = system.block_on(async move {
            let runtime = Runtime::builder().shards(Shards::Own(2)).never("a").grace(Duration::ZERO).start().unwrap();
            if is_busy {
                runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
                while runtime.health().running_tasks == 0 {
                    actix::clock::sleep(Duration::from_millis(5)).await;
                }
            }
            runtime
        });
        let begun = std::time::Instant::now();
        let report = thread::spawn(move || wait_on_this_thread(runtime.shutdown(deadline))).join().unwrap();
        assert_eq!((report.dropped, report.unresponsive, report.gone), (usize::from(is_busy), 0, 0), "{report}");
        assert!(begun.elapsed() < MINUTE / 2, "{report}");
    }
}

/// Awaits something with no runtime of any kind.
fn wait_on_this_thread<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(thread::current())).into();
    let mut future = std::pin::pin!(future);
    loop {
        if let std::task::Poll::Ready(ready) = future.as_mut().poll(&mut std::task::Context::from_waker(&waker)) {
            return ready;
        }
        thread::park();
    }
}
