//! Forgets what ended long ago. The journal does that on a thread of its own; the shards only hear what is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix::{Context, Handler, Message};
use finale_core::{ExecutionId, Time};
use finale_journal::{Epoch, Expired, Journal, Purge, Purged};
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Everyone, Supervisor};
use crate::options::{Keep, Retention};
use crate::telemetry::TARGET;

/// Executions forgotten in one call. The thread that calls looks in between whether the runtime has ended.
const FORGOTTEN_MAX: usize = 2_048;

/// When ended executions were purged last, and whether they are being purged now.
pub(super) struct Purging {
    next: Instant,
    under_way: bool,
    /// Tells the thread that purges that the runtime has ended.
    stop: Arc<AtomicBool>,
}

/// These executions are forgotten: nothing is to be kept of them in memory either.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub(crate) struct Forgotten(Arc<[ExecutionId]>);

/// A purge is over.
#[derive(Message)]
#[rtype(result = "()")]
struct PurgeOver;

/// What the thread that purges needs.
struct PurgeJob {
    journal: Arc<dyn Journal>,
    epoch: Epoch,
    purge: Purge,
    everyone: Everyone,
    stop: Arc<AtomicBool>,
    /// Dropped last: whoever waits for the end of the shard finds that nobody has the journal.
    _gone: watch::Sender<()>,
}

impl Default for Purging {
    fn default() -> Self {
        Self { next: Instant::now(), under_way: false, stop: Arc::default() }
    }
}

impl Drop for Purging {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Supervisor {
    /// Has the journal forget what has expired; one shard does it for all.
    pub(super) fn purge_if_due(&mut self) {
        let Purging { next, under_way, .. } = self.purging;
        let may_purge = self.shard.index == 0 && self.everyone.get().is_some() && self.shard.journal_error().is_none();
        if under_way || !may_purge || Instant::now() < next {
            return;
        }
        let purge = purge(&self.shard.options.retention, self.shard.clock.now());
        if !purge.is_some() {
            return;
        }
        self.purging.next = Instant::now() + self.shard.options.retention.interval;
        self.purging.under_way = true;
        let job = PurgeJob {
            journal: Arc::clone(&self.shard.journal),
            epoch: self.recovery.epoch(),
            purge,
            everyone: Arc::clone(&self.everyone),
            stop: Arc::clone(&self.purging.stop),
            _gone: self.shard.gone(),
        };
        // It tells its end by message; nobody waits for the thread.
        drop(tokio::task::spawn_blocking(move || job.run()));
    }
}

impl PurgeJob {
    fn run(self) {
        while !self.stop.load(Ordering::Relaxed) {
            let Purged { executions, more } = match self.journal.purge(self.epoch, &self.purge, FORGOTTEN_MAX) {
                Ok(purged) => purged,
                Err(error) => {
                    tracing::warn!(target: TARGET, %error, "what ended long ago was not forgotten");
                    break;
                }
            };
            if !executions.is_empty() {
                let forgotten = Forgotten(executions.into());
                self.supervisors().for_each(|shard| shard.do_send(forgotten.clone()));
            }
            if !more {
                break;
            }
        }
        if let Some(first) = self.supervisors().next() {
            first.do_send(PurgeOver);
        }
    }

    fn supervisors(&self) -> impl Iterator<Item = &actix::Addr<Supervisor>> {
        self.everyone.get().into_iter().flatten()
    }
}

/// What need not be kept any more.
fn purge(retention: &Retention, now: Time) -> Purge {
    let expired = |keep: Keep| Expired { ended_before: keep.age.map(|age| now.before(age)), all_but: keep.count };
    Purge {
        completed: expired(retention.completed),
        failed: expired(retention.failed),
        cancelled: expired(retention.cancelled),
    }
}

impl Handler<PurgeOver> for Supervisor {
    type Result = ();

    fn handle(&mut self, _over: PurgeOver, _context: &mut Context<Self>) {
        self.purging.under_way = false;
    }
}

impl Handler<Forgotten> for Supervisor {
    type Result = ();

    fn handle(&mut self, Forgotten(executions): Forgotten, _context: &mut Context<Self>) {
        for execution in executions.iter() {
            if let Some(key) = self.archive.remove(*execution) {
                self.keys.forget(&key, *execution);
            }
        }
    }
}
