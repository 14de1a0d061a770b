//! The `finale` command: runs workflow definition files, sees every execution to its end, and looks into journals.

mod backup;
mod cause;
mod completions;
mod console;
mod definition_file;
mod exit;
mod file;
mod graph;
mod handlers;
mod history;
mod journal;
mod list;
mod look;
mod processes;
mod progress;
mod quote;
mod report;
mod resume;
mod retry_quarantined;
mod room;
mod run;
mod run_file;
mod schema;
mod show;
mod table;
mod text;
mod time;
mod validate;
mod why;
mod words;

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

const HELP: &str = "\
Examples:
  finale validate release.yaml
      looks whether the file can be run
  finale run release.yaml --input tag=v1.2.0
      runs it: shell commands, waits and messages are done here, and at a terminal it is asked about everything else
  finale run release.yaml --simulate
      shows what would happen, and does nothing
  finale run release.yaml --journal releases.db
      keeps what happens in a file; `finale resume --journal releases.db` goes on after a crash or Ctrl-C
  finale why --journal releases.db 0199b1c2-77aa
      says what an execution waits for, or why it failed

Exit codes:
  0  everything completed
  1  an execution failed or is quarantined, or finale could not do what it should: a journal is in use, or damaged
  2  nothing was run, because of what was handed in: the command line, a file, or what is no journal
  3  an execution was cancelled, or interrupted by Ctrl-C or another signal that ends processes

Environment:
  NO_COLOR  there are no colours
  COLUMNS   the width of tables
  TMPDIR    where the logs of commands are, unless it is said";

/// Runs workflows and sees every one of them to its end.
#[derive(Debug, Parser)]
#[command(name = "finale", version, after_help = HELP)]
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
    /// Writes a definition or an execution as a picture: SVG, or for Mermaid or Graphviz.
    Graph(graph::Arguments),
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
    /// Copies a journal, also while an application is at work on it.
    Backup(backup::Arguments),
    /// Writes the JSON schema of definition files, for editors.
    Schema(schema::Arguments),
    /// Writes a script by which a shell completes commands of finale.
    Completions(completions::Arguments),
}

fn main() -> ExitCode {
    let command = match CommandLine::try_parse() {
        Ok(line) => line.command,
        Err(answer) => return answered(&answer),
    };
    match command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Validate(arguments) => validate::run(&arguments),
        Command::Graph(arguments) => graph::run(&arguments),
        Command::Resume(arguments) => resume::run(&arguments),
        Command::List(arguments) => journal::finish(list::run(&arguments)),
        Command::Show(arguments) => journal::finish(show::run(&arguments)),
        Command::History(arguments) => journal::finish(history::run(&arguments)),
        Command::Why(arguments) => journal::finish(why::run(&arguments)),
        Command::RetryQuarantined(arguments) => journal::finish(retry_quarantined::run(&arguments)),
        Command::Backup(arguments) => journal::finish(backup::run(&arguments)),
        Command::Schema(_) => written(schema::run()),
        Command::Completions(arguments) => written(completions::run(&arguments, CommandLine::command())),
    }
}

/// Help, the version, or what is wrong with the command line.
fn answered(answer: &clap::Error) -> ExitCode {
    let exit_code = u8::try_from(answer.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
    match answer.print().and_then(|()| io::stdout().flush()) {
        // Whoever closed the pipe has read as much as they wanted.
        Err(problem) if !answer.use_stderr() && problem.kind() != ErrorKind::BrokenPipe => written(Err(problem)),
        _ => exit_code,
    }
}

fn written(result: io::Result<()>) -> ExitCode {
    journal::finish(result.map_err(journal::Problem::Write))
}
