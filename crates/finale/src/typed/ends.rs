//! Where data comes into a workflow of functions, and where it leaves it.

use std::fmt;
use std::marker::PhantomData;

use finale_core::compile::CompileError;

use super::gives::{Gives, private};
use super::{Feed, TypedBuilder, ValueNode};
use crate::workflow::Workflow;

/// The input of a workflow in the making, for [`TaskNode::input_from`](super::TaskNode); from [`TypedBuilder::build_as`]. A copy is the same.
#[must_use = "it is for input_from"]
pub struct InputNode<'w, Input> {
    builder: &'w TypedBuilder,
    input: PhantomData<fn() -> Input>,
}

impl TypedBuilder {
    /// The workflow, checked, with the types of what it takes and what it gives: what does not fit does not compile.
    ///
    /// `describe` adds the tasks. It is given the input of the workflow, for [`TaskNode::input_from`](super::TaskNode), and returns the
    /// node whose output is the output of the workflow: a task, a call, a map, a loop or a wait for a signal.
    ///
    /// # Errors
    /// When it cannot be run, or two functions of one name are in it.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// use finale::InputNode;
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct Order {
    ///     item: String,
    ///     count: u32,
    /// }
    ///
    /// async fn reserve_stock(_context: TaskContext, order: Order) -> Result<u32, TaskError> {
    ///     Ok(order.count * 20)
    /// }
    ///
    /// async fn charge_card(_context: TaskContext, euros: u32) -> Result<String, TaskError> {
    ///     Ok(format!("{euros} euros paid"))
    /// }
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let order = Workflow::typed("order").version("1.2.0").build_as(|order, input: InputNode<'_, Order>| {
    ///     let reserve = order.task("reserve", reserve_stock).input_from(input);
    ///     order.task("charge", charge_card).input_from(reserve)
    /// })?;
    ///
    /// let runtime = Runtime::builder().shards(Shards::Current).workflow(&order).start()?;
    /// let execution = runtime.activate(&order, Order { item: "kettle".into(), count: 2 }).await?;
    /// let receipt = execution.outcome().await?.output()?;
    /// assert_eq!(receipt, "40 euros paid");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Another input does not compile:
    ///
    /// ```compile_fail,E0277
    /// # use finale::prelude::*;
    /// # use finale::InputNode;
    /// # async fn double(_: TaskContext, number: u32) -> Result<u32, TaskError> { Ok(number * 2) }
    /// # async fn run(runtime: Runtime) -> Result<(), Box<dyn std::error::Error>> {
    /// let workflow = Workflow::typed("double");
    /// let workflow = workflow.build_as(|it, number: InputNode<'_, u32>| it.task("double", double).input_from(number))?;
    /// runtime.activate(&workflow, "two").await?; // a text is no number
    /// # Ok(())
    /// # }
    /// ```
    pub fn build_as<Input, Output, Kind>(
        self,
        describe: impl for<'w> FnOnce(&'w Self, InputNode<'w, Input>) -> ValueNode<'w, Kind, Output>,
    ) -> Result<Workflow<Input, Output>, CompileError> {
        let output = describe(&self, InputNode { builder: &self, input: PhantomData });
        let output = Feed::Output(output.builder, output.index);
        self.give(&output);
        Ok(self.build()?.declared())
    }
}

impl<'w, Input> private::Gives<'w, Input> for InputNode<'w, Input> {
    fn feed(self) -> Feed<'w> {
        Feed::Input(self.builder)
    }
}

impl<'w, Input> Gives<'w, Input> for InputNode<'w, Input> {}

// By hand: the derived ones would ask the same of the input.
impl<Input> Clone for InputNode<'_, Input> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Input> Copy for InputNode<'_, Input> {}

impl<Input> fmt::Debug for InputNode<'_, Input> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InputNode")
    }
}
