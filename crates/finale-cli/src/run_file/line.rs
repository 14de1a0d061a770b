//! The lines of the run file, and the state that they add up to.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use finale::{ExecutionId, Time};
use finale_core::TaskId;
use serde::{Deserialize, Serialize};

use crate::processes::{LeftoverCommand, Mark};

/// Where the commands of an execution run and log. Both paths are absolute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExecutionPaths {
    /// Working directory of commands.
    pub(crate) directory: PathBuf,
    /// Directory of the log files.
    pub(crate) logs: PathBuf,
    /// Whether finale chose the log directory, below the system's directory for temporary files.
    pub(crate) temporary: bool,
}

/// One line of the run file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub(super) enum Line {
    Execution {
        id: ExecutionId,
        #[serde(flatten)]
        paths: ExecutionPaths,
    },
    Begins(LeftoverCommand),
    Ended {
        mark: Mark,
    },
    Sleeps {
        task: TaskId,
        until: Time,
    },
    Slept {
        task: TaskId,
    },
}

/// What all lines add up to.
#[derive(Debug, Default)]
pub(super) struct RunState {
    pub(super) executions: HashMap<ExecutionId, ExecutionPaths>,
    pub(super) commands: HashMap<Mark, LeftoverCommand>,
    pub(super) sleeps: HashMap<TaskId, Time>,
}

impl Line {
    /// The line as JSON.
    ///
    /// # Errors
    /// A path is not UTF-8.
    pub(super) fn text(&self) -> io::Result<String> {
        Ok(serde_json::to_string(self)? + "\n")
    }
}

impl RunState {
    /// Reads a file, if there is one. Skips lines that are no JSON: a loss of power can leave such a line.
    ///
    /// # Errors
    /// Also when another user can write the file: it decides in which directory commands run.
    pub(super) fn file(path: &Path, journal: &Path) -> io::Result<Self> {
        let mut read = Self::default();
        let file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(read),
            opened => opened?,
        };
        check_owner(path, &file, journal)?;
        for line in BufReader::new(file).split(b'\n') {
            if let Ok(line) = serde_json::from_slice(&line?) {
                read.apply(line);
            }
        }
        Ok(read)
    }

    /// Adds a line.
    pub(super) fn apply(&mut self, line: Line) {
        match line {
            Line::Execution { id, paths } => drop(self.executions.insert(id, paths)),
            Line::Begins(command) => drop(self.commands.insert(command.mark.clone(), command)),
            Line::Ended { mark } => drop(self.commands.remove(&mark)),
            Line::Sleeps { task, until } => drop(self.sleeps.insert(task, until)),
            Line::Slept { task } => drop(self.sleeps.remove(&task)),
        }
    }
}

#[cfg(unix)]
fn check_owner(path: &Path, file: &File, journal: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let (opened, journal) = (file.metadata()?, std::fs::metadata(journal)?);
    let is_link = std::fs::symlink_metadata(path)?.is_symlink();
    let is_own = opened.uid() == journal.uid() || opened.uid() == nix::unistd::geteuid().as_raw();
    if is_link || !opened.is_file() || !is_own || opened.mode() & 0o022 != 0 {
        return Err(io::Error::other("this is not a file that only the owner of the journal can write; remove it"));
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_owner(_path: &Path, _file: &File, _journal: &Path) -> io::Result<()> {
    Ok(())
}
