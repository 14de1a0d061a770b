//! A tool that holds the write lock of the database: it is waited for, and health says so.

use std::time::Duration;

use finale::journal::sqlite::SqliteFaults;
use rusqlite::Connection;

use super::{ask, expect_all, runtime, until};

#[actix::test]
async fn a_tool_that_holds_the_write_lock_is_waited_for_and_health_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = runtime(folder.path(), &SqliteFaults::new()).start().unwrap();
    let first = runtime.activate(&ask(), ()).await.unwrap().id();
    let tool = Connection::open(folder.path().join("journal.db")).unwrap();
    tool.busy_timeout(Duration::from_secs(30)).unwrap();
    tool.execute_batch("BEGIN IMMEDIATE").unwrap();
    let waiting: Vec<_> = (0..10).map(|_| actix::spawn(runtime.activate(&ask(), ()).start())).collect();
    until(|| runtime.health().journal_waiting.is_some_and(|waiting| waiting.what.contains("write lock"))).await;
    assert_eq!(runtime.health().journal, Ok(()));
    assert!(waiting.iter().all(|activation| !activation.is_finished()));
    tool.execute_batch("ROLLBACK").unwrap();
    let mut acknowledged = vec![first];
    for activation in waiting {
        acknowledged.push(activation.await.unwrap().unwrap().id());
    }
    until(|| runtime.health().journal_waiting.is_none()).await;
    drop(tool);
    runtime.shutdown(Duration::from_secs(5)).await;
    drop(runtime);
    expect_all(folder.path(), &acknowledged).await;
}
