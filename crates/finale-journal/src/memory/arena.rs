//! What is kept of the executions of one writer.

use finale_core::fact::Terminal;
use finale_core::{ExecutionId, Time};
use rustc_hash::FxHashMap;

use super::by_status::EndedByStatus;
use super::ended::Keys;
use super::kept::{Kept, Stands};
use crate::{Append, Ends, JournalError, Quarantine, Standing};

/// As much storage of logs is kept for those that begin.
const SPARE_MAX: usize = 64;
/// Storage of a log that has grown larger is not kept.
const SPARE_BYTES_MAX: usize = 4 << 10;

#[derive(Clone, Debug, Default)]
pub(super) struct Arena {
    /// Those that have not ended.
    open: FxHashMap<ExecutionId, Log>,
    pub(super) quarantined: FxHashMap<ExecutionId, Quarantine>,
    ended: EndedByStatus,
    /// The storage of logs of executions that have ended, to be used again.
    spare: Vec<Vec<u8>>,
}

/// The log of an execution that has not ended.
#[derive(Clone, Debug, Default)]
struct Log {
    facts: Vec<u8>,
    count: u64,
    ending: bool,
    has_key: bool,
}

impl Arena {
    /// Both together; the other one is empty afterwards.
    pub(super) fn and(mut self, other: &mut Self) -> Self {
        self.open.extend(other.open.drain());
        self.quarantined.extend(other.quarantined.drain());
        self.ended.append(&mut other.ended);
        self
    }

    /// Brings those that have ended into the order of their ends.
    pub(super) fn sort(&mut self) {
        self.ended.sort();
    }

    /// The greatest id of those that are or were here; none if nothing is.
    pub(super) fn newest(&self) -> Option<ExecutionId> {
        self.open.keys().copied().max().max(self.ended.newest())
    }

    pub(super) fn get(&self, execution: ExecutionId) -> Option<Kept<'_>> {
        self.get_open(execution).or_else(|| self.ended.get(execution))
    }

    /// One that has not ended.
    pub(super) fn get_open(&self, execution: ExecutionId) -> Option<Kept<'_>> {
        self.open.get(&execution).map(Log::kept)
    }

    /// All that are kept, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (ExecutionId, Kept<'_>)> {
        self.iter_open().chain(self.ended.iter())
    }

    /// Those that have not ended, in no order.
    pub(super) fn iter_open(&self) -> impl Iterator<Item = (ExecutionId, Kept<'_>)> {
        self.open.iter().map(|(id, log)| (*id, log.kept()))
    }

    /// How many have ended so.
    pub(super) const fn ended_as(&self, status: Terminal) -> usize {
        self.ended.count_of(status)
    }

    /// Of how many that have ended so somebody has still to be told.
    pub(super) const fn untold_as(&self, status: Terminal) -> usize {
        self.ended.untold_of(status)
    }

    /// The first that ended so, at most that many, oldest end first, and whether somebody has still to be told of each.
    pub(super) fn first_ended(&mut self, status: Terminal, limit: usize) -> Vec<(Time, ExecutionId, bool)> {
        self.ended.first(status, limit)
    }

    pub(super) fn is_open(&self, execution: ExecutionId) -> bool {
        self.open.contains_key(&execution)
    }

    pub(super) fn has_ended(&self, execution: ExecutionId) -> bool {
        self.ended.has(execution)
    }

    pub(super) fn take_over(&mut self, execution: ExecutionId, from: &mut Self) {
        if let Some(log) = from.open.remove(&execution) {
            self.open.insert(execution, log);
        }
        if let Some(quarantine) = from.quarantined.remove(&execution) {
            self.quarantined.insert(execution, quarantine);
        }
    }

    pub(super) fn append(&mut self, append: &Append<'_>) -> Result<(), JournalError> {
        let execution = append.execution;
        if let Some(log) = self.open.get_mut(&execution) {
            log.check(append)?;
            match &append.standing {
                Standing::Ended(ends) => self.end(execution, append.facts, ends),
                standing => log.add(append, standing),
            }
            return Ok(());
        }
        if self.ended.has(execution) {
            return Err(JournalError::Ended(execution));
        }
        let mut log = Log { facts: self.spare.pop().unwrap_or_default(), ..Log::default() };
        log.check(append)?;
        log.has_key = append.begins.as_ref().is_some_and(|begins| begins.idempotency_key.is_some());
        // The first append is often the last but one: no room to grow is kept.
        log.facts.reserve_exact(append.facts.len());
        match &append.standing {
            Standing::Ended(ends) => self.ended.keep(execution, [append.facts, &[]], log.has_key, ends),
            standing => {
                log.add(append, standing);
                self.open.insert(execution, log);
            }
        }
        Ok(())
    }

    /// Keeps an open execution as one that has ended; one that is not open is left as it is.
    fn end(&mut self, execution: ExecutionId, facts: &[u8], ends: &Ends<'_>) {
        let Some(mut log) = self.open.remove(&execution) else { return };
        self.ended.keep(execution, [&log.facts, facts], log.has_key, ends);
        if !self.quarantined.is_empty() {
            self.quarantined.remove(&execution);
        }
        if self.spare.len() < SPARE_MAX && log.facts.capacity() <= SPARE_BYTES_MAX {
            log.facts.clear();
            self.spare.push(log.facts);
        }
    }

    pub(super) fn quarantine(&mut self, execution: ExecutionId, quarantine: Option<Quarantine>) {
        match quarantine {
            Some(quarantine) if self.is_open(execution) => {
                self.quarantined.insert(execution, quarantine);
            }
            _ => {
                self.quarantined.remove(&execution);
            }
        }
    }

    pub(super) fn write_off(&mut self, execution: ExecutionId, ends: &Ends<'_>) {
        self.end(execution, &[], ends);
    }

    /// Notes of those that are here that everybody was told of their ends.
    pub(super) fn told(&mut self, executions: &[ExecutionId]) {
        self.ended.told(executions);
    }

    /// Those of whose ends somebody has still to be told, in no order.
    pub(super) fn untold(&self) -> impl Iterator<Item = ExecutionId> {
        self.ended.untold()
    }

    /// Forgets one that ended so, and notes its key; gives whether it was here.
    pub(super) fn forget_one(&mut self, execution: ExecutionId, status: Terminal, keys: &mut Keys) -> bool {
        self.ended.forget_one(execution, status, keys)
    }

    pub(super) fn forget(&mut self, executions: &[ExecutionId]) -> Keys {
        self.ended.forget(executions)
    }

    /// Forgets those that ended first, until no more than that many are left beside those that somebody has still to be told
    /// of.
    pub(super) fn forget_oldest(&mut self, ended_max: usize) -> Keys {
        if self.ended.count() <= ended_max { Keys::new() } else { self.ended.forget_oldest(ended_max) }
    }

    /// Damages what is kept of an execution; done twice, it is as it was.
    #[cfg(feature = "_test")]
    pub(super) fn damage(&mut self, execution: ExecutionId) {
        if let Some(byte) = self.open.get_mut(&execution).and_then(|log| log.facts.first_mut()) {
            *byte ^= 0x7f;
        }
        self.ended.damage(execution);
    }
}

impl Log {
    fn kept(&self) -> Kept<'_> {
        let standing = if self.ending { Stands::Ending } else { Stands::Running };
        Kept { facts: &self.facts, standing }
    }

    fn add(&mut self, append: &Append<'_>, standing: &Standing<'_>) {
        self.facts.extend_from_slice(append.facts);
        self.count += u64::from(append.count);
        self.ending = matches!(standing, Standing::Ending);
    }

    fn check(&self, append: &Append<'_>) -> Result<(), JournalError> {
        let Append { execution, first_sequence: found, .. } = *append;
        let expected = self.count + 1;
        if found == expected { Ok(()) } else { Err(JournalError::Gap { execution, expected, found }) }
    }
}
