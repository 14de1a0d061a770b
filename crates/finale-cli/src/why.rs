//! `finale why`: what an execution waits for, or why it ended so.

use clap::Args;
use finale::{ExecutionId, ExecutionStatus, offline};
use finale_core::execution::Why;
use serde::Serialize;

use crate::journal::{One, Problem};
use crate::room::Room;
use crate::{console, quote, report};

const EXAMPLES: &str = "\
Examples:
  finale why --journal orders.db 0199b1c2-77aa
  finale why --journal orders.db 0199b1c2-77aa --json

With --json: {\"id\", \"status\", \"decided_by\", \"error\", \"awaited\": [...], \"awaited_more\"}.";

/// The arguments of `finale why`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    one: One,
}

#[derive(Serialize)]
struct Shown<'a> {
    id: ExecutionId,
    #[serde(flatten)]
    why: &'a Why,
}

/// Says why an execution is where it is.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Problem> {
    let (reader, summary) = arguments.one.find()?;
    let why = &offline::why(&reader, summary.id)?;
    match arguments.one.json {
        true => console::write(|out| report::write_json(&Shown { id: summary.id, why }, out))?,
        false => console::write_text(|out| report::write_why(summary.id, why, Room::of_output(), out))?,
    }
    if why.status == ExecutionStatus::Quarantined {
        let retry = quote::command("retry-quarantined", arguments.one.journal(), summary.id);
        console::say(format_args!("have it looked at again: {retry}"));
    }
    Ok(())
}
