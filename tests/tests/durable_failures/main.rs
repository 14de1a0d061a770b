//! A disk that fails, hangs or is full: nothing is acknowledged that is not on it, and nothing that was is lost.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic, and says what it skips")]

mod commits;
mod full;
mod leaving;
mod lock;
mod moved;
mod rot;
mod stuck;

use std::path::Path;

use finale::journal::sqlite::SqliteFaults;
use finale::journal::{JournalError, OpenProblem, SqliteJournal};
use finale::{Builder, ExecutionId, ExecutionStatus, Runtime, Shards, Workflow};
use finale_tests::actor::{Dummies, chart};

/// A workflow that waits for somebody outside, after a handler has done something.
fn ask() -> Workflow {
    chart("s>a a>b b>e").outside("b").workflow()
}

/// A runtime in the making, on a journal in that folder.
fn runtime(folder: &Path, faults: &SqliteFaults) -> Builder {
    without_handlers(folder, faults).done("a")
}

fn without_handlers(folder: &Path, faults: &SqliteFaults) -> Builder {
    Runtime::builder().shards(Shards::Own(2)).journal(open(folder, faults))
}

/// Opens the journal. A runtime that was shut down may not have let go of it yet, where there is much else to do.
fn open(folder: &Path, faults: &SqliteFaults) -> SqliteJournal {
    let begun = std::time::Instant::now();
    loop {
        match SqliteJournal::builder(folder.join("journal.db")).faults(faults).open() {
            Err(JournalError::Open { problem: OpenProblem::InUse { .. }, .. }) if begun.elapsed().as_secs() < 30 => {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            opened => return opened.expect("the journal can be opened"),
        }
    }
}

/// Everything that was acknowledged is there after a restart, and comes to its end when the outside has done its part.
async fn expect_all(folder: &Path, acknowledged: &[ExecutionId]) {
    let runtime = runtime(folder, &SqliteFaults::new()).start().expect("the runtime starts again");
    for id in acknowledged {
        let execution = runtime.execution(*id).await.expect("what was acknowledged is there");
        let task = finale_tests::tasks::task_of(*id, &ask(), "b");
        runtime.complete_task(task, "done").await.expect("its task waits");
        let outcome = execution.outcome().await.expect("it ends");
        assert_eq!(outcome.status(), ExecutionStatus::Completed);
    }
    runtime.shutdown(std::time::Duration::from_secs(5)).await;
}

/// Waits until something holds that other threads bring about.
async fn until(mut holds: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !holds() {
        assert!(begun.elapsed().as_secs() < 30, "it never came about");
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
}
