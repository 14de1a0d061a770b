//! What most programs use: `use finale::prelude::*;`.
//!
//! It has what nearly every program names: workflows and their tasks and policies, the runtime, handlers and executions.
//! Everything else is at the root of the crate and named one by one: `use finale::Limits;`.
//!
//! ```
//! use finale::prelude::*;
//!
//! let article = Workflow::builder("article").task("approve", Task::external().title("Read it")).build()?;
//! assert_eq!(article.definition().nodes[0].label, "Read it");
//! # Ok::<(), finale::CompileError>(())
//! ```

pub use finale_core::definition::{
    Call, DeclaredType, JoinStrategy, Losers, OnFailure, Siblings, Task, TriggerRule, Verdict,
};
pub use finale_core::{ExecutionId, ExecutionStatus, Outcome};

pub use crate::context::{BlockingContext, TaskContext};
pub use crate::handle::ExecutionHandle;
pub use crate::options::Shards;
pub use crate::runtime::Runtime;
pub use crate::task_error::{ResultExt, TaskError};
pub use crate::workflow::Workflow;
