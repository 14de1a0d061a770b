//! What a runtime is bounded by; every limit has a default and a typed refusal.

use std::time::Duration;

/// Where executions run; see [`Builder::shards`](crate::Builder::shards).
///
/// An execution stays on the thread where it began; after a restart with another number of threads it may go on
/// elsewhere. The default is one thread per two cores, and at least two where the machine has two cores.
///
/// ```
/// use finale::Shards;
///
/// assert!(matches!(Shards::default(), Shards::Own(1..)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shards {
    /// That many threads of their own, at least 1: with 0 the runtime does not start
    /// ([`StartError::ZeroLimit`](crate::StartError::ZeroLimit)). They go on when the actix `System` stops, until
    /// [`Runtime::shutdown`](crate::Runtime::shutdown).
    Own(u16),
    /// The thread that starts the runtime: for tests, virtual time and small programs. Executions stop with the `System`
    /// of that thread.
    Current,
}

impl Default for Shards {
    /// One thread per two cores, because the application needs cores too; but two threads where there are two or three
    /// cores, so that a handler which holds its thread does not hold up everything. One thread on a single core.
    fn default() -> Self {
        Self::for_cores(std::thread::available_parallelism().map_or(1, usize::from))
    }
}

impl Shards {
    fn for_cores(cores: usize) -> Self {
        let shards = cores.div_ceil(2).max(cores.min(2));
        Self::Own(u16::try_from(shards).unwrap_or(u16::MAX))
    }
}

/// The limits of a runtime; see [`Builder::limits`](crate::Builder::limits).
///
/// A limit of 0 that would let nothing happen is [`StartError::ZeroLimit`](crate::StartError::ZeroLimit) at the start:
/// `open_executions_max`, `active_executions_max`, `running_tasks_max`, `payload_bytes_max`, `text_bytes_max`, `crashes_max`
/// and `event_lag_max`.
///
/// ```
/// # use finale::prelude::*;
/// use finale::Limits;
///
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
/// let limits = Limits::new().open_executions_max(1);
/// let runtime = Runtime::builder().shards(Shards::Current).limits(limits).start()?;
///
/// runtime.activate(&article, ()).await?;
/// let error = runtime.activate(&article, ()).await.unwrap_err();
/// assert_eq!(error.to_string(), "1 executions are open already");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "limits bound nothing before a builder has them"]
pub struct Limits {
    pub(crate) payload_bytes_max: usize,
    pub(crate) text_bytes_max: usize,
    pub(crate) open_executions_max: usize,
    pub(crate) active_executions_max: usize,
    pub(crate) running_tasks_max: usize,
    pub(crate) early_outcomes_max: usize,
    pub(crate) ended_executions_max: usize,
    pub(crate) crashes_max: u16,
    pub(crate) crashes_window: Duration,
    pub(crate) late_events_max: usize,
    pub(crate) event_lag_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            payload_bytes_max: 2 << 20,
            text_bytes_max: 4_096,
            open_executions_max: 1_000_000,
            active_executions_max: 64,
            running_tasks_max: 10_000,
            early_outcomes_max: 10_000,
            ended_executions_max: 10_000,
            crashes_max: 5,
            crashes_window: Duration::from_secs(600),
            late_events_max: 1_024,
            event_lag_max: 1_024,
        }
    }
}

impl Limits {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes of one input, output or result, as JSON; default 2 MiB.
    ///
    /// More is refused as [`PayloadError::TooLarge`](crate::PayloadError::TooLarge). A handler whose output is larger
    /// has failed, and is not tried again.
    pub const fn payload_bytes_max(self, payload_bytes_max: usize) -> Self {
        Self { payload_bytes_max, ..self }
    }

    /// Bytes of a key, of a name of who does something, and of a reason; default 4,096. A longer reason of a handler is
    /// cut, all else is refused as [`TooLong`](crate::TooLong). The reason of a failure that is reported from outside
    /// counts as a payload.
    pub const fn text_bytes_max(self, text_bytes_max: usize) -> Self {
        Self { text_bytes_max, ..self }
    }

    /// Executions that have not ended, in the runtime; default 1,000,000. More are refused as `Saturated`.
    ///
    /// Those that are found in the journal at the start count too; they all go on, even if there are more.
    pub const fn open_executions_max(self, open_executions_max: usize) -> Self {
        Self { open_executions_max, ..self }
    }

    /// Executions per shard that have something to do at once; default 64.
    ///
    /// Others wait, not acknowledged yet, as plain values. Executions that only wait for handlers, people or the
    /// journal do not count. More at once is slower, not faster: the caches of a core hold few. After a restart those that
    /// were at work go on beside these, up to 1,024 at once; as many as this limit says if it is below the default.
    pub const fn active_executions_max(self, active_executions_max: usize) -> Self {
        Self { active_executions_max, ..self }
    }

    /// Handlers at work in the runtime; default 10,000. Further tasks wait for a place, oldest first.
    ///
    /// Tasks that are done outside do not count.
    pub const fn running_tasks_max(self, running_tasks_max: usize) -> Self {
        Self { running_tasks_max, ..self }
    }

    /// Outcomes kept that came before their task was asked for, in the runtime; default 10,000.
    ///
    /// Each shard has an equal part of it. More are refused as [`ReportError::Saturated`](crate::ReportError::Saturated). As
    /// many activations may wait for another one with the same idempotency key; more are refused as
    /// [`ActivateError::KeySaturated`](crate::ActivateError::KeySaturated).
    pub const fn early_outcomes_max(self, early_outcomes_max: usize) -> Self {
        Self { early_outcomes_max, ..self }
    }

    /// Ended executions that are kept in memory, in the runtime; default 10,000. Others are read from the journal.
    pub const fn ended_executions_max(self, ended_executions_max: usize) -> Self {
        Self { ended_executions_max, ..self }
    }

    /// Crashes of the process over the same task at work or queued after which its execution is quarantined; default 5.
    ///
    /// An execution that an operator releases gets as many again. Only crashes within
    /// [`crashes_window`](Self::crashes_window) count.
    pub const fn crashes_max(self, crashes_max: u16) -> Self {
        Self { crashes_max, ..self }
    }

    /// The time within which crashes over the same task must come to count as a crash loop; default 10 minutes.
    pub const fn crashes_window(self, crashes_window: Duration) -> Self {
        Self { crashes_window, ..self }
    }

    /// Late, duplicate and unknown outcomes kept to be read, in each shard; default 1,024. Beyond it the oldest is
    /// forgotten. See [`Runtime::late_events`](crate::Runtime::late_events).
    pub const fn late_events_max(self, late_events_max: usize) -> Self {
        Self { late_events_max, ..self }
    }

    /// How many events a reader may lag behind before its stream is cut; default 1,024. See
    /// [`Lagged`](crate::Lagged).
    pub const fn event_lag_max(self, event_lag_max: usize) -> Self {
        Self { event_lag_max, ..self }
    }

    /// The name of a limit that would let nothing happen, if there is one.
    pub(crate) fn zero(&self) -> Option<&'static str> {
        let all = [
            ("open_executions_max", self.open_executions_max),
            ("active_executions_max", self.active_executions_max),
            ("running_tasks_max", self.running_tasks_max),
            ("payload_bytes_max", self.payload_bytes_max),
            ("text_bytes_max", self.text_bytes_max),
            ("crashes_max", usize::from(self.crashes_max)),
            ("event_lag_max", self.event_lag_max),
        ];
        all.into_iter().find(|(_, limit)| *limit == 0).map(|(name, _)| name)
    }
}

/// How long executions are kept after they have ended. What is not kept any more is forgotten with its history, in small
/// batches. The default is 30 days for each status; a journal may keep fewer by itself, as the one in memory does.
///
/// A forgotten execution is [`NotFound`](crate::CommandError::NotFound), and its idempotency key is free again.
///
/// ```
/// use std::time::Duration;
///
/// use finale::{Keep, Retention, Runtime};
///
/// let week = Duration::from_secs(7 * 24 * 60 * 60);
/// let retention = Retention::all(Keep::for_age(week).at_most(100_000)).failed(Keep::for_ever());
/// let builder = Runtime::builder().retention(retention);
/// # drop(builder);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "it keeps nothing before a builder has it"]
pub struct Retention {
    pub(crate) completed: Keep,
    pub(crate) failed: Keep,
    pub(crate) cancelled: Keep,
    pub(crate) interval: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        let month = Keep::for_age(Duration::from_secs(30 * 24 * 60 * 60));
        Self { completed: month, failed: month, cancelled: month, interval: Duration::from_secs(10) }
    }
}

impl Retention {
    /// Keeps all that have ended like that, however they ended.
    ///
    /// ```
    /// use finale::{Keep, Retention};
    ///
    /// let keep = Keep::for_ever().at_most(1_000);
    /// assert_eq!(Retention::all(keep), Retention::new().completed(keep).failed(keep).cancelled(keep));
    /// ```
    pub fn all(keep: Keep) -> Self {
        Self { completed: keep, failed: keep, cancelled: keep, ..Self::default() }
    }

    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long those that completed are kept; default 30 days.
    pub const fn completed(self, completed: Keep) -> Self {
        Self { completed, ..self }
    }

    /// How long those that failed are kept; default 30 days.
    pub const fn failed(self, failed: Keep) -> Self {
        Self { failed, ..self }
    }

    /// How long those that were cancelled are kept; default 30 days.
    pub const fn cancelled(self, cancelled: Keep) -> Self {
        Self { cancelled, ..self }
    }

    /// How often a shard looks for something to forget; default 10 s. It does not look more often than
    /// [`Builder::sweep_interval`](crate::Builder::sweep_interval) says.
    pub const fn interval(self, interval: Duration) -> Self {
        Self { interval, ..self }
    }
}

/// What is kept of the executions that ended with one status. If age and count are given, only what both keep is kept.
///
/// ```
/// use std::time::Duration;
///
/// use finale::Keep;
///
/// let a_day = Keep::for_age(Duration::from_secs(24 * 60 * 60));
/// assert_ne!(a_day, a_day.at_most(500));
/// assert_eq!(Keep::default(), Keep::for_ever());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "it keeps nothing before a retention has it"]
pub struct Keep {
    /// The longest time since the end; none for any age.
    pub(crate) age: Option<Duration>,
    /// How many, those that ended last; none for any number.
    pub(crate) count: Option<u64>,
}

impl Keep {
    /// All of them, for ever.
    pub const fn for_ever() -> Self {
        Self { age: None, count: None }
    }

    /// Those that ended no longer ago than this.
    pub const fn for_age(age: Duration) -> Self {
        Self { age: Some(age), count: None }
    }

    /// Of those, only that many: the ones that ended last.
    pub const fn at_most(self, count: u64) -> Self {
        Self { count: Some(count), ..self }
    }
}

/// What the runtime's parts need to know of how it was built.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) shards: u16,
    pub(crate) limits: Limits,
    pub(crate) retention: Retention,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_default_there_are_two_shards_wherever_there_are_two_cores() {
        let shards = [1, 2, 3, 4, 5, 16].map(Shards::for_cores);
        assert_eq!(shards, [1, 2, 2, 2, 3, 8].map(Shards::Own));
    }
}
