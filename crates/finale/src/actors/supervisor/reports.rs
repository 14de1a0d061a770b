//! Reports that come as messages; see [`crate::message`].

use crate::oneshot;
use actix::{Handler, ResponseFuture};
use finale_core::execution::{self, Report};
use finale_core::supervisor::shard_of;
use finale_core::{Failure, Payload, TaskId};

use crate::actors::requests::Waiting;
use crate::actors::way_in::ToShard;
use crate::errors::ReportError;
use crate::message;
use crate::runtime::limited;

use super::Supervisor;

impl Handler<message::TaskCompleted> for Supervisor {
    type Result = ResponseFuture<Result<(), ReportError>>;

    fn handle(&mut self, completed: message::TaskCompleted, _context: &mut Self::Context) -> Self::Result {
        self.report(completed.task, Ok(completed.output))
    }
}

impl Handler<message::TaskFailed> for Supervisor {
    type Result = ResponseFuture<Result<(), ReportError>>;

    fn handle(&mut self, failed: message::TaskFailed, _context: &mut Self::Context) -> Self::Result {
        self.report(failed.task, Err(failed.failure))
    }
}

impl Supervisor {
    /// Passes on a report that came as a message; every shard may be asked for that.
    fn report(&self, task: TaskId, result: Result<Payload, Failure>) -> ResponseFuture<Result<(), ReportError>> {
        if let Err(error) = limited(&result, self.shared.options.limits.payload_bytes_max) {
            return Box::pin(std::future::ready(Err(error.into())));
        }
        let (answer, answered) = oneshot::channel();
        let input = Box::new(execution::Input::Reported(Report::new(task.key, result)));
        let tell = ToShard::Tell { execution: task.execution, input, waiting: Waiting::Report(answer) };
        // A shard that is gone gives it back, and with that the answer is that the runtime has stopped.
        let _ = self.peers.put(shard_of(task.execution, self.shared.options.shards).0, tell);
        Box::pin(async move { answered.await.unwrap_or(Err(ReportError::Stopped)) })
    }
}
