//! The mailboxes of one shard. Letters of one sender keep their order; letters of different senders may overtake each other,
//! but never one that was sent because of them.

use std::collections::VecDeque;
use std::sync::Arc;

use finale_core::execution::Refused;
use finale_core::number::{ActorNo, RequestId, Slot};
use finale_core::supervisor::{self, Begin, Ended, Hosted, LateEvent, Message, Panicked, Resume, Tell, WriteNo};
use finale_core::task_engine::{self, Batch, Drained, EarlyReport, FiredTimer, TaskUpdate};

use super::actor::CommittedTurn;

/// Who sends and receives, by number.
pub(super) const SUPERVISOR: usize = 0;
pub(super) const ENGINE: usize = 1;
pub(super) const PORT: usize = 2;

pub(super) const fn actor(ActorNo(number): ActorNo) -> usize {
    number as usize + 3
}

/// A message between the actors of a shard, as the shell sends it.
#[derive(Debug)]
pub(super) enum Letter {
    Begin(Box<Begin>),
    Resume(Box<Resume>),
    Tell(Tell),
    Outcomes(Arc<Batch>),
    Timers(Vec<FiredTimer>),
    Reports(Vec<EarlyReport>),
    Continue(Vec<Slot>),
    Updates(Vec<TaskUpdate>),
    Answered(u32),
    /// A turn of an actor is durable, or never will be.
    Durable(Box<CommittedTurn>, bool),
    Room,
    Register(Vec<task_engine::Input>),
    Registered,
    Perform(task_engine::Input),
    News(ActorNo, Vec<News>),
    Ended(Ended),
    EngineAnswers(Vec<task_engine::Reply>, Option<Drained>),
    EngineLost,
    Written(WriteNo),
    Found(Box<supervisor::Input>),
    JournalFailed,
}

/// What a supervisor hears from the actor of an execution.
#[derive(Debug)]
pub(super) enum News {
    Begun(Slot),
    Detached(Box<Hosted>),
    Panicked(Box<Panicked>),
    Forwarded(Tell),
    Delivered(Slot, Message),
    Overruled(Slot, bool),
    Replied(RequestId, Result<(), Refused>),
    Failed(RequestId),
    Late(LateEvent),
}

#[derive(Debug)]
struct Mail {
    from: usize,
    /// The position among the letters of its sender.
    stamp: u32,
    /// What its sender had heard of each other when it was sent.
    known: Vec<u32>,
    letter: Letter,
}

#[derive(Debug, Default)]
pub(super) struct Post {
    boxes: Vec<VecDeque<Mail>>,
    /// What each has heard of each.
    known: Vec<Vec<u32>>,
}

impl Post {
    /// Sends a letter, which overtakes up to that many letters that have nothing to do with it.
    pub(super) fn send(&mut self, from: usize, to: usize, letter: Letter, overtakes: usize) {
        self.make_room(from.max(to));
        self.known[from][from] += 1;
        let known = self.known[from].clone();
        let mailbox = &mut self.boxes[to];
        let is_free = |other: &&Mail| other.from != from && known[other.from] < other.stamp;
        let overtaken = mailbox.iter().rev().take(overtakes).take_while(is_free).count();
        let position = mailbox.len() - overtaken;
        mailbox.insert(position, Mail { from, stamp: known[from], known, letter });
    }

    pub(super) fn take(&mut self, to: usize) -> Option<Letter> {
        let Mail { known, letter, .. } = self.boxes.get_mut(to)?.pop_front()?;
        self.learn(to, &known);
        Some(letter)
    }

    /// What one does from now on follows from everything that the other has done.
    pub(super) fn follows(&mut self, one: usize, other: usize) {
        self.make_room(one.max(other));
        let known = self.known[other].clone();
        self.learn(one, &known);
    }

    pub(super) fn is_empty(&self, of: usize) -> bool {
        self.boxes.get(of).is_none_or(VecDeque::is_empty)
    }

    pub(super) fn waiting(&self) -> impl Iterator<Item = usize> {
        self.boxes.iter().enumerate().filter(|(_, mailbox)| !mailbox.is_empty()).map(|(to, _)| to)
    }

    fn learn(&mut self, who: usize, known: &[u32]) {
        for (mine, theirs) in self.known[who].iter_mut().zip(known) {
            *mine = (*mine).max(*theirs);
        }
    }

    fn make_room(&mut self, party: usize) {
        while self.boxes.len() <= party {
            self.boxes.push(VecDeque::new());
            self.known.push(Vec::new());
        }
        let parties = self.boxes.len();
        self.known.iter_mut().for_each(|known| known.resize(parties, 0));
    }
}
