//! What most programs use: `use finale::prelude::*;`.
//!
//! What says how a runtime is bounded or what is listed ([`Limits`](crate::Limits), [`Filter`](crate::Filter)), the errors
//! and the events are named one by one: `use finale::Limits;`.
//!
//! ```
//! use finale::prelude::*;
//!
//! let article = Workflow::builder("article").task("approve", Task::external().title("Read it")).build()?;
//! assert_eq!(article.definition().nodes[0].label, "Read it");
//! # Ok::<(), finale::core::compile::CompileError>(())
//! ```

pub use finale_core::definition::Task;
pub use finale_core::{ExecutionId, ExecutionStatus, Outcome};

pub use crate::context::{BlockingContext, TaskContext};
pub use crate::handle::ExecutionHandle;
pub use crate::options::Shards;
pub use crate::runtime::Runtime;
pub use crate::task_error::{ResultExt, TaskError};
pub use crate::workflow::Workflow;
