//! Routing of messages to executions, wherever they are.

use super::Supervisor;
use super::closing::Failure;
use super::input::{Ask, Question};
use super::late::{LateEvent, LateKind};
use super::message::{Body, Message, Tell};
use super::outbox::{Answer, NotDone, Notice, Outbox, Query, QueryTarget, ToActor};
use super::pool::ActorFor;
use super::reads::Purpose;
use super::slots::{Operator, Place};
use crate::execution::{Command, Input, Refused};
use crate::id::ExecutionId;
use crate::number::{ActorNo, Slot};
use crate::status::ExecutionStatus;
use crate::time::Time;

impl Supervisor {
    /// Routes a question from outside.
    pub(super) fn ask(&mut self, at: Time, ask: Ask, out: &mut Outbox) {
        if let Some(failure) = self.gone() {
            return out.reply(ask.what.request(), Answer::NotDone(failure.not_done()));
        }
        let execution = ask.execution;
        if let Some(behind) = self.absent.get_mut(&execution) {
            if behind.len() < self.options.early_messages_max {
                return behind.push(ask.what);
            }
            return out.reply(ask.what.request(), Answer::NotDone(NotDone::Saturated));
        }
        if let Some(slot) = self.slots.find(execution) {
            self.ask_open(at, slot, ask.what, out);
        } else if self.unreadable.contains_key(&execution) {
            self.ask_unreadable(at, ask, out);
        } else if self.recovery.is_found(execution) {
            self.ask_found(ask, out);
        } else if self.admission.expected.contains_key(&execution) {
            if let Err(what) = self.keep_expected(execution, ask.what) {
                out.reply(what.request(), Answer::NotDone(NotDone::Saturated));
            }
        } else {
            self.ask_absent(ask, out);
        }
    }

    fn ask_open(&mut self, at: Time, slot: Slot, what: Question, out: &mut Outbox) {
        let Some(entry) = self.slots.get_mut(slot) else { return };
        let is_quarantined = entry.is_quarantined();
        let failure = self.failure;
        match what {
            Question::Tell(message) if matches!(message.body, Body::Query) => self.query(at, slot, message, out),
            what if failure.is_some() => {
                let not_done = failure.map_or(NotDone::Closed, Failure::not_done);
                out.reply(what.request(), Answer::NotDone(not_done));
            }
            Question::Release(request) if !is_quarantined => {
                out.reply(request, Answer::NotDone(NotDone::NotQuarantined));
            }
            Question::Release(request) => {
                entry.rare_mut().operators.push_back(Operator::Release(request));
                self.serve_operators(at, slot, out);
            }
            Question::Tell(message) if is_quarantined && matches!(message.body, Body::Input(Input::Command(_))) => {
                entry.rare_mut().operators.push_back(Operator::Command(message));
                self.serve_operators(at, slot, out);
            }
            Question::Tell(message) if is_quarantined && matches!(message.body, Body::Input(Input::Operate(_))) => {
                let refused = Refused::NotRunning(ExecutionStatus::Quarantined);
                out.reply(message.request, Answer::NotDone(NotDone::Refused(refused)));
            }
            Question::Tell(message) if is_quarantined && entry.queued() >= self.options.early_messages_max => {
                out.reply(message.request, Answer::NotDone(NotDone::Saturated));
            }
            Question::Tell(message) => self.deliver(at, slot, message, out),
        }
    }

    /// Answers a query about an open execution. It sees the effect of every message before it.
    fn query(&mut self, now: Time, slot: Slot, message: Message, out: &mut Outbox) {
        let (Some(entry), Some(request)) = (self.slots.get(slot), message.request) else { return };
        let execution = entry.execution;
        let rare = entry.rare();
        let quarantine = rare.and_then(|rare| rare.quarantine.clone());
        // What is about to go to an actor is looked at there.
        let is_behind = rare.is_some_and(|rare| {
            rare.wants_actor || rare.forwards.is_some() || (rare.quarantine.is_none() && !rare.queue.is_empty())
        });
        let at = match (&entry.place, quarantine) {
            (Place::Unreadable(reason), _) => QueryTarget::Unreadable(reason.clone()),
            (Place::Parked(_), Some(reason)) if !is_behind => QueryTarget::Quarantined(slot, reason),
            (Place::Parked(_), None) if !is_behind => QueryTarget::Parked(slot),
            (Place::Actor(_), _) => return self.deliver(now, slot, message, out),
            _ if self.failure.is_some() => QueryTarget::Journal,
            _ => return self.deliver(now, slot, message, out),
        };
        out.queries.push(Query { request, execution, at });
    }

    /// Redirects queries about a parked execution that has been attached to an actor meanwhile.
    pub(super) fn redirect_queries(&mut self, at: Time, out: &mut Outbox) {
        for query in std::mem::take(&mut out.queries) {
            match query.at {
                QueryTarget::Parked(slot) | QueryTarget::Quarantined(slot, _) if self.parked(slot).is_none() => {
                    let message = Message { request: Some(query.request), body: Body::Query };
                    self.ask(at, Ask { execution: query.execution, what: Question::Tell(message) }, out);
                }
                _ => out.queries.push(query),
            }
        }
    }

    /// Delivers a message to the execution's actor, else to its queue.
    pub(super) fn deliver(&mut self, at: Time, slot: Slot, message: Message, out: &mut Outbox) {
        let Some(entry) = self.slots.get_mut(slot) else { return };
        match entry.place {
            Place::Actor(actor) if !entry.holds_messages_back() => {
                let execution = entry.execution;
                self.tell(actor, slot, execution, message, out);
            }
            // The usual case of an execution that only waited: nothing is queued anywhere.
            Place::Parked(_)
                if self.failure.is_none()
                    && self.pool.has_free(ActorFor::Work)
                    && entry.rare().is_none()
                    && self.wanting.is_empty() =>
            {
                self.attach_for(at, slot, message, out);
            }
            _ => {
                let queue = &mut entry.rare_mut().queue;
                // Of those that follow each other only the last one counts: a handler that sets many fills no queue. One before
                // an outcome stays there, because it is recorded with that.
                if message.is_custom_status() && queue.back().is_some_and(Message::is_custom_status) {
                    queue.pop_back();
                }
                queue.push_back(message);
                self.want_actor(slot);
            }
        }
    }

    /// Sends a message to the actor that hosts the execution.
    pub(super) fn tell(
        &mut self,
        actor: ActorNo,
        slot: Slot,
        execution: ExecutionId,
        message: Message,
        out: &mut Outbox,
    ) {
        let attachment = self.pool.tell(actor);
        out.actors.push((actor, ToActor::Tell(Tell { slot, execution, attachment, message })));
    }

    /// Handles a message of the task engine for an execution that had no actor when it was sent.
    pub(super) fn delivered(&mut self, at: Time, slot: Slot, message: Message, out: &mut Outbox) {
        if let Some(failure) = self.failure.or_else(|| self.gone()) {
            out.reply(message.request, Answer::NotDone(failure.not_done()));
        } else if self.slots.get(slot).is_some() {
            self.deliver(at, slot, message, out);
        } else {
            // The execution has ended meanwhile. Nothing but a report has anybody who waits.
            out.reply(message.request, Answer::NotDone(NotDone::NotFound));
        }
    }

    /// Handles a question about an execution that is not open: only the journal knows about it.
    fn ask_absent(&mut self, ask: Ask, out: &mut Outbox) {
        match &ask.what {
            Question::Tell(Message { request: Some(request), body: Body::Query }) => {
                out.queries.push(Query { request: *request, execution: ask.execution, at: QueryTarget::Journal });
            }
            Question::Tell(Message { body: Body::Input(_), .. }) | Question::Release(_) => {
                self.reads.want(Purpose::Absent(ask.execution));
                self.absent.insert(ask.execution, vec![ask.what]);
            }
            Question::Tell(_) => {}
        }
    }

    /// Handles the journal's answer about an execution that was not open.
    pub(super) fn absent_looked(
        &mut self,
        at: Time,
        execution: ExecutionId,
        status: &Result<Option<ExecutionStatus>, Box<str>>,
        out: &mut Outbox,
    ) {
        for what in self.absent.remove(&execution).unwrap_or_default() {
            let is_query = matches!(&what, Question::Tell(Message { body: Body::Query, .. }));
            if is_query || self.is_open(execution) || self.admission.expected.contains_key(&execution) {
                // It has begun, or is to begin, since the journal was asked.
                self.ask(at, Ask { execution, what }, out);
            } else {
                self.refuse_absent(at, execution, &what, status, out);
            }
        }
    }

    fn refuse_absent(
        &mut self,
        at: Time,
        execution: ExecutionId,
        what: &Question,
        status: &Result<Option<ExecutionStatus>, Box<str>>,
        out: &mut Outbox,
    ) {
        let not_done = match status {
            Ok(Some(status)) if status.is_terminal() => NotDone::Refused(refused_by_end(what, *status)),
            Ok(_) => {
                out.notices.push(Notice::NotFound(execution));
                NotDone::NotFound
            }
            Err(reason) => NotDone::Unread(reason.clone()),
        };
        match what {
            Question::Tell(Message { body: Body::Input(Input::Reported(_)), .. }) => {
                self.note_late(at, execution, LateKind::Report, &not_done, out);
            }
            Question::Tell(Message { body: Body::Input(Input::Signal(_)), .. }) => {
                self.note_late(at, execution, LateKind::Signal, &not_done, out);
            }
            _ => {}
        }
        out.reply(what.request(), Answer::NotDone(not_done));
    }

    fn note_late(&mut self, at: Time, execution: ExecutionId, what: LateKind, not_done: &NotDone, out: &mut Outbox) {
        let reason = match not_done {
            NotDone::Refused(refused) => refused.to_string(),
            NotDone::Unread(reason) => reason.to_string(),
            _ => "there is no such execution".to_owned(),
        };
        let event = LateEvent { execution, at, what, reason: reason.into() };
        self.late.note(event.clone());
        if *not_done != NotDone::NotFound {
            out.notices.push(Notice::LateReport(event));
        }
    }

    /// Answers a message that its execution will never get.
    pub(super) fn answer_undelivered(
        &mut self,
        execution: ExecutionId,
        message: &Message,
        why: NotDone,
        out: &mut Outbox,
    ) {
        match *message {
            Message { request: Some(request), body: Body::Query } => {
                out.queries.push(Query { request, execution, at: QueryTarget::Journal });
            }
            Message { request, .. } => out.reply(request, Answer::NotDone(why)),
        }
    }
}

/// Why something is refused by an execution that has ended with this status.
pub(super) fn refused_by_end(what: &Question, status: ExecutionStatus) -> Refused {
    match what {
        Question::Tell(Message { body: Body::Input(Input::Command(command)), .. })
            if !matches!(command, Command::Cancel { .. } | Command::ForceCancel { .. }) =>
        {
            Refused::NotRunning(status)
        }
        Question::Release(_) => Refused::NotRunning(status),
        Question::Tell(_) => Refused::AlreadyTerminal(status),
    }
}
