//! The beginning and the end of a shard.

use std::rc::Rc;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use actix::{Actor, Addr};
use finale_core::Epoch;
use finale_core::number::{LimitNo, ShardNo};
use finale_core::supervisor::{self, Found, Quarantine, Recover};
use finale_core::task_engine::{self, HandlerOptions};
use finale_journal::{Claim, Journal, JournalError, LiveExecution, Released};
use tokio::sync::watch;
use tokio::time::Instant;

use super::inbox::Inbox;
use super::lane::Lane;
use super::local;
use super::messages::{Connect, Restart};
use super::open_limit::OpenLimit;
use super::permits::Permits;
use super::port::{Driver, Port, Watermark};
use super::shared::{Parts, Releases, Shared};
use super::supervisor::{HISTORIES_MAX, Supervisor};
use super::task_engine::TaskEngine;
use super::way_in::{Peers, ToShard};
use crate::options::Limits;
use crate::telemetry::TARGET;

/// What a shard is started with; it can be sent to the thread of the shard.
pub(crate) struct Launch {
    pub(crate) parts: Parts,
    pub(crate) claim: Claim,
    /// The executions that a runtime before this one left open here.
    pub(crate) found: Vec<LiveExecution>,
    pub(crate) inbox: Arc<Inbox<ToShard>>,
    pub(crate) peers: Peers,
}

impl Launch {
    /// Starts the shard on this thread, which must have a running actix `System` and a tokio `LocalSet`.
    ///
    /// # Errors
    /// When the journal gives this shard no writer.
    pub(crate) fn start(self) -> Result<Addr<Supervisor>, JournalError> {
        let Self { parts, claim, found, inbox, peers } = self;
        let shard = ShardNo(parts.index);
        let watermark = Arc::<Watermark>::default();
        let writer = parts.journal.writer(claim.epoch, parts.index, watermark.listener())?;
        let vitals = Arc::clone(&parts.vitals);
        let port = Port::new(writer, watermark, move |since| vitals.journal_waits(since));
        let (permits, open) = (Arc::clone(&parts.permits), Arc::clone(&parts.open));
        let shared = Rc::new(Shared::new(parts, Rc::new(port)));
        let handlers = shared.handlers.by_number().into_iter().map(|registered| Arc::clone(&registered.handle).local());
        let (to_engine, to_supervisor) = (Lane::default(), Lane::default());
        let (options, lanes) = (engine_options(&shared, &permits), (to_engine.clone(), to_supervisor.clone()));
        let engine = TaskEngine::new(Rc::clone(&shared), options, handlers.collect(), permits, lanes).start();
        let open = OpenLimit::new(open, shard);
        let recover = Recover {
            epoch: claim.epoch,
            crashed: claim.crashed,
            permits: open.claim(found.len()),
            found: found.into_iter().map(to_found).collect(),
        };
        let options = supervisor_options(&shared, &open);
        let (inboxes, engine_way) = ((Arc::clone(&inbox), to_supervisor), (to_engine, engine.clone()));
        let supervisor = Supervisor::new(Rc::clone(&shared), options, inboxes, engine_way, peers, open).start();
        engine.do_send(Connect(supervisor.clone()));
        supervisor.do_send(Restart(recover));
        let durable_after = {
            let shared = Rc::clone(&shared);
            move |took: Duration| shared.metrics.durable_after(took)
        };
        let receiver = Releases { shared: Rc::clone(&shared), supervisor: supervisor.clone() };
        actix::spawn(Driver { port: Rc::clone(&shared.port), receiver, durable_after });
        local::settle(&inbox, shard.0);
        inbox.open(supervisor.clone().recipient());
        Ok(supervisor)
    }
}

fn to_found(live: LiveExecution) -> Found {
    let quarantine = live
        .quarantine
        .map(|quarantine| Quarantine { reason: quarantine.reason.into(), until_released: quarantine.until_released });
    Found { execution: live.id, quarantine }
}

fn engine_options(shared: &Shared, permits: &Permits) -> task_engine::Options {
    let mut limits = 0;
    let handlers = shared.handlers.by_number().into_iter().map(|registered| HandlerOptions {
        limit: registered.running_max.map(|_| {
            limits += 1;
            LimitNo(limits)
        }),
        blocking: registered.handle.is_blocking(),
    });
    task_engine::Options {
        handlers: handlers.collect(),
        limits: permits.limits(),
        unused_permits_max: permits.unused_max(LimitNo::RUNTIME),
        grace: shared.options.grace,
        early_reports_max: shared.options.share(shared.options.limits.early_outcomes_max),
        sweep_interval: shared.options.sweep_interval,
        text_bytes_max: shared.options.limits.text_bytes_max,
    }
}

/// How many executions that were at work go on at once after a restart, for each shard. An actor takes up a few KiB.
const RECOVERING_MAX: usize = 1_024;

/// Whoever lets fewer executions be active than by default has a reason for it, and it holds for a recovery as well.
fn recovering_max(active_max: usize) -> usize {
    if active_max < Limits::default().active_executions_max { active_max } else { active_max.max(RECOVERING_MAX) }
}

fn supervisor_options(shared: &Shared, open: &OpenLimit) -> supervisor::Options {
    let options = &shared.options;
    let keep = |keep: crate::options::Keep| supervisor::Keep { age: keep.age, count: keep.count };
    let retention = &options.retention;
    supervisor::Options {
        shard: ShardNo(shared.index),
        shards: options.shards,
        seed: uuid::Uuid::new_v4().as_u64_pair().1,
        active_executions_max: options.limits.active_executions_max,
        recovering_executions_max: recovering_max(options.limits.active_executions_max),
        unused_permits_max: open.unused_max(),
        reads_max: 16,
        // One page is read while the other one is taken in.
        recovery_reads_max: 2 * HISTORIES_MAX,
        early_messages_max: options.share(options.limits.early_outcomes_max),
        crashes_max: options.limits.crashes_max,
        crashes_window: options.limits.crashes_window,
        deaths_max: options.deaths_max,
        deaths_window: options.deaths_window,
        sweep_interval: options.sweep_interval,
        retention: supervisor::Retention {
            completed: keep(retention.completed),
            failed: keep(retention.failed),
            cancelled: keep(retention.cancelled),
            // One shard forgets for all.
            interval: retention.interval,
        },
        ended_handlers: shared.ended.count(),
        late_events_max: options.limits.late_events_max,
    }
}

/// How the shards of a runtime have ended: everybody who shuts it down waits for the same reports.
#[derive(Debug)]
pub(crate) struct Endings {
    reports: Mutex<Vec<Option<Ending>>>,
    changed: watch::Sender<usize>,
    /// The runtime's own hold on the journal, until all shards have ended.
    journal: Mutex<Option<Arc<dyn Journal>>>,
    epoch: Epoch,
    released: OnceLock<Released>,
    /// Until when whoever shuts the runtime down waits; none if without end. The first of them decides.
    until: OnceLock<Option<Instant>>,
}

/// How one shard has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ending {
    /// Executions that had not ended.
    pub(crate) unfinished: usize,
    /// Handlers that were still at work and were dropped.
    pub(crate) dropped: usize,
    /// Whether it ended in order: everything that happened is recorded.
    pub(crate) in_order: bool,
    /// Whether it was gone before it could end in order; what else is said is then what it last knew.
    pub(crate) gone: bool,
}

impl Endings {
    pub(crate) fn new(shards: u16, journal: Arc<dyn Journal>, epoch: Epoch) -> Self {
        Self {
            reports: Mutex::new(vec![None; usize::from(shards)]),
            changed: watch::Sender::new(0),
            journal: Mutex::new(Some(journal)),
            epoch,
            released: OnceLock::new(),
            until: OnceLock::new(),
        }
    }

    /// The journal; none once all shards have ended. Clones of the runtime and handles outlive that, and must not keep the
    /// journal from whoever opens it next.
    pub(crate) fn journal(&self) -> Option<Arc<dyn Journal>> {
        self.hold().clone()
    }

    /// Ignoring poison is safe: it is there or not.
    fn hold(&self) -> std::sync::MutexGuard<'_, Option<Arc<dyn Journal>>> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A shard has ended; the first report of it counts.
    ///
    /// When all of them have ended in order, the journal is told that nothing was lost in a crash. Otherwise it looks like
    /// a crash, and that is what it comes to. The shard's hold on the journal goes before anybody hears of its end, so that
    /// whoever waited for that can open the journal again.
    pub(crate) fn report(self: &Arc<Self>, shard: u16, ending: Ending, journal: Arc<dyn Journal>) {
        let (in_order, are_all) = {
            let mut reports = self.reports();
            reports[usize::from(shard)].get_or_insert(ending);
            let in_order = reports.iter().all(|report| report.is_some_and(|report| report.in_order));
            (in_order, reports.iter().all(Option::is_some))
        };
        let endings = Arc::clone(self);
        let blocks = journal.reads_block();
        let end = move || {
            if in_order {
                endings.release(&*journal);
            }
            drop(journal);
            if are_all {
                let runtimes = endings.hold().take();
                drop(runtimes);
            }
            // Counted here: shards that end at the same time come in any order.
            endings.changed.send_modify(|ended| *ended += 1);
        };
        if in_order && blocks {
            // That can take as long as the disk does, and this thread may have other things to do.
            let thread = std::thread::Builder::new().name("finale-release".to_owned());
            if let Err(error) = thread.spawn(end) {
                tracing::warn!(target: TARGET, %error, "the journal was not released");
            }
        } else {
            end();
        }
    }

    fn release(&self, journal: &dyn Journal) {
        match journal.release(self.epoch) {
            // It is released once: the last report comes once.
            Ok(released) => drop(self.released.set(released)),
            Err(error) => tracing::warn!(target: TARGET, %error, "the journal was not released"),
        }
    }

    /// Until when to wait for the end of all shards: there is one shutdown, and its first caller says how long it may take.
    pub(crate) fn wait_until(&self, patience: Duration) -> Option<Instant> {
        *self.until.get_or_init(|| Instant::now().checked_add(patience))
    }

    /// How the journal was left, once it was.
    pub(crate) fn released(&self) -> Option<Released> {
        self.released.get().copied()
    }

    /// Waits until a shard has ended.
    pub(crate) async fn of(&self, shard: u16) {
        let mut changed = self.changed.subscribe();
        // The sender is here as long as this is.
        let _ = changed.wait_for(|_| self.reports()[usize::from(shard)].is_some()).await;
    }

    /// How each shard has ended, as far as they have.
    pub(crate) fn all(&self) -> Vec<Option<Ending>> {
        self.reports().clone()
    }

    /// Waits until all shards have ended.
    pub(crate) async fn wait(&self) {
        let shards = self.reports().len();
        let mut changed = self.changed.subscribe();
        // The sender is here as long as this is.
        let _ = changed.wait_for(|ended| *ended == shards).await;
    }

    /// Ignoring poison is safe: reports have no invariant in common.
    fn reports(&self) -> std::sync::MutexGuard<'_, Vec<Option<Ending>>> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
