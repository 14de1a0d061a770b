//! Looks now and then whether actors still have what they were given: what was lost is repaired, not waited for.

use super::Supervisor;
use super::message::{Body, Message, Tell};
use super::outbox::{Outbox, ToActor};
use super::slots::ExecutionSlot;
use crate::number::Slot;
use crate::time::Time;

impl Supervisor {
    /// When it is to be looked next; none if no actor has anything and nothing is on its way back.
    pub(super) fn sweep_at(&self) -> Option<Time> {
        (self.pool.active() > 0 || self.forwarding > 0).then_some(self.sweep_due)
    }

    /// Notes that there is something to look at from now on, if there was nothing before.
    pub(super) fn note_sweep(&mut self, at: Time, was_idle: bool) {
        if was_idle && self.sweep_at().is_some() {
            self.sweep_due = at.after(self.options.sweep_interval);
        }
    }

    /// Asks actors that have had an execution for long whether they have it, and queries for messages that do not come back.
    pub(super) fn sweep(&mut self, at: Time, out: &mut Outbox) {
        if self.sweep_at().is_none_or(|due| due > at) {
            return;
        }
        let interval = self.options.sweep_interval;
        let mut probes = Vec::new();
        let mut oldest = at;
        for (actor, slot, host) in self.pool.hosting() {
            if at.since(host.since) >= interval {
                host.since = at;
                probes.push((actor, slot));
            }
            oldest = oldest.min(host.since);
        }
        for (actor, slot) in probes {
            let Some(execution) = self.slots.get(slot).map(|entry| entry.execution) else { continue };
            self.tell(actor, slot, execution, Message { request: None, body: Body::Probe }, out);
        }
        for slot in self.late_forwards(at) {
            self.mark_forwards(at, slot, out);
        }
        self.sweep_due = oldest.after(interval);
    }

    fn late_forwards(&self, at: Time) -> Vec<Slot> {
        if self.forwarding == 0 {
            return Vec::new();
        }
        let is_late = |since| at.since(since) >= self.options.sweep_interval;
        let since = |entry: &ExecutionSlot| entry.rare()?.forwards.as_ref().map(|forwards| forwards.since);
        self.slots.iter().filter(|entry| since(entry).is_some_and(is_late)).map(|entry| entry.slot).collect()
    }

    /// Sends something after messages that do not come back. It comes back after them, so whatever has not come then is lost.
    pub(super) fn mark_forwards(&mut self, at: Time, slot: Slot, out: &mut Outbox) {
        let Some(entry) = self.slots.get_mut(slot) else { return };
        let execution = entry.execution;
        let Some(forwards) = entry.if_rare().and_then(|rare| rare.forwards.as_mut()) else { return };
        let attachment = self.pool.number();
        (forwards.since, forwards.marker) = (at, Some(attachment));
        let message = Message { request: None, body: Body::Probe };
        out.actors.push((forwards.from, ToActor::Tell(Tell { slot, execution, attachment, message })));
    }
}
