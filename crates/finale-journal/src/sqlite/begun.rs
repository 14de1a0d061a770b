//! Which ids cannot have been begun before.
//!
//! Ids are minted in the order of time, so an execution that begins is newer than almost all others. Telling that from
//! memory saves a look into the database with every execution.

use std::collections::VecDeque;

use finale_core::ExecutionId;
use rustc_hash::FxHashSet;

/// How many of them are remembered. An execution that begins later than that is looked for.
const REMEMBERED: usize = 4_096;

/// The executions that one writer has let go of: each is either remembered, or sorts up to the floor.
#[derive(Debug, Default)]
pub(super) struct Begun {
    floor: Option<ExecutionId>,
    remembered: FxHashSet<ExecutionId>,
    /// Those that are remembered, in the order in which they came.
    order: VecDeque<ExecutionId>,
}

impl Begun {
    /// For a writer that begins: everything that is kept sorts up to that id.
    pub(super) fn up_to(newest: Option<ExecutionId>) -> Self {
        Self { floor: newest, ..Self::default() }
    }

    /// False only if the execution was certainly not let go of.
    pub(super) fn may_hold(&self, execution: ExecutionId) -> bool {
        Some(execution) <= self.floor || self.remembered.contains(&execution)
    }

    /// Takes an execution that is let go of.
    pub(super) fn take(&mut self, execution: ExecutionId) {
        if Some(execution) <= self.floor || !self.remembered.insert(execution) {
            return;
        }
        self.order.push_back(execution);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.remembered.remove(&oldest);
            self.floor = self.floor.max(Some(oldest));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn id(number: u128) -> ExecutionId {
        ExecutionId::from_uuid(Uuid::from_u128(number))
    }

    #[test]
    fn what_was_let_go_of_is_never_called_new() {
        let mut begun = Begun::up_to(Some(id(10)));
        let taken = || (0..10_000).map(|step| id(1 + step * 7_919 % 10_007));
        taken().for_each(|execution| begun.take(execution));
        assert!(taken().all(|execution| begun.may_hold(execution)));
        assert!((1..=10).all(|number| begun.may_hold(id(number))));
    }

    #[test]
    fn what_comes_a_little_late_is_new_all_the_same() {
        let mut begun = Begun::default();
        (1_000..3_000).for_each(|number| begun.take(id(2 * number)));
        assert!(!begun.may_hold(id(2_001)) && !begun.may_hold(id(7_000)) && begun.may_hold(id(2_000)));
        (3_000..10_000).for_each(|number| begun.take(id(2 * number)));
        assert!(begun.may_hold(id(2_001)), "too late to be told from memory");
        assert!(begun.order.len() <= REMEMBERED && begun.remembered.len() <= REMEMBERED);
    }
}
