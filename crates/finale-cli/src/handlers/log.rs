//! `log`: says something.

use finale::{TaskContext, TaskError};
use serde::Deserialize;

use crate::console;

/// What.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    message: String,
}

pub(super) async fn run(_context: TaskContext, input: Input) -> Result<(), TaskError> {
    console::note(input.message);
    Ok(())
}
