//! What an application holds of finale.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix::{Addr, Recipient};
use finale_core::compile::accept_input;
use finale_core::definition::Verdict;
use finale_core::execution::{Command, Report, Why};
use finale_core::{ExecutionId, ExecutionStatus, Failure, FailureClass, Payload, Record, TaskId};
use finale_journal::{Claim, Filter, Journal, JournalError, Released, Summary};
use futures_util::future::join_all;
use serde::Serialize;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, timeout_at};

use crate::activation::{Activate, ActivateError, Pledge, Request};
use crate::builder::Builder;
use crate::clock::Clock;
use crate::errors::{CommandError, ReportError, TooLong};
use crate::events::{EventNumber, Events};
use crate::handle::{CancelReceipt, ExecutionHandle};
use crate::handler::encode_owned;
use crate::late::LateEvent;
use crate::message::{TaskCompleted, TaskFailed};
use crate::mint::{Mint, shard_of};
use crate::options::Options;
use crate::supervisor::{Ask, Close, Leave, Left, List, Question, ReportTask, Supervisor};
use crate::task_engine::{Drain, ListTasks, OpenTask, TaskEngine, TaskPage};
use crate::vitals::{Health, Vitals};
use crate::workflow::Workflow;

/// Runs workflows; a clone is the same runtime, usable from any thread.
///
/// It is started inside a running actix `System` by [`Runtime::builder`]. When the System stops without
/// [`shutdown`](Self::shutdown), handlers at work are dropped where they are, whoever waits for an outcome is told
/// [`Abandoned`](crate::Abandoned), and executions that had not ended are what the journal says about them:
/// with the in-memory journal they are gone.
///
/// Dropping the last clone changes nothing: executions go on until the System stops or [`shutdown`](Self::shutdown)
/// is called. After a shutdown every call answers `Stopped`.
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
#[derive(Clone, Debug)]
pub struct Runtime(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shards: Vec<ShardHandle>,
    options: Arc<Options>,
    /// Where the next execution goes, if nothing else decides it.
    next: AtomicUsize,
    /// Of the ids that are given away before their execution begins.
    mint: Mutex<Mint>,
    clock: Clock,
    kept: Kept,
}

/// What says how a runtime is doing.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) claim: Claim,
    pub(crate) vitals: Vec<Arc<Vitals>>,
}

/// How one shard is reached from other threads.
#[derive(Clone, Debug)]
pub(crate) struct ShardHandle {
    pub(crate) supervisor: Addr<Supervisor>,
    pub(crate) engine: Addr<TaskEngine>,
    /// Its thread, if it has one of its own.
    pub(crate) arbiter: Option<actix::ArbiterHandle>,
    /// Closed when nothing is left of the shard.
    pub(crate) gone: watch::Receiver<()>,
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

/// What was left when a runtime was shut down; from [`Runtime::shutdown`]. All counts are zero if nothing was cut short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Executions that had not ended. With a durable journal the next runtime goes on with them.
    pub unfinished: usize,
    /// Handlers that were still at work at the deadline and were dropped. Their tasks are run again by the next runtime.
    pub dropped: usize,
    /// Shards that did not answer in time: a handler keeps their thread for itself.
    pub unresponsive: usize,
    /// Whether the journal's one file holds everything, so that a copy of it is a whole journal: false if somebody who
    /// reads kept it from that. None if the journal is no file, or it was not left in order or in time.
    pub in_one_file: Option<bool>,
}

impl ShutdownReport {
    fn and(self, other: Self) -> Self {
        Self {
            unfinished: self.unfinished + other.unfinished,
            dropped: self.dropped + other.dropped,
            unresponsive: self.unresponsive + other.unresponsive,
            in_one_file: self.in_one_file.or(other.in_one_file),
        }
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

    pub(crate) fn new(shards: Vec<ShardHandle>, options: Arc<Options>, kept: Kept) -> Self {
        let (mint, clock) = (Mutex::new(Mint::new(0, options.shards)), Clock::start());
        Self(Arc::new(Inner { shards, options, next: AtomicUsize::new(0), mint, clock, kept }))
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
    pub fn activate<I: Serialize>(&self, workflow: &Workflow, input: I) -> Activate {
        let request = self.accept_input(workflow, input).map(|input| Request {
            workflow: workflow.clone(),
            input,
            by: "unknown".into(),
            idempotency_key: None,
            business_key: None,
            deadline: None,
            id: None,
            pledge: Pledge::new(),
        });
        Activate { runtime: self.clone(), request }
    }

    fn accept_input(&self, workflow: &Workflow, input: impl Serialize) -> Result<Payload, ActivateError> {
        let bytes_max = self.0.options.limits.payload_bytes_max;
        let input = encode_owned(input)?.limited(bytes_max)?;
        // Once more: the defaults that are filled in count too.
        Ok(accept_input(workflow.definition(), input)?.limited(bytes_max)?)
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
        let shard = self.next_place() as u16;
        // A panic elsewhere leaves a mint whole: there is nothing in it that belongs together.
        let mut mint = self.0.mint.lock().unwrap_or_else(PoisonError::into_inner);
        mint.lead_to(shard).mint(self.0.clock.now())
    }

    pub(crate) fn hand_in(&self, request: Request) {
        let place = match request.id {
            Some(id) => usize::from(shard_of(id, self.0.options.shards)),
            None => self.next_place(),
        };
        self.0.shards[place].supervisor.do_send(request);
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
        let completion = self.ask(id, Question::Completion).await?;
        Ok(ExecutionHandle { runtime: self.clone(), id, completion })
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
        let listed = self.0.shards[self.next_place()].supervisor.send(List(filter)).await;
        listed.unwrap_or(Err(CommandError::Stopped))
    }

    /// How the runtime is doing; answered at once, whatever its shards are at. See [`Health`].
    pub fn health(&self) -> Health {
        let Kept { journal, claim, vitals } = &self.0.kept;
        let mut health = Health {
            journal: journal.health(),
            journal_lag: None,
            journal_waiting: journal.waiting(),
            after_crash: claim.crashed,
            recovering: 0,
            quarantined: 0,
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
        let by = by.into();
        self.ask(id, |answer| Question::Cancel(by, answer)).await
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
        self.ask(id, |answer| Question::Command(command, answer)).await
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
        self.ask(id, |answer| Question::Command(command, answer)).await
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
        let (node, by) = (node.to_owned(), by.into());
        self.ask(id, |answer| Question::Verdict { node, verdict, by, answer }).await
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
        self.ask(id, Question::Release).await
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
        // One that the recovery has not come to is looked at now.
        if let Err(CommandError::Stopped) = self.ask(execution, Question::Status).await {
            return Err(CommandError::Stopped);
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
        self.0.shards[self.next_place()].supervisor.clone().recipient()
    }

    /// Takes reports of failures that actors send as messages, on tasks of all executions.
    ///
    /// The answers are those of [`fail_task`](Self::fail_task); see [`TaskFailed`].
    pub fn task_failed(&self) -> Recipient<TaskFailed> {
        self.0.shards[self.next_place()].supervisor.clone().recipient()
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
        self.ask(id, Question::Late).await
    }

    /// Ends the runtime: admits nothing more, lets handlers at work finish until the deadline, then drops them.
    ///
    /// It returns within the deadline, give or take the moment it takes to answer, whatever handlers do.
    /// Executions that have not ended stay in the journal as they are. Whoever waits for an outcome is told
    /// [`Abandoned`](crate::Abandoned). A second shutdown does nothing.
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
        let until = Instant::now() + deadline + ANSWER_PATIENCE;
        // All are told before the first is waited for.
        self.0.shards.iter().for_each(|shard| shard.supervisor.do_send(Close));
        let ends: Vec<_> = self.0.shards.iter().map(|shard| end(shard, deadline)).collect();
        let ended = join_all(ends).await;
        // Otherwise it looks like a crash, and that is what it comes to.
        let released = match ended.iter().all(|(_, in_order)| *in_order) {
            true => self.release_journal(until).await,
            false => Released::default(),
        };
        let reports = ended.into_iter().map(|(report, _)| report);
        let mut report = reports.fold(ShutdownReport::default(), ShutdownReport::and);
        report.in_one_file = released.in_one_file;
        report
    }

    /// Notes that what was at work was not lost in a crash. That goes on if it is not done in time.
    async fn release_journal(&self, until: Instant) -> Released {
        let (journal, epoch) = (Arc::clone(&self.0.kept.journal), self.0.kept.claim.epoch);
        let release = tokio::task::spawn_blocking(move || {
            let released = journal.release(epoch);
            if let Err(error) = &released {
                tracing::warn!(target: crate::telemetry::TARGET, %error, "the journal was not released");
            }
            released.unwrap_or_default()
        });
        timeout_at(until, release).await.ok().and_then(Result::ok).unwrap_or_default()
    }

    /// Refuses a text that is longer than allowed.
    pub(crate) fn check_text(&self, what: &'static str, text: Option<&str>) -> Result<(), TooLong> {
        let (bytes, bytes_max) = (text.map_or(0, str::len), self.0.options.limits.text_bytes_max);
        if bytes > bytes_max { Err(TooLong { what, bytes, bytes_max }) } else { Ok(()) }
    }

    pub(crate) async fn status(&self, id: ExecutionId) -> Result<ExecutionStatus, CommandError> {
        self.ask(id, Question::Status).await
    }

    pub(crate) async fn snapshot(&self, id: ExecutionId) -> Result<Record, CommandError> {
        self.ask(id, Question::Snapshot).await
    }

    pub(crate) async fn why(&self, id: ExecutionId) -> Result<Why, CommandError> {
        self.ask(id, Question::Why).await
    }

    pub(crate) async fn events(&self, id: ExecutionId, after: EventNumber) -> Result<Events, CommandError> {
        self.ask(id, |answer| Question::Events(after, answer)).await
    }

    fn next_place(&self) -> usize {
        self.0.next.fetch_add(1, Ordering::Relaxed) % self.0.shards.len()
    }

    fn shard(&self, execution: ExecutionId) -> &ShardHandle {
        &self.0.shards[usize::from(shard_of(execution, self.0.options.shards))]
    }

    async fn ask<T>(
        &self,
        execution: ExecutionId,
        question: impl FnOnce(oneshot::Sender<Result<T, CommandError>>) -> Question,
    ) -> Result<T, CommandError> {
        let (answer, answered) = oneshot::channel();
        self.shard(execution).supervisor.do_send(Ask { execution, question: question(answer) });
        answered.await.unwrap_or(Err(CommandError::Stopped))
    }

    async fn report(&self, task: TaskId, result: Result<Payload, Failure>, by: &str) -> Result<(), ReportError> {
        let report = Report { key: task.key, attempt: None, result, by: by.into() };
        let (reply, answered) = oneshot::channel();
        self.shard(task.execution).supervisor.do_send(ReportTask { execution: task.execution, report, reply });
        answered.await.unwrap_or(Err(ReportError::Stopped))
    }
}

/// How much longer than the deadline a shard may take to answer.
const ANSWER_PATIENCE: Duration = Duration::from_millis(100);

/// Ends one shard, and says whether that went in order. One that is gone already has nothing to report.
async fn end(shard: &ShardHandle, deadline: Duration) -> (ShutdownReport, bool) {
    let (mut report, mut in_order) = (ShutdownReport::default(), true);
    let until = Instant::now() + deadline;
    let (answer, drained) = oneshot::channel();
    shard.engine.do_send(Drain { deadline, answer });
    // A little later than the shard's own deadline, so that it can say what it dropped.
    match timeout_at(until + ANSWER_PATIENCE, drained).await {
        Ok(dropped) => report.dropped = dropped.unwrap_or_default(),
        Err(_) => report.unresponsive = 1,
    }
    let (answer, left) = oneshot::channel();
    shard.supervisor.do_send(Leave { patience: until.saturating_duration_since(Instant::now()), answer });
    match timeout_at(until + ANSWER_PATIENCE, left).await {
        Ok(Ok(Left { unfinished, recorded })) => {
            report.unfinished = unfinished;
            in_order = recorded;
        }
        Ok(Err(_)) => {}
        Err(_) => report.unresponsive = 1,
    }
    if let Some(arbiter) = &shard.arbiter {
        arbiter.stop();
    }
    // Whoever opens the journal again after this finds that nobody has it.
    let gone = timeout_at(until + ANSWER_PATIENCE, shard.gone.clone().changed()).await.is_ok();
    (report, in_order && gone && report.unresponsive == 0)
}

async fn list_tasks(
    shard: &ShardHandle,
    after: Option<TaskId>,
    execution: Option<ExecutionId>,
    limit: usize,
) -> Result<Vec<OpenTask>, CommandError> {
    shard.engine.send(ListTasks { after, execution, limit }).await.map_err(|_| CommandError::Stopped)
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
            Self::Journal(error) => error.code(),
            Self::Thread => "no_thread",
        }
    }
}
