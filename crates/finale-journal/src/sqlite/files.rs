//! The files of a journal.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::{JournalError, OpenProblem};

use super::identity::names;
use super::mark::Mark;
use super::private::private;

/// Where the files of a journal lie: the database, and beside it SQLite's log with its index, the lock and the mark.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) database: PathBuf,
    pub(super) log: PathBuf,
    pub(super) index: PathBuf,
    pub(super) lock: PathBuf,
    pub(super) mark: PathBuf,
}

impl Files {
    /// The files of the journal at a path, which need not be there yet.
    pub(super) fn at(path: &Path) -> Result<Self, JournalError> {
        let database = resolve(path).map_err(|problem| open_error(path, problem))?;
        let beside = |suffix| beside(&database, suffix);
        let (log, index, lock, mark) = (beside("-wal"), beside("-shm"), beside("-lock"), beside("-mark"));
        Ok(Self { database, log, index, lock, mark })
    }

    /// Refuses a database that is found under several names, or by several machines: its log is found by name, so that
    /// who comes by another name sees another journal.
    pub(super) fn check(&self) -> Result<(), OpenProblem> {
        if let Ok(found) = fs::symlink_metadata(&self.database)
            && names(&found) > 1
        {
            return Err(OpenProblem::SeveralNames { names: names(&found) });
        }
        self.database.parent().map_or(Ok(()), super::network::check)
    }

    pub(super) fn error(&self, problem: OpenProblem) -> JournalError {
        open_error(&self.database, problem)
    }

    /// How long the database is; none if there is none.
    pub(super) fn length(&self) -> Option<u64> {
        fs::metadata(&self.database).map(|found| found.len()).ok()
    }

    /// What is lost if the database is not there, or nothing is in it, although a journal was here.
    pub(super) fn lost(&self, mark: Option<Mark>) -> Option<OpenProblem> {
        if self.length().is_some_and(|length| length > 0) {
            return None;
        }
        let missing = mark.map(|mark| mark.batch).or(self.has_log().then_some(1))?;
        Some(OpenProblem::LostTail { missing })
    }

    /// Whether anything is in the log.
    pub(super) fn has_log(&self) -> bool {
        fs::metadata(&self.log).is_ok_and(|log| log.len() > 0)
    }

    /// Deletes a log that belongs to another database than is there.
    pub(super) fn drop_log(&self) -> io::Result<()> {
        [&self.log, &self.index].into_iter().try_for_each(|path| remove(path))
    }

    /// Deletes what an earlier journal left beside a database that is not there: SQLite would take its log for that of
    /// the new database.
    pub(super) fn clear_leftovers(&self) -> io::Result<()> {
        let leftovers = [&self.log, &self.index, &self.mark, &beside(&self.database, "-new")];
        leftovers.into_iter().try_for_each(|path| remove(path))
    }

    /// An empty file for a new database, for this user alone.
    pub(super) fn new_file(&self) -> io::Result<PathBuf> {
        let path = beside(&self.database, "-new");
        create_private(&path)?;
        Ok(path)
    }

    /// Gives a new database its name.
    pub(super) fn name_new(&self, new: &Path) -> io::Result<()> {
        File::options().read(true).write(true).open(new)?.sync_all()?;
        fs::rename(new, &self.database)?;
        sync_folder(&self.database)
    }
}

/// Deletes a file, if it is there.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Creates a file that is not there, for this user alone.
pub(super) fn create_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    private(&mut options);
    options.open(path).map(drop)
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` calls")]
pub(super) fn io_problem(error: io::Error) -> OpenProblem {
    OpenProblem::Io(error.to_string().into())
}

fn open_error(path: &Path, problem: OpenProblem) -> JournalError {
    JournalError::Open { path: path.to_owned(), problem }
}

/// The path with a folder that has no links in it; the file itself must not be one.
fn resolve(path: &Path) -> Result<PathBuf, OpenProblem> {
    let name = path.file_name().ok_or(OpenProblem::NoFile)?;
    let folder = folder_of(path).canonicalize().map_err(|_| OpenProblem::NoFolder)?;
    let path = folder.join(name);
    match fs::symlink_metadata(&path) {
        Ok(found) if found.is_symlink() => Err(OpenProblem::Link),
        Ok(found) if !found.is_file() => Err(OpenProblem::NoFile),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_problem(error)),
        Ok(_) | Err(_) => Ok(path),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// The folder of a file; that of a name alone is where the process is.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A file that was created is there after a power loss only when its folder was synced.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder_of(path))?.sync_all() } else { Ok(()) }
}
