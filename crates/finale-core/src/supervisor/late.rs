//! What came too late, twice or for nothing: kept to be looked at, never part of a history.

use std::collections::VecDeque;

use crate::id::ExecutionId;
use crate::time::Time;

/// Something that changed nothing, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LateEvent {
    /// Which execution it was about.
    pub execution: ExecutionId,
    /// When it came.
    pub at: Time,
    /// What it was.
    pub what: LateKind,
    /// Why it changed nothing, in words.
    pub reason: Box<str>,
}

/// What kind of thing came late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LateKind {
    /// The outcome of a handler.
    Outcome,
    /// A report on a task from outside.
    Report,
    /// How far a handler has stopped.
    Stopped,
    /// A verdict.
    Verdict,
    /// A signal.
    Signal,
}

impl LateKind {
    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Outcome => "outcome of a handler",
            Self::Report => "report on a task",
            Self::Stopped => "report of a stopped handler",
            Self::Verdict => "verdict",
            Self::Signal => "signal",
        }
    }
}

/// The newest late events of a shard.
#[derive(Clone, Debug, Default)]
pub(super) struct LateEvents {
    events: VecDeque<LateEvent>,
    events_max: usize,
}

impl LateEvents {
    pub(super) fn new(events_max: usize) -> Self {
        Self { events: VecDeque::new(), events_max }
    }

    pub(super) fn note(&mut self, event: LateEvent) {
        self.events.push_back(event);
        if self.events.len() > self.events_max {
            self.events.pop_front();
        }
    }

    /// Those of an execution, oldest first.
    pub(super) fn of(&self, execution: ExecutionId) -> impl Iterator<Item = &LateEvent> {
        self.events.iter().filter(move |event| event.execution == execution)
    }
}
