//! What handlers at work say: how far they are, and the custom status of their execution.

use std::time::Duration;

use super::TaskEngine;
use super::input::Attempt;
use super::last_status::LastStatus;
use super::message::{TaskUpdate, Update};
use super::outbox::Outbox;
use crate::number::{FutureNo, Slot};
use crate::record::{CustomStatus, TaskProgress};
use crate::time::Time;

impl TaskEngine {
    /// A handler says how far it is.
    pub(super) fn progressed(&mut self, at: Time, attempt: Attempt, progress: TaskProgress, out: &mut Outbox) {
        let Attempt { slot, dispatch, .. } = attempt;
        let Some(entry) = self.slots.get(slot) else { return };
        let update = TaskUpdate { slot, dispatch, at, update: Update::Progress(progress) };
        self.deliveries.update(entry.callback(), update, out);
    }

    /// A pending handler may have set the custom status of its execution. One that was given up has none any more.
    pub(super) fn status_of_handler(&mut self, at: Time, future: FutureNo, text: Option<Box<str>>, out: &mut Outbox) {
        let handler = self.running.get(future).filter(|handler| !handler.leaked);
        if let (Some(attempt), Some(_)) = (handler.map(|handler| handler.attempt), &text) {
            self.set_custom_status(at, attempt, text, out);
        }
    }

    /// A handler may have set the custom status of its execution.
    #[inline]
    pub(super) fn set_custom_status(&mut self, at: Time, attempt: Attempt, text: Option<Box<str>>, out: &mut Outbox) {
        let Some(text) = text else { return };
        // Each has a time of its own: one that is told late is known by it.
        let set_at = at.max(self.last_set_at.after(Duration::from_micros(1)));
        self.last_set_at = set_at;
        let Attempt { slot, dispatch, .. } = attempt;
        let Some(entry) = self.slots.get_mut(slot) else { return };
        let text = CustomStatus::cut(&text).into();
        let status = LastStatus { dispatch, set_at, text };
        let update = status.update(slot);
        entry.custom_status = Some(Box::new(status));
        self.deliveries.update(entry.callback(), update, out);
    }

    /// Tells an execution again what was set last: it may have been lost with the state of the execution.
    pub(super) fn repeat_custom_status(&mut self, slot: Slot, out: &mut Outbox) {
        let Some(entry) = self.slots.get(slot) else { return };
        if let Some(update) = entry.last_status() {
            self.deliveries.update(entry.callback(), update, out);
        }
    }
}
