//! The run file, `JOURNAL-run`: what a process that resumes executions must know of the process before it. That is the
//! working directory and the log directory of each execution, the commands that are running, and the ends of sleeps.
//!
//! The journal does not have these facts, because they concern this command-line tool and not the execution. The file
//! only grows by whole lines, so a process can be killed at any point; opening the file rewrites it without old lines.

mod line;
mod private;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use finale::{ExecutionId, Time};
use finale_core::TaskId;

pub(crate) use self::line::ExecutionPaths;
use self::line::{Line, RunState};
use self::private::give_to_owner;
pub(crate) use self::private::{create_file, create_folder};
use crate::processes::{LeftoverCommand, Mark};

/// The name of the file is that of the journal with this suffix.
const SUFFIX: &str = "-run";
/// A larger file is rewritten when most of its lines are obsolete.
const BYTES_MAX: u64 = 1 << 20;

/// The run file could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", path.display())]
pub(crate) struct RunFileError {
    path: PathBuf,
    error: io::Error,
}

/// The run file of a journal. The lock on the journal makes this process the only one that has it open.
#[derive(Debug)]
pub(crate) struct RunFile {
    path: PathBuf,
    journal: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    bytes: u64,
    /// Size of the file when it was last rewritten.
    bytes_needed: u64,
    known: RunState,
}

impl RunFile {
    /// Opens the run file of a journal, or creates it. The caller must hold the lock on the journal.
    ///
    /// Drops the paths and sleeps of executions for which `is_open` is false.
    pub(crate) fn open(journal: &Path, is_open: impl Fn(ExecutionId) -> bool) -> Result<Self, RunFileError> {
        let path = path(journal);
        let failed = |error| RunFileError { path: path.clone(), error };
        let mut known = RunState::file(&path, journal).map_err(failed)?;
        known.executions.retain(|id, _| is_open(*id));
        known.sleeps.retain(|task, _| is_open(task.execution));
        let (file, bytes) = rewrite(&path, journal, &known).map_err(failed)?;
        Ok(Self {
            path: path.clone(),
            journal: journal.to_owned(),
            state: Mutex::new(State { file, bytes, bytes_needed: bytes, known }),
        })
    }

    /// The recorded paths of an execution; `None` if another program activated it.
    pub(crate) fn paths(&self, execution: ExecutionId) -> Option<ExecutionPaths> {
        self.state().known.executions.get(&execution).cloned()
    }

    /// Records the paths of executions, durably. To be called before the first command of an execution can run.
    pub(crate) fn record(&self, executions: Vec<(ExecutionId, ExecutionPaths)>) -> Result<(), RunFileError> {
        for (id, paths) in executions {
            if self.paths(id).as_ref() != Some(&paths) {
                self.add(Line::Execution { id, paths })?;
            }
        }
        self.state().file.sync_data().map_err(|error| self.failed(error))
    }

    /// Commands that are recorded as running.
    pub(crate) fn leftovers(&self) -> Vec<LeftoverCommand> {
        self.state().known.commands.values().cloned().collect()
    }

    /// Records that a command is about to start; a second call with the same mark adds its first process.
    pub(crate) fn begins(&self, command: &LeftoverCommand) -> Result<(), RunFileError> {
        self.add(Line::Begins(command.clone()))
    }

    /// Records that no process of a command is alive.
    pub(crate) fn ended(&self, mark: &Mark) -> Result<(), RunFileError> {
        self.add(Line::Ended { mark: mark.clone() })
    }

    /// When the interrupted sleep of a task ends; `None` if there is no interrupted sleep.
    pub(crate) fn sleeps_until(&self, task: TaskId) -> Option<Time> {
        self.state().known.sleeps.get(&task).copied()
    }

    /// Records when the sleep of a task ends.
    pub(crate) fn sleeps(&self, task: TaskId, until: Time) -> Result<(), RunFileError> {
        self.add(Line::Sleeps { task, until })
    }

    /// Records that the sleep of a task is over.
    pub(crate) fn slept(&self, task: TaskId) -> Result<(), RunFileError> {
        self.add(Line::Slept { task })
    }

    /// Deletes the file unless a later process needs it: for an open execution, or for a command that is still alive.
    pub(crate) fn close(&self, is_open: impl Fn(ExecutionId) -> bool) {
        let mut state = self.state();
        state.known.executions.retain(|id, _| is_open(*id));
        // A killed command may have been alive when the file was last written.
        state.known.commands.retain(|_, command| command.is_alive());
        if state.known.executions.is_empty() && state.known.commands.is_empty() {
            // A file without content is harmless, so a failure to delete it does not matter.
            let _ = std::fs::remove_file(&self.path);
        }
    }

    fn add(&self, line: Line) -> Result<(), RunFileError> {
        let mut state = self.state();
        let text = line.text().map_err(|error| self.failed(error))?;
        state.file.write_all(text.as_bytes()).map_err(|error| self.failed(error))?;
        state.bytes += text.len() as u64;
        state.known.apply(line);
        if state.bytes > BYTES_MAX.max(2 * state.bytes_needed) {
            let (file, bytes) = rewrite(&self.path, &self.journal, &state.known).map_err(|error| self.failed(error))?;
            (state.file, state.bytes, state.bytes_needed) = (file, bytes, bytes);
        }
        Ok(())
    }

    fn failed(&self, error: io::Error) -> RunFileError {
        RunFileError { path: self.path.clone(), error }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Ignoring poison is safe: a panic can at worst cut off the last line, which readers skip.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The path of the run file. Links to the journal are resolved, so all of them have the same run file.
fn path(journal: &Path) -> PathBuf {
    let mut name = std::fs::canonicalize(journal).unwrap_or_else(|_| journal.to_owned()).into_os_string();
    name.push(SUFFIX);
    name.into()
}

/// Replaces the file by one that has only what is known; returns it and its size.
fn rewrite(path: &Path, journal: &Path, known: &RunState) -> io::Result<(File, u64)> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let text = known.lines().iter().map(Line::text).collect::<io::Result<String>>()?;
    let mut file = create_file(Path::new(&fresh))?;
    give_to_owner(&file, journal);
    file.write_all(text.as_bytes())?;
    file.sync_data()?;
    std::fs::rename(&fresh, path)?;
    Ok((file, text.len() as u64))
}

impl RunState {
    /// The shortest file with this content.
    fn lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        let executions: &HashMap<ExecutionId, ExecutionPaths> = &self.executions;
        lines.extend(executions.iter().map(|(id, paths)| Line::Execution { id: *id, paths: paths.clone() }));
        lines.extend(self.commands.values().cloned().map(Line::Begins));
        lines.extend(self.sleeps.iter().map(|(task, until)| Line::Sleeps { task: *task, until: *until }));
        lines
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn execution(number: u8) -> ExecutionId {
        format!("0199b1c2-0000-7000-8000-0000000000{number:02x}").parse().unwrap()
    }

    fn task(number: u8) -> TaskId {
        TaskId { execution: execution(number), key: finale_core::WorkKey::root(finale_core::NodeIndex(1)) }
    }

    fn command(number: u8) -> LeftoverCommand {
        let (mark, task) = (Mark::new().unwrap(), task(number));
        LeftoverCommand { mark, task, node: "build".into(), attempt: 1, process: None }
    }

    fn open(folder: &TempDir) -> RunFile {
        std::fs::write(folder.path().join("j.db"), "").unwrap();
        RunFile::open(&folder.path().join("j.db"), |_| true).unwrap()
    }

    #[test]
    fn what_was_noted_is_known_to_the_next_process() {
        let folder = TempDir::new().unwrap();
        let (first, at) =
            (open(&folder), ExecutionPaths { directory: "/work".into(), logs: "/logs".into(), temporary: true });
        let (left, over) = (command(1), command(1));
        first.record(vec![(execution(1), at.clone())]).unwrap();
        first.begins(&left).unwrap();
        first.begins(&over).unwrap();
        first.ended(&over.mark).unwrap();
        first.sleeps(task(1), Time::from_micros(7)).unwrap();
        first.sleeps(task(2), Time::from_micros(8)).unwrap();
        first.slept(task(2)).unwrap();
        for next in [open(&folder), open(&folder)] {
            assert_eq!(next.paths(execution(1)), Some(at.clone()));
            assert_eq!(next.leftovers(), std::slice::from_ref(&left));
            assert_eq!(next.sleeps_until(task(1)), Some(Time::from_micros(7)));
            assert_eq!(next.sleeps_until(task(2)), None);
        }
    }

    #[test]
    fn a_line_that_was_cut_off_says_nothing_and_the_others_count() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("j.db-run");
        open(&folder).begins(&command(1)).unwrap();
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str("{\"what\":\"begins\",\"mark\":\"12");
        std::fs::write(&path, &text).unwrap();
        assert_eq!(open(&folder).leftovers().len(), 1);
    }

    #[test]
    fn of_executions_that_ended_nothing_is_kept_but_what_may_still_run() {
        let folder = TempDir::new().unwrap();
        let at = ExecutionPaths { directory: "/work".into(), logs: "/logs".into(), temporary: true };
        let first = open(&folder);
        first.record(vec![(execution(1), at)]).unwrap();
        first.begins(&command(1)).unwrap();
        let next = RunFile::open(&folder.path().join("j.db"), |_| false).unwrap();
        assert_eq!((next.paths(execution(1)), next.leftovers().len()), (None, 1));
    }

    /// Needs a user who may give files away.
    #[cfg(unix)]
    #[test]
    fn the_file_belongs_to_the_owner_of_the_journal() {
        use std::os::unix::fs::{MetadataExt, chown};
        let folder = TempDir::new().unwrap();
        let [journal, run_file] = ["j.db", "j.db-run"].map(|name| folder.path().join(name));
        std::fs::write(&journal, "").unwrap();
        if chown(&journal, Some(65_534), Some(65_534)).is_err() {
            return;
        }
        drop(RunFile::open(&journal, |_| true).unwrap());
        let metadata = std::fs::metadata(run_file).unwrap();
        assert_eq!((metadata.uid(), metadata.gid(), metadata.mode() & 0o777), (65_534, 65_534, 0o600));
        drop(RunFile::open(&journal, |_| true).unwrap());
    }

    #[test]
    fn a_file_that_has_become_large_is_written_anew() {
        let folder = TempDir::new().unwrap();
        let (file, command) = (open(&folder), command(1));
        for _ in 0..10_000 {
            file.begins(&command).unwrap();
            file.ended(&command.mark).unwrap();
        }
        assert!(std::fs::metadata(folder.path().join("j.db-run")).unwrap().len() <= BYTES_MAX);
    }
}
