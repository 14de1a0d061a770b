//! What an application holds of finale.

mod commands;
mod executions;
mod registered;
mod seen;
mod shutdown;
mod start_error;
mod tasks;

pub use executions::Page;
pub use registered::RegisterError;
pub(crate) use registered::Registered;
pub use shutdown::ShutdownReport;
pub use start_error::StartError;
pub(crate) use tasks::checked;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix::Addr;
use finale_core::compile::accept_input;
use finale_core::execution::Input;
use finale_core::number::ShardNo;
use finale_core::supervisor::{home_of, shard_of};
use finale_core::{ExecutionId, Payload};
use finale_journal::{Claim, Journal};
use serde::Serialize;

use crate::activation::{Activate, ActivateError, Pledge, Request};
use crate::actors::directory::Directory;
use crate::actors::ids::Ids;
use crate::actors::inbox::Inbox;
use crate::actors::local;
use crate::actors::requests::{Look, NotSeen, Waiting};
use crate::actors::start::Endings;
use crate::actors::supervisor::Supervisor;
use crate::actors::way_in::ToShard;
use crate::builder::Builder;
use crate::declared::Fits;
use crate::errors::{CommandError, ReportError, TooLong};
use crate::handler::encode_owned;
use crate::health::Health;
use crate::observe;
use crate::oneshot;
use crate::options::{Limits, Options};
use crate::vitals::Vitals;
use crate::workflow::Workflow;

/// Runs workflows; a clone is the same runtime, usable from any thread.
///
/// It is started inside a running actix `System` by [`Runtime::builder`]. Its own threads ([`Shards::Own`], the default) do
/// not stop with that System: actix-web stops it on SIGTERM and SIGINT, and [`shutdown`](Self::shutdown) after that lets
/// handlers at work finish. With [`Shards::Current`] it goes when the System is dropped. A runtime that goes without a
/// shutdown, so or with its process, drops handlers at work where they are, whoever waits for an outcome is told
/// [`Abandoned`](crate::Abandoned), and executions that had not ended are what the journal says about them: with the
/// in-memory journal they are gone.
///
/// Dropping the last clone changes nothing. After a shutdown every call answers `Stopped`.
///
/// [`Shards::Own`]: crate::Shards::Own
/// [`Shards::Current`]: crate::Shards::Current
///
/// ```
/// use finale::prelude::*;
///
/// async fn greet(_context: TaskContext, name: String) -> Result<String, TaskError> {
///     Ok(format!("Hello, {name}"))
/// }
///
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let greeting = Workflow::builder("greeting").task("greet", "greet").build()?;
/// let runtime = Runtime::builder().shards(Shards::Current).handler("greet", greet).start()?;
/// let outcome = runtime.activate(&greeting, "Ada").await?.outcome().await?;
/// assert_eq!(outcome.output::<String>()?, "Hello, Ada");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Runtime(Arc<Inner>);

struct Inner {
    shards: Vec<Arc<Inbox<ToShard>>>,
    options: Arc<Options>,
    /// Where the next execution goes, if nothing else decides it.
    next: AtomicUsize,
    /// Gives ids away before their executions begin.
    ids: Ids,
    directory: Arc<Directory>,
    registered: Registered,
    kept: Kept,
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("shards", &self.0.shards.len()).finish_non_exhaustive()
    }
}

/// What says how a runtime is doing.
pub(crate) struct Kept {
    pub(crate) claim: Claim,
    pub(crate) vitals: Vec<Arc<Vitals>>,
    pub(crate) endings: Arc<Endings>,
    pub(crate) supervisors: Vec<Addr<Supervisor>>,
}

impl Runtime {
    /// Begins a runtime: nothing runs before [`Builder::start`].
    ///
    /// ```
    /// # use finale::prelude::*;
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// assert!(runtime.health().is_well());
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn new(
        shards: Vec<Arc<Inbox<ToShard>>>,
        options: Arc<Options>,
        directory: Arc<Directory>,
        registered: Registered,
        kept: Kept,
    ) -> Self {
        let ids = Ids::new(options.shards);
        Self(Arc::new(Inner { shards, options, next: AtomicUsize::new(0), ids, directory, registered, kept }))
    }

    /// Activates a workflow: await what it gives.
    ///
    /// The activation is acknowledged when it is durable. Dropping the future after it was first polled does not take
    /// the activation back.
    ///
    /// The input is anything that serde writes as JSON, at most [`Limits::payload_bytes_max`](crate::Limits) bytes of
    /// it; `()` is `null`. Inputs that the definition declares are checked, and their defaults filled in. What else can be
    /// said of an activation is said to the [`Activate`]; why it can be refused is in [`ActivateError`].
    ///
    /// ```
    /// # use finale::prelude::*;
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
    /// let execution = runtime.activate(&article, "On kettles").by("the author").await?;
    /// assert_eq!(execution.status().await?, ExecutionStatus::Running);
    /// # Ok(())
    /// # }
    /// ```
    pub fn activate<I: Fits<Input>, Input, Output>(
        &self,
        workflow: &Workflow<Input, Output>,
        input: I,
    ) -> Activate<Output> {
        let workflow = workflow.undeclared();
        let request = self.accept_input(&workflow, input).map(|input| Request {
            pledge: Pledge::new(observe::activation_span(&workflow.definition().id)),
            workflow,
            input,
            by: "unknown".into(),
            idempotency_key: None,
            business_key: None,
            deadline: None,
            id: None,
        });
        Activate { runtime: self.clone(), request, output: PhantomData }
    }

    fn accept_input(&self, workflow: &Workflow, input: impl Serialize) -> Result<Payload, ActivateError> {
        let bytes_max = self.0.options.limits.payload_bytes_max;
        let input = encode_owned(input)?.limited(bytes_max)?;
        // Once more: the defaults that are filled in count too.
        let input = accept_input(workflow.definition(), input)?.limited(bytes_max)?;
        workflow.schemas().map_or(Ok(()), |schemas| schemas.check_activation(&input))?;
        Ok(input)
    }

    /// An id for an execution that is activated later; each is greater than the one before.
    ///
    /// Nothing exists of the execution until [`Activate::id`] is used with it; an id that is never used costs nothing.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
    /// let id = runtime.new_execution_id();
    /// // Note it where it is needed, then:
    /// let execution = runtime.activate(&article, ()).id(id).await?;
    /// assert_eq!(execution.id(), id);
    /// assert!(runtime.new_execution_id() > id);
    /// # Ok(())
    /// # }
    /// ```
    pub fn new_execution_id(&self) -> ExecutionId {
        self.0.ids.next(ShardNo(self.next_shard()))
    }

    pub(crate) fn hand_in(&self, request: Request) {
        let shards = self.0.options.shards;
        let shard = match (&request.idempotency_key, request.id) {
            // Of two activations with one key that come at once, the home of the key says which is the first.
            (Some(key), _) => home_of(key, shards).0,
            (None, Some(id)) => shard_of(id, shards).0,
            (None, None) => local::shard(&self.0.shards).unwrap_or_else(|| self.next_shard()),
        };
        // A shard that is gone gives the request back, and with that its caller hears that the runtime has stopped.
        let _ = self.0.shards[usize::from(shard)].put(ToShard::Activate(request));
    }

    /// How the runtime is doing; answered at once, whatever its shards are at. See [`Health`].
    pub fn health(&self) -> Health {
        let Kept { claim, vitals, endings, .. } = &self.0.kept;
        let mut health = Health { after_crash: claim.crashed, ..Health::well() };
        if let Some(journal) = endings.journal() {
            (health.journal, health.journal_waiting) = (journal.health(), journal.waiting());
        }
        vitals.iter().for_each(|shard| shard.add_to(&mut health));
        health
    }

    /// The journal, as long as the runtime has not ended.
    fn journal(&self) -> Result<Arc<dyn Journal>, CommandError> {
        self.0.kept.endings.journal().ok_or(CommandError::Stopped)
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.options.limits
    }

    /// Refuses a text that is longer than allowed.
    pub(crate) fn check_text(&self, what: &'static str, text: Option<&str>) -> Result<(), TooLong> {
        fits(what, text, &self.0.options.limits)
    }

    /// Whether the runtime was shut down, or a part of it is gone.
    pub(crate) fn has_stopped(&self) -> bool {
        self.0.shards.iter().any(|shard| shard.is_closed())
    }

    fn next_shard(&self) -> u16 {
        (self.0.next.fetch_add(1, Ordering::Relaxed) % self.0.shards.len()) as u16
    }

    fn shard(&self, execution: ExecutionId) -> &Inbox<ToShard> {
        &self.0.shards[usize::from(shard_of(execution, self.0.options.shards).0)]
    }

    #[expect(clippy::result_large_err, reason = "it is given back as it came, and that is rare")]
    fn put(&self, execution: ExecutionId, item: ToShard) -> Result<(), ToShard> {
        self.shard(execution).put(item)
    }

    async fn look<T>(
        &self,
        execution: ExecutionId,
        look: impl FnOnce(oneshot::Sender<Result<T, NotSeen>>) -> Look,
    ) -> Result<T, NotSeen> {
        const STOPPED: NotSeen = NotSeen::Failed(CommandError::Stopped);
        let (answer, answered) = oneshot::channel();
        self.put(execution, ToShard::Look { execution, look: look(answer) }).map_err(|_| STOPPED)?;
        answered.await.unwrap_or(Err(STOPPED))
    }

    /// Tells an execution something, and waits until what came of it is durable.
    pub(crate) async fn tell<T, E: From<Stopped>>(
        &self,
        execution: ExecutionId,
        input: Input,
        waiting: impl FnOnce(oneshot::Sender<Result<T, E>>) -> Waiting,
    ) -> Result<T, E> {
        let (answer, answered) = oneshot::channel();
        let tell = ToShard::Tell { execution, input: Box::new(input), waiting: waiting(answer) };
        self.put(execution, tell).map_err(|_| Stopped)?;
        answered.await.unwrap_or(Err(Stopped.into()))
    }
}

/// The shard of an execution is gone.
pub(crate) struct Stopped;

impl From<Stopped> for CommandError {
    fn from(_stopped: Stopped) -> Self {
        Self::Stopped
    }
}

impl From<Stopped> for ReportError {
    fn from(_stopped: Stopped) -> Self {
        Self::Stopped
    }
}

fn fits(what: &'static str, text: Option<&str>, limits: &Limits) -> Result<(), TooLong> {
    let (bytes, bytes_max) = (text.map_or(0, str::len), limits.text_bytes_max);
    if bytes > bytes_max { Err(TooLong { what, bytes, bytes_max }) } else { Ok(()) }
}
