//! What a case is lived in: when its journal acknowledges, and whether everything around it is torn down again and again.

use std::sync::Arc;
use std::time::Duration;

use finale::{Faults, Runtime, Shards};
use finale_journal::{Acknowledgement, HeldJournal};

pub(super) const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// What a case is lived in; it must make no difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Surroundings {
    /// One runtime, with a journal that acknowledges at once.
    Prompt,
    /// One runtime, with a journal that acknowledges a moment later.
    Late,
    /// The process crashes between any two steps, and another one goes on.
    Crashing,
    /// The runtime is shut down between any two steps, and another one goes on.
    Restarting,
}

impl Surroundings {
    pub(super) const ALL: [Self; 4] = [Self::Prompt, Self::Late, Self::Crashing, Self::Restarting];

    pub(super) fn acknowledgement(self) -> Acknowledgement {
        match self {
            Self::Prompt | Self::Restarting => Acknowledgement::Immediate,
            Self::Late | Self::Crashing => Acknowledgement::Late,
        }
    }

    /// Whether everything is torn down between the steps.
    pub(super) fn restarts(self) -> bool {
        matches!(self, Self::Crashing | Self::Restarting)
    }

    /// Starts the first runtime, or the next one.
    pub(super) fn start(self, journal: &HeldJournal, faults: &Arc<Faults>) -> Result<Runtime, String> {
        let builder = Runtime::builder().shards(Shards::Current).sweep_interval(SWEEP_INTERVAL);
        let runtime = builder.journal(journal.clone()).faults(Arc::clone(faults)).start();
        runtime.map_err(|error| format!("no runtime: {error}"))
    }

    /// Ends a runtime, in its way.
    pub(super) async fn end(self, runtime: &Runtime, journal: &HeldJournal) {
        if self == Self::Crashing {
            journal.crash();
        }
        // After a crash nothing of it reaches the journal any more; this takes it out of the way.
        runtime.shutdown(Duration::ZERO).await;
    }
}
