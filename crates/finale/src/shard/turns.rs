//! From decided to performed: append, wait for the watermark, then perform. Nothing gets past here before it is durable.

use std::rc::Rc;

use finale_core::ExecutionStatus;
use finale_core::execution::{Effect, Noticed, Refused, Turn};
use finale_journal::{Append, Appended, JournalError, Position};
use tokio::time::Instant;

use super::live::Shown;
use super::{Live, Note, Reply, Shard, Work};
use crate::observe;

/// What becomes visible of a turn once its facts are durable.
pub(crate) struct Held {
    position: Position,
    /// When it was appended, if it was not durable at once.
    since: Option<Instant>,
    live: Rc<Live>,
    last_sequence: u64,
    effects: Vec<Effect>,
    notices: Vec<Noticed>,
    answers: Answers,
}

/// What is said to those who asked.
#[derive(Default)]
pub(crate) struct Answers {
    pub(crate) replies: Vec<(Reply, Result<(), Refused>)>,
    pub(crate) shown: Vec<Shown>,
}

impl Answers {
    fn is_empty(&self) -> bool {
        self.replies.is_empty() && self.shown.is_empty()
    }
}

impl Shard {
    /// The turn that is used again and again; to be given back to [`Shard::commit`].
    pub(crate) fn take_turn(&self) -> Turn {
        self.turn.take()
    }

    /// Makes a turn durable and performs it; at once if the journal is that fast, else when the watermark says so.
    pub(crate) fn commit(self: &Rc<Self>, live: &Rc<Live>, mut turn: Turn, answers: Answers) {
        let appended = match self.append(live, &mut turn) {
            Ok(appended) => appended,
            Err(error) => return self.refuse(turn, answers, &error),
        };
        let held = Held {
            position: appended.position,
            since: (!appended.durable).then(Instant::now),
            live: Rc::clone(live),
            last_sequence: live.read(finale_core::Execution::sequence),
            effects: turn.take_effects(),
            notices: turn.take_notices(),
            answers,
        };
        *self.turn.borrow_mut() = turn;
        if appended.durable && self.held.borrow().is_empty() {
            self.perform(held);
        } else {
            self.held.borrow_mut().push_back(held);
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
        let append = Append {
            execution: live.id,
            first_sequence: turn.last_sequence() + 1 - u64::from(turn.count()),
            count: turn.count(),
            facts: turn.facts(),
            ends: matches!(turn.effects().last(), Some(Effect::Ended)),
        };
        self.metrics.committed(turn.count());
        let appended = self.writer.borrow_mut().append(append)?;
        turn.appended();
        self.appended.set(appended.position);
        Ok(appended)
    }

    /// The facts could not be made durable: nothing of the turn ever happened.
    fn refuse(&self, mut turn: Turn, answers: Answers, error: &JournalError) {
        turn.discard();
        answers.replies.into_iter().for_each(|(reply, _)| reply.fail(error));
        self.journal_failed(error.clone());
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
            let Some(held) = held else { return };
            if let Some(since) = held.since {
                self.metrics.durable_after(since.elapsed());
            }
            self.perform(held);
        }
    }

    /// The journal takes nothing more: what was not durable never happened, and nothing new begins.
    pub(crate) fn journal_failed(&self, error: JournalError) {
        if self.failed.borrow().is_some() {
            return;
        }
        *self.failed.borrow_mut() = Some(error.clone());
        for held in self.held.take() {
            held.answers.replies.into_iter().for_each(|(reply, _)| reply.fail(&error));
        }
        self.note(Note::JournalFailed);
    }

    fn perform(self: &Rc<Self>, held: Held) {
        let Held { live, last_sequence, mut effects, notices, answers, .. } = held;
        let begins = live.durable.get() == 0 && last_sequence > 0;
        live.durable.set(last_sequence);
        if !notices.is_empty() {
            observe::notices(&live, notices);
        }
        if begins {
            live.published.set(ExecutionStatus::Running);
            live.completion.acknowledge(live.id);
            observe::activated(&live);
        }
        answers.give(&live);
        let ended = matches!(effects.last(), Some(Effect::Ended));
        if ended {
            effects.pop();
            self.note(Note::Ended(Rc::clone(&live)));
        }
        if effects.is_empty() {
            self.turn.borrow_mut().reuse_effects(effects);
        } else {
            self.work(Work::Perform(live, effects));
        }
    }

    /// Gives back the storage that effects came in.
    pub(crate) fn reuse_effects(&self, storage: Vec<Effect>) {
        self.turn.borrow_mut().reuse_effects(storage);
    }

    /// Whether anything waits for the journal.
    pub(crate) fn holds_turns(&self) -> bool {
        !self.held.borrow().is_empty()
    }
}

impl Answers {
    fn give(self, live: &Live) {
        if self.is_empty() {
            return;
        }
        for (reply, result) in self.replies {
            match (reply, result) {
                // A cancellation is answered when everything is stopped, with what became of it.
                (Reply::Cancel(sender), Ok(())) => live.extra(|extra| extra.cancels.push(sender)),
                (reply, result) => reply.send(result),
            }
        }
        self.shown.into_iter().for_each(|show| show());
    }
}
