//! Messages for callbacks.

use super::input::EarlyReport;
use super::outbox::{Batch, FiredTimer};

/// What one callback has not been sent yet. It is all of one kind, so that the order of what it gets is kept.
#[derive(Debug, Default)]
pub(super) struct Unsent {
    pub(super) kind: Kind,
    pub(super) batch: Batch,
    pub(super) timers: Vec<FiredTimer>,
    pub(super) reports: Vec<EarlyReport>,
    /// How many messages of the callback are to be answered.
    pub(super) answers: u32,
    /// Whether the callback is in the list of those for which there is something.
    pub(super) dirty: bool,
}

/// What kind of message is being filled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    #[default]
    Completed,
    Failed,
    Timers,
    Reports,
}
