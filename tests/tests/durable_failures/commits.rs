//! The first error of a write is the last: the journal takes nothing more until the application is started again.

use finale::journal::JournalError;
use finale::journal::sqlite::SqliteFaults;
use finale::{ActivateError, Filter};

use super::{ask, expect_all, runtime, until};

#[actix::test]
async fn nothing_is_acknowledged_after_a_commit_that_failed_and_all_before_it_is_there() {
    let (folder, faults) = (tempfile::tempdir().unwrap(), SqliteFaults::new());
    let runtime = runtime(folder.path(), &faults).start().unwrap();
    let mut acknowledged = Vec::new();
    for _ in 0..5 {
        acknowledged.push(runtime.activate(&ask(), ()).await.unwrap().id());
    }
    faults.fail_commit(1);
    let refused = runtime.activate(&ask(), ()).await.unwrap_err();
    assert!(matches!(&refused, ActivateError::Journal(JournalError::Failed(_))), "{refused:?}");
    for _ in 0..3 {
        let refused = runtime.activate(&ask(), ()).await.unwrap_err();
        assert!(matches!(&refused, ActivateError::Journal(JournalError::Failed(_))), "{refused:?}");
    }
    assert!(matches!(runtime.health().journal, Err(JournalError::Failed(_))));
    assert!(!runtime.health().is_well());
    let listed = runtime.executions(Filter::new()).await.unwrap().executions;
    assert_eq!(listed.len(), acknowledged.len(), "reads go on, and show what is durable");
    runtime.execution(acknowledged[0]).await.unwrap().snapshot().await.unwrap();
    runtime.shutdown(std::time::Duration::from_secs(5)).await;
    drop(runtime);
    expect_all(folder.path(), &acknowledged).await;
}

#[actix::test]
async fn a_commit_that_was_done_and_is_said_to_have_failed_acknowledges_nothing_and_loses_nothing() {
    let (folder, faults) = (tempfile::tempdir().unwrap(), SqliteFaults::new());
    let runtime = runtime(folder.path(), &faults).start().unwrap();
    let execution = runtime.activate(&ask(), ()).await.unwrap();
    until(|| runtime.health().journal.is_ok()).await;
    faults.fail_after_commit(1);
    let key = "once";
    let refused = runtime.activate(&ask(), 7).idempotency_key(key).await.unwrap_err();
    assert!(matches!(&refused, ActivateError::Journal(JournalError::Failed(_))), "{refused:?}");
    let acknowledged = [execution.id()];
    drop(execution);
    runtime.shutdown(std::time::Duration::from_secs(5)).await;
    drop(runtime);
    // Whoever was refused tries again, and it is the same execution whether it was there already or not.
    let runtime = super::runtime(folder.path(), &SqliteFaults::new()).start().unwrap();
    let again = runtime.activate(&ask(), 7).idempotency_key(key).await.unwrap();
    assert_eq!(runtime.executions(Filter::new()).await.unwrap().executions.len(), 2);
    let both = [acknowledged[0], again.id()];
    drop(again);
    runtime.shutdown(std::time::Duration::from_secs(5)).await;
    drop(runtime);
    expect_all(folder.path(), &both).await;
}
