//! A run that outlives its process.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use finale::ExecutionId;
use finale::journal::{JournalError, JournalReader, SqliteJournal};

use super::arguments::Arguments;
use super::error::RunError;
use super::left::end_leftover_commands;
use crate::journal::{is_parked, live, open};
use crate::run_file::RunFile;

/// Where an execution is kept.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) path: PathBuf,
    pub(crate) journal: SqliteJournal,
    pub(crate) run_file: Arc<RunFile>,
}

impl Kept {
    /// Opens the journal that was named, if one was.
    pub(crate) fn open(arguments: &Arguments) -> Result<Option<Self>, RunError> {
        let Some(path) = arguments.journal.clone() else {
            return Ok(None);
        };
        let durability = arguments.durability.unwrap_or_default();
        let builder = SqliteJournal::builder(&path).durability(durability);
        let journal = open(builder, arguments.accept_lost_tail)?;
        let open = live(&journal)?;
        // The runtime would go on with them, and do their tasks as it is told to do those of this file.
        let count = open.iter().filter(|live| !is_parked(live)).count();
        if count > 0 {
            return Err(RunError::Unfinished { journal: path, count });
        }
        let open: HashSet<ExecutionId> = open.iter().map(|live| live.id).collect();
        let run_file = Arc::new(RunFile::open(&path, |id| open.contains(&id))?);
        end_leftover_commands(&run_file)?;
        Ok(Some(Self { path, journal, run_file }))
    }

    /// Removes from the run file what no later process needs.
    pub(crate) fn close(&self) -> Result<(), JournalError> {
        close(&self.run_file, &self.journal)
    }
}

/// Removes from the run file what no later process needs.
pub(crate) fn close(run_file: &RunFile, journal: &impl JournalReader) -> Result<(), JournalError> {
    let open: HashSet<ExecutionId> = live(journal)?.iter().map(|live| live.id).collect();
    run_file.close(|id| open.contains(&id));
    Ok(())
}
