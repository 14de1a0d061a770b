//! [guide]: crate::guide
//! [files]: crate::files
//! [semantics]: crate::semantics
//! [durability]: crate::durability
//! [comparison]: crate::comparison
//! [architecture]: https://github.com/finale-rs/finale/blob/main/ARCHITECTURE.md
//! [changelog]: https://github.com/finale-rs/finale/blob/main/CHANGELOG.md
// What is in it is run by the tests of all crates together: it uses features that are off by default.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod activation;
mod actors;
mod builder;
mod clock;
mod completion;
mod context;
mod declared;
mod ended;
mod error;
mod errors;
mod events;
mod faults;
mod fence;
mod handle;
mod handler;
mod health;
mod late;
mod metering;
mod observe;
mod oneshot;
mod open_tasks;
mod operator;
mod options;
mod reporting;
#[cfg(feature = "actix-web")]
mod response;
mod runtime;
mod schemas;
mod signal;
mod sources;
mod stored;
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
pub use declared::{DeclaredOutcome, Fits, Undeclared};
pub use ended::Ended;
pub use error::Error;
pub use errors::{CommandError, ReportError, TooLong};
pub use events::{Event, EventKind, EventNumber, Events, Lagged};
#[cfg(feature = "_test")]
pub use faults::{Faults, Kill};
pub use handle::{CancelReceipt, CancelledTask, ExecutionHandle, Fate};
pub use handler::{Handler, NoInput};
pub use health::{BlockedShard, Health};
pub use late::LateEvent;
pub use open_tasks::{OpenTask, TaskPage};
pub use options::{Keep, Limits, Retention, Shards};
pub use reporting::TaskReport;
pub use runtime::{Page, RegisterError, Runtime, ShutdownReport, StartError};
pub use schemas::SchemaConflict;
pub use signal::NewSignal;
pub use task_error::{ResultExt, TaskError};
pub use typed::{
    AnyMap, Branch, CallNode, Called, ConditionNode, Ending, Gives, InputNode, LoopNode, Looped, MapNode, Mapped,
    MappedTolerantly, Source, TaskNode, Tasked, TolerantMapNode, TypedBuilder, ValueNode, VerificationNode, WaitNode,
    Waited,
};
pub use workflow::{Workflow, WorkflowBuilder};

pub use actix;
pub use finale_journal as journal;
pub use finale_journal::{Filter, JournalError, Summary};
#[cfg(feature = "schema")]
pub use schemars;

// Definitions: what somebody wrote, and what is wrong with it.
pub use finale_core::compile::{
    Code, CompileError, InputError, Limits as CompileLimits, Phase, Problem, Registry, Warning, WarningCode,
};
pub use finale_core::compiled::{Compiled, DefinitionHash};
pub use finale_core::definition::{
    AgentAssignment, Backoff, Body, Call, Conditional, Declaration, DeclaredType, Definition, DefinitionBuilder,
    Delivery, Edge, EdgeKind, Exhausted, FailureKind, FromDefinition, Graph, Group, Growth, Inside, Items,
    JoinStrategy, Loop, LoopCondition, Losers, Map, Node, NodeKind, OnFailure, ParallelJoin, ParallelSplit, Policy,
    Retry, Schema, SchemaDifference, SchemaError, SchemaMismatch, Siblings, Signal, Subworkflow, Task, Times,
    Tolerance, TriggerRule, Verdict, Verification, Wait, Work,
};

// Executions: where they are, how they ended, and why.
pub use finale_core::execution::{Awaited, Why};
pub use finale_core::fact::Described;
pub use finale_core::id::ParseIdError;
pub use finale_core::record::{
    AttemptRecord, Begun, ConcurrencyLimit, Counts, CustomStatus, DecidedBy, End, EndingFailure, EndingKind,
    ExecutionError, ItemCounts, NodeFailure, NodeRecord, NodeRecordState, OutputError, QueuePosition, Record,
    SignalRecord, State, TaskProgress, WorkflowName,
};
pub use finale_core::{
    ExecutionId, ExecutionStatus, Failure, FailureClass, NodeStatus, Outcome, Payload, PayloadError, TaskId, Time,
    WaitingFor, WorkKey,
};

// The pages of the project, where its documentation is read; links between them lead to where they are here.

#[cfg(all(doc, not(doctest)))]
/// [expressions]: crate::semantics#expressions
/// [files]: crate::files
/// [semantics]: crate::semantics#the-truth-table-of-edges
/// [limits]: crate::semantics#limits
/// [durability]: crate::durability
/// [ends]: crate::semantics#who-is-told-of-the-end
#[doc = include_str!("../docs/guide.md")]
pub mod guide {}

#[cfg(all(doc, not(doctest)))]
/// [files]: crate::files
/// [semantics]: crate::semantics
/// [tasks]: crate::files#tasks
/// [attempts]: crate::semantics#attempts
/// [data]: crate::semantics#data
/// [edges]: crate::semantics#edges
/// [joins]: crate::semantics#joins
/// [rules]: crate::semantics#trigger-rules
/// [calls]: crate::semantics#calls
/// [groups]: crate::semantics#groups
/// [maps]: crate::semantics#maps
/// [schemas]: crate::semantics#schemas
/// [loops]: crate::semantics#loops
/// [waits]: crate::semantics#waits
#[doc = include_str!("../docs/workflows.md")]
pub mod workflows {}

#[cfg(all(doc, not(doctest)))]
/// [guide]: crate::guide
/// [expressions]: crate::semantics#expressions
/// [edges]: crate::semantics#the-truth-table-of-edges
/// [ending]: crate::semantics#how-an-execution-ends
/// [waits]: crate::semantics#waits
/// [attempts]: crate::semantics#attempts
/// [codes]: crate::semantics#error-codes
/// [limits]: crate::semantics#limits
/// [absent]: crate::semantics#what-is-not-there
/// [schemas]: crate::semantics#schemas
/// [durability]: crate::durability
#[doc = include_str!("../docs/files.md")]
pub mod files {}

#[cfg(all(doc, not(doctest)))]
/// [durability]: crate::durability
/// [modes]: crate::durability#which-mode
#[doc = include_str!("../docs/semantics.md")]
pub mod semantics {}

#[cfg(all(doc, not(doctest)))]
/// [semantics]: crate::semantics
#[doc = include_str!("../docs/durability.md")]
pub mod durability {}

#[cfg(all(doc, not(doctest)))]
/// [semantics]: crate::semantics
/// [cancel]: crate::semantics#cancel
/// [edges]: crate::semantics#the-truth-table-of-edges
/// [absent]: crate::semantics#what-is-not-there
#[doc = include_str!("../docs/comparison.md")]
pub mod comparison {}
