//! The deciding half of finale: definitions, validation, expressions and the execution state machine.
//!
//! Nothing here reads a clock, draws a random number, does I/O or waits: times, ids and seeds are arguments.
//! The same inputs give the same facts, byte for byte.

pub mod compile;
pub mod compiled;
pub mod definition;
pub mod execution;
pub mod expression;
pub mod fact;
pub mod failure;
pub mod id;
pub mod nearest;
pub mod number;
pub mod path;
pub mod payload;
pub mod permits;
pub mod record;
pub mod status;
pub mod supervisor;
pub mod task_engine;
pub mod time;
mod warning;

pub use compile::compile;
pub use compiled::{Compiled, DefinitionHash, SchemaChecks};
pub use definition::Definition;
pub use execution::Execution;
pub use failure::{Failure, FailureClass};
pub use id::{AttemptNo, Dispatch, Epoch, ExecutionId, NodeIndex, ScopeId, TaskId, WorkKey};
pub use path::NodePath;
pub use payload::{Payload, PayloadError};
pub use record::{Outcome, Record};
pub use status::{ExecutionStatus, NodeStatus, WaitingFor};
pub use time::Time;
