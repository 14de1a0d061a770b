//! The custom status that was set last.

use super::message::{TaskUpdate, Update};
use crate::id::Dispatch;
use crate::number::Slot;
use crate::time::Time;

/// The custom status of an execution that was set last.
#[derive(Clone, Debug)]
pub(super) struct LastStatus {
    pub(super) dispatch: Dispatch,
    pub(super) set_at: Time,
    pub(super) text: Box<str>,
}

impl LastStatus {
    pub(super) fn update(&self, slot: Slot) -> TaskUpdate {
        let update = Update::CustomStatus(self.text.clone());
        TaskUpdate { slot, dispatch: self.dispatch, at: self.set_at, update }
    }
}
