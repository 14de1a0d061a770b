//! `shell`: runs a command.

use std::collections::BTreeMap;
use std::future::pending;
use std::io::{self, pipe};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use finale::{TaskContext, TaskError};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::process::Command;
use tokio::sync::watch;
use tokio::time::timeout;

use super::capture::Capture;
use super::group::Group;
use super::logs::Logs;
use crate::text;

/// How long what a command left behind may go on writing.
const LINGER: Duration = Duration::from_secs(1);
/// A line is cut in the reason of a failure after so many columns.
const REASON_COLUMNS_MAX: usize = 400;

/// What to run, and how.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    command: String,
    #[serde(default)]
    env: BTreeMap<String, Value>,
    dir: Option<PathBuf>,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub(super) struct Output {
    exit_code: i32,
    output: String,
}

/// Why a command did not do what it should.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("{0:?} cannot be the name of a variable of the environment")]
    Name(String),
    #[error("the {0} has a NUL character, which no command can be given")]
    Nul(&'static str),
    #[error("the log {}: {error}", path.display())]
    Log { path: PathBuf, error: io::Error },
    #[error("there is no directory {}", .0.display())]
    Directory(PathBuf),
    #[error("the command could not be started: {0}")]
    Start(#[source] io::Error),
    #[error("the command could not be waited for: {0}")]
    Wait(#[source] io::Error),
    #[error("{how}{last_line}")]
    Exit { how: String, last_line: String },
    #[error("cancelled")]
    Cancelled,
}

impl Failed {
    /// Whether it would be the same another time.
    fn is_permanent(&self) -> bool {
        matches!(self, Self::Name(_) | Self::Nul(_))
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
    logs: Arc<Logs>,
    halt: watch::Receiver<bool>,
    context: TaskContext,
    input: Input,
) -> Result<Output, TaskError> {
    match try_to_run(&logs, halt, &context, &input).await {
        Ok(output) => Ok(output),
        Err(failed) if failed.is_permanent() => Err(TaskError::from(failed).permanent()),
        Err(failed) => Err(failed.into()),
    }
}

async fn try_to_run(
    logs: &Logs,
    halt: watch::Receiver<bool>,
    context: &TaskContext,
    input: &Input,
) -> Result<Output, Failed> {
    check(input)?;
    let (mut group, mut capture) = start(logs, context, input)?;
    let (exited, stop) = tokio::select! {
        exited = group.exited() => (exited, None),
        stop = told_to_stop(halt, context) => {
            group.terminate();
            (group.exited().await, Some(stop))
        }
    };
    if stop.is_some() {
        // Until its grace is over: then this future is dropped, and the group with it.
        capture.over().await;
    }
    let _ = timeout(LINGER, capture.over()).await;
    group.kill();
    let _ = timeout(LINGER, capture.over()).await;
    match stop {
        None => outcome(exited.map_err(Failed::Wait)?, capture.last_lines()),
        Some(Stop::Cancelled) => Err(Failed::Cancelled),
        Some(Stop::Halted) => pending().await,
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

fn check(input: &Input) -> Result<(), Failed> {
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
    match &input.dir {
        Some(dir) if !dir.is_dir() => Err(Failed::Directory(dir.clone())),
        _ => Ok(()),
    }
}

fn start(logs: &Logs, context: &TaskContext, input: &Input) -> Result<(Group, Capture), Failed> {
    let (execution, node, attempt) = (context.task_id().execution, context.node(), context.attempt());
    let log = logs.create(execution, node, attempt);
    let log = log.map_err(|error| Failed::Log { path: logs.path(execution, node, attempt), error })?;
    let (reader, writer) = pipe().map_err(Failed::Start)?;
    let mut command = shell(&input.command);
    command.stdin(Stdio::null()).stdout(writer.try_clone().map_err(Failed::Start)?).stderr(writer);
    command.current_dir(input.dir.as_deref().unwrap_or(Path::new(".")));
    for (name, value) in &input.env {
        match text_of(value) {
            Some(text) => command.env(name, text),
            None => command.env_remove(name),
        };
    }
    command.env("FINALE_EXECUTION", execution.to_string()).env("FINALE_NODE", node);
    command.env("FINALE_ATTEMPT", attempt.to_string()).env("FINALE_KEY", context.task_id().to_string());
    // The command's ends of the pipe go with it, so that the pipe ends when nobody writes any more.
    let group = Group::spawn(command).map_err(Failed::Start)?;
    let capture = Capture::start(reader, log).map_err(Failed::Start)?;
    Ok((group, capture))
}

#[cfg(not(windows))]
fn shell(text: &str) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(text);
    command
}

#[cfg(windows)]
fn shell(text: &str) -> Command {
    let mut command = Command::new("cmd");
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

fn outcome(status: ExitStatus, output: String) -> Result<Output, Failed> {
    let how = match status.code() {
        Some(0) => return Ok(Output { exit_code: 0, output }),
        Some(code) => format!("exit code {code}"),
        None => signal(status),
    };
    let last = output.lines().rev().find(|line| !line.trim().is_empty());
    let last_line = last.map(|line| format!(": {}", text::shortened(line.trim(), REASON_COLUMNS_MAX)));
    Err(Failed::Exit { how, last_line: last_line.unwrap_or_default() })
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
