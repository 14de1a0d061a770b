//! What is kept of executions that have ended, each kind of end for itself: who forgets those that ended first of one kind
//! passes by no others.

use finale_core::fact::Terminal;
use finale_core::{ExecutionId, Time};

use crate::Ends;

use super::ended::{Ended, Keys};
use super::kept::Kept;

#[derive(Clone, Debug, Default)]
pub(super) struct EndedByStatus([Ended; 3]);

const fn index(status: Terminal) -> usize {
    match status {
        Terminal::Completed => 0,
        Terminal::Failed => 1,
        Terminal::Cancelled => 2,
    }
}

impl EndedByStatus {
    pub(super) fn count(&self) -> usize {
        self.0.iter().map(Ended::count).sum()
    }

    pub(super) const fn count_of(&self, status: Terminal) -> usize {
        self.0[index(status)].count()
    }

    pub(super) const fn untold_of(&self, status: Terminal) -> usize {
        self.0[index(status)].untold_count()
    }

    /// Keeps an execution: its facts, in two parts, and how it ended.
    pub(super) fn keep(&mut self, execution: ExecutionId, facts: [&[u8]; 2], has_key: bool, ends: &Ends<'_>) {
        self.0[index(ends.status)].keep(execution, facts, has_key, ends);
    }

    pub(super) fn get(&self, execution: ExecutionId) -> Option<Kept<'_>> {
        self.0.iter().find_map(|ended| ended.get(execution))
    }

    pub(super) fn has(&self, execution: ExecutionId) -> bool {
        self.0.iter().any(|ended| ended.has(execution))
    }

    /// All that are kept.
    pub(super) fn iter(&self) -> impl Iterator<Item = (ExecutionId, Kept<'_>)> {
        self.0.iter().flat_map(Ended::iter)
    }

    /// The first that ended so, at most that many, oldest end first, and whether somebody has still to be told of each.
    pub(super) fn first(&mut self, status: Terminal, limit: usize) -> Vec<(Time, ExecutionId, bool)> {
        let ended = &mut self.0[index(status)];
        ended.sort();
        ended.ends().take(limit).collect()
    }

    /// Notes of those that are here that everybody was told of their ends.
    pub(super) fn told(&mut self, executions: &[ExecutionId]) {
        for execution in executions {
            self.0.iter_mut().any(|ended| ended.told(*execution));
        }
    }

    /// Those of whose ends somebody has still to be told, in no order.
    pub(super) fn untold(&self) -> impl Iterator<Item = ExecutionId> {
        self.0.iter().flat_map(Ended::untold)
    }

    /// Brings them into the order of their ends.
    pub(super) fn sort(&mut self) {
        self.0.iter_mut().for_each(Ended::sort);
    }

    /// The greatest id of those that are or were here.
    pub(super) fn newest(&self) -> Option<ExecutionId> {
        self.0.iter().filter_map(Ended::newest).max()
    }

    /// Forgets one that ended so, and notes its key; gives whether it was here.
    pub(super) fn forget_one(&mut self, execution: ExecutionId, status: Terminal, keys: &mut Keys) -> bool {
        self.0[index(status)].forget(execution, keys)
    }

    /// Forgets those of them that are here; gives their keys.
    pub(super) fn forget(&mut self, executions: &[ExecutionId]) -> Keys {
        let mut keys = Keys::new();
        for execution in executions {
            self.0.iter_mut().any(|ended| ended.forget(*execution, &mut keys));
        }
        keys
    }

    /// Forgets those that ended first, until no more than that many are left beside those that somebody has still to be told
    /// of.
    pub(super) fn forget_oldest(&mut self, kept_max: usize) -> Keys {
        let mut keys = Keys::new();
        let untold: usize = self.0.iter().map(Ended::untold_count).sum();
        for _ in (kept_max + untold)..self.count() {
            let oldest = self.0.iter_mut().filter_map(|ended| Some((ended.first_told()?, ended)));
            let Some(((_, oldest), ended)) = oldest.min_by_key(|(first, _)| *first) else { break };
            ended.forget(oldest, &mut keys);
        }
        keys
    }

    /// Both together; the other one is empty afterwards.
    pub(super) fn append(&mut self, other: &mut Self) {
        self.0.iter_mut().zip(&mut other.0).for_each(|(ended, other)| ended.append(other));
    }

    /// Damages what is kept of an execution; done twice, it is as it was.
    #[cfg(feature = "_test")]
    pub(super) fn damage(&mut self, execution: ExecutionId) {
        self.0.iter_mut().for_each(|ended| ended.damage(execution));
    }
}
