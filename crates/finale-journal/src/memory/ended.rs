//! What is kept of executions that have ended in one way: copied together in the order of their ends, so that whole chunks of
//! it are forgotten and used again.

use std::collections::VecDeque;

use finale_core::fact::Terminal;
use finale_core::{ExecutionId, Time};

use super::kept::{Kept, Stands, activation_of};
use crate::Ends;

/// A chunk takes no more histories once it has this many bytes, or this many entries.
const CHUNK_BYTES: usize = 64 << 10;
const CHUNK_ENTRIES: usize = 256;

/// The idempotency keys of executions that were forgotten.
pub(super) type Keys = Vec<(Box<str>, ExecutionId)>;

#[derive(Clone, Debug, Default)]
pub(super) struct Ended {
    /// Oldest first. Histories are added to the last one.
    chunks: VecDeque<Chunk>,
    /// How many are kept.
    count: usize,
    /// Of how many of them somebody has still to be told.
    untold: usize,
    /// How many are stored: those among them that are forgotten take room until their chunk goes.
    stored: usize,
    /// No execution with a greater id has ended here.
    newest: Option<ExecutionId>,
    /// When the last one ended.
    last_end: Option<Time>,
    /// Whether they are not in the order of their ends: a clock was set back, or several were put together.
    is_mixed: bool,
    /// The storage of a chunk that was forgotten.
    spare: Option<Chunk>,
}

#[derive(Clone, Debug, Default)]
struct Chunk {
    entries: Vec<Entry>,
    bytes: Vec<u8>,
    /// Entries before this one are forgotten.
    first: usize,
    /// The least and the greatest id in it.
    ids: Option<(ExecutionId, ExecutionId)>,
}

/// An execution that has ended. Its error, if it has one, lies behind its facts.
#[derive(Clone, Debug)]
struct Entry {
    execution: ExecutionId,
    at: Time,
    start: usize,
    facts: usize,
    error: Option<usize>,
    status: Terminal,
    has_key: bool,
    /// Whether somebody has still to be told of the end.
    to_tell: bool,
    forgotten: bool,
}

impl Ended {
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    /// Of how many of them somebody has still to be told.
    pub(super) const fn untold_count(&self) -> usize {
        self.untold
    }

    /// Keeps an execution: its facts, in two parts, and how it ended.
    pub(super) fn keep(&mut self, execution: ExecutionId, facts: [&[u8]; 2], has_key: bool, ends: &Ends<'_>) {
        let Ends { status, at, error, to_tell } = *ends;
        if self.chunks.back().is_none_or(Chunk::is_full) {
            let chunk = self.spare.take().unwrap_or_default();
            self.chunks.push_back(chunk);
        }
        let Some(chunk) = self.chunks.back_mut() else { return };
        let start = chunk.bytes.len();
        facts.iter().for_each(|part| chunk.bytes.extend_from_slice(part));
        let length = chunk.bytes.len() - start;
        chunk.bytes.extend_from_slice(error.unwrap_or_default().as_bytes());
        let error = error.map(str::len);
        let forgotten = false;
        chunk.entries.push(Entry { execution, at, start, facts: length, error, status, has_key, to_tell, forgotten });
        let (least, greatest) = chunk.ids.unwrap_or((execution, execution));
        chunk.ids = Some((least.min(execution), greatest.max(execution)));
        self.newest = self.newest.max(Some(execution));
        self.is_mixed |= self.last_end > Some(at);
        self.last_end = self.last_end.max(Some(at));
        self.count += 1;
        self.untold += usize::from(to_tell);
        self.stored += 1;
    }

    /// Notes that everybody was told of an end; gives whether somebody was to be.
    pub(super) fn told(&mut self, execution: ExecutionId) -> bool {
        if self.untold == 0 {
            return false;
        }
        let Some((chunk, entry)) = self.find(execution) else { return false };
        let was_untold = std::mem::take(&mut self.chunks[chunk].entries[entry].to_tell);
        self.untold -= usize::from(was_untold);
        was_untold
    }

    /// Those of whose ends somebody has still to be told, in no order.
    pub(super) fn untold(&self) -> impl Iterator<Item = ExecutionId> {
        let all = (self.untold > 0).then(|| self.ends());
        all.into_iter().flatten().filter(|(.., to_tell)| *to_tell).map(|(_, execution, _)| execution)
    }

    pub(super) fn get(&self, execution: ExecutionId) -> Option<Kept<'_>> {
        let (chunk, entry) = self.find(execution)?;
        Some(self.chunks[chunk].kept(&self.chunks[chunk].entries[entry]))
    }

    pub(super) fn has(&self, execution: ExecutionId) -> bool {
        self.find(execution).is_some()
    }

    /// When those that are kept ended, oldest end first if they are [sorted](Self::sort), and whether somebody has still to
    /// be told of each.
    pub(super) fn ends(&self) -> impl Iterator<Item = (Time, ExecutionId, bool)> {
        let entries = self.chunks.iter().flat_map(|chunk| &chunk.entries[chunk.first..]);
        entries.filter(|entry| !entry.forgotten).map(|entry| (entry.at, entry.execution, entry.to_tell))
    }

    /// The first of them.
    pub(super) fn first(&self) -> Option<(Time, ExecutionId)> {
        self.ends().next().map(|(at, execution, _)| (at, execution))
    }

    /// The first of them of whose end nobody has to be told any more.
    pub(super) fn first_told(&self) -> Option<(Time, ExecutionId)> {
        self.ends().find(|(.., to_tell)| !to_tell).map(|(at, execution, _)| (at, execution))
    }

    /// The greatest id of those that are or were here; none if nothing is kept.
    pub(super) fn newest(&self) -> Option<ExecutionId> {
        self.newest.filter(|_| self.count > 0)
    }

    /// Brings them into the order of their ends, which they are in nearly always.
    pub(super) fn sort(&mut self) {
        if std::mem::take(&mut self.is_mixed) {
            self.compact();
        }
    }

    /// All that are kept.
    pub(super) fn iter(&self) -> impl Iterator<Item = (ExecutionId, Kept<'_>)> {
        self.chunks.iter().flat_map(|chunk| {
            let kept = chunk.entries[chunk.first..].iter().filter(|entry| !entry.forgotten);
            kept.map(|entry| (entry.execution, chunk.kept(entry)))
        })
    }

    /// Forgets one of them, and notes its key if it has one; gives whether it was here.
    pub(super) fn forget(&mut self, execution: ExecutionId, keys: &mut Keys) -> bool {
        // Whoever forgets some begins with those that ended first.
        let is_first = self.first().is_some_and(|(_, first)| first == execution);
        if is_first {
            keys.extend(self.forget_first());
            return true;
        }
        let Some((chunk, entry)) = self.find(execution) else { return false };
        let chunk = &mut self.chunks[chunk];
        keys.extend(chunk.key(&chunk.entries[entry]));
        chunk.entries[entry].forgotten = true;
        self.untold -= usize::from(chunk.entries[entry].to_tell);
        self.count -= 1;
        self.drop_forgotten();
        if self.stored > 2 * self.count + 2 * CHUNK_ENTRIES {
            self.compact();
        }
        true
    }

    /// Forgets the first one; gives its key.
    pub(super) fn forget_first(&mut self) -> Option<(Box<str>, ExecutionId)> {
        self.drop_forgotten();
        let chunk = self.chunks.front_mut()?;
        let key = chunk.key(&chunk.entries[chunk.first]);
        self.untold -= usize::from(chunk.entries[chunk.first].to_tell);
        chunk.first += 1;
        self.count -= 1;
        self.stored -= 1;
        self.drop_forgotten();
        key
    }

    /// Both together; the other one is empty afterwards.
    pub(super) fn append(&mut self, other: &mut Self) {
        // Those of a later life ended after all of an earlier one.
        let follows = other.first().is_none_or(|(first, _)| self.last_end <= Some(first));
        self.is_mixed |= other.is_mixed || (self.count > 0 && !follows);
        self.last_end = self.last_end.max(other.last_end);
        self.chunks.append(&mut other.chunks);
        self.count += std::mem::take(&mut other.count);
        self.untold += std::mem::take(&mut other.untold);
        self.stored += std::mem::take(&mut other.stored);
        self.newest = self.newest.max(other.newest);
    }

    /// Damages what is kept of an execution; done twice, it is as it was.
    #[cfg(feature = "_test")]
    pub(super) fn damage(&mut self, execution: ExecutionId) {
        if let Some((chunk, entry)) = self.find(execution) {
            let Chunk { entries, bytes, .. } = &mut self.chunks[chunk];
            bytes[entries[entry].start] ^= 0x7f;
        }
    }

    /// Copies what is kept together, in the order of its ends: one that is kept for long must not keep the room of all that
    /// ended with it.
    fn compact(&mut self) {
        let chunks = std::mem::take(&mut self.chunks);
        (self.count, self.untold, self.stored, self.last_end) = (0, 0, 0, None);
        let kept = |chunk: &'_ Chunk| chunk.first..chunk.entries.len();
        let all = chunks.iter().flat_map(|chunk| kept(chunk).map(move |entry| (&chunk.entries[entry], chunk)));
        let mut kept: Vec<_> = all.filter(|(entry, _)| !entry.forgotten).collect();
        kept.sort_by_key(|(entry, _)| entry.at);
        for (entry, chunk) in kept {
            let Kept { facts, standing } = chunk.kept(entry);
            if let Stands::Ended { status, at, error } = standing {
                let ends = Ends { status, at, error, to_tell: entry.to_tell };
                self.keep(entry.execution, [facts, &[]], entry.has_key, &ends);
            }
        }
    }

    /// Ids that finale mints grow, so that what begins is newer than all that has ended; and the chunks that may have an id
    /// are few.
    fn find(&self, execution: ExecutionId) -> Option<(usize, usize)> {
        if self.count == 0 || self.newest.is_none_or(|newest| execution > newest) {
            return None;
        }
        self.chunks.iter().enumerate().rev().find_map(|(number, chunk)| Some((number, chunk.find(execution)?)))
    }

    /// Drops chunks of which nothing is kept, from the oldest on.
    fn drop_forgotten(&mut self) {
        while let Some(chunk) = self.chunks.front_mut() {
            let kept = chunk.entries[chunk.first..].iter().position(|entry| !entry.forgotten);
            let forgotten = kept.unwrap_or(chunk.entries.len() - chunk.first);
            chunk.first += forgotten;
            self.stored -= forgotten;
            if kept.is_some() {
                return;
            }
            self.spare = self.chunks.pop_front().map(Chunk::emptied);
        }
    }
}

impl Chunk {
    fn is_full(&self) -> bool {
        self.bytes.len() >= CHUNK_BYTES || self.entries.len() >= CHUNK_ENTRIES
    }

    fn find(&self, execution: ExecutionId) -> Option<usize> {
        let (least, greatest) = self.ids?;
        if execution < least || execution > greatest {
            return None;
        }
        let is_it = |entry: &Entry| entry.execution == execution && !entry.forgotten;
        self.entries[self.first..].iter().rposition(is_it).map(|entry| self.first + entry)
    }

    fn kept(&self, entry: &Entry) -> Kept<'_> {
        let behind = entry.start + entry.facts;
        let error = entry.error.and_then(|length| std::str::from_utf8(&self.bytes[behind..behind + length]).ok());
        Kept {
            facts: &self.bytes[entry.start..behind],
            standing: Stands::Ended { status: entry.status, at: entry.at, error },
        }
    }

    fn key(&self, entry: &Entry) -> Option<(Box<str>, ExecutionId)> {
        if !entry.has_key {
            return None;
        }
        Some((activation_of(self.kept(entry).facts)?.idempotency_key?, entry.execution))
    }

    /// One history may have been very long.
    fn emptied(mut self) -> Self {
        self.entries.clear();
        self.bytes.clear();
        self.bytes.shrink_to(2 * CHUNK_BYTES);
        Self { entries: self.entries, bytes: self.bytes, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn id(number: u64) -> ExecutionId {
        ExecutionId::from_uuid(uuid::Uuid::from_u128(u128::from(number)))
    }

    fn keep(ended: &mut Ended, number: u64) {
        let facts = number.to_le_bytes();
        let error = (number.is_multiple_of(3)).then(|| format!("error {number}"));
        let (at, to_tell) = (Time::from_micros(number as i64), number.is_multiple_of(5));
        let ends = Ends { status: Terminal::Failed, at, error: error.as_deref(), to_tell };
        ended.keep(id(number), [&facts[..3], &facts[3..]], false, &ends);
    }

    /// Whether exactly these are kept, with what they were kept with.
    fn assert_kept(ended: &Ended, kept: &BTreeMap<u64, ()>) {
        assert_eq!(ended.count(), kept.len());
        let mut all: Vec<_> = ended.iter().map(|(id, _)| id).collect();
        all.sort_unstable();
        assert_eq!(all, kept.keys().map(|number| id(*number)).collect::<Vec<_>>());
        let mut untold: Vec<_> = ended.untold().collect();
        untold.sort_unstable();
        assert_eq!(
            untold,
            kept.keys().filter(|number| number.is_multiple_of(5)).map(|number| id(*number)).collect::<Vec<_>>()
        );
        assert_eq!(ended.untold_count(), untold.len());
        for number in kept.keys() {
            let found = ended.get(id(*number)).expect("it is kept");
            assert_eq!(found.facts, number.to_le_bytes());
            let Stands::Ended { at, error, .. } = found.standing else { panic!("it has ended") };
            assert_eq!(at, Time::from_micros(*number as i64));
            assert_eq!(error.map(str::to_owned), number.is_multiple_of(3).then(|| format!("error {number}")));
        }
    }

    #[test]
    fn what_is_kept_is_found_and_what_is_forgotten_is_not_in_every_order() {
        let (mut ended, mut kept) = (Ended::default(), BTreeMap::new());
        let mut random = 1_u64;
        for step in 0..6_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let number = random >> 40;
            match random >> 33 & 3 {
                0 => {
                    let some: Vec<_> = kept.keys().copied().skip(number as usize % 7).step_by(5).take(9).collect();
                    for number in some {
                        assert!(ended.forget(id(number), &mut Keys::new()));
                        assert!(!ended.forget(id(number), &mut Keys::new()));
                        kept.remove(&number);
                        assert!(!ended.has(id(number)));
                    }
                }
                _ if kept.insert(number, ()).is_none() => keep(&mut ended, number),
                _ => {}
            }
            if step % 500 == 0 {
                assert_kept(&ended, &kept);
            }
        }
        assert_kept(&ended, &kept);
    }

    #[test]
    fn the_oldest_are_forgotten_first_and_their_room_is_used_again() {
        let mut ended = Ended::default();
        for number in 0..10_000 {
            keep(&mut ended, number);
            while ended.count() > 600 {
                ended.forget_first();
            }
        }
        assert_kept(&ended, &(9_400..10_000).map(|number| (number, ())).collect());
        assert!(ended.chunks.len() <= 4, "{} chunks", ended.chunks.len());
    }

    #[test]
    fn they_are_in_the_order_of_their_ends_also_if_a_clock_was_set_back_or_two_were_put_together() {
        let mut numbers: Vec<u64> = (0..2_000).map(|step| step * 7_919 % 2_003).collect();
        let (mut ended, mut other) = (Ended::default(), Ended::default());
        numbers.iter().enumerate().for_each(|(step, number)| {
            keep(if step % 3 == 0 { &mut other } else { &mut ended }, *number);
        });
        ended.append(&mut other);
        ended.sort();
        numbers.sort_unstable();
        let ends: Vec<_> = ended.ends().map(|(_, id, _)| id).collect();
        assert_eq!(ends, numbers.iter().map(|number| id(*number)).collect::<Vec<_>>());
        assert_kept(&ended, &numbers.iter().map(|number| (*number, ())).collect());
    }

    #[test]
    fn one_that_is_kept_for_long_does_not_keep_the_room_of_the_others() {
        let mut ended = Ended::default();
        keep(&mut ended, 0);
        for number in 1..20_000 {
            keep(&mut ended, number);
            ended.forget(id(number), &mut Keys::new());
        }
        assert_kept(&ended, &BTreeMap::from([(0, ())]));
        assert!(ended.chunks.len() <= 4, "{} chunks", ended.chunks.len());
    }
}
