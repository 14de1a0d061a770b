//! Idempotency keys: shared by all shards, because a repetition may come to another one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use finale_core::{DefinitionHash, ExecutionId, Payload};
use rustc_hash::FxHashMap;

use crate::activation::{ActivateError, Request};
use crate::completion::Completion;

/// The keys of executions that can still be asked about.
#[derive(Debug, Default)]
pub(crate) struct Keys(Mutex<FxHashMap<Box<str>, Keyed>>);

/// What an idempotency key stands for.
#[derive(Debug)]
struct Keyed {
    execution: ExecutionId,
    definition: DefinitionHash,
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
        keys.insert(key.clone(), Keyed::new(execution, request));
        Ok(None)
    }

    pub(super) fn forget(&self, key: &str) {
        self.lock().remove(key);
    }

    /// Nothing is half-done under this lock that a panic could leave behind.
    fn lock(&self) -> MutexGuard<'_, FxHashMap<Box<str>, Keyed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keyed {
    fn new(execution: ExecutionId, request: &Request) -> Self {
        Self {
            execution,
            definition: request.workflow.hash(),
            input: request.input.clone(),
            completion: request.pledge.completion(),
        }
    }

    fn of(&self, key: &str, request: &Request) -> Result<Arc<Completion>, ActivateError> {
        if self.definition == request.workflow.hash() && self.input == request.input {
            return Ok(Arc::clone(&self.completion));
        }
        Err(ActivateError::IdempotencyConflict { key: key.to_owned(), execution: self.execution })
    }
}
