//! Idempotency keys: each has a home, the shard that its hash names, and only there is it decided who has it.
//!
//! The home claims a key for the first activation that names it. If the journal knows no execution with it, an execution is
//! begun: here, or on the shard of the id that the activation gives. Activations with the same key wait until it has begun
//! durably. A key whose execution could not begin is free again, and the next one that waits for it is the first then.
//!
//! The home remembers the keys of open executions of its own shard. All others are looked for in the journal each time: what
//! it has forgotten is free.

use std::collections::{BTreeMap, VecDeque};

use rustc_hash::FxHashMap;

use super::Supervisor;
use super::input::KeyOwner;
use super::message::{Activate, ClaimNo, Idempotency, NotActivated};
use super::outbox::{Answer, Outbox};
use super::reads::Purpose;
use super::waiting::{Asker, Waiting};
use crate::id::ExecutionId;
use crate::time::Time;

/// The keys whose home is this shard and that are claimed, or belong to an open execution of this shard.
#[derive(Debug, Default)]
pub(super) struct Keys {
    by_key: FxHashMap<Box<str>, State>,
    claims: BTreeMap<ClaimNo, Claim>,
    next: u64,
}

#[derive(Debug)]
enum State {
    Claimed(ClaimNo),
    Owned(KeyOwner),
}

/// A key for which it is being decided which execution has it.
#[derive(Debug)]
pub(super) struct Claim {
    idempotency: Idempotency,
    input: crate::Payload,
    asker: Asker,
    /// The activation, until it is begun with.
    first: Option<Activate>,
    /// Whether another shard was asked to begin with it.
    passed_on: bool,
    /// Others with the same key, in the order in which they came.
    waiting: VecDeque<Activate>,
}

impl Keys {
    pub(super) fn key_of(&self, claim: ClaimNo) -> Option<&str> {
        self.claims.get(&claim).map(|claim| &*claim.idempotency.key)
    }

    /// Activations that wait until it is decided who has their key.
    pub(super) fn activations(&self) -> impl Iterator<Item = &Activate> {
        self.claims.values().flat_map(|claim| claim.first.iter().chain(&claim.waiting))
    }

    /// The open execution that had the key has ended.
    pub(super) fn release(&mut self, key: &str) {
        self.by_key.remove(key);
    }

    /// Takes out all claims: they are not decided any more.
    pub(super) fn take_claims(&mut self) -> Vec<Claim> {
        self.by_key.retain(|_, state| matches!(state, State::Owned(_)));
        std::mem::take(&mut self.claims).into_values().collect()
    }

    fn claim(&mut self, mut activate: Activate) -> ClaimNo {
        self.next += 1;
        let claim = ClaimNo(self.next);
        let idempotency = activate.idempotency.as_deref().cloned().unwrap_or_else(Idempotency::none);
        self.by_key.insert(idempotency.key.clone(), State::Claimed(claim));
        let (asker, input) = (asker_of(&mut activate), activate.input.clone());
        let (first, passed_on, waiting) = (Some(activate), false, VecDeque::new());
        self.claims.insert(claim, Claim { idempotency, input, asker, first, passed_on, waiting });
        claim
    }

    /// Another shard is asked to begin with the activation of a claim.
    pub(super) fn mark_passed_on(&mut self, claim: ClaimNo) {
        if let Some(claim) = self.claims.get_mut(&claim) {
            claim.passed_on = true;
        }
    }

    /// Ends a claim; the key belongs to `owner` if an open execution of this shard has it, else it is free.
    fn end(&mut self, claim: ClaimNo, owner: Option<KeyOwner>) -> Option<Claim> {
        let claim = self.claims.remove(&claim)?;
        match owner {
            Some(owner) => self.by_key.insert(claim.idempotency.key.clone(), State::Owned(owner)),
            None => self.by_key.remove(&claim.idempotency.key),
        };
        Some(claim)
    }
}

impl Claim {
    /// All requesters that wait for the decision.
    pub(super) fn askers(mut self) -> Vec<Asker> {
        std::iter::once(self.asker).chain(self.waiting.iter_mut().map(asker_of)).collect()
    }
}

impl Idempotency {
    fn none() -> Self {
        Self { key: "".into(), workflow: "".into() }
    }
}

fn asker_of(activate: &mut Activate) -> Asker {
    activate.request.take().map_or(Asker::Nobody, Asker::Request)
}

impl Supervisor {
    /// Handles an activation with a key. The first one claims the key; later ones wait for the decision.
    pub(super) fn claim_key(&mut self, activate: Activate, out: &mut Outbox) {
        let state = activate.idempotency.as_ref().and_then(|idempotency| self.keys.by_key.get(&idempotency.key));
        match state {
            Some(State::Owned(owner)) => {
                let answer = repeats(&activate, owner);
                out.reply(activate.request, answer);
            }
            Some(State::Claimed(claim)) => {
                let early_messages_max = self.options.early_messages_max;
                match self.keys.claims.get_mut(claim) {
                    Some(claim) if claim.waiting.len() < early_messages_max => claim.waiting.push_back(activate),
                    _ => out.reply(activate.request, Answer::NotActivated(NotActivated::KeySaturated)),
                }
            }
            None => {
                let claim = self.keys.claim(activate);
                self.reads.want(Purpose::Key(claim));
            }
        }
    }

    /// Handles the journal's answer about the owner of a key.
    pub(super) fn key_looked(
        &mut self,
        at: Time,
        claim: ClaimNo,
        owner: Result<Option<KeyOwner>, Box<str>>,
        out: &mut Outbox,
    ) {
        match owner {
            Ok(None) => {
                let first = self.keys.claims.get_mut(&claim).and_then(|claim| claim.first.take());
                let Some(activate) = first else { return };
                match self.refusal() {
                    Some(failure) => self.claim_answered(claim, Err(failure.not_activated()), out),
                    None => self.prepare(at, Waiting { asker: Asker::Claim(claim), activate }, out),
                }
            }
            Ok(Some(owner)) => {
                let Some(Claim { asker, first, waiting, .. }) = self.keys.end(claim, None) else { return };
                if let (Asker::Request(request), Some(first)) = (asker, first) {
                    out.reply(Some(request), repeats(&first, &owner));
                }
                for activate in waiting {
                    out.reply(activate.request, repeats(&activate, &owner));
                }
            }
            Err(reason) => {
                for asker in self.keys.end(claim, None).into_iter().flat_map(Claim::askers) {
                    self.answer(asker, Err(NotActivated::Unread(reason.clone())), out);
                }
            }
        }
    }

    /// Decides a claim: its execution has begun, or was refused. After a refusal the next waiting activation claims the key.
    pub(super) fn claim_answered(
        &mut self,
        claim: ClaimNo,
        result: Result<ExecutionId, NotActivated>,
        out: &mut Outbox,
    ) {
        match result {
            Ok(execution) => self.key_owned(claim, execution, out),
            Err(refused) => {
                let Some(Claim { asker, waiting, .. }) = self.keys.end(claim, None) else { return };
                self.answer(asker, Err(refused), out);
                // The first of them claims the key, and the others wait for that one.
                for activate in waiting {
                    match self.refusal() {
                        Some(failure) => out.reply(activate.request, Answer::NotActivated(failure.not_activated())),
                        None => self.claim_key(activate, out),
                    }
                }
            }
        }
    }

    fn key_owned(&mut self, claim: ClaimNo, execution: ExecutionId, out: &mut Outbox) {
        let Some(held) = self.keys.claims.get(&claim) else { return };
        let (key, workflow) = (held.idempotency.key.clone(), held.idempotency.workflow.clone());
        let owner = KeyOwner { execution, workflow, input: held.input.clone() };
        let slot = self.slots.find(execution);
        let is_open_here = slot.and_then(|slot| self.slots.get_mut(slot)).map(|entry| entry.rare_mut().key = Some(key));
        let Some(Claim { asker, waiting, .. }) = self.keys.end(claim, is_open_here.map(|()| owner.clone())) else {
            return;
        };
        self.answer(asker, Ok(execution), out);
        for activate in waiting {
            out.reply(activate.request, repeats(&activate, &owner));
        }
    }

    /// Repeats the look-ups of claims after a rebuild, and refuses claims whose activation is lost.
    pub(super) fn rebuild_keys(&mut self, begun: impl Fn(ClaimNo) -> bool, out: &mut Outbox) {
        let state = |(claim, held): (&ClaimNo, &Claim)| (*claim, held.first.is_some(), held.passed_on);
        let claims: Vec<_> = self.keys.claims.iter().map(state).collect();
        self.keys.by_key.retain(|_, state| matches!(state, State::Owned(_)));
        for (claim, held) in &self.keys.claims {
            self.keys.by_key.insert(held.idempotency.key.clone(), State::Claimed(*claim));
        }
        for (claim, is_looked_for, is_passed_on) in claims {
            if is_looked_for {
                self.reads.want(Purpose::Key(claim));
            } else if !is_passed_on && !begun(claim) {
                self.claim_answered(claim, Err(NotActivated::ShardFailed), out);
            }
        }
    }
}

/// The answer to an activation whose key has an owner.
fn repeats(activate: &Activate, owner: &KeyOwner) -> Answer {
    let same_workflow = activate.idempotency.as_ref().is_some_and(|repeated| repeated.workflow == owner.workflow);
    if same_workflow && activate.input == owner.input {
        Answer::Repeats(owner.execution)
    } else {
        Answer::NotActivated(NotActivated::IdempotencyConflict(owner.execution))
    }
}
