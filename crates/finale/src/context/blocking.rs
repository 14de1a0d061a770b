//! What a handler that blocks is told about its task.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use finale_core::record::NodeFailure;
use finale_core::{ExecutionId, Payload, TaskId};
use rustc_hash::FxHashMap;
use serde::de::DeserializeOwned;

use super::data::{Data, MissingData};
use super::output::{TaskOutputError, decode_output};
use super::signs::Signs;

/// What a blocking handler is told about its task; see [`Builder::blocking_handler`](crate::Builder::blocking_handler).
///
/// It has the same as [`TaskContext`](super::TaskContext), as it was when the handler began, but can only be asked whether to
/// stop.
///
/// ```
/// # use finale::prelude::*;
/// fn look(context: BlockingContext, _input: ()) -> Result<(), TaskError> {
///     assert_eq!((context.node(), context.attempt()), ("look", 1));
///     assert_eq!(context.output::<String>("wrap")?, "in paper");
///     assert_eq!(*context.data::<u64>()?, 7);
///     assert_eq!(context.task_id().execution, context.execution_id());
///     assert_eq!(context.key(), context.task_id().to_string());
///     Ok(())
/// }
///
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # async fn wrap(_context: TaskContext) -> Result<String, TaskError> { Ok("in paper".into()) }
/// # let builder = Runtime::builder().shards(Shards::Current).data(7_u64).handler("wrap", wrap);
/// # let runtime = builder.blocking_handler("look", look).start()?;
/// # let order = Workflow::builder("order").task("wrap", "wrap").task("look", "look").after("wrap").build()?;
/// # runtime.activate(&order, ()).await?.outcome().await?.output::<()>()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct BlockingContext {
    pub(super) task: TaskId,
    pub(super) attempt: u16,
    pub(super) node: String,
    pub(super) data: Data,
    pub(super) outputs: FxHashMap<String, Payload>,
    pub(super) failures: Vec<NodeFailure>,
    pub(super) cancelled: Arc<AtomicBool>,
    pub(super) signs: Arc<Signs>,
}

impl BlockingContext {
    /// Names the task; the same over attempts and restarts.
    pub fn task_id(&self) -> TaskId {
        self.task
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
        self.attempt
    }

    /// Id of the node in the definition.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// State of the application that was given to the runtime's [builder](crate::Builder::data).
    ///
    /// # Errors
    /// When none of that type was given; with `?` the task fails for good.
    pub fn data<T: Send + Sync + 'static>(&self) -> Result<&T, MissingData> {
        self.data.get()
    }

    /// The output of a node that was done before this one began, in the same graph, decoded from JSON as that type; see
    /// [`TaskContext::output`](super::TaskContext::output).
    ///
    /// # Errors
    /// When there is no such output, or it is of another type. A node that is not there and one without an output are told
    /// alike: [`TaskOutputError::Missing`].
    pub fn output<T: DeserializeOwned>(&self, node: &str) -> Result<T, TaskOutputError> {
        decode_output(node, self.outputs.get(node))
    }

    /// The failures that this task handles; see [`TaskContext::failures`](super::TaskContext::failures).
    pub fn failures(&self) -> &[NodeFailure] {
        &self.failures
    }

    /// Says how far the task is; see [`TaskContext::progress`](super::TaskContext::progress).
    pub fn progress(&self, share: f64, text: &str) {
        self.signs.progress(share, text);
    }

    /// Says that the handler is alive; see [`TaskContext::heartbeat`](super::TaskContext::heartbeat).
    pub fn heartbeat(&self) {
        self.signs.heartbeat();
    }

    /// Sets the custom status of the execution; see [`TaskContext::set_status`](super::TaskContext::set_status).
    pub fn set_status(&self, text: &str) {
        self.signs.set_status(text);
    }

    /// Whether the handler was told to stop; nothing else can stop it, so it should look now and then.
    ///
    /// One that does not stop within [its grace](crate::Builder::grace) is recorded as lost, and its thread goes on.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// use finale::Fate;
    ///
    /// fn count(context: BlockingContext, _input: ()) -> Result<u64, TaskError> {
    ///     for number in 0.. {
    ///         if context.is_cancelled() {
    ///             return Err(format!("stopped at {number}"))?;
    ///         }
    ///         std::thread::yield_now(); // a small piece of work
    ///     }
    ///     Ok(0)
    /// }
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).blocking_handler("count", count).start()?;
    /// # let work = Workflow::builder("work").task("count", "count").build()?;
    /// # let execution = runtime.activate(&work, ()).await?;
    /// # while execution.snapshot().await?.counts.running == 0 {}
    /// let receipt = execution.cancel("me").await?;
    /// assert_eq!(receipt.tasks[0].fate, Fate::Stopped);
    /// # Ok(())
    /// # }
    /// ```
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}
