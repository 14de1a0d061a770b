//! The table of slots, and the directory from ids to slots.

use super::message::{AttachmentNo, Begin, Hosted, Message};
use super::waiting::Asker;
use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use crate::id::ExecutionId;
use crate::number::{ActorNo, DefinitionNo, RequestId, Slot};
use crate::payload::Payload;
use crate::time::Time;

/// The executions of a shard that have a slot.
#[derive(Debug, Default)]
pub(super) struct Slots {
    entries: Vec<ExecutionSlot>,
    /// Indices of vacant entries; the last one is given first, because it is the warmest.
    vacant: Vec<u32>,
    directory: FxHashMap<ExecutionId, Slot>,
}

/// What the supervisor knows of an execution.
#[derive(Debug)]
pub(super) struct ExecutionSlot {
    pub(super) slot: Slot,
    pub(super) execution: ExecutionId,
    pub(super) definition: DefinitionNo,
    /// What it was given; kept because a task engine that was built again must know it.
    pub(super) input: Payload,
    pub(super) place: Place,
    /// What few executions need.
    rare: Option<Box<Rare>>,
}

/// Where an execution is.
#[derive(Debug)]
pub(super) enum Place {
    /// There is none in this slot.
    Vacant,
    /// Nothing of it is recorded: it is to begin with what is in [`Rare::begin`].
    New,
    /// An actor has it.
    Actor(ActorNo),
    /// It is here, as a plain value.
    Parked(Box<Hosted>),
    /// Its history is to be read, and the read is asked for.
    Reading,
    /// In the journal alone: it is quarantined because its history cannot be read, for this reason.
    Unreadable(Box<str>),
}

/// What few executions need.
#[derive(Debug, Default)]
pub(super) struct Rare {
    /// Messages for it, oldest first.
    pub(super) queue: VecDeque<Message>,
    /// Messages that its last actor got too late and forwards; those in the queue wait for them.
    pub(super) forwards: Option<Forwards>,
    /// What operators want of it while it is quarantined, oldest first.
    pub(super) operators: VecDeque<Operator>,
    /// Whether it is in the queue of those that want an actor.
    pub(super) wants_actor: bool,
    /// Whether it was found at the start and has not gone on yet.
    pub(super) recovering: bool,
    /// Whether it must get `Recovered` first; the value says whether its process crashed.
    pub(super) recovered: Option<bool>,
    /// Whether what is under way for it is to be compared with what must be.
    pub(super) reconcile: bool,
    /// Whether its actor has it for the command of an operator alone.
    pub(super) applies_command: bool,
    /// Why it is quarantined.
    pub(super) quarantine: Option<Box<str>>,
    /// A handler that it needs and that is not registered.
    pub(super) missing_handler: Option<Box<str>>,
    /// When its state machine panicked.
    pub(super) deaths: VecDeque<Time>,
    /// Who else than its actor is to tell that it has begun.
    pub(super) asker: Asker,
    /// The idempotency key that is held for it here.
    pub(super) key: Option<Box<str>>,
    /// How it begins, as long as nothing of it is recorded and no actor has it.
    pub(super) begin: Option<Box<Begin>>,
    /// Those who wait for the end of a cancellation, as long as there is no plain value.
    pub(super) cancels: Vec<RequestId>,
}

impl Rare {
    fn is_empty(&self) -> bool {
        let Self {
            queue, forwards, operators, quarantine, missing_handler, deaths, asker, key, begin, cancels, ..
        } = self;
        let has_flag = self.wants_actor || self.recovering || self.reconcile || self.applies_command;
        let holds_messages = !queue.is_empty() || forwards.is_some() || !operators.is_empty() || !cancels.is_empty();
        let is_held = quarantine.is_some() || missing_handler.is_some() || !deaths.is_empty();
        let is_beginning = *asker != Asker::Nobody || key.is_some() || begin.is_some() || self.recovered.is_some();
        !(has_flag || holds_messages || is_held || is_beginning)
    }
}

/// Messages that are on their way back.
#[derive(Debug)]
pub(super) struct Forwards {
    /// How many have not come.
    pub(super) missing: u32,
    /// Those that have come.
    pub(super) come: VecDeque<Message>,
    /// Since when they are waited for.
    pub(super) since: Time,
    /// The actor that forwards them.
    pub(super) from: ActorNo,
    /// The attachment to it that they were sent for.
    pub(super) attachment: AttachmentNo,
    /// What was sent after them, because they are late: when it comes back, nothing else does.
    pub(super) marker: Option<AttachmentNo>,
}

/// What an operator wants of a quarantined execution.
#[derive(Debug)]
pub(super) enum Operator {
    /// Release it.
    Release(Option<RequestId>),
    /// Tell it a command.
    Command(Message),
}

impl ExecutionSlot {
    pub(super) fn rare(&self) -> Option<&Rare> {
        self.rare.as_deref()
    }

    pub(super) fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Like [`rare_mut`](Self::rare_mut), for those that have it already.
    pub(super) fn if_rare(&mut self) -> Option<&mut Rare> {
        self.rare.as_deref_mut()
    }

    pub(super) fn is_quarantined(&self) -> bool {
        self.rare().is_some_and(|rare| rare.quarantine.is_some())
    }

    /// How many messages wait in its queue.
    pub(super) fn queued(&self) -> usize {
        self.rare().map_or(0, |rare| rare.queue.len())
    }

    /// Gives back the room for what few executions need, if it is not needed any more.
    pub(super) fn trim(&mut self) {
        if self.rare().is_some_and(Rare::is_empty) {
            self.rare = None;
        }
    }

    /// Whether messages for it must wait in its queue although an actor has it.
    pub(super) fn holds_messages_back(&self) -> bool {
        self.rare().is_some_and(|rare| rare.applies_command || rare.forwards.is_some())
    }

    /// Whether it is a plain value that was recovered and only waits: nothing but the task engine must know of it.
    pub(super) fn only_reconciles(&self) -> bool {
        let Some(rare) = self.rare() else { return false };
        let only = rare.recovering && rare.reconcile && rare.recovered.is_none() && rare.queue.is_empty();
        only && matches!(self.place, Place::Parked(_)) && rare.quarantine.is_none() && rare.forwards.is_none()
    }

    /// Whether there is something that only an actor can do for it.
    pub(super) fn needs_actor(&self) -> bool {
        let Some(rare) = self.rare() else { return false };
        match self.place {
            _ if rare.forwards.is_some() => false,
            Place::Parked(_) if rare.quarantine.is_some() => {
                matches!(rare.operators.front(), Some(Operator::Command(_)))
            }
            Place::Parked(_) => !rare.queue.is_empty() || rare.reconcile || rare.recovered.is_some(),
            Place::New => true,
            _ => false,
        }
    }
}

impl Slots {
    /// Gives a slot to an execution.
    pub(super) fn insert(
        &mut self,
        execution: ExecutionId,
        definition: DefinitionNo,
        input: Payload,
        place: Place,
    ) -> Slot {
        let slot = match self.vacant.pop() {
            Some(index) => {
                let entry = &mut self.entries[index as usize];
                let slot = entry.slot;
                *entry = ExecutionSlot { slot, execution, definition, input, place, rare: None };
                slot
            }
            None => {
                let slot = Slot::new(self.entries.len() as u32);
                self.entries.push(ExecutionSlot { slot, execution, definition, input, place, rare: None });
                slot
            }
        };
        self.directory.insert(execution, slot);
        slot
    }

    /// Takes an execution out of its slot; gives what few executions have. The slot's next life is another slot.
    pub(super) fn remove(&mut self, slot: Slot) -> Option<Box<Rare>> {
        let entry = self.get_mut(slot)?;
        let (execution, rare) = (entry.execution, entry.rare.take());
        (entry.place, entry.input, entry.slot) = (Place::Vacant, Payload::NULL, slot.next_life());
        self.directory.remove(&execution);
        self.vacant.push(slot.index() as u32);
        rare
    }

    pub(super) fn get(&self, slot: Slot) -> Option<&ExecutionSlot> {
        self.entries.get(slot.index()).filter(|entry| entry.slot == slot && !matches!(entry.place, Place::Vacant))
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut ExecutionSlot> {
        let entry = self.entries.get_mut(slot.index())?;
        (entry.slot == slot && !matches!(entry.place, Place::Vacant)).then_some(entry)
    }

    pub(super) fn find(&self, execution: ExecutionId) -> Option<Slot> {
        self.directory.get(&execution).copied()
    }

    /// All executions, in the order of their slots.
    pub(super) fn iter(&self) -> impl Iterator<Item = &ExecutionSlot> {
        self.entries.iter().filter(|entry| !matches!(entry.place, Place::Vacant))
    }

    /// All slots that have an execution, in their order.
    pub(super) fn all(&self) -> Vec<Slot> {
        self.iter().map(|entry| entry.slot).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len() - self.vacant.len()
    }

    /// Makes the directory and the list of vacant slots anew.
    pub(super) fn rebuild(&mut self) {
        self.directory = self.iter().map(|entry| (entry.execution, entry.slot)).collect();
        let vacant =
            |(index, entry): (usize, &ExecutionSlot)| matches!(entry.place, Place::Vacant).then_some(index as u32);
        self.vacant = self.entries.iter().enumerate().filter_map(vacant).collect();
    }
}
