//! The ledger of what came too late, twice or for nothing: kept beside the history, never part of it.

use std::collections::VecDeque;

use finale_core::execution::{Input, Refused};
use finale_core::{ExecutionId, Time};
use serde::Serialize;

use crate::observe;
use crate::shard::{Live, Reply, Shard};

/// Something that changed nothing, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LateEvent {
    /// Which execution it was about.
    pub execution: ExecutionId,
    /// When it came.
    pub at: Time,
    /// What it was.
    pub what: &'static str,
    /// Why it changed nothing.
    pub reason: String,
}

/// The newest late events of one shard.
#[derive(Debug)]
pub(crate) struct Ledger {
    events: VecDeque<LateEvent>,
    events_max: usize,
}

impl Ledger {
    pub(crate) fn new(events_max: usize) -> Self {
        Self { events: VecDeque::new(), events_max }
    }

    pub(crate) fn of(&self, execution: ExecutionId) -> Vec<LateEvent> {
        self.events.iter().filter(|event| event.execution == execution).cloned().collect()
    }

    fn push(&mut self, event: LateEvent) {
        if self.events.len() >= self.events_max {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }
}

impl Shard {
    /// Notes an outcome that changed nothing; refused commands are answered and noted nowhere.
    pub(crate) fn note_late(&self, execution: ExecutionId, input: &Input, refused: &Refused) {
        let what = match input {
            Input::Outcome { .. } => "outcome of a handler",
            Input::Reported { .. } => "report on a task",
            Input::Stopped { .. } => "report of a stopped handler",
            Input::Verdict { .. } => "verdict",
            _ => return,
        };
        self.note_late_event(execution, what, refused.to_string());
    }

    pub(crate) fn note_late_event(&self, execution: ExecutionId, what: &'static str, reason: String) {
        let event = LateEvent { execution, at: self.clock.now(), what, reason };
        observe::late(&event);
        self.ledger.borrow_mut().push(event);
    }

    /// Keeps a report whose task was not asked for yet, if there is room.
    pub(crate) fn keep_early(&self, live: &Live, input: Input, reply: Reply) {
        let Input::Reported { key, result } = input else {
            return;
        };
        let early_max = self.options.share(self.options.limits.early_outcomes_max);
        if self.early.get() >= early_max {
            return reply.saturated(self.options.limits.early_outcomes_max);
        }
        self.early.set(self.early.get() + 1);
        live.extra(|extra| extra.early.push((key, result, reply)));
    }
}
