//! One error for all that an application asks of finale.

use std::fmt;

use finale_core::compile::CompileError;
use finale_core::record::OutputError;

use crate::activation::ActivateError;
use crate::completion::Abandoned;
use crate::errors::{CommandError, ReportError};
use crate::runtime::{RegisterError, StartError};

/// Any error of finale, for functions that ask for several things; `?` makes one of each.
///
/// With the feature `actix-web` it is a `ResponseError`, as are those that it is made of: a web handler can return it.
///
/// ```
/// use finale::prelude::*;
///
/// async fn order(runtime: &Runtime, workflow: &Workflow, item: &str) -> Result<u32, finale::Error> {
///     let outcome = runtime.activate(workflow, item).await?.outcome().await?;
///     Ok(outcome.output()?)
/// }
///
/// async fn price(_context: TaskContext, item: String) -> Result<u32, TaskError> {
///     if item == "kettle" { Ok(20) } else { Err("we do not sell that")? }
/// }
///
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let workflow = Workflow::builder("order").task("price", "price").build()?;
/// # let runtime = Runtime::builder().shards(Shards::Current).handler("price", price).start()?;
/// assert_eq!(order(&runtime, &workflow, "kettle").await?, 20);
///
/// let error = order(&runtime, &workflow, "teapot").await.unwrap_err();
/// assert_eq!(error.code(), "execution_failed");
/// assert_eq!(error.to_string(), r#"task "Price" (price) failed: we do not sell that"#);
/// # Ok(())
/// # }
/// ```
///
/// The answer of a web service has a status that follows from the [code](Self::code), and says both:
///
/// ```
/// # #[cfg(feature = "actix-web")]
/// # {
/// use actix_web::ResponseError;
/// use finale::CommandError;
///
/// let answer = finale::Error::from(CommandError::NotFound).error_response();
/// assert_eq!(answer.status(), 404); // {"code": "not_found", "message": "there is no such execution"}
/// # }
/// ```
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The definition cannot be run.
    #[error(transparent)]
    Definition(#[from] CompileError),
    /// The runtime did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The workflow was not registered.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// The workflow was not activated.
    #[error(transparent)]
    Activate(#[from] ActivateError),
    /// The runtime stopped before the execution ended.
    #[error(transparent)]
    Abandoned(#[from] Abandoned),
    /// The execution has no such output.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// A command was not carried out.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A report on a task was not recorded.
    #[error(transparent)]
    Report(#[from] ReportError),
}

/// What `main` prints when it returns an error: the words and the code, not the parts it is made of.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} ({})", self.code())
    }
}

impl Error {
    /// The name of the kind of error, which does not change between versions; docs/semantics.md has them all.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Definition(_) => "definition_invalid",
            Self::Start(error) => error.code(),
            Self::Register(error) => error.code(),
            Self::Activate(error) => error.code(),
            Self::Abandoned(error) => error.code(),
            Self::Output(error) => error.code(),
            Self::Command(error) => error.code(),
            Self::Report(error) => error.code(),
        }
    }
}
