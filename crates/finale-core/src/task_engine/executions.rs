//! Which executions there are, and who has them.

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

    /// Notes an execution and its callback. What is under way for it already, after a rebuild, is kept.
    pub(super) fn register(&mut self, registration: Registration, out: &mut Outbox) {
        let slot = registration.slot;
        self.evict_predecessor(slot, out);
        let entry = self.slots.occupy(slot);
        let adopted = entry.registration.is_none() && self.running.of(entry).next().is_some();
        entry.registration = Some(registration);
        if adopted {
            self.limit_adopted(slot);
        }
    }

    pub(super) fn moved(&mut self, slot: Slot, callback: Callback) {
        let entry = self.slots.get_mut(slot);
        if let Some(registration) = entry.and_then(|entry| entry.registration.as_mut()) {
            registration.callback = callback;
        }
    }

    /// Drops everything of an execution that has ended, and answers those whose reports were kept.
    pub(super) fn deregister(&mut self, slot: Slot, answer: EarlyAnswer, out: &mut Outbox) {
        let Some(entry) = self.slots.get(slot) else { return };
        let early = entry.early > 0;
        self.drop_all(slot, out);
        if early {
            self.answer_early(slot, answer, out);
        }
        self.slots.vacate(slot);
        self.begin_waiting(out);
        self.look_whether_drained(out);
    }

    /// An index is given again only after the end of whoever had it, so an entry that is still there was missed.
    fn evict_predecessor(&mut self, slot: Slot, out: &mut Outbox) {
        if let Some(predecessor) = self.slots.predecessor(slot) {
            self.deregister(predecessor, EarlyAnswer::Unknown, out);
        }
    }

    /// Takes over a handler that was at work when the state before this one was lost.
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
        self.running.insert(future, handler, entry);
        if registered {
            self.limit_adopted(attempt.slot);
        }
        if state == AdoptedState::Resuming {
            self.resumed(future, out);
        }
    }

    /// Arms the time limits of handlers that were adopted. They began with the handlers.
    fn limit_adopted(&mut self, slot: Slot) {
        let Some(entry) = self.slots.get(slot) else { return };
        let at_work: Vec<_> = self.running.of(entry).collect();
        for future in at_work {
            let Some(handler) = self.running.get(future).filter(|handler| handler.timer.is_none()) else { continue };
            let limit = self.node(slot, handler.attempt.dispatch).and_then(|node| node.attempt_max);
            let due = limit.map(|limit| handler.started.after(limit));
            let timer = due.map(|due| self.timers.add(due, Due::AttemptLimit(future)));
            if let Some(handler) = self.running.get_mut(future) {
                handler.timer = timer;
            }
        }
    }
}

impl Registration {
    /// The name of one of its tasks.
    pub(super) fn task_id(&self, key: WorkKey) -> TaskId {
        TaskId { execution: self.execution, key }
    }
}
