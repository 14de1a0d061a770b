//! One execution that has not ended, as its shard keeps it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use actix::Addr;
use finale_core::execution::{Input, Refused, Report};
use finale_core::{Execution, ExecutionId, ExecutionStatus, Payload};
use finale_journal::JournalError;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Bound, Nudge};
use crate::completion::Completion;
use crate::errors::{CommandError, ReportError};
use crate::events::Subscriber;
use crate::execution_actor::ExecutionActor;
use crate::handle::CancelReceipt;

/// The place that leads to an execution, whether it has an actor just now or is parked as the plain value in here.
pub(crate) struct Live {
    pub(crate) id: ExecutionId,
    pub(crate) bound: Rc<Bound>,
    pub(crate) completion: Arc<Completion>,
    /// Changed by its actor alone, in [`Live::change`].
    state: RefCell<Execution>,
    /// How many of its facts are durable.
    pub(crate) durable: Cell<u64>,
    /// The status that everybody may see.
    pub(crate) published: Cell<ExecutionStatus>,
    inbox: RefCell<VecDeque<Mail>>,
    /// Taken from the inbox, not yet in the journal: read again if the actor dies over it.
    in_hand: RefCell<VecDeque<Mail>>,
    actor: RefCell<Option<Addr<ExecutionActor>>>,
    nudged: Cell<bool>,
    /// How many of its turns lie with the engine, durable and not performed yet.
    pub(crate) unperformed: Cell<u32>,
    /// What few executions need.
    extra: RefCell<Option<Box<Extra>>>,
}

/// What few executions need.
#[derive(Default)]
pub(crate) struct Extra {
    /// When its actor died.
    pub(crate) deaths: VecDeque<Instant>,
    /// Why it is parked until an operator decides.
    pub(crate) quarantined: Option<String>,
    /// Whether the next mail is read alone: it is the word of an operator about mail that brings the actor down.
    pub(crate) overruled: bool,
    /// Reports on tasks that were not asked for yet.
    pub(crate) early: Vec<EarlyReport>,
    /// Who waits for the end of a cancellation.
    pub(crate) cancels: Vec<oneshot::Sender<Result<CancelReceipt, CommandError>>>,
    pub(crate) subscribers: Vec<Subscriber>,
}

/// A report on a task that was not asked for yet.
pub(crate) type EarlyReport = (Report, Reply);

/// Something an execution is told.
pub(crate) enum Mail {
    /// Something its core decides on, and who wants to know what came of it.
    Tell(Input, Option<Reply>),
    /// Somebody wants to look at it; what is seen is shown once it is durable.
    Look(Look),
}

pub(crate) type Look = Box<dyn FnOnce(&Live, &Execution) -> Shown>;

/// What somebody saw, to be shown when it is durable; or the error because of which it never will be.
pub(crate) type Shown = Box<dyn FnOnce(Result<(), &JournalError>)>;

/// Who wants to know what came of an input.
pub(crate) enum Reply {
    Command(oneshot::Sender<Result<(), CommandError>>),
    Cancel(oneshot::Sender<Result<CancelReceipt, CommandError>>),
    Report(oneshot::Sender<Result<(), ReportError>>),
}

impl Reply {
    /// Says what came of it. Nobody may be listening any more: that is theirs to decide.
    pub(crate) fn send(self, result: Result<(), Refused>) {
        match self {
            Self::Command(sender) => drop(sender.send(result.map_err(Into::into))),
            Self::Report(sender) => drop(sender.send(result.map_err(Into::into))),
            Self::Cancel(sender) => {
                if let Err(refused) = result {
                    drop(sender.send(Err(refused.into())));
                }
            }
        }
    }

    /// Says that there is no room to keep a report until its task is asked for.
    pub(crate) fn saturated(self, early_outcomes_max: usize) {
        if let Self::Report(sender) = self {
            drop(sender.send(Err(ReportError::Saturated { early_outcomes_max })));
        }
    }

    /// Says that it cannot be made durable.
    pub(crate) fn fail(self, error: &JournalError) {
        match self {
            Self::Command(sender) => drop(sender.send(Err(error.clone().into()))),
            Self::Cancel(sender) => drop(sender.send(Err(error.clone().into()))),
            Self::Report(sender) => drop(sender.send(Err(error.clone().into()))),
        }
    }
}

impl Live {
    pub(crate) fn new(id: ExecutionId, bound: Rc<Bound>, completion: Arc<Completion>) -> Self {
        Self {
            id,
            state: RefCell::new(Execution::new(id, &bound.compiled)),
            bound,
            completion,
            durable: Cell::new(0),
            published: Cell::new(ExecutionStatus::Pending),
            inbox: RefCell::default(),
            in_hand: RefCell::default(),
            actor: RefCell::default(),
            nudged: Cell::new(false),
            unperformed: Cell::new(0),
            extra: RefCell::default(),
        }
    }

    /// One that another runtime has begun.
    pub(crate) fn revived(bound: Rc<Bound>, state: Execution, completion: Arc<Completion>) -> Self {
        let live = Self::new(state.id(), bound, completion);
        live.durable.set(state.sequence());
        live.published.set(state.status());
        live.completion.acknowledge(live.id);
        *live.state.borrow_mut() = state;
        live
    }

    /// Looks at the state as it is now, which may not be durable yet.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Execution) -> T) -> T {
        look(&self.state.borrow())
    }

    /// What the execution was given.
    pub(crate) fn given(&self) -> Payload {
        self.read(|execution| execution.activation().map(|how| how.input.clone())).unwrap_or_default()
    }

    /// Changes the state; for its actor, and for the supervisor when it is rebuilt.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Execution) -> T) -> T {
        change(&mut self.state.borrow_mut())
    }

    /// Whether everything that happened to it is durable.
    pub(crate) fn is_durable(&self) -> bool {
        self.durable.get() == self.state.borrow().sequence()
    }

    /// Whether its end is decided, durably.
    pub(crate) fn is_ending(&self) -> bool {
        self.published.get() == ExecutionStatus::Ending
    }

    /// Whether nothing can happen to it any more.
    pub(crate) fn has_ended(&self) -> bool {
        self.state.borrow().status().is_terminal()
    }

    pub(crate) fn put(&self, mail: Mail) {
        self.inbox.borrow_mut().push_back(mail);
    }

    pub(crate) fn has_mail(&self) -> bool {
        !self.inbox.borrow().is_empty()
    }

    /// Whether something is on its way to it that its state does not know of, or from it that the engine does not.
    pub(crate) fn is_busy(&self) -> bool {
        self.has_mail() || !self.in_hand.borrow().is_empty() || self.unperformed.get() > 0
    }

    /// Takes mail in hand, at most that much.
    pub(crate) fn take_in_hand(&self, most: usize) -> std::cell::RefMut<'_, VecDeque<Mail>> {
        let (mut inbox, mut in_hand) = (self.inbox.borrow_mut(), self.in_hand.borrow_mut());
        if in_hand.is_empty() && inbox.len() <= most {
            std::mem::swap(&mut *inbox, &mut *in_hand);
        } else {
            let count = most.min(inbox.len());
            in_hand.extend(inbox.drain(..count));
        }
        in_hand
    }

    /// Puts back what was in the hands of an actor that died.
    pub(crate) fn put_back(&self) {
        let (mut inbox, mut in_hand) = (self.inbox.borrow_mut(), self.in_hand.borrow_mut());
        while let Some(mail) = in_hand.pop_back() {
            inbox.push_front(mail);
        }
    }

    /// Puts mail before all other.
    pub(crate) fn put_first(&self, mail: Mail) {
        self.put_back();
        self.inbox.borrow_mut().push_front(mail);
    }

    /// Shows those who asked to look at it another state than that after the mail before: that will not be read.
    pub(crate) fn show(&self, state: &Execution) {
        self.put_back();
        let (looks, other) = self.inbox.take().into_iter().partition(|mail| matches!(mail, Mail::Look(_)));
        *self.inbox.borrow_mut() = other;
        for mail in <VecDeque<Mail>>::into_iter(looks) {
            if let Mail::Look(look) = mail {
                look(self, state)(Ok(()));
            }
        }
    }

    /// Tells everybody who waits for an answer that there will be none, because the journal has failed.
    pub(crate) fn fail(&self, error: &JournalError) {
        self.put_back();
        for mail in self.inbox.take() {
            match mail {
                Mail::Tell(_, reply) => reply.into_iter().for_each(|reply| reply.fail(error)),
                Mail::Look(look) => self.read(|execution| look(self, execution))(Err(error)),
            }
        }
        let Some(extra) = self.extra.take() else { return };
        extra.early.into_iter().for_each(|(_, reply)| reply.fail(error));
        extra.cancels.into_iter().for_each(|cancel| Reply::Cancel(cancel).fail(error));
    }

    /// The key of the activation that it was handed in with and that was not recorded yet.
    pub(crate) fn unrecorded_key(&self) -> Option<Box<str>> {
        let (inbox, in_hand) = (self.inbox.borrow(), self.in_hand.borrow());
        in_hand.iter().chain(inbox.iter()).find_map(|mail| match mail {
            Mail::Tell(Input::Activate(activation), _) => activation.idempotency_key.clone(),
            _ => None,
        })
    }

    /// Tells its actor that there is mail; false if it has none.
    pub(crate) fn nudge(&self) -> bool {
        let actor = self.actor.borrow();
        let Some(actor) = &*actor else {
            return false;
        };
        if !self.nudged.replace(true) {
            actor.do_send(Nudge);
        }
        true
    }

    /// Says that its actor is about to read its mail.
    pub(crate) fn reading(&self) {
        self.nudged.set(false);
    }

    pub(crate) fn seat(&self, actor: Addr<ExecutionActor>) {
        // A fresh actor reads the mail as its first thing.
        self.nudged.set(true);
        *self.actor.borrow_mut() = Some(actor);
    }

    /// Takes its actor away, which stops with its last address; false if it had none.
    pub(crate) fn unseat(&self) -> bool {
        self.actor.take().is_some()
    }

    pub(crate) fn is_quarantined(&self) -> bool {
        self.extra.borrow().as_ref().is_some_and(|extra| extra.quarantined.is_some())
    }

    /// Gives access to what few executions need.
    pub(crate) fn extra<T>(&self, change: impl FnOnce(&mut Extra) -> T) -> T {
        change(self.extra.borrow_mut().get_or_insert_default())
    }

    /// Like [`Live::extra`], for those that have it already.
    pub(crate) fn if_extra<T>(&self, change: impl FnOnce(&mut Extra) -> T) -> Option<T> {
        self.extra.borrow_mut().as_deref_mut().map(change)
    }

    pub(crate) fn is_watched(&self) -> bool {
        self.extra.borrow().as_ref().is_some_and(|extra| !extra.subscribers.is_empty())
    }

    /// Throws away the mail of an execution whose shard is at its end.
    pub(crate) fn clear(&self) {
        self.inbox.take();
        self.in_hand.take();
        self.extra.take();
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.completion.abandon();
    }
}
