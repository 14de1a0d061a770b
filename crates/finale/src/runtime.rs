//! What an application holds of finale.

mod registered;

pub use registered::RegisterError;
pub(crate) use registered::Registered;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::oneshot;
use actix::{Addr, Recipient};
use finale_core::compile::accept_input;
use finale_core::definition::{SchemaError, Verdict};
use finale_core::execution::{Command, Input, Report, Why};
use finale_core::number::{LimitNo, ShardNo, Slot};
use finale_core::record::{ConcurrencyLimit, HeldUp, HeldUpBy, QueuePosition, TaskProgress};
use finale_core::supervisor::{home_of, shard_of};
use finale_core::task_engine::{QueuedTask, SuspendedTask, TaskEngine};
use finale_core::{
    AttemptNo, ExecutionId, Failure, FailureClass, NodeStatus, Payload, PayloadError, Record, TaskId, WorkKey,
};
use finale_journal::{Claim, Filter, Journal, JournalError, Summary};
use serde::Serialize;
use tokio::time::timeout_at;

use crate::activation::{Activate, ActivateError, Pledge, Request};
use crate::actors::directory::Directory;
use crate::actors::ids::Ids;
use crate::actors::inbox::Inbox;
use crate::actors::local;
use crate::actors::past::Past;
use crate::actors::requests::{FoundNode, Look, NotSeen, Waiting, Watched};
use crate::actors::shared::Shared;
use crate::actors::start::{Ending, Endings};
use crate::actors::supervisor::Supervisor;
use crate::actors::way_in::{LookAtTasks, ToShard};
use crate::actors::{past, reading};
use crate::builder::Builder;
use crate::completion::Completion;
use crate::declared::Fits;
use crate::errors::{CommandError, ReportError, TooLong};
use crate::events::{EventNumber, Events, Subscriber};
use crate::handle::{CancelReceipt, ExecutionHandle};
use crate::handler::encode_owned;
use crate::late::LateEvent;
use crate::message::{TaskCompleted, TaskFailed};
use crate::observe;
use crate::offline::{self, ReadError};
use crate::open_tasks::{OpenTask, TaskPage};
use crate::options::{Limits, Options};
use crate::reporting::TaskReport;
use crate::vitals::{Health, Vitals};
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
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) claim: Claim,
    pub(crate) vitals: Vec<Arc<Vitals>>,
    pub(crate) endings: Arc<Endings>,
    pub(crate) supervisors: Vec<Addr<Supervisor>>,
}

/// One page of executions, newest first; from [`Runtime::executions`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Page {
    /// The executions.
    pub executions: Vec<Summary>,
    /// What the next page begins before: hand it to [`Filter::before`]. None if this is the last page.
    pub next: Option<ExecutionId>,
}

/// What was left when a runtime was shut down; from [`Runtime::shutdown`]. Its text says the same in words.
///
/// ```
/// # use finale::prelude::*;
/// use std::time::Duration;
///
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
/// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
/// runtime.activate(&article, ()).await?;
/// let report = runtime.shutdown(Duration::from_secs(10)).await;
/// assert!(report.is_orderly());
/// assert_eq!(report.to_string(), "in order, 1 execution has not ended");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Executions that had not ended. With a durable journal the next runtime goes on with them. Those of unresponsive
    /// shards are not among them.
    pub unfinished: usize,
    /// Handlers that were dropped at work: at the deadline, or when their shard went. Their tasks are run again by the
    /// next runtime, or are lost if they are `at_most_once`.
    pub dropped: usize,
    /// Shards that did not answer in time: a handler keeps their thread for itself.
    pub unresponsive: usize,
    /// Shards that were gone before they could end in order: their thread, or its actix `System`, had ended. What was
    /// open and at work there is counted as these shards last knew it.
    pub gone: usize,
    /// Whether the journal's one file holds everything, so that a copy of it is a whole journal: false if somebody who
    /// reads kept it from that. None if the journal is no file, or it was not left in order or in time.
    pub in_one_file: Option<bool>,
}

impl ShutdownReport {
    fn of(endings: &[Option<Ending>]) -> Self {
        let mut report = Self::default();
        for ending in endings {
            match ending {
                Some(Ending { unfinished, dropped, gone, .. }) => {
                    report.unfinished += unfinished;
                    report.dropped += dropped;
                    report.gone += usize::from(*gone);
                }
                None => report.unresponsive += 1,
            }
        }
        report
    }

    /// Whether nothing was cut short: no handler was dropped, and every shard ended in order and in time.
    ///
    /// Executions may be unfinished all the same: those that wait for somebody, or had tasks left to begin.
    pub const fn is_orderly(&self) -> bool {
        self.dropped == 0 && self.unresponsive == 0 && self.gone == 0
    }
}

impl fmt::Display for ShutdownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_orderly() { "in order" } else { "not in order" })?;
        let counts = [
            (self.unfinished, "execution has not ended", "executions have not ended"),
            (self.dropped, "handler was dropped", "handlers were dropped"),
            (self.unresponsive, "shard did not answer", "shards did not answer"),
            (self.gone, "shard was gone before", "shards were gone before"),
        ];
        for (count, one, many) in counts.into_iter().filter(|(count, ..)| *count > 0) {
            write!(f, ", {count} {}", if count == 1 { one } else { many })?;
        }
        Ok(())
    }
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

    /// The execution with that id, whether it has ended or not, also one from before a restart.
    ///
    /// # Errors
    /// When there is none, it is forgotten, or the runtime has stopped.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// use finale::CommandError;
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
    /// # let id = runtime.activate(&article, ()).await?.id();
    /// let id: ExecutionId = id.to_string().parse()?; // as it comes with a request
    /// assert_eq!(runtime.execution(id).await?.status().await?, ExecutionStatus::Running);
    ///
    /// let unknown = runtime.new_execution_id();
    /// assert_eq!(runtime.execution(unknown).await.unwrap_err(), CommandError::NotFound);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn execution(&self, id: ExecutionId) -> Result<ExecutionHandle, CommandError> {
        let completion = match self.0.directory.get(id) {
            Some(known) => known,
            None => match self.look(id, Look::Completion).await {
                Ok(open) => open,
                Err(NotSeen::InJournal) => self.ended(id).await?,
                Err(NotSeen::Failed(CommandError::Journal(error))) => self.left(id, error).await?,
                Err(NotSeen::NotDurable(error)) => return Err(error.into()),
                Err(NotSeen::Failed(error)) => return Err(error),
            },
        };
        Ok(ExecutionHandle::new(self.clone(), id, completion))
    }

    /// An execution of which nobody will tell any more how it ends, because writing has failed.
    async fn left(&self, id: ExecutionId, failed: JournalError) -> Result<Arc<Completion>, CommandError> {
        match past::ended(&self.0.kept.journal, &self.0.directory, id).await {
            Ok(Past::Ended(ended)) => Ok(ended),
            Ok(Past::Open) => {
                let completion = Arc::<Completion>::default();
                completion.acknowledge(id);
                completion.abandon();
                Ok(completion)
            }
            Ok(Past::Unknown) | Err(_) => Err(failed.into()),
        }
    }

    /// An execution that is not open any more, as the journal says.
    async fn ended(&self, id: ExecutionId) -> Result<Arc<Completion>, CommandError> {
        match past::ended(&self.0.kept.journal, &self.0.directory, id).await? {
            Past::Ended(ended) => Ok(ended),
            Past::Open | Past::Unknown => Err(CommandError::NotFound).inspect_err(|_| observe::not_found(id)),
        }
    }

    /// Executions, newest first, page by page: 100 of them unless [`Filter::limit`] says otherwise, 1,000 at most.
    ///
    /// What is listed is what the journal has, so an execution is listed as soon as its activation is durable.
    ///
    /// # Errors
    /// When the runtime has stopped, or the journal cannot be read.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// use finale::Filter;
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
    /// let first = runtime.activate(&article, 1).await?.id();
    /// let second = runtime.activate(&article, 2).await?.id();
    ///
    /// let filter = Filter::new().workflow("article").status(ExecutionStatus::Running).limit(1);
    /// let page = runtime.executions(filter.clone()).await?;
    /// assert_eq!((page.executions[0].id, page.next), (second, Some(second)));
    ///
    /// let page = runtime.executions(filter.before(second)).await?;
    /// assert_eq!((page.executions[0].id, page.next), (first, None));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn executions(&self, filter: Filter) -> Result<Page, CommandError> {
        let executions = self.list(filter.clone()).await?;
        let last = executions.last().filter(|_| executions.len() == filter.limited()).map(|summary| summary.id);
        let next = match last {
            // Looked for, so that nobody turns to a page that is empty.
            Some(last) if !self.list(filter.before(last).limit(1)).await?.is_empty() => Some(last),
            _ => None,
        };
        Ok(Page { executions, next })
    }

    async fn list(&self, filter: Filter) -> Result<Vec<Summary>, CommandError> {
        if self.has_stopped() {
            return Err(CommandError::Stopped);
        }
        let listed = reading::read(&self.0.kept.journal, move |journal| journal.list(&filter)).await;
        Ok(listed.ok_or(CommandError::Stopped)??)
    }

    /// How the runtime is doing; answered at once, whatever its shards are at. See [`Health`].
    pub fn health(&self) -> Health {
        let Kept { journal, claim, vitals, .. } = &self.0.kept;
        let mut health = Health {
            journal: journal.health(),
            journal_waiting: journal.waiting(),
            after_crash: claim.crashed,
            ..Health::well()
        };
        vitals.iter().for_each(|shard| shard.add_to(&mut health));
        health
    }

    /// Cancels an execution, and waits until nothing of it runs any more; see [`ExecutionHandle::cancel`].
    ///
    /// # Errors
    /// When it is over already, there is none, or the runtime has stopped.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
    /// let execution = runtime.activate(&article, ()).await?;
    /// let receipt = runtime.cancel_execution(execution.id(), "the author").await?;
    /// assert_eq!(receipt.status, ExecutionStatus::Cancelled);
    ///
    /// let again = runtime.cancel_execution(execution.id(), "the author").await.unwrap_err();
    /// assert_eq!(again.code(), "already_terminal");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn cancel_execution(&self, id: ExecutionId, by: &str) -> Result<CancelReceipt, CommandError> {
        self.check_text("who cancels it", Some(by))?;
        self.tell(id, Input::Command(Command::Cancel { by: by.into() }), |answer| Waiting::Cancel(id, answer)).await
    }

    /// Cancels an execution without what is left to be done at its end; see [`ExecutionHandle::cancel_forced`].
    ///
    /// # Errors
    /// When it is over already, there is none, or the runtime has stopped.
    pub async fn cancel_execution_forced(&self, id: ExecutionId, by: &str) -> Result<CancelReceipt, CommandError> {
        self.check_text("who cancels it", Some(by))?;
        let command = Command::ForceCancel { by: by.into() };
        self.tell(id, Input::Command(command), |answer| Waiting::Cancel(id, answer)).await
    }

    /// Declares a running execution completed, whatever its tasks are at.
    ///
    /// It returns when that decision is recorded. Handlers at work are stopped after that, and
    /// [`outcome`](ExecutionHandle::outcome) tells of the end. If the definition has an output expression that cannot be
    /// evaluated, the execution fails all the same.
    ///
    /// # Errors
    /// When it is not running, there is none, or the runtime has stopped.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
    /// let execution = runtime.activate(&article, ()).await?;
    /// runtime.complete_execution(execution.id(), "the operator").await?;
    /// let outcome = execution.outcome().await?;
    /// assert_eq!(outcome.status(), ExecutionStatus::Completed);
    /// assert_eq!(outcome.decided_by.to_string(), "the operator declared it");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn complete_execution(&self, id: ExecutionId, by: &str) -> Result<(), CommandError> {
        self.check_text("who declares it", Some(by))?;
        let command = Command::Complete { by: by.into() };
        self.tell(id, Input::Command(command), |answer| Waiting::Command(id, answer)).await
    }

    /// Declares a running execution failed; the reason becomes its error.
    ///
    /// A quarantined execution can be declared failed too, also one that cannot be read. Like
    /// [`complete_execution`](Self::complete_execution) it returns when the decision is recorded.
    ///
    /// # Errors
    /// When it is not running, the reason is blank, there is none, or the runtime has stopped.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
    /// let execution = runtime.activate(&article, ()).await?;
    /// let id = execution.id();
    /// assert_eq!(runtime.fail_execution(id, "the operator", " ").await.unwrap_err().code(), "invalid");
    ///
    /// runtime.fail_execution(id, "the operator", "the editor has left").await?;
    /// let outcome = execution.outcome().await?;
    /// assert_eq!(outcome.error().map(|error| error.message()), Some("the editor has left"));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn fail_execution(&self, id: ExecutionId, by: &str, reason: &str) -> Result<(), CommandError> {
        self.check_text("who declares it", Some(by))?;
        self.check_text("the reason", Some(reason))?;
        let command = Command::Fail { by: by.into(), reason: reason.into() };
        self.tell(id, Input::Command(command), |answer| Waiting::Command(id, answer)).await
    }

    /// Gives the verdict that a verification waits for; returns when it is recorded.
    ///
    /// # Errors
    /// When the node is not there yet, not a verification, or the execution is over or unknown. A second verdict is
    /// [`AlreadySettled`](CommandError::AlreadySettled) and changes nothing.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// use finale::Verdict;
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// let article = Workflow::builder("article")
    ///     .verification("review", "is it true?", "the editor")
    ///     .task("publish", Task::external())
    ///     .on("review", Verdict::Pass)
    ///     .task("rewrite", Task::external())
    ///     .on("review", Verdict::Fail)
    ///     .task("discuss", Task::external())
    ///     .on("review", Verdict::Refer)
    ///     .build()?;
    /// let execution = runtime.activate(&article, ()).await?;
    ///
    /// runtime.give_verdict(execution.id(), "review", Verdict::Pass, "the editor").await?;
    /// assert_eq!(execution.why().await?.awaited[0].node, "publish");
    ///
    /// let again = runtime.give_verdict(execution.id(), "review", Verdict::Fail, "the editor").await;
    /// assert_eq!(again.unwrap_err().code(), "already_settled");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn give_verdict(
        &self,
        id: ExecutionId,
        node: &str,
        verdict: Verdict,
        by: &str,
    ) -> Result<(), CommandError> {
        self.check_text("who judges", Some(by))?;
        let key = match self.key(id, node).await? {
            FoundNode::There(key) => key,
            FoundNode::Ahead => return Err(CommandError::NotReady(NodeStatus::Pending)),
            FoundNode::Over => return Err(CommandError::ScopeOver),
            FoundNode::Unknown => return Err(CommandError::UnknownNode(node.to_owned())),
        };
        self.tell(id, Input::Verdict { key, verdict, by: by.into() }, |answer| Waiting::Command(id, answer)).await
    }

    /// Lets a quarantined execution go on where it was; returns when that is recorded.
    ///
    /// An execution is quarantined when its actor died more than three times within 60 s, when the process crashed over
    /// the same task as often as [`Limits::crashes_max`](crate::Limits::crashes_max) says, or when after a restart a
    /// handler of it is not registered or it cannot be read. [`ExecutionHandle::why`] has the reason. For want of a
    /// handler no release is needed: it goes on when the runtime is started with it.
    ///
    /// # Errors
    /// When it is not quarantined, there is none, the cause is still there (a handler that is not registered, a history
    /// that cannot be read), or the runtime has stopped.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// use finale::Limits;
    /// use finale::journal::MemoryJournal;
    ///
    /// /// Takes the process down with it, so to speak, when it is first tried.
    /// async fn shrink(context: TaskContext) -> Result<u16, TaskError> {
    ///     if context.attempt() == 1 { std::future::pending().await } else { Ok(context.attempt()) }
    /// }
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let image = Workflow::builder("image").task("shrink", "shrink").build()?;
    /// let journal = MemoryJournal::new();
    /// let start = || {
    ///     let limits = Limits::new().crashes_max(1);
    ///     let builder = Runtime::builder().shards(Shards::Current).journal(journal.clone());
    ///     builder.limits(limits).handler("shrink", shrink).start()
    /// };
    /// let id = start()?.activate(&image, ()).await?.id();
    ///
    /// // As after a crash: it was not shut down.
    /// let runtime = start()?;
    /// let execution = runtime.execution(id).await?;
    /// assert_eq!(execution.status().await?, ExecutionStatus::Quarantined);
    ///
    /// runtime.release_execution(id).await?;
    /// assert_eq!(execution.outcome().await?.output::<u16>()?, 2);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn release_execution(&self, id: ExecutionId) -> Result<(), CommandError> {
        let (answer, answered) = oneshot::channel();
        let release = ToShard::Release { execution: id, waiting: Waiting::Command(id, answer) };
        self.put(id, release).map_err(|_| CommandError::Stopped)?;
        answered.await.unwrap_or(Err(CommandError::Stopped))
    }

    /// Tasks that wait for somebody outside, in ascending order of their ids; at most `limit`, up to 1,000.
    ///
    /// `after` is none for the first page, then the `next` of the page before. A task is listed as soon as it is asked for,
    /// durably; one that waits for its next attempt is not listed meanwhile.
    ///
    /// # Errors
    /// When the runtime has stopped.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
    /// let first = runtime.activate(&article, 1).await?.id();
    /// let second = runtime.activate(&article, 2).await?.id();
    ///
    /// let page = runtime.open_tasks(None, 1).await?;
    /// assert_eq!(page.tasks[0].id.execution, first);
    ///
    /// let page = runtime.open_tasks(page.next, 1).await?;
    /// assert_eq!(page.tasks[0].id.execution, second);
    /// assert_eq!(page.next, None);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn open_tasks(&self, after: Option<TaskId>, limit: usize) -> Result<TaskPage, CommandError> {
        let limit = limit.clamp(1, 1_000);
        let mut tasks = Vec::new();
        for shard in &self.0.shards {
            // One more than wanted: it tells that there is another page.
            tasks.extend(list_tasks(shard, after, None, limit + 1).await?);
        }
        tasks.sort_unstable_by_key(|task: &OpenTask| task.id);
        let more = tasks.len() > limit;
        tasks.truncate(limit);
        let next = tasks.last().filter(|_| more).map(|task| task.id);
        Ok(TaskPage { tasks, next })
    }

    /// All tasks of one execution that wait for somebody outside; none if there is no such execution, or it has ended.
    ///
    /// # Errors
    /// When the runtime has stopped.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// let approve = Task::external().title("Read it and approve").assignee("the editor");
    /// let article = Workflow::builder("article").task("approve", approve).build()?;
    /// let execution = runtime.activate(&article, "On kettles").await?;
    ///
    /// let open = runtime.open_tasks_of(execution.id()).await?;
    /// assert_eq!(open[0].title, "Read it and approve");
    /// assert_eq!(open[0].assignee.as_deref(), Some("the editor"));
    /// assert_eq!(open[0].input.decode::<String>()?, "On kettles");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn open_tasks_of(&self, execution: ExecutionId) -> Result<Vec<OpenTask>, CommandError> {
        // One that the recovery has not come to is looked at now, and its tasks are open when it is seen.
        match self.look(execution, Look::Completion).await {
            Ok(_) | Err(NotSeen::InJournal) => {}
            Err(NotSeen::NotDurable(error)) => return Err(error.into()),
            Err(NotSeen::Failed(error)) => return Err(error),
        }
        list_tasks(self.shard(execution), None, Some(execution), usize::MAX).await
    }

    /// Reports that a task was done; returns when that is durable.
    ///
    /// A report that comes before its task is asked for is kept until then, and this returns then; up to
    /// [`Limits::early_outcomes_max`](crate::Limits::early_outcomes_max) of them are. So is one that comes between two
    /// attempts, until the next one is asked for.
    ///
    /// # Errors
    /// When the task is settled, unknown, or done by a handler; the report changes nothing then. When the output is larger
    /// than [`Limits::payload_bytes_max`](crate::Limits::payload_bytes_max).
    ///
    /// ```
    /// # use finale::prelude::*;
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
    /// # let execution = runtime.activate(&article, ()).await?;
    /// # let task = runtime.open_tasks_of(execution.id()).await?[0].id;
    /// runtime.complete_task(task, "well done").await?;
    /// assert_eq!(execution.outcome().await?.output::<String>()?, "well done");
    ///
    /// let again = runtime.complete_task(task, "well done").await.unwrap_err();
    /// assert_eq!(again.code(), "already_terminal"); // `already_settled` if the execution had gone on
    /// # Ok(())
    /// # }
    /// ```
    pub async fn complete_task<T: Serialize>(&self, task: TaskId, output: T) -> Result<(), ReportError> {
        let output = encode_owned(output)?.limited(self.0.options.limits.payload_bytes_max)?;
        self.report(task, Ok(output), "").await
    }

    /// Reports that a task was not done; returns when that is durable.
    ///
    /// The class of the failure is kept as it is said. Whether the task is asked for again follows from it, from
    /// [`Failure::permanent`] and from the attempts that the definition allows.
    ///
    /// # Errors
    /// When the task is settled, unknown, or done by a handler; the report changes nothing then. When the reason is larger
    /// than [`Limits::payload_bytes_max`](crate::Limits::payload_bytes_max).
    ///
    /// ```
    /// # use finale::prelude::*;
    /// use finale::{Failure, FailureClass};
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
    /// # let execution = runtime.activate(&article, ()).await?;
    /// # let task = runtime.open_tasks_of(execution.id()).await?[0].id;
    /// runtime.fail_task(task, Failure::new(FailureClass::Rejected, "too long")).await?;
    /// let outcome = execution.outcome().await?;
    /// let error = outcome.error().map(ToString::to_string);
    /// assert_eq!(error.as_deref(), Some(r#"task "Approve" (approve) rejected: too long"#));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn fail_task(&self, task: TaskId, failure: Failure) -> Result<(), ReportError> {
        self.report(task, Err(failure), "").await
    }

    /// Takes reports that actors send as messages, on tasks of all executions.
    ///
    /// The answers are those of [`complete_task`](Self::complete_task); see [`TaskCompleted`].
    pub fn task_completed(&self) -> Recipient<TaskCompleted> {
        self.supervisor().recipient()
    }

    /// Takes reports of failures that actors send as messages, on tasks of all executions.
    ///
    /// The answers are those of [`fail_task`](Self::fail_task); see [`TaskFailed`].
    pub fn task_failed(&self) -> Recipient<TaskFailed> {
        self.supervisor().recipient()
    }

    /// Cancels one task, also one that a handler works on: it fails with class `cancelled`.
    ///
    /// It is not tried again, and what its failure means for the execution the definition says. Its handler is dropped at
    /// once, without a grace; one that blocks its thread goes on in it, and counts for nothing.
    ///
    /// # Errors
    /// When the task is settled or unknown, or its handler has not begun.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// let recommend = Task::external().optional();
    /// let order = Workflow::builder("order").task("recommend", recommend).build()?;
    /// let execution = runtime.activate(&order, ()).await?;
    /// let task = runtime.open_tasks_of(execution.id()).await?[0].id;
    ///
    /// runtime.cancel_task(task, "the operator").await?;
    /// let outcome = execution.outcome().await?;
    /// assert_eq!(outcome.status(), ExecutionStatus::Completed);
    /// assert_eq!(outcome.counts.tolerated, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn cancel_task(&self, task: TaskId, by: &str) -> Result<(), ReportError> {
        self.check_text("who cancels it", Some(by))?;
        self.report(task, Err(Failure::new(FailureClass::Cancelled, format!("by {by}"))), by).await
    }

    /// Late, duplicate and unknown outcomes that were noted about an execution, oldest first.
    ///
    /// They are kept in memory, up to [`Limits::late_events_max`](crate::Limits::late_events_max) in each shard, and gone
    /// after a restart.
    ///
    /// # Errors
    /// When there is no such execution, or the runtime has stopped.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
    /// # let execution = runtime.activate(&article, ()).await?;
    /// # let task = runtime.open_tasks_of(execution.id()).await?[0].id;
    /// runtime.complete_task(task, "yes").await?;
    /// assert!(runtime.complete_task(task, "no").await.is_err());
    ///
    /// let late = runtime.late_events(execution.id()).await?;
    /// assert_eq!(late[0].what, "report on a task");
    /// assert_eq!(late[0].reason, "the execution is over already: completed");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn late_events(&self, id: ExecutionId) -> Result<Vec<LateEvent>, CommandError> {
        // Of one that is not there is nothing to be told.
        self.execution(id).await?;
        let (answer, answered) = oneshot::channel();
        self.put(id, ToShard::LateEvents(id, answer)).map_err(|_| CommandError::Stopped)?;
        answered.await.map_err(|_| CommandError::Stopped)
    }

    /// Ends the runtime: admits nothing more, lets handlers at work finish until the deadline, then drops them.
    ///
    /// It returns within the deadline, give or take the moment it takes to answer, whatever handlers do. Whoever asks while
    /// it is under way joins it: the deadline of the first one counts for all.
    /// Executions that have not ended stay in the journal as they are. Whoever waits for an outcome is told
    /// [`Abandoned`](crate::Abandoned). A second shutdown waits for the first one and gives its report. A part of the
    /// runtime that had gone before is in the report: see [`ShutdownReport::gone`].
    ///
    /// In a web service it is called when the server has ended, which actix-web sees to on SIGTERM and SIGINT.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// use std::time::Duration;
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
    /// let execution = runtime.activate(&article, ()).await?;
    /// let report = runtime.shutdown(Duration::from_secs(10)).await;
    /// assert_eq!((report.unfinished, report.dropped), (1, 0));
    ///
    /// assert!(execution.outcome().await.is_err());
    /// assert_eq!(runtime.activate(&article, ()).await.unwrap_err().code(), "stopped");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn shutdown(&self, deadline: Duration) -> ShutdownReport {
        let Kept { endings, .. } = &self.0.kept;
        for shard in &self.0.shards {
            // One that is gone has reported how it ended already.
            let _ = shard.put(ToShard::Shutdown(deadline));
        }
        // A little later than the shards' own deadline, so that they can say what they dropped.
        let patience = deadline.saturating_add(ANSWER_PATIENCE);
        match endings.wait_until(patience) {
            Some(until) => drop(timeout_at(until, endings.wait()).await),
            None => endings.wait().await,
        }
        ShutdownReport { in_one_file: endings.released().in_one_file, ..ShutdownReport::of(&endings.all()) }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.options.limits
    }

    /// Refuses a text that is longer than allowed.
    pub(crate) fn check_text(&self, what: &'static str, text: Option<&str>) -> Result<(), TooLong> {
        fits(what, text, &self.0.options.limits)
    }

    pub(crate) async fn snapshot(&self, id: ExecutionId) -> Result<Record, CommandError> {
        let (mut record, slot) = match self.look(id, Look::Snapshot).await {
            Ok(seen) => seen,
            Err(NotSeen::InJournal) => return self.read(id, |reading| reading.record()).await,
            Err(NotSeen::Failed(CommandError::Journal(error))) => {
                return self.read_durable(id, error, |reading| reading.record()).await;
            }
            Err(NotSeen::NotDurable(error)) => return Err(error.into()),
            Err(NotSeen::Failed(error)) => return Err(error),
        };
        if let Some(slot) = slot
            && record.counts.running > 0
        {
            let (held_up, progress) = self.held_up(id, slot).await?;
            record.hold_up(&held_up);
            record.show_progress(&progress);
        }
        Ok(record)
    }

    pub(crate) async fn workflow_of(&self, id: ExecutionId) -> Result<Workflow, CommandError> {
        match self.look(id, Look::Workflow).await {
            Ok(workflow) => Ok(workflow),
            Err(NotSeen::InJournal) => self.read(id, |reading| reading.workflow().clone()).await,
            Err(NotSeen::Failed(CommandError::Journal(error))) => {
                self.read_durable(id, error, |reading| reading.workflow().clone()).await
            }
            Err(NotSeen::NotDurable(error)) => Err(error.into()),
            Err(NotSeen::Failed(error)) => Err(error),
        }
    }

    pub(crate) async fn why(&self, id: ExecutionId) -> Result<Why, CommandError> {
        match self.look(id, Look::Why).await {
            Ok((mut why, slot)) => {
                if let Some(slot) = slot
                    && why.awaited.iter().any(|awaited| awaited.status == NodeStatus::Running)
                {
                    why.hold_up(&self.held_up(id, slot).await?.0);
                }
                Ok(why)
            }
            Err(NotSeen::InJournal) => self.read(id, |reading| reading.why()).await,
            Err(NotSeen::Failed(CommandError::Journal(error))) => {
                self.read_durable(id, error, |reading| reading.why()).await
            }
            Err(NotSeen::NotDurable(error)) => Err(error.into()),
            Err(NotSeen::Failed(error)) => Err(error),
        }
    }

    /// The tasks of an execution that count as running, and whose handlers are held up.
    /// And how far others say they are.
    async fn held_up(&self, id: ExecutionId, slot: Slot) -> Result<(Vec<HeldUp>, Vec<Progress>), CommandError> {
        let (answer, answered) = oneshot::channel();
        let look: LookAtTasks = Box::new(move |engine, shared| {
            // Whoever asked may have gone; that is fine.
            let _ = answer.send((held_up(id, slot, engine, shared), progress(id, slot, engine)));
        });
        self.shard(id).put(ToShard::Tasks(look)).map_err(|_| CommandError::Stopped)?;
        answered.await.map_err(|_| CommandError::Stopped)
    }

    pub(crate) async fn events(&self, id: ExecutionId, after: EventNumber) -> Result<Events, CommandError> {
        let (subscriber, receiver) = Subscriber::new(after, self.0.options.limits.event_lag_max);
        let watched = match self.look(id, |answer| Look::Watch(subscriber, answer)).await {
            Ok(watched) => watched,
            Err(NotSeen::InJournal) => Watched { durable: u64::MAX, decided: u64::MAX, gate: None },
            Err(NotSeen::NotDurable(error)) => return Err(error.into()),
            Err(NotSeen::Failed(error)) => return Err(error),
        };
        let past = match watched.durable {
            // Nothing of it is durable: there is nothing to be read yet.
            0 => None,
            _ => Some(self.read(id, |reading| reading).await?),
        };
        Ok(receiver.with_past(id, past, watched, Arc::clone(&self.0.kept.journal)))
    }

    /// The work that is done at a node, by its path.
    pub(crate) async fn key(&self, id: ExecutionId, node: &str) -> Result<FoundNode, CommandError> {
        let path = node.to_owned();
        match self.look(id, |answer| Look::Key(path, answer)).await {
            Ok(key) => Ok(key),
            Err(NotSeen::InJournal) => {
                let ended = self.ended(id).await?.ended();
                Err(ended.map_or(CommandError::NotFound, |outcome| CommandError::AlreadyTerminal(outcome.status())))
            }
            Err(NotSeen::NotDurable(error)) => Err(error.into()),
            Err(NotSeen::Failed(error)) => Err(error),
        }
    }

    /// Reads an execution from the journal, away from this thread.
    async fn read<T: Send + 'static>(
        &self,
        id: ExecutionId,
        see: impl FnOnce(offline::Reading) -> T + Send + 'static,
    ) -> Result<T, CommandError> {
        let read = reading::read(&self.0.kept.journal, move |journal| offline::read(journal, id).map(see)).await;
        read.ok_or(CommandError::Stopped)?.map_err(|error| match error {
            ReadError::NotFound(_) => CommandError::NotFound,
            ReadError::Unreadable { problem, .. } => CommandError::Invalid(problem),
            ReadError::Journal(error) => error.into(),
        })
    }

    /// What of an execution was durable when its journal failed: the rest may never be.
    async fn read_durable<T: Send + 'static>(
        &self,
        id: ExecutionId,
        failed: JournalError,
        see: impl FnOnce(offline::Reading) -> T + Send + 'static,
    ) -> Result<T, CommandError> {
        let Some(known) = self.0.directory.get(id) else { return Err(failed.into()) };
        let (_, durable) = known.last();
        let read = move |journal: &dyn Journal| offline::read_up_to(journal, id, durable).map(see);
        let read = reading::read(&self.0.kept.journal, read).await;
        read.and_then(Result::ok).ok_or(CommandError::Journal(failed))
    }

    /// Whether the runtime was shut down, or a part of it is gone.
    pub(crate) fn has_stopped(&self) -> bool {
        self.0.shards.iter().any(|shard| shard.is_closed())
    }

    fn supervisor(&self) -> Addr<Supervisor> {
        self.0.kept.supervisors[usize::from(self.next_shard())].clone()
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

    /// Reports on a task, in full: who reports, and on which attempt. See [`TaskReport`].
    ///
    /// # Errors
    /// Those of [`complete_task`](Self::complete_task), and [`StaleAttempt`](ReportError::StaleAttempt).
    pub async fn report_task(&self, task: TaskId, report: TaskReport) -> Result<(), ReportError> {
        let report = self.checked(report)?;
        let input = Input::Reported(Report { key: task.key, ..report });
        self.tell(task.execution, input, Waiting::Report).await
    }

    /// Reports on the task of an execution at a node; see [`ExecutionHandle::report`].
    ///
    /// # Errors
    /// Those of [`report_task`](Self::report_task), and [`UnknownNode`](ReportError::UnknownNode).
    pub async fn report_node(&self, id: ExecutionId, node: &str, report: TaskReport) -> Result<(), ReportError> {
        let report = self.checked(report)?;
        let ((answer, answered), (given_back, back)) = (oneshot::channel(), oneshot::channel());
        let waiting = Waiting::Report(answer);
        // One message, so that what the same caller says after it does not overtake it.
        let item = ToShard::Report { execution: id, node: node.into(), report, waiting, given_back };
        self.put(id, item).map_err(|_| ReportError::Stopped)?;
        if let Ok((report, waiting)) = back.await {
            // The shard had not read it yet, or has it no more: it is looked for.
            let key = match self.key(id, node).await? {
                FoundNode::There(key) => key,
                FoundNode::Ahead => return Err(ReportError::NotReady(NodeStatus::Pending)),
                FoundNode::Over => return Err(ReportError::ScopeOver),
                FoundNode::Unknown => return Err(ReportError::UnknownNode(node.to_owned())),
            };
            let input = Box::new(Input::Reported(Report { key, ..report }));
            self.put(id, ToShard::Tell { execution: id, input, waiting }).map_err(|_| ReportError::Stopped)?;
        }
        answered.await.unwrap_or(Err(ReportError::Stopped))
    }

    fn checked(&self, report: TaskReport) -> Result<Report, ReportError> {
        checked(report, &self.0.options.limits)
    }

    pub(crate) async fn report(
        &self,
        task: TaskId,
        result: Result<Payload, Failure>,
        by: &str,
    ) -> Result<(), ReportError> {
        limited(&result, self.0.options.limits.payload_bytes_max)?;
        let report = Report { by: by.into(), ..Report::new(task.key, result) };
        self.tell(task.execution, Input::Reported(report), Waiting::Report).await
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

/// How much longer than the deadline a shard may take to answer.
const ANSWER_PATIENCE: Duration = Duration::from_millis(100);

/// Refuses a report that is larger than a payload may be.
/// A report as the core takes it, without its key, if it keeps to the limits.
pub(crate) fn checked(report: TaskReport, limits: &Limits) -> Result<Report, ReportError> {
    let report = report.into_report()?;
    limited(&report.result, limits.payload_bytes_max)?;
    fits("who reports", Some(&report.by), limits)?;
    Ok(report)
}

fn fits(what: &'static str, text: Option<&str>, limits: &Limits) -> Result<(), TooLong> {
    let (bytes, bytes_max) = (text.map_or(0, str::len), limits.text_bytes_max);
    if bytes > bytes_max { Err(TooLong { what, bytes, bytes_max }) } else { Ok(()) }
}

pub(crate) fn limited(result: &Result<Payload, Failure>, bytes_max: usize) -> Result<(), PayloadError> {
    let bytes = match result {
        Ok(output) => output.size(),
        Err(failure) => failure.reason.len(),
    };
    if bytes > bytes_max { Err(PayloadError::TooLarge { bytes, bytes_max }) } else { Ok(()) }
}

/// What holds up the handlers of the execution in a slot; in ascending order of work keys.
/// How far a handler says it is, in which attempt at which work.
type Progress = (WorkKey, AttemptNo, TaskProgress);

fn progress(id: ExecutionId, slot: Slot, engine: &TaskEngine) -> Vec<Progress> {
    if engine.registration(slot).is_none_or(|registration| registration.execution != id) {
        return Vec::new();
    }
    let all = engine.progress_of(slot).into_iter();
    all.map(|(dispatch, progress)| (dispatch.key, dispatch.attempt, progress)).collect()
}

fn held_up(id: ExecutionId, slot: Slot, engine: &TaskEngine, shared: &Shared) -> Vec<HeldUp> {
    // It may have ended since its slot was seen.
    let Some(registration) = engine.registration(slot).filter(|registration| registration.execution == id) else {
        return Vec::new();
    };
    let bound = shared.definition(registration.definition);
    let queue = |key: WorkKey, limit: LimitNo, position: usize| {
        let handler = bound.compiled.handler(key.node).filter(|_| limit != LimitNo::RUNTIME);
        let limit = handler.map_or(ConcurrencyLimit::Runtime, |name| ConcurrencyLimit::Handler(name.to_owned()));
        HeldUpBy::Queue(QueuePosition { position, limit })
    };
    let queued = engine.queued(slot).into_iter().map(|QueuedTask { dispatch, limit, position, .. }| HeldUp {
        key: dispatch.key,
        attempt: dispatch.attempt,
        by: queue(dispatch.key, limit, position),
    });
    let suspended = engine.suspended_tasks(slot).into_iter().map(|SuspendedTask { dispatch, resumes }| {
        let resumes = resumes.map(|(limit, position)| queue(dispatch.key, limit, position));
        HeldUp { key: dispatch.key, attempt: dispatch.attempt, by: resumes.unwrap_or(HeldUpBy::Execution) }
    });
    let mut all: Vec<_> = queued.chain(suspended).collect();
    all.sort_unstable_by_key(|held_up| held_up.key);
    all
}

async fn list_tasks(
    shard: &Inbox<ToShard>,
    after: Option<TaskId>,
    execution: Option<ExecutionId>,
    limit: usize,
) -> Result<Vec<OpenTask>, CommandError> {
    let (answer, answered) = oneshot::channel();
    let look: LookAtTasks = Box::new(move |engine, shared| {
        let open = engine.open_tasks(after, execution).filter_map(|task| OpenTask::new(&task, engine, shared));
        // Whoever asked may have gone; that is fine.
        let _ = answer.send(open.take(limit).collect());
    });
    shard.put(ToShard::Tasks(look)).map_err(|_| CommandError::Stopped)?;
    answered.await.map_err(|_| CommandError::Stopped)
}

/// Why a runtime was not started; nothing of it exists then.
///
/// ```
/// use finale::StartError;
/// use finale::prelude::*;
///
/// // Here is no actix System.
/// let error = Runtime::builder().start().unwrap_err();
/// assert!(matches!(error, StartError::NoSystem));
/// assert_eq!(error.code(), "no_system");
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// There is no running actix `System` on this thread.
    #[error("a runtime is started inside a running actix System: there is none on this thread")]
    NoSystem,
    /// Two handlers were registered under one name.
    #[error("two handlers are called {0:?}")]
    HandlerTwice(String),
    /// A limit for a handler that was not registered.
    #[error("a limit is set for handler {0:?}, which is not registered")]
    UnknownHandler(String),
    /// A limit that lets nothing happen: it is named, and 0.
    #[error("{0} must be at least 1")]
    ZeroLimit(&'static str),
    /// Two workflows were registered under one id and version.
    #[error(transparent)]
    Workflow(#[from] RegisterError),
    /// The types of a handler have a schema that is over a limit.
    #[error("the schemas of handler {handler:?}: {error}")]
    Schema {
        /// The name of the handler.
        handler: String,
        /// What is wrong with its schema.
        error: SchemaError,
    },
    /// The journal could not be claimed or read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A thread of the runtime did not start.
    #[error("a thread of the runtime did not start")]
    Thread,
}

impl StartError {
    /// The name of the kind of error, which does not change between versions.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoSystem => "no_system",
            Self::HandlerTwice(_) => "handler_twice",
            Self::UnknownHandler(_) => "unknown_handler",
            Self::ZeroLimit(_) => "zero_limit",
            Self::Workflow(error) => error.code(),
            Self::Schema { .. } => "schema_invalid",
            Self::Journal(error) => error.code(),
            Self::Thread => "no_thread",
        }
    }
}
