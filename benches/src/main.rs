//! `cargo run --release -p finale-benches`: see the library for what it measures and why.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use finale_benches::contender::{self, BoxError};
use finale_benches::report::{self, Report};
use finale_benches::scale::Scale;
use finale_benches::{memory, text};

/// Measures finale beside a hand-written loop and bare actix.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Print one JSON document instead of tables
    #[arg(long)]
    json: bool,
    /// Only check that every result is right: takes seconds, judges no times
    #[arg(long)]
    quick: bool,
    #[command(subcommand)]
    command: Option<Part>,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// Print the bytes for each of so many waiting executions of ten tasks
    Memory {
        /// Whose
        contender: String,
        /// How many
        #[arg(value_parser = clap::value_parser!(u32).range(1..))]
        executions: u32,
    },
}

/// Fails when a result is wrong, never because of a time.
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.command {
        Some(Part::Memory { contender, executions }) => print_memory(contender, *executions as usize),
        None => measure_all(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(error.as_ref());
            ExitCode::FAILURE
        }
    }
}

/// With all that led to it.
fn print_error(error: &(dyn Error + 'static)) {
    eprintln!("{error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("  because: {error}");
        cause = error.source();
    }
}

fn measure_all(arguments: &Arguments) -> Result<(), BoxError> {
    let scale = if arguments.quick { Scale::QUICK } else { Scale::FULL };
    let report = report::measure(&mut contender::all()?, &scale)?;
    if arguments.json { print_json(&report) } else { Ok(text::write(&mut io::stdout().lock(), &report)?) }
}

fn print_json(report: &Report) -> Result<(), BoxError> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, report)?;
    Ok(writeln!(out)?)
}

fn print_memory(name: &str, executions: usize) -> Result<(), BoxError> {
    let mut contender = contender::by_name(name)?.ok_or_else(|| format!("no contender is called `{name}`"))?;
    let mut out = io::stdout().lock();
    if memory::can_be_read() {
        writeln!(out, "{:.0}", memory::weigh(contender.as_mut(), executions)?)?;
    } else {
        writeln!(out, "skipped: this system does not say how much memory a process has")?;
    }
    Ok(())
}
