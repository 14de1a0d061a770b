//! What happened, in short: its hash says whether two runs were the same, its end tells the story of a failure.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

use finale_core::Time;
use rustc_hash::FxHasher;

#[derive(Debug, Default)]
pub(super) struct Trace {
    hash: u64,
    step: u64,
    last: VecDeque<String>,
    /// How many of the last happenings are kept.
    lines: usize,
}

impl Trace {
    /// A trace that keeps that many of the last lines of the story.
    pub(super) fn new(lines: usize) -> Self {
        Self { lines, ..Self::default() }
    }

    /// Notes what goes into the hash.
    pub(super) fn mix(&mut self, what: impl Hash) {
        let mut hasher = FxHasher::default();
        (self.hash, what).hash(&mut hasher);
        self.hash = hasher.finish();
    }

    pub(super) fn step(&mut self, step: u64) {
        self.step = step;
    }

    pub(super) fn note(&mut self, at: Time, what: impl FnOnce() -> String) {
        if self.lines == 0 {
            return;
        }
        if self.last.len() == self.lines {
            self.last.pop_front();
        }
        let mut line = what();
        if line.len() > 400 {
            line.truncate((0..=400).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0));
        }
        self.last.push_back(format!("{:>5} {:>9} us  {line}", self.step, at.as_micros() % 1_000_000_000));
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    /// The last things that happened, one per line.
    pub(super) fn story(&self) -> Vec<String> {
        self.last.iter().cloned().collect()
    }
}
