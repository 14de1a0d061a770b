//! `finale run`: runs the workflow of a file to its end.

mod answers;
mod arguments;
mod ask;
mod error;
mod execute;
mod fitting;
mod kept;
mod left;
mod outside;
mod prepare;
mod refusal;
mod signals;
mod simulate;
#[cfg(test)]
mod tests;
mod unanswered;

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

use finale::actix::System;
use finale::{ExecutionStatus, Record};

pub(crate) use self::answers::{Answered, InAdvance};
pub(crate) use self::arguments::Arguments;
pub(crate) use self::ask::{Lines, read_lines};
pub(crate) use self::error::RunError;
pub(crate) use self::execute::{SHUTDOWN, interrupt, limits};
pub(crate) use self::fitting::check_answers;
pub(crate) use self::kept::close;
pub(crate) use self::left::end_leftover_commands;
pub(crate) use self::outside::{Followed, Outside, Surroundings, follow};
use self::prepare::Prepared;
pub(crate) use self::prepare::{Willing, check_handlers};
pub(crate) use self::signals::awaited_signal;
pub(crate) use self::simulate::Simulation;
use crate::cause::{self, Done};
use crate::exit::{self, CANCELLED, FAILED};
use crate::look::Look;
use crate::room::Room;
use crate::{console, processes, quote, report};

/// Runs a workflow and reports what came of it.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match try_to_run(arguments) {
        Ok(record) => ExitCode::from(exit_code(record.state.status())),
        Err(error) => {
            let code = fail(&error);
            if let Some(journal) = arguments.journal.as_ref().filter(|_| error.exit_code() == FAILED) {
                console::say(format_args!("if it had begun, go on with it: {}", quote::command("resume", journal, "")));
            }
            code
        }
    }
}

/// Says why nothing came of it.
pub(crate) fn fail(error: &RunError) -> ExitCode {
    match error {
        RunError::Faulty(faulty) => console::insist_rendered(&faulty.shown(Look::of_stderr())),
        error => console::complain(error),
    }
    ExitCode::from(error.exit_code())
}

fn try_to_run(arguments: &Arguments) -> Result<Record, RunError> {
    if arguments.quiet {
        console::be_quiet();
    }
    let prepared = Prepared::new(arguments, std::io::stdin().is_terminal())?;
    let lines = (prepared.outside == Outside::Asked).then(read_lines);
    processes::adopt_orphans();
    let record = System::new().block_on(execute::execute(&prepared, lines));
    processes::end_orphans();
    if let Some(kept) = &prepared.kept {
        kept.close()?;
    }
    let record = record?;
    let nodes = report::Shown::all_if(arguments.all_nodes);
    let written = match (arguments.json, arguments.quiet) {
        (true, _) => console::write(|out| report::write_json(&record, out)),
        (false, true) => Ok(()),
        (false, false) => console::write_text(|out| report::write_brief(&record, nodes, Room::of_output(), out)),
    };
    written.map_err(RunError::Write)?;
    let Prepared { workflow, simulation, handlers, .. } = &prepared;
    cause::say(&record, &Done { workflow, simulation, handlers });
    say_what_next(&record, prepared.kept.as_ref().map(|kept| &*kept.path));
    Ok(record)
}

/// A run that was interrupted comes to the same as one that was cancelled.
fn exit_code(status: ExecutionStatus) -> u8 {
    match status {
        ExecutionStatus::Running | ExecutionStatus::Ending => CANCELLED,
        status => exit::of_status(status),
    }
}

/// Says by which command one can go on from here.
fn say_what_next(record: &Record, journal: Option<&Path>) {
    match (record.state.status(), journal) {
        (ExecutionStatus::Running | ExecutionStatus::Ending, Some(journal)) => {
            console::say(format_args!("go on with it: {}", quote::command("resume", journal, "")));
        }
        (ExecutionStatus::Failed, None) => {
            console::insist("to look further: run it with `--journal FILE`, and `finale show` tells all of it");
        }
        (ExecutionStatus::Failed | ExecutionStatus::Quarantined, Some(journal)) => {
            console::insist(format_args!("see why: {}", quote::command("why", journal, record.id)));
            console::insist(format_args!("see all of it: {}", quote::command("show", journal, record.id)));
        }
        (_, Some(journal)) => {
            console::say(format_args!("see all of it: {}", quote::command("show", journal, record.id)));
        }
        (_, None) => {}
    }
}
