//! What the process ends with.

use finale::ExecutionStatus;
use finale::journal::{JournalError, OpenProblem};

/// The exit code when an execution failed or is quarantined, or finale did not do what it should.
pub(crate) const FAILED: u8 = 1;
/// The exit code when nothing was done because of what was handed in.
pub(crate) const BAD_INPUT: u8 = 2;
/// The exit code when an execution was cancelled, or the process was interrupted.
pub(crate) const CANCELLED: u8 = 3;

/// What says how an execution stands.
pub(crate) const fn of_status(status: ExecutionStatus) -> u8 {
    match status {
        ExecutionStatus::Completed => 0,
        ExecutionStatus::Cancelled => CANCELLED,
        _ => FAILED,
    }
}

/// What says why a journal was of no use: a wrong file is bad input, a file that somebody else has is not.
pub(crate) const fn of_journal(error: &JournalError) -> u8 {
    use OpenProblem::{Empty, Foreign, Link, NetworkFileSystem, Newer, NoFile, NoFolder, Older, SeveralNames};
    match error {
        JournalError::Open {
            problem: NoFile | NoFolder | Link | Empty | Foreign | Newer { .. } | Older { .. },
            ..
        }
        | JournalError::Open { problem: SeveralNames { .. } | NetworkFileSystem { .. }, .. } => BAD_INPUT,
        _ => FAILED,
    }
}
