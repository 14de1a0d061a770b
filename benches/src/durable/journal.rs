//! Opening the journal that is measured.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use finale::journal::{Durability, JournalError, OpenProblem, SqliteJournal};

/// How long threads of a runtime that was shut down may take to let go of its journal.
const PATIENCE: Duration = Duration::from_secs(30);

/// A journal, and when its opening began.
pub(crate) struct Opened {
    pub(crate) journal: SqliteJournal,
    pub(crate) began: Instant,
}

/// Opens a journal, once nobody else has it.
pub(crate) fn open(path: &Path, durability: Durability) -> Result<Opened, JournalError> {
    let until = Instant::now() + PATIENCE;
    loop {
        let began = Instant::now();
        match SqliteJournal::builder(path).durability(durability).open() {
            Err(JournalError::Open { problem: OpenProblem::InUse { .. }, .. }) if began < until => {
                thread::sleep(Duration::from_millis(1));
            }
            opened => return opened.map(|journal| Opened { journal, began }),
        }
    }
}
