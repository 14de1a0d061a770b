//! `finale run`: runs the workflow of a file to its end.

mod arguments;
mod ask;
mod error;
mod execute;
mod failing;
mod file;
mod outside;
mod prepare;
mod report;
mod simulate;
mod table;
#[cfg(test)]
mod tests;

use std::io::IsTerminal;
use std::process::ExitCode;

use finale::actix::System;
use finale::{ExecutionStatus, Record};

pub(crate) use self::arguments::Arguments;
use self::error::RunError;
use self::outside::Outside;
use self::prepare::Prepared;
use crate::console;

/// The exit code when an execution failed, or finale did.
const FAILED: u8 = 1;
/// The exit code when nothing was run because of what was handed in.
const BAD_INPUT: u8 = 2;
/// The exit code when the execution was cancelled.
const CANCELLED: u8 = 3;

/// Runs a workflow and reports what came of it.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match try_to_run(arguments) {
        Ok(record) => exit_code(record.state.status()),
        Err(error) => {
            console::complain(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

fn try_to_run(arguments: &Arguments) -> Result<Record, RunError> {
    let prepared = Prepared::new(arguments, std::io::stdin().is_terminal())?;
    let lines = (prepared.outside == Outside::Asked).then(ask::read_lines);
    let record = System::new().block_on(execute::execute(&prepared, lines))?;
    report::report(&record, arguments.json).map_err(RunError::Write)?;
    Ok(record)
}

fn exit_code(status: ExecutionStatus) -> ExitCode {
    match status {
        ExecutionStatus::Completed => ExitCode::SUCCESS,
        ExecutionStatus::Cancelled => ExitCode::from(CANCELLED),
        _ => ExitCode::from(FAILED),
    }
}
