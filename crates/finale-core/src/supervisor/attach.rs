//! Attaching executions to actors, and taking them back.

use super::Supervisor;
use super::input::{Ask, Question};
use super::message::{AttachmentNo, Body, Hosted, Message, Tell};
use super::outbox::{Outbox, Resume, ToActor, ToEngine};
use super::pool::{ActorFor, Detached};
use super::slots::{ExecutionSlot, Forwards, Operator, Place};
use crate::execution::Input;
use crate::id::Epoch;
use crate::number::{ActorNo, Callback, Slot};
use crate::time::Time;

impl Supervisor {
    /// Queues an execution for an actor if it needs one.
    pub(super) fn want_actor(&mut self, slot: Slot) {
        if self.failure.is_some() {
            return;
        }
        let Some(entry) = self.slots.get_mut(slot).filter(|entry| entry.needs_actor()) else { return };
        if !std::mem::replace(&mut entry.rare_mut().wants_actor, true) {
            self.wanting.push_back(slot);
        }
    }

    /// Attaches an execution to a free actor, if it still needs one.
    pub(super) fn attach(&mut self, at: Time, slot: Slot, actor_for: ActorFor, out: &mut Outbox) {
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
            self.resume(at, slot, (messages, applies_command), actor_for, out);
        } else if let Some(begin) = begin {
            let actor = self.move_to_actor(at, slot, actor_for, out);
            out.actors.push((actor, ToActor::Begin(begin)));
            for message in messages {
                self.tell(actor, slot, execution, message, out);
            }
        }
        self.mark_resumed(slot);
    }

    /// Attaches a parked execution to a free actor to deliver one message.
    pub(super) fn attach_for(&mut self, at: Time, slot: Slot, message: Message, out: &mut Outbox) {
        self.resume(at, slot, (vec![message], false), ActorFor::Work, out);
    }

    fn resume(
        &mut self,
        at: Time,
        slot: Slot,
        (mut messages, applies_command): (Vec<Message>, bool),
        actor_for: ActorFor,
        out: &mut Outbox,
    ) {
        if let Some(index) = out.reconciles.iter().position(|other| *other == slot) {
            // It is no plain value any more when that is carried out.
            out.reconciles.swap_remove(index);
            messages.push(Message { request: None, body: Body::Reconcile });
        }
        let Some(entry) = self.slots.get_mut(slot) else { return };
        if let Place::Parked(hosted) = std::mem::replace(&mut entry.place, Place::Reading) {
            let actor = self.move_to_actor(at, slot, actor_for, out);
            out.actors.push((actor, ToActor::Resume(Resume { hosted, messages, applies_command })));
        }
    }

    /// Assigns a free actor to the execution, and makes it the callback.
    fn move_to_actor(&mut self, at: Time, slot: Slot, actor_for: ActorFor, out: &mut Outbox) -> ActorNo {
        let actor = self.pool.attach(slot, at, actor_for);
        if let Some(entry) = self.slots.get_mut(slot) {
            entry.place = Place::Actor(actor);
        }
        out.engine.push(ToEngine::Moved { slot, callback: Callback::Actor(actor) });
        actor
    }

    /// Parks an execution that its actor gave back.
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

    /// Handles that an execution has left its actor. Messages keep their order: first those in hand, then those that the actor
    /// forwards, then those that arrive now.
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

    /// Queues an execution without an actor for whatever it needs next.
    pub(super) fn schedule(&mut self, at: Time, slot: Slot, out: &mut Outbox) {
        match self.slots.get(slot) {
            Some(entry) if entry.is_quarantined() => self.serve_operators(at, slot, out),
            Some(entry) if entry.rare().is_some_and(|rare| rare.recovering && rare.queue.is_empty()) => {
                self.recovery.is_ready(entry);
            }
            Some(_) => self.want_actor(slot),
            None => {}
        }
    }

    /// Handles a message that an actor forwarded because it does not host the execution.
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
            self.refold_lost(at, slot, true, out);
        }
        self.count_forward(at, slot, attachment, message, out);
    }

    /// Puts a forwarded message before those that arrived after it was sent.
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

    /// Ends the wait for forwarded messages: all have arrived, or are lost.
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
    /// Takes the messages for the next attachment, in order: the recovery, the queue, the reconciliation.
    pub(super) fn take_messages(&mut self, epoch: Epoch) -> Vec<Message> {
        let Some(rare) = self.if_rare() else { return Vec::new() };
        let recovered = rare.recovered.take().map(|crashed| Message::tell(Input::Recovered { epoch, crashed }));
        let reconcile = std::mem::take(&mut rare.reconcile).then_some(Message { request: None, body: Body::Reconcile });
        recovered.into_iter().chain(rare.queue.drain(..)).chain(reconcile).collect()
    }

    /// Takes the operator command that is applied although the execution is quarantined.
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
