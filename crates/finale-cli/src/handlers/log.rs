//! `log`: says something.

use finale::{TaskContext, TaskError};
use serde::Deserialize;

use super::announce::Announcements;

/// What.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    message: String,
}

pub(super) async fn run(announcements: Announcements, context: TaskContext, input: Input) -> Result<(), TaskError> {
    announcements.says(&context, input.message);
    Ok(())
}
