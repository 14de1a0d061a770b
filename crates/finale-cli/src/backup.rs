//! `finale backup`: copies a journal, also while an application is at work on it.

use std::path::PathBuf;

use clap::Args;

use crate::console;
use crate::journal::{Place, Problem};

const EXAMPLES: &str = "\
Examples:
  finale backup --journal orders.db orders-monday.db
      copies the journal as it is now; whoever is at work on it goes on
  finale list --journal orders-monday.db
      a copy is a journal like any other: to restore it, put it in the place of the old one and delete the old one's -mark

The copy is checked. A file that is there already is not written over. Nothing is written to standard output.";

/// The arguments of `finale backup`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Place,

    /// The file that is to be the copy; it must not be there.
    #[arg(value_name = "TO")]
    to: PathBuf,
}

/// Copies a journal.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Problem> {
    arguments.place.read()?.backup(&arguments.to)?;
    console::say(format_args!("{} is a copy of {}", arguments.to.display(), arguments.place.path.display()));
    Ok(())
}
