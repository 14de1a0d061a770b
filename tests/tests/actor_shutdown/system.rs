//! An actix `System` that stops under a runtime: whoever waits on another thread is told, and the process is not hung.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use finale::{
    Abandoned, ActivateError, CommandError, ExecutionHandle, ExecutionStatus, ReportError, Runtime, Shards, StartError,
    TaskId,
};
use finale_tests::actor::{Dummies, Gate, chart, workflow};

/// Long enough for any machine; it only decides how long a test that hangs takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Short: the handler that is told to stop does not hear it.
const GRACE: Duration = Duration::from_millis(10);

/// A runtime in a System on a thread of its own, and what ends it.
struct Elsewhere {
    runtime: Runtime,
    execution: ExecutionHandle,
    task: TaskId,
    end: tokio::sync::oneshot::Sender<()>,
    thread: thread::JoinHandle<()>,
}

/// Starts an execution with a handler that is never ready and a task for somebody outside.
fn begin(shards: Shards, stops: bool) -> Elsewhere {
    let (begun, has_begun) = mpsc::channel();
    let (end, ends) = tokio::sync::oneshot::channel();
    let thread = thread::spawn(move || {
        let system = actix::System::new();
        system.block_on(async move {
            let runtime = Runtime::builder().shards(shards).grace(GRACE).never("a").start().expect("it starts");
            let flow = chart("s>a s>b a>join b>join join>e").outside("b").workflow();
            let execution = runtime.activate(&flow, ()).await.expect("it is activated");
            let task = loop {
                let open = runtime.open_tasks_of(execution.id()).await.expect("it runs");
                match open.first() {
                    Some(task) => break task.id,
                    None => tokio::task::yield_now().await,
                }
            };
            begun.send((runtime, execution, task)).expect("the test waits for it");
        });
        let ended = async move {
            // Dropped is as good as sent.
            let _ = ends.await;
        };
        if stops {
            system.block_on(async move { drop(actix::spawn(stop_after(ended))) });
            system.run().expect("it stops in order");
        } else {
            system.block_on(ended);
        }
    });
    let (runtime, execution, task) = has_begun.recv_timeout(PATIENCE).expect("it begins");
    Elsewhere { runtime, execution, task, end, thread }
}

async fn stop_after(ended: impl Future<Output = ()>) {
    ended.await;
    actix::System::current().stop();
}

/// Waits for something on a thread that has no runtime of its own.
fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("it can be built");
    runtime.block_on(async { tokio::time::timeout(PATIENCE, future).await.expect("nobody says anything") })
}

fn all_who_wait_are_told(shards: Shards, stops: bool) {
    let Elsewhere { runtime, execution, task, end, thread } = begin(shards, stops);
    let (waited, waiting) = (execution.clone(), execution.clone());
    let outcome = thread::spawn(move || wait(waited.outcome()));
    let cancel = thread::spawn(move || wait(waiting.cancel("me")));
    drop(end);
    thread.join().expect("the System ends");
    assert_eq!(outcome.join().expect("it does not hang"), Err(Abandoned));
    assert_eq!(cancel.join().expect("it does not hang"), Err(CommandError::Stopped));
    assert_eq!(wait(execution.outcome()), Err(Abandoned), "also those who ask afterwards");
    assert_eq!(wait(execution.status()), Err(CommandError::Stopped));
    assert_eq!(wait(runtime.complete_task(task, ())), Err(ReportError::Stopped));
    let refused = wait(runtime.activate(&workflow("s>a a>e"), ()).start());
    assert!(matches!(refused, Err(ActivateError::Stopped)), "{refused:?}");
    let report = wait(runtime.shutdown(Duration::from_secs(10)));
    assert_eq!((report.unfinished, report.dropped, report.unresponsive, report.gone), (1, 1, 0, 1));
    assert!(!report.is_orderly(), "a shutdown that finds its shards dead says so");
    let words = "not in order, 1 execution has not ended, 1 handler was dropped, 1 shard was gone before";
    assert_eq!(report.to_string(), words);
    assert_eq!(runtime.health().dead_shards, [0]);
}

#[test]
fn whoever_waits_is_told_when_the_system_of_the_runtime_is_dropped() {
    all_who_wait_are_told(Shards::Current, false);
}

#[test]
fn whoever_waits_is_told_when_the_system_of_the_runtime_stops() {
    all_who_wait_are_told(Shards::Current, true);
}

/// The threads of a runtime are its own: they may outlive the System, and then what waits is done.
#[test]
fn nobody_hangs_when_the_system_stops_under_the_threads_of_the_runtime() {
    let Elsewhere { runtime, execution, task, end, thread } = begin(Shards::Own(2), true);
    let (waited, waiting) = (execution.clone(), execution);
    let outcome = thread::spawn(move || wait(waited.outcome()));
    let cancel = thread::spawn(move || wait(waiting.cancel("me")));
    drop(end);
    thread.join().expect("the System ends");
    let cancelled = cancel.join().expect("it does not hang").is_ok();
    assert_eq!(outcome.join().expect("it does not hang").is_ok(), cancelled);
    let report = wait(runtime.shutdown(Duration::from_secs(10)));
    assert_eq!((report.unfinished, report.dropped, report.unresponsive, report.gone), (0, 0, 0, 0));
    assert!(report.is_orderly());
    assert_eq!(wait(runtime.complete_task(task, ())), Err(ReportError::Stopped));
    let refused = wait(runtime.activate(&workflow("s>a a>e"), ()).start());
    assert!(matches!(refused, Err(ActivateError::Stopped)), "{refused:?}");
}

#[test]
fn a_shutdown_whose_shards_go_meanwhile_says_so_at_once() {
    let Elsewhere { runtime, end, thread, .. } = begin(Shards::Current, true);
    let stopping = runtime.clone();
    let shutdown = thread::spawn(move || wait(stopping.shutdown(Duration::MAX)));
    // From then on the shard has heard of the shutdown.
    while wait(runtime.activate(&chart("s>b b>e").outside("b").workflow(), ()).start()).is_ok() {}
    drop(end);
    thread.join().expect("the System ends");
    let report = shutdown.join().expect("it does not hang");
    assert_eq!((report.dropped, report.unresponsive, report.gone), (1, 0, 1));
    assert!(report.unfinished >= 1, "{report}");
}

/// As in a `main` of actix-web: a signal stops the System, and `main` goes on after the server.
#[test]
fn shards_on_the_thread_of_main_outlive_a_system_that_only_stops() {
    actix::System::new().block_on(async {
        let gate = Gate::closed();
        let runtime = Runtime::builder().shards(Shards::Current).gated("a", &gate).start().expect("it starts");
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.expect("it is activated");
        let arbiter = actix::Arbiter::new();
        actix::System::current().stop();
        while arbiter.alive() || gate.inside() == 0 {
            tokio::task::yield_now().await;
        }
        let shutdown = actix::spawn(async move { runtime.shutdown(PATIENCE).await });
        gate.open();
        let report = shutdown.await.expect("it is not dropped");
        assert_eq!(report.to_string(), "in order");
        assert_eq!(execution.outcome().await.expect("it has ended").status(), ExecutionStatus::Completed);
    });
}

#[test]
fn without_a_system_a_runtime_is_not_started() {
    assert!(matches!(Runtime::builder().start(), Err(StartError::NoSystem)));
}
