//! What belongs to executions and is not their state, and how it travels with them.

use std::sync::Arc;

use finale_core::ExecutionId;
use finale_core::number::Slot;
use finale_core::supervisor::{Acknowledge, Begin};

use crate::actors::messages::{ForEngine, Side};
use crate::actors::requests::Waiting;
use crate::completion::Completion;
use crate::observe;

use super::Supervisor;

impl Supervisor {
    /// What belongs to an execution that begins.
    pub(super) fn new_side(&mut self, begin: &Begin) -> Side {
        if let Some(side) = self.sides.get_mut(begin.slot.index()).and_then(Option::take) {
            // It is begun again: its actor has given it back before anything of it was recorded.
            return side;
        }
        let completion = match begin.acknowledge {
            Acknowledge::Request(request) => match self.requests.take(request) {
                Some(Waiting::Activation(mut waiting)) => {
                    if let Some(span) = waiting.pledge.take_span() {
                        observe::identify(&span, begin.execution);
                        self.engine.put(ForEngine::Span(begin.slot, span));
                    }
                    waiting.pledge.redeem()
                }
                _ => Arc::default(),
            },
            // Whoever asks with the same key finds it by its id.
            Acknowledge::Supervisor => {
                let completion = Arc::<Completion>::default();
                self.shared.directory.open(begin.execution, &completion);
                completion
            }
            Acknowledge::Nobody => Arc::default(),
        };
        Side::new(completion)
    }

    /// What belongs to a parked execution; it goes with it to its actor.
    pub(super) fn take_side(&mut self, slot: Slot, execution: ExecutionId) -> Side {
        let side = self.sides.get_mut(slot.index()).and_then(Option::take);
        side.unwrap_or_else(|| self.found_side(execution))
    }

    /// What belongs to an execution that another runtime began.
    pub(super) fn found_side(&mut self, execution: ExecutionId) -> Side {
        let directory = &self.shared.directory;
        let completion = match self.unreadable.remove(&execution) {
            Some(completion) => {
                directory.open(execution, &completion);
                completion
            }
            None => directory.found(execution),
        };
        if self.shared.port.error().is_some() {
            completion.abandon();
        }
        Side::new(completion)
    }

    pub(super) fn put_side(&mut self, slot: Slot, side: Side) {
        if self.sides.len() <= slot.index() {
            self.sides.resize_with(slot.index() + 1, || None);
        }
        self.sides[slot.index()] = Some(side);
    }
}
