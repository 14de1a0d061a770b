//! How a runtime is doing, for anybody who asks, whatever its shards are at.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use finale_journal::{JournalError, Waiting};

/// How a runtime is doing; from [`Runtime::health`](crate::Runtime::health).
///
/// ```
/// # use finale::prelude::*;
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let runtime = Runtime::builder().shards(Shards::Current).start()?;
/// let health = runtime.health();
/// assert!(health.is_well() && !health.after_crash);
/// assert_eq!((health.recovering, health.quarantined), (0, 0));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// What the journal failed with, if it has: then nothing goes on until the application is started again. Or what
    /// was found wrong with it as such, such as a damaged database, although it goes on.
    pub journal: Result<(), JournalError>,
    /// How long the oldest thing that was written has waited to become durable, as of the last sweep; none if nothing waits.
    pub journal_lag: Option<Duration>,
    /// What the journal waits for, if that is worth saying: a disk that does not answer, or a tool that holds the
    /// database. It goes on by itself when that is over.
    pub journal_waiting: Option<Waiting>,
    /// Whether the runtime before this one did not shut down in order, as the journal says.
    pub after_crash: bool,
    /// Executions found in the journal at the start that have not gone on yet.
    pub recovering: usize,
    /// Executions that are parked until somebody decides; list them with [`Filter::status`](crate::Filter::status).
    pub quarantined: usize,
}

impl Health {
    /// Whether everything goes on as it should; quarantined executions harm only themselves.
    ///
    /// It is false when the journal has failed, or takes [`LAG_MAX`](Self::LAG_MAX) or longer. Only the first is final.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// assert!(runtime.health().is_well());
    /// # Ok(())
    /// # }
    /// ```
    pub fn is_well(&self) -> bool {
        self.journal.is_ok() && self.journal_lag.is_none_or(|lag| lag < Self::LAG_MAX)
    }

    /// A journal that takes longer than this (10 s) to make something durable is not well: its disk hardly answers.
    pub const LAG_MAX: Duration = Duration::from_secs(10);
}

/// What one shard says of itself.
#[derive(Debug, Default)]
pub(crate) struct Vitals {
    recovering: AtomicUsize,
    quarantined: AtomicUsize,
    /// In microseconds, and one more; 0 if nothing waits.
    journal_lag: AtomicU64,
    /// What the journal failed with here: it may be well for whoever has claimed it since.
    journal_error: OnceLock<JournalError>,
}

impl Vitals {
    pub(crate) fn recovering(&self, executions: usize) {
        self.recovering.store(executions, Ordering::Relaxed);
    }

    /// One execution more is parked.
    pub(crate) fn parked(&self) {
        self.quarantined.fetch_add(1, Ordering::Relaxed);
    }

    /// One execution less is parked.
    pub(crate) fn unparked(&self) {
        self.quarantined.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn journal_lag(&self, lag: Option<Duration>) {
        let micros = lag.map_or(0, |lag| u64::try_from(lag.as_micros()).unwrap_or(u64::MAX - 1) + 1);
        self.journal_lag.store(micros, Ordering::Relaxed);
    }

    pub(crate) fn journal_failed(&self, error: &JournalError) {
        // The first error is the cause of all others.
        let _ = self.journal_error.set(error.clone());
    }

    /// Adds what this shard says to what others have said.
    pub(crate) fn add_to(&self, health: &mut Health) {
        if let (Ok(()), Some(error)) = (&health.journal, self.journal_error.get()) {
            health.journal = Err(error.clone());
        }
        health.recovering += self.recovering.load(Ordering::Relaxed);
        health.quarantined += self.quarantined.load(Ordering::Relaxed);
        let lag = self.journal_lag.load(Ordering::Relaxed).checked_sub(1).map(Duration::from_micros);
        health.journal_lag = health.journal_lag.max(lag);
    }
}
