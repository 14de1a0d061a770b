//! Closing a shard, and failing it: nothing begins any more, and every waiting request is answered.

use std::time::Duration;

use super::Supervisor;
use super::input::Question;
use super::message::{Acknowledge, Message, NotActivated};
use super::outbox::{Answer, Left, NotDone, Outbox};
use super::reads::Purpose;
use super::slots::{Operator, Place};
use super::waiting::Asker;
use super::writes::AfterWrite;
use crate::number::{RequestId, Slot};
use crate::time::Time;

/// The reason why the shard admits nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The shard is closed.
    Closed,
    /// The journal takes nothing more.
    Journal,
    /// The supervisor has panicked too often.
    Shard,
}

impl Failure {
    pub(super) const fn not_activated(self) -> NotActivated {
        match self {
            Self::Closed => NotActivated::Closed,
            Self::Journal => NotActivated::JournalFailed,
            Self::Shard => NotActivated::ShardFailed,
        }
    }

    pub(super) const fn not_done(self) -> NotDone {
        match self {
            Self::Closed => NotDone::Closed,
            Self::Journal => NotDone::JournalFailed,
            Self::Shard => NotDone::ShardFailed,
        }
    }
}

/// The shutdown of a shard.
#[derive(Debug, Default)]
pub(super) struct Leaving {
    requests: Vec<RequestId>,
    pub(super) deadline: Option<Time>,
    pub(super) left: Option<Left>,
}

impl Supervisor {
    /// The reason why the shard admits nothing, if it does not.
    pub(super) fn refusal(&self) -> Option<Failure> {
        self.failure.or(self.closed.then_some(Failure::Closed))
    }

    /// The reason why the shard does nothing at all, if so.
    pub(super) fn gone(&self) -> Option<Failure> {
        match self.failure {
            Some(Failure::Shard) => self.failure,
            _ => self.leaving.left.map(|_| Failure::Closed),
        }
    }

    /// Closes the shard to new executions.
    pub(super) fn close(&mut self, at: Time, out: &mut Outbox) {
        if !std::mem::replace(&mut self.closed, true) {
            self.refuse_waiting(at, Failure::Closed, out);
        }
    }

    /// Joins the shutdown of the shard, or begins it. There is one shutdown: all who join get the same report.
    pub(super) fn leave(&mut self, at: Time, request: RequestId, patience: Duration, out: &mut Outbox) {
        self.close(at, out);
        if let Some(left) = self.leaving.left {
            return out.reply(Some(request), Answer::Left(left));
        }
        self.leaving.requests.push(request);
        self.leaving.deadline.get_or_insert(at.after(patience));
    }

    /// Ends a shutdown when everything that happened is recorded, or at the deadline.
    pub(super) fn leave_if_due(&mut self, at: Time, out: &mut Outbox) {
        let Some(deadline) = self.leaving.deadline.filter(|_| self.leaving.left.is_none()) else { return };
        let is_quiet = self.pool.active() == 0
            && self.wanting.is_empty()
            && self.forwarding == 0
            && self.writes.is_quiet()
            && self.reads.is_quiet()
            && self.telling.is_quiet();
        let is_over = is_quiet || self.failure.is_some();
        if !is_over && at < deadline {
            return;
        }
        let left = Left { unfinished: self.open(), in_order: self.failure.is_none() };
        self.leaving.left = Some(left);
        self.answer_all(at, self.failure.unwrap_or(Failure::Closed), out);
        for request in std::mem::take(&mut self.leaving.requests) {
            out.reply(Some(request), Answer::Left(left));
        }
        out.left = Some(left);
    }

    /// Fails the shard: nothing can be recorded any more, so nothing begins and nothing is answered that may not be true after
    /// a restart.
    pub(super) fn fail_all(&mut self, at: Time, failure: Failure, out: &mut Outbox) {
        if self.failure.is_none_or(|before| before != Failure::Shard) {
            self.failure = Some(failure);
            self.refuse_waiting(at, failure, out);
            self.answer_all(at, failure, out);
        }
    }

    /// Refuses all activations that wait for a permit or an actor.
    fn refuse_waiting(&mut self, at: Time, failure: Failure, out: &mut Outbox) {
        let refused = failure.not_activated();
        let (queue, unpermitted) = (&mut self.admission.queue, &mut self.admission.unpermitted);
        let had_permits = queue.len();
        let waiting: Vec<_> = queue.drain(..).chain(unpermitted.drain(..)).collect();
        for waiting in waiting {
            self.refuse(at, waiting, refused.clone(), out);
        }
        for _ in 0..had_permits {
            self.return_permit(out);
        }
    }

    /// Answers every request that the supervisor owns.
    fn answer_all(&mut self, at: Time, failure: Failure, out: &mut Outbox) {
        for claim in self.keys.take_claims() {
            for asker in claim.askers() {
                self.answer(asker, Err(failure.not_activated()), out);
            }
        }
        for purpose in self.reads.take_all() {
            self.answer_purpose(at, purpose, failure, out);
        }
        let mut requests = self.take_unreadable_requests();
        for after in self.writes.take_all() {
            if let AfterWrite::Reply(request) = after {
                requests.push(request);
            }
        }
        requests.extend(self.recovery.take_asks().iter().filter_map(|ask| ask.what.request()));
        requests.extend(std::mem::take(&mut self.absent).values().flatten().filter_map(Question::request));
        for request in requests {
            out.reply(Some(request), Answer::NotDone(failure.not_done()));
        }
        for slot in self.slots.all() {
            self.answer_slot(slot, failure, out);
        }
        self.wanting.clear();
    }

    fn answer_purpose(&mut self, at: Time, purpose: Purpose, failure: Failure, out: &mut Outbox) {
        match purpose {
            Purpose::Id(waiting) => self.refuse(at, *waiting, failure.not_activated(), out),
            // A slot whose history is being read may have begun: that must become known.
            Purpose::Slot(_) if failure != Failure::Closed => self.reads.want(purpose),
            Purpose::Absent(_)
            | Purpose::Found(_)
            | Purpose::FoundAsked(_)
            | Purpose::Slot(_)
            | Purpose::Unreadable(_)
            | Purpose::Key(_)
            | Purpose::Expired
            | Purpose::Untold => {}
        }
    }

    /// Answers every request that waits in a slot.
    pub(super) fn answer_slot(&mut self, slot: Slot, failure: Failure, out: &mut Outbox) {
        let Some(entry) = self.slots.get_mut(slot) else { return };
        let execution = entry.execution;
        let mut requests = match &mut entry.place {
            Place::Parked(hosted) => std::mem::take(&mut hosted.cancels),
            _ => Vec::new(),
        };
        let is_undecided = matches!(entry.place, Place::Actor(_) | Place::Reading);
        let Some(rare) = entry.if_rare() else {
            requests.into_iter().for_each(|request| out.reply(Some(request), Answer::NotDone(failure.not_done())));
            return;
        };
        requests.append(&mut rare.cancels);
        rare.wants_actor = false;
        // Other shards stay up when this one fails. While this execution may still begin, the home of its key must not give the
        // key away, so the home is answered only when the outcome is known.
        let asker = match rare.asker {
            Asker::Shard(..) if failure == Failure::Shard && is_undecided => Asker::Nobody,
            _ => std::mem::take(&mut rare.asker),
        };
        let begin = rare.begin.take();
        let forwards = rare.forwards.take();
        self.forwarding -= usize::from(forwards.is_some());
        let come = forwards.into_iter().flat_map(|forwards| forwards.come);
        let messages: Vec<Message> = come.chain(rare.queue.drain(..)).collect();
        requests.extend(std::mem::take(&mut rare.operators).iter().filter_map(Operator::request));
        for request in requests {
            out.reply(Some(request), Answer::NotDone(failure.not_done()));
        }
        for message in messages {
            self.answer_undelivered(execution, &message, failure.not_done(), out);
        }
        self.answer(asker, Err(failure.not_activated()), out);
        if let Some(Acknowledge::Request(request)) = begin.map(|begin| begin.acknowledge) {
            out.reply(Some(request), Answer::NotActivated(failure.not_activated()));
        }
    }
}
