//! What the supervisor is built with.

use std::time::Duration;

use crate::number::ShardNo;

/// What a [`Supervisor`](super::Supervisor) is built with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which shard it is.
    pub shard: ShardNo,
    /// How many shards there are; at least 1.
    pub shards: u16,
    /// What the random part of ids comes from. It is never the same for two runtimes.
    pub seed: u64,
    /// How many executions may have something to do at once: as many actors there are at most. At least 1.
    pub active_executions_max: usize,
    /// How many executions that were at work when an earlier process ended go on at once, beside those: what each of them
    /// writes waits for the disk, and so many wait for it together. At least 1.
    pub recovering_executions_max: usize,
    /// How many unused permits of the limit on open executions are kept before they go back to the pool, and how many are
    /// asked for at once. With 0 every permit goes back as soon as it is unused.
    pub unused_permits_max: usize,
    /// How many reads of the journal are under way at once; at least 1.
    pub reads_max: usize,
    /// How many histories of executions that were found at the start are read at once, beside those reads; at least 1. Whoever
    /// reads them may read many with one look at the disk.
    pub recovery_reads_max: usize,
    /// How many messages are kept for executions that have an id and have not begun; for each execution that is quarantined;
    /// and how many activations wait for another one with the same idempotency key.
    pub early_messages_max: usize,
    /// How many crashes of the process over the same task quarantine its execution; at least 1.
    pub crashes_max: u16,
    /// Within which time, from the recovery after the first of them to now. Journals do not say how long the application was
    /// down in between, so that counts too.
    pub crashes_window: Duration,
    /// How many panics of its state machine within [`deaths_window`](Self::deaths_window) an execution survives; and how
    /// many of this supervisor the shard survives.
    pub deaths_max: usize,
    /// Within which time.
    pub deaths_window: Duration,
    /// How long an actor may have an execution before it is asked whether it has.
    pub sweep_interval: Duration,
    /// What is kept of ended executions.
    pub retention: Retention,
    /// How many handlers are told of each end; 0 if nobody is.
    pub ended_handlers: u16,
    /// How many late events are kept; beyond it the oldest is forgotten.
    pub late_events_max: usize,
}

/// How long ended executions are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Those that completed.
    pub completed: Keep,
    /// Those that failed.
    pub failed: Keep,
    /// Those that were cancelled.
    pub cancelled: Keep,
    /// How long it is waited at least between a look that found nothing and the next one.
    pub interval: Duration,
}

/// What is kept of the executions that ended with one status: only what both say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// Those that ended no longer ago than this; none for any age.
    pub age: Option<Duration>,
    /// That many, those that ended last; none for any number.
    pub count: Option<u64>,
}
