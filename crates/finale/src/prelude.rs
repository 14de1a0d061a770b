//! What most programs use: `use finale::prelude::*;`.

pub use finale_core::definition::Task;
pub use finale_core::{ExecutionId, ExecutionStatus, Outcome};

pub use crate::context::{BlockingContext, TaskContext};
pub use crate::handle::ExecutionHandle;
pub use crate::options::Shards;
pub use crate::runtime::Runtime;
pub use crate::task_error::{ResultExt, TaskError};
pub use crate::workflow::Workflow;
