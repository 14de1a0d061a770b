//! Why a runtime does not start.

use finale_core::definition::SchemaError;
use finale_journal::JournalError;

use super::registered::RegisterError;

/// Why a runtime was not started; nothing of it exists then.
///
/// ```
/// use finale::StartError;
/// use finale::prelude::*;
///
/// // Here is no actix System.
/// let error = Runtime::builder().start().unwrap_err();
/// assert!(matches!(error, StartError::NoSystem));
/// assert_eq!(error.code(), "no_system");
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// There is no running actix `System` on this thread.
    #[error("a runtime is started inside a running actix System: there is none on this thread")]
    NoSystem,
    /// Two handlers were registered under one name.
    #[error("two handlers are called {0:?}")]
    HandlerTwice(String),
    /// A limit for a handler that was not registered.
    #[error("a limit is set for handler {0:?}, which is not registered")]
    UnknownHandler(String),
    /// A limit that lets nothing happen: it is named, and 0.
    #[error("{0} must be at least 1")]
    ZeroLimit(&'static str),
    /// Two workflows were registered under one id and version.
    #[error(transparent)]
    Workflow(#[from] RegisterError),
    /// The types of a handler have a schema that is over a limit.
    #[error("the schemas of handler {handler:?}: {error}")]
    Schema {
        /// The name of the handler.
        handler: String,
        /// What is wrong with its schema.
        error: SchemaError,
    },
    /// The journal could not be claimed or read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A thread of the runtime did not start.
    #[error("a thread of the runtime did not start")]
    Thread,
}

impl StartError {
    /// The name of the kind of error, which does not change between versions.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoSystem => "no_system",
            Self::HandlerTwice(_) => "handler_twice",
            Self::UnknownHandler(_) => "unknown_handler",
            Self::ZeroLimit(_) => "zero_limit",
            Self::Workflow(error) => error.code(),
            Self::Schema { .. } => "schema_invalid",
            Self::Journal(error) => error.code(),
            Self::Thread => "no_thread",
        }
    }
}
