//! What was written last: batches that are in the database and not in its tables yet.
//!
//! A batch becomes durable as one row of the table `batches`, whatever is in it; that is what makes a commit cheap. Some
//! time later everything in these rows is [merged](super::merge) into the tables at once: most executions have begun and
//! ended by then, and take one row of facts and one summary. Until then whoever reads looks here first. It is the same
//! for the owner, for a process that only reads, and for the one that opens the journal after a crash.

use std::sync::Arc;

use finale_core::fact::Terminal;
use finale_core::{ExecutionId, Time};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::Quarantine;

use super::batch::Tip;
use super::chain;
use super::record::{BeginRecord, FactsRecord, Part, Record, Records, StandRecord, What};
use super::summary::{Beginning, COMPLETED, RUNNING, StandingRow, code};

/// Batches, and what they say of each execution.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent {
    batches: Vec<Arc<[u8]>>,
    /// In the order in which they came up first.
    entries: Vec<Entry>,
    found: FxHashMap<ExecutionId, usize>,
    /// The newest execution with each idempotency key.
    keyed: FxHashMap<Box<str>, usize>,
    links: Vec<Link>,
    /// Those in the tables of whose ends everybody was told since.
    told: FxHashSet<ExecutionId>,
    /// Of how many of those that have ended here somebody has still to be told.
    untold: usize,
    bytes: usize,
    hash: u64,
    /// The number of the newest batch; 0 if there is none.
    newest: u64,
    ended: [EndedRecently; 3],
}

/// What the batches say of one execution.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) id: ExecutionId,
    pub(super) number: i64,
    /// None if it began before.
    begin: Option<(usize, BeginRecord)>,
    /// None if it stands where it stood before.
    stand: Option<(usize, StandRecord)>,
    /// The numbers of the first and the last of its facts here; 0 if there are none.
    pub(super) first_sequence: u64,
    pub(super) last_sequence: u64,
    /// The last of its links, counted from 1; 0 if there is none.
    last_link: usize,
}

/// Facts of one execution in one batch.
#[derive(Clone, Copy, Debug)]
struct Link {
    batch: usize,
    facts: FactsRecord,
    /// The one before it of the same execution.
    previous: usize,
}

/// What has ended with one status.
#[derive(Clone, Copy, Debug, Default)]
struct EndedRecently {
    count: u64,
    first: Option<Time>,
}

impl Recent {
    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// How many bytes the batches have together.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The hash over all batches, which is kept in `meta`; 0 if there are none.
    pub(super) const fn hash(&self) -> u64 {
        self.hash
    }

    /// The number of the newest batch; 0 if there is none.
    pub(super) const fn newest(&self) -> u64 {
        self.newest
    }

    /// What the hash becomes with one more batch.
    pub(super) fn hash_with(&self, number: u64, batch: &[u8]) -> u64 {
        chain::recent(self.hash, number, batch)
    }

    /// Takes one more batch, with its [hash](Self::hash_with). False if its bytes are no batch: what can be read of it is taken.
    pub(super) fn push(&mut self, number: u64, batch: Arc<[u8]>, hash: u64) -> bool {
        (self.hash, self.newest) = (hash, number);
        self.bytes += batch.len();
        let mut records = Records::new(&batch);
        for record in &mut records {
            self.take(&record, &batch);
        }
        let is_whole = records.is_at_end();
        self.batches.push(batch);
        is_whole
    }

    /// Everything is in the tables.
    pub(super) fn clear(&mut self) {
        self.batches.clear();
        self.entries.clear();
        self.found.clear();
        self.keyed.clear();
        self.links.clear();
        self.told.clear();
        self.untold = 0;
        (self.bytes, self.hash, self.newest, self.ended) = (0, 0, 0, Default::default());
    }

    pub(super) fn get(&self, execution: ExecutionId) -> Option<&Entry> {
        self.entries.get(*self.found.get(&execution)?)
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The newest execution that began with this idempotency key.
    pub(super) fn keyed(&self, key: &str) -> Option<ExecutionId> {
        Some(self.entries[*self.keyed.get(key)?].id)
    }

    /// When the first of those that ended so ended.
    pub(super) fn first_end(&self, status: Terminal) -> Option<Time> {
        self.ended[kind(code(status))?].first
    }

    /// How many have ended so.
    pub(super) fn ended(&self, status: Terminal) -> u64 {
        kind(code(status)).map_or(0, |kind| self.ended[kind].count)
    }

    /// How many have ended, however they did.
    pub(super) fn ended_in_all(&self) -> u64 {
        self.ended.iter().map(|ended| ended.count).sum()
    }

    /// Those in the tables of whose ends everybody was told since.
    pub(super) const fn told(&self) -> &FxHashSet<ExecutionId> {
        &self.told
    }

    /// Those that have ended here, and of whose ends somebody has still to be told.
    pub(super) fn untold(&self) -> impl Iterator<Item = ExecutionId> {
        let entries = if self.untold == 0 { &[][..] } else { &self.entries };
        entries.iter().filter(|entry| entry.is_untold()).map(|entry| entry.id)
    }

    /// What an execution began as, if it began here.
    pub(super) fn beginning(&self, entry: &Entry) -> Option<Beginning<'_>> {
        let (batch, begin) = entry.begin.as_ref()?;
        Some(Beginning {
            id: entry.id,
            definition: begin.definition,
            by: self.text(*batch, begin.by),
            at: begin.at,
            idempotency_key: begin.idempotency_key.map(|key| self.text(*batch, key)),
            business_key: begin.business_key.map(|key| self.text(*batch, key)),
        })
    }

    /// Where an execution stands, if that has changed here or it began here.
    pub(super) fn standing(&self, entry: &Entry, tip: Tip) -> Option<StandingRow<'_>> {
        let Some((batch, stand)) = &entry.stand else {
            return entry.begin.map(|_| StandingRow::running(entry.id));
        };
        Some(StandingRow {
            id: entry.id,
            status: stand.status,
            completed_at: stand.completed_at,
            error: stand.error.map(|error| self.text(*batch, error)),
            quarantine: stand.quarantine.map(|reason| self.text(*batch, reason)),
            until_released: stand.until_released,
            tip: if stand.status >= COMPLETED { tip } else { Tip::default() },
        })
    }

    /// Why an execution is parked, if that has changed here.
    pub(super) fn quarantine(&self, entry: &Entry) -> Option<Quarantine> {
        self.standing(entry, Tip::default())?.quarantine()
    }

    /// The facts of an execution in these batches, in their order: for each of its appends the number of the first, how
    /// many they are, and their bytes.
    pub(super) fn facts<'a>(&'a self, entry: &Entry, found: &mut Vec<(u64, u32, &'a [u8])>) {
        found.clear();
        let mut link = entry.last_link;
        while let Some(Link { batch, facts, previous }) = link.checked_sub(1).and_then(|index| self.links.get(index)) {
            found.push((facts.first_sequence, facts.count, self.part(*batch, facts.facts)));
            link = *previous;
        }
        found.reverse();
    }

    fn take(&mut self, record: &Record, batch: &[u8]) {
        let place = self.batches.len();
        let Record { id, number, .. } = *record;
        if record.what == What::Told {
            return self.note_told(id);
        }
        let index = *self.found.entry(id).or_insert_with(|| {
            self.entries.push(Entry::new(id, number));
            self.entries.len() - 1
        });
        let entry = &mut self.entries[index];
        match record.what {
            What::Begin(begin) => {
                entry.begin = Some((place, begin));
                if let Some(key) = begin.idempotency_key {
                    self.keyed.insert(text(batch, key).into(), index);
                }
            }
            What::Facts(facts) => {
                self.links.push(Link { batch: place, facts, previous: entry.last_link });
                entry.add(&facts, self.links.len());
            }
            What::Stand(stand) => {
                entry.stand = Some((place, stand));
                self.note_end(&stand);
            }
            What::Told => {}
        }
    }

    fn note_end(&mut self, stand: &StandRecord) {
        if let (Some(kind), Some(at)) = (kind(stand.status), stand.completed_at) {
            let ended = &mut self.ended[kind];
            ended.count += 1;
            ended.first = Some(ended.first.map_or(at, |first| first.min(at)));
            self.untold += usize::from(stand.to_tell);
        }
    }

    /// Of what has ended here and was told of here the tables never hear that it was to be told.
    fn note_told(&mut self, execution: ExecutionId) {
        let entry = self.found.get(&execution).map(|index| &mut self.entries[*index]);
        match entry.and_then(|entry| entry.stand.as_mut()).filter(|(_, stand)| stand.to_tell) {
            Some((_, stand)) => {
                stand.to_tell = false;
                self.untold -= 1;
            }
            None => drop(self.told.insert(execution)),
        }
    }

    fn text(&self, batch: usize, part: Part) -> &str {
        text(&self.batches[batch], part)
    }

    fn part(&self, batch: usize, part: Part) -> &[u8] {
        &self.batches[batch][part.start..part.start + part.length]
    }
}

impl Entry {
    const fn new(id: ExecutionId, number: i64) -> Self {
        Self { id, number, begin: None, stand: None, first_sequence: 0, last_sequence: 0, last_link: 0 }
    }

    /// Whether the execution began in these batches: then the tables have nothing of it.
    pub(super) const fn is_new(&self) -> bool {
        self.begin.is_some()
    }

    /// Whether its summary in the tables is not the newest.
    pub(super) const fn changes_summary(&self) -> bool {
        self.begin.is_some() || self.stand.is_some()
    }

    /// Where the execution stands, if that has changed here or it began here.
    pub(super) fn status(&self) -> Option<u8> {
        let begun = self.begin.map(|_| RUNNING);
        self.stand.map(|(_, stand)| stand.status).or(begun)
    }

    /// When the execution ended, if it has ended in these batches.
    pub(super) fn completed_at(&self) -> Option<Time> {
        self.stand.filter(|_| self.has_ended())?.1.completed_at
    }

    /// Whether the execution has ended in these batches.
    pub(super) fn has_ended(&self) -> bool {
        self.status().is_some_and(|status| status >= COMPLETED)
    }

    /// Whether the execution has ended in these batches, and somebody has still to be told.
    pub(super) fn is_untold(&self) -> bool {
        self.stand.is_some_and(|(_, stand)| stand.to_tell)
    }

    fn add(&mut self, facts: &FactsRecord, link: usize) {
        if self.last_link == 0 {
            self.first_sequence = facts.first_sequence;
        }
        self.last_sequence = facts.first_sequence + u64::from(facts.count) - 1;
        self.last_link = link;
    }
}

/// Texts come from `str` alone, and the bytes were checked.
fn text(batch: &[u8], part: Part) -> &str {
    std::str::from_utf8(&batch[part.start..part.start + part.length]).unwrap_or_default()
}

/// Which of the terminal statuses it is.
fn kind(status: u8) -> Option<usize> {
    status.checked_sub(COMPLETED).map(usize::from).filter(|kind| *kind < 3)
}
