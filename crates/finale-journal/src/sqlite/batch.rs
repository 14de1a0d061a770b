//! Writes that become durable together.

use std::ops::Range;
use std::sync::mpsc::SyncSender;

use finale_core::{ExecutionId, Time};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::{Claim, Epoch, JournalError, Position, Purge, Purged, Released, StoredDefinition};

/// The most that one transaction writes, unless one append is more: a long one holds up those who wait for the first.
const STEPS_MAX: usize = 16 * 1_024;
const BYTES_MAX: usize = 8 << 20;
/// Room for more than that is given back.
const SPARE_BYTES_MAX: usize = 16 << 20;

#[derive(Debug, Default)]
pub(super) struct Batch {
    /// The bytes of all of them: nothing is allocated for each.
    arena: Vec<u8>,
    pub(super) steps: Vec<Step>,
}

/// A part of the arena.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    start: usize,
    length: usize,
}

/// Whose write it is, and which.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    pub(super) slot: usize,
    pub(super) position: Position,
}

#[derive(Debug)]
pub(super) struct Step {
    /// None if nobody is told of it by a watermark.
    pub(super) ticket: Option<Ticket>,
    pub(super) change: Change,
    /// Whether the next step belongs to this one: all or none of them.
    pub(super) more: bool,
}

#[derive(Debug)]
pub(super) enum Change {
    Define(Box<(i64, StoredDefinition)>),
    Begin(Begin),
    Facts(Facts),
    Stand(Stand),
    Forget(Box<[ExecutionId]>),
    /// Everybody was told of the ends of these executions.
    Told(Box<[ExecutionId]>),
    /// It takes its position, and changes nothing.
    Nothing,
    /// Of what comes before it, everything is durable when it answers.
    Claim(SyncSender<Result<Claim, JournalError>>),
    Release(Epoch, SyncSender<Result<Released, JournalError>>),
    Purge(Epoch, Box<(Purge, usize)>, SyncSender<Result<Purged, JournalError>>),
    Flush(SyncSender<Result<(), JournalError>>),
}

/// An execution begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Begin {
    pub(super) id: ExecutionId,
    pub(super) number: i64,
    pub(super) definition: i64,
    pub(super) by: Span,
    pub(super) at: Time,
    pub(super) idempotency_key: Option<Span>,
    pub(super) business_key: Option<Span>,
}

/// An execution has more facts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    pub(super) id: ExecutionId,
    pub(super) number: i64,
    pub(super) first_sequence: u64,
    pub(super) count: u32,
    pub(super) facts: Span,
}

/// An execution stands elsewhere.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stand {
    pub(super) id: ExecutionId,
    pub(super) number: i64,
    pub(super) status: u8,
    pub(super) completed_at: Option<Time>,
    pub(super) error: Option<Span>,
    pub(super) quarantine: Option<Span>,
    pub(super) until_released: bool,
    /// Whether somebody has still to be told of its end.
    pub(super) to_tell: bool,
    /// Whether its summary was damaged, and counts as whole from now on.
    pub(super) reseal: bool,
}

/// The newest facts of an execution that are in the tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tip {
    /// Number of the last one.
    pub(super) sequence: u64,
    /// The hash over all of them.
    pub(super) chain: u64,
    /// Where the last row lies; 0 if there is none.
    pub(super) last: i64,
}

impl Batch {
    pub(super) fn keep(&mut self, bytes: &[u8]) -> Span {
        let start = self.arena.len();
        self.arena.extend_from_slice(bytes);
        Span { start, length: bytes.len() }
    }

    pub(super) fn bytes(&self, span: Span) -> &[u8] {
        self.arena.get(span.start..span.start + span.length).unwrap_or_default()
    }

    /// The steps that are written in one transaction, from that one on.
    pub(super) fn transaction(&self, from: usize) -> Range<usize> {
        let mut bytes = 0;
        let mut end = from;
        for step in &self.steps[from..] {
            if step.is_control() {
                return from..end.max(from + usize::from(end == from));
            }
            end += 1;
            bytes += step.bytes();
            if !step.more && (end - from >= STEPS_MAX || bytes >= BYTES_MAX) {
                break;
            }
        }
        from..end
    }

    /// The facts of an execution, from that step on.
    pub(super) fn pending(&self, execution: ExecutionId, from: usize) -> Vec<Pending> {
        let facts = self.steps[from..].iter().filter_map(|step| match &step.change {
            Change::Facts(facts) if facts.id == execution => Some(facts),
            _ => None,
        });
        facts.map(|facts| self.copy(facts)).collect()
    }

    /// The facts of each of these executions, from that step on.
    pub(super) fn pending_of(
        &self,
        executions: &FxHashSet<ExecutionId>,
        from: usize,
        found: &mut FxHashMap<ExecutionId, Vec<Pending>>,
    ) {
        for step in &self.steps[from..] {
            if let Change::Facts(facts) = &step.change
                && executions.contains(&facts.id)
            {
                found.entry(facts.id).or_default().push(self.copy(facts));
            }
        }
    }

    pub(super) fn clear(&mut self) {
        self.arena.clear();
        self.arena.shrink_to(SPARE_BYTES_MAX);
        self.steps.clear();
        self.steps.shrink_to(SPARE_BYTES_MAX / size_of::<Step>());
    }

    fn copy(&self, facts: &Facts) -> Pending {
        let Facts { first_sequence, count, .. } = *facts;
        Pending { first_sequence, count, facts: self.bytes(facts.facts).to_vec() }
    }
}

impl Step {
    /// About what it takes up while it waits.
    pub(super) fn bytes(&self) -> usize {
        let length = |span: Option<Span>| span.map_or(0, |span| span.length);
        let more = match &self.change {
            Change::Define(define) => define.1.bytes.len(),
            Change::Begin(begin) => begin.by.length + length(begin.idempotency_key) + length(begin.business_key),
            Change::Facts(facts) => facts.facts.length,
            Change::Stand(stand) => length(stand.error) + length(stand.quarantine),
            // What is written for each of them.
            Change::Forget(executions) => executions.len() * 256,
            Change::Told(executions) => executions.len() * 32,
            Change::Nothing | Change::Claim(_) | Change::Release(..) | Change::Purge(..) | Change::Flush(_) => 0,
        };
        size_of::<Self>() + more
    }

    /// Whether it is no part of a transaction with others.
    const fn is_control(&self) -> bool {
        matches!(self.change, Change::Claim(_) | Change::Release(..) | Change::Flush(_))
    }

    /// Whether it asks for a purge: that writes nothing itself, and cuts no transaction in two.
    pub(super) const fn is_purge(&self) -> bool {
        matches!(self.change, Change::Purge(..))
    }
}

/// The facts of one append that may not be durable yet.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) first_sequence: u64,
    pub(super) count: u32,
    pub(super) facts: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing(count: usize, more: bool) -> impl Iterator<Item = Step> {
        (0..count).map(move |_| Step { ticket: None, change: Change::Nothing, more })
    }

    fn parts(steps: impl Iterator<Item = Step>) -> Vec<Range<usize>> {
        let batch = Batch { arena: Vec::new(), steps: steps.collect() };
        let mut parts: Vec<Range<usize>> = Vec::new();
        while parts.last().map_or(0, |part| part.end) < batch.steps.len() {
            parts.push(batch.transaction(parts.last().map_or(0, |part| part.end)));
        }
        parts
    }

    #[test]
    fn a_transaction_is_bounded() {
        assert_eq!(parts(nothing(STEPS_MAX + 5, false)), [0..STEPS_MAX, STEPS_MAX..STEPS_MAX + 5]);
    }

    #[test]
    fn what_belongs_together_is_in_one_transaction() {
        let (begins, all) = (STEPS_MAX - 2, STEPS_MAX + 12);
        let steps = nothing(begins, false).chain(nothing(10, true)).chain(nothing(4, false));
        assert_eq!(parts(steps), [0..begins + 11, begins + 11..all]);
    }

    #[test]
    fn who_asks_for_a_purge_cuts_no_transaction_in_two() {
        let (reply, _answer) = std::sync::mpsc::sync_channel(1);
        let change = Change::Purge(Epoch(1), Box::new((Purge::default(), 1)), reply);
        let steps = nothing(3, false).chain([Step { ticket: None, change, more: false }]).chain(nothing(2, false));
        assert_eq!(parts(steps), vec![0..6]);
    }

    #[test]
    fn who_waits_for_an_answer_waits_for_everything_before() {
        let (reply, _answer) = std::sync::mpsc::sync_channel(1);
        let flush = Step { ticket: None, change: Change::Flush(reply), more: false };
        let steps = nothing(3, false).chain([flush]).chain(nothing(2, false));
        assert_eq!(parts(steps), [0..3, 3..4, 4..6]);
    }
}
