//! Answers questions about executions, as far as the answers are durable.

use std::rc::Rc;
use std::sync::Arc;

use actix::{Handler, Message};
use finale_core::WorkKey;
use finale_core::definition::Verdict;
use finale_core::execution::{Command, Input, Why};
use finale_core::record::State;
use finale_core::{Compiled, Execution, ExecutionId, ExecutionStatus, Record};
use finale_journal::{Filter, Summary};
use tokio::sync::oneshot;

use super::Supervisor;
use super::ended::Ended;
use crate::completion::Completion;
use crate::errors::CommandError;
use crate::events::{Event, EventNumber, Events, Subscriber};
use crate::handle::CancelReceipt;
use crate::late::LateEvent;
use crate::observe;
use crate::shard::{Bound, Live, Mail, Reply, Shown};

pub(super) type Answer<T> = oneshot::Sender<Result<T, CommandError>>;

/// Something asked of one execution.
pub(crate) enum Question {
    Completion(Answer<Arc<Completion>>),
    Status(Answer<ExecutionStatus>),
    Snapshot(Answer<Record>),
    Why(Answer<Why>),
    Events(EventNumber, Answer<Events>),
    Late(Answer<Vec<LateEvent>>),
    Cancel(Box<str>, Answer<CancelReceipt>),
    Command(Command, Answer<()>),
    Verdict { node: String, verdict: Verdict, by: Box<str>, answer: Answer<()> },
    Release(Answer<()>),
}

/// Asks something of one execution.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Ask {
    pub(crate) execution: ExecutionId,
    pub(crate) question: Question,
}

impl Handler<Ask> for Supervisor {
    type Result = ();

    fn handle(&mut self, ask: Ask, _context: &mut Self::Context) {
        let Ask { execution, question } = ask;
        match self.find(execution) {
            Some(live) => self.ask_live(&live, question),
            None if self.unreadable.contains_key(&execution) => self.ask_unreadable(execution, question),
            None => self.ask_ended(execution, question),
        }
    }
}

/// Nobody may be waiting for an answer any more: that is theirs to decide.
pub(super) fn give<T>(answer: Answer<T>, value: Result<T, CommandError>) {
    drop(answer.send(value));
}

impl Supervisor {
    fn ask_live(&mut self, live: &Rc<Live>, question: Question) {
        match question {
            Question::Completion(answer) => give(answer, Ok(Arc::clone(&live.completion))),
            Question::Status(answer) => give(answer, Ok(live.visible_status())),
            Question::Snapshot(answer) => self.look(live, answer, |live, execution| live.record(execution)),
            Question::Why(answer) => self.look(live, answer, |live, execution| live.why(execution)),
            Question::Events(after, answer) => self.subscribe(live, after, answer),
            Question::Late(answer) => give(answer, Ok(self.shard.ledger.borrow().of(live.id))),
            Question::Release(answer) => self.release(live, answer),
            Question::Cancel(by, answer) => {
                self.command(live, Input::Command(Command::Cancel { by }), Reply::Cancel(answer));
            }
            Question::Command(command, answer) => {
                self.command(live, Input::Command(command), Reply::Command(answer));
            }
            Question::Verdict { node, verdict, by, answer } => match live.bound.compiled.position(&node) {
                Some(node) => {
                    self.command(
                        live,
                        Input::Verdict { key: WorkKey::root(node), verdict, by },
                        Reply::Command(answer),
                    );
                }
                None => give(answer, Err(CommandError::NotFound)),
            },
        }
    }

    fn command(&self, live: &Rc<Live>, input: Input, reply: Reply) {
        if let Some(error) = self.shard.journal_error() {
            return reply.fail(&error);
        }
        if live.is_quarantined() && matches!(input, Input::Command(_)) {
            return self.overrule(live, input, reply);
        }
        self.shard.deliver(live, Mail::Tell(input, Some(reply)));
    }

    /// Looks at an execution now and shows what was seen once that is durable.
    fn look<T: 'static>(
        &self,
        live: &Rc<Live>,
        answer: Answer<T>,
        look: impl FnOnce(&Live, &Execution) -> T + 'static,
    ) {
        if live.is_durable() {
            return give(answer, Ok(live.read(|execution| look(live, execution))));
        }
        if live.is_quarantined() || self.shard.journal_error().is_some() {
            // What is not durable may never be.
            return give(answer, self.shard.durable(live).map(|execution| look(live, &execution)));
        }
        let look = move |live: &Live, execution: &Execution| -> Shown {
            let seen = look(live, execution);
            Box::new(move |durable| give(answer, durable.map(|()| seen).map_err(|error| error.clone().into())))
        };
        self.shard.deliver(live, Mail::Look(Box::new(look)));
    }

    fn ask_ended(&mut self, execution: ExecutionId, question: Question) {
        let ended = match self.ended(execution) {
            Ok(Some(ended)) => ended,
            Ok(None) => {
                observe::not_found(execution);
                return question.refuse(&CommandError::NotFound);
            }
            Err(error) => return question.refuse(&error),
        };
        let status = ended.outcome.status();
        match question {
            Question::Completion(answer) => give(answer, Ok(Arc::clone(&ended.completion))),
            Question::Status(answer) => give(answer, Ok(status)),
            Question::Snapshot(answer) => give(answer, self.past(execution, &ended, Execution::record)),
            Question::Why(answer) => give(answer, self.past(execution, &ended, Execution::why)),
            Question::Events(after, answer) => give(answer, self.past_events(execution, &ended, after)),
            Question::Late(answer) => give(answer, Ok(self.shard.ledger.borrow().of(execution))),
            Question::Cancel(_, answer) => {
                observe::cancel_conflict(execution, status);
                give(answer, Err(CommandError::AlreadyTerminal(status)));
            }
            Question::Command(_, answer) | Question::Release(answer) => {
                observe::invalid_status(execution, status);
                give(answer, Err(CommandError::NotRunning(status)));
            }
            Question::Verdict { answer, .. } => give(answer, Err(CommandError::AlreadyTerminal(status))),
        }
    }

    /// What the history of an execution that ended comes to.
    fn past<T>(
        &self,
        execution: ExecutionId,
        ended: &Ended,
        look: impl FnOnce(&Execution, &Compiled) -> T,
    ) -> Result<T, CommandError> {
        let bound = ended.bound()?;
        self.shard.fold(execution, bound).map(|state| look(&state, &bound.compiled))
    }

    /// The events of the past come from the history, those of the future from the turns as they become durable.
    fn subscribe(&self, live: &Rc<Live>, after: EventNumber, answer: Answer<Events>) {
        let subscribed = self.shard.replay(live.id, &live.bound, 0, live.durable.get());
        let subscribed = subscribed.map(|past| {
            let (subscriber, events) = self.stream(&past, after);
            live.extra(|extra| extra.subscribers.extend(subscriber));
            events
        });
        give(answer, subscribed);
    }

    fn past_events(&self, execution: ExecutionId, ended: &Ended, after: EventNumber) -> Result<Events, CommandError> {
        let past = self.shard.replay(execution, ended.bound()?, 0, u64::MAX)?;
        Ok(self.stream(&past, after).1)
    }

    /// A stream that begins with what is past; its sending end is gone if that does not fit.
    fn stream(&self, past: &[Event], after: EventNumber) -> (Option<Subscriber>, Events) {
        let room = self.shard.options.limits.event_lag_max + past.len();
        let (mut subscriber, events) = Subscriber::new(after, room);
        let passed = past.iter().all(|event| subscriber.pass(event));
        (passed.then_some(subscriber), events)
    }
}

impl Ended {
    fn bound(&self) -> Result<&Rc<Bound>, CommandError> {
        self.bound.as_ref().ok_or_else(|| CommandError::Invalid("its history cannot be read".to_owned()))
    }
}

impl Question {
    pub(super) fn refuse(self, error: &CommandError) {
        match self {
            Self::Completion(answer) => give(answer, Err(error.clone())),
            Self::Status(answer) => give(answer, Err(error.clone())),
            Self::Snapshot(answer) => give(answer, Err(error.clone())),
            Self::Why(answer) => give(answer, Err(error.clone())),
            Self::Events(_, answer) => give(answer, Err(error.clone())),
            Self::Late(answer) => give(answer, Err(error.clone())),
            Self::Cancel(_, answer) => give(answer, Err(error.clone())),
            Self::Command(_, answer) | Self::Release(answer) | Self::Verdict { answer, .. } => {
                give(answer, Err(error.clone()));
            }
        }
    }
}

impl Live {
    fn visible_status(&self) -> ExecutionStatus {
        if self.is_quarantined() { ExecutionStatus::Quarantined } else { self.published.get() }
    }

    fn record(&self, execution: &Execution) -> Record {
        let mut record = execution.record(&self.bound.compiled);
        if let Some(reason) = self.if_extra(|extra| extra.quarantined.clone()).flatten() {
            record.state = State::Quarantined { reason };
        }
        record
    }

    fn why(&self, execution: &Execution) -> Why {
        let mut why = execution.why(&self.bound.compiled);
        if let Some(reason) = self.if_extra(|extra| extra.quarantined.clone()).flatten() {
            why.status = ExecutionStatus::Quarantined;
            why.error = Some(reason);
        }
        why
    }
}

/// Lists executions of all shards, newest first: what the journal says.
#[derive(Message)]
#[rtype(result = "Result<Vec<Summary>, CommandError>")]
pub(crate) struct List(pub(crate) Filter);

impl Handler<List> for Supervisor {
    type Result = Result<Vec<Summary>, CommandError>;

    fn handle(&mut self, List(filter): List, _context: &mut Self::Context) -> Self::Result {
        Ok(self.shard.journal.list(&filter)?)
    }
}
