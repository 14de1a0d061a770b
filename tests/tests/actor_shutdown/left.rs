//! What a runtime leaves behind when it has ended.

use std::time::Duration;

use finale::CommandError;
use finale::journal::SqliteJournal;
use finale::prelude::*;

/// An application keeps handles in a map, and clones of the runtime in its services.
#[actix::test]
async fn handles_and_clones_of_a_runtime_that_has_ended_do_not_keep_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("journal.db");
    let article = Workflow::builder("article").task("approve", Task::external()).build().unwrap();
    let empty = Workflow::builder("empty").build().unwrap();
    let mut kept = Vec::new();
    for shards in [Shards::Current, Shards::Own(2)] {
        let journal = SqliteJournal::open(&file).unwrap();
        let runtime = Runtime::builder().shards(shards).journal(journal).start().unwrap();
        let open = runtime.activate(&article, ()).await.unwrap();
        let ended = runtime.activate(&empty, ()).await.unwrap();
        ended.outcome().await.unwrap();
        let report = runtime.shutdown(Duration::from_secs(10)).await;
        assert!(report.is_orderly(), "{report}");
        assert!(matches!(ended.snapshot().await, Err(CommandError::Stopped)), "nobody reads for it any more");
        assert!(runtime.health().journal.is_ok());
        kept.push((runtime, open, ended));
    }
    SqliteJournal::open(&file).unwrap();
}
