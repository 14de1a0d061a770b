//! What an application holds of finale.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix::{Addr, Recipient};
use finale_core::compile::accept_input;
use finale_core::definition::Verdict;
use finale_core::execution::{Command, Why};
use finale_core::{ExecutionId, ExecutionStatus, Failure, FailureClass, Payload, Record, TaskId};
use finale_journal::{Claim, Filter, Journal, JournalError, Summary};
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
use crate::late::LateEvent;
use crate::message::{TaskCompleted, TaskFailed};
use crate::mint::{Mint, shard_of};
use crate::options::Options;
use crate::supervisor::{Ask, Close, Leave, Left, List, Question, Report, Supervisor};
use crate::task_engine::{Drain, ListTasks, OpenTask, TaskEngine, TaskPage};
use crate::vitals::{Health, Vitals};
use crate::workflow::Workflow;

/// Runs workflows; a clone is the same runtime, usable from any thread.
///
/// It is started inside a running actix `System` by [`Runtime::builder`]. When the System stops without
/// [`shutdown`](Self::shutdown), handlers at work are dropped where they are, whoever waits for an outcome is told
/// [`Abandoned`](crate::Abandoned), and executions that had not ended are what the journal says about them:
/// with the in-memory journal they are gone.
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

/// One page of executions, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Page {
    /// The executions.
    pub executions: Vec<Summary>,
    /// What the next page begins before; none if this is the last one.
    pub next: Option<ExecutionId>,
}

/// What was left when a runtime was shut down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Executions that had not ended.
    pub unfinished: usize,
    /// Handlers that were still at work at the deadline and were dropped.
    pub dropped: usize,
    /// Shards that did not answer in time: a handler keeps their thread for itself.
    pub unresponsive: usize,
}

impl ShutdownReport {
    fn and(self, other: Self) -> Self {
        Self {
            unfinished: self.unfinished + other.unfinished,
            dropped: self.dropped + other.dropped,
            unresponsive: self.unresponsive + other.unresponsive,
        }
    }
}

impl Runtime {
    /// Begins a runtime.
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
    pub fn activate<I: Serialize>(&self, workflow: &Workflow, input: I) -> Activate {
        let request = self.accept_input(workflow, &input).map(|input| Request {
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

    fn accept_input(&self, workflow: &Workflow, input: &impl Serialize) -> Result<Payload, ActivateError> {
        let bytes_max = self.0.options.limits.payload_bytes_max;
        let input = Payload::encode(input)?.limited(bytes_max)?;
        // Once more: the defaults that are filled in count too.
        Ok(accept_input(workflow.definition(), input)?.limited(bytes_max)?)
    }

    /// An id for an execution that is activated later; each is greater than the one before.
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

    /// The execution with that id.
    ///
    /// # Errors
    /// When there is none, it is forgotten, or the runtime has stopped.
    pub async fn execution(&self, id: ExecutionId) -> Result<ExecutionHandle, CommandError> {
        let completion = self.ask(id, Question::Completion).await?;
        Ok(ExecutionHandle { runtime: self.clone(), id, completion })
    }

    /// Executions, newest first, page by page.
    ///
    /// # Errors
    /// When the runtime has stopped.
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

    /// How the runtime is doing; answered at once, whatever its shards are at.
    pub fn health(&self) -> Health {
        let Kept { journal, claim, vitals } = &self.0.kept;
        let mut health = Health {
            journal: journal.health(),
            journal_lag: None,
            after_crash: claim.crashed,
            recovering: 0,
            quarantined: 0,
        };
        vitals.iter().for_each(|shard| shard.add_to(&mut health));
        health
    }

    /// Cancels an execution, and waits until nothing of it runs any more.
    ///
    /// # Errors
    /// When it is over already, there is none, or the runtime has stopped.
    pub async fn cancel_execution(&self, id: ExecutionId, by: &str) -> Result<CancelReceipt, CommandError> {
        self.check_text("who cancels it", Some(by))?;
        let by = by.into();
        self.ask(id, |answer| Question::Cancel(by, answer)).await
    }

    /// Declares a running execution completed, whatever its tasks are at.
    ///
    /// # Errors
    /// When it is not running, there is none, or the runtime has stopped.
    pub async fn complete_execution(&self, id: ExecutionId, by: &str) -> Result<(), CommandError> {
        self.check_text("who declares it", Some(by))?;
        let command = Command::Complete { by: by.into() };
        self.ask(id, |answer| Question::Command(command, answer)).await
    }

    /// Declares a running execution failed; the reason becomes its error.
    ///
    /// # Errors
    /// When it is not running, the reason is blank, there is none, or the runtime has stopped.
    pub async fn fail_execution(&self, id: ExecutionId, by: &str, reason: &str) -> Result<(), CommandError> {
        self.check_text("who declares it", Some(by))?;
        self.check_text("the reason", Some(reason))?;
        let command = Command::Fail { by: by.into(), reason: reason.into() };
        self.ask(id, |answer| Question::Command(command, answer)).await
    }

    /// Gives the verdict that a verification waits for.
    ///
    /// # Errors
    /// When the node is not there yet, not a verification, or the execution is over or unknown.
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

    /// Lets a quarantined execution go on.
    ///
    /// # Errors
    /// When it is not quarantined, there is none, or the runtime has stopped.
    pub async fn release_execution(&self, id: ExecutionId) -> Result<(), CommandError> {
        self.ask(id, Question::Release).await
    }

    /// Tasks that wait for somebody outside, in ascending order of their ids; at most `limit`, up to 1,000.
    ///
    /// # Errors
    /// When the runtime has stopped.
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

    /// All tasks of one execution that wait for somebody outside.
    ///
    /// # Errors
    /// When the runtime has stopped.
    pub async fn open_tasks_of(&self, execution: ExecutionId) -> Result<Vec<OpenTask>, CommandError> {
        // One that the recovery has not come to is looked at now.
        if let Err(CommandError::Stopped) = self.ask(execution, Question::Status).await {
            return Err(CommandError::Stopped);
        }
        list_tasks(self.shard(execution), None, Some(execution), usize::MAX).await
    }

    /// Reports that a task was done; returns when that is durable.
    ///
    /// A report that comes before its task is asked for is kept until then.
    ///
    /// # Errors
    /// When the task is settled, unknown, or done by a handler; the report changes nothing then.
    pub async fn complete_task<T: Serialize>(&self, task: TaskId, output: T) -> Result<(), ReportError> {
        let output = Payload::encode(&output)?.limited(self.0.options.limits.payload_bytes_max)?;
        self.report(task, Ok(output)).await
    }

    /// Reports that a task was not done; returns when that is durable.
    ///
    /// # Errors
    /// When the task is settled, unknown, or done by a handler; the report changes nothing then.
    pub async fn fail_task(&self, task: TaskId, failure: Failure) -> Result<(), ReportError> {
        self.report(task, Err(failure)).await
    }

    /// Takes reports that actors send as messages, on tasks of all executions.
    pub fn task_completed(&self) -> Recipient<TaskCompleted> {
        self.0.shards[self.next_place()].supervisor.clone().recipient()
    }

    /// Takes reports of failures that actors send as messages, on tasks of all executions.
    pub fn task_failed(&self) -> Recipient<TaskFailed> {
        self.0.shards[self.next_place()].supervisor.clone().recipient()
    }

    /// Cancels one task, also one that a handler works on: it fails with class `cancelled`.
    ///
    /// # Errors
    /// When the task is settled or unknown, or its handler has not begun.
    pub async fn cancel_task(&self, task: TaskId, by: &str) -> Result<(), ReportError> {
        self.check_text("who cancels it", Some(by))?;
        self.report(task, Err(Failure::new(FailureClass::Cancelled, format!("by {by}")))).await
    }

    /// Late, duplicate and unknown outcomes that were noted about an execution, oldest first.
    ///
    /// # Errors
    /// When there is no such execution, or the runtime has stopped.
    pub async fn late_events(&self, id: ExecutionId) -> Result<Vec<LateEvent>, CommandError> {
        self.ask(id, Question::Late).await
    }

    /// Ends the runtime: admits nothing more, lets handlers at work finish until the deadline, then drops them.
    ///
    /// It returns within the deadline, give or take the moment it takes to answer, whatever handlers do.
    /// Executions that have not ended stay in the journal as they are.
    pub async fn shutdown(&self, deadline: Duration) -> ShutdownReport {
        // All are told before the first is waited for.
        self.0.shards.iter().for_each(|shard| shard.supervisor.do_send(Close));
        let ends: Vec<_> = self.0.shards.iter().map(|shard| end(shard, deadline)).collect();
        let ended = join_all(ends).await;
        // Otherwise it looks like a crash, and that is what it comes to.
        if ended.iter().all(|(_, in_order)| *in_order) {
            self.release_journal();
        }
        ended.into_iter().map(|(report, _)| report).fold(ShutdownReport::default(), ShutdownReport::and)
    }

    /// Notes that what was at work was not lost in a crash.
    fn release_journal(&self) {
        let Kept { journal, claim, .. } = &self.0.kept;
        if let Err(error) = journal.release(claim.epoch) {
            tracing::warn!(target: crate::telemetry::TARGET, %error, "the journal was not released");
        }
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

    async fn report(&self, task: TaskId, result: Result<Payload, Failure>) -> Result<(), ReportError> {
        let (reply, answered) = oneshot::channel();
        self.shard(task.execution).supervisor.do_send(Report { task, result, reply });
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

/// Why a runtime was not started.
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
    /// A limit that lets nothing happen.
    #[error("{0} must be at least 1")]
    ZeroLimit(&'static str),
    /// The journal could not be opened.
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
