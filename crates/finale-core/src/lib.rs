//! The deciding half of finale.

pub mod compiled;
pub mod definition;
pub mod expression;
pub mod failure;
pub mod id;
pub mod payload;
pub mod status;
pub mod time;

pub use compiled::{Compiled, DefinitionHash};
pub use definition::Definition;
pub use failure::{Failure, FailureClass};
pub use id::{Dispatch, ExecutionId, TaskId, WorkKey};
pub use payload::{Payload, PayloadError};
pub use status::{ExecutionStatus, NodeStatus};
pub use time::Time;
