//! Why a task was not done, in the words of its handler.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use finale_core::{Failure, FailureClass};

use crate::context::{MissingData, TaskOutputError};
use crate::sources::with_sources;

/// Why a handler could not do its task.
///
/// `?` makes one of any error, of a text too; the reason is the error with all its sources. The task is tried again as
/// its definition says, unless the error is [permanent](Self::permanent).
///
/// ```
/// use std::time::Duration;
///
/// use finale::{ResultExt, TaskContext, TaskError};
///
/// async fn charge_card(_context: TaskContext, euros: String) -> Result<u32, TaskError> {
///     // A text that is no number today is none tomorrow.
///     let euros: u32 = euros.parse().permanent()?;
///     if euros > 1_000 {
///         return Err(TaskError::new("card declined").permanent());
///     }
///     std::fs::read_to_string("cash_desk").retry_after(Duration::from_secs(60))?;
///     Ok(euros)
/// }
///
/// let error = TaskError::new("card declined").permanent();
/// assert_eq!(error.to_string(), "failed: card declined");
/// ```
#[derive(Clone, Debug)]
pub struct TaskError(Failure);

impl TaskError {
    /// An error in words, of class `failed`, to be tried again as the definition says. Words that are longer than
    /// [`Limits::text_bytes_max`](crate::Limits::text_bytes_max) are cut when they are recorded.
    pub fn new(reason: impl fmt::Display) -> Self {
        Self(Failure::new(FailureClass::Failed, reason.to_string()))
    }

    /// The same error, not to be tried again: the attempts that are left are not used.
    pub fn permanent(self) -> Self {
        Self(self.0.permanent())
    }

    /// The same error, to be tried again not before that time has passed, if there is an attempt left.
    ///
    /// The backoff of the task counts if it is longer.
    pub fn retry_after(self, delay: Duration) -> Self {
        Self(self.0.retry_after(delay))
    }

    /// The same error with a code, by which programs and the definition know it: `retry: {not_on: [card_declined]}`.
    ///
    /// A blank code is none, and of one that is too long only the first
    /// [`Failure::CODE_BYTES_MAX`] bytes are kept. The name of a
    /// [class](FailureClass) in a definition always means the class.
    ///
    /// ```
    /// use finale::TaskError;
    ///
    /// let error = TaskError::new("card declined").code("card_declined");
    /// assert_eq!(error.failure().code(), Some("card_declined"));
    /// ```
    pub fn code(self, code: &str) -> Self {
        Self(self.0.with_code(code))
    }

    /// The same error, of class `unknown`: the handler cannot say whether it took effect, because an answer was lost for
    /// example. The task is not tried again by itself, whatever its definition says, but held until an operator has
    /// [it tried again](crate::ExecutionHandle::retry), [completes](crate::ExecutionHandle::complete_by_hand) or
    /// [fails](crate::ExecutionHandle::fail_by_hand) it.
    pub fn unknown(mut self) -> Self {
        self.0.class = FailureClass::Unknown;
        self
    }

    /// The failure as it is recorded.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use finale::TaskError;
    ///
    /// let error = TaskError::new("busy").retry_after(Duration::from_secs(60));
    /// assert_eq!(error.failure().delay(), Some(Duration::from_secs(60)));
    /// assert!(error.failure().is_retryable());
    /// ```
    pub fn failure(&self) -> &Failure {
        &self.0
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for TaskError {
    fn from(error: E) -> Self {
        let error = error.into();
        let made = Self::new(with_sources(&*error));
        // What the program lacks it lacks at the next attempt too.
        if error.is::<MissingData>() || error.is::<TaskOutputError>() { made.permanent() } else { made }
    }
}

impl From<TaskError> for Failure {
    fn from(error: TaskError) -> Self {
        error.0
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Says of an error what another attempt is worth, on its way through `?`.
///
/// ```
/// use finale::{ResultExt, TaskError};
///
/// fn number(text: &str) -> Result<u32, TaskError> {
///     Ok(text.parse::<u32>().permanent()?)
/// }
///
/// assert!(number("seven").unwrap_err().failure().permanent);
/// ```
pub trait ResultExt<T> {
    /// The error is not to be tried again.
    ///
    /// # Errors
    /// The same one, as a [`TaskError`].
    fn permanent(self) -> Result<T, TaskError>;

    /// The error is to be tried again not before that time has passed.
    ///
    /// # Errors
    /// The same one, as a [`TaskError`].
    fn retry_after(self, delay: Duration) -> Result<T, TaskError>;
}

impl<T, E: Into<TaskError>> ResultExt<T> for Result<T, E> {
    fn permanent(self) -> Result<T, TaskError> {
        self.map_err(|error| error.into().permanent())
    }

    fn retry_after(self, delay: Duration) -> Result<T, TaskError> {
        self.map_err(|error| error.into().retry_after(delay))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the shop is closed")]
    struct Closed(#[source] std::io::Error);

    #[derive(Debug, thiserror::Error)]
    #[error("no luck: {0}")]
    struct Told(#[source] std::io::Error);

    fn reason(error: impl Into<TaskError>) -> String {
        error.into().failure().reason.to_string()
    }

    #[test]
    fn the_reason_is_an_error_with_its_sources_each_told_once() {
        let away = || std::io::Error::other("nobody is there");
        assert_eq!(reason(Closed(away())), "the shop is closed: nobody is there");
        assert_eq!(reason(Told(away())), "no luck: nobody is there");
    }

    #[test]
    fn texts_and_boxed_errors_become_one_too() {
        assert_eq!(reason("no"), "no");
        let boxed: Box<dyn Error + Send + Sync> = "no".into();
        assert_eq!(reason(boxed), "no");
    }

    #[test]
    fn what_the_program_lacks_is_permanent() {
        let lacking = TaskError::from(TaskOutputError::Missing("reserve".to_owned()));
        assert!(lacking.failure().permanent);
        assert!(!TaskError::from("busy").failure().permanent);
    }
}
