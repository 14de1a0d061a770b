//! The files of a journal.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::{JournalError, OpenProblem};

/// Where the files of a journal lie: the database, and beside it its lock and its mark.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) database: PathBuf,
    pub(super) lock: PathBuf,
    pub(super) mark: PathBuf,
}

impl Files {
    /// The files of the journal at a path, which need not be there yet.
    pub(super) fn at(path: &Path) -> Result<Self, JournalError> {
        let database = resolve(path).map_err(|problem| open_error(path, problem))?;
        Ok(Self { lock: beside(&database, "-lock"), mark: beside(&database, "-mark"), database })
    }

    pub(super) fn error(&self, problem: OpenProblem) -> JournalError {
        open_error(&self.database, problem)
    }

    /// How long the database is; none if there is none.
    pub(super) fn length(&self) -> Option<u64> {
        fs::metadata(&self.database).map(|found| found.len()).ok()
    }

    /// Creates the database, for this user alone.
    pub(super) fn create(&self) -> Result<(), OpenProblem> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        private(&mut options);
        options.open(&self.database).and_then(|_| sync_folder(&self.database)).map_err(io_problem)
    }
}

/// Lets nobody else read what is created.
pub(super) fn private(options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    #[cfg(not(unix))]
    let _ = options;
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
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.canonicalize().map_err(|_| OpenProblem::NoFolder)?;
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

/// A file that was created is there after a power loss only when its folder was synced.
fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if cfg!(unix) => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}
