//! Ends of workflows that are built of functions: what undoes their tasks, and what always runs.

use finale_core::ExecutionStatus;
use finale_core::definition::{Body, Task};
use serde::{Deserialize, Serialize};

use super::{TaskNode, TypedBuilder};
use crate::handler::{Function, Handler};

/// How an execution is about to end, for what [`TypedBuilder::finally`] runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Ending {
    /// As what: completed, failed or cancelled.
    pub verdict: ExecutionStatus,
    /// Why, if it failed.
    pub error: Option<String>,
}

impl TypedBuilder {
    /// Runs that function when the end of an execution is decided, whatever it is, and before the execution is over; a runtime
    /// knows it under that name. What it fails of changes nothing of the end, and is in
    /// [`Outcome::ending_failures`](crate::Outcome).
    ///
    /// ```
    /// use finale::Ending;
    /// # use finale::prelude::*;
    /// # async fn charge_card(_: TaskContext, euros: u32) -> Result<String, TaskError> { Ok("paid".to_owned()) }
    ///
    /// async fn notify(_context: TaskContext, ending: Ending) -> Result<(), TaskError> {
    ///     println!("{}: {}", ending.verdict, ending.error.unwrap_or_default());
    ///     Ok(())
    /// }
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let order = Workflow::typed("order").finally("notify", notify);
    /// order.task("charge", charge_card);
    /// let order = order.build()?;
    ///
    /// let runtime = Runtime::builder().shards(Shards::Current).workflow(&order).start()?;
    /// let outcome = runtime.activate(&order, 20).await?.outcome().await?;
    /// assert!(outcome.ending_failures.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub fn finally<H: Handler<Arguments, Input = Ending>, Arguments: 'static>(
        self,
        name: impl Into<String>,
        function: H,
    ) -> Self {
        let name = name.into();
        let task = Task::handler(&name).input("{'verdict': verdict, 'error': error}");
        self.draft().definition.finally = Some(Box::new(Body::Task(Box::new(task))));
        self.draft().functions.push(Function::new(name, function));
        self
    }
}

impl<Input, Output> TaskNode<'_, Input, Output> {
    /// Undoes the task by that function, which is given its output, if the task completed and the execution fails or is
    /// cancelled; what completed last is undone first. A runtime knows the function under that name.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// # async fn charge_card(_: TaskContext, euros: u32) -> Result<String, TaskError> { Ok("receipt".to_owned()) }
    /// # async fn ship(_: TaskContext) -> Result<(), TaskError> { Err(TaskError::new("no van")) }
    /// async fn refund(_context: TaskContext, receipt: String) -> Result<(), TaskError> {
    ///     println!("{receipt} is worth nothing any more");
    ///     Ok(())
    /// }
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let order = Workflow::typed("order");
    /// let paid = order.task("charge", charge_card).compensate("refund", refund);
    /// order.task("ship", ship).after(paid);
    /// let order = order.build()?;
    ///
    /// let runtime = Runtime::builder().shards(Shards::Current).workflow(&order).start()?;
    /// let outcome = runtime.activate(&order, 20).await?.outcome().await?;
    /// assert_eq!(outcome.counts.compensated, 1);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn compensate<H: Handler<Arguments, Input = Output>, Arguments: 'static>(
        self,
        name: impl Into<String>,
        function: H,
    ) -> Self {
        let name = name.into();
        let body = Body::Task(Box::new(Task::handler(&name).input("output")));
        self.undone_by(body, Function::new(name, function));
        self
    }
}
