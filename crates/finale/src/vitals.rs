//! How a runtime is doing, for anybody who asks, whatever its shards are at.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use finale_core::number::HandlerNo;
use finale_core::{supervisor, task_engine};
use finale_journal::JournalError;
use tokio::time::Instant;

use crate::health::{BlockedShard, Health};
use crate::telemetry::TARGET;

/// What one shard says of itself, to be read on any thread.
#[derive(Debug)]
pub(crate) struct Vitals {
    shard: u16,
    /// What times are counted from.
    base: Instant,
    counts: Mutex<Counts>,
    /// Since when the oldest thing that was written waits to become durable, in microseconds and one more; 0 if nothing does.
    journal_waits_since: AtomicU64,
    /// What the journal failed with here: it may be well for whoever has claimed it since.
    journal_error: OnceLock<JournalError>,
    /// What the thread of the shard calls just now: changed before and after each call of a handler. 0 if it calls none.
    calling: AtomicU64,
    /// How often handlers were called that are told of ends.
    ended_calls: AtomicU64,
    /// What the watch found.
    blocked: Mutex<Option<BlockedShard>>,
    dead: AtomicBool,
    /// Whether the thread that watches sleeps until a handler is called.
    unwatched: AtomicBool,
    watcher: OnceLock<std::thread::Thread>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    supervisor: supervisor::Health,
    tasks: task_engine::Counts,
}

impl Vitals {
    /// So many executions are to be gone on with: that is said before the shard has looked at the first of them.
    pub(crate) fn new(shard: u16, recovering: usize) -> Self {
        let supervisor = supervisor::Health { recovering, ..supervisor::Health::default() };
        Self {
            shard,
            base: Instant::now(),
            counts: Mutex::new(Counts { supervisor, ..Counts::default() }),
            journal_waits_since: AtomicU64::new(0),
            journal_error: OnceLock::new(),
            calling: AtomicU64::new(0),
            ended_calls: AtomicU64::new(0),
            blocked: Mutex::default(),
            dead: AtomicBool::new(false),
            unwatched: AtomicBool::new(false),
            watcher: OnceLock::new(),
        }
    }

    pub(crate) fn supervisor(&self, health: &supervisor::Health) {
        lock(&self.counts).supervisor = *health;
    }

    pub(crate) fn tasks(&self, counts: task_engine::Counts) {
        lock(&self.counts).tasks = counts;
    }

    /// The oldest thing that waits for the journal was written then; none if nothing waits.
    pub(crate) fn journal_waits(&self, since: Option<Instant>) {
        let since = since.map_or(0, |since| micros(since.saturating_duration_since(self.base)) + 1);
        self.journal_waits_since.store(since, Ordering::Relaxed);
    }

    pub(crate) fn journal_failed(&self, error: &JournalError) {
        // The first error is the cause of all others.
        let _ = self.journal_error.set(error.clone());
    }

    /// The shard is gone, or does nothing any more.
    pub(crate) fn die(&self) {
        self.dead.store(true, Ordering::Relaxed);
    }

    /// How many executions were open and how many handlers at work, as the shard last said.
    pub(crate) fn last_open_and_running(&self) -> (usize, usize) {
        let Counts { supervisor, tasks } = *lock(&self.counts);
        (supervisor.open, (tasks.running + tasks.suspended).saturating_sub(tasks.leaked))
    }

    /// The thread of the shard calls a handler from now on; only that thread says so.
    pub(crate) fn enter(&self, handler: HandlerNo, calls: u64) {
        self.calling.store((calls << 16) | (u64::from(handler.0) + 1), Ordering::Relaxed);
        if self.unwatched.load(Ordering::Relaxed) {
            self.wake_watcher();
        }
    }

    /// Calls a handler that is told of ends: it holds the thread like any other.
    pub(crate) fn call_ended<T>(&self, call: impl FnOnce() -> T) -> T {
        let calls = self.ended_calls.fetch_add(1, Ordering::Relaxed) + 1;
        self.enter(ON_ENDED, calls);
        let called = call();
        self.leave();
        called
    }

    #[cold]
    fn wake_watcher(&self) {
        self.unwatched.store(false, Ordering::Relaxed);
        if let Some(watcher) = self.watcher.get() {
            watcher.unpark();
        }
    }

    /// The handler has come back.
    pub(crate) fn leave(&self) {
        self.calling.store(0, Ordering::Relaxed);
    }

    /// Adds what this shard says to what others have said.
    pub(crate) fn add_to(&self, health: &mut Health) {
        if let (Ok(()), Some(error)) = (&health.journal, self.journal_error.get()) {
            health.journal = Err(error.clone());
        }
        let Counts { supervisor, tasks } = *lock(&self.counts);
        health.recovering += supervisor.recovering;
        health.quarantined += supervisor.quarantined;
        health.open_executions += supervisor.open;
        health.queued_activations += supervisor.queued;
        health.running_tasks += tasks.running;
        health.queued_tasks += tasks.queued;
        health.suspended_tasks += tasks.suspended;
        health.open_tasks += tasks.open;
        health.leaked_handlers += tasks.leaked;
        if self.dead.load(Ordering::Relaxed) || supervisor.shard_failed {
            health.dead_shards.push(self.shard);
        }
        health.blocked.extend(lock(&self.blocked).clone());
        let waits_since = self.journal_waits_since.load(Ordering::Relaxed).checked_sub(1).map(Duration::from_micros);
        let lag = waits_since.map(|since| self.base.elapsed().saturating_sub(since));
        health.journal_lag = health.journal_lag.max(lag);
    }
}

impl Drop for Vitals {
    /// The watch ends with the last shard that it watches.
    fn drop(&mut self) {
        self.wake_watcher();
    }
}

/// Looks from a thread of its own whether handlers hold the threads of shards, as long as the runtime is there.
pub(crate) fn watch(vitals: &[Arc<Vitals>], handlers: Vec<String>) {
    let shards: Vec<_> = vitals.iter().map(|vitals| Watched { vitals: Arc::downgrade(vitals), seen: None }).collect();
    let mut watch = Watch { shards, handlers, quiet_looks: 0 };
    let thread = std::thread::Builder::new().name("finale-watch".to_owned());
    let spawned = thread.spawn(move || {
        watch.begin();
        while let Some(next) = watch.look() {
            match next {
                Next::LookAgain => std::thread::sleep(WATCH_INTERVAL),
                Next::Park => std::thread::park(),
            }
        }
    });
    // Without the watch the runtime goes on; only its health says less.
    if let Err(error) = spawned {
        tracing::warn!(target: TARGET, %error, "blocked threads will not be noticed");
    }
}

/// The number by which handlers that are told of ends are watched. No handler of tasks has it.
const ON_ENDED: HandlerNo = HandlerNo(u16::MAX - 1);

/// What these handlers are called: they have no names of their own.
const ON_ENDED_NAME: &str = "on_ended";

/// The shards of a runtime, as they are watched.
struct Watch {
    shards: Vec<Watched>,
    handlers: Vec<String>,
    /// How often in a row no handler was found at work.
    quiet_looks: u32,
}

/// A shard, and what it was found at.
struct Watched {
    vitals: Weak<Vitals>,
    /// The call that it was in, since when, and whether that was logged.
    seen: Option<(u64, std::time::Instant, bool)>,
}

/// What the thread that watches does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    LookAgain,
    /// Sleep until a handler is called.
    Park,
}

/// How often it is looked.
const WATCH_INTERVAL: Duration = Duration::from_millis(250);

/// A handler that holds its thread this long blocks it.
const BLOCKED_MIN: Duration = Duration::from_secs(1);

/// After so many looks at which no shard was in a handler it is not looked any more. One look in between belongs to the
/// hand-over, see [`Watch::look`].
const QUIET_LOOKS_MAX: u32 = 4;

impl Watch {
    /// Says who is to be woken: the thread that this is called on.
    fn begin(&self) {
        for vitals in self.shards.iter().filter_map(|watched| watched.vitals.upgrade()) {
            // It is watched by one thread only.
            let _ = vitals.watcher.set(std::thread::current());
        }
    }

    /// Looks once; none when no shard is left.
    ///
    /// A shard wakes the watch when it calls a handler and sees that it is unwatched. It looks at that without a fence, since
    /// it does so for each handler: a call that began in the same moment may have missed it. So the watch looks once more
    /// after it has said that it goes, one interval later, and what a shard has stored is seen by then.
    fn look(&mut self) -> Option<Next> {
        let mut busy = false;
        let handlers = &self.handlers;
        self.shards.retain_mut(|watched| {
            let Some(vitals) = watched.vitals.upgrade() else { return false };
            vitals.look(&mut watched.seen, handlers);
            // Once it has said that it goes, a shard that called a handler has taken that back.
            let was_called = self.quiet_looks == QUIET_LOOKS_MAX && !vitals.unwatched.load(Ordering::SeqCst);
            busy |= was_called || watched.seen.is_some_and(|(call, ..)| call != 0);
            true
        });
        if self.shards.is_empty() {
            return None;
        }
        self.quiet_looks = if busy { 0 } else { self.quiet_looks + 1 };
        match self.quiet_looks {
            looks if looks > QUIET_LOOKS_MAX => {
                self.quiet_looks = 0;
                return Some(Next::Park);
            }
            QUIET_LOOKS_MAX => self.unwatch(true),
            0 => self.unwatch(false),
            _ => {}
        }
        Some(Next::LookAgain)
    }

    fn unwatch(&self, unwatched: bool) {
        for vitals in self.shards.iter().filter_map(|watched| watched.vitals.upgrade()) {
            vitals.unwatched.store(unwatched, Ordering::SeqCst);
        }
    }
}

impl Vitals {
    fn look(&self, seen: &mut Option<(u64, std::time::Instant, bool)>, handlers: &[String]) {
        let call = self.calling.load(Ordering::Relaxed);
        let (since, logged) = match *seen {
            Some((last, since, logged)) if last == call && call != 0 => (since, logged),
            _ => (std::time::Instant::now(), false),
        };
        let held = since.elapsed();
        let blocks = call != 0 && held >= BLOCKED_MIN;
        let handler = || match (call & 0xffff) as usize - 1 {
            number if number == usize::from(ON_ENDED.0) => ON_ENDED_NAME.to_owned(),
            number => handlers.get(number).cloned().unwrap_or_default(),
        };
        if blocks && !logged {
            tracing::warn!(
                target: TARGET,
                shard = self.shard,
                handler = handler(),
                ?held,
                "a handler holds the thread of its shard: nothing else goes on there; blocking work belongs into a \
                 blocking handler",
            );
        }
        *seen = Some((call, since, logged || blocks));
        *lock(&self.blocked) = blocks.then(|| BlockedShard { shard: self.shard, handler: handler(), since: held });
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX - 1)
}

/// Ignoring poison is safe: what is locked here is replaced as a whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(shards: u16) -> (Vec<Arc<Vitals>>, Watch) {
        let vitals: Vec<_> = (0..shards).map(|shard| Arc::new(Vitals::new(shard, 0))).collect();
        let shards = vitals.iter().map(|vitals| Watched { vitals: Arc::downgrade(vitals), seen: None }).collect();
        let watch = Watch { shards, handlers: vec!["a".to_owned()], quiet_looks: 0 };
        watch.begin();
        (vitals, watch)
    }

    /// How often it looks until it parks, or until it was seen that it does not.
    fn looks_until_it_parks(watch: &mut Watch) -> Option<u32> {
        (1..100).find(|_| watch.look() == Some(Next::Park))
    }

    #[test]
    fn nobody_is_watched_while_no_handler_is_called_and_the_next_call_wakes_the_watch() {
        let (vitals, mut watch) = watched(2);
        assert_eq!(looks_until_it_parks(&mut watch), Some(QUIET_LOOKS_MAX + 1));
        vitals[1].enter(HandlerNo(0), 1);
        // If nobody had woken it this would not come back.
        std::thread::park();
        assert_eq!(looks_until_it_parks(&mut watch), None, "a handler is at work");
        vitals[1].leave();
        assert!(looks_until_it_parks(&mut watch).is_some());
    }

    #[test]
    fn a_call_while_the_watch_is_about_to_park_keeps_it_awake() {
        let (vitals, mut watch) = watched(1);
        for _ in 0..QUIET_LOOKS_MAX {
            assert_eq!(watch.look(), Some(Next::LookAgain));
        }
        vitals[0].enter(HandlerNo(0), 1);
        vitals[0].leave();
        assert_eq!(watch.look(), Some(Next::LookAgain));
        assert_eq!(looks_until_it_parks(&mut watch), Some(QUIET_LOOKS_MAX + 1));
    }

    #[test]
    fn a_handler_that_is_told_of_an_end_is_watched_like_any_other() {
        let (vitals, mut watch) = watched(1);
        vitals[0].call_ended(|| {
            assert_eq!(looks_until_it_parks(&mut watch), None);
            std::thread::sleep(BLOCKED_MIN);
            watch.look();
            let mut health = Health::well();
            vitals[0].add_to(&mut health);
            assert_eq!((&*health.blocked[0].handler, health.is_well()), ("on_ended", false));
        });
        assert!(looks_until_it_parks(&mut watch).is_some());
    }

    #[test]
    fn the_watch_ends_with_the_last_shard() {
        let (mut vitals, mut watch) = watched(2);
        vitals.pop();
        assert!(watch.look().is_some());
        vitals.pop();
        assert_eq!(watch.look(), None);
    }
}
