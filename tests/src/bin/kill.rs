//! Kills a process under load again and again: `cargo run --release -p finale-tests --bin kill -- --cycles 10000`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a program for people")]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use finale_tests::kill::{Child, Cycles, live, run};

/// Kills a process under load again and again, and checks that nothing that was acknowledged is lost.
#[derive(Debug, Parser)]
struct Arguments {
    /// How often the process is killed.
    #[arg(long, default_value_t = 100)]
    cycles: u64,
    /// Where chance begins.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// With a journal that survives the death of the process, and not a power loss.
    #[arg(long)]
    relaxed: bool,
    /// Where journal and ledger are put, and left; by default a folder that is removed in the end.
    #[arg(long)]
    folder: Option<PathBuf>,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let ended = match arguments.next().as_deref() {
        Some("child") => Child::from_arguments(arguments)
            .ok_or("a child is started by its parent".into())
            .and_then(|child| live(&child)),
        _ => parent(Arguments::parse()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parent(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let Arguments { cycles, seed, relaxed, folder } = arguments;
    let temporary = tempfile::tempdir()?;
    let folder = folder.unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&folder)?;
    let program = std::env::current_exe()?;
    let summary = run(&Cycles { program, folder, cycles, seed, relaxed })?;
    println!(
        "{} lives, {} acknowledged activations, {} handler runs, {} quarantined in the end, in {:.1?}",
        summary.lives, summary.activated, summary.runs, summary.released, summary.took
    );
    summary.wrong.iter().for_each(|wrong| println!("WRONG {wrong}"));
    if summary.wrong.is_empty() { Ok(()) } else { Err(format!("{} things are wrong", summary.wrong.len()).into()) }
}
