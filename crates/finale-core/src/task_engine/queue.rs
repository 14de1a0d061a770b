//! The queue of one limit, oldest task first.

use std::collections::VecDeque;

use super::input::Attempt;
use super::timers::TimerKey;
use crate::payload::Payload;
use crate::time::Time;

/// Entries per counted block: a position is the sum of block counts plus a scan of one block.
const BLOCK: u64 = 256;

/// The queue is compacted when it has this many more empty entries than tasks.
const EMPTY_MAX: usize = 1_024;

/// A task that waits for permits.
#[derive(Clone, Debug)]
pub(super) struct Queued {
    pub(super) attempt: Attempt,
    pub(super) input: Option<Payload>,
    pub(super) since: Time,
    /// Timer of the time that it may wait.
    pub(super) timer: Option<TimerKey>,
}

/// Tasks in ascending order of their numbers. A removed task leaves an empty entry, because moving all later entries for
/// each of many cancelled tasks would take quadratic time.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    entries: VecDeque<(u64, Option<Queued>)>,
    /// Number of entries that have left the front.
    passed: u64,
    /// Number of tasks in each block of entries, beginning with the block of the first entry.
    blocks: VecDeque<u32>,
    len: usize,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        self.entries.len()
    }

    /// Appends a task; its number must be the highest.
    pub(super) fn push(&mut self, number: u64, task: Queued) {
        let block = self.block_of(self.entries.len());
        if self.blocks.len() <= block {
            self.blocks.resize(block + 1, 0);
        }
        self.blocks[block] += 1;
        self.entries.push_back((number, Some(task)));
        self.len += 1;
    }

    /// Puts a task before all others; its number must be the lowest.
    pub(super) fn push_first(&mut self, number: u64, task: Queued) {
        if self.passed == 0 {
            // A whole block more that has left the front changes the place of no entry within its block.
            self.passed = BLOCK;
        }
        if self.passed.is_multiple_of(BLOCK) {
            self.blocks.push_front(0);
        }
        self.passed -= 1;
        self.blocks[0] += 1;
        self.entries.push_front((number, Some(task)));
        self.len += 1;
    }

    /// Number of the oldest task.
    pub(super) fn oldest(&self) -> Option<u64> {
        // The first entry is never empty.
        self.entries.front().map(|(number, _)| *number)
    }

    pub(super) fn pop(&mut self) -> Option<Queued> {
        let (_, task) = self.entries.front_mut()?;
        let task = task.take();
        self.taken(0);
        task
    }

    /// The task with that number.
    pub(super) fn get(&self, number: u64) -> Option<&Queued> {
        self.entries[self.find(number)?].1.as_ref()
    }

    /// Removes the task with that number.
    pub(super) fn remove(&mut self, number: u64) -> Option<Queued> {
        let index = self.find(number)?;
        let task = self.entries[index].1.take()?;
        self.taken(index);
        if self.entries.len() - self.len > self.len + EMPTY_MAX {
            self.compact();
        }
        Some(task)
    }

    /// Number of tasks with lower numbers.
    pub(super) fn before(&self, number: u64) -> usize {
        let index = self.entries.partition_point(|(other, _)| *other < number);
        let block = self.block_of(index);
        let counted: u32 = self.blocks.iter().take(block).sum();
        let first = ((self.passed / BLOCK + block as u64) * BLOCK).saturating_sub(self.passed) as usize;
        counted as usize + self.entries.range(first.min(index)..index).filter(|(_, task)| task.is_some()).count()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn find(&self, number: u64) -> Option<usize> {
        self.entries.binary_search_by_key(&number, |(number, _)| *number).ok()
    }

    fn block_of(&self, index: usize) -> usize {
        ((self.passed + index as u64) / BLOCK - self.passed / BLOCK) as usize
    }

    /// Updates the counts after an entry became empty, and drops empty entries at the front.
    fn taken(&mut self, index: usize) {
        let block = self.block_of(index);
        self.blocks[block] -= 1;
        self.len -= 1;
        while let Some((_, None)) = self.entries.front() {
            self.entries.pop_front();
            self.passed += 1;
            if self.passed.is_multiple_of(BLOCK) {
                self.blocks.pop_front();
            }
        }
    }

    /// Drops all empty entries.
    fn compact(&mut self) {
        for (number, task) in std::mem::take(self).entries {
            if let Some(task) = task {
                self.push(number, task);
            }
        }
    }
}
