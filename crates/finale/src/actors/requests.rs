//! Who waits for what: what is behind the numbers of requests.

use std::sync::Arc;

use crate::oneshot;
use finale_core::execution::{FoundWork, Refused, Why};
use finale_core::number::{RequestId, Slot};
use finale_core::record::State;
use finale_core::supervisor::{NotActivated, NotDone};
use finale_core::task_engine::EarlyAnswer;
use finale_core::{Compiled, Execution, ExecutionId, ExecutionStatus, Record, WorkKey};
use finale_journal::JournalError;

use super::bound::Bound;
use super::messages::Shown;
use crate::activation::{ActivateError, Pledge, Request};
use crate::completion::Completion;
use crate::errors::{CommandError, ReportError};
use crate::events::Subscriber;
use crate::handle::CancelReceipt;
use crate::observe;
use crate::options::Options;
use crate::workflow::Workflow;

/// Somebody who waits for an answer.
pub(crate) enum Waiting {
    Activation(WaitingActivation),
    Command(ExecutionId, oneshot::Sender<Result<(), CommandError>>),
    Cancel(ExecutionId, oneshot::Sender<Result<CancelReceipt, CommandError>>),
    Report(oneshot::Sender<Result<(), ReportError>>),
    Look(Look),
    Leave,
}

/// Somebody who waits for an execution to begin.
pub(crate) struct WaitingActivation {
    pub(crate) pledge: Pledge,
    /// The idempotency key, for who is refused because of it.
    pub(crate) key: Option<Box<str>>,
    /// Why the definition was refused, if it was.
    pub(crate) refused: Option<ActivateError>,
    /// The request of an activation with a key: it is begun anew if the execution that has the key is forgotten in the moment
    /// in which it is looked for.
    pub(crate) again: Option<Box<Request>>,
}

/// Something that somebody wants to see of an execution.
pub(crate) enum Look {
    Completion(Answer<Arc<Completion>>),
    Snapshot(Answer<Held<Record>>),
    Why(Answer<Held<Why>>),
    /// What it runs.
    Workflow(Answer<Workflow>),
    /// The work that is done at a node, by its path.
    Key(String, Answer<FoundNode>),
    /// Hears everything that is decided from now on.
    Watch(Subscriber, Answer<Watched>),
}

/// What was seen of an execution, and the slot it has, if it has one: the task engine knows more of its tasks.
pub(crate) type Held<T> = (T, Option<Slot>);

/// What somebody who watches an execution is told in advance.
pub(crate) struct Watched {
    /// How many facts are durable: what followed from them can be read.
    pub(crate) durable: u64,
    /// How many facts there are. What follows from later ones is told.
    pub(crate) decided: u64,
    /// Told when all those are durable; dropped if they never will be. None if they are.
    pub(crate) gate: Option<oneshot::Receiver<()>>,
}

/// What came of a look.
#[derive(Default)]
pub(crate) struct Seen {
    /// Shows what was seen, once all of it is durable.
    pub(crate) shown: Option<Shown>,
    /// Who watches the execution from now on.
    pub(crate) subscriber: Option<Subscriber>,
}

impl Seen {
    fn later<T: Send + 'static>(answer: Answer<T>, seen: T) -> Self {
        Self { shown: Some(show(answer, seen)), subscriber: None }
    }
}

pub(crate) type Answer<T> = oneshot::Sender<Result<T, NotSeen>>;

/// Why nothing can be seen of an execution on its shard.
#[derive(Clone, Debug)]
pub(crate) enum NotSeen {
    /// It is not open: what there is to be known of it is in the journal.
    InJournal,
    /// Something was seen, and it will never be durable.
    NotDurable(JournalError),
    Failed(CommandError),
}

/// The table of who waits. Places are used again, numbers are not: an answer to somebody who was answered already finds
/// nobody.
#[derive(Default)]
pub(crate) struct Requests {
    places: Vec<Place>,
    free: Vec<u32>,
}

#[derive(Default)]
struct Place {
    /// How often the place was used before.
    uses: u32,
    waiting: Option<Waiting>,
}

impl Requests {
    pub(crate) fn put(&mut self, waiting: Waiting) -> RequestId {
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            self.places.len() as u32 - 1
        });
        let place = &mut self.places[index as usize];
        place.waiting = Some(waiting);
        RequestId(u64::from(place.uses) << 32 | u64::from(index))
    }

    pub(crate) fn take(&mut self, RequestId(number): RequestId) -> Option<Waiting> {
        let (uses, index) = ((number >> 32) as u32, number as u32);
        let place = self.places.get_mut(index as usize).filter(|place| place.uses == uses)?;
        let waiting = place.waiting.take()?;
        place.uses = place.uses.wrapping_add(1);
        self.free.push(index);
        Some(waiting)
    }

    /// Everybody who waits.
    pub(crate) fn take_all(&mut self) -> Vec<Waiting> {
        let all = (0..self.places.len() as u32)
            .map(|index| RequestId(u64::from(self.places[index as usize].uses) << 32 | u64::from(index)));
        all.collect::<Vec<_>>().into_iter().filter_map(|request| self.take(request)).collect()
    }

    /// What a query wants to see.
    pub(crate) fn take_look(&mut self, request: RequestId) -> Option<Look> {
        match self.take(request)? {
            Waiting::Look(look) => Some(look),
            _ => None,
        }
    }
}

impl Look {
    /// Whether what is seen is told when it is durable.
    pub(crate) const fn needs_durable(&self) -> bool {
        !matches!(self, Self::Completion(_) | Self::Workflow(_))
    }

    /// Sees the state of an execution, of which that many facts are durable.
    pub(crate) fn see(
        self,
        slot: Slot,
        state: &Execution,
        durable: u64,
        bound: &Bound,
        completion: &Arc<Completion>,
        quarantined: Option<&str>,
    ) -> Seen {
        match self {
            Self::Completion(answer) => {
                // What handles wait on says by itself how far it is durable. Whoever asked may have gone; that is fine.
                let _ = answer.send(Ok(Arc::clone(completion)));
                Seen::default()
            }
            Self::Snapshot(answer) => {
                let mut record = state.record(&bound.compiled);
                if let Some(reason) = quarantined {
                    record.state = State::Quarantined { reason: reason.to_owned() };
                }
                Seen::later(answer, (record, Some(slot)))
            }
            Self::Why(answer) => {
                let mut why = state.why(&bound.compiled);
                if let Some(reason) = quarantined {
                    why.status = ExecutionStatus::Quarantined;
                    why.error = Some(reason.to_owned());
                }
                Seen::later(answer, (why, Some(slot)))
            }
            Self::Workflow(answer) => {
                // Whoever asked may have gone; that is fine.
                let _ = answer.send(Ok(bound.workflow.clone()));
                Seen::default()
            }
            Self::Key(path, answer) => Seen::later(answer, found(state, &bound.compiled, &path)),
            Self::Watch(mut subscriber, answer) => {
                let decided = state.sequence();
                subscriber.begin_after(decided);
                let (told, gate) = oneshot::channel();
                // Whoever asked may have gone; that is fine.
                let _ = answer.send(Ok(Watched { durable, decided, gate: Some(gate) }));
                let shown: Shown = Box::new(move |durable: Result<(), &JournalError>| {
                    if durable.is_ok() {
                        let _ = told.send(());
                    }
                });
                Seen { shown: Some(shown), subscriber: Some(subscriber) }
            }
        }
    }

    /// Says what there is to see of an execution that cannot be read.
    pub(crate) fn unreadable(self, reason: &str, completion: &Arc<Completion>) {
        match self {
            // Whoever asked may have gone; that is fine.
            Self::Completion(answer) => drop(answer.send(Ok(Arc::clone(completion)))),
            Self::Why(answer) => drop(answer.send(Ok((Why::quarantined(reason), None)))),
            other => {
                let error = CommandError::Invalid(in_words(&NotDone::Unreadable(reason.into())));
                other.refuse(NotSeen::Failed(error));
            }
        }
    }

    /// Says that there is nothing to see on this shard, and why.
    pub(crate) fn refuse(self, why: NotSeen) {
        // Whoever asked may have gone; that is fine.
        match self {
            Self::Completion(answer) => drop(answer.send(Err(why))),
            Self::Snapshot(answer) => drop(answer.send(Err(why))),
            Self::Why(answer) => drop(answer.send(Err(why))),
            Self::Workflow(answer) => drop(answer.send(Err(why))),
            Self::Key(_, answer) => drop(answer.send(Err(why))),
            Self::Watch(_, answer) => drop(answer.send(Err(why))),
        }
    }
}

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FoundNode {
    There(WorkKey),
    /// What it is in was not begun.
    Ahead,
    /// What it is in is over.
    Over,
    Unknown,
}

fn found(state: &Execution, compiled: &Compiled, path: &str) -> FoundNode {
    // An id may be written as it is as long as it is in the definition's own graph.
    if let Some(own) = compiled.position(path) {
        return FoundNode::There(WorkKey::root(own));
    }
    let Ok(path) = path.parse() else { return FoundNode::Unknown };
    match state.look_up(compiled, &path) {
        FoundWork::There(key) => FoundNode::There(key),
        FoundWork::Ahead => FoundNode::Ahead,
        FoundWork::Over => FoundNode::Over,
        FoundWork::Unknown => FoundNode::Unknown,
    }
}

fn show<T: Send + 'static>(answer: Answer<T>, seen: T) -> Shown {
    Box::new(move |durable| {
        let answered = durable.map(|()| seen).map_err(|error| NotSeen::NotDurable(error.clone()));
        // Whoever asked may have gone; that is fine.
        let _ = answer.send(answered);
    })
}

/// Answers that are sent to whoever waits. A receiver may be gone; that is fine.
impl Waiting {
    pub(crate) fn done(self) {
        match self {
            Self::Command(_, sender) => drop(sender.send(Ok(()))),
            Self::Report(sender) => drop(sender.send(Ok(()))),
            Self::Activation(_) | Self::Cancel(..) | Self::Look(_) | Self::Leave => {}
        }
    }

    /// What was asked of an execution was refused by it.
    pub(crate) fn refused(self, refused: Refused) {
        if let Self::Command(execution, _) | Self::Cancel(execution, _) = &self {
            observe::refused(*execution, matches!(self, Self::Cancel(..)), &refused);
        }
        match self {
            Self::Command(_, sender) => drop(sender.send(Err(refused.into()))),
            Self::Cancel(_, sender) => drop(sender.send(Err(refused.into()))),
            Self::Report(sender) => drop(sender.send(Err(refused.into()))),
            Self::Activation(_) | Self::Look(_) | Self::Leave => {}
        }
    }

    /// The answer to somebody whose report came before its task was open.
    pub(crate) fn early(self, answer: EarlyAnswer) {
        match (self, answer) {
            (Self::Report(sender), EarlyAnswer::Saturated { early_reports_max }) => {
                let early_outcomes_max = early_reports_max;
                drop(sender.send(Err(ReportError::Saturated { early_outcomes_max })));
            }
            (waiting, EarlyAnswer::Ended(status)) => waiting.refused(Refused::AlreadyTerminal(status)),
            _ => {}
        }
    }

    pub(crate) fn failed(self, error: &JournalError) {
        match self {
            Self::Command(_, sender) => drop(sender.send(Err(error.clone().into()))),
            Self::Cancel(_, sender) => drop(sender.send(Err(error.clone().into()))),
            Self::Report(sender) => drop(sender.send(Err(error.clone().into()))),
            Self::Look(look) => look.refuse(NotSeen::Failed(error.clone().into())),
            Self::Activation(waiting) => waiting.pledge.completion().refuse(error.clone().into()),
            Self::Leave => {}
        }
    }

    pub(crate) fn not_done(self, why: &NotDone, early_outcomes_max: usize, journal: &impl Fn() -> JournalError) {
        match self {
            Self::Command(_, sender) => drop(sender.send(Err(command_error(why, journal)))),
            Self::Cancel(_, sender) => drop(sender.send(Err(command_error(why, journal)))),
            Self::Report(sender) if *why == NotDone::Saturated => {
                drop(sender.send(Err(ReportError::Saturated { early_outcomes_max })));
            }
            Self::Report(sender) => drop(sender.send(Err(report_error(why, journal)))),
            Self::Look(look) => look.refuse(NotSeen::Failed(command_error(why, journal))),
            Self::Activation(_) | Self::Leave => {}
        }
    }
}

fn command_error(why: &NotDone, journal: &impl Fn() -> JournalError) -> CommandError {
    match why {
        NotDone::NotFound => CommandError::NotFound,
        NotDone::Refused(refused) => refused.clone().into(),
        NotDone::JournalFailed => journal().into(),
        NotDone::Closed | NotDone::ShardFailed => CommandError::Stopped,
        other => CommandError::Invalid(in_words(other)),
    }
}

fn report_error(why: &NotDone, journal: &impl Fn() -> JournalError) -> ReportError {
    match why {
        NotDone::NotFound => ReportError::NotFound,
        NotDone::Refused(refused) => refused.clone().into(),
        NotDone::JournalFailed => journal().into(),
        NotDone::Closed | NotDone::ShardFailed => ReportError::Stopped,
        other => ReportError::Invalid(in_words(other)),
    }
}

fn in_words(why: &NotDone) -> String {
    match why {
        NotDone::NotQuarantined => "the execution is not quarantined".to_owned(),
        NotDone::HandlerMissing(handler) => format!("no handler {handler:?} is registered"),
        NotDone::Unreadable(reason) => {
            format!("the execution cannot be read, it can only be released or failed: {reason}")
        }
        NotDone::Panicked => "the command brought the actor of the execution down".to_owned(),
        NotDone::Saturated => "too many messages wait for executions that have not begun".to_owned(),
        NotDone::Unread(reason) => format!("the journal could not be read: {reason}"),
        other => format!("{other:?}"),
    }
}

/// Why an activation was refused, as its caller is told it.
pub(crate) fn activate_error(
    why: NotActivated,
    key: Option<&str>,
    refused: Option<ActivateError>,
    options: &Options,
    journal: impl FnOnce() -> JournalError,
) -> ActivateError {
    match why {
        NotActivated::Definition => refused.unwrap_or(ActivateError::Stopped),
        NotActivated::Saturated => ActivateError::Saturated { open_executions_max: options.limits.open_executions_max },
        NotActivated::KeySaturated => ActivateError::KeySaturated {
            key: key.unwrap_or_default().to_owned(),
            waiting_max: options.share(options.limits.early_outcomes_max),
        },
        NotActivated::IdempotencyConflict(execution) => {
            ActivateError::IdempotencyConflict { key: key.unwrap_or_default().to_owned(), execution }
        }
        NotActivated::IdConflict(execution) => ActivateError::IdConflict(execution),
        NotActivated::NotBegun(reason) => ActivateError::NotBegun { reason: reason.into() },
        NotActivated::Unread(reason) => ActivateError::NotBegun { reason: reason.into() },
        NotActivated::JournalFailed => journal().into(),
        _ => ActivateError::Stopped,
    }
}
