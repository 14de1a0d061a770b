//! The ledger of what came too late, twice or for nothing: kept beside the history, never part of it.

use std::collections::VecDeque;
use std::rc::Rc;

use finale_core::execution::{Input, Refused};
use finale_core::{ExecutionId, ExecutionStatus, Time, WorkKey};
use serde::Serialize;

use crate::observe;
use crate::shard::{EarlyReport, Live, Mail, Reply, Shard};

/// Something that changed nothing, and why; from [`Runtime::late_events`](crate::Runtime::late_events).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LateEvent {
    /// Which execution it was about.
    pub execution: ExecutionId,
    /// When it came.
    pub at: Time,
    /// What it was: `outcome of a handler`, `report on a task`, `report of a stopped handler` or `verdict`.
    pub what: &'static str,
    /// Why it changed nothing, in words.
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
        self.events.push_back(event);
        if self.events.len() > self.events_max {
            self.events.pop_front();
        }
    }
}

impl Shard {
    /// What is noted of an outcome that changed nothing; refused commands are answered and noted nowhere.
    pub(crate) fn late_event(&self, execution: ExecutionId, input: &Input, refused: &Refused) -> Option<LateEvent> {
        let what = match input {
            Input::Outcome { .. } => "outcome of a handler",
            Input::Reported(_) => "report on a task",
            Input::Stopped { .. } => "report of a stopped handler",
            Input::Verdict { .. } => "verdict",
            _ => return None,
        };
        Some(LateEvent { execution, at: self.clock.now(), what, reason: refused.to_string() })
    }

    pub(crate) fn note_late_event(&self, execution: ExecutionId, what: &'static str, reason: String) {
        self.note_late(LateEvent { execution, at: self.clock.now(), what, reason });
    }

    pub(crate) fn note_late(&self, event: LateEvent) {
        observe::late(&event);
        self.ledger.borrow_mut().push(event);
    }

    /// Keeps a report whose task was not asked for yet, if there is room.
    pub(crate) fn keep_early(&self, live: &Live, input: Input, reply: Reply) {
        let Input::Reported(report) = input else {
            return;
        };
        if !self.take_early_place() {
            return reply.saturated(self.options.limits.early_outcomes_max);
        }
        live.extra(|extra| extra.early.push((report, reply)));
    }

    /// Takes a place for an early report; false if there is none.
    pub(crate) fn take_early_place(&self) -> bool {
        let free = self.early.get() < self.options.share(self.options.limits.early_outcomes_max);
        self.early.set(self.early.get() + usize::from(free));
        free
    }

    pub(crate) fn give_early_place(&self) {
        self.early.set(self.early.get() - 1);
    }

    /// Delivers the early reports on tasks that will never be asked for, so that their senders hear of it.
    pub(crate) fn answer_settled_early(self: &Rc<Self>, live: &Rc<Live>) {
        // Those that the end goes past hear of the end.
        if live.published.get() != ExecutionStatus::Running {
            return;
        }
        let settled = |key: WorkKey| live.read(|execution| execution.node_status(key)?.is_settled().then_some(()));
        for (report, reply) in self.take_early(live, |key| settled(key).is_some()) {
            self.deliver(live, Mail::Tell(Input::Reported(report), Some(reply)));
        }
    }

    /// Takes the early reports on these tasks out of where they are kept.
    pub(crate) fn take_early(&self, live: &Live, which: impl Fn(WorkKey) -> bool) -> Vec<EarlyReport> {
        let taken =
            live.if_extra(|extra| extra.early.extract_if(.., |(report, _)| which(report.key)).collect::<Vec<_>>());
        let taken = taken.unwrap_or_default();
        taken.iter().for_each(|_| self.give_early_place());
        taken
    }
}
