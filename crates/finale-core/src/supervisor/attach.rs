//! Executions come to actors and leave them.

use super::Supervisor;
use super::input::{Ask, Question};
use super::message::{AttachmentNo, Body, Hosted, Message, Tell};
use super::outbox::{Outbox, Resume, ToActor, ToEngine};
use super::pool::Detached;
use super::slots::{ExecutionSlot, Forwards, Operator, Place};
use crate::execution::Input;
use crate::id::Epoch;
use crate::number::{ActorNo, Callback, Slot};
use crate::time::Time;

impl Supervisor {
    /// Notes that an execution wants an actor, if there is something that only an actor can do for it.
    pub(super) fn want_actor(&mut self, slot: Slot) {
        if self.failure.is_some() {
            return;
        }
        let Some(entry) = self.slots.get_mut(slot).filter(|entry| entry.needs_actor()) else { return };
        if !std::mem::replace(&mut entry.rare_mut().wants_actor, true) {
            self.wanting.push_back(slot);
        }
    }

    /// Gives an execution to a free actor, if it still needs one.
    pub(super) fn attach(&mut self, at: Time, slot: Slot, out: &mut Outbox) {
        let Some(entry) = self.slots.get_mut(slot) else { return };
        entry.rare_mut().wants_actor = false;
        if !entry.needs_actor() {
            return;
        }
        let execution = entry.execution;
        let applies_command = entry.is_quarantined();
        let (is_new, begin) = (matches!(entry.place, Place::New), entry.rare_mut().begin.take());
        let messages = if applies_command { entry.take_command() } else { entry.take_messages(self.recovery.epoch) };
        if !is_new {
            self.resume(at, slot, messages, applies_command, out);
        } else if let Some(begin) = begin {
            let actor = self.move_to_actor(at, slot, out);
            out.actors.push((actor, ToActor::Begin(*begin)));
            for message in messages {
                self.tell(actor, slot, execution, message, out);
            }
        }
        self.mark_resumed(slot);
    }

    /// Gives an execution that only waited to a free actor, because of a message.
    pub(super) fn attach_for(&mut self, at: Time, slot: Slot, message: Message, out: &mut Outbox) {
        self.resume(at, slot, vec![message], false, out);
    }

    fn resume(&mut self, at: Time, slot: Slot, messages: Vec<Message>, applies_command: bool, out: &mut Outbox) {
        let Some(entry) = self.slots.get_mut(slot) else { return };
        if let Place::Parked(hosted) = std::mem::replace(&mut entry.place, Place::Reading) {
            let actor = self.move_to_actor(at, slot, out);
            out.actors.push((actor, ToActor::Resume(Resume { hosted, messages, applies_command })));
        }
    }

    /// The tasks of an execution are told to a free actor from now on.
    fn move_to_actor(&mut self, at: Time, slot: Slot, out: &mut Outbox) -> ActorNo {
        let actor = self.pool.attach(slot, at);
        if let Some(entry) = self.slots.get_mut(slot) {
            entry.place = Place::Actor(actor);
        }
        out.engine.push(ToEngine::Moved { slot, callback: Callback::Actor(actor) });
        actor
    }

    /// An actor gives an execution back that only waits.
    pub(super) fn detached(&mut self, at: Time, hosted: Box<Hosted>, out: &mut Outbox) {
        let slot = hosted.slot;
        let Some(entry) = self.slots.get_mut(slot) else { return };
        let Place::Actor(actor) = entry.place else { return };
        let detached = self.pool.detach(actor);
        let missing = detached.told.wrapping_sub(hosted.told);
        entry.place = Place::Parked(hosted);
        if let Some(rare) = entry.if_rare() {
            rare.applies_command = false;
        }
        self.has_left(at, slot, detached, missing, Vec::new(), out);
        if let Some(entry) = self.slots.get_mut(slot) {
            entry.trim();
        }
    }

    /// An execution is with no actor any more. What was in hand comes first, then messages that are on their way back, then
    /// those that come in now.
    pub(super) fn has_left(
        &mut self,
        at: Time,
        slot: Slot,
        detached: Detached,
        missing: u32,
        in_hand: Vec<Message>,
        out: &mut Outbox,
    ) {
        out.engine.push(ToEngine::Moved { slot, callback: Callback::Supervisor });
        if let Some(entry) = self.slots.get_mut(slot).filter(|_| missing > 0 || !in_hand.is_empty()) {
            let Detached { actor: from, attachment, .. } = detached;
            let come = in_hand.into_iter().filter(|message| !matches!(message.body, Body::Probe)).collect();
            entry.rare_mut().forwards = Some(Forwards { missing, come, since: at, from, attachment, marker: None });
            self.forwarding += 1;
        }
        if missing > 0 {
            return self.schedule(at, slot, out);
        }
        self.forwards_complete(at, slot, out);
    }

    /// Looks what is to be done next for an execution that no actor has.
    pub(super) fn schedule(&mut self, at: Time, slot: Slot, out: &mut Outbox) {
        match self.slots.get(slot) {
            Some(entry) if entry.is_quarantined() => self.serve_operators(at, slot, out),
            Some(entry) if entry.rare().is_some_and(|rare| rare.recovering && rare.queue.is_empty()) => {
                self.recovery.is_ready(slot);
            }
            Some(_) => self.want_actor(slot),
            None => {}
        }
    }

    /// An actor was sent something for an execution that it does not have.
    pub(super) fn forwarded(&mut self, at: Time, from: ActorNo, tell: Tell, out: &mut Outbox) {
        let Tell { slot, execution, attachment, message } = tell;
        let Some(entry) = self.slots.get(slot) else {
            // It has ended meanwhile: what is to be said about that is known by its id.
            return match message.body {
                Body::Input(_) | Body::Query => self.ask(at, Ask { execution, what: Question::Tell(message) }, out),
                Body::Reconcile | Body::Probe => {}
            };
        };
        let is_there = matches!(entry.place, Place::Actor(actor) if actor == from);
        if is_there && self.pool.get(from).is_some_and(|host| host.attachment == attachment) {
            // Had the actor given it back, that would have come before this.
            self.refold_lost(at, slot, out);
        }
        self.count_forward(at, slot, attachment, message, out);
    }

    /// Puts a message that came back before those that came in since.
    fn count_forward(&mut self, at: Time, slot: Slot, attachment: AttachmentNo, message: Message, out: &mut Outbox) {
        let Some(entry) = self.slots.get_mut(slot) else { return };
        let is_probe = matches!(message.body, Body::Probe);
        let forwards = entry.if_rare().and_then(|rare| rare.forwards.as_mut());
        let is_awaited =
            |forwards: &&mut Forwards| [Some(forwards.attachment), forwards.marker].contains(&Some(attachment));
        match forwards.filter(is_awaited) {
            Some(forwards) => {
                let is_last = forwards.marker == Some(attachment);
                forwards.missing = if is_last { 0 } else { forwards.missing.saturating_sub(1) };
                if !is_probe {
                    forwards.come.push_back(message);
                }
                if forwards.missing == 0 {
                    self.forwards_complete(at, slot, out);
                }
            }
            None if is_probe => {}
            None => self.deliver(at, slot, message, out),
        }
    }

    /// All messages that were on their way back have come, or are lost.
    pub(super) fn forwards_complete(&mut self, at: Time, slot: Slot, out: &mut Outbox) {
        let Some(entry) = self.slots.get_mut(slot) else { return };
        if let Some(rare) = entry.if_rare()
            && let Some(forwards) = rare.forwards.take()
        {
            self.forwarding -= 1;
            for message in forwards.come.into_iter().rev() {
                rare.queue.push_front(message);
            }
        }
        self.schedule(at, slot, out);
    }
}

impl ExecutionSlot {
    /// What it is told when it goes on.
    pub(super) fn take_messages(&mut self, epoch: Epoch) -> Vec<Message> {
        let Some(rare) = self.if_rare() else { return Vec::new() };
        let recovered = rare.recovered.take().map(|crashed| Message::tell(Input::Recovered { epoch, crashed }));
        let reconcile = std::mem::take(&mut rare.reconcile).then_some(Message { request: None, body: Body::Reconcile });
        recovered.into_iter().chain(rare.queue.drain(..)).chain(reconcile).collect()
    }

    /// The command of an operator that it is told although it is quarantined.
    fn take_command(&mut self) -> Vec<Message> {
        let rare = self.rare_mut();
        match rare.operators.pop_front() {
            Some(Operator::Command(message)) => {
                rare.applies_command = true;
                vec![message]
            }
            Some(other) => {
                rare.operators.push_front(other);
                Vec::new()
            }
            None => Vec::new(),
        }
    }
}
