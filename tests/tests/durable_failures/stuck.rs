//! A disk that does not answer: nothing is acknowledged, everything else goes on.

use std::time::{Duration, Instant};

use finale::journal::SqliteJournal;
use finale::journal::sqlite::SqliteFaults;
use finale::{Filter, Health};
use finale_tests::actor::Gate;
use futures_util::FutureExt;

use super::{ask, expect_all, runtime, until, without_handlers};

#[actix::test]
async fn while_the_disk_hangs_nothing_is_acknowledged_or_begun_and_reads_and_health_go_on() {
    let (folder, faults, gate) = (tempfile::tempdir().unwrap(), SqliteFaults::new(), Gate::closed());
    let builder = without_handlers(folder.path(), &faults).handler("a", gate.handler());
    let runtime = builder.sweep_interval(Duration::from_millis(5)).start().unwrap();
    let before = runtime.activate(&ask(), ()).await.unwrap().id();
    until(|| gate.begun() == 1).await;
    faults.hold();
    let waiting: Vec<_> = (0..20).map(|_| actix::spawn(runtime.activate(&ask(), ()).start())).collect();
    until(|| runtime.health().journal_lag.is_some_and(|lag| lag > Duration::from_millis(20))).await;
    assert!(waiting.iter().all(|activation| !activation.is_finished()));
    assert_eq!(gate.begun(), 1, "no handler begins");
    assert_eq!(runtime.executions(Filter::new()).await.unwrap().executions.len(), 1, "reads go on");
    let Health { journal, .. } = runtime.health();
    assert_eq!(journal, Ok(()), "it has not failed: it may still answer");
    faults.release();
    let mut acknowledged = vec![before];
    for activation in waiting {
        acknowledged.push(activation.await.unwrap().unwrap().id());
    }
    gate.open();
    until(|| gate.begun() == acknowledged.len()).await;
    runtime.shutdown(Duration::from_secs(5)).await;
    drop(runtime);
    expect_all(folder.path(), &acknowledged).await;
}

#[actix::test]
async fn a_shutdown_holds_its_deadline_while_the_disk_hangs() {
    let (folder, faults) = (tempfile::tempdir().unwrap(), SqliteFaults::new());
    let runtime = runtime(folder.path(), &faults).start().unwrap();
    let acknowledged = runtime.activate(&ask(), ()).await.unwrap().id();
    faults.hold();
    let waiting = actix::spawn(runtime.activate(&ask(), ()).start());
    tokio::task::yield_now().await;
    let begun = Instant::now();
    runtime.shutdown(Duration::from_millis(100)).await;
    assert!(begun.elapsed() < Duration::from_secs(4), "it took {:?}", begun.elapsed());
    assert!(waiting.await.unwrap().is_err(), "nobody was told that it is durable");
    faults.release();
    drop(runtime);
    // The deadline passed with a commit under way: its thread leaves the file when the disk has answered.
    until(|| SqliteJournal::builder(folder.path().join("journal.db")).open().is_ok()).await;
    expect_all(folder.path(), &[acknowledged]).await;
}

#[actix::test]
async fn a_reader_of_events_that_is_dropped_again_and_again_misses_none() {
    let (folder, faults) = (tempfile::tempdir().unwrap(), SqliteFaults::new());
    let runtime = runtime(folder.path(), &faults).start().unwrap();
    let execution = runtime.activate(&ask(), ()).await.unwrap();
    while runtime.open_tasks_of(execution.id()).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    faults.hold();
    let reporting = execution.clone();
    let report = actix::spawn(async move { reporting.complete("b", "done").await });
    until(|| runtime.health().journal_lag.is_some()).await;
    // What was decided is not durable: it is read when it is.
    let mut events = execution.events().await.unwrap();
    faults.release();
    let mut seen = Vec::new();
    loop {
        match events.next().now_or_never() {
            Some(Ok(Some(event))) => seen.push(event),
            Some(end) => break assert_eq!(end, Ok(None)),
            None => tokio::task::yield_now().await,
        }
    }
    report.await.unwrap().unwrap();
    let (mut events, mut all) = (execution.events().await.unwrap(), Vec::new());
    while let Some(event) = events.next().await.unwrap() {
        all.push(event);
    }
    assert_eq!(seen, all);
    runtime.shutdown(Duration::from_secs(5)).await;
}
