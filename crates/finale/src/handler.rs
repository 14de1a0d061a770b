//! Handlers: the user's code that does tasks.

use std::any::TypeId;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use actix::Recipient;
use finale_core::number::HandlerNo;
use finale_core::{DefinitionHash, Failure, FailureClass, Payload, PayloadError};
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny};
use serde::{Deserialize, Serialize};

use crate::actors::handlers::{self, LocalHandler};
use crate::context::{BlockingContext, TaskContext};
use crate::message::RunTask;
use crate::schemas::HandlerSchemas;
use crate::task_error::TaskError;

pub(crate) type TaskResult = Result<Payload, Failure>;
pub(crate) type TaskFuture = Pin<Box<dyn Future<Output = TaskResult>>>;

/// A handler with its types taken away.
pub(crate) trait Handle: Send + Sync {
    /// The handler as one shard calls it.
    fn local(self: Arc<Self>) -> Box<dyn LocalHandler>;

    fn call(&self, context: TaskContext, input: Payload) -> TaskFuture;

    /// Whether its work goes on when its future is dropped.
    fn is_blocking(&self) -> bool {
        false
    }
}

/// An async function that can do tasks:
/// `async fn(TaskContext, Input) -> Result<Output, TaskError>`, or without the input if it needs none.
///
/// The input is decoded from JSON, the output encoded. Its future need not be `Send`: it runs on the thread of its
/// execution, so it must not block it. Nobody needs to implement this: every such function or closure does; `Arguments`
/// tells them apart.
///
/// An input that does not fit fails the task and is not tried again; so does an output that is larger than
/// [`Limits::payload_bytes_max`](crate::Limits::payload_bytes_max). A panic is a failure like any other.
///
/// ```
/// use finale::{Runtime, TaskContext, TaskError};
///
/// async fn charge_card(context: TaskContext, euros: u32) -> Result<String, TaskError> {
///     Ok(format!("{euros} euros, attempt {}", context.attempt()))
/// }
///
/// async fn say_thanks(_context: TaskContext) -> Result<(), TaskError> {
///     Ok(())
/// }
///
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use finale::{Shards, Workflow};
/// let builder = Runtime::builder().handler("charge_card", charge_card).handler("say_thanks", say_thanks);
/// # let runtime = builder.shards(Shards::Current).start()?;
/// # let order = Workflow::builder("order").task("charge", "charge_card").task("thank", "say_thanks").build()?;
/// # let outcome = runtime.activate(&order, 20).await?.outcome().await?;
/// # let output = outcome.output::<serde_json::Value>()?;
/// # assert_eq!(output, serde_json::json!({"charge": "20 euros, attempt 1", "thank": null}));
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no handler of tasks",
    label = "this cannot do tasks",
    note = "a handler is `async fn(TaskContext, Input) -> Result<Output, TaskError>`, or without the input",
    note = "`Input` must be `serde::de::DeserializeOwned`, `Output` must be `serde::Serialize`, both owned; the error \
            must be `finale::TaskError`, which `?` makes of any other",
    note = "a closure must be `Send + Sync` and own what it uses; a function that blocks goes to `blocking_handler`"
)]
pub trait Handler<Arguments>: Send + Sync + 'static {
    /// What it is given.
    type Input: DeserializeOwned + 'static;
    /// What it gives.
    type Output: Serialize + 'static;
    /// What calling it gives.
    type Future: Future<Output = Result<Self::Output, TaskError>> + 'static;

    /// Calls it.
    fn call(&self, context: TaskContext, input: Self::Input) -> Self::Future;
}

impl<F, Fut, Output> Handler<(TaskContext,)> for F
where
    F: Fn(TaskContext) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Output, TaskError>> + 'static,
    Output: Serialize + 'static,
{
    type Input = NoInput;
    type Output = Output;
    type Future = Fut;

    fn call(&self, context: TaskContext, _input: NoInput) -> Fut {
        self(context)
    }
}

impl<F, Fut, Input, Output> Handler<(TaskContext, Input)> for F
where
    F: Fn(TaskContext, Input) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Output, TaskError>> + 'static,
    Input: DeserializeOwned + 'static,
    Output: Serialize + 'static,
{
    type Input = Input;
    type Output = Output;
    type Future = Fut;

    fn call(&self, context: TaskContext, input: Input) -> Fut {
        self(context, input)
    }
}

/// The input of a handler that asks for none: whatever it is given, it does not look at it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NoInput;

impl<'de> Deserialize<'de> for NoInput {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for NoInput {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "NoInput".into()
    }

    fn json_schema(_generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        true.into()
    }
}

/// Takes the types of a handler away.
pub(crate) struct Typed<H, Arguments> {
    handler: Arc<H>,
    payload_bytes_max: usize,
    types: std::marker::PhantomData<fn(Arguments)>,
}

impl<H, Arguments> Typed<H, Arguments> {
    pub(crate) fn new(handler: Arc<H>, payload_bytes_max: usize) -> Self {
        Self { handler, payload_bytes_max, types: std::marker::PhantomData }
    }
}

impl<H: Handler<Arguments>, Arguments: 'static> Handle for Typed<H, Arguments> {
    fn local(self: Arc<Self>) -> Box<dyn LocalHandler> {
        Box::new(handlers::Function::<H, Arguments>::new(Arc::clone(&self.handler), self.payload_bytes_max))
    }

    fn call(&self, context: TaskContext, input: Payload) -> TaskFuture {
        match decode_input(&input) {
            Ok(input) => {
                let future = self.handler.call(context, input);
                let bytes_max = self.payload_bytes_max;
                Box::pin(async move { encode_output(future.await?, bytes_max) })
            }
            Err(failure) => Box::pin(std::future::ready(Err(failure))),
        }
    }
}

/// A function of the application, before the limits are known that its handler keeps.
#[derive(Clone)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// What tells it from others of its name; nothing for one that carries state, or is no function at all.
    pub(crate) of: Option<TypeId>,
    /// Those of its types, if they are to be compared with those of tasks.
    pub(crate) schemas: Option<Arc<HandlerSchemas>>,
    make: Arc<dyn Fn(usize) -> Arc<dyn Handle> + Send + Sync>,
}

impl Function {
    pub(crate) fn new<H: Handler<Arguments>, Arguments: 'static>(name: String, function: H) -> Self {
        let function = Arc::new(function);
        let of = (size_of::<H>() == 0).then(TypeId::of::<H>);
        Self { of, ..Self::made(name, move |bytes_max| Arc::new(Typed::new(Arc::clone(&function), bytes_max))) }
    }

    pub(crate) fn made(name: String, make: impl Fn(usize) -> Arc<dyn Handle> + Send + Sync + 'static) -> Self {
        Self { name, of: None, schemas: None, make: Arc::new(make) }
    }

    /// Whether it is certain that both are the same.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.of.is_some() && self.of == other.of
    }

    pub(crate) fn handler(&self, payload_bytes_max: usize) -> Arc<dyn Handle> {
        (*self.make)(payload_bytes_max)
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Function({})", self.name)
    }
}

/// Runs a function on a thread of its own.
pub(crate) struct Blocking<F, Input, Output> {
    function: Arc<F>,
    payload_bytes_max: usize,
    types: std::marker::PhantomData<fn(Input) -> Output>,
}

impl<F, Input, Output> Blocking<F, Input, Output> {
    pub(crate) fn new(function: Arc<F>, payload_bytes_max: usize) -> Self {
        Self { function, payload_bytes_max, types: std::marker::PhantomData }
    }
}

impl<F, Input, Output> Blocking<F, Input, Output>
where
    F: Fn(BlockingContext, Input) -> Result<Output, TaskError> + Send + Sync + 'static,
    Input: DeserializeOwned + 'static,
    Output: Serialize + 'static,
{
    /// The function, before the limits are known that its handler keeps.
    pub(crate) fn made(name: String, function: F) -> Function {
        let function = Arc::new(function);
        Function::made(name, move |bytes_max| Arc::new(Self::new(Arc::clone(&function), bytes_max)))
    }
}

impl<F, Input, Output> Handle for Blocking<F, Input, Output>
where
    F: Fn(BlockingContext, Input) -> Result<Output, TaskError> + Send + Sync + 'static,
    Input: DeserializeOwned + 'static,
    Output: Serialize + 'static,
{
    fn local(self: Arc<Self>) -> Box<dyn LocalHandler> {
        Box::new(handlers::Boxed(move |context, input| self.call(context, input)))
    }

    fn call(&self, context: TaskContext, input: Payload) -> TaskFuture {
        let (answer, answered) = tokio::sync::oneshot::channel();
        let (function, bytes_max) = (Arc::clone(&self.function), self.payload_bytes_max);
        let (context, span) = (context.for_blocking(), tracing::Span::current());
        // A thread of its own, not the runtime's pool: one that never returns must not keep the process from ending.
        let thread = std::thread::Builder::new().name("finale-blocking".to_owned()).spawn(move || {
            let done = crate::fence::fenced(|| {
                let _entered = span.enter();
                let output = (*function)(context, decode_input(&input)?).map_err(Failure::from)?;
                encode_output(output, bytes_max)
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

impl Asked {
    /// The actor, before the limits are known that its handler keeps.
    pub(crate) fn made(name: String, actor: Recipient<RunTask>) -> Function {
        Function::made(name, move |payload_bytes_max| Arc::new(Self { actor: actor.clone(), payload_bytes_max }))
    }
}

impl Handle for Asked {
    fn local(self: Arc<Self>) -> Box<dyn LocalHandler> {
        Box::new(handlers::Boxed(move |context, input| self.call(context, input)))
    }

    fn is_blocking(&self) -> bool {
        // The actor goes on, whoever stops to wait for it.
        true
    }

    fn call(&self, context: TaskContext, input: Payload) -> TaskFuture {
        let (task, attempt, node) = (context.task_id(), context.attempt(), context.node().to_owned());
        // The span of the task is the current one where a handler is called.
        let task = RunTask { task, attempt, node, input, span: tracing::Span::current() };
        let (asked, bytes_max) = (self.actor.send(task), self.payload_bytes_max);
        Box::pin(async move {
            match asked.await {
                Ok(result) => result.map_err(Failure::from).and_then(|output| limit_output(output, bytes_max)),
                Err(error) => Err(Failure::new(FailureClass::Lost, format!("the actor did not answer: {error}"))),
            }
        })
    }
}

pub(crate) fn decode_input<T: DeserializeOwned>(input: &Payload) -> Result<T, Failure> {
    input.decode().map_err(|error| {
        Failure::new(FailureClass::Failed, format!("the input does not fit the handler: {error}")).permanent()
    })
}

pub(crate) fn encode_output<T: Serialize>(output: T, bytes_max: usize) -> TaskResult {
    let encoded = encode_owned(output);
    encoded.map_err(|error| unusable(&error)).and_then(|output| limit_output(output, bytes_max))
}

/// Writes the output of a handler behind what is in the buffer already; nothing of one that cannot be used.
pub(crate) fn write_output<T: Serialize>(output: T, bytes_max: usize, buffer: &mut Vec<u8>) -> Result<(), Failure> {
    let before = buffer.len();
    let written = Payload::encode_into(&output, buffer);
    spare_the_stack(output, written.as_ref().err());
    let bytes = buffer.len() - before;
    let written = match written {
        Ok(()) if bytes > bytes_max => {
            buffer.truncate(before);
            Err(PayloadError::TooLarge { bytes, bytes_max })
        }
        written => written,
    };
    written.map_err(|error| unusable(&error))
}

/// Encodes a value and drops it, unless that could take the process with it.
pub(crate) fn encode_owned<T: Serialize>(value: T) -> Result<Payload, PayloadError> {
    let encoded = Payload::encode(&value);
    spare_the_stack(value, encoded.as_ref().err());
    encoded
}

/// Drops a value that was encoded, or was not for that reason.
fn spare_the_stack<T>(value: T, error: Option<&PayloadError>) {
    if matches!(error, Some(PayloadError::TooDeep { .. })) {
        // What is nested without bound is mostly dropped by recursion, which overflows the stack: better to leak it.
        let _leaked = std::mem::ManuallyDrop::new(value);
    }
}

fn limit_output(output: Payload, bytes_max: usize) -> TaskResult {
    output.limited(bytes_max).map_err(|error| unusable(&error))
}

fn unusable(error: &PayloadError) -> Failure {
    Failure::new(FailureClass::Failed, format!("the output: {error}")).permanent()
}

/// The handlers of a runtime, by name.
#[derive(Clone, Default)]
pub(crate) struct Handlers {
    by_name: BTreeMap<String, Registered>,
    /// How reports are checked on tasks of the workflows that the runtime was started with.
    outputs: HashMap<DefinitionHash, OutputChecks>,
}

/// Says what is wrong with the output of a task whose type was declared.
pub(crate) type OutputCheck = fn(&Payload) -> Result<(), PayloadError>;

/// The checks of the tasks of a workflow, by the ids of their nodes.
pub(crate) type OutputChecks = BTreeMap<String, OutputCheck>;

#[derive(Clone)]
pub(crate) struct Registered {
    pub(crate) handle: Arc<dyn Handle>,
    /// How many may be at work in the runtime.
    pub(crate) running_max: Option<usize>,
    /// Its place among the handlers, for tables by number.
    pub(crate) index: usize,
    /// The schemas that it brings with it.
    pub(crate) schemas: Option<Arc<HandlerSchemas>>,
}

impl Handlers {
    /// Registers a handler whose name is not taken.
    pub(crate) fn register(&mut self, name: String, handle: Arc<dyn Handle>, schemas: Option<Arc<HandlerSchemas>>) {
        let index = self.by_name.len();
        self.by_name.insert(name, Registered { handle, running_max: None, index, schemas });
    }

    pub(crate) fn limit(&mut self, name: &str, running_max: usize) -> bool {
        let Some(registered) = self.by_name.get_mut(name) else {
            return false;
        };
        registered.running_max = Some(running_max);
        true
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Registered> {
        self.by_name.get(name)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// All of them, in the order of their numbers.
    pub(crate) fn by_number(&self) -> Vec<&Registered> {
        let mut all: Vec<_> = self.by_name.values().collect();
        all.sort_unstable_by_key(|registered| registered.index);
        all
    }

    /// Lets reports on the tasks of a workflow be checked.
    pub(crate) fn check_outputs(&mut self, outputs: HashMap<DefinitionHash, OutputChecks>) {
        self.outputs = outputs;
    }

    /// How reports on a task of a workflow are checked, if they are.
    pub(crate) fn output_check(&self, definition: DefinitionHash, node: &str) -> Option<OutputCheck> {
        self.outputs.get(&definition)?.get(node).copied()
    }

    /// The number of a handler, if it is registered.
    pub(crate) fn number(&self, name: &str) -> Option<HandlerNo> {
        self.get(name).map(|registered| HandlerNo(registered.index as u16))
    }

    /// The names, in the order of the numbers.
    pub(crate) fn names_by_number(&self) -> Vec<String> {
        let mut names: Vec<_> = self.by_name.iter().collect();
        names.sort_unstable_by_key(|(_, registered)| registered.index);
        names.into_iter().map(|(name, _)| name.clone()).collect()
    }

    /// The limits of handlers that have one of their own, in the order of their numbers: the first one is limit number 1.
    pub(crate) fn limits(&self) -> Vec<usize> {
        self.by_number().into_iter().filter_map(|registered| registered.running_max).collect()
    }
}

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.by_name.keys()).finish()
    }
}
