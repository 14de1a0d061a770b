//! One process owns a journal.
//!
//! Two locks see to that. The one on the file beside the database is found by name, and says who holds it. The one on
//! the database itself holds whatever the file is called: a hard link, or a file that a container sees under a name of
//! its own, leads to the same lock.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use finale_core::Time;

use crate::OpenProblem;

use super::files::io_problem;
use super::identity::FileIdentity;
use super::private::private;

/// The databases that this process owns.
///
/// Closing any handle on a file frees all locks that SQLite has on it in this process. So a database that is owned here
/// must not even be opened to look whether it is locked.
static OWNED: Mutex<Vec<FileIdentity>> = Mutex::new(Vec::new());

/// The lock on a database file, whatever it is called; held as long as this lives.
#[derive(Debug)]
pub(super) struct DatabaseLock {
    file: File,
    identity: Option<FileIdentity>,
}

impl DatabaseLock {
    /// Takes the lock of a database that is there.
    pub(super) fn take(path: &Path) -> Result<Self, OpenProblem> {
        let identity = FileIdentity::at(path).map_err(io_problem)?;
        let mut owned = owned();
        if identity.is_some_and(|identity| owned.contains(&identity)) {
            return Err(OpenProblem::InUse { holder: "this process, which has opened it under another name".into() });
        }
        let file = File::options().read(true).write(true).open(path).map_err(io_problem)?;
        lock(&file)?;
        owned.extend(identity);
        Ok(Self { file, identity })
    }

    /// Opens the file without any lock, for tests of what holds without locks.
    pub(super) fn none(path: &Path) -> Result<Self, OpenProblem> {
        Ok(Self { file: File::open(path).map_err(io_problem)?, identity: None })
    }

    /// Another handle on the same file.
    pub(super) fn file(&self) -> std::io::Result<File> {
        self.file.try_clone()
    }
}

impl Drop for DatabaseLock {
    fn drop(&mut self) {
        let identity = self.identity;
        owned().retain(|owned| Some(*owned) != identity);
    }
}

fn owned() -> MutexGuard<'static, Vec<FileIdentity>> {
    OWNED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Locks the whole file, beside the locks of SQLite: on Unix the two kinds do not know of each other.
#[cfg(unix)]
fn lock(file: &File) -> Result<(), OpenProblem> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            Err(OpenProblem::InUse { holder: "another process, which has opened it under another name".into() })
        }
        Err(TryLockError::Error(error)) => Err(io_problem(error)),
    }
}

/// Elsewhere a lock on the whole file would keep SQLite itself from it.
#[cfg(not(unix))]
fn lock(_file: &File) -> Result<(), OpenProblem> {
    Ok(())
}

/// The lock beside a database, held as long as this lives; the operating system frees it when the process dies.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    /// Takes the lock, and notes in the file who holds it.
    pub(super) fn take(path: &Path) -> Result<Self, OpenProblem> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        private(&mut options);
        let mut file = options.open(path).map_err(io_problem)?;
        match file.try_lock() {
            Ok(()) => note(&mut file, &holder()).map_err(io_problem)?,
            Err(TryLockError::WouldBlock) => return Err(OpenProblem::InUse { holder: noted(&mut file) }),
            Err(TryLockError::Error(error)) => return Err(io_problem(error)),
        }
        Ok(Self(file))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The file stays: whoever deleted it could delete the lock that another process has just taken.
        let _ = note(&mut self.0, "").and_then(|()| self.0.unlock());
    }
}

fn note(file: &mut File, holder: &str) -> std::io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(holder.as_bytes())
}

fn noted(file: &mut File) -> String {
    let mut holder = String::new();
    match file.take(1_024).read_to_string(&mut holder) {
        Ok(read) if read > 0 => holder.trim_end().to_owned(),
        _ => "another process".to_owned(),
    }
}

fn holder() -> String {
    let program = std::env::current_exe().ok();
    let name = program.as_deref().and_then(Path::file_name).unwrap_or("an unknown program".as_ref());
    format!("process {} ({}) since {}\n", std::process::id(), name.display(), now())
}

fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
