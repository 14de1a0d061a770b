//! `shutdown`: handlers may finish until the deadline, and nobody waits for what will not come.

use std::sync::mpsc;
use std::time::Duration;

use finale::journal::Acknowledgement;
use finale::{
    Abandoned, ActivateError, BlockingContext, CommandError, ExecutionStatus, Filter, ReportError, Shards, TaskContext,
    TaskError,
};
use finale_tests::actor::{
    Any, Dummies, Gate, chart, for_each_journal, for_each_journal_in_real_time, outcome_of, runtime, settle,
    with_journal, workflow,
};
use tokio::time::Instant;

const MINUTE: Duration = Duration::from_secs(60);

#[actix::test]
async fn a_shutdown_with_nothing_at_work_is_over_at_once() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).done("a").start().unwrap();
        outcome_of(&runtime, &workflow("s>a a>e")).await;
        let begin = Instant::now();
        let report = runtime.shutdown(MINUTE).await;
        assert_eq!((report.unfinished, report.dropped, report.unresponsive), (0, 0, 0));
        assert!(begin.elapsed() < Duration::from_secs(1));
    })
    .await;
}

#[actix::test]
async fn a_shutdown_keeps_its_deadline_with_a_handler_that_is_never_ready() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let runtime = runtime(&journal).gated("a", &gate).start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        settle().await;
        let outcome = actix::spawn(execution.outcome());
        let begin = Instant::now();
        let report = runtime.shutdown(MINUTE).await;
        assert!(begin.elapsed() >= MINUTE && begin.elapsed() < MINUTE + Duration::from_secs(1));
        assert_eq!((report.unfinished, report.dropped, report.unresponsive), (1, 1, 0));
        assert_eq!((outcome.await.unwrap(), gate.inside()), (Err(Abandoned), 0));
    })
    .await;
}

#[actix::test]
async fn a_shutdown_keeps_its_deadline_with_a_blocking_handler_that_is_stuck() {
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
        let runtime = runtime(&journal).shards(Shards::Own(2)).blocking_handler("a", stuck).start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        has_begun.recv().await.unwrap();
        let report = runtime.shutdown(Duration::from_millis(20)).await;
        assert_eq!((report.unfinished, report.dropped, report.unresponsive), (1, 1, 0));
        assert_eq!(execution.outcome().await, Err(Abandoned));
        drop(release);
    })
    .await;
}

#[actix::test]
async fn a_shutdown_does_not_wait_for_a_handler_that_keeps_its_thread_for_itself() {
    for_each_journal_in_real_time(async |journal| {
        let (begun, mut has_begun) = tokio::sync::mpsc::unbounded_channel();
        let (release, released) = mpsc::channel::<()>();
        let released = std::sync::Arc::new(std::sync::Mutex::new(released));
        let rude = move |_: TaskContext, _: Any| {
            let (begun, released) = (begun.clone(), std::sync::Arc::clone(&released));
            async move {
                begun.send(()).map_err(TaskError::new)?;
                let _ = released.lock().unwrap().recv();
                Ok(())
            }
        };
        let runtime = runtime(&journal).shards(Shards::Own(1)).handler("a", rude).start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        has_begun.recv().await.unwrap();
        let report = runtime.shutdown(Duration::from_millis(20)).await;
        assert_eq!((report.unfinished, report.dropped, report.unresponsive), (0, 0, 1));
        drop(release);
        // Its thread is free again and ends, and with it everything that was on it.
        let _: Result<_, Abandoned> = execution.outcome().await;
    })
    .await;
}

#[actix::test]
async fn handlers_may_finish_until_the_deadline_and_what_they_ended_is_told() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let runtime = runtime(&journal).gated("a", &gate).done("b").start().unwrap();
        let last = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        let not_last = runtime.activate(&workflow("s>a a>b b>e"), ()).await.unwrap();
        settle().await;
        let (begin, opening) = (Instant::now(), gate.clone());
        actix::spawn(async move {
            tokio::time::sleep(MINUTE / 2).await;
            opening.open();
        });
        let report = runtime.shutdown(MINUTE).await;
        assert!(begin.elapsed() < MINUTE / 2 + Duration::from_secs(1), "nobody is waited for any more");
        assert_eq!((report.unfinished, report.dropped, report.unresponsive), (1, 0, 0));
        assert_eq!(last.outcome().await.unwrap().status(), ExecutionStatus::Completed);
        assert_eq!(not_last.outcome().await, Err(Abandoned));
    })
    .await;
}

#[actix::test]
async fn what_handlers_finished_is_waited_for_until_it_is_durable() {
    with_journal(Acknowledgement::Immediate, async |journal| {
        let gate = Gate::closed();
        let runtime = runtime(&journal).gated("a", &gate).start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        settle().await;
        journal.set(Acknowledgement::Held);
        gate.open();
        settle().await;
        let slow = journal.clone();
        actix::spawn(async move {
            tokio::time::sleep(MINUTE / 2).await;
            slow.release();
        });
        let report = runtime.shutdown(MINUTE).await;
        assert_eq!(report.unfinished, 0);
        assert_eq!(execution.outcome().await.unwrap().status(), ExecutionStatus::Completed);
    })
    .await;
}

#[actix::test]
async fn a_journal_that_never_answers_does_not_hold_the_shutdown_up() {
    with_journal(Acknowledgement::Immediate, async |journal| {
        let gate = Gate::closed();
        let runtime = runtime(&journal).gated("a", &gate).start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        settle().await;
        journal.set(Acknowledgement::Held);
        gate.open();
        let activation = actix::spawn(runtime.activate(&workflow("s>a a>e"), ()).start());
        settle().await;
        let cancelling = execution.clone();
        let cancel = actix::spawn(async move { cancelling.cancel("me").await });
        settle().await;
        let begin = Instant::now();
        let report = runtime.shutdown(MINUTE).await;
        assert!(begin.elapsed() < MINUTE + Duration::from_secs(1));
        assert_eq!(report.unfinished, 2);
        assert_eq!(execution.outcome().await, Err(Abandoned));
        assert!(matches!(activation.await.unwrap(), Err(ActivateError::Stopped)));
        assert_eq!(cancel.await.unwrap(), Err(CommandError::Stopped));
    })
    .await;
}

#[actix::test]
async fn nothing_is_admitted_from_the_moment_of_the_shutdown() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let runtime = runtime(&journal).gated("a", &gate).done("b").start().unwrap();
        runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        settle().await;
        let stopping = runtime.clone();
        let shutdown = actix::spawn(async move { stopping.shutdown(MINUTE).await });
        settle().await;
        let during = runtime.activate(&workflow("s>b b>e"), ()).await;
        assert!(matches!(during, Err(ActivateError::Stopped)), "{during:?}");
        gate.open();
        assert_eq!(shutdown.await.unwrap().unfinished, 0);
        let after = runtime.activate(&workflow("s>b b>e"), ()).await;
        assert!(matches!(after, Err(ActivateError::Stopped)), "{after:?}");
    })
    .await;
}

#[actix::test]
async fn executions_that_wait_for_admission_are_refused() {
    for_each_journal(async |journal| {
        let limits = finale::Limits::new().active_executions_max(1);
        let runtime = runtime(&journal).limits(limits).done("a").start().unwrap();
        let flow = workflow("s>a a>e");
        let activations: Vec<_> = (0..10).map(|_| actix::spawn(runtime.activate(&flow, ()).start())).collect();
        let shutdown = actix::spawn(async move { runtime.shutdown(MINUTE).await });
        let mut refused = 0;
        for activation in activations {
            match activation.await.unwrap() {
                // It was admitted before; whatever became of it, who waits is told.
                Ok(execution) => drop(execution.outcome().await),
                Err(ActivateError::Stopped) => refused += 1,
                Err(other) => panic!("{other:?}"),
            }
        }
        assert!(refused > 0);
        shutdown.await.unwrap();
    })
    .await;
}

#[actix::test]
async fn tasks_that_wait_for_a_place_do_not_begin_during_a_shutdown() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let runtime = runtime(&journal).gated("a", &gate).handler_limit("a", 1).start().unwrap();
        for _ in 0..3 {
            runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        }
        settle().await;
        let opening = gate.clone();
        actix::spawn(async move {
            settle().await;
            opening.open();
        });
        let report = runtime.shutdown(MINUTE).await;
        assert_eq!((report.unfinished, report.dropped, gate.begun()), (2, 0, 1));
    })
    .await;
}

#[actix::test]
async fn whoever_asks_after_the_shutdown_is_told_that_it_is_over() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).done("a").start().unwrap();
        let ended = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        ended.outcome().await.unwrap();
        let execution = runtime.activate(&chart("s>a a>b b>e").outside("b").workflow(), ()).await.unwrap();
        settle().await;
        let [task] = runtime.open_tasks_of(execution.id()).await.unwrap().try_into().unwrap();
        let report = runtime.shutdown(MINUTE).await;
        assert_eq!((report.unfinished, report.dropped), (1, 0), "a task of somebody outside holds nothing up");
        settle().await;
        assert_eq!(runtime.complete_task(task.id, ()).await, Err(ReportError::Stopped));
        assert_eq!(execution.status().await, Err(CommandError::Stopped));
        assert_eq!(execution.cancel("me").await, Err(CommandError::Stopped));
        assert_eq!(runtime.executions(Filter::new()).await, Err(CommandError::Stopped));
        assert_eq!(runtime.open_tasks(None, 10).await, Err(CommandError::Stopped));
        assert_eq!(ended.status().await, Ok(ExecutionStatus::Completed), "its handle knows it");
    })
    .await;
}

#[actix::test]
async fn a_second_shutdown_is_over_with_the_first() {
    for_each_journal_in_real_time(async |journal| {
        // The second runtime also has what the first one left.
        for (shards, unfinished) in [(Shards::Current, 1), (Shards::Own(2), 2)] {
            let runtime = runtime(&journal).shards(shards).never("a").start().unwrap();
            runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
            let first = runtime.shutdown(Duration::from_millis(1)).await;
            assert_eq!((first.unfinished, first.unresponsive), (unfinished, 0));
            let begin = Instant::now();
            let second = runtime.shutdown(MINUTE).await;
            let counts = |report: finale::ShutdownReport| (report.unfinished, report.dropped, report.unresponsive);
            assert_eq!(counts(second), counts(first));
            assert!(begin.elapsed() < MINUTE / 2);
        }
    })
    .await;
}

#[actix::test]
async fn all_shards_are_stopped_and_counted() {
    for_each_journal_in_real_time(async |journal| {
        let (begun, mut has_begun) = tokio::sync::mpsc::unbounded_channel();
        let waiting = move |_: TaskContext, _: Any| {
            let begun = begun.clone();
            async move {
                begun.send(()).map_err(TaskError::new)?;
                std::future::pending::<Result<(), TaskError>>().await
            }
        };
        let runtime = runtime(&journal).shards(Shards::Own(3)).handler("a", waiting).start().unwrap();
        let mut executions = Vec::new();
        for _ in 0..9 {
            executions.push(runtime.activate(&workflow("s>a a>e"), ()).await.unwrap());
            has_begun.recv().await.unwrap();
        }
        let report = runtime.shutdown(Duration::from_millis(20)).await;
        assert_eq!((report.unfinished, report.dropped, report.unresponsive), (9, 9, 0));
        for execution in executions {
            assert_eq!(execution.outcome().await, Err(Abandoned));
        }
    })
    .await;
}
