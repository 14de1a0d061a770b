//! Executions come to actors and leave them.

use super::Supervisor;
use super::input::{Ask, Body, Hosted, Message, Question};
use super::outbox::{Outbox, Resume, Tell, ToActor, ToEngine};
use super::slots::{ExecutionSlot, Forwards, Operator, Place};
use crate::execution::Input;
use crate::id::Epoch;
use crate::number::{ActorNo, Callback, Slot};
use crate::time::Time;

impl Supervisor {
    /// Notes that an execution wants an actor, if there is something that only an actor can do for it.
    pub(super) fn want_actor(&mut self, slot: Slot) {
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
        let actor = self.pool.attach(slot, at);
        let execution = entry.execution;
        out.engine.push(ToEngine::Moved { slot, callback: Callback::Actor(actor) });
        match std::mem::replace(&mut entry.place, Place::Actor(actor)) {
            Place::Parked(hosted) => {
                let overruling = entry.is_quarantined();
                let messages = if overruling { entry.take_command() } else { entry.take_messages(self.recovery.epoch) };
                out.actors.push((actor, ToActor::Resume(Box::new(Resume { hosted: *hosted, messages, overruling }))));
            }
            _ => {
                let begin = entry.rare_mut().begin.take();
                out.actors.extend(begin.map(|begin| (actor, ToActor::Begin(*begin))));
                for message in entry.take_messages(self.recovery.epoch) {
                    self.tell(actor, Tell { slot, execution, message }, out);
                }
            }
        }
        self.has_gone_on(slot);
    }

    /// An actor gives an execution back that only waits.
    pub(super) fn detached(&mut self, at: Time, hosted: Box<Hosted>, out: &mut Outbox) {
        let slot = hosted.slot;
        let Some(entry) = self.slots.get_mut(slot) else { return };
        let Place::Actor(actor) = entry.place else { return };
        let missing = self.pool.detach(actor).wrapping_sub(hosted.told);
        entry.place = Place::Parked(hosted);
        if let Some(rare) = entry.if_rare() {
            rare.overruling = false;
        }
        self.has_left(at, slot, missing, out);
    }

    /// An execution is with no actor any more. Messages that are on their way back come before those that come in now.
    pub(super) fn has_left(&mut self, at: Time, slot: Slot, missing: u32, out: &mut Outbox) {
        out.engine.push(ToEngine::Moved { slot, callback: Callback::Supervisor });
        if missing > 0
            && let Some(entry) = self.slots.get_mut(slot)
        {
            entry.rare_mut().forwards = Some(Forwards { missing, come: Default::default(), since: at });
            self.forwarding += 1;
        }
        self.settle(at, slot, out);
    }

    /// Looks what is to be done next for an execution that no actor has.
    pub(super) fn settle(&mut self, at: Time, slot: Slot, out: &mut Outbox) {
        match self.slots.get(slot) {
            Some(entry) if entry.is_quarantined() => self.operate(at, slot, out),
            Some(entry) if entry.rare().is_some_and(|rare| rare.recovering && rare.queue.is_empty()) => {
                self.recovery.is_ready(slot);
            }
            Some(_) => self.want_actor(slot),
            None => {}
        }
    }

    /// An actor was sent something for an execution that it does not have.
    pub(super) fn forwarded(&mut self, at: Time, from: ActorNo, tell: Tell, out: &mut Outbox) {
        let Tell { slot, execution, message } = tell;
        let Some(entry) = self.slots.get_mut(slot) else {
            // It has ended meanwhile: what is to be said about that is known by its id.
            return match message.body {
                Body::Input(_) | Body::Query => self.ask(at, Ask { execution, what: Question::Tell(message) }, out),
                Body::Reconcile | Body::Probe(_) => {}
            };
        };
        let is_there = matches!(entry.place, Place::Actor(actor) if actor == from);
        if let Body::Probe(attachment) = message.body {
            let is_lost = is_there && self.pool.get(from).is_some_and(|host| host.attachment == attachment);
            self.count_forward(at, slot, None, out);
            if is_lost {
                self.lost(at, slot, out);
            }
            return;
        }
        self.count_forward(at, slot, Some(message), out);
    }

    /// Puts a message that came back before those that came in since.
    fn count_forward(&mut self, at: Time, slot: Slot, message: Option<Message>, out: &mut Outbox) {
        let Some(entry) = self.slots.get_mut(slot) else { return };
        match &mut entry.rare_mut().forwards {
            Some(forwards) => {
                forwards.missing = forwards.missing.saturating_sub(1);
                forwards.come.extend(message);
                if forwards.missing == 0 {
                    self.forwards_complete(at, slot, out);
                }
            }
            None => message.into_iter().for_each(|message| self.deliver(slot, message, out)),
        }
    }

    /// All messages that were on their way back have come, or are not waited for any more.
    pub(super) fn forwards_complete(&mut self, at: Time, slot: Slot, out: &mut Outbox) {
        let Some(entry) = self.slots.get_mut(slot) else { return };
        let rare = entry.rare_mut();
        let Some(forwards) = rare.forwards.take() else { return };
        for message in forwards.come.into_iter().rev() {
            rare.queue.push_front(message);
        }
        self.forwarding -= 1;
        self.settle(at, slot, out);
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
                rare.overruling = true;
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
