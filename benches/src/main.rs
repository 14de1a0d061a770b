//! `cargo run --release -p finale-benches`: see the library for what it measures and why.

use std::env;
use std::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use finale_benches::contender::{self, BoxError, Load};
use finale_benches::durable::{self, restart};
use finale_benches::goals::Goal;
use finale_benches::only::Only;
use finale_benches::scale::Scale;
use finale_benches::{check, memory, report, retention, text};
use serde::Serialize;

/// Measures finale beside a hand-written loop and bare actix; on a disk, beside what that disk can do.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Print one JSON document instead of tables
    #[arg(long, global = true)]
    json: bool,
    /// Only check that every result is right: takes seconds, judges no times
    #[arg(long, global = true)]
    quick: bool,
    /// Only these shapes and contenders, by their names, as in `single,finale-current`; a ratio needs what it is to
    #[arg(long, global = true, value_name = "SHAPE,CONTENDER")]
    only: Option<Only>,
    #[command(subcommand)]
    command: Option<Part>,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// Measure what durability costs, beside what the disk can do
    Durable {
        /// On which disk; by default where this program lies, as a folder for temporary files may be memory
        #[arg(long)]
        folder: Option<PathBuf>,
    },
    /// Measure what forgetting ended executions costs, beside keeping them for ever
    Retention {
        /// On which disk; by default where this program lies
        #[arg(long)]
        folder: Option<PathBuf>,
    },
    /// Measure how cost grows with the number of executions in flight and with the size of a graph
    Growth,
    /// Run a number of executions of one shape once, to be looked at with a profiler
    Run {
        /// By whom
        contender: String,
        /// Of what
        shape: String,
        /// How many
        #[arg(value_parser = clap::value_parser!(u32).range(1..))]
        executions: u32,
        /// How many of them at once
        #[arg(long, default_value_t = 1_000)]
        in_flight: u32,
    },
    /// Print the bytes for each of so many waiting executions of ten tasks
    Memory {
        /// Whose
        contender: String,
        /// How many
        #[arg(value_parser = clap::value_parser!(u32).range(1..))]
        executions: u32,
    },
    /// Fill a journal with executions that have come half of their way, for `restart`
    #[command(hide = true)]
    Fill {
        /// Which; it is not there yet
        journal: PathBuf,
        /// With how many
        executions: u32,
    },
    /// Start twice on a journal that `fill` has filled, and print how that went
    #[command(hide = true)]
    Restart {
        /// Which
        journal: PathBuf,
        /// How many executions it has
        executions: u32,
    },
}

/// Fails when a result is wrong or a promise is broken in which the machine has no say, never because of a time.
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.command {
        Some(Part::Memory { contender, executions }) => print_memory(contender, *executions as usize),
        Some(Part::Durable { folder }) => measure_durable(&arguments, folder.as_deref()),
        Some(Part::Retention { folder }) => measure_retention(&arguments, folder.as_deref()),
        Some(Part::Growth) => measure_growth(&arguments),
        Some(Part::Run { contender, shape, executions, in_flight }) => {
            let load = Load { executions: *executions as usize, in_flight: *in_flight as usize };
            run_once(contender, shape, load)
        }
        Some(Part::Fill { journal, executions }) => restart::fill(journal, *executions as usize),
        Some(Part::Restart { journal, executions }) => print_restarts(journal, *executions as usize),
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
    let report = report::measure(arguments.only.as_ref(), &scale, &beside_this_program()?)?;
    if arguments.json { print_json(&report) } else { Ok(text::write(&mut io::stdout().lock(), &report)?) }
}

fn measure_growth(arguments: &Arguments) -> Result<(), BoxError> {
    let scale = if arguments.quick { Scale::QUICK } else { Scale::FULL };
    let report = report::measure_growth(arguments.only.as_ref(), &scale)?;
    if arguments.json { print_json(&report) } else { Ok(text::write_growth(&mut io::stdout().lock(), &report)?) }
}

fn measure_durable(arguments: &Arguments, folder: Option<&Path>) -> Result<(), BoxError> {
    let scale = if arguments.quick { durable::scale::Scale::QUICK } else { durable::scale::Scale::FULL };
    let folder = folder.map_or_else(beside_this_program, |folder| Ok(folder.to_owned()))?;
    let report = report::measure_durable(&folder, &scale)?;
    if arguments.json {
        print_json(&report)?;
    } else {
        text::write_durable(&mut io::stdout().lock(), &report)?;
    }
    let broken = report.goals.iter().flatten().find(|goal| goal.fails());
    broken.map_or(Ok(()), |Goal { what, .. }| Err(format!("a promise is broken: {what}").into()))
}

fn measure_retention(arguments: &Arguments, folder: Option<&Path>) -> Result<(), BoxError> {
    let scale = if arguments.quick { retention::scale::Scale::QUICK } else { retention::scale::Scale::FULL };
    let folder = folder.map_or_else(beside_this_program, |folder| Ok(folder.to_owned()))?;
    let report = report::measure_retention(&folder, &scale)?;
    if arguments.json { print_json(&report) } else { Ok(text::write_retention(&mut io::stdout().lock(), &report)?) }
}

fn beside_this_program() -> Result<PathBuf, BoxError> {
    let program = env::current_exe()?;
    Ok(program.parent().ok_or("this program lies nowhere")?.to_owned())
}

fn print_restarts(journal: &Path, executions: usize) -> Result<(), BoxError> {
    print_json(&restart::restart_twice(journal, executions)?)
}

fn print_json(value: &impl Serialize) -> Result<(), BoxError> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value)?;
    Ok(writeln!(out)?)
}

fn run_once(contender: &str, shape: &str, load: Load) -> Result<(), BoxError> {
    let only: Only = format!("{contender},{shape}").parse()?;
    for (mut contender, shape) in only.contenders()?.into_iter().zip(only.shapes()) {
        let elapsed = check::run(contender.as_mut(), &shape, load)?;
        writeln!(io::stdout(), "{:.0} ns each", elapsed.as_secs_f64() * 1e9 / load.executions as f64)?;
    }
    Ok(())
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
