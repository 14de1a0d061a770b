//! What came up in a run, counted: a simulation is worth what it visits.

use std::fmt;
use std::ops::{AddAssign, Index};

macro_rules! counts {
    ($($(#[doc = $text:literal])+ $name:ident,)+) => {
        /// Something that is counted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Count {
            $($(#[doc = $text])+ $name,)+
        }

        impl Count {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];
        }
    };
}

counts! {
    /// Seeds.
    Seeds,
    /// Steps.
    Steps,
    /// Facts that became durable.
    Facts,
    /// Executions begun, durably.
    Activated,
    /// Executions that ended completed.
    Completed,
    /// Executions that ended failed.
    Failed,
    /// Executions that ended cancelled.
    Cancelled,
    /// Executions that were forgotten.
    Forgotten,
    /// Executions recovered.
    Recovered,
    /// Handlers begun.
    Handlers,
    /// Handlers that were told to stop.
    Stops,
    /// Handlers that were dropped.
    Drops,
    /// Blocking handlers that were given up.
    Leaks,
    /// Handlers that gave back their permits and went on.
    Suspended,
    /// Timers that fired.
    Timers,
    /// Signals that were recorded.
    Signals,
    /// Signals that were recorded and that nobody waited for.
    EarlySignals,
    /// Custom statuses that handlers have set.
    StatusesSet,
    /// Custom statuses that were recorded.
    StatusesRecorded,
    /// Early reports that were kept.
    EarlyReports,
    /// The process crashed.
    Crashes,
    /// The process ended in order.
    Shutdowns,
    /// The journal failed.
    JournalFailures,
    /// The state machine of an execution panicked.
    ExecutionPanics,
    /// A task engine panicked.
    EnginePanics,
    /// A supervisor panicked.
    SupervisorPanics,
    /// Executions that only waited and were resumed after a restart without an actor.
    ReconciledWithoutActor,
    /// Executions that were quarantined.
    Quarantined,
    /// Executions that were released from quarantine.
    Released,
    /// Executions that were parked.
    Parked,
    /// Messages that an actor forwarded.
    Forwarded,
    /// Batches with outcomes that an actor passed on.
    PassedOn,
    /// Messages between a task engine and an actor that were lost.
    Lost,
    /// Executions that were found in a process that has not all their handlers.
    WithoutHandlers,
    /// Messages that came twice.
    Duplicates,
    /// Activations that were answered with the execution of their key.
    Repeats,
    /// Executions that one shard began for the home of their key.
    BegunForOthers,
    /// Looks at an execution.
    Looks,
    /// Requests that were carried out.
    Done,
    /// Requests that were refused.
    Refused,
    /// Ends that were told, and that all handlers have taken.
    EndsTold,
    /// Ends over which a handler has failed.
    EndsNotTaken,
    /// Ends that were told again in another process.
    EndsToldAgain,
    /// Moments at which nothing was on its way.
    Quiet,
}

/// How often each came up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally(Vec<u64>);

impl Tally {
    pub(super) fn add(&mut self, count: Count) {
        self.0.resize(Count::ALL.len(), 0);
        self.0[count as usize] += 1;
    }

    pub(super) fn has(&self, count: Count) -> bool {
        self[count] > 0
    }

    /// What never came up, by name.
    pub fn missing(&self) -> Vec<String> {
        let missing = Count::ALL.iter().filter(|count| self[**count] == 0);
        missing.map(|count| format!("{count:?}")).collect()
    }
}

impl Index<Count> for Tally {
    type Output = u64;

    fn index(&self, count: Count) -> &u64 {
        self.0.get(count as usize).unwrap_or(&0)
    }
}

impl AddAssign<&Self> for Tally {
    fn add_assign(&mut self, other: &Self) {
        self.0.resize(Count::ALL.len(), 0);
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine += theirs;
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Count::ALL.iter().try_for_each(|count| writeln!(f, "{:>10} {count:?}", self[*count]))
    }
}
