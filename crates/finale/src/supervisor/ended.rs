//! What is kept of executions that ended, and the moment when everybody hears of it.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use finale_core::{Execution, ExecutionId, ExecutionStatus, Outcome, TaskId, Time};

use super::Supervisor;
use crate::completion::Completion;
use crate::handle::{CancelReceipt, CancelledTask};
use crate::observe;
use crate::shard::{Bound, Live, Shard};

/// Executions that ended and can still be asked about; the oldest are forgotten first.
pub(super) struct Archive {
    ended: BTreeMap<ExecutionId, Ended>,
    ended_max: usize,
}

/// What is kept of an execution that ended; everything else is read from its history.
pub(super) struct Ended {
    pub(super) bound: Rc<Bound>,
    pub(super) completion: Arc<Completion>,
    pub(super) outcome: Arc<Outcome>,
    pub(super) activated_by: Box<str>,
    pub(super) created_at: Time,
    pub(super) idempotency_key: Option<Box<str>>,
}

/// How many are forgotten at once, at most: in batches, so that the journal is not asked for each.
const FORGET_BATCH_MAX: usize = 64;

impl Archive {
    pub(super) fn new(ended_max: usize) -> Self {
        Self { ended: BTreeMap::new(), ended_max }
    }

    pub(super) fn get(&self, execution: ExecutionId) -> Option<&Ended> {
        self.ended.get(&execution)
    }

    pub(super) fn newest_first(&self, before: Option<ExecutionId>) -> impl Iterator<Item = (&ExecutionId, &Ended)> {
        use std::ops::Bound::{Excluded, Unbounded};
        self.ended.range((Unbounded, before.map_or(Unbounded, Excluded))).rev()
    }

    fn insert(&mut self, execution: ExecutionId, ended: Ended) -> Vec<(ExecutionId, Ended)> {
        self.ended.insert(execution, ended);
        if self.ended.len() <= self.ended_max {
            return Vec::new();
        }
        let batch = (self.ended_max / 64).clamp(1, FORGET_BATCH_MAX);
        (0..batch).filter_map(|_| self.ended.pop_first()).collect()
    }
}

impl Supervisor {
    /// Tells everybody that an execution has ended; it is durable, and nothing of it runs any more.
    pub(super) fn publish(&mut self, live: &Rc<Live>) {
        let Some(outcome) = live.read(|execution| execution.end_outcome(&live.bound.compiled)) else {
            return;
        };
        let outcome = Arc::new(outcome);
        live.published.set(outcome.status());
        self.shard.retire(live, outcome.status());
        self.close_one();
        answer_cancels(live, &outcome);
        observe::ended(live, &outcome);
        self.archive(live, &outcome);
        live.completion.end(live.id, outcome);
    }

    fn archive(&mut self, live: &Live, outcome: &Arc<Outcome>) {
        let ended = live.read(|execution| Ended::new(live, execution, outcome));
        let forgotten = self.archive.insert(live.id, ended);
        if forgotten.is_empty() {
            return;
        }
        let ids: Vec<_> = forgotten.iter().map(|(id, _)| *id).collect();
        for key in forgotten.into_iter().filter_map(|(_, ended)| ended.idempotency_key) {
            self.keys.forget(&key);
        }
        if let Err(error) = self.shard.journal.forget(&ids) {
            tracing::warn!(target: crate::telemetry::TARGET, %error, "ended executions could not be forgotten");
        }
    }
}

impl Ended {
    fn new(live: &Live, execution: &Execution, outcome: &Arc<Outcome>) -> Self {
        let activation = execution.activation();
        Self {
            bound: Rc::clone(&live.bound),
            completion: Arc::clone(&live.completion),
            outcome: Arc::clone(outcome),
            activated_by: activation.map(|activation| activation.by.clone()).unwrap_or_default(),
            created_at: execution.created_at(),
            idempotency_key: activation.and_then(|activation| activation.idempotency_key.clone()),
        }
    }
}

fn answer_cancels(live: &Live, outcome: &Outcome) {
    let waiting = live.if_extra(|extra| std::mem::take(&mut extra.cancels)).unwrap_or_default();
    for sender in waiting {
        // Whoever asked may have gone.
        let _ = sender.send(Ok(receipt(live, outcome)));
    }
}

fn receipt(live: &Live, outcome: &Outcome) -> CancelReceipt {
    let interrupted = live.read(Execution::interrupted).into_iter();
    let tasks = interrupted.map(|(dispatch, interruption)| CancelledTask {
        task: TaskId { execution: live.id, key: dispatch.key },
        node: live.bound.compiled.node(dispatch.key.node).id.clone(),
        fate: interruption.into(),
    });
    CancelReceipt { status: outcome.status(), completed_at: outcome.completed_at, tasks: tasks.collect() }
}

impl Shard {
    /// Takes an execution that has ended out of the way.
    fn retire(&self, live: &Live, status: ExecutionStatus) {
        self.directory.borrow_mut().remove(&live.id);
        let early = live.if_extra(|extra| {
            extra.subscribers.clear();
            std::mem::take(&mut extra.early)
        });
        for (_, _, reply) in early.into_iter().flatten() {
            self.give_early_place();
            reply.send(Err(finale_core::execution::Refused::AlreadyTerminal(status)));
        }
    }
}
