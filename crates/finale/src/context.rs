//! What a handler is told about its task.

use std::any::{Any, TypeId};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use finale_core::{Dispatch, ExecutionId, Payload, TaskId};
use rustc_hash::FxHashMap;
use serde::de::DeserializeOwned;
use tokio::sync::Notify;

use crate::shard::Live;

/// What a handler is told about its task; a clone is the same.
#[derive(Clone)]
pub struct TaskContext(Rc<Task>);

/// One attempt at one task, shared by its handler and the engine.
pub(crate) struct Task {
    pub(crate) live: Rc<Live>,
    pub(crate) dispatch: Dispatch,
    stop: Cell<StopAsked>,
    /// Tells all who wait for it to stop: a handler may have helpers.
    told: Notify,
    /// The engine's future of this task, to be polled again when it is to be dropped.
    engine: RefCell<Option<Waker>>,
    /// What a blocking handler looks at, once there is one.
    flag: RefCell<Option<Arc<AtomicBool>>>,
}

/// How far a handler was told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopAsked {
    No,
    /// It may take its grace.
    Gently,
    /// Its grace is over: it is dropped.
    Now,
    /// Nobody wants its result: it is dropped and not reported.
    Forgotten,
}

/// Why there is no output of a node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TaskOutputError {
    /// The definition has no such node.
    #[error("there is no node {0:?} in the workflow")]
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

/// The runtime's builder was given no state of this type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no {0} was given to the runtime: Runtime::builder().data(..) takes it")]
pub struct MissingData(&'static str);

impl TaskContext {
    pub(crate) fn new(task: Rc<Task>) -> Self {
        Self(task)
    }

    /// Names the task; the same over attempts and restarts.
    pub fn task_id(&self) -> TaskId {
        TaskId { execution: self.0.live.id, key: self.0.dispatch.key }
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

    /// Which attempt this is, counted from 1.
    pub fn attempt(&self) -> u16 {
        self.0.dispatch.attempt
    }

    /// Id of the node in the definition.
    pub fn node(&self) -> &str {
        &self.0.live.bound.compiled.node(self.0.dispatch.key.node).id
    }

    /// State of the application that was given to the runtime's [builder](crate::Builder::data).
    ///
    /// # Errors
    /// When none of that type was given; with `?` the task fails for good.
    pub fn data<T: Send + Sync + 'static>(&self) -> Result<&T, MissingData> {
        self.0.live.bound.data.get()
    }

    /// The output of a task that was done before.
    ///
    /// # Errors
    /// When there is no such node, it has no output, or the output is of another type.
    pub fn output<T: DeserializeOwned>(&self, node: &str) -> Result<T, TaskOutputError> {
        let position = self.0.live.bound.compiled.position(node);
        let position = position.ok_or_else(|| TaskOutputError::Unknown(node.to_owned()))?;
        let output = self.0.live.read(|execution| execution.output_of(position).cloned());
        decode_output(node, output.as_ref())
    }

    /// Whether the handler was told to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.stop.get() != StopAsked::No
    }

    /// Waits until the handler is told to stop; it then has its grace to clean up.
    pub async fn cancelled(&self) {
        let told = self.0.told.notified();
        if !self.is_cancelled() {
            told.await;
        }
    }

    pub(crate) fn for_blocking(&self) -> BlockingContext {
        let flag = Arc::new(AtomicBool::new(self.is_cancelled()));
        *self.0.flag.borrow_mut() = Some(Arc::clone(&flag));
        let compiled = &self.0.live.bound.compiled;
        let done = |execution: &finale_core::Execution| {
            let output = |node| Some((compiled.node(node).id.clone(), execution.output_of(node)?.clone()));
            (0..compiled.len() as u32).filter_map(output).collect()
        };
        BlockingContext {
            task: self.task_id(),
            attempt: self.attempt(),
            node: self.node().to_owned(),
            data: self.0.live.bound.data.clone(),
            outputs: self.0.live.read(done),
            cancelled: flag,
        }
    }
}

impl fmt::Debug for TaskContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskContext({} attempt {})", self.task_id(), self.attempt())
    }
}

impl Task {
    pub(crate) fn new(live: Rc<Live>, dispatch: Dispatch) -> Self {
        Self {
            live,
            dispatch,
            stop: Cell::new(StopAsked::No),
            told: Notify::new(),
            engine: RefCell::default(),
            flag: RefCell::default(),
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
        let engine = self.engine.take();
        engine.into_iter().for_each(Waker::wake);
        self.told.notify_waiters();
    }

    pub(crate) fn polled_by(&self, waker: &Waker) {
        let mut engine = self.engine.borrow_mut();
        if !engine.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *engine = Some(waker.clone());
        }
    }
}

/// What a blocking handler is told about its task.
#[derive(Debug)]
pub struct BlockingContext {
    task: TaskId,
    attempt: u16,
    node: String,
    data: Data,
    outputs: FxHashMap<String, Payload>,
    cancelled: Arc<AtomicBool>,
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

    /// Which attempt this is, counted from 1.
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

    /// The output of a task that was done before this one began.
    ///
    /// # Errors
    /// When there is no such output, or it is of another type.
    pub fn output<T: DeserializeOwned>(&self, node: &str) -> Result<T, TaskOutputError> {
        decode_output(node, self.outputs.get(node))
    }

    /// Whether the handler was told to stop; nothing else can stop it, so it should look now and then.
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
