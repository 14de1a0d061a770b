//! The ledger of what came too late, twice or for nothing: kept beside the history, never part of it.

use finale_core::{ExecutionId, Time};
use serde::Serialize;

/// Something that changed nothing, and why; from [`Runtime::late_events`](crate::Runtime::late_events).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LateEvent {
    /// Which execution it was about.
    pub execution: ExecutionId,
    /// When it came.
    pub at: Time,
    /// What it was: `outcome of a handler`, `report on a task`, `report of a stopped handler`, `verdict` or
    /// `signal`.
    pub what: &'static str,
    /// Why it changed nothing, in words.
    pub reason: String,
}

impl LateEvent {
    pub(crate) fn new(event: &finale_core::supervisor::LateEvent) -> Self {
        Self { execution: event.execution, at: event.at, what: event.what.name(), reason: event.reason.to_string() }
    }
}
