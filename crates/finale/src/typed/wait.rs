//! Waits in workflows of functions.

use std::time::Duration;

use finale_core::definition::{EdgeKind, Node, NodeKind, Signal, Wait, title_of};

use super::{Branch, TypedBuilder, ValueNode};

/// A wait of a workflow in the making, for some time, until a moment or for a signal; from [`TypedBuilder::delay`],
/// [`TypedBuilder::until`] and [`TypedBuilder::signal`].
///
/// `Output` is what the signal says; the other waits give nothing.
pub type WaitNode<'w, Output> = ValueNode<'w, Waited, Output>;

/// The kind of a [`WaitNode`].
#[derive(Debug)]
pub enum Waited {}

impl TypedBuilder {
    /// A wait of that length. It counts from when the node is reached, also while the application is down.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # use finale::prelude::*;
    /// # async fn send_mail(_: TaskContext) -> Result<(), TaskError> { Ok(()) }
    /// let reminder = Workflow::typed("reminder");
    /// let first = reminder.task("remind", send_mail);
    /// let a_week = reminder.delay("a_week", Duration::from_secs(7 * 86_400)).after(first);
    /// reminder.task("remind_again", send_mail).after(a_week);
    /// assert!(reminder.build().is_ok());
    /// ```
    pub fn delay(&self, id: impl Into<String>, delay: Duration) -> WaitNode<'_, ()> {
        self.wait(&id.into(), Wait::Delay(delay))
    }

    /// A wait until the moment that an expression gives: a text as in RFC 3339, or milliseconds since 1970. One that has
    /// passed is not waited for.
    pub fn until(&self, id: impl Into<String>, expression: impl Into<String>) -> WaitNode<'_, ()> {
        self.wait(&id.into(), Wait::Until(expression.into()))
    }

    /// A wait for a signal, its name or a [`Signal`], which says an `Output`: that is what a task behind it decodes, and
    /// not checked before.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use finale::Signal;
    /// # use finale::prelude::*;
    ///
    /// async fn ship(_context: TaskContext, euros: u32) -> Result<String, TaskError> {
    ///     Ok(format!("shipped for {euros} euros"))
    /// }
    ///
    /// async fn release_stock(_context: TaskContext) -> Result<String, TaskError> {
    ///     Ok("nobody paid".to_owned())
    /// }
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let order = Workflow::typed("order");
    /// let paid = order.signal::<u32>("paid", Signal::named("payment").timeout(Duration::from_secs(86_400)));
    /// order.task("ship", ship).input_from(paid);
    /// order.task("give_up", release_stock).after(paid.timed_out());
    /// let order = order.build()?;
    ///
    /// let runtime = Runtime::builder().shards(Shards::Current).workflow(&order).start()?;
    /// let execution = runtime.activate(&order, ()).await?;
    /// execution.signal("payment", 20, "the bank").await?;
    /// let outcome = execution.outcome().await?.output::<serde_json::Value>()?;
    /// assert_eq!(outcome["ship"], "shipped for 20 euros");
    /// # Ok(())
    /// # }
    /// ```
    pub fn signal<Output>(&self, id: impl Into<String>, signal: impl Into<Signal>) -> WaitNode<'_, Output> {
        self.wait(&id.into(), Wait::Signal(signal.into()))
    }

    fn wait<Output>(&self, id: &str, wait: Wait) -> WaitNode<'_, Output> {
        let index = self.add(id, |id| {
            let label = title_of(&id);
            Node::new(id, label, NodeKind::Wait(wait))
        });
        self.value_at(index)
    }
}

impl<'w, Output> WaitNode<'w, Output> {
    /// The branch that is taken if the signal does not come within its timeout; what comes after the wait itself is skipped
    /// then. It is refused when the workflow is built if the wait is for no signal, or for one without a timeout.
    pub fn timed_out(self) -> Branch<'w> {
        self.branch(EdgeKind::OnTimeout)
    }
}
