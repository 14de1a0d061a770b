//! What a handler is told about its task.

mod blocking;
mod data;
mod output;
mod signs;
mod task;

pub use blocking::BlockingContext;
pub(crate) use data::Data;
pub use data::MissingData;
pub use output::TaskOutputError;
pub(crate) use signs::SignOfLife;
pub(crate) use task::{StopAsked, Suspension, Task};

use std::fmt;
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::Poll;

use finale_core::record::NodeFailure;
use finale_core::{ExecutionId, TaskId, WorkKey};
use serde::de::DeserializeOwned;

use output::decode_output;

/// What a handler is told about its task; a clone is the same.
///
/// It stays on the thread of its execution: it is not `Send`. A function that blocks has a [`BlockingContext`].
///
/// ```
/// # use finale::prelude::*;
/// async fn look(context: TaskContext) -> Result<(), TaskError> {
///     assert_eq!(context.node(), "look");
///     assert_eq!(context.attempt(), 1);
///     // What another service should do only once is asked for with this key.
///     assert_eq!(context.key(), context.task_id().to_string());
///     assert!(context.key().starts_with(&context.execution_id().to_string()));
///     Ok(())
/// }
///
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let runtime = Runtime::builder().shards(Shards::Current).handler("look", look).start()?;
/// # let order = Workflow::builder("order").task("look", "look").build()?;
/// # runtime.activate(&order, ()).await?.outcome().await?.output::<()>()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TaskContext(Rc<Task>);

impl TaskContext {
    pub(crate) fn new(task: Rc<Task>) -> Self {
        Self(task)
    }

    /// Names the task; the same over attempts and restarts.
    pub fn task_id(&self) -> TaskId {
        TaskId { execution: self.0.board.execution, key: self.0.dispatch.key }
    }

    /// The execution that the task belongs to.
    pub fn execution_id(&self) -> ExecutionId {
        self.task_id().execution
    }

    /// The key to hand to other services, so that they do only once what is asked of them twice: the
    /// [task id](Self::task_id) as text, the same over attempts and restarts.
    pub fn key(&self) -> String {
        self.task_id().to_string()
    }

    /// Which attempt this is, counted from 1. It only rises, also over restarts.
    pub fn attempt(&self) -> u16 {
        self.0.dispatch.attempt.get()
    }

    /// Id of the node in the definition.
    pub fn node(&self) -> &str {
        &self.0.board.bound.compiled.node(self.0.dispatch.key.node).id
    }

    /// State of the application that was given to the runtime's [builder](crate::Builder::data).
    ///
    /// # Errors
    /// When none of that type was given; with `?` the task fails for good.
    pub fn data<T: Send + Sync + 'static>(&self) -> Result<&T, MissingData> {
        self.0.board.bound.data.get()
    }

    /// The output of a node that was done before in the same graph, decoded from JSON as that type.
    ///
    /// A task inside of a group, a map or a loop, or of `finally` or `compensate`, is given what is around that by its
    /// [input](crate::Task::input): `nodes.price.output`.
    ///
    /// # Errors
    /// When there is no such node, it has no output, or the output is of another type.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// async fn charge_card(context: TaskContext) -> Result<String, TaskError> {
    ///     let euros: u32 = context.output("price")?;
    ///     assert!(context.output::<u32>("prise").is_err()); // there is no such node
    ///     Ok(format!("{euros} euros paid"))
    /// }
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # async fn price(_context: TaskContext) -> Result<u32, TaskError> { Ok(20) }
    /// # let builder = Runtime::builder().shards(Shards::Current).handler("price", price);
    /// # let runtime = builder.handler("charge_card", charge_card).start()?;
    /// let order = Workflow::builder("order").task("price", "price");
    /// let order = order.task("charge", "charge_card").after("price").build()?;
    /// let outcome = runtime.activate(&order, ()).await?.outcome().await?;
    /// assert_eq!(outcome.output::<String>()?, "20 euros paid");
    /// # Ok(())
    /// # }
    /// ```
    pub fn output<T: DeserializeOwned>(&self, node: &str) -> Result<T, TaskOutputError> {
        let own = self.0.dispatch.key;
        let position = self.0.board.bound.compiled.beside(own.node, node);
        let position = position.ok_or_else(|| TaskOutputError::Unknown(node.to_owned()))?;
        let output = self.0.board.output(WorkKey { node: position, ..own });
        decode_output(node, output.as_ref())
    }

    /// The failures that this task handles, in the order in which they happened: those of the tasks that name its node in
    /// their `on_failure`. There are none for any other task.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// async fn ship(_context: TaskContext) -> Result<(), TaskError> {
    ///     Err("the van broke down")?
    /// }
    ///
    /// async fn refund(context: TaskContext) -> Result<String, TaskError> {
    ///     let failures = context.failures();
    ///     Ok(format!("refunded, because {}", failures[0].reason))
    /// }
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let order = Workflow::builder("order").task("ship", "ship").catch("refund").task("refund", "refund").build()?;
    /// let runtime = Runtime::builder().shards(Shards::Current).handler("ship", ship).handler("refund", refund).start()?;
    /// let outcome = runtime.activate(&order, ()).await?.outcome().await?;
    /// assert_eq!(outcome.output::<String>()?, "refunded, because the van broke down");
    /// # Ok(())
    /// # }
    /// ```
    pub fn failures(&self) -> Vec<NodeFailure> {
        self.0.board.failures(self.0.dispatch.key)
    }

    /// Whether the handler was told to stop. Once it was it stays so.
    pub fn is_cancelled(&self) -> bool {
        self.0.stop_asked() != StopAsked::No
    }

    /// Waits until the handler is told to stop; it then has [its grace](crate::Builder::grace) to clean up.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// use finale::Fate;
    ///
    /// async fn watch(context: TaskContext) -> Result<(), TaskError> {
    ///     context.cancelled().await;
    ///     // Clean up here.
    ///     Err("told to stop")?
    /// }
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).handler("watch", watch).start()?;
    /// # let work = Workflow::builder("work").task("watch", "watch").build()?;
    /// let receipt = runtime.activate(&work, ()).await?.cancel("me").await?;
    /// assert_eq!(receipt.tasks[0].fate, Fate::Stopped);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn cancelled(&self) {
        while !self.is_cancelled() {
            let told = self.0.told.notified();
            if !self.is_cancelled() {
                told.await;
            }
        }
    }

    /// Says how far the task is: how much is done, from 0 to 1, and in words, of which the first
    /// [`TaskProgress::TEXT_BYTES_MAX`](crate::TaskProgress::TEXT_BYTES_MAX) bytes are kept.
    ///
    /// It is seen in [snapshots](crate::ExecutionHandle::snapshot) while the handler is at work, and told to those who listen
    /// to [events](crate::ExecutionHandle::events). It is recorded nowhere: it is gone with the attempt, and with the process. It is a [sign of life](Self::heartbeat) too. It may be called as often as
    /// one likes: of what is said between two looks at the handler only the last is kept.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// async fn import(context: TaskContext) -> Result<(), TaskError> {
    ///     for file in 1..=10 {
    ///         // Read the file here.
    ///         context.progress(f64::from(file) / 10.0, &format!("{file} of 10 files"));
    /// #       if file == 4 { context.cancelled().await }
    ///     }
    ///     Ok(())
    /// }
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).handler("import", import).start()?;
    /// # let work = Workflow::builder("work").task("import", "import").build()?;
    /// # let execution = runtime.activate(&work, ()).await?;
    /// # while execution.snapshot().await?.nodes.iter().all(|node| node.progress.is_none()) {}
    /// let record = execution.snapshot().await?;
    /// let import = record.nodes.iter().find(|node| node.id == "import").expect("it is there");
    /// assert_eq!(import.progress.as_ref().map(|progress| progress.text.as_str()), Some("4 of 10 files"));
    /// # execution.cancel("me").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn progress(&self, share: f64, text: &str) {
        self.0.signs().progress(share, text);
    }

    /// Says that the handler is alive. Where the task limits how long its handler may
    /// [say nothing](finale_core::definition::Times::heartbeat), that time begins anew.
    pub fn heartbeat(&self) {
        self.0.signs().heartbeat();
    }

    /// Sets the custom status of the execution: one line that says to people where it is, like "waiting for the bank". There
    /// is one for each execution, and the last one that any of its handlers has set counts. An empty text takes it back. Of
    /// a text the first [`CustomStatus::TEXT_BYTES_MAX`](crate::CustomStatus::TEXT_BYTES_MAX) bytes are kept.
    ///
    /// It is seen at once in [snapshots](crate::ExecutionHandle::snapshot) and by those who listen to
    /// [events](crate::ExecutionHandle::events). It is recorded with whatever the execution records next, at the latest with
    /// the outcome of this task, and is there from then on, after a restart and after the end too: setting it writes
    /// nothing to the journal by itself. A process that is killed before that takes it along. It may be set as often as one
    /// likes: of what is set between two looks at the handler only the last is kept. What is set by an attempt of which the
    /// execution knows nothing any more changes nothing. It is a [sign of life](Self::heartbeat) too.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// async fn charge(context: TaskContext) -> Result<(), TaskError> {
    ///     context.set_status("waiting for the bank");
    ///     // Ask the bank here.
    ///     Ok(())
    /// }
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).handler("charge", charge).start()?;
    /// # let order = Workflow::builder("order").task("charge", "charge").build()?;
    /// # let execution = runtime.activate(&order, ()).await?;
    /// # execution.outcome().await?;
    /// let status = execution.snapshot().await?.custom_status.expect("one was set");
    /// assert_eq!((status.text.as_str(), status.node.as_str()), ("waiting for the bank", "charge"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_status(&self, text: &str) {
        self.0.signs().set_status(text);
    }

    /// Waits for something that other executions have to do first, and gives this task's places back meanwhile.
    ///
    /// A handler at work holds a place under [`Limits::running_tasks_max`](crate::Limits::running_tasks_max) and under the
    /// limit of its handler. If handlers activate other executions and await them, they can hold all places, and those
    /// executions never begin. Awaited through this, the outcome of a child costs no place; afterwards the handler queues
    /// for its places again, before it goes on: it is not polled until it has them. Its time limit goes on meanwhile. One
    /// that is told to stop does not queue any longer: it hears of it at once, and cleans up without its places.
    ///
    /// - It may be dropped before it is done, by a timeout around it or in a `select!`. Then the handler gets as far as its
    ///   next `.await` that is not ready, and no farther without its places. With the timeout inside,
    ///   `context.waiting_for(timeout(limit, execution.outcome()))`, it does nothing at all without them.
    /// - Of waits that overlap, as in a `join!`, the first gives the places back and the end of the last asks for them. What
    ///   else the handler does meanwhile, beside its waits, it does without places.
    /// - It may be awaited in a task that the handler has spawned: the places of the handler are given back. Where the
    ///   handler has ended, it only waits.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let child = Workflow::builder("child").task("work", "work").build()?;
    /// # let parent = Workflow::builder("parent").task("delegate", "delegate").build()?;
    /// # let limits = finale::Limits::new().running_tasks_max(1);
    /// # let builder = Runtime::builder().shards(Shards::Current).limits(limits);
    /// # let builder = builder.handler("work", async |_: TaskContext| Ok::<_, TaskError>(42));
    /// # let cell = std::sync::Arc::new(std::sync::OnceLock::<Runtime>::new());
    /// # let (known, workflow) = (cell.clone(), child.clone());
    /// # let delegate = move |context: TaskContext| {
    /// #     let (runtime, child) = (known.get().unwrap().clone(), workflow.clone());
    /// #     async move {
    /// let execution = runtime.activate(&child, ()).await?;
    /// let outcome = context.waiting_for(execution.outcome()).await?;
    /// #         Ok::<u32, TaskError>(outcome.output()?)
    /// #     }
    /// # };
    /// # let runtime = builder.handler("delegate", delegate).start()?;
    /// # cell.set(runtime.clone()).unwrap();
    /// # let outcome = runtime.activate(&parent, ()).await?.outcome().await?;
    /// # assert_eq!(outcome.output::<u32>()?, 42);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn waiting_for<F: Future>(&self, future: F) -> F::Output {
        let mut future = std::pin::pin!(future);
        let ready = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await;
        if let Poll::Ready(output) = ready {
            return output;
        }
        let waiting = self.0.begin_to_wait();
        let output = future.await;
        drop(waiting);
        // The engine does not poll a handler that is held up; a task that the handler has spawned it cannot hold up.
        while self.0.is_held_up() {
            let resumed = self.0.told.notified();
            if self.0.is_held_up() {
                resumed.await;
            }
        }
        output
    }

    pub(crate) fn for_blocking(&self) -> BlockingContext {
        let flag = Arc::new(AtomicBool::new(self.is_cancelled()));
        *self.0.flag.borrow_mut() = Some(Arc::clone(&flag));
        let compiled = &self.0.board.bound.compiled;
        let own = self.0.dispatch.key;
        let outputs = self.0.board.outputs(own.scope).into_iter();
        BlockingContext {
            task: self.task_id(),
            attempt: self.attempt(),
            node: self.node().to_owned(),
            data: self.0.board.bound.data.clone(),
            outputs: outputs.map(|(node, output)| (compiled.node(node).id.clone(), output)).collect(),
            failures: self.failures(),
            cancelled: flag,
            signs: Arc::clone(self.0.signs()),
        }
    }
}

impl fmt::Debug for TaskContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskContext({} attempt {})", self.task_id(), self.attempt())
    }
}
