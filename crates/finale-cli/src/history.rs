//! `finale history`: what happened to an execution.

use clap::Args;
use finale::{ExecutionId, offline};
use finale_core::fact::Described;
use serde::Serialize;

use crate::journal::{One, Problem};
use crate::room::Room;
use crate::{console, report};

const EXAMPLES: &str = "\
Examples:
  finale history --journal orders.db 0199b1c2-77aa
  finale history --journal orders.db 0199b1c2-77aa --json

With --json: {\"id\": ID, \"facts\": [{\"sequence\", \"at\", \"fact\", \"text\", ...}]}.";

/// The arguments of `finale history`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    one: One,
}

#[derive(Serialize)]
struct History<'a> {
    id: ExecutionId,
    facts: &'a [Described],
}

/// Shows the facts of an execution.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Problem> {
    let (reader, summary) = arguments.one.find()?;
    let facts = &offline::read(&reader, summary.id)?.history();
    match arguments.one.json {
        true => console::write(|out| report::write_json(&History { id: summary.id, facts }, out))?,
        false => console::write_text(|out| report::write_facts(facts, Room::of_output(), out))?,
    }
    Ok(())
}
