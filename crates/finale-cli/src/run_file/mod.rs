//! What a process that runs executions leaves to the next one, in a file beside the journal: where the commands of each
//! execution run, what is at work, and how long is still to be slept.
//!
//! The journal knows what an execution is; how finale runs commands is no business of it. Lines are only ever added, so
//! that the file is readable wherever the process is killed; when it is opened it is written anew.

mod line;
mod private;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use finale::core::TaskId;
use finale::{ExecutionId, Time};

pub(crate) use self::line::Surroundings;
use self::line::{Line, Read};
pub(crate) use self::private::{create_file, create_folder};
use crate::processes::{LeftCommand, Mark};

/// What the name of the file ends with, behind that of the journal.
const SUFFIX: &str = "-run";
/// From this size on the file is written anew, if most of it is of no use any more.
const BYTES_MAX: u64 = 1 << 20;

/// Why there is no such file, or nothing can be noted in it.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", path.display())]
pub(crate) struct RunFileError {
    path: PathBuf,
    error: io::Error,
}

/// The file, as the process has it that runs the executions of the journal. Only one process has a journal at a time.
#[derive(Debug)]
pub(crate) struct RunFile {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    bytes: u64,
    /// How large the file was when it was written anew.
    bytes_needed: u64,
    read: Read,
}

impl RunFile {
    /// Opens the file that lies beside a journal; makes it if there is none.
    ///
    /// To be called by the process that has the journal. Of executions that ended, which `is_open` says, nothing is kept.
    pub(crate) fn open(journal: &Path, is_open: impl Fn(ExecutionId) -> bool) -> Result<Self, RunFileError> {
        let path = path(journal);
        let failed = |error| RunFileError { path: path.clone(), error };
        let mut read = Read::file(&path, journal).map_err(failed)?;
        read.executions.retain(|id, _| is_open(*id));
        read.sleeps.retain(|task, _| is_open(task.execution));
        let (file, bytes) = write_anew(&path, &read).map_err(failed)?;
        Ok(Self { path: path.clone(), state: Mutex::new(State { file, bytes, bytes_needed: bytes, read }) })
    }

    /// Where the commands of an execution run; none if it was not noted.
    pub(crate) fn surroundings(&self, execution: ExecutionId) -> Option<Surroundings> {
        self.state().read.executions.get(&execution).cloned()
    }

    /// Notes where the commands of executions run, before the first one does; survives the loss of power.
    pub(crate) fn note(&self, executions: Vec<(ExecutionId, Surroundings)>) -> Result<(), RunFileError> {
        for (id, surroundings) in executions {
            if self.surroundings(id).as_ref() != Some(&surroundings) {
                self.add(Line::Execution { id, surroundings })?;
            }
        }
        self.state().file.sync_data().map_err(|error| self.failed(error))
    }

    /// The commands that were at work when the process before this one ended.
    pub(crate) fn left(&self) -> Vec<LeftCommand> {
        self.state().read.commands.values().cloned().collect()
    }

    /// Notes that a command is about to begin, or what its first process is.
    pub(crate) fn begins(&self, command: &LeftCommand) -> Result<(), RunFileError> {
        self.add(Line::Begins(command.clone()))
    }

    /// Notes that nothing of a command is alive any more.
    pub(crate) fn ended(&self, mark: &Mark) -> Result<(), RunFileError> {
        self.add(Line::Ended { mark: mark.clone() })
    }

    /// Until when a task sleeps whose sleep was cut off.
    pub(crate) fn sleeps_until(&self, task: TaskId) -> Option<Time> {
        self.state().read.sleeps.get(&task).copied()
    }

    /// Notes until when a task sleeps.
    pub(crate) fn sleeps(&self, task: TaskId, until: Time) -> Result<(), RunFileError> {
        self.add(Line::Sleeps { task, until })
    }

    /// Notes that a task does not sleep any more.
    pub(crate) fn slept(&self, task: TaskId) -> Result<(), RunFileError> {
        self.add(Line::Slept { task })
    }

    /// Removes the file if there is nothing in it that anybody needs.
    pub(crate) fn close(&self, is_open: impl Fn(ExecutionId) -> bool) {
        let mut state = self.state();
        state.read.executions.retain(|id, _| is_open(*id));
        // What was killed is dead a moment later.
        state.read.commands.retain(|_, command| command.is_alive());
        if state.read.executions.is_empty() && state.read.commands.is_empty() {
            // An empty one that stays does no harm.
            let _ = std::fs::remove_file(&self.path);
        }
    }

    fn add(&self, line: Line) -> Result<(), RunFileError> {
        let mut state = self.state();
        let text = line.text().map_err(|error| self.failed(error))?;
        state.file.write_all(text.as_bytes()).map_err(|error| self.failed(error))?;
        state.bytes += text.len() as u64;
        state.read.take(line);
        if state.bytes > BYTES_MAX.max(2 * state.bytes_needed) {
            let (file, bytes) = write_anew(&self.path, &state.read).map_err(|error| self.failed(error))?;
            (state.file, state.bytes, state.bytes_needed) = (file, bytes, bytes);
        }
        Ok(())
    }

    fn failed(&self, error: io::Error) -> RunFileError {
        RunFileError { path: self.path.clone(), error }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whoever panics here leaves a file whose last line may be cut off, which is read all the same.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The path of the file that lies beside a journal; a link to the journal leads to the same file.
fn path(journal: &Path) -> PathBuf {
    let mut name = std::fs::canonicalize(journal).unwrap_or_else(|_| journal.to_owned()).into_os_string();
    name.push(SUFFIX);
    name.into()
}

/// Puts a file in the place of the old one in which only that is what is still needed; gives its size.
fn write_anew(path: &Path, read: &Read) -> io::Result<(File, u64)> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let text = read.lines().iter().map(Line::text).collect::<io::Result<String>>()?;
    let mut file = create_file(Path::new(&fresh))?;
    file.write_all(text.as_bytes())?;
    file.sync_data()?;
    std::fs::rename(&fresh, path)?;
    Ok((file, text.len() as u64))
}

impl Read {
    /// The lines of a file in which only this is.
    fn lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        let executions: &HashMap<ExecutionId, Surroundings> = &self.executions;
        lines.extend(
            executions.iter().map(|(id, surroundings)| Line::Execution { id: *id, surroundings: surroundings.clone() }),
        );
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
        TaskId { execution: execution(number), key: finale::core::WorkKey::node(1) }
    }

    fn command(number: u8) -> LeftCommand {
        let (mark, task) = (Mark::new().unwrap(), task(number));
        LeftCommand { mark, task, node: "build".into(), attempt: 1, process: None }
    }

    fn open(folder: &TempDir) -> RunFile {
        std::fs::write(folder.path().join("j.db"), "").unwrap();
        RunFile::open(&folder.path().join("j.db"), |_| true).unwrap()
    }

    #[test]
    fn what_was_noted_is_known_to_the_next_process() {
        let folder = TempDir::new().unwrap();
        let (first, at) =
            (open(&folder), Surroundings { directory: "/work".into(), logs: "/logs".into(), temporary: true });
        let (left, over) = (command(1), command(1));
        first.note(vec![(execution(1), at.clone())]).unwrap();
        first.begins(&left).unwrap();
        first.begins(&over).unwrap();
        first.ended(&over.mark).unwrap();
        first.sleeps(task(1), Time::from_micros(7)).unwrap();
        first.sleeps(task(2), Time::from_micros(8)).unwrap();
        first.slept(task(2)).unwrap();
        for next in [open(&folder), open(&folder)] {
            assert_eq!(next.surroundings(execution(1)), Some(at.clone()));
            assert_eq!(next.left(), std::slice::from_ref(&left));
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
        assert_eq!(open(&folder).left().len(), 1);
    }

    #[test]
    fn of_executions_that_ended_nothing_is_kept_but_what_may_still_run() {
        let folder = TempDir::new().unwrap();
        let at = Surroundings { directory: "/work".into(), logs: "/logs".into(), temporary: true };
        let first = open(&folder);
        first.note(vec![(execution(1), at)]).unwrap();
        first.begins(&command(1)).unwrap();
        let next = RunFile::open(&folder.path().join("j.db"), |_| false).unwrap();
        assert_eq!((next.surroundings(execution(1)), next.left().len()), (None, 1));
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
