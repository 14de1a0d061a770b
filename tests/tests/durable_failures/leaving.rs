//! After an orderly shutdown everything is in the one file, whoever still has a handle.

use std::fs;
use std::time::Duration;

use finale::journal::sqlite::SqliteFaults;

use super::{ask, expect_all, runtime};

#[actix::test]
async fn after_a_shutdown_a_copy_of_the_one_file_is_the_whole_journal_although_handles_live_on() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let runtime = runtime(folder.path(), &SqliteFaults::new()).start().unwrap();
    let another = runtime.clone();
    let mut acknowledged = Vec::new();
    for _ in 0..100 {
        acknowledged.push(runtime.activate(&ask(), ()).await.unwrap().id());
    }
    let report = runtime.shutdown(Duration::from_secs(30)).await;
    assert_eq!((report.unfinished, report.in_one_file, report.journal_left), (100, Some(true), true));
    fs::copy(folder.path().join("journal.db"), elsewhere.path().join("journal.db")).unwrap();
    expect_all(elsewhere.path(), &acknowledged).await;
    assert!(another.health().is_well());
}
