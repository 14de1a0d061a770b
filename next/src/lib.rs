//! The actors of `finale` on the state machines of the core: [`task_engine`](finale_core::task_engine),
//! [`supervisor`](finale_core::supervisor) and [`Execution`](finale_core::Execution) decide, what is here only carries out.
//!
//! It has the interface of `finale`, and grows beside it until it passes all of its tests; then it takes its place. What both
//! share is compiled from the sources of `finale`.

#![allow(dead_code, reason = "the waits of the journal and the removal of shards are not connected yet")]

#[path = "../../crates/finale/src/activation.rs"]
mod activation;
mod actors;
mod builder;
#[path = "../../crates/finale/src/clock.rs"]
mod clock;
mod completion;
mod context;
#[path = "../../crates/finale/src/error.rs"]
mod error;
#[path = "../../crates/finale/src/errors.rs"]
mod errors;
mod events;
#[path = "../../crates/finale/src/faults.rs"]
mod faults;
#[path = "../../crates/finale/src/fence.rs"]
mod fence;
mod handle;
mod handler;
mod late;
#[path = "../../crates/finale/src/metering.rs"]
mod metering;
mod observe;
mod open_tasks;
#[path = "../../crates/finale/src/options.rs"]
mod options;
#[cfg(feature = "actix-web")]
#[path = "../../crates/finale/src/response.rs"]
mod response;
mod runtime;
#[path = "../../crates/finale/src/stored.rs"]
mod stored;
#[path = "../../crates/finale/src/task_error.rs"]
mod task_error;
#[path = "../../crates/finale/src/typed.rs"]
mod typed;
mod vitals;
#[path = "../../crates/finale/src/workflow.rs"]
mod workflow;

#[path = "../../crates/finale/src/message.rs"]
pub mod message;
pub mod offline;
#[path = "../../crates/finale/src/prelude.rs"]
pub mod prelude;
#[path = "../../crates/finale/src/telemetry.rs"]
pub mod telemetry;

pub use activation::{Activate, ActivateError};
pub use builder::Builder;
pub use completion::Abandoned;
pub use context::{BlockingContext, MissingData, TaskContext, TaskOutputError};
pub use error::Error;
pub use errors::{CommandError, ReportError, TooLong};
pub use events::{Event, EventKind, EventNumber, Events, Lagged};
#[cfg(feature = "_test")]
pub use faults::Faults;
pub use handle::{CancelReceipt, CancelledTask, ExecutionHandle, Fate};
pub use handler::Handler;
pub use late::LateEvent;
pub use open_tasks::{OpenTask, TaskPage};
pub use options::{Keep, Limits, Retention, Shards};
pub use runtime::{Page, Runtime, ShutdownReport, StartError};
pub use task_error::{ResultExt, TaskError};
pub use typed::{Branch, ConditionNode, Source, TaskNode, TypedBuilder, VerificationNode};
pub use vitals::{BlockedShard, Health};
pub use workflow::{Workflow, WorkflowBuilder};

pub use actix;
pub use finale_journal as journal;
pub use finale_journal::{Filter, JournalError, Summary};

// Definitions: what somebody wrote, and what is wrong with it.
pub use finale_core::compile::{
    Code, CompileError, InputError, Limits as CompileLimits, Phase, Problem, Registry, Warning, WarningCode,
};
pub use finale_core::compiled::{Compiled, DefinitionHash, Unsupported};
pub use finale_core::definition::{
    AgentAssignment, Conditional, Declaration, DeclaredType, Definition, DefinitionBuilder, Delivery, Edge, EdgeKind,
    FromDefinition, JoinStrategy, Node, NodeKind, OnFailure, ParallelJoin, ParallelSplit, Policy, Retry, Siblings,
    Subworkflow, Task, Verdict, Verification, Work,
};

// Executions: where they are, how they ended, and why.
pub use finale_core::execution::{Awaited, Why};
pub use finale_core::fact::Described;
pub use finale_core::id::ParseIdError;
pub use finale_core::record::{
    Begun, Counts, DecidedBy, End, ExecutionError, NodeFailure, NodeRecord, NodeRecordState, OutputError, Record,
    State, WorkflowName,
};
pub use finale_core::{
    ExecutionId, ExecutionStatus, Failure, FailureClass, NodeStatus, Outcome, Payload, PayloadError, TaskId, Time,
    WaitingFor, WorkKey,
};
