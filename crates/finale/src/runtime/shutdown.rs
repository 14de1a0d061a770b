//! How a runtime ends.

use std::fmt;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::select;
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};

use super::{Kept, Runtime};
use crate::actors::start::Ending;
use crate::actors::way_in::ToShard;
use crate::oneshot;

/// How much longer than the deadline a shard may take to answer.
const ANSWER_PATIENCE: Duration = Duration::from_millis(100);

/// What was left when a runtime was shut down; from [`Runtime::shutdown`]. Its text says the same in words.
///
/// ```
/// # use finale::prelude::*;
/// use std::time::Duration;
///
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
/// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
/// runtime.activate(&article, ()).await?;
/// let report = runtime.shutdown(Duration::from_secs(10)).await;
/// assert!(report.is_orderly());
/// assert_eq!(report.to_string(), "in order, 1 execution has not ended");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Executions that had not ended. With a durable journal the next runtime goes on with them. Those of unresponsive
    /// shards are not among them.
    pub unfinished: usize,
    /// Handlers that were dropped at work: at the deadline, or when their shard went. Their tasks are run again by the
    /// next runtime, or are lost if they are `at_most_once`.
    pub dropped: usize,
    /// Shards that did not answer in time: a handler keeps their thread for itself.
    pub unresponsive: usize,
    /// Shards that were gone before they could end in order: their thread, or its actix `System`, had ended. What was
    /// open and at work there is counted as these shards last knew it.
    pub gone: usize,
    /// Whether the journal's one file holds everything, so that a copy of it is a whole journal: false if somebody who
    /// reads kept it from that. None if the journal is no file, or it was not left in order or in time.
    pub in_one_file: Option<bool>,
    /// Whether the journal was left in time, so that whoever opens it next finds it free. That it was not can also be a
    /// deadline that passed in virtual time, which a disk knows nothing of.
    pub journal_left: bool,
}

impl ShutdownReport {
    fn of(endings: &[Option<Ending>]) -> Self {
        let mut report = Self::default();
        for ending in endings {
            match ending {
                Some(Ending { unfinished, dropped, gone, .. }) => {
                    report.unfinished += unfinished;
                    report.dropped += dropped;
                    report.gone += usize::from(*gone);
                }
                None => report.unresponsive += 1,
            }
        }
        report
    }

    /// Whether nothing was cut short: no handler was dropped, every shard ended in order and in time, and the journal was left.
    ///
    /// Executions may be unfinished all the same: those that wait for somebody, or had tasks left to begin.
    pub const fn is_orderly(&self) -> bool {
        self.dropped == 0 && self.unresponsive == 0 && self.gone == 0 && self.journal_left
    }
}

impl fmt::Display for ShutdownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_orderly() { "in order" } else { "not in order" })?;
        let counts = [
            (self.unfinished, "execution has not ended", "executions have not ended"),
            (self.dropped, "handler was dropped", "handlers were dropped"),
            (self.unresponsive, "shard did not answer", "shards did not answer"),
            (self.gone, "shard was gone before", "shards were gone before"),
        ];
        for (count, one, many) in counts.into_iter().filter(|(count, ..)| *count > 0) {
            write!(f, ", {count} {}", if count == 1 { one } else { many })?;
        }
        if !self.journal_left && self.unresponsive == 0 && self.gone == 0 {
            f.write_str(", the journal was not left")?;
        }
        Ok(())
    }
}

impl Runtime {
    /// Ends the runtime: admits nothing more, lets handlers at work finish until the deadline, then drops them.
    ///
    /// It returns within the deadline, give or take the moment it takes to answer, whatever handlers do. Whoever asks while
    /// it is under way joins it: the deadline of the first one counts for all.
    /// Executions that have not ended stay in the journal as they are. Whoever waits for an outcome is told
    /// [`Abandoned`](crate::Abandoned). A second shutdown waits for the first one and gives its report. A part of the
    /// runtime that had gone before is in the report: see [`ShutdownReport::gone`].
    ///
    /// Like every call of a runtime it can be awaited on every thread, with or without a tokio runtime.
    ///
    /// In a web service it is called when the server has ended, which actix-web sees to on SIGTERM and SIGINT.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// use std::time::Duration;
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
    /// let execution = runtime.activate(&article, ()).await?;
    /// let report = runtime.shutdown(Duration::from_secs(10)).await;
    /// assert_eq!((report.unfinished, report.dropped), (1, 0));
    ///
    /// assert!(execution.outcome().await.is_err());
    /// assert_eq!(runtime.activate(&article, ()).await.unwrap_err().code(), "stopped");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn shutdown(&self, deadline: Duration) -> ShutdownReport {
        let Kept { endings, .. } = &self.0.kept;
        for shard in &self.0.shards {
            // One that is gone has reported how it ended already.
            let _ = shard.put(ToShard::Shutdown(deadline));
        }
        // A little later than the shards' own deadline, so that they can say what they dropped.
        let patience = deadline.saturating_add(ANSWER_PATIENCE);
        match endings.wait_until(patience) {
            Some(until) => wait_until(until, endings.wait()).await,
            None => endings.wait().await,
        }
        let left = endings.released();
        let in_one_file = left.and_then(|left| left.in_one_file);
        ShutdownReport { in_one_file, journal_left: left.is_some(), ..ShutdownReport::of(&endings.all()) }
    }
}

/// Waits for something, until then at most. It can be awaited on every thread, with or without a tokio runtime.
async fn wait_until(until: Instant, wait: impl Future<Output = ()>) {
    if Handle::try_current().is_ok() {
        return drop(timeout_at(until, wait).await);
    }
    // There is no timer here, so a thread waits instead: for the end of this, or until it is time.
    let left = until.saturating_duration_since(Instant::now());
    let (waits, ended) = std::sync::mpsc::channel::<()>();
    let (over, is_over) = oneshot::channel();
    let timer = std::thread::Builder::new().name("finale-shutdown".to_owned()).spawn(move || {
        let _ = ended.recv_timeout(left);
        // Nobody listens any more if it has ended before.
        let _ = over.send(());
    });
    match timer {
        Ok(_) => drop(select(pin!(wait), is_over).await),
        // A machine that has no thread left for this: better late than without a report.
        Err(_) => wait.await,
    }
    drop(waits);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_that_was_not_left_in_time_is_not_in_order_and_said() {
        let left = ShutdownReport { unfinished: 1, journal_left: true, ..ShutdownReport::default() };
        assert_eq!((left.is_orderly(), left.to_string()), (true, "in order, 1 execution has not ended".to_owned()));
        let kept = ShutdownReport { journal_left: false, ..left };
        let said = "not in order, 1 execution has not ended, the journal was not left";
        assert_eq!((kept.is_orderly(), kept.to_string()), (false, said.to_owned()));
    }
}
