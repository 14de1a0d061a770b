//! Reports on tasks from outside.
//!
//! They come the same way as activations, so that none overtakes the activation of the execution it is about.

use actix::{Addr, Handler, Message, ResponseFuture};
use finale_core::execution::{Refused, Report};
use finale_core::{ExecutionId, Failure, Payload, PayloadError, TaskId};
use tokio::sync::oneshot;

use super::Supervisor;
use crate::errors::ReportError;
use crate::message::{TaskCompleted, TaskFailed};
use crate::mint::shard_of;
use crate::observe;
use crate::shard::{Reply, Work};

/// A report on a task of an execution that waits to be admitted.
pub(super) struct Early {
    pub(super) report: Report,
    pub(super) reply: Reply,
}

/// Somebody outside reports on a task.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct ReportTask {
    pub(crate) execution: ExecutionId,
    pub(crate) report: Report,
    pub(crate) reply: oneshot::Sender<Result<(), ReportError>>,
}

impl Handler<ReportTask> for Supervisor {
    type Result = ();

    fn handle(&mut self, report: ReportTask, _context: &mut Self::Context) {
        self.take_report(report);
    }
}

impl Supervisor {
    fn take_report(&mut self, ReportTask { execution, report, reply }: ReportTask) {
        if let Err(error) = limited(&report.result, self.shard.options.limits.payload_bytes_max) {
            // Nobody may be waiting for the answer any more: that is theirs to decide.
            return drop(reply.send(Err(error.into())));
        }
        let reply = Reply::Report(reply);
        if let Some(error) = self.shard.journal_error() {
            return reply.fail(&error);
        }
        match self.find(execution) {
            Some(live) => self.shard.work(Work::Report(live, report, reply)),
            None => self.report_elsewhere(execution, Early { report, reply }),
        }
    }

    /// Reports on what is not there: not yet, or not any more.
    fn report_elsewhere(&mut self, execution: ExecutionId, early: Early) {
        if let Some(waiting) = self.expected.get_mut(&execution) {
            if !self.shard.take_early_place() {
                return early.reply.saturated(self.shard.options.limits.early_outcomes_max);
            }
            return waiting.push(early);
        }
        let refused = match self.ended(execution) {
            Ok(Some(ended)) => Refused::AlreadyTerminal(ended.outcome.status()),
            Err(_) => Refused::Invalid("its history cannot be read"),
            Ok(None) if self.unreadable.contains_key(&execution) => Refused::Invalid("its history cannot be read"),
            Ok(None) => {
                observe::not_found(execution);
                Refused::Unknown
            }
        };
        self.shard.note_late_event(execution, "report on a task", refused.to_string());
        early.reply.send(Err(refused));
    }

    /// The shard that an execution belongs to, if it is another one.
    pub(super) fn elsewhere(&self, execution: ExecutionId) -> Option<&Addr<Self>> {
        let shard = shard_of(execution, self.shard.options.shards);
        let other = shard != self.shard.index;
        self.everyone.get().filter(|_| other).map(|everyone| &everyone[usize::from(shard)])
    }

    /// Takes a report that came as a message.
    fn answer(&mut self, task: TaskId, result: Result<Payload, Failure>) -> ResponseFuture<Result<(), ReportError>> {
        let (reply, answered) = oneshot::channel();
        let report = Report::new(task.key, result);
        self.take_report(ReportTask { execution: task.execution, report, reply });
        Box::pin(async move { answered.await.unwrap_or(Err(ReportError::Stopped)) })
    }
}

impl Handler<TaskCompleted> for Supervisor {
    type Result = ResponseFuture<Result<(), ReportError>>;

    fn handle(&mut self, completed: TaskCompleted, _context: &mut Self::Context) -> Self::Result {
        match self.elsewhere(completed.task.execution) {
            Some(shard) => pass_on(shard, completed),
            None => self.answer(completed.task, Ok(completed.output)),
        }
    }
}

impl Handler<TaskFailed> for Supervisor {
    type Result = ResponseFuture<Result<(), ReportError>>;

    fn handle(&mut self, failed: TaskFailed, _context: &mut Self::Context) -> Self::Result {
        match self.elsewhere(failed.task.execution) {
            Some(shard) => pass_on(shard, failed),
            None => self.answer(failed.task, Err(failed.failure)),
        }
    }
}

fn pass_on<M>(shard: &Addr<Supervisor>, message: M) -> ResponseFuture<Result<(), ReportError>>
where
    M: Message<Result = Result<(), ReportError>> + Send + 'static,
    Supervisor: Handler<M>,
{
    let answer = shard.send(message);
    Box::pin(async move { answer.await.unwrap_or(Err(ReportError::Stopped)) })
}

/// Refuses a report that is larger than a payload may be.
fn limited(result: &Result<Payload, Failure>, bytes_max: usize) -> Result<(), PayloadError> {
    let bytes = match result {
        Ok(output) => output.size(),
        Err(failure) => failure.reason.len(),
    };
    if bytes > bytes_max { Err(PayloadError::TooLarge { bytes, bytes_max }) } else { Ok(()) }
}
