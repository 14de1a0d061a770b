//! Reports that come as messages; see [`crate::message`].

use crate::oneshot;
use actix::{Handler, ResponseFuture};
use finale_core::TaskId;
use finale_core::execution::{self, Report};
use finale_core::supervisor::shard_of;

use crate::actors::requests::Waiting;
use crate::actors::way_in::ToShard;
use crate::errors::ReportError;
use crate::message;
use crate::reporting::TaskReport;
use crate::runtime::checked;

use super::Supervisor;

impl Handler<message::TaskCompleted> for Supervisor {
    type Result = ResponseFuture<Result<(), ReportError>>;

    fn handle(&mut self, completed: message::TaskCompleted, _context: &mut Self::Context) -> Self::Result {
        let message::TaskCompleted { task, output, by, attempt } = completed;
        self.report(task, TaskReport::of(Ok(output), by, attempt))
    }
}

impl Handler<message::TaskFailed> for Supervisor {
    type Result = ResponseFuture<Result<(), ReportError>>;

    fn handle(&mut self, failed: message::TaskFailed, _context: &mut Self::Context) -> Self::Result {
        let message::TaskFailed { task, failure, by, attempt } = failed;
        self.report(task, TaskReport::of(Err(failure), by, attempt))
    }
}

impl Supervisor {
    /// Passes on a report that came as a message; every shard may be asked for that.
    fn report(&self, task: TaskId, report: TaskReport) -> ResponseFuture<Result<(), ReportError>> {
        let report = match checked(report, &self.shared.options.limits) {
            Ok(report) => Report { key: task.key, ..report },
            Err(error) => return Box::pin(std::future::ready(Err(error))),
        };
        let (answer, answered) = oneshot::channel();
        let input = Box::new(execution::Input::Reported(report));
        let tell = ToShard::Tell { execution: task.execution, input, waiting: Waiting::Report(answer) };
        // A shard that is gone gives it back, and with that the answer is that the runtime has stopped.
        let _ = self.peers.put(shard_of(task.execution, self.shared.options.shards).0, tell);
        Box::pin(async move { answered.await.unwrap_or(Err(ReportError::Stopped)) })
    }
}
