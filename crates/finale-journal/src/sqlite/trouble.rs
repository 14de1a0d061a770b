//! What errors of SQLite mean.

use std::any::Any;
use std::fmt::Display;

use finale_core::ExecutionId;
use rusqlite::{Error, ErrorCode};

use crate::{JournalError, OpenProblem};

/// Writing failed for good.
pub(super) fn failed(error: impl Display) -> JournalError {
    JournalError::Failed(error.to_string().into())
}

/// How every error begins that comes from damage to the database as such, and not to what is kept of one execution.
const DATABASE_DAMAGED: &str = "the database is damaged";

/// Reading failed, and not because of one execution.
#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` calls")]
pub(super) fn unreadable(error: Error) -> JournalError {
    JournalError::Unreadable(text(&error).into())
}

/// What was acknowledged last and is not in the tables yet has rotted under whoever owns the journal.
pub(super) fn batches_damaged(missing: u64) -> JournalError {
    let what = format!("{DATABASE_DAMAGED}: {missing} batches at its end are not what was written");
    JournalError::Unreadable(what.into())
}

/// Whether an error comes from damage to the database as such: more than what was read may be concerned.
pub(super) fn is_damage(error: &JournalError) -> bool {
    match error {
        JournalError::Unreadable(problem) | JournalError::Damaged { problem, .. } => {
            problem.starts_with(DATABASE_DAMAGED)
        }
        _ => false,
    }
}

fn text(error: &Error) -> String {
    let damages = [ErrorCode::DatabaseCorrupt, ErrorCode::NotADatabase, ErrorCode::SystemIoFailure];
    match error.sqlite_error_code() {
        Some(code) if damages.contains(&code) => format!("{DATABASE_DAMAGED}: {error}"),
        _ => error.to_string(),
    }
}

/// What is kept of an execution is wrong.
pub(super) fn damaged(execution: ExecutionId, problem: impl Display) -> JournalError {
    JournalError::Damaged { execution, problem: problem.to_string().into() }
}

/// Reading something of one execution failed: is it damaged, or can nothing be read?
pub(super) fn reading(execution: ExecutionId, error: &Error) -> JournalError {
    let problem = text(error);
    if is_rot(error) { damaged(execution, problem) } else { JournalError::Unreadable(problem.into()) }
}

/// Why a database could not be opened.
#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` calls")]
pub(super) fn open_problem(error: Error) -> OpenProblem {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenProblem::Foreign,
        _ => OpenProblem::Io(error.to_string().into()),
    }
}

/// Whether what is kept is wrong, rather than out of reach.
pub(super) fn is_rot(error: &Error) -> bool {
    match error {
        Error::SqliteFailure(failure, _) => {
            matches!(failure.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::TypeMismatch)
        }
        Error::FromSqlConversionFailure(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::Utf8Error(..)
        | Error::InvalidColumnType(..) => true,
        _ => false,
    }
}

/// The thread of the journal has panicked.
pub(super) fn panicked(panic: &(dyn Any + Send)) -> JournalError {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
    failed(format!("its thread panicked: {text}"))
}
