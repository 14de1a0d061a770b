//! Signals that are sent to executions.

use finale_core::execution::Input;
use finale_core::fact::Signalled;
use finale_core::{ExecutionId, Payload, PayloadError};
use serde::Serialize;

use crate::actors::requests::Waiting;
use crate::errors::CommandError;
use crate::handle::ExecutionHandle;
use crate::handler::encode_owned;
use crate::runtime::Runtime;

/// A signal to be sent to an execution; for [`Runtime::send_signal`] and [`ExecutionHandle::send_signal`].
///
/// ```
/// # use finale::prelude::*;
/// use finale::NewSignal;
///
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
/// let order = Workflow::builder("order").signal("first", "payment").signal("second", "payment").after("first");
/// let order = order.build()?;
/// let execution = runtime.activate(&order, ()).await?;
///
/// let payment = NewSignal::named("payment").payload(20).by("the bank").id("transfer 7");
/// execution.send_signal(payment.clone()).await?;
/// execution.send_signal(payment).await?; // the bank was not sure whether it had said so
/// assert_eq!(execution.why().await?.awaited[0].node, "second");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a signal says nothing until somebody sends it"]
pub struct NewSignal {
    name: Box<str>,
    payload: Result<Payload, PayloadError>,
    by: Box<str>,
    id: Option<Box<str>>,
}

impl NewSignal {
    /// A signal of that name, which is at most [`Signal::NAME_BYTES_MAX`](crate::Signal::NAME_BYTES_MAX) long. It says
    /// `null`.
    pub fn named(name: impl Into<Box<str>>) -> Self {
        Self { name: name.into(), payload: Ok(Payload::NULL), by: Box::default(), id: None }
    }

    /// What it says, and thereby the output of the node that waits for it: anything that serde writes as JSON.
    pub fn payload<T: Serialize>(self, payload: T) -> Self {
        Self { payload: encode_owned(payload), ..self }
    }

    /// Who sends it, for the history; by default nobody is named.
    pub fn by(self, who: impl Into<Box<str>>) -> Self {
        Self { by: who.into(), ..self }
    }

    /// What it is known by if it is sent again: of several signals with one id that are sent to an execution only the first
    /// one counts. By default each one counts. An execution knows the last 10,000 ids.
    pub fn id(self, id: impl Into<Box<str>>) -> Self {
        Self { id: Some(id.into()), ..self }
    }
}

impl Runtime {
    /// Sends a signal to an execution: the node that has waited longest for one of that name goes on, with `payload` as its
    /// output. Returns when that is durable.
    ///
    /// One that nobody waits for is kept for the node that will, in the order in which they come, up to 1,000 of one name and
    /// 10,000 in all. Whatever runs inside of an execution (calls, groups, items, rounds) shares its signals. What nobody has
    /// taken at the end is listed in [`Record::signals`](crate::Record::signals).
    ///
    /// A signal that is sent twice counts twice, unless it has an id: see [`NewSignal::id`].
    ///
    /// # Errors
    /// [`SignalsFull`](CommandError::SignalsFull) when too many are kept already, [`Payload`](CommandError::Payload) when
    /// `payload` is no JSON or larger than [`Limits::payload_bytes_max`](crate::Limits::payload_bytes_max),
    /// [`AlreadyTerminal`](CommandError::AlreadyTerminal) when the execution is over; when the name is blank or longer than
    /// 256 bytes, there is no such execution, or the runtime has stopped.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// let order = Workflow::builder("order").signal("paid", "payment").build()?;
    /// let execution = runtime.activate(&order, ()).await?;
    /// runtime.signal(execution.id(), "payment", 20, "the bank").await?;
    /// assert_eq!(execution.outcome().await?.output::<u32>()?, 20);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn signal<T: Serialize>(
        &self,
        id: ExecutionId,
        name: &str,
        payload: T,
        by: &str,
    ) -> Result<(), CommandError> {
        self.send_signal(id, NewSignal::named(name).payload(payload).by(by)).await
    }

    /// Sends a signal, in full; see [`NewSignal`] and [`signal`](Self::signal).
    ///
    /// # Errors
    /// Those of [`signal`](Self::signal).
    pub async fn send_signal(&self, execution: ExecutionId, signal: NewSignal) -> Result<(), CommandError> {
        let NewSignal { name, payload, by, id } = signal;
        let payload = payload.and_then(|payload| payload.limited(self.limits().payload_bytes_max))?;
        self.check_text("who sends the signal", Some(&by))?;
        self.check_text("the id of the signal", id.as_deref())?;
        let signal = Signalled { name, payload, by, id };
        self.tell(execution, Input::Signal(signal), |answer| Waiting::Command(execution, answer)).await
    }
}

impl<Output> ExecutionHandle<Output> {
    /// Sends it a signal; see [`Runtime::signal`].
    ///
    /// # Errors
    /// Those of [`Runtime::signal`].
    pub async fn signal<T: Serialize>(&self, name: &str, payload: T, by: &str) -> Result<(), CommandError> {
        self.runtime.signal(self.id, name, payload, by).await
    }

    /// Sends it a signal, in full; see [`NewSignal`].
    ///
    /// # Errors
    /// Those of [`Runtime::signal`].
    pub async fn send_signal(&self, signal: NewSignal) -> Result<(), CommandError> {
        self.runtime.send_signal(self.id, signal).await
    }
}
