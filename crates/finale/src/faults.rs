//! Faults that tests inject.
//!
//! Without the feature `_test` there are none: [`Injected`] takes no room then, and the compiler drops every question
//! whether there is a fault.

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use finale_core::Time;

/// The faults of a runtime, if it was given some.
#[cfg(feature = "_test")]
pub(crate) type Injected = Option<std::sync::Arc<Faults>>;

/// The faults of a runtime: none.
#[cfg(not(feature = "_test"))]
pub(crate) type Injected = Option<NoFaults>;

/// Faults that cannot be.
#[cfg(not(feature = "_test"))]
#[derive(Clone, Debug)]
pub(crate) enum NoFaults {}

#[cfg(not(feature = "_test"))]
impl std::ops::Deref for NoFaults {
    type Target = Faults;

    fn deref(&self) -> &Faults {
        match *self {}
    }
}

/// How many of each fault are still to come.
#[cfg_attr(not(feature = "_test"), expect(unreachable_pub, reason = "it is public for tests alone"))]
#[derive(Debug, Default)]
pub struct Faults {
    /// Outcomes that the engine takes and never delivers.
    pub lose_outcomes: AtomicU32,
    /// Turns in which the execution's actor panics before it has appended anything.
    pub panic_in_turn: AtomicU32,
    /// The same, of turns that take in the outcome of a handler only.
    pub panic_over_outcome: AtomicU32,
    /// What the wall clock shows when a runtime starts, in microseconds; 0 for what it really shows.
    pub wall_clock: AtomicI64,
    /// Kills the state machine of an execution.
    pub kill_execution: Kill,
    /// Kills the state machine of the task engine, before it takes its input in.
    pub kill_engine: Kill,
    /// Kills the state machine of the supervisor, after it has taken its input in.
    pub kill_supervisor: Kill,
}

/// A panic in a state machine over one of its inputs.
#[cfg_attr(not(feature = "_test"), expect(unreachable_pub, reason = "it is public for tests alone"))]
#[derive(Debug, Default)]
pub struct Kill {
    /// Over which input from now on, counted from 1; 0 for none.
    pub over: AtomicU32,
    /// The kinds of inputs over which it panicked.
    pub kinds: std::sync::Mutex<std::collections::BTreeSet<String>>,
}

impl Kill {
    /// Whether it is to panic over a later input.
    pub(crate) fn is_armed(&self) -> bool {
        self.over.load(Ordering::Relaxed) > 0
    }

    /// Panics if it is time for that.
    pub(crate) fn strike(&self, input: &impl std::fmt::Debug) {
        let over = self.over.load(Ordering::Relaxed);
        if over == 0 {
            return;
        }
        self.over.store(over - 1, Ordering::Relaxed);
        if over == 1 {
            let shown = format!("{input:?}");
            let kind = shown.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default().to_owned();
            self.kinds.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(kind.clone());
            panic!("a fault was injected over {kind}");
        }
    }
}

impl Faults {
    /// What the wall clock shows, if that was said.
    pub(crate) fn wall(&self) -> Option<Time> {
        Some(self.wall_clock.load(Ordering::Relaxed)).filter(|wall| *wall != 0).map(Time::from_micros)
    }

    /// Whether a fault is due; it is used up then.
    pub(crate) fn strike(fault: &AtomicU32) -> bool {
        fault.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}
