//! How a runtime is doing, as whoever operates it sees it.

use std::time::Duration;

use finale_journal::{JournalError, Waiting};
use serde::{Serialize, Serializer};

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
/// // What a health route answers with.
/// let body = serde_json::to_value(&health)?;
/// assert_eq!((&body["well"], &body["journal"]), (&true.into(), &().into()));
/// # Ok(())
/// # }
/// ```
///
/// As JSON it has `well`, then the fields by their names: `journal` is `null` or the text of the error, and times are in
/// microseconds (`journal_lag_us`, `waited_us`, `since_us`).
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
    /// Executions that have not ended.
    pub open_executions: usize,
    /// Activations that wait to begin.
    pub queued_activations: usize,
    /// Handlers at work, suspended ones not counted.
    pub running_tasks: usize,
    /// Tasks that wait for a place: under [`Limits::running_tasks_max`](crate::Limits::running_tasks_max), or under the
    /// limit of their handler.
    pub queued_tasks: usize,
    /// Handlers that wait for other executions, or for their places after that; see
    /// [`TaskContext::waiting_for`](crate::TaskContext::waiting_for).
    pub suspended_tasks: usize,
    /// Tasks that wait for somebody outside.
    pub open_tasks: usize,
    /// Blocking handlers that were given up: each keeps its place until its thread comes back.
    pub leaked_handlers: usize,
    /// Shards whose thread is held by a handler that does not give it back.
    pub blocked: Vec<BlockedShard>,
    /// Shards that are gone although nobody shut the runtime down, or that have failed again and again.
    pub dead_shards: Vec<u16>,
}

/// A shard whose thread is held by a handler: none of its executions goes on meanwhile. See [`Health::blocked`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BlockedShard {
    /// The number of the shard, from 0.
    pub shard: u16,
    /// The handler that holds the thread; `on_ended` if it is one that is told of ends
    /// ([`Builder::on_ended`](crate::Builder::on_ended)).
    pub handler: String,
    /// For how long, at least.
    #[serde(rename = "since_us", serialize_with = "as_micros")]
    pub since: Duration,
}

impl Health {
    /// That of a runtime in which nothing happens.
    pub(crate) const fn well() -> Self {
        Self {
            journal: Ok(()),
            journal_lag: None,
            journal_waiting: None,
            after_crash: false,
            recovering: 0,
            quarantined: 0,
            open_executions: 0,
            queued_activations: 0,
            running_tasks: 0,
            queued_tasks: 0,
            suspended_tasks: 0,
            open_tasks: 0,
            leaked_handlers: 0,
            blocked: Vec::new(),
            dead_shards: Vec::new(),
        }
    }

    /// Whether everything goes on as it should; quarantined executions harm only themselves.
    ///
    /// It is false when the journal has failed, or takes [`LAG_MAX`](Self::LAG_MAX) or longer, when a handler holds the
    /// thread of a shard, and when a shard is gone. A failed journal and a shard that is gone are final.
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
        let goes_on = self.blocked.is_empty() && self.dead_shards.is_empty();
        goes_on && self.journal.is_ok() && self.journal_lag.is_none_or(|lag| lag < Self::LAG_MAX)
    }

    /// A journal that takes longer than this (10 s) to make something durable is not well: its disk hardly answers.
    pub const LAG_MAX: Duration = Duration::from_secs(10);
}

impl Serialize for Health {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        /// As the fields of [`Health`], in their order.
        #[derive(Serialize)]
        struct Flat<'a> {
            well: bool,
            journal: Option<String>,
            journal_lag_us: Option<u64>,
            journal_waiting: Option<Waits>,
            after_crash: bool,
            recovering: usize,
            quarantined: usize,
            open_executions: usize,
            queued_activations: usize,
            running_tasks: usize,
            queued_tasks: usize,
            suspended_tasks: usize,
            open_tasks: usize,
            leaked_handlers: usize,
            blocked: &'a [BlockedShard],
            dead_shards: &'a [u16],
        }
        #[derive(Serialize)]
        struct Waits {
            what: &'static str,
            waited_us: u64,
        }

        let flat = Flat {
            well: self.is_well(),
            journal: self.journal.as_ref().err().map(ToString::to_string),
            journal_lag_us: self.journal_lag.map(micros),
            journal_waiting: self
                .journal_waiting
                .map(|Waiting { what, waited }| Waits { what, waited_us: micros(waited) }),
            after_crash: self.after_crash,
            recovering: self.recovering,
            quarantined: self.quarantined,
            open_executions: self.open_executions,
            queued_activations: self.queued_activations,
            running_tasks: self.running_tasks,
            queued_tasks: self.queued_tasks,
            suspended_tasks: self.suspended_tasks,
            open_tasks: self.open_tasks,
            leaked_handlers: self.leaked_handlers,
            blocked: &self.blocked,
            dead_shards: &self.dead_shards,
        };
        flat.serialize(serializer)
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Serializes a duration as whole microseconds.
pub(crate) fn as_micros<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(micros(*duration))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_json_it_says_whether_all_is_well_and_times_in_microseconds() {
        let blocked = BlockedShard { shard: 1, handler: "hog".to_owned(), since: Duration::from_millis(1_500) };
        let journal_waiting = Some(Waiting { what: "the disk", waited: Duration::from_secs(2) });
        let journal = Err(JournalError::Failed("the disk is full".into()));
        let health = Health { journal, journal_waiting, blocked: vec![blocked], ..Health::well() };
        let json = serde_json::to_value(&health).expect("it has no keys but texts");
        assert_eq!(json["well"], false);
        assert!(json["journal"].as_str().is_some_and(|text| text.contains("the disk is full")));
        assert_eq!(json["journal_lag_us"], serde_json::Value::Null);
        assert_eq!(json["journal_waiting"], serde_json::json!({"what": "the disk", "waited_us": 2_000_000}));
        assert_eq!(json["blocked"], serde_json::json!([{"shard": 1, "handler": "hog", "since_us": 1_500_000}]));
        assert_eq!((&json["running_tasks"], &json["dead_shards"]), (&0.into(), &serde_json::json!([])));
    }
}
