//! Faults that tests inject; a runtime built without them never looks here.

use std::sync::atomic::{AtomicU32, Ordering};

/// How many of each fault are still to come.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct Faults {
    /// Outcomes that the engine takes and never delivers.
    pub lose_outcomes: AtomicU32,
    /// Turns in which the execution's actor panics before it has appended anything.
    pub panic_in_turn: AtomicU32,
    /// The same, of turns that take in the outcome of a handler only.
    pub panic_over_outcome: AtomicU32,
}

impl Faults {
    pub(crate) fn strike(fault: &AtomicU32) -> bool {
        fault.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}
