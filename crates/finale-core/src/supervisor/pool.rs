//! The pool of actors. Each hosts one execution at a time; there is one actor for each execution that may be active.

use super::message::AttachmentNo;
use crate::number::{ActorNo, Slot};
use crate::time::Time;

/// The actors of a shard.
#[derive(Debug)]
pub(super) struct Pool {
    hosts: Vec<Host>,
    /// Actors that have no execution; the last one is given first, because it is the warmest.
    free: Vec<ActorNo>,
    /// How many may have one, those for a recovery not counted.
    active_max: usize,
    /// How many may have one for a recovery.
    recovering_max: usize,
    /// How many have one for a recovery.
    recovering: usize,
    attachments: u64,
}

/// What an execution is given to an actor for. A recovery holds up nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ActorFor {
    Work,
    Recovery,
}

/// What an actor has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Host {
    pub(super) slot: Option<Slot>,
    pub(super) attachment: AttachmentNo,
    /// How many messages it was told of this execution.
    pub(super) told: u32,
    /// When it was heard of, or asked, last.
    pub(super) since: Time,
    given_for: ActorFor,
}

/// An attachment that is over.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Detached {
    pub(super) actor: ActorNo,
    pub(super) attachment: AttachmentNo,
    /// How many messages the actor was told of the execution.
    pub(super) told: u32,
}

impl Pool {
    pub(super) fn new(active_max: usize, recovering_max: usize) -> Self {
        Self {
            hosts: Vec::new(),
            free: Vec::new(),
            active_max: active_max.max(1),
            recovering_max: recovering_max.max(1),
            recovering: 0,
            attachments: 0,
        }
    }

    pub(super) fn has_free(&self, given_for: ActorFor) -> bool {
        match given_for {
            ActorFor::Work => self.active() - self.recovering < self.active_max,
            ActorFor::Recovery => self.recovering < self.recovering_max,
        }
    }

    /// A number for an attachment, or for a message that belongs to none.
    pub(super) fn number(&mut self) -> AttachmentNo {
        self.attachments += 1;
        AttachmentNo(self.attachments)
    }

    /// How many actors have an execution.
    pub(super) fn active(&self) -> usize {
        self.hosts.len() - self.free.len()
    }

    /// Gives an execution to an actor that has none; there must be one.
    pub(super) fn attach(&mut self, slot: Slot, at: Time, given_for: ActorFor) -> ActorNo {
        let host = Host { slot: Some(slot), attachment: self.number(), told: 0, since: at, given_for };
        self.recovering += usize::from(given_for == ActorFor::Recovery);
        match self.free.pop() {
            Some(actor) => {
                self.hosts[actor.0 as usize] = host;
                actor
            }
            None => {
                self.hosts.push(host);
                ActorNo(self.hosts.len() as u32 - 1)
            }
        }
    }

    /// An actor has no execution any more. Gives what is known of its attachment.
    pub(super) fn detach(&mut self, actor: ActorNo) -> Detached {
        let Some(host) = self.hosts.get_mut(actor.0 as usize) else { return Detached::default() };
        if host.slot.take().is_none() {
            return Detached::default();
        }
        self.free.push(actor);
        self.recovering -= usize::from(host.given_for == ActorFor::Recovery);
        Detached { actor, attachment: host.attachment, told: host.told }
    }

    pub(super) fn get(&self, actor: ActorNo) -> Option<&Host> {
        self.hosts.get(actor.0 as usize)
    }

    /// Counts a message to the actor; returns its current attachment.
    pub(super) fn tell(&mut self, actor: ActorNo) -> AttachmentNo {
        match self.hosts.get_mut(actor.0 as usize) {
            Some(host) => {
                host.told = host.told.wrapping_add(1);
                host.attachment
            }
            None => AttachmentNo::default(),
        }
    }

    /// The actors that have an execution.
    pub(super) fn hosting(&mut self) -> impl Iterator<Item = (ActorNo, Slot, &mut Host)> {
        self.hosts.iter_mut().enumerate().filter_map(|(number, host)| Some((ActorNo(number as u32), host.slot?, host)))
    }

    /// Makes the list of free actors anew; those for whose execution `has` does not speak have none.
    pub(super) fn rebuild(&mut self, has: impl Fn(ActorNo, Slot) -> bool) {
        self.free.clear();
        self.recovering = 0;
        for (number, host) in self.hosts.iter_mut().enumerate() {
            let actor = ActorNo(number as u32);
            host.slot = host.slot.filter(|slot| has(actor, *slot));
            match host.slot {
                None => self.free.push(actor),
                Some(_) => self.recovering += usize::from(host.given_for == ActorFor::Recovery),
            }
        }
    }
}
