//! Where the commands of executions run, and where their logs are.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use finale::ExecutionId;

use super::logs::file_name;
use crate::processes::random_name;
use crate::run_file::{RunFile, RunFileError, Surroundings, create_file, create_folder};

/// Where the commands of executions run, and where their logs are.
#[derive(Debug)]
pub(crate) struct Places {
    /// Those of an execution that was not begun by another process.
    own: Surroundings,
    /// What was said about logs, which holds for all executions.
    logs: LogsOption,
    /// The directory that was said to hold for all executions.
    directory: Option<PathBuf>,
    run_file: Option<Arc<RunFile>>,
    /// The directories of logs that are known to be right.
    checked: Mutex<HashSet<PathBuf>>,
}

/// What was said about logs.
#[derive(Clone, Debug)]
pub(crate) enum LogsOption {
    /// Nothing.
    Unsaid,
    /// They go to this directory.
    In(PathBuf),
    /// They go to a directory for each execution in this one.
    Below(PathBuf),
}

impl Places {
    /// Where commands run that this process starts.
    ///
    /// # Errors
    /// When there is no working directory any more.
    pub(crate) fn new(logs: LogsOption, directory: Option<&Path>, run_file: Option<Arc<RunFile>>) -> io::Result<Self> {
        let working = std::env::current_dir()?;
        let logs = match logs {
            LogsOption::Unsaid => LogsOption::Unsaid,
            LogsOption::In(directory) => LogsOption::In(working.join(directory)),
            LogsOption::Below(directory) => LogsOption::Below(working.join(directory)),
        };
        let directory = directory.map(|directory| working.join(directory));
        let temporary = working.join(std::env::temp_dir()).join(format!("finale-{}", random_name()?));
        let own = Surroundings { directory: working, logs: temporary, temporary: true };
        Ok(Self { own, logs, directory, run_file, checked: Mutex::default() })
    }

    /// What notes what is at work; none if nobody could go on with it.
    pub(crate) fn run_file(&self) -> Option<&Arc<RunFile>> {
        self.run_file.as_ref()
    }

    /// The surroundings of an execution: those it began in, but for what was said otherwise.
    pub(crate) fn of(&self, execution: ExecutionId) -> Surroundings {
        let noted = self.run_file.as_ref().and_then(|file| file.surroundings(execution));
        let mut of = noted.unwrap_or_else(|| self.own.clone());
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

    /// Notes where the commands of executions run, for a process that goes on with them.
    pub(crate) fn note(&self, executions: impl Iterator<Item = ExecutionId>) -> Result<(), RunFileError> {
        let Some(file) = &self.run_file else { return Ok(()) };
        file.note(executions.map(|execution| (execution, self.of(execution))).collect())
    }

    /// The log of an attempt.
    pub(crate) fn log(&self, execution: ExecutionId, node: &str, attempt: u16) -> PathBuf {
        self.of(execution).logs.join(format!("{}.{attempt}.log", file_name(node)))
    }

    /// Makes the log of an attempt; only the owner may read it.
    pub(super) fn create_log(&self, execution: ExecutionId, node: &str, attempt: u16) -> io::Result<File> {
        let of = self.of(execution);
        let mut checked = self.checked.lock().unwrap_or_else(PoisonError::into_inner);
        if !checked.contains(&of.logs) {
            self.make_directory(&of)?;
            checked.insert(of.logs);
        }
        create_file(&self.log(execution, node, attempt))
    }

    fn make_directory(&self, of: &Surroundings) -> io::Result<()> {
        if of.temporary {
            return match create_folder(&of.logs) {
                // The process before this one made it, if it is the one that it noted.
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
            // It was said to be the one, so it may be a link or belong to others.
            Err(error) if error.kind() == ErrorKind::AlreadyExists && of.logs.is_dir() => Ok(()),
            made => made,
        }
    }
}

/// Below the directory for temporary files anybody can put something in the place of what was taken away.
#[cfg(unix)]
fn check_own(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let found = fs::symlink_metadata(path)?;
    if found.is_dir() && found.uid() == nix::unistd::geteuid().as_raw() && found.mode() & 0o022 == 0 {
        return Ok(());
    }
    Err(io::Error::other("it is not a directory of this user alone; --logs DIR names another one"))
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

    /// The places of a process that goes on with an execution whose logs were in that directory.
    fn resumed(folder: &TempDir, logs: &Path) -> Places {
        let journal = folder.path().join("j.db");
        fs::write(&journal, "").unwrap();
        let file = RunFile::open(&journal, |_| true).unwrap();
        let of = Surroundings { directory: "/".into(), logs: logs.to_owned(), temporary: true };
        file.note(vec![(id(), of)]).unwrap();
        Places::new(LogsOption::Unsaid, None, Some(Arc::new(file))).unwrap()
    }

    #[test]
    fn temporary_logs_are_for_their_owner_alone_in_a_directory_nobody_can_guess() {
        let (one, other) = (Places::new(LogsOption::Unsaid, None, None), Places::new(LogsOption::Unsaid, None, None));
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
        let places = Places::new(LogsOption::In(logs), None, None).unwrap();
        drop(places.create_log(id(), "a", 1).unwrap());
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    }
}
