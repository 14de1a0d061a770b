//! `finale retry-quarantined`: has executions looked at again that are quarantined.

use std::sync::mpsc::{Receiver, channel};

use clap::Args;
use finale::journal::{Journal, JournalError, JournalReader, Listener, Position, Quarantine, SqliteJournal, Writer};
use finale::{ExecutionId, ExecutionStatus};

use crate::journal::{Place, Prefix, Problem, live};
use crate::{console, quote};

const EXAMPLES: &str = "\
Examples:
  finale retry-quarantined --journal orders.db
      all that are quarantined
  finale retry-quarantined --journal orders.db 0199b1c2-77aa 0199b1c3
      these two

They stay quarantined until the application or `finale resume` starts on the journal and looks at them. No application
may be at work on the journal; one that is has `Runtime::release_execution`. The ids go to standard output.";

/// The arguments of `finale retry-quarantined`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Place,

    /// The executions: their ids, or enough of their beginnings; all that are quarantined if there are none.
    #[arg(value_name = "ID")]
    ids: Vec<Prefix>,
}

/// Releases executions.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Problem> {
    let journal = arguments.place.write()?;
    let chosen = chosen(&journal, arguments)?;
    if chosen.is_empty() {
        console::say("nothing is quarantined");
        return Ok(());
    }
    release(&journal, &chosen)?;
    console::write(|out| chosen.iter().try_for_each(|id| writeln!(out, "{id}")))?;
    let resume = quote::command("resume", &arguments.place.path, "");
    console::say(format_args!("they are looked at again by the application, or by {resume}"));
    Ok(())
}

fn chosen(journal: &SqliteJournal, arguments: &Arguments) -> Result<Vec<ExecutionId>, Problem> {
    if arguments.ids.is_empty() {
        let quarantined = live(journal)?.into_iter().filter(|live| live.quarantine.is_some());
        return Ok(quarantined.map(|live| live.id).collect());
    }
    let mut chosen = Vec::new();
    for prefix in &arguments.ids {
        let summary = prefix.find(journal, &arguments.place.path)?;
        if summary.status != ExecutionStatus::Quarantined {
            return Err(Problem::NotQuarantined { id: summary.id, status: summary.status });
        }
        chosen.push(summary.id);
    }
    Ok(chosen)
}

fn release(journal: &SqliteJournal, chosen: &[ExecutionId]) -> Result<(), JournalError> {
    journal.health()?;
    let claim = journal.claim()?;
    let (tell, told) = channel();
    // Nobody listens any more when everything is durable.
    let listener = Listener::new(move |watermark| drop(tell.send(watermark)));
    let mut writer = journal.writer(claim.epoch, 0, listener)?;
    let released = release_all(&mut *writer, chosen, &told);
    drop(writer);
    released?;
    // What was at work when a process crashed was lost, and the next runtime must hear of that from this claim.
    if claim.crashed { Ok(()) } else { journal.release(claim.epoch).map(drop) }
}

/// Returns when it is durable.
fn release_all(
    writer: &mut dyn Writer,
    chosen: &[ExecutionId],
    told: &Receiver<Result<Position, JournalError>>,
) -> Result<(), JournalError> {
    let quarantine = Quarantine { reason: "released by an operator".into(), until_released: false };
    let mut awaited = None;
    for id in chosen {
        let appended = writer.quarantine(*id, Some(&quarantine))?;
        awaited = (!appended.durable).then_some(appended.position);
    }
    let Some(awaited) = awaited else {
        return Ok(());
    };
    for watermark in told {
        if watermark? >= awaited {
            return Ok(());
        }
    }
    Err(JournalError::Failed("it ended before everything was durable".into()))
}
