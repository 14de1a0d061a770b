//! `cargo run --release -p finale-benches --bin allocations`: counts allocations, and fails where they are more than promised.

use std::alloc::System;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use finale_benches::allocations::{self, Counted};
use finale_benches::contender::BoxError;
use finale_benches::memory::MeterError;
use finale_benches::only::Only;
use finale_benches::text;
use stats_alloc::{INSTRUMENTED_SYSTEM, Stats, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Counts what executions allocate, and the bytes of those that wait.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Print one JSON document instead of tables
    #[arg(long)]
    json: bool,
    /// Only these shapes and contenders, by their names, as in `single,finale-current`
    #[arg(long, value_name = "SHAPE,CONTENDER")]
    only: Option<Only>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Gives whether all promises were kept.
fn run(arguments: &Arguments) -> Result<bool, BoxError> {
    let only = arguments.only.clone().unwrap_or_default();
    let report = allocations::measure(&only, count, live)?;
    let mut out = io::stdout().lock();
    if arguments.json {
        serde_json::to_writer_pretty(&mut out, &report)?;
        writeln!(out)?;
    } else {
        text::write_allocations(&mut out, &report)?;
    }
    let broken = report.broken();
    for promise in &broken {
        eprintln!("a promise is broken: {promise}");
    }
    Ok(broken.is_empty())
}

fn count() -> Counted {
    let Stats { allocations, reallocations, bytes_allocated, .. } = ALLOCATOR.stats();
    Counted { allocations: (allocations + reallocations) as u64, bytes: bytes_allocated as u64 }
}

fn live() -> Result<u64, MeterError> {
    let Stats { bytes_allocated, bytes_deallocated, .. } = ALLOCATOR.stats();
    Ok((bytes_allocated - bytes_deallocated) as u64)
}
