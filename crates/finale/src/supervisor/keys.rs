//! Idempotency keys: shared by all shards, because a repetition may come to another one.
//!
//! Here are the keys of executions that have not ended, and of those that ended and are still in memory. All others are in
//! the journal.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use finale_core::fact::Activation;
use finale_core::{ExecutionId, Payload};
use rustc_hash::FxHashMap;

use crate::activation::{ActivateError, Request};
use crate::completion::Completion;
use crate::shard::{Bound, Live};

/// The keys of executions that are in memory.
#[derive(Debug, Default)]
pub(crate) struct Keys(Mutex<FxHashMap<Box<str>, Keyed>>);

/// What an idempotency key stands for.
#[derive(Clone, Debug)]
pub(super) struct Keyed {
    execution: ExecutionId,
    /// Id of the workflow; a newer version of it may repeat what an older one began.
    workflow: Box<str>,
    input: Payload,
    completion: Arc<Completion>,
}

/// The execution that a request repeats; none if it repeats nothing.
type Repeated = Result<Option<Arc<Completion>>, ActivateError>;

impl Keys {
    /// Looks whether a request repeats one before it.
    pub(super) fn find(&self, request: &Request) -> Repeated {
        let Some(key) = &request.idempotency_key else {
            return Ok(None);
        };
        self.lock().get(key).map(|keyed| keyed.of(key, request)).transpose()
    }

    /// Takes the key of a request for an execution, unless it is taken: of two that come at once, one is the first.
    pub(super) fn claim(&self, execution: ExecutionId, request: &Request) -> Repeated {
        let Some(key) = &request.idempotency_key else {
            return Ok(None);
        };
        let mut keys = self.lock();
        if let Some(keyed) = keys.get(key) {
            return keyed.of(key, request).map(Some);
        }
        keys.insert(key.clone(), Keyed::requested(execution, request));
        Ok(None)
    }

    /// Takes the key of an execution that another runtime began.
    pub(super) fn restore(&self, live: &Live) {
        let keyed = live.read(|execution| {
            let activation = execution.activation()?;
            let key = activation.idempotency_key.clone()?;
            Some((key, Keyed::new(live.id, &live.bound, activation, &live.completion)))
        });
        if let Some((key, keyed)) = keyed {
            self.lock().insert(key, keyed);
        }
    }

    /// Forgets what a key stands for, if it is still this execution.
    pub(super) fn forget(&self, key: &str, execution: ExecutionId) {
        let mut keys = self.lock();
        if keys.get(key).is_some_and(|keyed| keyed.execution == execution) {
            keys.remove(key);
        }
    }

    /// Nothing is half-done under this lock that a panic could leave behind.
    fn lock(&self) -> MutexGuard<'_, FxHashMap<Box<str>, Keyed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keyed {
    pub(super) fn new(
        execution: ExecutionId,
        bound: &Bound,
        activation: &Activation,
        completion: &Arc<Completion>,
    ) -> Self {
        Self {
            execution,
            workflow: bound.compiled.definition().id.as_str().into(),
            input: activation.input.clone(),
            completion: Arc::clone(completion),
        }
    }

    fn requested(execution: ExecutionId, request: &Request) -> Self {
        Self {
            execution,
            workflow: request.workflow.definition().id.as_str().into(),
            input: request.input.clone(),
            completion: request.pledge.completion(),
        }
    }

    /// The execution, if it is what the request asks for.
    pub(super) fn of(&self, key: &str, request: &Request) -> Result<Arc<Completion>, ActivateError> {
        if *self.workflow == *request.workflow.definition().id && self.input == request.input {
            return Ok(Arc::clone(&self.completion));
        }
        Err(ActivateError::IdempotencyConflict { key: key.to_owned(), execution: self.execution })
    }
}
