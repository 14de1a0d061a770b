//! Runs the simulator over many seeds, or over one and tells everything that happens in it.

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use finale_tests::simulator::{Bug, Campaign, Count, Report, STEPS, simulate};

/// Simulates executions on a journal and in a process that fail at every step.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many seeds.
    #[arg(long, default_value_t = 2_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Steps per seed before the faults stop.
    #[arg(long, default_value_t = STEPS)]
    steps: u64,
    /// Only this seed, telling everything that happens.
    #[arg(long)]
    seed: Option<u64>,
    /// Plant this bug.
    #[arg(long)]
    bug: Option<Bug>,
    /// Tell which bugs there are.
    #[arg(long)]
    list_bugs: bool,
}

fn main() -> std::io::Result<ExitCode> {
    let arguments = Arguments::parse();
    let mut out = std::io::stdout().lock();
    if arguments.list_bugs {
        for bug in Bug::ALL {
            writeln!(out, "{bug}")?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    match arguments.seed {
        Some(seed) => one(&arguments, seed, &mut out),
        None => many(&arguments, &mut out),
    }
}

fn one(arguments: &Arguments, seed: u64, out: &mut impl Write) -> std::io::Result<ExitCode> {
    let run = simulate(seed, arguments.steps, arguments.bug, usize::MAX);
    write!(out, "{}", run.tally)?;
    writeln!(out, "hash {:016x}", run.hash)?;
    let Some(failure) = run.failure else { return Ok(ExitCode::SUCCESS) };
    write!(out, "{failure}")?;
    Ok(ExitCode::FAILURE)
}

fn many(arguments: &Arguments, out: &mut impl Write) -> std::io::Result<ExitCode> {
    let Arguments { first, seeds, steps, bug, .. } = *arguments;
    let began = Instant::now();
    let Report { tally, failed } = Campaign { first, seeds, steps, bug }.run();
    let took = began.elapsed().as_secs_f64();
    write!(out, "{tally}")?;
    writeln!(out, "{took:.1} s, {:.0} steps/s", tally[Count::Steps] as f64 / took)?;
    let Some(failed) = failed else { return Ok(ExitCode::SUCCESS) };
    writeln!(out, "{failed}")?;
    Ok(ExitCode::FAILURE)
}
