//! Files that rotted or were cut off: what is damaged is said so, and harms nothing else.

use std::fs;
use std::path::Path;
use std::time::Duration;

use finale::journal::sqlite::SqliteFaults;
use finale::journal::{JournalError, OpenProblem, SqliteJournal};
use finale::{ExecutionId, ExecutionStatus, Runtime, Shards};
use finale_tests::actor::Dummies;
use finale_tests::dice::Dice;
use finale_tests::tasks::task_of;

use super::{ask, runtime};

const EXECUTIONS: usize = 24;

/// A journal of executions that wait for somebody outside, closed in order: everything is in one file.
async fn written(folder: &Path) -> Vec<ExecutionId> {
    let runtime = runtime(folder, &SqliteFaults::new()).start().expect("the runtime starts");
    let mut acknowledged = Vec::new();
    for _ in 0..EXECUTIONS {
        acknowledged.push(runtime.activate(&ask(), ()).await.expect("it is activated").id());
    }
    runtime.shutdown(Duration::from_secs(5)).await;
    acknowledged
}

/// What became of the executions of a damaged journal.
#[derive(Debug, Default)]
struct Found {
    refused: usize,
    completed: usize,
    quarantined: usize,
    said: usize,
}

impl Found {
    async fn look(&mut self, folder: &Path, acknowledged: &[ExecutionId]) {
        let journal = match SqliteJournal::open(folder.join("journal.db")) {
            Ok(journal) => journal,
            Err(JournalError::Open { problem: OpenProblem::InUse { .. }, .. }) => panic!("nobody has it"),
            Err(_) => return self.refused += 1,
        };
        let builder = Runtime::builder().shards(Shards::Current).journal(journal).done("a");
        let Ok(runtime) = builder.start() else { return self.refused += 1 };
        for id in acknowledged {
            self.look_at(&runtime, *id).await;
        }
        runtime.shutdown(Duration::from_secs(5)).await;
    }

    /// It goes on as if nothing had happened, or it is said that it cannot.
    async fn look_at(&mut self, runtime: &Runtime, id: ExecutionId) {
        let Ok(execution) = runtime.execution(id).await else { return self.said += 1 };
        match execution.status().await {
            Ok(ExecutionStatus::Quarantined) => {
                assert!(execution.why().await.expect("it says why").error.is_some());
                self.quarantined += 1;
            }
            Ok(_) => match runtime.complete_task(task_of(id, &ask(), "b"), "done").await {
                Ok(()) => {
                    let outcome = execution.outcome().await.expect("it ends");
                    assert_eq!(outcome.output::<String>().expect("its output is its own"), "done");
                    self.completed += 1;
                }
                Err(_) => self.said += 1,
            },
            Err(_) => self.said += 1,
        }
    }
}

async fn damage(seed: u64, times: u64, hurt: impl Fn(&mut Vec<u8>, &mut Dice)) -> Found {
    let whole = tempfile::tempdir().expect("there is room for a folder");
    let acknowledged = written(whole.path()).await;
    let bytes = fs::read(whole.path().join("journal.db")).expect("there is a file");
    let (mut found, mut dice) = (Found::default(), Dice::new(seed));
    for _ in 0..times {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let mut damaged = bytes.clone();
        hurt(&mut damaged, &mut dice);
        fs::write(folder.path().join("journal.db"), damaged).expect("there is room for a file");
        found.look(folder.path(), &acknowledged).await;
    }
    found
}

#[actix::test]
async fn a_byte_that_rotted_harms_at_most_what_lies_there_and_is_said() {
    let found = damage(1, 100, |bytes, dice| {
        let place = dice.below(bytes.len());
        bytes[place] ^= 1 << dice.below(8);
    })
    .await;
    eprintln!("{found:?}");
    assert!(found.completed > 80 * EXECUTIONS, "most of it is not concerned: {found:?}");
}

#[actix::test]
async fn a_page_of_rubbish_is_said_and_brings_nothing_down() {
    let found = damage(2, 40, |bytes, dice| {
        let page = dice.below(bytes.len() / 4096) * 4096;
        bytes[page..page + 4096].iter_mut().for_each(|byte| *byte = dice.byte());
    })
    .await;
    eprintln!("{found:?}");
    assert!(found.refused + found.quarantined + found.said > 0, "it was noticed: {found:?}");
}

#[actix::test]
async fn a_file_that_was_cut_off_is_said_and_brings_nothing_down() {
    let found = damage(3, 40, |bytes, dice| bytes.truncate(dice.below(bytes.len()))).await;
    eprintln!("{found:?}");
    assert!(found.refused + found.quarantined + found.said > 0, "it was noticed: {found:?}");
}
