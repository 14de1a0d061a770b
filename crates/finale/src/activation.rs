//! Activating a workflow.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use finale_core::compile::{CompileError, InputError};
use finale_core::{ExecutionId, Payload, PayloadError};
use finale_journal::JournalError;

use crate::completion::Completion;
use crate::errors::TooLong;
use crate::handle::ExecutionHandle;
use crate::runtime::Runtime;
use crate::workflow::Workflow;

/// Why a workflow was not activated; nothing of it exists then, unless the journal failed or the runtime stopped: then
/// nobody knows.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ActivateError {
    /// The definition does not compile.
    #[error(transparent)]
    Definition(CompileError),
    /// The definition asks for something that this release does not run.
    #[error("node {node:?} asks for {feature}, which this release does not run")]
    Unsupported {
        /// Id of the node.
        node: String,
        /// What it asks for.
        feature: &'static str,
    },
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
    /// The input is no payload.
    #[error("the input: {0}")]
    Input(#[from] PayloadError),
    /// The input is not what the definition declares.
    #[error(transparent)]
    InputDeclaration(#[from] InputError),
    /// Who activates it, or a key of it, takes more bytes than allowed.
    #[error(transparent)]
    TooLong(#[from] TooLong),
    /// There are as many open executions as allowed; try again later.
    #[error("{open_executions_max} executions are open already")]
    Saturated {
        /// The limit.
        open_executions_max: usize,
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
            Self::Unsupported { .. } => "unsupported",
            Self::HandlerNotRegistered { .. } => "handler_not_registered",
            Self::Input(error) => error.code(),
            Self::InputDeclaration(_) => "input_invalid",
            Self::TooLong(_) => "too_long",
            Self::Saturated { .. } => "saturated",
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
#[must_use = "nothing is activated before this is awaited"]
#[derive(Debug)]
pub struct Activate {
    pub(crate) runtime: Runtime,
    pub(crate) request: Result<Request, ActivateError>,
}

/// What a shard needs to know to begin an execution.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) workflow: Workflow,
    pub(crate) input: Payload,
    pub(crate) by: Box<str>,
    pub(crate) idempotency_key: Option<Box<str>>,
    pub(crate) business_key: Option<Box<str>>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) id: Option<ExecutionId>,
    pub(crate) pledge: Pledge,
}

/// Says that somebody waits for what becomes of an activation.
///
/// A request can be lost on its way: with a mailbox whose actor has stopped. Then whoever waits is told when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Pledge(Option<Arc<Completion>>);

impl Pledge {
    pub(crate) fn new() -> Self {
        Self(Some(Arc::default()))
    }

    pub(crate) fn completion(&self) -> Arc<Completion> {
        self.0.clone().unwrap_or_default()
    }

    /// Hands the pledge over to the execution that was begun.
    pub(crate) fn redeem(mut self) -> Arc<Completion> {
        self.0.take().unwrap_or_default()
    }
}

impl Drop for Pledge {
    fn drop(&mut self) {
        if let Some(completion) = &self.0 {
            completion.abandon();
        }
    }
}

impl Activate {
    /// Who activates it; by default `unknown`.
    pub fn by(self, who: impl Into<Box<str>>) -> Self {
        self.with(|request| request.by = who.into())
    }

    /// What a repetition is known by: with the same key, workflow and input it gives the same execution, also after a
    /// restart, as long as the execution is kept. A newer version of the workflow counts as the same.
    pub fn idempotency_key(self, key: impl Into<Box<str>>) -> Self {
        self.with(|request| request.idempotency_key = Some(key.into()))
    }

    /// What people find it by, an order number for instance; it need not be unique. See [`Filter`](crate::Filter).
    pub fn business_key(self, key: impl Into<Box<str>>) -> Self {
        self.with(|request| request.business_key = Some(key.into()))
    }

    /// How long the execution may take; after that it fails.
    pub fn deadline(self, deadline: Duration) -> Self {
        self.with(|request| request.deadline = Some(deadline))
    }

    /// The id it gets, from [`Runtime::new_execution_id`]: for those who must note it before anything begins.
    pub fn id(self, id: ExecutionId) -> Self {
        self.with(|request| request.id = Some(id))
    }

    /// Hands the activation in and waits until it is durable.
    ///
    /// # Errors
    /// When it is refused; see [`ActivateError`].
    pub async fn start(self) -> Result<ExecutionHandle, ActivateError> {
        let request = self.request?;
        self.runtime.check_text("who activates it", Some(&request.by))?;
        self.runtime.check_text("the idempotency key", request.idempotency_key.as_deref())?;
        self.runtime.check_text("the business key", request.business_key.as_deref())?;
        let completion = request.pledge.completion();
        self.runtime.hand_in(request);
        let (id, completion) = completion.acknowledged().await?;
        Ok(ExecutionHandle { runtime: self.runtime, id, completion })
    }

    fn with(mut self, change: impl FnOnce(&mut Request)) -> Self {
        if let Ok(request) = &mut self.request {
            change(request);
        }
        self
    }
}

impl IntoFuture for Activate {
    type Output = Result<ExecutionHandle, ActivateError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.start())
    }
}
