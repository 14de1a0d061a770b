//! What errors of SQLite mean.

use std::fmt::Display;

use finale_core::ExecutionId;
use rusqlite::{Error, ErrorCode};

use crate::{JournalError, OpenProblem};

/// Writing failed for good.
pub(super) fn failed(error: impl Display) -> JournalError {
    JournalError::Failed(error.to_string().into())
}

/// Reading failed, and not because of one execution.
pub(super) fn unreadable(error: impl Display) -> JournalError {
    JournalError::Unreadable(error.to_string().into())
}

/// What is kept of an execution is wrong.
pub(super) fn damaged(execution: ExecutionId, problem: impl Display) -> JournalError {
    JournalError::Damaged { execution, problem: problem.to_string().into() }
}

/// Reading something of one execution failed: is it damaged, or can nothing be read?
pub(super) fn reading(execution: ExecutionId, error: &Error) -> JournalError {
    if is_rot(error) { damaged(execution, error) } else { unreadable(error) }
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
