//! What every thread may ask about executions, without a hop to their shard.
//!
//! It is a cache: what is not in it is asked of the shard, and then of the journal. So an execution that is over before
//! anybody can know its id never comes here, and costs nothing.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use dashmap::DashMap;
use finale_core::ExecutionId;
use rustc_hash::FxBuildHasher;

use crate::completion::Completion;

#[derive(Debug)]
pub(crate) struct Directory {
    open: DashMap<ExecutionId, Arc<Completion>, FxBuildHasher>,
    ended: DashMap<ExecutionId, Arc<Completion>, FxBuildHasher>,
    /// The ended ones in the order in which they came, so that the oldest is dropped first.
    order: Mutex<VecDeque<ExecutionId>>,
    ended_max: usize,
}

impl Directory {
    /// An empty directory that keeps that many ended executions which somebody has asked for.
    pub(crate) fn new(ended_max: usize) -> Self {
        Self { open: DashMap::default(), ended: DashMap::default(), order: Mutex::default(), ended_max }
    }

    /// What handles of an execution wait on, if it is here.
    pub(crate) fn get(&self, execution: ExecutionId) -> Option<Arc<Completion>> {
        let open = self.open.get(&execution).map(|entry| Arc::clone(entry.value()));
        open.or_else(|| self.ended.get(&execution).map(|entry| Arc::clone(entry.value())))
    }

    /// An execution is open, and can be known to somebody.
    pub(crate) fn open(&self, execution: ExecutionId, completion: &Arc<Completion>) {
        if !completion.list() {
            self.open.insert(execution, Arc::clone(completion));
        }
    }

    /// What handles of an open execution wait on that is not with its actor yet.
    pub(crate) fn found(&self, execution: ExecutionId) -> Arc<Completion> {
        let entry = self.open.entry(execution).or_insert_with(|| {
            let completion = Arc::<Completion>::default();
            completion.acknowledge(execution);
            completion.list();
            completion
        });
        Arc::clone(entry.value())
    }

    /// An execution is not open any more. Those who ask from now on find it in the journal.
    pub(crate) fn close(&self, execution: ExecutionId) -> Option<Arc<Completion>> {
        self.open.remove(&execution).map(|(_, completion)| completion)
    }

    /// Keeps an ended execution that somebody asked for; gives what is kept of it.
    pub(crate) fn keep_ended(&self, execution: ExecutionId, completion: Arc<Completion>) -> Arc<Completion> {
        if self.ended_max == 0 {
            return completion;
        }
        let kept = Arc::clone(self.ended.entry(execution).or_insert(completion).value());
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        order.push_back(execution);
        if order.len() > self.ended_max
            && let Some(oldest) = order.pop_front()
        {
            self.ended.remove(&oldest);
        }
        kept
    }

    /// These executions are forgotten.
    pub(crate) fn forget(&self, executions: &[ExecutionId]) {
        for execution in executions {
            self.ended.remove(execution);
        }
    }
}
