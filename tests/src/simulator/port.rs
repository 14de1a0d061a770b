//! The journal port of a shard: the queue of what waits until it is durable.

use std::collections::VecDeque;

use finale_core::number::ActorNo;
use finale_core::supervisor::{Input, WriteNo};

use super::actor::CommittedTurn;
use super::bugs::Bug;
use super::journal::Op;
use super::mail::{self, Letter, PORT, Post, SUPERVISOR};
use super::shared::Shared;

#[derive(Debug)]
pub(super) enum Held {
    Turn(ActorNo, Box<CommittedTurn>),
    Write(Option<WriteNo>),
    Found(Box<Input>),
}

#[derive(Debug, Default)]
pub(super) struct Port {
    shard: u16,
    pending: VecDeque<(u64, Held)>,
    appended: u64,
    /// Whether it is known here that the journal has failed.
    pub(super) failed: bool,
    /// Whether a write was refused, so that no turn is performed any more that depends on one.
    pub(super) refuses: bool,
    /// Whether somebody was turned away because the journal was full.
    turned_away: bool,
    pub(super) waiting_for_room: Vec<ActorNo>,
}

impl Port {
    pub(super) fn new(shard: u16) -> Self {
        Self { shard, ..Self::default() }
    }

    /// Writes something; gives its position, or nothing if the journal has failed.
    pub(super) fn write(&mut self, op: Op, shared: &mut Shared) -> Option<u64> {
        let position = shared.journal.write(self.shard, op, &shared.flows, &mut shared.audit);
        self.appended = position.unwrap_or(self.appended);
        self.refuses |= position.is_none();
        position
    }

    /// Whether what was written, or else everything before it, can be acted on at once.
    pub(super) fn is_durable(&self, appended: Option<u64>, shared: &Shared) -> bool {
        (appended.is_none() || shared.journal.immediate) && self.pending.is_empty()
    }

    pub(super) fn hold(&mut self, appended: Option<u64>, held: Held) {
        self.pending.push_back((appended.unwrap_or(self.appended), held));
    }

    /// Whether something is held that somebody waits for.
    pub(super) fn is_holding(&self) -> bool {
        self.pending.iter().any(|(_, held)| !matches!(held, Held::Write(None)))
    }

    pub(super) fn is_full(&mut self, shared: &Shared) -> bool {
        let full = !self.failed && shared.journal.is_full(self.shard);
        self.turned_away |= full;
        full
    }

    fn watermark(&self, shared: &Shared) -> u64 {
        let committed = &shared.journal.committed;
        match shared.bug {
            Some(Bug::WatermarkRunsAhead) => self.appended,
            Some(Bug::ForeignWatermark) => committed.iter().copied().max().unwrap_or(0),
            _ => committed[usize::from(self.shard)],
        }
    }

    pub(super) fn can_advance(&self, shared: &Shared) -> bool {
        let watermark = self.watermark(shared);
        let is_due = self.pending.front().is_some_and(|(position, _)| *position <= watermark);
        let has_room = self.turned_away && !shared.journal.is_full(self.shard);
        is_due || has_room || (shared.journal.failed && !self.failed)
    }

    /// Releases what the watermark allows, and tells of room and of a failure.
    pub(super) fn advance(&mut self, post: &mut Post, shared: &mut Shared) {
        let watermark = self.watermark(shared);
        while self.pending.front().is_some_and(|(position, _)| *position <= watermark) {
            let Some((_, held)) = self.pending.pop_front() else { return };
            match held {
                Held::Turn(actor, turn) => post.send(PORT, mail::actor(actor), Letter::Durable(turn, true), 0),
                Held::Write(Some(write)) => post.send(PORT, SUPERVISOR, Letter::Written(write), 0),
                Held::Write(None) => {}
                Held::Found(input) => post.send(PORT, SUPERVISOR, Letter::Found(input), 0),
            }
        }
        if shared.journal.failed && !self.failed {
            (self.failed, self.refuses) = (true, true);
            for (_, held) in std::mem::take(&mut self.pending) {
                if let Held::Turn(actor, turn) = held {
                    post.send(PORT, mail::actor(actor), Letter::Durable(turn, false), 0);
                }
            }
            post.send(PORT, SUPERVISOR, Letter::JournalFailed, 0);
        }
        if self.turned_away && !shared.journal.is_full(self.shard) {
            self.turned_away = false;
            for actor in std::mem::take(&mut self.waiting_for_room) {
                post.send(PORT, mail::actor(actor), Letter::Room, 0);
            }
            post.send(PORT, SUPERVISOR, Letter::Room, 0);
        }
    }
}
