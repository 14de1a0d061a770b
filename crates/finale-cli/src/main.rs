//! The `finale` command: runs workflow definition files, sees every execution to its end, and looks into journals.

mod cause;
mod console;
mod definition_file;
mod exit;
mod file;
mod handlers;
mod history;
mod journal;
mod list;
mod look;
mod progress;
mod quote;
mod report;
mod resume;
mod retry_quarantined;
mod room;
mod run;
mod show;
mod table;
mod text;
mod time;
mod validate;
mod why;

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
    /// Looks whether files can be run, and says all that is wrong with them.
    Validate(validate::Arguments),
    /// Goes on with every execution of a journal that has not ended.
    Resume(resume::Arguments),
    /// Lists the executions of a journal, newest first.
    List(list::Arguments),
    /// Shows an execution and its nodes.
    Show(show::Arguments),
    /// Shows what happened to an execution, fact by fact.
    History(history::Arguments),
    /// Says what an execution waits for, or why it ended so.
    Why(why::Arguments),
    /// Lets the next runtime on a journal look again at executions that are quarantined.
    RetryQuarantined(retry_quarantined::Arguments),
}

fn main() -> ExitCode {
    match CommandLine::parse().command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Validate(arguments) => validate::run(&arguments),
        Command::Resume(arguments) => resume::run(&arguments),
        Command::List(arguments) => journal::finish(list::run(&arguments)),
        Command::Show(arguments) => journal::finish(show::run(&arguments)),
        Command::History(arguments) => journal::finish(history::run(&arguments)),
        Command::Why(arguments) => journal::finish(why::run(&arguments)),
        Command::RetryQuarantined(arguments) => journal::finish(retry_quarantined::run(&arguments)),
    }
}
