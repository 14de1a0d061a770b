//! The messages that actors of an application send to finale or receive from it.

use actix::Message;
use finale_core::{Failure, Payload, TaskId};

use crate::errors::ReportError;
use crate::task_error::TaskError;

/// Asks an actor that was registered as a handler to do a task; its answer is the result.
///
/// Delivery is at least once: the same task can be asked for again after a crash, with the same id and a higher attempt.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<Payload, TaskError>")]
#[non_exhaustive]
pub struct RunTask {
    /// Which task; the key to deduplicate by.
    pub task: TaskId,
    /// Which attempt, counted from 1.
    pub attempt: u16,
    /// What is to be done, by the id of its node.
    pub node: String,
    /// The input of the task.
    pub input: Payload,
}

/// Reports that a task was done; for [`Runtime::task_completed`](crate::Runtime::task_completed).
///
/// Answered when the execution's record of it is durable.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<(), ReportError>")]
pub struct TaskCompleted {
    /// Which task.
    pub task: TaskId,
    /// What came of it.
    pub output: Payload,
}

/// Reports that a task was not done; for [`Runtime::task_failed`](crate::Runtime::task_failed).
///
/// Answered when the execution's record of it is durable.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<(), ReportError>")]
pub struct TaskFailed {
    /// Which task.
    pub task: TaskId,
    /// Why.
    pub failure: Failure,
}
