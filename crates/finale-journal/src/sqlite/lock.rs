//! One process owns a journal.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use finale_core::Time;

use crate::OpenProblem;

use super::files::{io_problem, private};

/// The lock on a journal, held as long as this lives; the operating system frees it when the process dies.
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
