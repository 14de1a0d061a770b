//! What is known to the compiler of what workflows take and give.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use finale_core::Outcome;
use finale_core::record::OutputError;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The types of a workflow that the compiler does not know: it takes whatever can be serialized, and whoever asks says what
/// it should have given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undeclared {}

/// What can be handed to a workflow that takes an `Input`: such a value, or anything if its types are
/// [`Undeclared`]. Nobody else can implement it.
#[diagnostic::on_unimplemented(
    message = "the workflow takes `{Input}`, and not `{Self}`",
    label = "this is no `{Input}`"
)]
pub trait Fits<Input>: Serialize + private::Sealed<Input> {}

impl<Value: Serialize> Fits<Undeclared> for Value {}
impl<Value: Serialize> Fits<Value> for Value {}

mod private {
    pub trait Sealed<Input> {}

    impl<Value: serde::Serialize> Sealed<super::Undeclared> for Value {}
    impl<Value: serde::Serialize> Sealed<Value> for Value {}
}

/// The outcome of a workflow whose types are declared; all else that an [`Outcome`] says, it says too.
///
/// ```
/// # use finale::prelude::*;
/// use finale::InputNode;
///
/// async fn double(_context: TaskContext, number: u32) -> Result<u64, TaskError> {
///     Ok(u64::from(number) * 2)
/// }
///
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let workflow = Workflow::typed("double");
/// let workflow = workflow.build_as(|it, number: InputNode<'_, u32>| it.task("double", double).input_from(number))?;
/// let runtime = Runtime::builder().shards(Shards::Current).workflow(&workflow).start()?;
/// let outcome = runtime.activate(&workflow, 4).await?.outcome().await?;
/// assert_eq!(outcome.status(), ExecutionStatus::Completed);
/// let number = outcome.output()?; // a u64: nobody has to say so
/// assert_eq!(number, 8);
/// # Ok(())
/// # }
/// ```
pub struct DeclaredOutcome<Output> {
    outcome: Arc<Outcome>,
    output: PhantomData<fn() -> Output>,
}

impl<Output> DeclaredOutcome<Output> {
    pub(crate) fn new(outcome: Arc<Outcome>) -> Self {
        Self { outcome, output: PhantomData }
    }

    /// The outcome without the type of its output.
    pub fn undeclared(&self) -> &Arc<Outcome> {
        &self.outcome
    }
}

impl<Output: DeserializeOwned> DeclaredOutcome<Output> {
    /// What the workflow gave.
    ///
    /// # Errors
    /// When it did not complete; and when it gave something else after all, because the execution began under another
    /// version of the workflow.
    pub fn output(&self) -> Result<Output, OutputError> {
        self.outcome.output()
    }
}

impl<Output> Deref for DeclaredOutcome<Output> {
    type Target = Outcome;

    fn deref(&self) -> &Outcome {
        &self.outcome
    }
}

impl<Output> Clone for DeclaredOutcome<Output> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.outcome))
    }
}

impl<Output> fmt::Debug for DeclaredOutcome<Output> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.outcome.fmt(f)
    }
}
