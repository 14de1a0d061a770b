//! From decided to performed: append, wait for the watermark, then perform. Nothing gets past here before it is durable.

use std::rc::Rc;
use std::time::Duration;

use finale_core::execution::{Effect, NumberedEvent, Refused, Turn};
use finale_core::fact::{Activation, Terminal};
use finale_core::{Execution, ExecutionStatus, FailureClass, NodeIndex};
use finale_journal::{Append, Appended, Begins, Ends, JournalError, Position, Standing, Writer};
use smallvec::SmallVec;
use tokio::time::Instant;

use super::live::Shown;
use super::{Live, Note, Reply, Shard, Work};
use crate::late::LateEvent;
use crate::observe;

/// Something that waits until what was written before it is durable.
pub(crate) struct Held {
    position: Position,
    /// When it was written, if it was not durable at once.
    since: Option<Instant>,
    due: Due,
}

/// What is due once everything written so far is durable.
enum Due {
    Perform(Box<Decided>),
    Then(Then),
}

/// What follows when something is durable, or never will be.
pub(crate) type Then = Box<dyn FnOnce(&Rc<Shard>, Result<(), &JournalError>)>;

/// What becomes visible of a turn once its facts are durable.
struct Decided {
    live: Rc<Live>,
    last_sequence: u64,
    status: ExecutionStatus,
    effects: Vec<Effect>,
    notices: Vec<NumberedEvent>,
    answers: Answers,
}

/// What is said of a turn: to those who asked, and to those who count and watch.
#[derive(Default)]
pub(crate) struct Answers {
    pub(crate) replies: Vec<(Reply, Result<(), Refused>)>,
    pub(crate) shown: Vec<Shown>,
    /// What must be under way in a new process, before anything else is performed.
    pub(crate) under_way: Vec<Effect>,
    /// What came too late, twice or for nothing.
    pub(crate) late: Vec<LateEvent>,
    /// Whether there are notices.
    pub(crate) watched: bool,
    /// What the handlers came to, if there are no notices that say so.
    pub(crate) attempts: SmallVec<[Attempted; 2]>,
}

/// An attempt that came to its result, to be counted.
pub(crate) struct Attempted {
    pub(crate) node: NodeIndex,
    pub(crate) failure: Option<FailureClass>,
    pub(crate) took: Duration,
}

impl Answers {
    fn is_empty(&self) -> bool {
        self.replies.is_empty() && self.shown.is_empty() && self.late.is_empty()
    }
}

impl Shard {
    /// The turn that is used again and again; to be given back to [`Shard::commit`].
    pub(crate) fn take_turn(&self) -> Turn {
        self.turn.take()
    }

    /// Makes a turn durable and performs it; at once if the journal is that fast, else when the watermark says so.
    pub(crate) fn commit(self: &Rc<Self>, live: &Rc<Live>, mut turn: Turn, mut answers: Answers) {
        let appended = match self.append(live, &mut turn) {
            Ok(appended) => appended,
            Err(error) => return self.refuse(live, turn, answers, &error),
        };
        let mut effects = turn.take_effects();
        effects.splice(0..0, std::mem::take(&mut answers.under_way));
        let decided = Decided {
            live: Rc::clone(live),
            last_sequence: live.read(Execution::sequence),
            status: live.read(Execution::status),
            effects,
            notices: turn.take_notices(),
            answers,
        };
        *self.turn.borrow_mut() = turn;
        if appended.durable && self.held.borrow().is_empty() {
            self.perform(decided);
        } else {
            self.hold(appended, Due::Perform(Box::new(decided)));
        }
    }

    /// Writes something that is no turn of an execution; what follows is done when it is durable.
    pub(crate) fn write(
        self: &Rc<Self>,
        write: impl FnOnce(&mut dyn Writer) -> Result<Appended, JournalError>,
        then: Then,
    ) {
        let written = self.journal_error().map_or_else(|| write(&mut **self.writer.borrow_mut()), Err);
        match written {
            Ok(appended) => {
                self.appended.set(appended.position);
                if appended.durable && self.held.borrow().is_empty() {
                    then(self, Ok(()));
                } else {
                    self.hold(appended, Due::Then(then));
                }
            }
            Err(error) => {
                self.journal_failed(&error);
                then(self, Err(&error));
            }
        }
    }

    fn hold(self: &Rc<Self>, appended: Appended, due: Due) {
        let Appended { position, durable } = appended;
        let since = (!durable).then(Instant::now);
        self.held.borrow_mut().push_back(Held { position, since, due });
        if durable {
            // Then everything before it is durable as well, also if the watermark that says so is still on its way.
            self.watermark(position);
        }
    }

    fn append(&self, live: &Live, turn: &mut Turn) -> Result<Appended, JournalError> {
        if let Some(error) = self.journal_error() {
            return Err(error);
        }
        let position = self.appended.get();
        if turn.count() == 0 {
            // Nothing new: what is said must only not overtake what was said before.
            return Ok(Appended { position, durable: self.held.borrow().is_empty() });
        }
        let first_sequence = turn.last_sequence() + 1 - u64::from(turn.count());
        let appended = live.read(|execution| {
            let error = live.error(execution);
            self.writer.borrow_mut().append(Append {
                execution: live.id,
                first_sequence,
                count: turn.count(),
                facts: turn.facts(),
                begins: execution.activation().filter(|_| first_sequence == 1).map(|how| live.begins(execution, how)),
                standing: standing(execution, error.as_deref()),
            })
        })?;
        self.metrics.committed(turn.count());
        turn.appended();
        self.appended.set(appended.position);
        Ok(appended)
    }

    /// The facts could not be made durable: nothing of the turn ever happened.
    fn refuse(self: &Rc<Self>, live: &Rc<Live>, mut turn: Turn, answers: Answers, error: &JournalError) {
        turn.discard();
        answers.fail(error);
        match error {
            // Its state is not what the journal says: that concerns nobody else, and is mended by folding it again.
            JournalError::Gap { .. } | JournalError::Ended(_) | JournalError::Damaged { .. } => {
                self.note(Note::Died(Rc::clone(live)));
            }
            _ => self.journal_failed(error),
        }
    }

    /// Everything up to this position is durable.
    pub(crate) fn watermark(self: &Rc<Self>, position: Position) {
        loop {
            let held = {
                let mut all = self.held.borrow_mut();
                match all.front() {
                    Some(first) if first.position <= position => all.pop_front(),
                    _ => None,
                }
            };
            let Some(Held { since, due, .. }) = held else { return self.go_on_stalled() };
            if let Some(since) = since {
                self.metrics.durable_after(since.elapsed());
            }
            match due {
                Due::Perform(decided) => self.perform(*decided),
                Due::Then(then) => then(self, Ok(())),
            }
        }
    }

    /// The journal takes nothing more: what was not durable never happened, and nothing new begins.
    pub(crate) fn journal_failed(self: &Rc<Self>, error: &JournalError) {
        if self.failed.borrow().is_some() {
            return;
        }
        *self.failed.borrow_mut() = Some(error.clone());
        self.vitals.journal_failed(error);
        for held in self.held.take() {
            match held.due {
                Due::Perform(decided) => decided.answers.fail(error),
                Due::Then(then) => then(self, Err(error)),
            }
        }
        self.note(Note::JournalFailed);
    }

    fn perform(self: &Rc<Self>, decided: Decided) {
        let Decided { live, last_sequence, status, mut effects, notices, mut answers } = decided;
        let before = live.durable.replace(last_sequence);
        let begins = before == 0 && last_sequence > 0;
        let end_decided = status == ExecutionStatus::Ending && !live.is_ending();
        if !status.is_terminal() {
            live.published.set(status);
        } else if begins {
            // That it has ended is published by the supervisor, in a moment.
            live.published.set(ExecutionStatus::Running);
        }
        if !answers.watched && live.is_watched() {
            self.catch_up(&live, before, last_sequence);
        }
        observe::attempts(&live, answers.attempts.drain(..));
        observe::notices(&live, notices);
        observe::created(&live, &effects);
        if begins {
            live.completion.acknowledge(live.id);
            observe::activated(&live);
        }
        answers.give(self, &live);
        self.answer_settled_early(&live);
        let ended = matches!(effects.last(), Some(Effect::Ended));
        if ended {
            effects.pop();
            self.note(Note::Ended(Rc::clone(&live)));
        }
        if effects.is_empty() {
            self.turn.borrow_mut().reuse_effects(effects);
        } else {
            live.unperformed.set(live.unperformed.get() + 1);
            self.work(Work::Perform(Rc::clone(&live), effects));
        }
        if end_decided {
            // What waits for a place is closed: nothing begins after the end is decided.
            self.work(Work::Reconcile(live));
        }
    }

    /// Tells those who began to watch after a turn was decided, and before it was durable, what followed from it.
    fn catch_up(&self, live: &Live, after: u64, up_to: u64) {
        match self.replay(live.id, &live.bound, after, up_to) {
            Ok(events) => events.iter().for_each(|event| observe::stream(live, event)),
            // They can resume from where they are.
            Err(_) => live.extra(|extra| extra.subscribers.drain(..).for_each(crate::events::Subscriber::cut)),
        }
    }

    /// Gives back the storage that effects came in.
    pub(crate) fn reuse_effects(&self, storage: Vec<Effect>) {
        self.turn.borrow_mut().reuse_effects(storage);
    }

    /// How long the oldest thing that waits for the journal has waited.
    pub(crate) fn journal_lag(&self) -> Option<Duration> {
        self.held.borrow().front()?.since.map(|since| since.elapsed())
    }

    /// Whether anything waits for the journal.
    pub(crate) fn holds_turns(&self) -> bool {
        !self.held.borrow().is_empty()
    }
}

impl Live {
    /// What the journal is told when it begins.
    fn begins<'a>(&'a self, execution: &Execution, activation: &'a Activation) -> Begins<'a> {
        Begins {
            definition: &self.bound.stored,
            by: &activation.by,
            at: execution.created_at(),
            idempotency_key: activation.idempotency_key.as_deref(),
            business_key: activation.business_key.as_deref(),
        }
    }

    /// Why it failed, if it has; for the journal's summary.
    fn error(&self, execution: &Execution) -> Option<String> {
        let (Terminal::Failed, _) = execution.ended()? else {
            return None;
        };
        execution.end_outcome(&self.bound.compiled)?.error().map(ToString::to_string)
    }
}

fn standing<'a>(execution: &Execution, error: Option<&'a str>) -> Standing<'a> {
    match (execution.ended(), execution.status()) {
        (Some((status, at)), _) => Standing::Ended(Ends { status, at, error }),
        (None, ExecutionStatus::Ending) => Standing::Ending,
        _ => Standing::Running,
    }
}

impl Answers {
    fn give(self, shard: &Shard, live: &Live) {
        if self.is_empty() {
            return;
        }
        self.late.into_iter().for_each(|late| shard.note_late(late));
        for (reply, result) in self.replies {
            observe::refused(live.id, &reply, &result);
            match (reply, result) {
                // A cancellation is answered when everything is stopped, with what became of it.
                (Reply::Cancel(sender), Ok(())) => live.extra(|extra| extra.cancels.push(sender)),
                (reply, result) => reply.send(result),
            }
        }
        self.shown.into_iter().for_each(|show| show(Ok(())));
    }

    /// Says that it will never be durable.
    fn fail(self, error: &JournalError) {
        self.replies.into_iter().for_each(|(reply, _)| reply.fail(error));
        self.shown.into_iter().for_each(|show| show(Err(error)));
    }
}
