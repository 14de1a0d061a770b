//! The executions of the shard, by their slots.

use rustc_hash::FxHashMap;

use super::input::Registration;
use super::last_status::LastStatus;
use super::message::TaskUpdate;
use super::running::AtWork;
use crate::number::{Callback, Slot};

/// The registered executions.
#[derive(Clone, Debug, Default)]
pub(super) struct Slots(Vec<Option<SlotEntry>>);

/// One execution. The counts say whether the other tables must be searched for it.
#[derive(Clone, Debug)]
pub(super) struct SlotEntry {
    pub(super) slot: Slot,
    /// None while only a handler of the execution was adopted.
    pub(super) registration: Option<Registration>,
    pub(super) at_work: AtWork,
    /// Number of starts in the outbox that were not reported back yet.
    pub(super) starting: u32,
    pub(super) open: u32,
    pub(super) early: u32,
    pub(super) timers: u32,
    /// What its handlers have set last.
    pub(super) custom_status: Option<Box<LastStatus>>,
}

impl Slots {
    pub(super) fn get(&self, slot: Slot) -> Option<&SlotEntry> {
        self.0.get(slot.index())?.as_ref().filter(|entry| entry.slot == slot)
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut SlotEntry> {
        self.0.get_mut(slot.index())?.as_mut().filter(|entry| entry.slot == slot)
    }

    /// An earlier execution that still occupies the index of this slot.
    pub(super) fn predecessor(&self, slot: Slot) -> Option<Slot> {
        let entry = self.0.get(slot.index())?.as_ref()?;
        (entry.slot != slot).then_some(entry.slot)
    }

    /// The entry of a slot, created if missing. An earlier execution must have been removed.
    pub(super) fn occupy(&mut self, slot: Slot) -> &mut SlotEntry {
        if self.0.len() <= slot.index() {
            self.0.resize_with(slot.index() + 1, || None);
        }
        self.0[slot.index()].get_or_insert_with(|| SlotEntry {
            slot,
            registration: None,
            at_work: AtWork::default(),
            starting: 0,
            open: 0,
            early: 0,
            timers: 0,
            custom_status: None,
        })
    }

    /// Takes what handlers have set last, of all executions.
    pub(super) fn take_statuses(&mut self) -> FxHashMap<Slot, Box<LastStatus>> {
        let entries = self.0.iter_mut().flatten();
        entries.filter_map(|entry| Some((entry.slot, entry.custom_status.take()?))).collect()
    }

    pub(super) fn vacate(&mut self, slot: Slot) -> Option<SlotEntry> {
        self.get(slot)?;
        self.0[slot.index()].take()
    }
}

impl SlotEntry {
    /// The custom status that goes with an outcome of the execution: a message of its own may be lost, but a batch is kept
    /// until it was taken in.
    pub(super) fn last_status(&self) -> Option<TaskUpdate> {
        self.custom_status.as_deref().map(|status| status.update(self.slot))
    }

    /// The receiver of messages. The Supervisor knows an execution that is not registered again yet.
    pub(super) fn callback(&self) -> Callback {
        self.registration.as_ref().map_or(Callback::Supervisor, |registration| registration.callback)
    }
}
