//! The `finale` command: runs workflow definition files and sees every execution to its end.

mod console;
mod run;
mod text;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Runs workflows and sees every one of them to its end.
#[derive(Debug, Parser)]
#[command(name = "finale", version)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the workflow of a file to its end.
    Run(run::Arguments),
}

fn main() -> ExitCode {
    match CommandLine::parse().command {
        Command::Run(arguments) => run::run(&arguments),
    }
}
