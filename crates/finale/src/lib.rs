//! Runs workflows inside an actix application and sees every one of them to its end.
//!
//! A workflow is a graph of nodes. Activating it makes an execution; its tasks are done by handlers or outside; their
//! completion or failure drives the execution to COMPLETED, FAILED (with `error`) or CANCELLED, always with
//! `completed_at`, exactly once.

mod activation;
mod builder;
mod clock;
mod completion;
mod context;
mod error;
mod errors;
mod events;
mod execution_actor;
mod faults;
mod fence;
mod handle;
mod handler;
mod late;
mod metering;
mod mint;
mod observe;
mod options;
mod permits;
#[cfg(feature = "actix-web")]
mod response;
mod runtime;
mod shard;
mod stored;
mod supervisor;
mod task_engine;
mod task_error;
mod typed;
mod vitals;
mod workflow;

pub mod message;
pub mod offline;
pub mod prelude;
pub mod telemetry;

pub use activation::{Activate, ActivateError};
pub use builder::Builder;
pub use completion::Abandoned;
pub use context::{BlockingContext, MissingData, TaskContext, TaskOutputError};
pub use error::Error;
pub use errors::{CommandError, ReportError, TooLong};
pub use events::{Event, EventKind, EventNumber, Events, Lagged};
#[doc(hidden)]
pub use faults::Faults;
pub use handle::{CancelReceipt, CancelledTask, ExecutionHandle, Fate};
pub use handler::Handler;
pub use late::LateEvent;
pub use options::{Keep, Limits, Retention, Shards};
pub use runtime::{Page, Runtime, ShutdownReport, StartError};
pub use task_engine::{OpenTask, TaskPage};
pub use task_error::{ResultExt, TaskError};
pub use typed::{Branch, Decision, Judgement, Source, TaskNode, TypedBuilder};
pub use vitals::Health;
pub use workflow::{Workflow, WorkflowBuilder};

pub use actix;
pub use finale_core as core;
pub use finale_core::{
    Definition, ExecutionId, ExecutionStatus, Failure, FailureClass, NodeStatus, Outcome, Payload, Record, TaskId, Time,
};
pub use finale_journal as journal;
pub use finale_journal::{Filter, Summary};

/// The README's program, run as a test.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
