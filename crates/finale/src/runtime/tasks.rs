//! Tasks that somebody outside works on: which are open, and what is reported on them.

use actix::{Addr, Recipient};
use finale_core::execution::{Input, Report};
use finale_core::{ExecutionId, Failure, FailureClass, NodeStatus, Payload, PayloadError, TaskId};
use serde::Serialize;

use super::{Runtime, fits};
use crate::actors::inbox::Inbox;
use crate::actors::requests::{FoundNode, Look, NotSeen, Waiting};
use crate::actors::supervisor::Supervisor;
use crate::actors::way_in::{LookAtTasks, ToShard};
use crate::errors::{CommandError, ReportError};
use crate::handler::encode_owned;
use crate::message::{TaskCompleted, TaskFailed};
use crate::oneshot;
use crate::open_tasks::{OpenTask, TaskPage};
use crate::options::Limits;
use crate::reporting::TaskReport;

impl Runtime {
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

    /// Reports on a task, in full: who reports, and on which attempt. See [`TaskReport`].
    ///
    /// # Errors
    /// Those of [`complete_task`](Self::complete_task), and [`StaleAttempt`](ReportError::StaleAttempt).
    pub async fn report_task(&self, task: TaskId, report: TaskReport) -> Result<(), ReportError> {
        let report = self.checked(report)?;
        let input = Input::Reported(Report { key: task.key, ..report });
        self.tell(task.execution, input, Waiting::Report).await
    }

    /// Reports on the task of an execution at a node; see [`ExecutionHandle::report`](crate::ExecutionHandle::report).
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

    fn supervisor(&self) -> Addr<Supervisor> {
        self.0.kept.supervisors[usize::from(self.next_shard())].clone()
    }
}

/// A report as the core takes it, without its key, if it keeps to the limits.
pub(crate) fn checked(report: TaskReport, limits: &Limits) -> Result<Report, ReportError> {
    let report = report.into_report()?;
    limited(&report.result, limits.payload_bytes_max)?;
    fits("who reports", Some(&report.by), limits)?;
    Ok(report)
}

/// Refuses a report that is larger than a payload may be.
fn limited(result: &Result<Payload, Failure>, bytes_max: usize) -> Result<(), PayloadError> {
    let bytes = match result {
        Ok(output) => output.size(),
        Err(failure) => failure.reason.len(),
    };
    if bytes > bytes_max { Err(PayloadError::TooLarge { bytes, bytes_max }) } else { Ok(()) }
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
