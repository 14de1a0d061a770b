//! What came up in a run, counted: a simulation is worth what it visits.

use std::fmt;
use std::ops::{AddAssign, Index};

/// Something that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Count {
    /// Seeds.
    Seeds,
    /// Events handled.
    Steps,
    /// Facts recorded.
    Facts,
    /// Executions begun, durably.
    Activated,
    /// Executions that ended completed.
    Completed,
    /// Executions that ended failed.
    Failed,
    /// Executions that ended cancelled.
    Cancelled,
    /// Handlers begun.
    Handlers,
    /// Handlers begun again after a crash or because their result was lost.
    HandlersAgain,
    /// Results of handlers that did their work and said they failed.
    DidButFailed,
    /// Handlers dropped after their grace, or given up.
    Aborted,
    /// Tasks that were closed before there was a place for them.
    Closed,
    /// Tasks opened to the outside.
    Offers,
    /// Timers that fired.
    Timers,
    /// The process crashed.
    Crashes,
    /// It crashed while it recovered.
    CrashesInRecovery,
    /// The journal failed and the process stopped.
    JournalFailures,
    /// Appends that a crash lost.
    AppendsLost,
    /// Appends that were written by a crash and never acknowledged.
    WrittenUnseen,
    /// Executions recovered.
    Recovered,
    /// Handlers that were dropped because they took too long.
    TimedOut,
    /// Attempts lost by a crash.
    AttemptsLost,
    /// Handlers that may begin once, and were lost.
    OnceLost,
    /// Actors that died.
    Deaths,
    /// Messages delivered twice.
    Duplicates,
    /// Messages lost.
    MessagesLost,
    /// Pieces of work that a sweep found missing.
    Repaired,
    /// Outcomes of an older epoch or attempt that were refused.
    StaleRefused,
    /// Writes of an older life that were refused.
    FencedWrites,
    /// Activations that came again under the same key.
    ActivationsRepeated,
    /// Reports that came before their task was open, and were kept.
    ReportsEarly,
    /// Inputs that were refused.
    Refused,
    /// Commands of operators that were accepted.
    Commands,
    /// Looks at an execution.
    Looks,
    /// Requests that were sent again.
    SentAgain,
}

const NAMES: [(Count, &str); 35] = [
    (Count::Seeds, "seeds"),
    (Count::Steps, "steps"),
    (Count::Facts, "facts"),
    (Count::Activated, "executions activated"),
    (Count::Completed, "executions completed"),
    (Count::Failed, "executions failed"),
    (Count::Cancelled, "executions cancelled"),
    (Count::Handlers, "handlers begun"),
    (Count::HandlersAgain, "handlers begun again"),
    (Count::DidButFailed, "handlers that did it but said failed"),
    (Count::Aborted, "handlers aborted"),
    (Count::Closed, "tasks closed without a place"),
    (Count::Offers, "tasks opened outside"),
    (Count::Timers, "timers fired"),
    (Count::TimedOut, "attempts that took too long"),
    (Count::Crashes, "crashes"),
    (Count::CrashesInRecovery, "crashes during recovery"),
    (Count::JournalFailures, "journal failures"),
    (Count::AppendsLost, "appends lost by crashes"),
    (Count::WrittenUnseen, "appends written and not acknowledged"),
    (Count::Recovered, "executions recovered"),
    (Count::AttemptsLost, "attempts lost by crashes"),
    (Count::OnceLost, "at-most-once tasks lost"),
    (Count::Deaths, "actors that died"),
    (Count::Duplicates, "messages delivered twice"),
    (Count::MessagesLost, "messages lost"),
    (Count::Repaired, "losses repaired by a sweep"),
    (Count::StaleRefused, "stale outcomes refused"),
    (Count::FencedWrites, "writes of older lives refused"),
    (Count::ActivationsRepeated, "activations repeated"),
    (Count::ReportsEarly, "reports kept until asked for"),
    (Count::Refused, "inputs refused"),
    (Count::Commands, "commands accepted"),
    (Count::Looks, "looks"),
    (Count::SentAgain, "requests sent again"),
];

/// How often each thing came up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally([u64; NAMES.len()]);

impl Default for Tally {
    fn default() -> Self {
        Self([0; NAMES.len()])
    }
}

impl Tally {
    pub(super) fn add(&mut self, count: Count) {
        self.add_some(count, 1);
    }

    pub(super) fn add_some(&mut self, count: Count, more: u64) {
        self.0[count as usize] += more;
    }

    /// What never came up.
    pub fn missing(&self) -> Vec<&'static str> {
        NAMES.iter().filter(|(count, _)| self[*count] == 0).map(|(_, name)| *name).collect()
    }
}

impl Index<Count> for Tally {
    type Output = u64;

    fn index(&self, count: Count) -> &u64 {
        &self.0[count as usize]
    }
}

impl AddAssign<&Self> for Tally {
    fn add_assign(&mut self, other: &Self) {
        for (mine, others) in self.0.iter_mut().zip(other.0) {
            *mine += others;
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        NAMES.iter().try_for_each(|(count, name)| writeln!(f, "{:>12}  {name}", self[*count]))
    }
}
