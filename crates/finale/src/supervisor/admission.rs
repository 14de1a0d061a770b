//! Lets executions in: refuses what cannot be run, and holds back what would only slow down the others.

use std::rc::Rc;
use std::sync::Arc;

use finale_core::ExecutionId;
use finale_core::execution::{Input, Refused, SEMANTICS};
use finale_core::fact::Activation;
use finale_journal::JournalError;

use super::Supervisor;
use crate::activation::{ActivateError, Request};
use crate::completion::Completion;
use crate::observe;
use crate::shard::{Bound, Live, Mail};

/// What becomes of a request that is let in.
enum Admitted {
    Begins(ExecutionId, Rc<Bound>),
    /// It is the repetition of one before it.
    Repeats(Arc<Completion>),
}

impl Supervisor {
    pub(super) fn hand_in(&mut self, request: Request) {
        let known = match self.known(&request) {
            Ok(known) => known,
            Err(error) => return request.pledge.completion().refuse(error),
        };
        if let Some(shard) = known.and_then(|execution| self.elsewhere(execution)) {
            return shard.do_send(request);
        }
        match self.check(&request, known) {
            Ok(None) => {}
            Ok(Some(of)) => return request.pledge.completion().repeat(of),
            Err(error) => return request.pledge.completion().refuse(error),
        }
        if let Some(shard) = request.id.and_then(|id| self.elsewhere(id)) {
            // It came here because of a key that nobody knows any more.
            return shard.do_send(request);
        }
        if !self.open.take() {
            let open_executions_max = self.shard.options.limits.open_executions_max;
            return request.pledge.completion().refuse(ActivateError::Saturated { open_executions_max });
        }
        if let Some(id) = request.id {
            self.expected.entry(id).or_default();
        }
        self.queue.push_back(request);
        self.admit_waiting();
    }

    /// Admits the oldest first, as long as there is a place.
    pub(super) fn admit_waiting(&mut self) {
        while self.has_room() {
            let Some(request) = self.queue.pop_front() else { break };
            self.admit(request);
        }
        self.shard.metrics.admission_queue.set(self.queue.len());
        self.shard.metrics.executions_running.set(self.shard.directory.borrow().len());
    }

    /// Whether another execution may become active.
    pub(super) fn has_room(&self) -> bool {
        self.shard.active.get() < self.shard.options.limits.active_executions_max && !self.shard.is_full()
    }

    /// Whether a request may go on; not if it is the repetition of one before it, which is told then.
    fn check(
        &mut self,
        request: &Request,
        known: Option<ExecutionId>,
    ) -> Result<Option<Arc<Completion>>, ActivateError> {
        if self.stopping {
            return Err(ActivateError::Stopped);
        }
        if let Some(error) = self.shard.journal_error() {
            return Err(error.into());
        }
        // First of all: the repetition of an activation names the same id again, and that is no conflict.
        if let Some(of) = self.repeated(request, known)? {
            return Ok(Some(of));
        }
        match request.id {
            Some(id) if self.exists(id)? => Err(ActivateError::IdConflict(id)),
            _ => Ok(None),
        }
    }

    fn exists(&mut self, id: ExecutionId) -> Result<bool, JournalError> {
        Ok(self.find(id).is_some() || self.archive.get(id).is_some() || self.shard.journal.summary(id)?.is_some())
    }

    /// The execution that was activated with the same key, if only the journal knows it.
    fn known(&self, request: &Request) -> Result<Option<ExecutionId>, ActivateError> {
        match &request.idempotency_key {
            Some(key) if self.keys.find(request)?.is_none() => Ok(self.shard.journal.keyed(key)?),
            _ => Ok(None),
        }
    }

    /// The execution that a request repeats: one that is in memory, or the one that the journal knows.
    fn repeated(
        &mut self,
        request: &Request,
        known: Option<ExecutionId>,
    ) -> Result<Option<Arc<Completion>>, ActivateError> {
        let (Some(key), Some(execution)) = (&request.idempotency_key, known) else {
            return self.keys.find(request);
        };
        if self.find(execution).is_some() {
            // It has only just been looked at.
            return self.keys.find(request);
        }
        let ended = self.ended(execution).map_err(|error| ActivateError::NotBegun { reason: error.to_string() })?;
        let keyed = ended.as_ref().and_then(|ended| ended.keyed.as_ref());
        match keyed {
            Some((_, keyed)) => keyed.of(key, request).map(Some),
            None => Err(ActivateError::IdempotencyConflict { key: key.to_string(), execution }),
        }
    }

    fn admit(&mut self, request: Request) {
        // The answer is given before the request is dropped: that would tell that nothing became of it.
        match self.look_into(&request) {
            Ok(Admitted::Begins(id, bound)) => return self.begin(id, bound, request),
            Ok(Admitted::Repeats(of)) => request.pledge.completion().repeat(of),
            Err(error) => request.pledge.completion().refuse(error),
        }
        self.close_one();
        for early in request.id.and_then(|id| self.expected.remove(&id)).into_iter().flatten() {
            self.shard.give_early_place();
            early.reply.send(Err(Refused::Unknown));
        }
    }

    fn look_into(&mut self, request: &Request) -> Result<Admitted, ActivateError> {
        // Looked at again: the one it repeats, or collides with, may have been before it in the queue.
        let known = self.known(request)?;
        if let Some(of) = self.check(request, known)? {
            return Ok(Admitted::Repeats(of));
        }
        let bound = self.shard.bind(&request.workflow).inspect_err(|error| {
            observe::invalid_definition(&request.workflow.definition().id, error);
        })?;
        let id = request.id.unwrap_or_else(|| self.shard.mint.borrow_mut().mint(self.shard.clock.now()));
        let of = self.keys.claim(id, request)?;
        Ok(of.map_or(Admitted::Begins(id, bound), Admitted::Repeats))
    }

    fn begin(&mut self, id: ExecutionId, bound: Rc<Bound>, request: Request) {
        let now = self.shard.clock.now();
        let activation = Activation {
            definition: bound.compiled.hash(),
            semantics: SEMANTICS,
            input: request.input,
            by: request.by,
            deadline: request.deadline.map(|deadline| now.after(deadline)),
            idempotency_key: request.idempotency_key,
            business_key: request.business_key,
        };
        let live = Rc::new(Live::new(id, bound, request.pledge.redeem()));
        // It can be found, and its callback reached, before anything of it can run.
        self.shard.directory.borrow_mut().insert(id, Rc::clone(&live));
        self.shard.deliver(&live, Mail::Tell(Input::Activate(activation), None));
        for early in self.expected.remove(&id).into_iter().flatten() {
            self.shard.give_early_place();
            self.shard.deliver(&live, Mail::Tell(Input::Reported(early.report), Some(early.reply)));
        }
    }

    /// One execution less is open.
    pub(super) fn close_one(&self) {
        // Whoever was refused was told so: nobody waits for these permits.
        let _ = self.open.give();
    }
}
