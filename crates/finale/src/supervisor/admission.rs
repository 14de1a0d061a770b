//! Lets executions in: refuses what cannot be run, and holds back what would only slow down the others.

use std::rc::Rc;
use std::sync::Arc;

use finale_core::execution::{Input, SEMANTICS};
use finale_core::fact::Activation;
use finale_core::{DefinitionHash, ExecutionId, Payload};

use super::Supervisor;
use crate::activation::{ActivateError, Request};
use crate::completion::Completion;
use crate::shard::{Bound, Live, Mail};

/// What an idempotency key stands for.
pub(super) struct Keyed {
    execution: ExecutionId,
    definition: DefinitionHash,
    input: Payload,
    completion: Arc<Completion>,
}

impl Supervisor {
    pub(super) fn hand_in(&mut self, request: Request) {
        if let Err(error) = self.check(&request) {
            return request.pledge.completion().refuse(error);
        }
        if !self.open.take() {
            let open_executions_max = self.shard.options.limits.open_executions_max;
            return request.pledge.completion().refuse(ActivateError::Saturated { open_executions_max });
        }
        self.queue.push_back(request);
        self.admit_waiting();
    }

    /// Admits the oldest first, as long as there is a place.
    pub(super) fn admit_waiting(&mut self) {
        while self.shard.active.get() < self.shard.options.limits.active_executions_max {
            let Some(request) = self.queue.pop_front() else { break };
            self.admit(request);
        }
        self.shard.metrics.admission_queue.set(self.queue.len() as f64);
        self.shard.metrics.executions_running.set(self.open.used() as f64);
    }

    fn check(&self, request: &Request) -> Result<(), ActivateError> {
        if self.stopping {
            return Err(ActivateError::Stopped);
        }
        if let Some(error) = self.shard.journal_error() {
            return Err(error.into());
        }
        match request.id {
            Some(id) if self.shard.find(id).is_some() || self.archive.get(id).is_some() => {
                Err(ActivateError::IdConflict(id))
            }
            _ => Ok(()),
        }
    }

    fn admit(&mut self, request: Request) {
        let completion = request.pledge.completion();
        // Looked at again: the one it repeats, or collides with, may have been before it in the queue.
        let admitted = self.check(&request).and_then(|()| self.repeated(&request));
        let admitted = admitted.and_then(|repeated| match repeated {
            Some((id, of)) => Ok(Some((id, of))),
            None => self.begin(request).map(|()| None),
        });
        match admitted {
            Ok(None) => return,
            Ok(Some((id, of))) => completion.repeat(id, of),
            Err(error) => completion.refuse(error),
        }
        self.close_one();
    }

    /// The execution that was activated with the same key before.
    fn repeated(&self, request: &Request) -> Result<Option<(ExecutionId, Arc<Completion>)>, ActivateError> {
        let known = request.idempotency_key.as_ref().and_then(|key| Some((key, self.keys.get(key)?)));
        let Some((key, keyed)) = known else {
            return Ok(None);
        };
        if keyed.definition == request.workflow.hash() && keyed.input == request.input {
            return Ok(Some((keyed.execution, Arc::clone(&keyed.completion))));
        }
        Err(ActivateError::IdempotencyConflict { key: key.to_string(), execution: keyed.execution })
    }

    fn begin(&mut self, request: Request) -> Result<(), ActivateError> {
        let bound = self.shard.bind(&request.workflow)?;
        let now = self.shard.clock.now();
        let id = request.id.unwrap_or_else(|| self.shard.mint.borrow_mut().mint(now));
        if let Some(key) = &request.idempotency_key {
            self.keys.insert(key.clone(), Keyed::new(id, &bound, &request));
        }
        let activation = Activation {
            definition: bound.compiled.hash(),
            semantics: SEMANTICS,
            input: request.input,
            by: request.by,
            deadline: request.deadline.map(|deadline| now.after(deadline)),
            idempotency_key: request.idempotency_key,
        };
        let live = Rc::new(Live::new(id, bound, request.pledge.redeem()));
        // It can be found, and its callback reached, before anything of it can run.
        self.shard.directory.borrow_mut().insert(id, Rc::clone(&live));
        self.shard.deliver(&live, Mail::Tell(Input::Activate(activation), None));
        Ok(())
    }

    /// One execution less is open.
    pub(super) fn close_one(&self) {
        // Whoever was refused was told so: nobody waits for these permits.
        let _ = self.open.give();
    }

    pub(super) fn forget_key(&mut self, key: &str) {
        self.keys.remove(key);
    }
}

impl Keyed {
    fn new(execution: ExecutionId, bound: &Bound, request: &Request) -> Self {
        Self {
            execution,
            definition: bound.compiled.hash(),
            input: request.input.clone(),
            completion: request.pledge.completion(),
        }
    }
}
