//! What the commands on a journal have in common.

mod error;
mod one;
mod prefix;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use finale::journal::{JournalError, JournalReader, LiveExecution, SqliteBuilder, SqliteJournal, SqliteReader};

pub(crate) use self::error::Problem;
pub(crate) use self::one::One;
pub(crate) use self::prefix::{NoId, Prefix};
use crate::console;

/// How many executions are read from a journal at once.
const PAGE: usize = 1_000;

/// Where a journal is.
#[derive(Args, Debug)]
pub(crate) struct Place {
    /// The journal: a SQLite file.
    #[arg(long = "journal", value_name = "FILE")]
    pub(crate) path: PathBuf,

    /// Take it even if what was acknowledged last is missing: what is there is older than that.
    #[arg(long)]
    accept_lost_tail: bool,
}

impl Place {
    /// Opens it to read what is there; another process may be at work on it.
    pub(crate) fn read(&self) -> Result<SqliteReader, JournalError> {
        let mut builder = SqliteReader::builder(&self.path);
        if self.accept_lost_tail {
            builder = builder.accept_lost_tail();
        }
        let reader = builder.open()?;
        if let lost @ 1.. = reader.lost_batches() {
            let batches = if lost == 1 { "batch is" } else { "batches are" };
            console::insist(format_args!(
                "this is an older state: {lost} acknowledged {batches} missing at the end of {}",
                self.path.display()
            ));
        }
        Ok(reader)
    }

    /// Opens it to write, if it is there.
    pub(crate) fn write(&self) -> Result<SqliteJournal, JournalError> {
        // Whoever writes creates what is missing, and a slip in the name is no wish for a new journal.
        self.read()?;
        open(SqliteJournal::builder(&self.path), self.accept_lost_tail)
    }
}

/// Opens a journal to write.
pub(crate) fn open(mut builder: SqliteBuilder, accept_lost_tail: bool) -> Result<SqliteJournal, JournalError> {
    if accept_lost_tail {
        builder = builder.accept_lost_tail();
    }
    builder.open()
}

/// The executions that have not ended, oldest first.
pub(crate) fn live(reader: &impl JournalReader) -> Result<Vec<LiveExecution>, JournalError> {
    let mut found = Vec::new();
    loop {
        let page = reader.live(found.last().map(|live: &LiveExecution| live.id), PAGE)?;
        let last = page.len() < PAGE;
        found.extend(page);
        if last {
            return Ok(found);
        }
    }
}

/// Whether a runtime leaves it where it is.
pub(crate) fn is_parked(live: &LiveExecution) -> bool {
    live.quarantine.as_ref().is_some_and(|quarantine| quarantine.until_released)
}

/// Says why nothing came of a command, if so.
pub(crate) fn finish(result: Result<(), Problem>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            console::complain(&problem);
            ExitCode::from(problem.exit_code())
        }
    }
}
