//! Begins anew after a panic: of this machine, or of the task engine.
//!
//! The state of a machine that panicked may contradict itself. Only single facts are taken over from it: which execution has
//! which slot and which actor, what waits where, and who is to be answered. What follows from those is made anew.

use super::Supervisor;
use super::closing::Failure;
use super::deaths::dies_too_often;
use super::message::{Body, ClaimNo, Message};
use super::outbox::{Outbox, ToEngine};
use super::reads::Purpose;
use super::slots::{ExecutionSlot, Place};
use super::waiting::Asker;
use crate::number::{ActorNo, Callback, Slot};
use crate::task_engine::Registration;
use crate::time::Time;

impl Supervisor {
    /// Makes a new supervisor of one that panicked in [`handle`](Self::handle).
    ///
    /// What the old one knew of executions, requests and keys is taken over; everything that follows from that is made anew.
    /// Plain values are read from the journal again. What is in `out` is carried out as usual: everything is either there or
    /// still in the old state. After too many panics the new one refuses everything, see
    /// [`Health::shard_failed`](super::Health::shard_failed).
    #[must_use]
    pub fn rebuild(mut self, at: Time, out: &mut Outbox) -> Self {
        let options = &self.options;
        let dies = dies_too_often(&mut self.deaths, at, options.deaths_max, options.deaths_window);
        // Everything that was being read is read again, under new numbers: answers to the old ones are ignored.
        let reads = self.reads.take_all();
        self.rebuild_slots(at, out);
        self.rebuild_reads(at, reads, out);
        if dies {
            self.fail_all(at, Failure::Shard, out);
        }
        self.follow_up(at, true, out);
        self
    }

    fn rebuild_slots(&mut self, at: Time, out: &mut Outbox) {
        let slots = &self.slots;
        let is_there = |actor: ActorNo, slot: Slot| {
            slots.get(slot).is_some_and(|entry| matches!(entry.place, Place::Actor(host) if host == actor))
        };
        self.pool.rebuild(is_there);
        self.slots.rebuild();
        (self.quarantined, self.forwarding) = (0, 0);
        self.wanting.clear();
        let mut recovering = 0;
        for slot in self.slots.all() {
            let Some(entry) = self.slots.get_mut(slot) else { continue };
            entry.forget_derived(|actor| self.pool.get(actor).is_some_and(|host| host.slot == Some(slot)));
            if let Some(rare) = entry.if_rare() {
                self.quarantined += usize::from(rare.quarantine.is_some());
                self.forwarding += usize::from(rare.forwards.is_some());
                recovering += usize::from(rare.recovering);
            }
            if matches!(entry.place, Place::Reading) {
                self.reads.want(Purpose::Slot(slot));
            }
        }
        self.recovery.rebuild(recovering);
        // They are no plain values any more: each reconciles when it was read again.
        for slot in std::mem::take(&mut out.reconciles) {
            self.slots.get_mut(slot).into_iter().for_each(|entry| entry.rare_mut().reconcile = true);
        }
        for slot in self.slots.all() {
            self.schedule(at, slot, out);
        }
    }

    fn rebuild_reads(&mut self, at: Time, reads: Vec<Purpose>, out: &mut Outbox) {
        for purpose in reads {
            match purpose {
                Purpose::Id(_) => self.reads.want(purpose),
                // These are found where they came from.
                Purpose::Absent(_)
                | Purpose::Slot(_)
                | Purpose::Key(_)
                | Purpose::Found(_)
                | Purpose::FoundAsked(_)
                | Purpose::Unreadable(_)
                | Purpose::Expired
                | Purpose::Untold => {}
            }
        }
        self.absent.keys().for_each(|execution| self.reads.want(Purpose::Absent(*execution)));
        self.rebuild_unreadable();
        self.retention.rebuild(at);
        self.telling.rebuild();
        let mut begun: Vec<_> = self.slots.iter().filter_map(|entry| Some(entry.rare()?.asker)).collect();
        let admission = &self.admission;
        begun.extend(admission.queue.iter().chain(&admission.unpermitted).map(|waiting| waiting.asker));
        begun.extend(self.reads.askers());
        let has_begun = |claim: ClaimNo| begun.contains(&Asker::Claim(claim));
        self.rebuild_keys(has_begun, out);
    }

    /// The task engine knows no execution: all are registered again, and each reconciles, at once if an actor has it and else
    /// when one is free.
    pub(super) fn engine_rebuilt(&mut self, at: Time, out: &mut Outbox) {
        for slot in self.slots.all() {
            let Some(entry) = self.slots.get_mut(slot) else { continue };
            let ExecutionSlot { execution, definition, .. } = *entry;
            let input = entry.input.clone();
            let actor = match entry.place {
                Place::Actor(actor) => Some(actor),
                _ => None,
            };
            let callback = actor.map_or(Callback::Supervisor, Callback::Actor);
            out.engine.push(ToEngine::Register(Registration { slot, execution, definition, callback, input }));
            match actor {
                Some(_) if !entry.holds_messages_back() => {
                    let message = Message { request: None, body: Body::Reconcile };
                    self.deliver(at, slot, message, out);
                }
                _ => {
                    entry.rare_mut().reconcile = true;
                    self.want_actor(slot);
                }
            }
        }
    }
}

impl ExecutionSlot {
    /// Forgets what is made anew after a panic of the supervisor. A plain value is read again: it may be half-changed.
    ///
    /// An actor that the table names and that was never given the execution is found out by the sweep.
    fn forget_derived(&mut self, has: impl Fn(ActorNo) -> bool) {
        let mut cancels = Vec::new();
        self.place = match std::mem::replace(&mut self.place, Place::Reading) {
            Place::Actor(actor) if has(actor) => Place::Actor(actor),
            Place::New if self.rare().is_some_and(|rare| rare.begin.is_some()) => Place::New,
            Place::Unreadable(reason) => Place::Unreadable(reason),
            Place::Parked(hosted) => {
                cancels = hosted.cancels;
                Place::Reading
            }
            _ => Place::Reading,
        };
        if let Some(rare) = self.if_rare() {
            rare.wants_actor = false;
        }
        if !cancels.is_empty() {
            self.rare_mut().cancels.extend(cancels);
        }
    }
}
