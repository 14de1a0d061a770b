//! What a handler is told about its task.

use std::any::{Any, TypeId};
use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use finale_core::record::{CustomStatus, NodeFailure, TaskProgress};
use finale_core::{Dispatch, ExecutionId, Payload, TaskId, WorkKey};
use rustc_hash::FxHashMap;
use serde::de::DeserializeOwned;
use tokio::sync::Notify;

use crate::actors::board::Board;

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

/// One attempt at one task, shared by its handler and the engine.
pub(crate) struct Task {
    board: Rc<Board>,
    pub(crate) dispatch: Dispatch,
    stop: Cell<StopAsked>,
    /// Tells all who wait for it to stop: a handler may have helpers.
    told: Notify,
    /// The engine's future of this task, to be polled again when it is to be dropped.
    engine: RefCell<Option<Waker>>,
    /// What a blocking handler looks at, once there is one.
    flag: RefCell<Option<Arc<AtomicBool>>>,
    suspension: Cell<Suspension>,
    /// Whether the engine polls it now, and hears afterwards what it says.
    is_polled: Cell<bool>,
    /// Whether its handler has ended or was dropped: what is left of it holds no permits, and waits for none.
    is_over: Cell<bool>,
    /// How many parts of the handler wait for other executions at once.
    waits: Cell<u32>,
    /// What the engine is to hear of the suspension.
    said: Cell<Option<Suspension>>,
    /// What the engine is to hear of how far it is, once it says so or may from another thread: most never do.
    signs: OnceCell<Arc<Signs>>,
}

/// What a handler says of itself while it works, from whatever thread.
#[derive(Debug, Default)]
pub(crate) struct Signs(Mutex<Sign>);

#[derive(Debug, Default)]
struct Sign {
    /// Whether it said something that the engine has not heard.
    is_new: bool,
    progress: Option<TaskProgress>,
    custom_status: Option<Box<str>>,
    /// Lets the engine hear it.
    engine: Option<Waker>,
}

/// A handler is alive.
#[derive(Debug)]
pub(crate) struct SignOfLife {
    /// How far it is, if it says so.
    pub(crate) progress: Option<TaskProgress>,
    /// What custom status it has set, if it has.
    pub(crate) custom_status: Option<Box<str>>,
}

impl Signs {
    fn lock(&self) -> std::sync::MutexGuard<'_, Sign> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn progress(&self, share: f64, text: &str) {
        let progress = TaskProgress::new(share, text);
        self.give(|sign| sign.progress = Some(progress));
    }

    fn set_status(&self, text: &str) {
        let text = CustomStatus::cut(text).into();
        self.give(|sign| sign.custom_status = Some(text));
    }

    fn give(&self, say: impl FnOnce(&mut Sign)) {
        let mut sign = self.lock();
        say(&mut sign);
        let is_first = !std::mem::replace(&mut sign.is_new, true);
        let engine = sign.engine.clone().filter(|_| is_first);
        drop(sign);
        engine.into_iter().for_each(Waker::wake);
    }

    fn reset(&mut self) {
        *self.0.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner) = Sign::default();
    }
}

/// A part of a handler that waits for another execution.
struct Waiting<'a>(&'a Task);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let waits = self.0.waits.get() - 1;
        self.0.waits.set(waits);
        if waits == 0 {
            self.0.suspend(Suspension::Resuming);
        }
    }
}

/// Whether a handler has given back its permits while it waits for another execution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Suspension {
    /// It works.
    #[default]
    None,
    /// It waits.
    Suspended,
    /// It waits no more, whether what it waited for is there or the wait was dropped: it is not polled until it has its
    /// permits, or is to stop.
    Resuming,
}

/// How far a handler was told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopAsked {
    No,
    /// It may take its grace.
    Gently,
    /// It is dropped.
    Now,
}

/// Why there is no output of a node; from [`TaskContext::output`]. With `?` the task fails for good: another attempt finds
/// the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TaskOutputError {
    /// The graph of the task has no such node.
    #[error("there is no node {0:?} in the graph of this task; what is around that graph comes in by the task's input")]
    Unknown(String),
    /// The node has not completed, or is no task.
    #[error("node {0:?} has no output")]
    Missing(String),
    /// The output is of another type.
    #[error("the output of node {node:?} is not of the expected type: {error}")]
    Type {
        /// The node.
        node: String,
        /// What does not fit.
        error: finale_core::PayloadError,
    },
}

/// The runtime's builder was given no state of this type; see [`Builder::data`](crate::Builder::data).
///
/// ```
/// # use finale::prelude::*;
/// async fn count(context: TaskContext) -> Result<u64, TaskError> {
///     Ok(*context.data::<u64>()?)
/// }
///
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let runtime = Runtime::builder().shards(Shards::Current).handler("count", count).start()?;
/// # let work = Workflow::builder("work").task("count", "count").build()?;
/// # let outcome = runtime.activate(&work, ()).await?.outcome().await?;
/// let error = outcome.error().map(ToString::to_string).unwrap_or_default();
/// assert!(error.contains("the handler asks for data that the runtime was not given"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the handler asks for data that the runtime was not given: Runtime::builder().data(..) takes it")]
pub struct MissingData(&'static str);

impl MissingData {
    /// The type that was asked for, as this compiler writes it. It is not part of the text of the error, which may become
    /// the reason of a failure and be kept in a journal: other compilers write it otherwise.
    pub fn type_name(&self) -> &'static str {
        self.0
    }
}

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
        self.0.stop.get() != StopAsked::No
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
    /// [`TaskProgress::TEXT_BYTES_MAX`] bytes are kept.
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
        self.0.signs().give(|_| {});
    }

    /// Sets the custom status of the execution: one line that says to people where it is, like "waiting for the bank". There
    /// is one for each execution, and the last one that any of its handlers has set counts. An empty text takes it back. Of
    /// a text the first [`CustomStatus::TEXT_BYTES_MAX`] bytes are kept.
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

impl Task {
    pub(crate) fn new(board: Rc<Board>, dispatch: Dispatch) -> Self {
        Self {
            board,
            dispatch,
            stop: Cell::new(StopAsked::No),
            told: Notify::new(),
            engine: RefCell::default(),
            flag: RefCell::default(),
            suspension: Cell::default(),
            is_polled: Cell::default(),
            is_over: Cell::default(),
            waits: Cell::default(),
            said: Cell::default(),
            signs: OnceCell::new(),
        }
    }

    /// Makes a task that nobody has any more the task of another attempt.
    pub(crate) fn reset(&mut self, board: &Rc<Board>, dispatch: Dispatch) {
        if !Rc::ptr_eq(&self.board, board) {
            self.board = Rc::clone(board);
        }
        self.dispatch = dispatch;
        self.stop.set(StopAsked::No);
        self.engine.get_mut().take();
        self.flag.get_mut().take();
        self.suspension.set(Suspension::None);
        self.is_polled.set(false);
        self.is_over.set(false);
        self.waits.set(0);
        self.said.set(None);
        // The thread of a blocking handler that was given up may still speak of the attempt before.
        match self.signs.get_mut().map(Arc::get_mut) {
            Some(Some(signs)) => signs.reset(),
            _ => drop(self.signs.take()),
        }
    }

    pub(crate) fn suspension(&self) -> Suspension {
        self.suspension.get()
    }

    /// Gives the permits of the handler back until what this gives is dropped, unless they are given back already.
    fn begin_to_wait(&self) -> Waiting<'_> {
        let waits = self.waits.get();
        self.waits.set(waits + 1);
        if waits == 0 {
            let was_held_up = self.is_held_up();
            self.suspend(Suspension::Suspended);
            if was_held_up {
                // Another part of the handler waits now: those that were held up go on meanwhile, as beside any wait.
                self.told.notify_waiters();
            }
        }
        Waiting(self)
    }

    /// Says where the handler is with its suspension. The engine hears of it when it has polled the handler; a wait that
    /// begins or ends elsewhere, in a task that the handler has spawned, has it polled.
    fn suspend(&self, suspension: Suspension) {
        self.suspension.set(suspension);
        self.said.set(Some(suspension));
        if !self.is_polled.get() {
            self.wake_engine();
        }
    }

    /// Whether the handler has to have its permits before it goes on. One that is to stop has to hear of that.
    pub(crate) fn is_held_up(&self) -> bool {
        let works_on = self.stop.get() == StopAsked::No && !self.is_over.get();
        works_on && self.suspension.get() == Suspension::Resuming
    }

    /// Polls the handler for the engine, which hears afterwards what it said.
    pub(crate) fn poll<T>(&self, poll: impl FnOnce() -> T) -> T {
        self.is_polled.set(true);
        let polled = poll();
        self.is_polled.set(false);
        polled
    }

    /// The handler has ended or is dropped: what it has spawned and what is still there waits for no permits.
    pub(crate) fn end(&self) {
        let was_held_up = self.is_held_up();
        self.is_over.set(true);
        if was_held_up {
            self.told.notify_waiters();
        }
    }

    fn wake_engine(&self) {
        let engine = self.engine.take();
        engine.into_iter().for_each(Waker::wake);
    }

    /// What the handler says of itself.
    fn signs(&self) -> &Arc<Signs> {
        self.signs.get_or_init(|| {
            let engine = self.engine.borrow().clone();
            Arc::new(Signs(Mutex::new(Sign { engine, ..Sign::default() })))
        })
    }

    /// What the engine has not heard of how far the handler is; none if the handler said nothing.
    pub(crate) fn take_sign(&self) -> Option<SignOfLife> {
        let mut sign = self.signs.get()?.lock();
        let Sign { is_new, progress, custom_status, .. } = &mut *sign;
        let said = || SignOfLife { progress: progress.take(), custom_status: custom_status.take() };
        std::mem::take(is_new).then(said)
    }

    /// What the engine has not heard of the suspension.
    pub(crate) fn take_said(&self) -> Option<Suspension> {
        self.said.take()
    }

    /// Lets the handler go on: it has its permits again. One that has begun to wait anew gives them back, once the engine
    /// hears of that.
    pub(crate) fn resume(&self) {
        if self.suspension.get() == Suspension::Resuming {
            self.suspension.set(Suspension::None);
            self.wake_engine();
            self.told.notify_waiters();
        }
    }

    pub(crate) fn stop_asked(&self) -> StopAsked {
        self.stop.get()
    }

    /// Tells the handler to stop, that far.
    pub(crate) fn ask_to_stop(&self, how: StopAsked) {
        self.stop.set(how);
        if let Some(flag) = &*self.flag.borrow() {
            flag.store(true, Ordering::Relaxed);
        }
        // The engine first: what waits for the token is woken by code of the user, which may panic.
        self.wake_engine();
        self.told.notify_waiters();
    }

    pub(crate) fn polled_by(&self, waker: &Waker) {
        let mut engine = self.engine.borrow_mut();
        if !engine.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *engine = Some(waker.clone());
            if let Some(signs) = self.signs.get() {
                signs.lock().engine = Some(waker.clone());
            }
        }
    }
}

/// What a blocking handler is told about its task; see [`Builder::blocking_handler`](crate::Builder::blocking_handler).
///
/// It has the same as [`TaskContext`], as it was when the handler began, but can only be asked whether to stop.
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
    task: TaskId,
    attempt: u16,
    node: String,
    data: Data,
    outputs: FxHashMap<String, Payload>,
    failures: Vec<NodeFailure>,
    cancelled: Arc<AtomicBool>,
    signs: Arc<Signs>,
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
    /// [`TaskContext::output`].
    ///
    /// # Errors
    /// When there is no such output, or it is of another type. A node that is not there and one without an output are told
    /// alike: [`TaskOutputError::Missing`].
    pub fn output<T: DeserializeOwned>(&self, node: &str) -> Result<T, TaskOutputError> {
        decode_output(node, self.outputs.get(node))
    }

    /// The failures that this task handles; see [`TaskContext::failures`].
    pub fn failures(&self) -> &[NodeFailure] {
        &self.failures
    }

    /// Says how far the task is; see [`TaskContext::progress`].
    pub fn progress(&self, share: f64, text: &str) {
        self.signs.progress(share, text);
    }

    /// Says that the handler is alive; see [`TaskContext::heartbeat`].
    pub fn heartbeat(&self) {
        self.signs.give(|_| {});
    }

    /// Sets the custom status of the execution; see [`TaskContext::set_status`].
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

fn decode_output<T: DeserializeOwned>(node: &str, output: Option<&Payload>) -> Result<T, TaskOutputError> {
    let output = output.ok_or_else(|| TaskOutputError::Missing(node.to_owned()))?;
    output.decode().map_err(|error| TaskOutputError::Type { node: node.to_owned(), error })
}

/// The application's state, by type; a clone is the same.
#[derive(Clone, Default)]
pub(crate) struct Data(Arc<FxHashMap<TypeId, Arc<dyn Any + Send + Sync>>>);

impl Data {
    pub(crate) fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        Arc::make_mut(&mut self.0).insert(TypeId::of::<T>(), Arc::new(value));
    }

    fn get<T: Send + Sync + 'static>(&self) -> Result<&T, MissingData> {
        let value = self.0.get(&TypeId::of::<T>()).and_then(|value| value.downcast_ref());
        value.ok_or(MissingData(std::any::type_name::<T>()))
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Data({} types)", self.0.len())
    }
}
