//! Looks now and then whether everything that must be under way is: what was lost is repaired, not waited for.

use std::ops::Bound::{Excluded, Unbounded};
use std::rc::Rc;

use super::Supervisor;
use crate::shard::{Live, Work};

/// Executions looked at in one sweep, so that a shard with many of them does not stop for it.
const SWEEP_MAX: usize = 1_024;

impl Supervisor {
    pub(super) fn sweep(&mut self) {
        self.shard.vitals.journal_lag(self.shard.journal_lag());
        self.purge_if_due();
        if self.recovery.left() > 0 {
            // Nobody goes on before all were looked at, and then not all at once.
            return;
        }
        let batch: Vec<Rc<Live>> = {
            let directory = self.shard.directory.borrow();
            let from = self.swept.map_or(Unbounded, Excluded);
            directory.range((from, Unbounded)).take(SWEEP_MAX).map(|(_, live)| Rc::clone(live)).collect()
        };
        self.swept = batch.last().filter(|_| batch.len() == SWEEP_MAX).map(|live| live.id);
        for live in batch {
            self.shard.work(Work::Reconcile(live));
        }
    }
}
