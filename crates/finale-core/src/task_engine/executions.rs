//! Registration of executions, and adoption of their handlers after a rebuild.

use super::TaskEngine;
use super::input::{Adopted, AdoptedState, Registration};
use super::options::TaskNode;
use super::outbox::{EarlyAnswer, Outbox};
use super::running::{Permits, RunningHandler};
use super::timers::Due;
use crate::id::{TaskId, WorkKey};
use crate::number::{Callback, DefinitionNo, Slot};
use crate::time::Time;

impl TaskEngine {
    pub(super) fn define(&mut self, definition: DefinitionNo, nodes: Box<[TaskNode]>) {
        let index = definition.0 as usize;
        if self.definitions.len() <= index {
            self.definitions.resize_with(index + 1, Box::default);
        }
        self.definitions[index] = nodes;
    }

    /// Registers an execution, or changes its callback.
    pub(super) fn register(&mut self, at: Time, registration: Registration, out: &mut Outbox) {
        let slot = registration.slot;
        self.evict_predecessor(slot, out);
        let entry = self.slots.occupy(slot);
        let adopted = entry.registration.is_none() && self.running.of(&entry.at_work).next().is_some();
        entry.registration = Some(registration);
        if let Some(status) = self.statuses.remove(&slot) {
            entry.custom_status.get_or_insert(status);
        }
        if adopted {
            self.limit_adopted(at, slot);
        }
    }

    pub(super) fn moved(&mut self, slot: Slot, callback: Callback) {
        let entry = self.slots.get_mut(slot);
        if let Some(registration) = entry.and_then(|entry| entry.registration.as_mut()) {
            registration.callback = callback;
        }
    }

    /// Drops everything of an execution that has ended, and answers its early reports.
    pub(super) fn deregister(&mut self, slot: Slot, answer: EarlyAnswer, out: &mut Outbox) {
        let Some(entry) = self.slots.get(slot) else { return };
        let early = entry.early > 0;
        self.drop_all(slot, out);
        if early {
            self.answer_early(slot, answer, out);
        }
        self.slots.vacate(slot);
        self.statuses.remove(&slot);
        self.begin_waiting(out);
        self.look_whether_drained(out);
    }

    /// An index is reused only after its execution has ended, so a remaining entry means that the end was missed.
    fn evict_predecessor(&mut self, slot: Slot, out: &mut Outbox) {
        if let Some(predecessor) = self.slots.predecessor(slot) {
            self.deregister(predecessor, EarlyAnswer::Unknown, out);
        }
    }

    /// Takes over a handler that was running when the state of the predecessor was lost.
    pub(super) fn adopt(&mut self, at: Time, adopted: Adopted, out: &mut Outbox) {
        let Adopted { attempt, started, future, state } = adopted;
        let own = self.options.own_limit(attempt.handler);
        let holds = matches!(state, AdoptedState::Working | AdoptedState::Stopping | AdoptedState::Leaked);
        if holds {
            self.limiter.take_anyway(own);
        }
        let permits = if holds { Permits::Held } else { Permits::Released };
        let mut handler = RunningHandler::new(attempt, started, permits);
        if state == AdoptedState::Leaked {
            return self.running.insert_leaked(future, handler);
        }
        self.evict_predecessor(attempt.slot, out);
        if state == AdoptedState::Stopping {
            handler.stopping = true;
            handler.timer = Some(self.timers.add(at.after(self.options.grace), Due::Grace(future)));
        }
        let entry = self.slots.occupy(attempt.slot);
        let registered = entry.registration.is_some();
        self.running.insert(future, handler, &mut entry.at_work);
        if registered {
            self.limit_adopted(at, attempt.slot);
        }
        if state == AdoptedState::Resuming {
            // Its turn comes with the next message: handlers that are adopted after it hold permits already.
            self.limiter.enqueue_resume(own, future);
            self.running.set_permits(future, Permits::Awaited);
        }
    }

    /// Arms the time limits of adopted handlers, counted from their beginnings.
    fn limit_adopted(&mut self, at: Time, slot: Slot) {
        let Some(entry) = self.slots.get(slot) else { return };
        let at_work: Vec<_> = self.running.of(&entry.at_work).collect();
        for future in at_work {
            let Some(handler) = self.running.get(future).filter(|handler| handler.timer.is_none()) else { continue };
            let node = self.node(slot, handler.attempt.dispatch).copied().unwrap_or_default();
            let due = node.attempt_max.map(|limit| handler.started.after(limit));
            // When it last said something is not known any more: it is taken to be now.
            let silence = node.silence_max.map(|max| self.timers.add(at.after(max), Due::Silence(future)));
            let timer = due.map(|due| self.timers.add(due, Due::AttemptLimit(future)));
            if let Some(handler) = self.running.get_mut(future) {
                handler.timer = timer;
                let earlier = std::mem::replace(&mut handler.silence, silence);
                earlier.into_iter().for_each(|timer| self.timers.cancel(timer));
            }
        }
    }
}

impl Registration {
    /// The id of a task of the execution.
    pub(super) fn task_id(&self, key: WorkKey) -> TaskId {
        TaskId { execution: self.execution, key }
    }
}
