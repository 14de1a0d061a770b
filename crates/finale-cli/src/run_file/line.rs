//! The lines of the file, and what they come to together.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use finale::core::TaskId;
use finale::{ExecutionId, Time};
use serde::{Deserialize, Serialize};

use crate::processes::{LeftCommand, Mark};

/// Where the commands of an execution run; absolute paths.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Surroundings {
    /// The working directory.
    pub(crate) directory: PathBuf,
    /// The directory of the logs.
    pub(crate) logs: PathBuf,
    /// Whether finale chose that directory, below the one for temporary files.
    pub(crate) temporary: bool,
}

/// One line of the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub(super) enum Line {
    Execution {
        id: ExecutionId,
        #[serde(flatten)]
        surroundings: Surroundings,
    },
    Begins(LeftCommand),
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

/// What the lines come to.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) executions: HashMap<ExecutionId, Surroundings>,
    pub(super) commands: HashMap<Mark, LeftCommand>,
    pub(super) sleeps: HashMap<TaskId, Time>,
}

impl Line {
    /// The line as it is written.
    ///
    /// # Errors
    /// When a path is not UTF-8.
    pub(super) fn text(&self) -> io::Result<String> {
        Ok(serde_json::to_string(self)? + "\n")
    }
}

impl Read {
    /// Reads a file; there need not be one. A line that makes no sense was cut off when the system lost its power.
    ///
    /// # Errors
    /// Also when it is not a file of whoever owns the journal alone: commands run where it says.
    pub(super) fn file(path: &Path, journal: &Path) -> io::Result<Self> {
        let mut read = Self::default();
        let file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(read),
            opened => opened?,
        };
        check_owner(path, &file, journal)?;
        for line in BufReader::new(file).split(b'\n') {
            if let Ok(line) = serde_json::from_slice(&line?) {
                read.take(line);
            }
        }
        Ok(read)
    }

    /// Takes a line into account.
    pub(super) fn take(&mut self, line: Line) {
        match line {
            Line::Execution { id, surroundings } => drop(self.executions.insert(id, surroundings)),
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
