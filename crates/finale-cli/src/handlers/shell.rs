//! `shell`: runs a command.

use std::collections::BTreeMap;
use std::future::pending;
use std::io::{self, ErrorKind, pipe};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use finale::{Payload, PayloadError, TaskContext, TaskError};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::process::Command;
use tokio::sync::watch;

use super::capture::{Capture, Written};
use super::group::Group;
use super::paths::CommandPaths;
use super::tail::{LastLines, Tail};
use crate::console;
use crate::processes::{LeftoverCommand, Mark, system};
use crate::run_file::{RunFile, RunFileError};
use crate::text;

/// A line is cut in the reason of a failure after so many columns.
const REASON_COLUMNS_MAX: usize = 400;
/// So much of the end of the standard output is kept as a text.
const STDOUT_BYTES_MAX: usize = 64 << 10;
/// So much of the standard output is read as JSON.
const STDOUT_JSON_BYTES_MAX: usize = 512 << 10;

/// What to run, and how.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    command: String,
    #[serde(default)]
    env: BTreeMap<String, Value>,
    dir: Option<PathBuf>,
    #[serde(default)]
    output: Reading,
}

/// How the standard output of a command is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reading {
    /// As a text, of which the end is kept.
    #[default]
    Text,
    /// As a JSON value.
    Json,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub(super) struct Output {
    exit_code: i32,
    /// A text, or the value that was read from it.
    stdout: Payload,
    stderr: String,
    /// Whether the command wrote more than that.
    truncated: bool,
}

/// Why a command did not do what it should.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("{0:?} cannot be the name of a variable of the environment")]
    Name(String),
    #[error("the {0} has a NUL character, which no command can be given")]
    Nul(&'static str),
    #[error("there is no directory {}", .0.display())]
    Directory(PathBuf),
    #[error("the command could not be recorded: {0}")]
    Record(#[from] RunFileError),
    #[error("{PROGRAM} could not be started, which runs the command{}: {error}", in_path(*has_own_path))]
    Program { has_own_path: bool, error: io::Error },
    #[error("the command could not be started: {0}")]
    Start(#[source] io::Error),
    #[error("the command could not be waited for: {0}")]
    Wait(#[source] io::Error),
    #[error("its standard output cannot be its output: {0}")]
    NoOutput(#[source] PayloadError),
    #[error("its standard output is longer than {} KiB, more than is read as JSON", STDOUT_JSON_BYTES_MAX >> 10)]
    LongJson,
    #[error("{how}{last_line}")]
    Exit { how: String, last_line: String, code: Option<i32> },
    #[error("cancelled")]
    Cancelled,
}

impl Failed {
    /// Whether it would be the same another time.
    fn is_permanent(&self) -> bool {
        matches!(self, Self::Name(_) | Self::Nul(_))
    }

    /// The code by which a definition knows the failure: `retry: {on: exit_75}`.
    fn code(&self) -> Option<String> {
        match self {
            Self::Exit { code, .. } => code.map(|code| format!("exit_{code}")),
            _ => None,
        }
    }
}

/// Why a command is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// Its task is not to be done any more.
    Cancelled,
    /// Its task goes on another time.
    Halted,
}

pub(super) async fn run(
    paths: Arc<CommandPaths>,
    halt: watch::Receiver<bool>,
    context: TaskContext,
    input: Input,
) -> Result<Output, TaskError> {
    match try_to_run(&paths, halt, &context, &input).await {
        Ok(output) => Ok(output),
        Err(failed) if failed.is_permanent() => Err(TaskError::from(failed).permanent()),
        Err(failed) => match failed.code() {
            Some(code) => Err(TaskError::from(failed).code(&code)),
            None => Err(failed.into()),
        },
    }
}

async fn try_to_run(
    paths: &CommandPaths,
    halt: watch::Receiver<bool>,
    context: &TaskContext,
    input: &Input,
) -> Result<Output, Failed> {
    let directory = paths.of(context.execution_id()).directory;
    let directory = input.dir.as_ref().map_or_else(|| directory.clone(), |dir| directory.join(dir));
    check(input, &directory)?;
    let (mut command, capture) = RecordedCommand::start(paths, context, input, &directory)?;
    let group = &mut command.group;
    let (exited, stop) = tokio::select! {
        exited = group.exited() => (exited, None),
        stop = told_to_stop(halt, context) => {
            group.terminate();
            (group.exited().await, Some(stop))
        }
    };
    let written = capture.end().await;
    match stop {
        None => group.end().await,
        // Until its grace is over: then this future is dropped, and the group with it.
        Some(_) => group.until_gone().await,
    }
    drop(command);
    match stop {
        None => outcome(exited.map_err(Failed::Wait)?, &written, input.output),
        Some(Stop::Cancelled) => Err(Failed::Cancelled),
        Some(Stop::Halted) => pending().await,
    }
}

/// What the log of a command is called by: its node, and which of those it is that run inside of others, be it for items.
fn log_name(context: &TaskContext) -> String {
    match context.task_id().key.scope {
        scope if scope.is_root() => context.node().to_owned(),
        scope => format!("{}.{}", context.node(), scope.0),
    }
}

/// A running command that is recorded in the run file.
struct RecordedCommand {
    group: Group,
    mark: Mark,
    run_file: Option<Arc<RunFile>>,
}

impl RecordedCommand {
    /// Starts a command, and keeps what it writes.
    fn start(
        paths: &CommandPaths,
        context: &TaskContext,
        input: &Input,
        directory: &Path,
    ) -> Result<(Self, Capture), Failed> {
        let (execution, node, attempt) = (context.execution_id(), context.node(), context.attempt());
        let name = log_name(context);
        let log = paths.create_log(execution, &name, attempt);
        let path = paths.log(execution, &name, attempt);
        let log = match log {
            Ok(log) => Some((path, log)),
            // A log is for people who look later: for want of one no work is left undone.
            Err(error) => {
                console::note(format_args!("{}: there is no log of what the command writes: {error}", path.display()));
                None
            }
        };
        let (stdout, stdout_writer) = pipe().map_err(Failed::Start)?;
        let (stderr, stderr_writer) = pipe().map_err(Failed::Start)?;
        let mut command = command(context, input, directory);
        command.stdout(stdout_writer).stderr(stderr_writer);
        let mark = Mark::new().map_err(Failed::Start)?;
        let (task, node, run_file) = (context.task_id(), node.to_owned(), paths.run_file().cloned());
        let mut left = LeftoverCommand { mark: mark.clone(), task, node, attempt, process: None };
        // Before the start: if this process is killed in between, the mark alone finds the command.
        if let Some(file) = &run_file {
            file.begins(&left)?;
        }
        let group = Group::spawn(command, mark.clone());
        if let (Err(_), Some(file)) = (&group, &run_file) {
            file.ended(&mark)?;
        }
        let is_own_path = |error: &io::Error| error.kind() == ErrorKind::NotFound && input.env.contains_key("PATH");
        let group = group.map_err(|error| Failed::Program { has_own_path: is_own_path(&error), error })?;
        let recorded = Self { group, mark, run_file };
        if let Some(file) = &recorded.run_file {
            left.process = recorded.group.leader().zip(system());
            file.begins(&left)?;
        }
        let stdout_tail = match input.output {
            Reading::Text => Tail::of_bytes(STDOUT_BYTES_MAX),
            Reading::Json => Tail::of_bytes(STDOUT_JSON_BYTES_MAX),
        };
        let capture = Capture::start((stdout, stdout_tail), (stderr, Tail::default()), log).map_err(Failed::Start)?;
        Ok((recorded, capture))
    }
}

impl Drop for RecordedCommand {
    fn drop(&mut self) {
        self.group.kill();
        // A process that was killed and is not dead yet is checked again by whoever opens the run file next.
        if let Some(file) = self.run_file.as_ref().filter(|_| !self.group.is_alive()) {
            let _ = file.ended(&self.mark);
        }
    }
}

async fn told_to_stop(mut halt: watch::Receiver<bool>, context: &TaskContext) -> Stop {
    let halted = async {
        // Who could halt it may be gone.
        if halt.wait_for(|halt| *halt).await.is_err() {
            pending::<()>().await;
        }
    };
    tokio::select! {
        () = context.cancelled() => Stop::Cancelled,
        () = halted => Stop::Halted,
    }
}

fn check(input: &Input, directory: &Path) -> Result<(), Failed> {
    if input.command.contains('\0') {
        return Err(Failed::Nul("command"));
    }
    for (name, value) in &input.env {
        if name.trim().is_empty() || name.contains(['=', '\0']) {
            return Err(Failed::Name(name.clone()));
        }
        if value.as_str().is_some_and(|text| text.contains('\0')) {
            return Err(Failed::Nul("environment"));
        }
    }
    // The error has the path as it stands in the definition.
    if directory.is_dir() {
        Ok(())
    } else {
        Err(Failed::Directory(input.dir.clone().unwrap_or_else(|| directory.into())))
    }
}

fn command(context: &TaskContext, input: &Input, directory: &Path) -> Command {
    let mut command = shell(&input.command);
    command.stdin(Stdio::null()).current_dir(directory);
    for (name, value) in &input.env {
        match text_of(value) {
            Some(text) => command.env(name, text),
            None => command.env_remove(name),
        };
    }
    command.env("FINALE_EXECUTION", context.execution_id().to_string()).env("FINALE_NODE", context.node());
    command.env("FINALE_ATTEMPT", context.attempt().to_string()).env("FINALE_KEY", context.key());
    command
}

/// The program that runs commands.
#[cfg(not(windows))]
const PROGRAM: &str = "sh";
#[cfg(windows)]
const PROGRAM: &str = "cmd";

/// Says where the program is looked for, where that is not the `PATH` of finale itself.
const fn in_path(is_own: bool) -> &'static str {
    if is_own { " and is looked for in the PATH of its `env`" } else { "" }
}

#[cfg(not(windows))]
fn shell(text: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    command.arg("-c").arg(text);
    command
}

#[cfg(windows)]
fn shell(text: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    // It takes the rest of the line as it is, with quotes of its own kind.
    command.arg("/C").raw_arg(text);
    command
}

/// The text that a command finds in its environment; none if it finds nothing.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn outcome(status: ExitStatus, written: &Written, reading: Reading) -> Result<Output, Failed> {
    let (stdout, stderr) = (written.stdout.last_lines(), written.stderr.last_lines());
    let how = match status.code() {
        Some(0) => {
            let truncated = stdout.truncated || stderr.truncated;
            let stdout = match reading {
                Reading::Text => Payload::encode(&stdout.text).map_err(Failed::NoOutput)?,
                Reading::Json => json(&written.stdout)?,
            };
            return Ok(Output { exit_code: 0, stdout, stderr: stderr.text, truncated });
        }
        Some(code) => format!("exit code {code}"),
        None => signal(status),
    };
    // Commands that fail say why on the standard error, unless they know no better.
    let last_line = last_line(&stderr).or_else(|| last_line(&stdout)).map(|line| format!(": {line}"));
    Err(Failed::Exit { how, last_line: last_line.unwrap_or_default(), code: status.code() })
}

/// The last line that says something.
fn last_line(output: &LastLines) -> Option<String> {
    let last = output.text.lines().rev().find(|line| !line.trim().is_empty())?;
    Some(text::shortened(last.trim(), REASON_COLUMNS_MAX))
}

fn json(stdout: &Tail) -> Result<Payload, Failed> {
    Payload::from_json(stdout.whole().ok_or(Failed::LongJson)?).map_err(Failed::NoOutput)
}

#[cfg(unix)]
fn signal(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    let Some(number) = status.signal() else {
        return "it ended without an exit code".to_owned();
    };
    let name = nix::sys::signal::Signal::try_from(number).map(|signal| format!(" ({signal})"));
    format!("killed by signal {number}{}", name.unwrap_or_default())
}

#[cfg(not(unix))]
fn signal(_status: ExitStatus) -> String {
    "it ended without an exit code".to_owned()
}
