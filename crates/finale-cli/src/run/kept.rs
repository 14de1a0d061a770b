//! A run that outlives its process.

use std::path::PathBuf;

use finale::journal::SqliteJournal;

use super::arguments::Arguments;
use super::error::RunError;
use crate::journal::{is_parked, live, open};

/// Where an execution is kept.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) path: PathBuf,
    pub(crate) journal: SqliteJournal,
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
        // The runtime would go on with them, and do their tasks as it is told to do those of this file.
        let count = live(&journal)?.iter().filter(|live| !is_parked(live)).count();
        if count > 0 {
            return Err(RunError::Unfinished { journal: path, count });
        }
        Ok(Some(Self { path, journal }))
    }
}
