//! `finale show`: all that is known of an execution.

use clap::Args;
use finale::{Record, offline};
use serde::Serialize;

use crate::journal::{One, Problem};
use crate::room::Room;
use crate::{console, report};

const EXAMPLES: &str = "\
Examples:
  finale show --journal orders.db 0199b1c2-77aa
  finale show --journal orders.db 0199b1c2-77aa --json

With --json: the record that `finale run --json` writes, with `business_key` and `idempotency_key`.";

/// The arguments of `finale show`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    one: One,

    /// Also the nodes that only lead from one piece of work to the next.
    #[arg(long)]
    all_nodes: bool,
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    record: &'a Record,
    business_key: Option<&'a str>,
    idempotency_key: Option<&'a str>,
}

/// Shows an execution.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Problem> {
    let (reader, summary) = arguments.one.find()?;
    let record = &offline::read(&reader, summary.id)?.record();
    let (business_key, idempotency_key) = (summary.business_key.as_deref(), summary.idempotency_key.as_deref());
    match arguments.one.json {
        true => console::write(|out| report::write_json(&Shown { record, business_key, idempotency_key }, out))?,
        false => {
            let nodes = report::Shown::all_if(arguments.all_nodes);
            console::write_text(|out| report::write_all(record, &summary, nodes, Room::of_output(), out))?;
        }
    }
    Ok(())
}
