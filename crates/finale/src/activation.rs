//! Activating a workflow.

use std::borrow::Cow;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use finale_core::compile::{CompileError, InputError};
use finale_core::definition::SchemaMismatch;
use finale_core::{ExecutionId, Payload, PayloadError};
use finale_journal::JournalError;
use tracing::Span;

use crate::completion::Completion;
use crate::declared::Undeclared;
use crate::errors::TooLong;
use crate::handle::ExecutionHandle;
use crate::runtime::Runtime;
use crate::schemas::SchemaConflict;
use crate::workflow::Workflow;

/// Why a workflow was not activated; nothing of it exists then.
///
/// Only with [`Journal`](Self::Journal) and [`Stopped`](Self::Stopped) nobody knows: what was on its way may have become
/// durable. Activate again with the same [idempotency key](Activate::idempotency_key).
///
/// ```
/// # use finale::prelude::*;
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # async fn charge_card(_context: TaskContext) -> Result<(), TaskError> { Ok(()) }
/// let runtime = Runtime::builder().shards(Shards::Current).handler("charge_card", charge_card).start()?;
/// let order = Workflow::builder("order").task("charge", "charge_cart").build()?;
/// let error = runtime.activate(&order, ()).await.unwrap_err();
/// assert_eq!(error.code(), "handler_not_registered");
/// assert!(error.to_string().ends_with(r#"there are: charge_card (did you mean "charge_card"?)"#));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ActivateError {
    /// The definition does not compile.
    #[error(transparent)]
    Definition(CompileError),
    /// No handler of that name was registered.
    #[error("no handler {handler:?} is registered{}", registered_instead(nearest.as_deref(), registered))]
    HandlerNotRegistered {
        /// The name in the definition.
        handler: String,
        /// What was probably meant.
        nearest: Option<String>,
        /// The names that are registered.
        registered: Vec<String>,
    },
    /// The input is no payload: it is no JSON, or larger than [`Limits::payload_bytes_max`](crate::Limits).
    #[error("the input: {0}")]
    Input(#[from] PayloadError),
    /// The input is not what the definition declares.
    #[error(transparent)]
    InputDeclaration(#[from] InputError),
    /// The input does not fit the schema that the definition declares.
    #[error(transparent)]
    Schema(#[from] SchemaMismatch),
    /// A task declares other schemas than those that its handler brings with it.
    #[error(transparent)]
    SchemaConflict(#[from] Box<SchemaConflict>),
    /// A key is blank: it would be the same for everybody who has none.
    #[error("{what} is blank; leave it out where there is none")]
    BlankKey {
        /// Which key.
        what: &'static str,
    },
    /// The deadline is zero, so that the execution would fail before anything of it began.
    #[error("a deadline of 0s leaves no time for anything; leave it out where there is none")]
    ZeroDeadline,
    /// Who activates it, or a key of it, takes more bytes than allowed.
    #[error(transparent)]
    TooLong(#[from] TooLong),
    /// There are as many open executions as [`Limits::open_executions_max`](crate::Limits) allows; try again later.
    #[error("{open_executions_max} executions are open already")]
    Saturated {
        /// The limit.
        open_executions_max: usize,
    },
    /// As many activations with the same idempotency key as [`Limits::early_outcomes_max`](crate::Limits) allows in a shard
    /// wait already until it is known whether the key has an execution; try again later.
    #[error("{waiting_max} activations with idempotency key {key:?} wait already until it is known who has it")]
    KeySaturated {
        /// The key.
        key: String,
        /// The part of the limit that one shard has.
        waiting_max: usize,
    },
    /// The idempotency key was used with another workflow or input.
    #[error("idempotency key {key:?} belongs to execution {execution}, which was activated with something else")]
    IdempotencyConflict {
        /// The key.
        key: String,
        /// The execution it belongs to.
        execution: ExecutionId,
    },
    /// An execution with that id exists already.
    #[error("execution {0} exists already")]
    IdConflict(ExecutionId),
    /// Its actor died over the activation, again and again.
    #[error("the execution could not be begun: {reason}")]
    NotBegun {
        /// What happened.
        reason: String,
    },
    /// The journal failed, so that nothing can be made durable.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The runtime has stopped or is about to.
    #[error("the runtime has stopped or is about to")]
    Stopped,
}

impl ActivateError {
    /// The name of the kind of error, which does not change between versions.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Definition(_) => "definition_invalid",
            Self::HandlerNotRegistered { .. } => "handler_not_registered",
            Self::Input(error) => error.code(),
            Self::InputDeclaration(_) => "input_invalid",
            Self::Schema(_) => "schema_mismatch",
            Self::SchemaConflict(_) => "schema_conflict",
            Self::BlankKey { .. } => "blank_key",
            Self::ZeroDeadline => "zero_deadline",
            Self::TooLong(_) => "too_long",
            Self::Saturated { .. } => "saturated",
            Self::KeySaturated { .. } => "saturated",
            Self::IdempotencyConflict { .. } => "idempotency_conflict",
            Self::IdConflict(_) => "id_conflict",
            Self::NotBegun { .. } => "not_begun",
            Self::Journal(error) => error.code(),
            Self::Stopped => "stopped",
        }
    }
}

fn registered_instead(nearest: Option<&str>, registered: &[String]) -> String {
    let meant = nearest.map(|name| format!(" (did you mean {name:?}?)")).unwrap_or_default();
    match registered {
        [] => ", nor is any other".to_owned(),
        _ => format!("; there are: {}{meant}", registered.join(", ")),
    }
}

/// An activation that is not handed in yet: await it.
///
/// ```
/// # use finale::prelude::*;
/// use std::time::Duration;
///
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
/// # let order = Workflow::builder("order").task("pack", Task::external()).build()?;
/// let execution = runtime
///     .activate(&order, "kettle")
///     .by("the web")
///     .idempotency_key("request 4711")
///     .business_key("order 7")
///     .deadline(Duration::from_secs(24 * 60 * 60))
///     .await?;
/// assert_eq!(execution.snapshot().await?.activated_by, "the web");
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is activated before this is awaited"]
#[derive(Debug)]
pub struct Activate<Output = Undeclared> {
    pub(crate) runtime: Runtime,
    pub(crate) request: Result<Request, ActivateError>,
    pub(crate) output: PhantomData<fn() -> Output>,
}

/// What a shard needs to know to begin an execution.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) workflow: Workflow,
    pub(crate) input: Payload,
    pub(crate) by: Cow<'static, str>,
    pub(crate) idempotency_key: Option<Box<str>>,
    pub(crate) business_key: Option<Box<str>>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) id: Option<ExecutionId>,
    pub(crate) pledge: Pledge,
}

impl Request {
    /// The same request, with nobody who waits for it.
    pub(crate) fn without_pledge(&self) -> Self {
        Self {
            workflow: self.workflow.clone(),
            input: self.input.clone(),
            by: self.by.clone(),
            idempotency_key: self.idempotency_key.clone(),
            business_key: self.business_key.clone(),
            deadline: self.deadline,
            id: self.id,
            pledge: Pledge::default(),
        }
    }
}

/// Says that somebody waits for what becomes of an activation.
///
/// A request can be lost on its way: with a mailbox whose actor has stopped. Then whoever waits is told when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Pledge {
    completion: Option<Arc<Completion>>,
    /// What its handlers will run in, if anybody looks at spans.
    span: Option<Box<Span>>,
}

impl Pledge {
    pub(crate) fn new(span: Option<Box<Span>>) -> Self {
        Self { completion: Some(Arc::default()), span }
    }

    pub(crate) fn take_span(&mut self) -> Option<Box<Span>> {
        self.span.take()
    }

    pub(crate) fn completion(&self) -> Arc<Completion> {
        self.completion.clone().unwrap_or_default()
    }

    /// Hands the pledge over to the execution that was begun.
    pub(crate) fn redeem(mut self) -> Arc<Completion> {
        self.completion.take().unwrap_or_default()
    }
}

impl Drop for Pledge {
    fn drop(&mut self) {
        if let Some(completion) = &self.completion {
            completion.abandon();
        }
    }
}

impl<Output> Activate<Output> {
    /// Who activates it; by default `unknown`. It is kept, and shown in [`Record::activated_by`](crate::Record).
    pub fn by(self, who: impl Into<Box<str>>) -> Self {
        self.with(|request| request.by = Cow::Owned(String::from(who.into())))
    }

    /// What a repetition is known by: with the same key, workflow and input it gives the same execution, also after a
    /// restart, as long as the execution is kept. A newer version of the workflow counts as the same.
    ///
    /// With another workflow or input it is refused: [`ActivateError::IdempotencyConflict`]. Keys are for the whole
    /// journal, not for one workflow. By default there is none; a blank one is refused ([`ActivateError::BlankKey`]).
    ///
    /// ```
    /// # use finale::prelude::*;
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// # let order = Workflow::builder("order").task("pack", Task::external()).build()?;
    /// let first = runtime.activate(&order, "kettle").idempotency_key("request 4711").await?;
    /// let again = runtime.activate(&order, "kettle").idempotency_key("request 4711").await?;
    /// assert_eq!(again.id(), first.id());
    ///
    /// let other = runtime.activate(&order, "teapot").idempotency_key("request 4711").await;
    /// assert_eq!(other.unwrap_err().code(), "idempotency_conflict");
    /// # Ok(())
    /// # }
    /// ```
    pub fn idempotency_key(self, key: impl Into<Box<str>>) -> Self {
        self.with(|request| request.idempotency_key = Some(key.into()))
    }

    /// What people find it by, an order number for instance; it need not be unique, and must not be blank. See
    /// [`Filter`](crate::Filter).
    ///
    /// ```
    /// # use finale::prelude::*;
    /// # use finale::Filter;
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// # let order = Workflow::builder("order").task("pack", Task::external()).build()?;
    /// let execution = runtime.activate(&order, "kettle").business_key("order 7").await?;
    /// let page = runtime.executions(Filter::new().business_key("order 7")).await?;
    /// assert_eq!(page.executions[0].id, execution.id());
    /// # Ok(())
    /// # }
    /// ```
    pub fn business_key(self, key: impl Into<Box<str>>) -> Self {
        self.with(|request| request.business_key = Some(key.into()))
    }

    /// How long the execution may take, longer than zero; after that it fails. By default there is no limit.
    ///
    /// It counts from the activation, also while the application is down. Handlers at work are stopped then.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// use std::time::Duration;
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// # let order = Workflow::builder("order").task("pack", Task::external()).build()?;
    /// let execution = runtime.activate(&order, "kettle").deadline(Duration::from_millis(1)).await?;
    /// let outcome = execution.outcome().await?;
    /// assert_eq!(outcome.status(), ExecutionStatus::Failed);
    /// assert_eq!(outcome.decided_by.to_string(), "its deadline passed");
    /// # Ok(())
    /// # }
    /// ```
    pub fn deadline(self, deadline: Duration) -> Self {
        self.with(|request| request.deadline = Some(deadline))
    }

    /// The id it gets, from [`Runtime::new_execution_id`]: for those who must note it before anything begins. By default
    /// it gets a new one.
    ///
    /// An id is used once: a second activation with it is [`ActivateError::IdConflict`], unless it repeats the first one
    /// by its idempotency key. A repetition keeps the id of the first.
    pub fn id(self, id: ExecutionId) -> Self {
        self.with(|request| request.id = Some(id))
    }

    /// Hands the activation in and waits until it is durable. To await the activation itself is the same.
    ///
    /// # Errors
    /// When it is refused; nothing of it exists then. See [`ActivateError`].
    ///
    /// ```
    /// # use finale::prelude::*;
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// # let order = Workflow::builder("order").task("pack", Task::external()).build()?;
    /// // A future without a box, and one that can be spawned.
    /// let activated = actix::spawn(runtime.activate(&order, "kettle").by("the web").start());
    /// assert_eq!(activated.await??.status().await?, ExecutionStatus::Running);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn start(self) -> Result<ExecutionHandle<Output>, ActivateError> {
        let (runtime, completion) = self.hand_in()?;
        let (id, completion) = completion.acknowledged().await?;
        Ok(ExecutionHandle::new(runtime, id, completion))
    }

    /// Hands the activation in; gives what its acknowledgement is waited for with. Apart from the waiting, so that its future
    /// does not hold what only this needs.
    fn hand_in(self) -> Result<(Runtime, Arc<Completion>), ActivateError> {
        let Self { runtime, request, .. } = self;
        let request = request?;
        runtime.check_text("who activates it", Some(&request.by))?;
        runtime.check_text("the idempotency key", request.idempotency_key.as_deref())?;
        runtime.check_text("the business key", request.business_key.as_deref())?;
        refuse_nothing(&request)?;
        let completion = request.pledge.completion();
        runtime.hand_in(request);
        Ok((runtime, completion))
    }

    fn with(mut self, change: impl FnOnce(&mut Request)) -> Self {
        if let Ok(request) = &mut self.request {
            change(request);
        }
        self
    }
}

/// Refuses keys and deadlines that are there and say nothing.
fn refuse_nothing(request: &Request) -> Result<(), ActivateError> {
    let keys = [("the idempotency key", &request.idempotency_key), ("the business key", &request.business_key)];
    for (what, key) in keys {
        if key.as_deref().is_some_and(|key| key.trim().is_empty()) {
            return Err(ActivateError::BlankKey { what });
        }
    }
    if request.deadline.is_some_and(|deadline| deadline.is_zero()) {
        return Err(ActivateError::ZeroDeadline);
    }
    Ok(())
}

impl<Output: 'static> IntoFuture for Activate<Output> {
    type Output = Result<ExecutionHandle<Output>, ActivateError>;
    type IntoFuture = Pin<Box<dyn Future<Output = <Self as IntoFuture>::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.start())
    }
}
