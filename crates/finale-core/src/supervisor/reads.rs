//! Reads of the journal: a bounded number at once, each with its purpose.

use std::collections::{BTreeMap, VecDeque};

use super::Supervisor;
use super::message::{Activate, ClaimNo, ReadNo};
use super::outbox::{Outbox, Read, ReadWhat};
use super::waiting::{Asker, Waiting};
use crate::id::ExecutionId;
use crate::number::Slot;

/// What a read is for.
#[derive(Debug)]
pub(super) enum Purpose {
    /// To look at an execution that was found at the start: its turn has come,
    Found(ExecutionId),
    /// or somebody asks about it.
    FoundAsked(ExecutionId),
    /// To fold the history of an execution again.
    Slot(Slot),
    /// To look once more at an execution that could not be read.
    Unreadable(ExecutionId),
    /// To find who has a key.
    Key(ClaimNo),
    /// To find whether an id is known.
    Id(Box<Waiting>),
    /// To find the status of an execution that is not in memory.
    Absent(ExecutionId),
    /// To find what need not be kept any more.
    Expired,
    /// To find ends that somebody has still to be told of.
    Untold,
}

/// The reads of a shard.
#[derive(Debug)]
pub(super) struct Reads {
    next: u64,
    reads_max: usize,
    recovery_reads_max: usize,
    issued: BTreeMap<ReadNo, Purpose>,
    /// How many of the issued ones are for executions that were found at the start and whose turn has come.
    of_recovery: usize,
    wanted: VecDeque<Purpose>,
}

impl Reads {
    pub(super) fn new(reads_max: usize, recovery_reads_max: usize) -> Self {
        Self {
            next: 0,
            reads_max: reads_max.max(1),
            recovery_reads_max: recovery_reads_max.max(1),
            issued: BTreeMap::new(),
            of_recovery: 0,
            wanted: VecDeque::new(),
        }
    }

    /// Wants something to be read, as soon as there is room for it.
    pub(super) fn want(&mut self, purpose: Purpose) {
        self.wanted.push_back(purpose);
    }

    /// What an answer is for, if `fits` says that it is of the right kind.
    pub(super) fn answered(&mut self, read: ReadNo, fits: fn(&Purpose) -> bool) -> Option<Purpose> {
        let is_fitting = self.issued.get(&read).is_some_and(fits);
        let purpose = is_fitting.then(|| self.issued.remove(&read)).flatten();
        self.of_recovery -= usize::from(matches!(purpose, Some(Purpose::Found(_))));
        purpose
    }

    /// Whether nothing is under way or wanted.
    pub(super) fn is_quiet(&self) -> bool {
        self.issued.is_empty() && self.wanted.is_empty()
    }

    /// Who waits for an execution whose id is being looked for.
    pub(super) fn askers(&self) -> impl Iterator<Item = Asker> {
        let asker = |purpose: &Purpose| match purpose {
            Purpose::Id(waiting) => Some(waiting.asker),
            _ => None,
        };
        self.issued.values().chain(&self.wanted).filter_map(asker)
    }

    /// Activations whose ids are being looked for.
    pub(super) fn waiting_activations(&self) -> impl Iterator<Item = &Activate> {
        self.issued.values().chain(&self.wanted).filter_map(|purpose| match purpose {
            Purpose::Id(waiting) => Some(&waiting.activate),
            _ => None,
        })
    }

    /// Takes out everything that is under way or wanted: its answers are not waited for any more.
    pub(super) fn take_all(&mut self) -> Vec<Purpose> {
        self.of_recovery = 0;
        std::mem::take(&mut self.issued).into_values().chain(self.wanted.drain(..)).collect()
    }

    /// The next purpose that is wanted, if there is room for its read.
    fn next_wanted(&mut self) -> Option<Purpose> {
        let has_room = self.issued.len() - self.of_recovery < self.reads_max;
        has_room.then(|| self.wanted.pop_front()).flatten()
    }
}

impl Supervisor {
    /// Issues the reads that are wanted, and then those of the recovery, as far as there is room for each.
    pub(super) fn issue_reads(&mut self, out: &mut Outbox) {
        while let Some(purpose) = self.reads.next_wanted() {
            self.issue(purpose, out);
        }
        while self.reads.of_recovery < self.reads.recovery_reads_max
            && let Some(execution) = self.next_found()
        {
            self.reads.of_recovery += 1;
            self.issue(Purpose::Found(execution), out);
        }
    }

    fn issue(&mut self, purpose: Purpose, out: &mut Outbox) {
        let Some(what) = self.what_to_read(&purpose) else { return };
        self.reads.next += 1;
        let number = ReadNo(self.reads.next);
        out.reads.push(Read { number, what });
        self.reads.issued.insert(number, purpose);
    }

    /// What is to be read; none if it is not of interest any more.
    fn what_to_read(&self, purpose: &Purpose) -> Option<ReadWhat> {
        match purpose {
            Purpose::Found(execution) | Purpose::FoundAsked(execution) | Purpose::Unreadable(execution) => {
                Some(ReadWhat::History(*execution))
            }
            Purpose::Slot(slot) => self.slots.get(*slot).map(|entry| ReadWhat::History(entry.execution)),
            Purpose::Key(claim) => self.keys.key_of(*claim).map(|key| ReadWhat::Key(key.into())),
            Purpose::Id(waiting) => waiting.activate.id.map(ReadWhat::Status),
            Purpose::Absent(execution) => Some(ReadWhat::Status(*execution)),
            Purpose::Expired => Some(self.retention.what_to_read()),
            Purpose::Untold => Some(self.telling.what_to_read()),
        }
    }
}
