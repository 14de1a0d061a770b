//! Copying a journal as it is at one moment, whether it is at work or not.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use crate::JournalError;

use super::files::{create_private, sync_folder};

/// How many pages are copied at once. Nobody waits for the copy: this only bounds how long one call takes.
const PAGES: i32 = 1_024;

/// Copies what a connection sees into a file that is not there. The file gets its name when it is whole, is on the disk,
/// and was checked.
pub(super) fn copy(from: &Connection, to: &Path) -> Result<(), JournalError> {
    let failed = |problem: String| JournalError::Backup { path: to.to_owned(), problem: problem.into() };
    if to.symlink_metadata().is_ok() {
        return Err(failed("there is a file of that name already".to_owned()));
    }
    for suffix in ["-wal", "-shm", "-journal", "-mark"] {
        if beside(to, suffix).symlink_metadata().is_ok() {
            let path = beside(to, suffix);
            // SQLite would take it for that of the copy.
            return Err(failed(format!("{} is left of another journal of that name: delete it first", path.display())));
        }
    }
    let partial = beside(to, "-partial");
    let copied = copy_into(from, &partial).and_then(|()| {
        let name = || {
            fs::File::options().read(true).write(true).open(&partial)?.sync_all()?;
            fs::rename(&partial, to)?;
            sync_folder(to)
        };
        name().map_err(|error: std::io::Error| error.to_string())
    });
    copied.map_err(|problem| {
        // What is left of it is of no use to anybody.
        let _ = fs::remove_file(&partial);
        failed(problem)
    })
}

fn copy_into(from: &Connection, partial: &Path) -> Result<(), String> {
    match fs::remove_file(partial) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.to_string()),
        Ok(()) | Err(_) => {}
    }
    create_private(partial).map_err(|error| error.to_string())?;
    copy_pages(from, partial).map_err(|error| error.to_string())?;
    match check(partial) {
        Ok(found) if found == "ok" => Ok(()),
        Ok(found) => Err(format!("it is damaged: {found}")),
        Err(error) => Err(format!("it is damaged: {error}")),
    }
}

fn copy_pages(from: &Connection, partial: &Path) -> rusqlite::Result<()> {
    // One state of the journal, whatever is written meanwhile: otherwise each commit would begin the copy anew.
    let snapshot = from.unchecked_transaction()?;
    snapshot.query_row("SELECT batch FROM meta", [], |_| Ok(()))?;
    let mut target = Connection::open_with_flags(partial, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // It is synced as a whole at the end, and thrown away if anything goes wrong.
    target.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")?;
    let backup = Backup::new(&snapshot, &mut target)?;
    while backup.step(PAGES)? == StepResult::More {}
    drop(backup);
    target.close().map_err(|(_, error)| error)
}

/// What SQLite finds wrong with a copy, or `ok`. A copy of a damaged journal would be found damaged on the day when it is
/// needed.
fn check(partial: &Path) -> rusqlite::Result<String> {
    let connection = Connection::open_with_flags(partial, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let found = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    connection.close().map_err(|(_, error)| error)?;
    Ok(found)
}

fn beside(to: &Path, suffix: &str) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
