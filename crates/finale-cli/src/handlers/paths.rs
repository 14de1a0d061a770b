//! The directories in which the commands of executions run and log.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use finale::ExecutionId;

use super::logs::file_name;
use crate::processes::random_name;
use crate::run_file::{ExecutionPaths, RunFile, RunFileError, create_file, create_folder};

/// Decides in which directories the commands of each execution run and log.
#[derive(Debug)]
pub(crate) struct CommandPaths {
    /// Used for executions that have no paths in the run file.
    own: ExecutionPaths,
    /// `--logs`: overrides the log directory of all executions.
    logs: LogsOption,
    /// `--dir`: overrides the working directory of all executions.
    directory: Option<PathBuf>,
    run_file: Option<Arc<RunFile>>,
    /// Log directories that were created or checked already.
    checked: Mutex<HashSet<PathBuf>>,
}

/// The option `--logs`.
#[derive(Clone, Debug)]
pub(crate) enum LogsOption {
    /// It is not given.
    Unsaid,
    /// All logs go to this directory.
    In(PathBuf),
    /// The logs of each execution go to a directory of its own in this one.
    Below(PathBuf),
}

impl CommandPaths {
    /// Takes the working directory of this process, and a random name for temporary logs.
    ///
    /// # Errors
    /// The working directory does not exist any more, or the system has no random numbers.
    pub(crate) fn new(logs: LogsOption, directory: Option<&Path>, run_file: Option<Arc<RunFile>>) -> io::Result<Self> {
        let working = std::env::current_dir()?;
        let logs = match logs {
            LogsOption::Unsaid => LogsOption::Unsaid,
            LogsOption::In(directory) => LogsOption::In(working.join(directory)),
            LogsOption::Below(directory) => LogsOption::Below(working.join(directory)),
        };
        let directory = directory.map(|directory| working.join(directory));
        let temporary = working.join(std::env::temp_dir()).join(format!("finale-{}", random_name()?));
        let own = ExecutionPaths { directory: working, logs: temporary, temporary: true };
        Ok(Self { own, logs, directory, run_file, checked: Mutex::default() })
    }

    /// The run file; `None` without a journal, because nobody can resume then.
    pub(crate) fn run_file(&self) -> Option<&Arc<RunFile>> {
        self.run_file.as_ref()
    }

    /// The paths of an execution: options first, then the run file, then those of this process.
    pub(crate) fn of(&self, execution: ExecutionId) -> ExecutionPaths {
        let recorded = self.run_file.as_ref().and_then(|file| file.paths(execution));
        let mut of = recorded.unwrap_or_else(|| self.own.clone());
        if let Some(directory) = &self.directory {
            of.directory.clone_from(directory);
        }
        match &self.logs {
            LogsOption::Unsaid => {}
            LogsOption::In(directory) => (of.logs, of.temporary) = (directory.clone(), false),
            LogsOption::Below(directory) => (of.logs, of.temporary) = (directory.join(execution.to_string()), false),
        }
        of
    }

    /// Records the paths of executions in the run file, if there is one.
    pub(crate) fn record(&self, executions: impl Iterator<Item = ExecutionId>) -> Result<(), RunFileError> {
        let Some(file) = &self.run_file else { return Ok(()) };
        file.record(executions.map(|execution| (execution, self.of(execution))).collect())
    }

    /// The log file of an attempt.
    pub(crate) fn log(&self, execution: ExecutionId, node: &str, attempt: u16) -> PathBuf {
        self.of(execution).logs.join(format!("{}.{attempt}.log", file_name(node)))
    }

    /// Creates the log file of an attempt, and its directory if need be.
    pub(super) fn create_log(&self, execution: ExecutionId, node: &str, attempt: u16) -> io::Result<File> {
        let of = self.of(execution);
        let mut checked = self.checked.lock().unwrap_or_else(PoisonError::into_inner);
        if !checked.contains(&of.logs) {
            self.make_directory(&of)?;
            checked.insert(of.logs);
        }
        create_file(&self.log(execution, node, attempt))
    }

    fn make_directory(&self, of: &ExecutionPaths) -> io::Result<()> {
        if of.temporary {
            return match create_folder(&of.logs) {
                // An earlier process created a directory that is in the run file.
                Err(error) if error.kind() == ErrorKind::AlreadyExists && of.logs != self.own.logs => {
                    check_own(&of.logs)
                }
                made => made,
            };
        }
        if let Some(above) = of.logs.parent() {
            fs::create_dir_all(above)?;
        }
        match create_folder(&of.logs) {
            // The user chose this directory: it may be a link, or belong to somebody else.
            Err(error) if error.kind() == ErrorKind::AlreadyExists && of.logs.is_dir() => Ok(()),
            made => made,
        }
    }
}

/// Checks a directory below the one for temporary files, where another user could have replaced a deleted one.
#[cfg(unix)]
fn check_own(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let found = fs::symlink_metadata(path)?;
    if found.is_dir() && found.uid() == nix::unistd::geteuid().as_raw() && found.mode() & 0o022 == 0 {
        return Ok(());
    }
    Err(io::Error::other("it is not a directory that only this user can write; name another one with --logs DIR"))
}

#[cfg(not(unix))]
fn check_own(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use tempfile::TempDir;

    use super::*;

    fn id() -> ExecutionId {
        "0199b1c2-0000-7000-8000-000000000000".parse().unwrap()
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    /// The paths of a process that resumes an execution whose logs were in that directory.
    fn resumed(folder: &TempDir, logs: &Path) -> CommandPaths {
        let journal = folder.path().join("j.db");
        fs::write(&journal, "").unwrap();
        let file = RunFile::open(&journal, |_| true).unwrap();
        let of = ExecutionPaths { directory: "/".into(), logs: logs.to_owned(), temporary: true };
        file.record(vec![(id(), of)]).unwrap();
        CommandPaths::new(LogsOption::Unsaid, None, Some(Arc::new(file))).unwrap()
    }

    #[test]
    fn temporary_logs_are_for_their_owner_alone_in_a_directory_nobody_can_guess() {
        let (one, other) =
            (CommandPaths::new(LogsOption::Unsaid, None, None), CommandPaths::new(LogsOption::Unsaid, None, None));
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_ne!(one.of(id()).logs, other.of(id()).logs);
        drop(one.create_log(id(), "a", 1).unwrap());
        assert_eq!((mode(&one.of(id()).logs), mode(&one.log(id(), "a", 1))), (0o700, 0o600));
        fs::remove_dir_all(one.of(id()).logs).unwrap();
    }

    #[test]
    fn what_somebody_put_in_the_place_of_temporary_logs_is_refused() {
        let folder = TempDir::new().unwrap();
        let (elsewhere, taken) = (folder.path().join("elsewhere"), folder.path().join("taken"));
        fs::create_dir(&elsewhere).unwrap();
        symlink(&elsewhere, &taken).unwrap();
        assert!(resumed(&folder, &taken).create_log(id(), "a", 1).is_err());
        fs::set_permissions(&elsewhere, PermissionsExt::from_mode(0o777)).unwrap();
        assert!(resumed(&folder, &elsewhere).create_log(id(), "a", 1).is_err());
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
        fs::set_permissions(&elsewhere, PermissionsExt::from_mode(0o700)).unwrap();
        assert!(resumed(&folder, &elsewhere).create_log(id(), "a", 1).is_ok());
    }

    #[test]
    fn a_link_in_the_place_of_a_log_does_not_lead_to_another_file() {
        let folder = TempDir::new().unwrap();
        let (logs, victim) = (folder.path().join("logs"), folder.path().join("victim"));
        fs::create_dir(&logs).unwrap();
        fs::write(&victim, "precious").unwrap();
        symlink(&victim, logs.join("a.1.log")).unwrap();
        let places = CommandPaths::new(LogsOption::In(logs), None, None).unwrap();
        drop(places.create_log(id(), "a", 1).unwrap());
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    }
}
