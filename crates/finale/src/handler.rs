//! Handlers: the user's code that does tasks.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use actix::Recipient;
use finale_core::{Failure, FailureClass, Payload};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::context::{BlockingContext, TaskContext};
use crate::message::RunTask;

/// Why a handler could not do its task.
///
/// Any error becomes one with `?`; it is tried again as the definition says, unless it is [permanent](Self::permanent).
#[derive(Clone, Debug)]
pub struct TaskError(Failure);

impl TaskError {
    /// An error in words.
    pub fn new(reason: impl fmt::Display) -> Self {
        Self(Failure::new(FailureClass::Failed, reason.to_string()))
    }

    /// The same error, not to be tried again.
    pub fn permanent(self) -> Self {
        Self(self.0.permanent())
    }

    /// The failure as it is recorded.
    pub fn failure(&self) -> &Failure {
        &self.0
    }
}

impl<E: std::error::Error> From<E> for TaskError {
    fn from(error: E) -> Self {
        Self::new(error)
    }
}

impl From<TaskError> for Failure {
    fn from(error: TaskError) -> Self {
        error.0
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

pub(crate) type TaskResult = Result<Payload, Failure>;
pub(crate) type TaskFuture = Pin<Box<dyn Future<Output = TaskResult>>>;

/// A handler with its types taken away.
pub(crate) trait Handle: Send + Sync {
    fn call(&self, context: TaskContext, input: Payload) -> TaskFuture;

    /// Whether it can only be asked to stop, not stopped.
    fn is_blocking(&self) -> bool {
        false
    }
}

/// An async function that can do tasks: `async fn(TaskContext, Input) -> Result<Output, TaskError>`.
///
/// Its future need not be `Send`: it runs on the thread of its execution.
pub trait Handler<Input, Output>: Send + Sync + 'static {
    /// What calling it gives.
    type Future: Future<Output = Result<Output, TaskError>> + 'static;

    /// Calls it.
    fn call(&self, context: TaskContext, input: Input) -> Self::Future;
}

impl<F, Fut, Input, Output> Handler<Input, Output> for F
where
    F: Fn(TaskContext, Input) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Output, TaskError>> + 'static,
{
    type Future = Fut;

    fn call(&self, context: TaskContext, input: Input) -> Fut {
        self(context, input)
    }
}

/// Takes the types of a handler away.
pub(crate) struct Typed<H, Input, Output> {
    handler: H,
    payload_bytes_max: usize,
    types: std::marker::PhantomData<fn(Input) -> Output>,
}

impl<H, Input, Output> Typed<H, Input, Output> {
    pub(crate) fn new(handler: H, payload_bytes_max: usize) -> Self {
        Self { handler, payload_bytes_max, types: std::marker::PhantomData }
    }
}

impl<H, Input, Output> Handle for Typed<H, Input, Output>
where
    H: Handler<Input, Output>,
    Input: DeserializeOwned + 'static,
    Output: Serialize + 'static,
{
    fn call(&self, context: TaskContext, input: Payload) -> TaskFuture {
        match decode_input(&input) {
            Ok(input) => {
                let future = self.handler.call(context, input);
                let bytes_max = self.payload_bytes_max;
                Box::pin(async move { encode_output(&future.await?, bytes_max) })
            }
            Err(failure) => Box::pin(std::future::ready(Err(failure))),
        }
    }
}

/// Runs a function on a thread of its own.
pub(crate) struct Blocking<F, Input, Output> {
    function: Arc<F>,
    payload_bytes_max: usize,
    types: std::marker::PhantomData<fn(Input) -> Output>,
}

impl<F, Input, Output> Blocking<F, Input, Output> {
    pub(crate) fn new(function: F, payload_bytes_max: usize) -> Self {
        Self { function: Arc::new(function), payload_bytes_max, types: std::marker::PhantomData }
    }
}

impl<F, Input, Output> Handle for Blocking<F, Input, Output>
where
    F: Fn(BlockingContext, Input) -> Result<Output, TaskError> + Send + Sync + 'static,
    Input: DeserializeOwned + 'static,
    Output: Serialize + 'static,
{
    fn call(&self, context: TaskContext, input: Payload) -> TaskFuture {
        let (answer, answered) = tokio::sync::oneshot::channel();
        let (function, bytes_max) = (Arc::clone(&self.function), self.payload_bytes_max);
        let context = context.for_blocking();
        // A thread of its own, not the runtime's pool: one that never returns must not keep the process from ending.
        let thread = std::thread::Builder::new().name("finale-blocking".to_owned()).spawn(move || {
            let done = crate::fence::fenced(|| {
                let output = (*function)(context, decode_input(&input)?).map_err(Failure::from)?;
                encode_output(&output, bytes_max)
            });
            // Nobody may be waiting any more: then it was recorded as lost.
            let _ = answer.send(done.unwrap_or_else(Err));
        });
        Box::pin(async move {
            let lost = |reason: &str| Err(Failure::new(FailureClass::Lost, reason));
            match thread {
                Ok(_) => answered.await.unwrap_or_else(|_| lost("its thread is gone")),
                Err(error) => lost(&format!("no thread could be started: {error}")),
            }
        })
    }

    fn is_blocking(&self) -> bool {
        true
    }
}

/// Asks an actor of the application.
pub(crate) struct Asked {
    pub(crate) actor: Recipient<RunTask>,
    pub(crate) payload_bytes_max: usize,
}

impl Handle for Asked {
    fn call(&self, context: TaskContext, input: Payload) -> TaskFuture {
        let task =
            RunTask { task: context.task_id(), attempt: context.attempt(), node: context.node().to_owned(), input };
        let (asked, bytes_max) = (self.actor.send(task), self.payload_bytes_max);
        Box::pin(async move {
            match asked.await {
                Ok(result) => result.map_err(Failure::from).and_then(|output| limit_output(output, bytes_max)),
                Err(error) => Err(Failure::new(FailureClass::Lost, format!("the actor did not answer: {error}"))),
            }
        })
    }
}

fn decode_input<T: DeserializeOwned>(input: &Payload) -> Result<T, Failure> {
    input.decode().map_err(|error| {
        Failure::new(FailureClass::Failed, format!("the input does not fit the handler: {error}")).permanent()
    })
}

fn encode_output<T: Serialize>(output: &T, bytes_max: usize) -> TaskResult {
    Payload::encode(output).map_err(|error| unusable(&error)).and_then(|output| limit_output(output, bytes_max))
}

fn limit_output(output: Payload, bytes_max: usize) -> TaskResult {
    output.limited(bytes_max).map_err(|error| unusable(&error))
}

fn unusable(error: &finale_core::PayloadError) -> Failure {
    Failure::new(FailureClass::Failed, format!("the output: {error}")).permanent()
}

/// The handlers of a runtime, by name.
#[derive(Clone, Default)]
pub(crate) struct Handlers(BTreeMap<String, Registered>);

#[derive(Clone)]
pub(crate) struct Registered {
    pub(crate) handle: Arc<dyn Handle>,
    /// How many may be at work in the runtime.
    pub(crate) running_max: Option<usize>,
    /// Its place among the handlers, for tables by number.
    pub(crate) index: usize,
}

impl Handlers {
    pub(crate) fn register(&mut self, name: String, handle: Arc<dyn Handle>) {
        let index = self.0.len();
        let index = self.0.get(&name).map_or(index, |registered| registered.index);
        self.0.insert(name, Registered { handle, running_max: None, index });
    }

    pub(crate) fn limit(&mut self, name: &str, running_max: usize) -> bool {
        let Some(registered) = self.0.get_mut(name) else {
            return false;
        };
        registered.running_max = Some(running_max);
        true
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Registered> {
        self.0.get(name)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Registered> {
        self.0.values()
    }
}

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
