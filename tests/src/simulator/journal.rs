//! A model of the journal: what was appended waits until a batch is written, and a crash loses what was not.

use std::collections::{BTreeMap, VecDeque};
use std::hash::Hasher;

use finale_core::Time;
use finale_core::fact::{Fact, Facts, Recorded};
use rustc_hash::FxHasher;

use super::messages::Number;

/// The facts of one turn on their way to the journal.
#[derive(Clone, Debug)]
pub(super) struct Append {
    pub(super) life: u32,
    pub(super) shard: usize,
    pub(super) position: u64,
    pub(super) number: Number,
    /// Index of the definition, which is stored beside the first fact.
    pub(super) definition: usize,
    pub(super) first: u64,
    pub(super) count: u32,
    /// The chain over everything before.
    pub(super) after: u64,
    pub(super) facts: Vec<u8>,
    pub(super) ends: bool,
}

/// Why an append was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum NotTaken {
    /// A newer life of the process has opened the journal.
    Fenced,
    /// It does not follow what is there.
    Gap,
    /// There is nothing after the end.
    Ended,
    /// The disk is broken until the process is started again.
    Broken,
}

/// The facts of one execution.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    pub(super) definition: usize,
    pub(super) facts: Vec<u8>,
    pub(super) count: u64,
    pub(super) ended: bool,
    chain: u64,
    head: Head,
    /// Where the last append begins: how many bytes and facts were before it.
    last: (usize, u64),
}

/// How far the appends of an execution go, whether written or not.
#[derive(Clone, Copy, Debug, Default)]
struct Head {
    count: u64,
    chain: u64,
    ended: bool,
}

#[derive(Debug, Default)]
pub(super) struct Journal {
    /// Whether writes of an older life are refused.
    fenced: bool,
    pub(super) broken: bool,
    life: u32,
    logs: BTreeMap<Number, Log>,
    unwritten: VecDeque<Append>,
}

impl Journal {
    pub(super) fn new(fenced: bool) -> Self {
        Self { fenced, ..Self::default() }
    }

    /// A new life of the process begins; older ones can write nothing any more.
    pub(super) fn open(&mut self, life: u32) {
        self.life = life;
        self.broken = false;
    }

    pub(super) fn append(&mut self, append: &Append) -> Result<(), NotTaken> {
        if self.broken {
            return Err(NotTaken::Broken);
        }
        if self.fenced && append.life < self.life {
            return Err(NotTaken::Fenced);
        }
        let log = self.logs.entry(append.number).or_default();
        log.head = log.head.follow(append)?;
        log.definition = append.definition;
        self.unwritten.push_back(append.clone());
        Ok(())
    }

    pub(super) fn unwritten(&self) -> usize {
        self.unwritten.len()
    }

    /// Writes that many appends, the oldest first.
    pub(super) fn write(&mut self, count: usize) -> Vec<Append> {
        let written: Vec<Append> = self.unwritten.drain(..count).collect();
        for append in &written {
            self.logs.entry(append.number).or_default().write(append);
        }
        written
    }

    /// What was not written never was.
    pub(super) fn crash(&mut self) -> usize {
        let lost = self.unwritten.len();
        self.unwritten.clear();
        self.logs.retain(|_, log| log.count > 0);
        for log in self.logs.values_mut() {
            log.head = Head { count: log.count, chain: log.chain, ended: log.ended };
        }
        lost
    }

    /// Everything that is written, by execution.
    pub(super) fn logs(&self) -> &BTreeMap<Number, Log> {
        &self.logs
    }

    /// What an execution is rebuilt from in the same life: also what is not written yet.
    pub(super) fn history(&self, number: Number) -> Vec<u8> {
        let mut facts = self.logs.get(&number).map(|log| log.facts.clone()).unwrap_or_default();
        for append in self.unwritten.iter().filter(|append| append.number == number) {
            facts.extend_from_slice(&append.facts);
        }
        facts
    }

    /// Cuts off the last append, as an overeager repair of a torn tail would.
    pub(super) fn cut_last_append(&mut self, number: Number) {
        let Some(log) = self.logs.get_mut(&number).filter(|log| log.last.1 > 0) else { return };
        log.facts.truncate(log.last.0);
        (log.count, log.ended) = (log.last.1, false);
        log.chain = chained(0, &log.facts);
        log.head = Head { count: log.count, chain: log.chain, ended: false };
    }
}

impl Log {
    fn write(&mut self, append: &Append) {
        self.last = (self.facts.len(), self.count);
        self.facts.extend_from_slice(&append.facts);
        self.count += u64::from(append.count);
        self.chain = chained(append.after, &append.facts);
        self.ended = append.ends;
    }

    /// What a writer has to go on from.
    pub(super) fn chain(&self) -> u64 {
        self.chain
    }

    /// Whether the facts are those that were written, byte for byte.
    pub(super) fn is_whole(&self) -> bool {
        chained(0, &self.facts) == self.chain && Facts::new(&self.facts).count() as u64 == self.count
    }
}

impl Head {
    fn follow(self, append: &Append) -> Result<Self, NotTaken> {
        if self.ended {
            return Err(NotTaken::Ended);
        }
        if append.first != self.count + 1 || append.after != self.chain {
            return Err(NotTaken::Gap);
        }
        let chain = chained(append.after, &append.facts);
        Ok(Self { count: self.count + u64::from(append.count), chain, ended: append.ends })
    }
}

impl Append {
    /// The end apart from what brought it about, as a shell with a mistake would append it.
    pub(super) fn split_end(self) -> Vec<Self> {
        let fits = |cut: &usize| Facts::new(&self.facts[..*cut]).filter(Result::is_ok).count() as u32 + 1 == self.count;
        let cut = (0..self.facts.len()).find(fits).filter(|_| self.ends && self.count > 1);
        let Some(cut) = cut else { return vec![self] };
        let (first, last) = self.facts.split_at(cut);
        let before = Self { count: self.count - 1, facts: first.to_vec(), ends: false, ..self.clone() };
        let end = Self {
            first: self.first + u64::from(before.count),
            count: 1,
            after: chained(self.after, first),
            facts: last.to_vec(),
            ..self
        };
        vec![before, end]
    }
}

/// The running hash over a history; it does not depend on where the appends begin.
pub(super) fn chained(after: u64, facts: &[u8]) -> u64 {
    facts.iter().fold(after, |chain, byte| (chain ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3).rotate_left(5))
}

/// The hash of something that happened.
pub(super) fn hashed(value: &impl std::hash::Hash) -> u64 {
    let mut hasher = FxHasher::default();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Reads the facts of one append: its times are told from the fact before, which was at `base`.
pub(super) fn facts_of(append: &[u8], base: Time) -> Result<Vec<Recorded>, String> {
    let read = Facts::new(append).map(|read| read.map(|recorded| shifted(recorded, base)));
    read.collect::<Result<_, _>>().map_err(|error| error.to_string())
}

fn shifted(Recorded { at, mut fact }: Recorded, base: Time) -> Recorded {
    let shift = |time: Time| Time::from_micros(time.as_micros() + base.as_micros());
    match &mut fact {
        Fact::Outcome { started, ended, .. } => (*started, *ended) = (shift(*started), shift(*ended)),
        Fact::Activated(activation) => activation.deadline = activation.deadline.map(shift),
        _ => {}
    }
    Recorded { at: shift(at), fact }
}
