//! The unsent message of a callback.

use super::message::{Batch, EarlyReport, FiredTimer};
use crate::number::Slot;

/// The unsent message for one callback. A message of another kind is sent first, so that the order is kept.
#[derive(Debug, Default)]
pub(super) struct Unsent {
    pub(super) kind: Kind,
    pub(super) batch: Batch,
    pub(super) timers: Vec<FiredTimer>,
    pub(super) reports: Vec<EarlyReport>,
    pub(super) continued: Vec<Slot>,
    /// Number of messages of the callback to answer.
    pub(super) answers: u32,
    /// The execution that the newest of these messages is about.
    pub(super) about: Option<Slot>,
    /// Whether the callback is in the list of those with unsent messages.
    pub(super) listed: bool,
}

/// The kind of the unsent message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    #[default]
    Completed,
    Failed,
    Timers,
    Reports,
    Continued,
}
