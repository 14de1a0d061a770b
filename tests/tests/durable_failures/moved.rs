//! Files that are taken away under a running application.

use std::fs;
use std::time::Duration;

use finale::ActivateError;
use finale::journal::JournalError;
use finale::journal::sqlite::SqliteFaults;

use super::{ask, expect_all, runtime, until};

#[actix::test]
async fn a_file_that_is_moved_away_stops_the_runtime_and_put_back_it_has_everything() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = runtime(folder.path(), &SqliteFaults::new()).start().unwrap();
    let acknowledged = runtime.activate(&ask(), ()).await.unwrap().id();
    let (path, away) = (folder.path().join("journal.db"), folder.path().join("away.db"));
    fs::rename(&path, &away).unwrap();
    // Nobody has to write for it to be noticed.
    until(|| !runtime.health().is_well()).await;
    assert!(matches!(runtime.health().journal, Err(JournalError::FileReplaced { .. })));
    let refused = runtime.activate(&ask(), ()).await.unwrap_err();
    assert!(matches!(refused, ActivateError::Journal(JournalError::FileReplaced { .. })), "{refused:?}");
    runtime.shutdown(Duration::from_secs(5)).await;
    drop(runtime);
    fs::rename(away, path).unwrap();
    expect_all(folder.path(), &[acknowledged]).await;
}
