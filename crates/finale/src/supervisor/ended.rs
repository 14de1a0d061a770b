//! What is kept of executions that ended, and the moment when everybody hears of it.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use finale_core::{Execution, ExecutionId, ExecutionStatus, Outcome, TaskId};
use finale_journal::Summary;

use super::Supervisor;
use super::keys::Keyed;
use super::unreadable::declared_failed;
use crate::completion::Completion;
use crate::errors::CommandError;
use crate::handle::{CancelReceipt, CancelledTask};
use crate::observe;
use crate::shard::{Bound, Live, Shard};

/// The newest executions that ended, so that they need not be read from the journal.
pub(super) struct Archive {
    ended: BTreeMap<ExecutionId, Rc<Ended>>,
    ended_max: usize,
}

/// What is kept in memory of an execution that ended; everything else is read from its history.
pub(super) struct Ended {
    /// None if its definition or its history cannot be read.
    pub(super) bound: Option<Rc<Bound>>,
    pub(super) completion: Arc<Completion>,
    pub(super) outcome: Arc<Outcome>,
    /// The idempotency key it was activated with, if it was with one.
    pub(super) keyed: Option<(Box<str>, Keyed)>,
}

/// How many are dropped at once, at most.
const DROPPED_MAX: usize = 64;

impl Archive {
    pub(super) fn new(ended_max: usize) -> Self {
        Self { ended: BTreeMap::new(), ended_max }
    }

    pub(super) fn get(&self, execution: ExecutionId) -> Option<&Rc<Ended>> {
        self.ended.get(&execution)
    }

    /// Drops an execution; gives the idempotency key that nothing in memory stands for any more.
    pub(super) fn remove(&mut self, execution: ExecutionId) -> Option<Box<str>> {
        self.ended.remove(&execution)?.keyed.as_ref().map(|(key, _)| key.clone())
    }

    /// Keeps an execution, and drops the oldest; gives those.
    fn insert(&mut self, execution: ExecutionId, ended: Rc<Ended>) -> Vec<(ExecutionId, Rc<Ended>)> {
        self.ended.insert(execution, ended);
        if self.ended.len() <= self.ended_max {
            return Vec::new();
        }
        let batch = (self.ended_max / 64).clamp(1, DROPPED_MAX);
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
        let ended = live.read(|execution| Ended::new(&live.bound, &live.completion, execution, outcome));
        self.keep(live.id, Rc::new(ended));
    }

    fn keep(&mut self, execution: ExecutionId, ended: Rc<Ended>) {
        for (dropped, ended) in self.archive.insert(execution, ended) {
            if let Some((key, _)) = &ended.keyed {
                self.keys.forget(key, dropped);
            }
        }
    }

    /// An execution that has ended: from memory, else from the journal; none if there is no such one, or not any more.
    pub(super) fn ended(&mut self, execution: ExecutionId) -> Result<Option<Rc<Ended>>, CommandError> {
        if let Some(ended) = self.archive.get(execution) {
            return Ok(Some(Rc::clone(ended)));
        }
        let summary = self.shard.journal.summary(execution)?;
        let Some(summary) = summary.filter(|summary| summary.status.is_terminal()) else {
            return Ok(None);
        };
        let ended = Rc::new(self.read_ended(&summary)?);
        self.keep(execution, Rc::clone(&ended));
        Ok(Some(ended))
    }

    fn read_ended(&self, summary: &Summary) -> Result<Ended, CommandError> {
        let completion = Arc::<Completion>::default();
        let read = self.read_outcome(summary.id);
        let ended = match read {
            Ok((bound, state, outcome)) => Ended::new(&bound, &completion, &state, &Arc::new(outcome)),
            Err(problem) => {
                // It was written off because it cannot be read: how it ended is all there is.
                let outcome = written_off(summary).ok_or(CommandError::Invalid(problem))?;
                Ended { bound: None, completion: Arc::clone(&completion), outcome: Arc::new(outcome), keyed: None }
            }
        };
        completion.end(summary.id, Arc::clone(&ended.outcome));
        Ok(ended)
    }

    fn read_outcome(&self, execution: ExecutionId) -> Result<(Rc<Bound>, Execution, Outcome), String> {
        let (bound, state) = self.read(execution)?;
        let outcome = state.end_outcome(&bound.compiled).ok_or("its history does not say how it ended")?;
        Ok((bound, state, outcome))
    }
}

impl Ended {
    fn new(bound: &Rc<Bound>, completion: &Arc<Completion>, execution: &Execution, outcome: &Arc<Outcome>) -> Self {
        let activation = execution.activation();
        let key = activation.and_then(|activation| Some((activation, activation.idempotency_key.clone()?)));
        Self {
            bound: Some(Rc::clone(bound)),
            completion: Arc::clone(completion),
            outcome: Arc::clone(outcome),
            keyed: key.map(|(activation, key)| (key, Keyed::new(execution.id(), bound, activation, completion))),
        }
    }
}

/// How an execution ended that was declared failed because it cannot be read; none for any other.
pub(crate) fn written_off(summary: &Summary) -> Option<Outcome> {
    let failed = summary.status == ExecutionStatus::Failed;
    let error = summary.error.as_deref().filter(|_| failed)?;
    declared_failed("an operator", error, summary.completed_at?)
}

fn answer_cancels(live: &Live, outcome: &Outcome) {
    let waiting = live.if_extra(|extra| std::mem::take(&mut extra.cancels)).unwrap_or_default();
    for sender in waiting {
        // Whoever asked may have gone.
        let _ = sender.send(Ok(receipt(live, outcome)));
    }
}

fn receipt(live: &Live, outcome: &Outcome) -> CancelReceipt {
    let interrupted = live.read(|execution: &Execution| execution.interrupted().to_vec());
    let tasks = interrupted.into_iter().map(|interrupted| CancelledTask {
        task: TaskId { execution: live.id, key: interrupted.key },
        node: live.bound.compiled.node(interrupted.key.node).id.clone(),
        fate: interrupted.interruption.into(),
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
        for (_, reply) in early.into_iter().flatten() {
            self.give_early_place();
            reply.send(Err(finale_core::execution::Refused::AlreadyTerminal(status)));
        }
    }
}
