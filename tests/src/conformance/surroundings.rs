//! What a case is lived in: on which journal, when that acknowledges, and whether everything around it is torn down again
//! and again.

use std::sync::Arc;
use std::time::Duration;

use finale::{Faults, Runtime, Shards};
use finale_journal::{Acknowledgement, HeldJournal, JournalReader, SqliteJournal};
use tempfile::TempDir;
use tokio::task::yield_now;

use crate::settled::Settled;

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
    /// The same, with a journal in a file that is closed and opened again.
    Filed,
}

/// The journal of a case.
pub(super) enum Kept {
    Held(HeldJournal),
    /// None while nobody has it open.
    Filed(Option<Settled<SqliteJournal>>, TempDir),
}

impl Surroundings {
    pub(super) const ALL: [Self; 5] = [Self::Prompt, Self::Late, Self::Crashing, Self::Restarting, Self::Filed];

    /// An empty journal.
    pub(super) fn journal(self) -> Result<Kept, String> {
        match self {
            Self::Prompt | Self::Restarting => Ok(Kept::Held(HeldJournal::new(Acknowledgement::Immediate))),
            Self::Late | Self::Crashing => Ok(Kept::Held(HeldJournal::new(Acknowledgement::Late))),
            Self::Filed => {
                let folder = tempfile::tempdir().map_err(|error| format!("no folder: {error}"))?;
                Ok(Kept::Filed(None, folder))
            }
        }
    }

    /// Whether everything is torn down between the steps.
    pub(super) fn restarts(self) -> bool {
        matches!(self, Self::Crashing | Self::Restarting | Self::Filed)
    }

    /// Starts the first runtime, or the next one.
    pub(super) fn start(self, kept: &mut Kept, faults: &Arc<Faults>) -> Result<Runtime, String> {
        let builder = Runtime::builder().shards(Shards::Current).sweep_interval(SWEEP_INTERVAL);
        let builder = match kept {
            Kept::Held(journal) => builder.journal(journal.clone()),
            Kept::Filed(open, folder) => {
                let journal = SqliteJournal::open(folder.path().join("journal.db"));
                let journal = Settled::new(journal.map_err(|error| format!("no journal: {error}"))?);
                builder.journal(open.insert(journal).clone())
            }
        };
        builder.faults(Arc::clone(faults)).start().map_err(|error| format!("no runtime: {error}"))
    }

    /// Ends a runtime, in its way; it must be the last that is left of it.
    pub(super) async fn end(self, runtime: Runtime, kept: &mut Kept) -> Result<(), String> {
        if let (Self::Crashing, Kept::Held(journal)) = (self, &*kept) {
            journal.crash();
        }
        // After a crash nothing of it reaches the journal any more; this takes it out of the way.
        runtime.shutdown(Duration::ZERO).await;
        drop(runtime);
        match kept {
            Kept::Held(_) => Ok(()),
            Kept::Filed(open, _) => close(open.take()).await,
        }
    }
}

impl Kept {
    /// Acknowledges nothing from now on.
    pub(super) fn hold(&self) {
        match self {
            Self::Held(journal) => journal.set(Acknowledgement::Held),
            Self::Filed(journal, _) => journal.iter().for_each(Settled::hold),
        }
    }

    /// Acknowledges everything again, as it did before.
    pub(super) fn release(&self, surroundings: Surroundings) {
        match self {
            Self::Held(journal) => {
                let is_late = matches!(surroundings, Surroundings::Late | Surroundings::Crashing);
                journal.set(if is_late { Acknowledgement::Late } else { Acknowledgement::Immediate });
                journal.release();
            }
            Self::Filed(journal, _) => journal.iter().for_each(Settled::release),
        }
    }

    pub(super) fn reader(&self) -> Result<&dyn JournalReader, String> {
        match self {
            Self::Held(journal) => Ok(journal),
            Self::Filed(Some(journal), _) => Ok(journal),
            Self::Filed(None, _) => Err("nobody has the journal open".to_owned()),
        }
    }
}

/// Closes a journal, once all that used it have let it go.
async fn close(journal: Option<Settled<SqliteJournal>>) -> Result<(), String> {
    const TURNS_MAX: usize = 10_000;
    let Some(journal) = journal else { return Ok(()) };
    for _ in 0..TURNS_MAX {
        if journal.is_last() {
            return Ok(());
        }
        yield_now().await;
    }
    Err("something of a runtime that was shut down still uses its journal".to_owned())
}
