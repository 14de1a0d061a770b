//! The unsent message of a callback.

use super::message::{Batch, EarlyReport, FiredTimer, TaskUpdate, Update};
use crate::number::Slot;

/// The unsent message for one callback. A message of another kind is sent first, so that the order is kept.
#[derive(Debug, Default)]
pub(super) struct Unsent {
    pub(super) kind: Kind,
    pub(super) batch: Batch,
    pub(super) timers: Vec<FiredTimer>,
    pub(super) reports: Vec<EarlyReport>,
    pub(super) continued: Vec<Slot>,
    /// What handlers say; sent before anything else.
    pub(super) updates: Vec<TaskUpdate>,
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

impl Unsent {
    /// Adds what a handler says. Of one handler only the last is sent that it says of its progress, and of one execution
    /// only the last custom status: a handler that says much floods nothing.
    pub(super) fn update(&mut self, update: TaskUpdate) {
        self.updates.retain(|other| !update.replaces(other));
        self.updates.push(update);
    }
}

impl TaskUpdate {
    /// Whether nobody need hear of the other one, which was said before.
    pub(super) fn replaces(&self, other: &Self) -> bool {
        self.slot == other.slot
            && match (&self.update, &other.update) {
                (Update::CustomStatus(_), Update::CustomStatus(_)) => true,
                (Update::Progress(_), Update::Progress(_)) => self.dispatch == other.dispatch,
                _ => false,
            }
    }
}
