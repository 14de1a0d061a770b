//! Lets executions in: refuses what cannot be run, and holds back what would only slow down the others.

use std::collections::{BTreeMap, VecDeque};

use super::Supervisor;
use super::closing::Failure;
use super::ids::{IdGenerator, shard_of};
use super::input::{Ask, Question};
use super::message::{Acknowledge, Activate, Begin, ClaimNo, Message, NotActivated, ToShard};
use super::outbox::{Answer, Outbox, PermitChange, ToEngine};
use super::permits::Permits;
use super::pool::ActorFor;
use super::reads::Purpose;
use super::slots::Place;
use super::waiting::{Asker, Waiting};
use crate::id::ExecutionId;
use crate::number::{Callback, RequestId, ShardNo};
use crate::status::ExecutionStatus;
use crate::task_engine::Registration;
use crate::time::Time;

/// The executions that are to begin.
#[derive(Debug)]
pub(super) struct Admission {
    pub(super) ids: IdGenerator,
    pub(super) permits: Permits,
    /// Those that have a permit and wait for an actor, oldest first.
    pub(super) queue: VecDeque<Waiting>,
    /// Those that wait for a permit, oldest first.
    pub(super) unpermitted: VecDeque<Waiting>,
    /// The ids that are known before the execution begins, and the messages for those executions.
    pub(super) expected: BTreeMap<ExecutionId, Vec<Question>>,
    /// How many messages those are.
    pub(super) early_messages: usize,
    /// Whether it is better to write nothing more to the journal for now.
    pub(super) journal_full: bool,
}

impl Admission {
    /// Activations that wait for a permit or an actor.
    pub(super) fn waiting_activations(&self) -> impl Iterator<Item = &Activate> {
        self.queue.iter().chain(&self.unpermitted).map(|waiting| &waiting.activate)
    }

    pub(super) fn new(ids: IdGenerator, permits: Permits) -> Self {
        Self {
            ids,
            permits,
            queue: VecDeque::new(),
            unpermitted: VecDeque::new(),
            expected: BTreeMap::new(),
            early_messages: 0,
            journal_full: false,
        }
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.queue.len() + self.unpermitted.len()
    }

    /// Takes the messages for an execution that begins now, or never will.
    pub(super) fn take_expected(&mut self, id: Option<ExecutionId>) -> Vec<Question> {
        let messages = id.and_then(|id| self.expected.remove(&id)).unwrap_or_default();
        self.early_messages -= messages.len();
        messages
    }
}

impl Supervisor {
    pub(super) fn activate(&mut self, at: Time, activate: Activate, out: &mut Outbox) {
        let asker = activate.request.map_or(Asker::Nobody, Asker::Request);
        if let Some(failure) = self.refusal() {
            return self.answer(asker, Err(failure.not_activated()), out);
        }
        if activate.idempotency.is_some() {
            return self.claim_key(activate, out);
        }
        self.prepare(at, Waiting { asker, activate }, out);
    }

    /// Checks the definition and the id of an activation; its key was checked before.
    pub(super) fn prepare(&mut self, at: Time, waiting: Waiting, out: &mut Outbox) {
        if waiting.activate.definition.is_none() {
            return self.answer(waiting.asker, Err(NotActivated::Definition), out);
        }
        match waiting.activate.id {
            None => self.wait_for_permit(waiting, out),
            Some(id) => self.reserve(at, id, waiting, out),
        }
    }

    /// Reserves an id that the caller chose. The journal is asked too: it knows ended executions, memory does not.
    fn reserve(&mut self, _at: Time, id: ExecutionId, waiting: Waiting, out: &mut Outbox) {
        let shard = shard_of(id, self.options.shards);
        if let (Asker::Claim(claim), true) = (waiting.asker, shard != self.options.shard) {
            let activate = Box::new(Activate { request: None, ..waiting.activate });
            self.keys.mark_passed_on(claim);
            return out.shards.push((shard, ToShard::Begin { claim, activate }));
        }
        debug_assert!(shard == self.options.shard, "an activation came to another shard than that of its id");
        if self.is_open(id) || self.admission.expected.contains_key(&id) {
            return self.answer(waiting.asker, Err(NotActivated::IdConflict(id)), out);
        }
        self.admission.expected.insert(id, Vec::new());
        self.reads.want(Purpose::Id(Box::new(waiting)));
    }

    /// Handles the journal's answer about a reserved id.
    pub(super) fn id_looked(
        &mut self,
        at: Time,
        waiting: Waiting,
        status: Result<Option<ExecutionStatus>, Box<str>>,
        out: &mut Outbox,
    ) {
        let refused = match (status, waiting.activate.id) {
            _ if self.refusal().is_some() => self.refusal().map(Failure::not_activated),
            (Ok(Some(_)), Some(id)) => Some(NotActivated::IdConflict(id)),
            (Ok(_), _) => None,
            (Err(reason), _) => Some(NotActivated::Unread(reason)),
        };
        match refused {
            None => self.wait_for_permit(waiting, out),
            Some(refused) => self.refuse(at, waiting, refused, out),
        }
    }

    fn wait_for_permit(&mut self, waiting: Waiting, out: &mut Outbox) {
        if self.admission.unpermitted.is_empty() && self.admission.permits.take() {
            return self.admission.queue.push_back(waiting);
        }
        self.admission.unpermitted.push_back(waiting);
        self.admission.permits.ask(self.admission.unpermitted.len(), &mut out.permits);
    }

    /// Handles the pool's answer: admits waiting activations as far as there are permits. An answer of 0 means that no shard has
    /// a permit, so the rest is refused.
    pub(super) fn permits_granted(&mut self, at: Time, permits: usize, out: &mut Outbox) {
        self.admission.permits.granted(permits);
        self.use_permits();
        if permits == 0 {
            while let Some(waiting) = self.admission.unpermitted.pop_front() {
                self.refuse(at, waiting, NotActivated::Saturated, out);
            }
        }
        self.admission.permits.ask(self.admission.unpermitted.len(), &mut out.permits);
    }

    /// Returns the permit of an execution that is not open any more.
    pub(super) fn return_permit(&mut self, out: &mut Outbox) {
        self.admission.permits.give(&mut out.permits);
        self.use_permits();
    }

    fn use_permits(&mut self) {
        while !self.admission.unpermitted.is_empty() && self.admission.permits.take() {
            self.admission.queue.extend(self.admission.unpermitted.pop_front());
        }
    }

    /// Whether the next execution may begin as soon as an actor is free.
    fn admits(&self) -> bool {
        !self.admission.queue.is_empty() && !self.admission.journal_full && self.refusal().is_none()
    }

    /// Assigns free actors. Executions that have begun come before new ones, because finishing work comes before starting it.
    /// Those that are recovered have actors of their own: neither holds up the other.
    pub(super) fn assign_actors(&mut self, at: Time, out: &mut Outbox) {
        if self.failure.is_some() {
            return;
        }
        while self.pool.has_free(ActorFor::Work) {
            if let Some(slot) = self.wanting.pop_front() {
                self.attach(at, slot, ActorFor::Work, out);
            } else if self.admits() {
                self.begin_next(at, out);
            } else {
                break;
            }
        }
        while self.pool.has_free(ActorFor::Recovery)
            && let Some(slot) = self.next_recovered()
        {
            self.attach(at, slot, ActorFor::Recovery, out);
        }
    }

    /// Begins the oldest waiting execution. The directory and the task engine know it before its actor does, because its first
    /// outcomes must find their way back.
    fn begin_next(&mut self, at: Time, out: &mut Outbox) {
        let Some(Waiting { asker, activate }) = self.admission.queue.front() else { return };
        let (asker, id, input) = (*asker, activate.id, activate.input.clone());
        let definition = activate.definition.unwrap_or_default();
        let execution = id.unwrap_or_else(|| self.admission.ids.next(at));
        let slot = self.slots.insert(execution, definition, input.clone(), Place::New);
        let actor = self.pool.attach(slot, at, ActorFor::Work);
        if let Some(entry) = self.slots.get_mut(slot) {
            entry.place = Place::Actor(actor);
            if matches!(asker, Asker::Claim(_) | Asker::Shard(..)) {
                entry.rare_mut().asker = asker;
            }
        }
        let callback = Callback::Actor(actor);
        out.engine.push(ToEngine::Register(Registration { slot, execution, definition, callback, input }));
        // It leaves the queue last: so it is not lost if something panics over it.
        let Some(Waiting { activate, .. }) = self.admission.queue.pop_front() else { return };
        let Activate { idempotency, business_key, by, deadline, input, .. } = activate;
        let begin = Begin {
            slot,
            execution,
            definition,
            input,
            by,
            deadline: deadline.map(|deadline| at.after(deadline)),
            idempotency_key: idempotency.map(|idempotency| idempotency.key),
            business_key,
            acknowledge: match asker {
                Asker::Nobody => Acknowledge::Nobody,
                Asker::Request(request) => Acknowledge::Request(request),
                Asker::Claim(_) | Asker::Shard(..) => Acknowledge::Supervisor,
            },
        };
        let begin = out.begin(begin);
        out.actors.push((actor, begin));
        if id.is_some() {
            for what in self.admission.take_expected(id) {
                self.ask(at, Ask { execution, what }, out);
            }
        }
    }

    /// Refuses an activation that waited, and answers the messages that were kept for its execution.
    pub(super) fn refuse(&mut self, at: Time, waiting: Waiting, refused: NotActivated, out: &mut Outbox) {
        let Waiting { asker, activate } = waiting;
        self.answer(asker, Err(refused), out);
        for what in self.admission.take_expected(activate.id) {
            if let Some(execution) = activate.id {
                self.ask(at, Ask { execution, what }, out);
            }
        }
    }

    /// Answers the requester of an activation.
    pub(super) fn answer(&mut self, asker: Asker, result: Result<ExecutionId, NotActivated>, out: &mut Outbox) {
        match asker {
            Asker::Nobody => {}
            Asker::Request(request) => {
                let answer = result.map_or_else(Answer::NotActivated, Answer::Began);
                out.reply(Some(request), answer);
            }
            Asker::Claim(claim) => self.claim_answered(claim, result, out),
            Asker::Shard(shard, claim) => out.shards.push((shard, ToShard::Answered { claim, result })),
        }
    }

    /// Begins an execution for the home of its key, which is another shard.
    pub(super) fn begin_for_shard(
        &mut self,
        at: Time,
        from: ShardNo,
        claim: ClaimNo,
        activate: Activate,
        out: &mut Outbox,
    ) {
        let asker = Asker::Shard(from, claim);
        match self.refusal() {
            Some(failure) => self.answer(asker, Err(failure.not_activated()), out),
            None => self.prepare(at, Waiting { asker, activate }, out),
        }
    }

    /// Keeps a message for an execution that is reserved and has not begun; returns it if there is no room.
    #[expect(clippy::result_large_err, reason = "it is given back as it came, and that is rare")]
    pub(super) fn keep_expected(&mut self, execution: ExecutionId, what: Question) -> Result<(), Question> {
        let has_room = self.admission.early_messages < self.options.early_messages_max;
        match self.admission.expected.get_mut(&execution) {
            Some(messages) if has_room => {
                messages.push(what);
                self.admission.early_messages += 1;
                Ok(())
            }
            _ => Err(what),
        }
    }

    /// Returns all unused permits to the pool, because another shard needs some.
    pub(super) fn permits_wanted(&mut self, out: &mut Vec<PermitChange>) {
        self.admission.permits.return_unused(out);
    }
}

impl Question {
    /// Who waits for the answer.
    pub(super) fn request(&self) -> Option<RequestId> {
        match self {
            Self::Tell(Message { request, .. }) | Self::Release(request) => *request,
        }
    }
}
