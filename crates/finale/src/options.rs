//! What a runtime is bounded by; every limit has a default and a typed refusal.

use std::time::Duration;

/// Where executions run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shards {
    /// That many threads of their own, at least 1.
    Own(u16),
    /// The thread that starts the runtime: for tests, virtual time and small programs.
    Current,
}

impl Default for Shards {
    /// One thread per two cores, at least one: the application needs cores too.
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::Own(u16::try_from(cores.div_ceil(2)).unwrap_or(u16::MAX))
    }
}

/// The limits of a runtime.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one input, output or result, as JSON; default 2 MiB.
    pub payload_bytes_max: usize,
    /// Executions that have not ended, in the runtime; default 1,000,000. More are refused as `Saturated`.
    pub open_executions_max: usize,
    /// Executions per shard that have something to do at once; default 64.
    ///
    /// Others wait, not acknowledged yet, as plain values. Executions that only wait for handlers, people or the
    /// journal do not count. More at once is slower, not faster: the caches of a core hold few.
    pub active_executions_max: usize,
    /// Handlers at work in the runtime; default 10,000. Further tasks wait for a place.
    pub running_tasks_max: usize,
    /// Outcomes kept that came before their task was asked for, in the runtime; default 10,000.
    pub early_outcomes_max: usize,
    /// Ended executions that can still be asked about, in the runtime; default 10,000. The oldest are forgotten first.
    pub ended_executions_max: usize,
    /// Late, duplicate and unknown outcomes kept to be read, in each shard; default 1,024.
    pub late_events_max: usize,
    /// How many events a reader may lag behind before its stream is cut; default 1,024.
    pub event_lag_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            payload_bytes_max: 2 << 20,
            open_executions_max: 1_000_000,
            active_executions_max: 64,
            running_tasks_max: 10_000,
            early_outcomes_max: 10_000,
            ended_executions_max: 10_000,
            late_events_max: 1_024,
            event_lag_max: 1_024,
        }
    }
}

/// What the runtime's parts need to know of how it was built.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) shards: u16,
    pub(crate) limits: Limits,
    /// How long a handler that was told to stop may take.
    pub(crate) grace: Duration,
    /// How often the sweep looks for what was lost.
    pub(crate) sweep_interval: Duration,
    /// How many deaths of its actor within [`Options::deaths_window`] an execution survives.
    pub(crate) deaths_max: usize,
    pub(crate) deaths_window: Duration,
}

impl Options {
    /// The part of a runtime-wide limit that falls to one shard.
    pub(crate) fn share(&self, limit: usize) -> usize {
        limit.div_ceil(usize::from(self.shards))
    }
}
