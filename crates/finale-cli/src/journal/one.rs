//! One execution of a journal.

use std::path::Path;

use clap::Args;
use finale::Summary;
use finale::journal::SqliteReader;

use super::{Place, Prefix, Problem};

/// Which execution, and how it is to be shown.
#[derive(Args, Debug)]
pub(crate) struct One {
    #[command(flatten)]
    place: Place,

    /// The execution: its id, or enough of its beginning.
    #[arg(value_name = "ID")]
    id: Prefix,

    /// Write it as one line of JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

impl One {
    /// The journal it is in.
    pub(crate) fn journal(&self) -> &Path {
        &self.place.path
    }

    /// Finds it.
    pub(crate) fn find(&self) -> Result<(SqliteReader, Summary), Problem> {
        let reader = self.place.read()?;
        let found = self.id.find(&reader, &self.place.path)?;
        Ok((reader, found))
    }
}
