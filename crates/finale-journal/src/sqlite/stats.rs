//! What a journal has done so far.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a [`SqliteJournal`](super::SqliteJournal) has done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SqliteStats {
    /// Transactions that were committed; with [`Durability::Full`](super::Durability::Full) each was synced once, unless
    /// it did nothing but forget.
    pub commits: u64,
    /// Appends that are durable.
    pub appends: u64,
    /// Bytes of facts that are durable.
    pub bytes: u64,
    /// The most appends that were in one transaction.
    pub appends_max: u64,
    /// How long the commits took together, the sync included.
    pub commit_time: Duration,
    /// How long the slowest commit took.
    pub commit_time_max: Duration,
    /// How often the log was copied into the database; each time that was synced as well.
    pub checkpoints: u64,
    /// How often the log could not be copied whole, because a reader held on to an old state.
    pub checkpoints_held_up: u64,
    /// How long the log was when it was last looked at; one that keeps growing is held up by a reader.
    pub log_bytes: u64,
    /// What waits to become durable.
    pub waiting_bytes: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    commits: AtomicU64,
    appends: AtomicU64,
    bytes: AtomicU64,
    appends_max: AtomicU64,
    commit_nanos: AtomicU64,
    commit_nanos_max: AtomicU64,
    checkpoints: AtomicU64,
    checkpoints_held_up: AtomicU64,
    log_bytes: AtomicU64,
}

impl Counters {
    /// Written by one thread alone: no counter waits for another.
    pub(super) fn committed(&self, appends: u64, bytes: u64, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.appends.fetch_add(appends, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.appends_max.fetch_max(appends, Ordering::Relaxed);
        self.commit_nanos.fetch_add(nanos, Ordering::Relaxed);
        self.commit_nanos_max.fetch_max(nanos, Ordering::Relaxed);
    }

    pub(super) fn checkpointed(&self, whole: bool) {
        self.checkpoints.fetch_add(1, Ordering::Relaxed);
        self.checkpoints_held_up.fetch_add((!whole).into(), Ordering::Relaxed);
    }

    pub(super) fn log(&self, bytes: u64) {
        self.log_bytes.store(bytes, Ordering::Relaxed);
    }

    pub(super) fn read(&self, waiting_bytes: usize) -> SqliteStats {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        SqliteStats {
            commits: load(&self.commits),
            appends: load(&self.appends),
            bytes: load(&self.bytes),
            appends_max: load(&self.appends_max),
            commit_time: Duration::from_nanos(load(&self.commit_nanos)),
            commit_time_max: Duration::from_nanos(load(&self.commit_nanos_max)),
            checkpoints: load(&self.checkpoints),
            checkpoints_held_up: load(&self.checkpoints_held_up),
            log_bytes: load(&self.log_bytes),
            waiting_bytes: waiting_bytes as u64,
        }
    }
}
