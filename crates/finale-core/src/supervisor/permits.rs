//! The permits that this shard holds of the limit on open executions.

use super::outbox::PermitChange;

/// Counts locally; the pool of the runtime is asked only when nothing is left, and gets back what is too much.
#[derive(Debug)]
pub(super) struct Permits {
    unused: usize,
    /// How many are in use that are not there: as many that come back are not used again.
    owed: usize,
    /// Whether the pool was asked and has not answered.
    asked: bool,
    unused_max: usize,
}

impl Permits {
    pub(super) fn new(unused_max: usize) -> Self {
        Self { unused: 0, owed: 0, asked: false, unused_max }
    }

    /// Notes permits that are in use and were never granted.
    pub(super) fn owe(&mut self, permits: usize) {
        self.owed += permits;
    }

    /// Uses a permit; false if there is none.
    pub(super) fn take(&mut self) -> bool {
        let taken = self.unused > 0;
        self.unused -= usize::from(taken);
        taken
    }

    /// Gives a permit back.
    pub(super) fn give(&mut self, out: &mut Vec<PermitChange>) {
        if self.owed > 0 {
            self.owed -= 1;
            return;
        }
        self.unused += 1;
        if self.unused > self.unused_max {
            // Half of them stay, so that not each of the next ones goes there and back.
            let back = self.unused - self.unused_max / 2;
            self.unused -= back;
            out.push(PermitChange::Return(back));
        }
    }

    /// Asks the pool for permits for the waiting activations, unless a request is pending.
    pub(super) fn ask(&mut self, waiting: usize, out: &mut Vec<PermitChange>) {
        if !self.asked && waiting > 0 {
            self.asked = true;
            out.push(PermitChange::Ask(waiting.max(self.unused_max)));
        }
    }

    /// The pool has answered.
    pub(super) fn granted(&mut self, permits: usize) {
        self.asked = false;
        self.unused += permits;
    }

    /// Another shard needs some: all that are unused go back.
    pub(super) fn return_unused(&mut self, out: &mut Vec<PermitChange>) {
        out.push(PermitChange::Return(std::mem::take(&mut self.unused)));
    }
}
