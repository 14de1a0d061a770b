//! What came of an execution, for programs and for people.

use std::io::{self, Write};

use finale::Record;
use finale::core::record::{Counts, End, Outcome, State};

use super::table;
use crate::console;
use crate::text::{Lines, printable, shortened};

/// What is promised about the width of the report.
pub(crate) const COLUMNS_MAX: usize = 80;

/// Writes the record to the standard output.
pub(crate) fn report(record: &Record, json: bool) -> io::Result<()> {
    console::write(|out| if json { write_json(record, out) } else { write_summary(record, out) })
}

fn write_json(record: &Record, mut out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut out, record)?;
    writeln!(out)
}

fn write_summary(record: &Record, out: &mut dyn Write) -> io::Result<()> {
    let workflow = &record.workflow;
    let took = match &record.state {
        State::Ended(outcome) => format!(" in {}", table::duration(outcome.completed_at.since(record.created_at))),
        _ => String::new(),
    };
    let name = format!("{} {} ({})", workflow.name, workflow.version, workflow.id);
    writeln!(out, "{}{took}: {}", record.state.status(), printable(&name, Lines::Joined))?;
    writeln!(out, "execution  {}", record.id)?;
    writeln!(out, "tasks      {}", counts(&record.counts))?;
    if let State::Ended(outcome) = &record.state {
        write_end(outcome, out)?;
    }
    writeln!(out)?;
    table::write(&record.nodes, out)
}

fn write_end(outcome: &Outcome, out: &mut dyn Write) -> io::Result<()> {
    match &outcome.end {
        End::Completed { output } if output.is_null() => Ok(()),
        End::Completed { output } => {
            let output = String::from_utf8_lossy(output.as_bytes());
            writeln!(out, "output     {}", shortened(&output, COLUMNS_MAX - 11))
        }
        End::Failed { error } if error.failures().len() < 2 => {
            writeln!(out, "error      {}", printable(error.message(), Lines::Joined))
        }
        End::Failed { error } => {
            writeln!(out, "error      {} tasks failed, the first one is the cause", error.failures().len())?;
            let mut failures = error.failures().iter();
            failures.try_for_each(|failure| writeln!(out, "  {}", printable(&failure.to_string(), Lines::Joined)))
        }
        End::Cancelled { by } => writeln!(out, "cancelled  by {}", printable(by, Lines::Joined)),
    }
}

fn counts(counts: &Counts) -> String {
    let parts = [
        (counts.completed, "completed"),
        (counts.failed, "failed"),
        (counts.cancelled, "cancelled"),
        (counts.skipped, "skipped"),
        (counts.tolerated, "tolerated"),
    ];
    let said: Vec<_> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, name)| format!("{count} {name}")).collect();
    if said.is_empty() { counts.tasks.to_string() } else { format!("{}: {}", counts.tasks, said.join(", ")) }
}
