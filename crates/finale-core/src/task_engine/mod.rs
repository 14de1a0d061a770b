//! The tasks of one shard: running handlers, queues, open external tasks, timers, and who receives their outcomes.
//!
//! The canonical loop of the owner, for each message and each future that is ready:
//!
//! ```text
//! engine.handle(now, input, &mut outbox);
//! carry_out(&mut outbox);                              // permits first: the pool's answers are inputs
//! while let Some(start) = outbox.next_start() {
//!     // Call the handler and poll it once. Its output is written where it will be sent from.
//!     match begin(start, engine.output(start.attempt.slot, &mut outbox)) {
//!         Ready(result) => engine.handle(now, Input::HandlerReady { .. }, &mut outbox),
//!         Pending(future) => engine.handle(now, Input::HandlerPending { .. }, &mut outbox),
//!     }
//!     carry_out(&mut outbox);
//! }
//! engine.flush(&mut outbox);                           // once the mailbox is empty
//! carry_out(&mut outbox);                              // deliveries
//! sleep_until(engine.wake_at());                       // then Input::Wake
//! ```

mod delivery;
mod drain;
mod early;
mod executions;
mod handlers;
mod input;
mod last_status;
mod limiter;
mod message;
mod open;
mod options;
mod outbox;
mod perform;
mod queue;
mod reconcile;
mod running;
mod silence;
mod slots;
mod stop;
mod timers;
mod unsent;
mod updates;

#[cfg(test)]
mod tests;

pub use delivery::Untaken;
pub use input::{Adopted, AdoptedState, Attempt, HandlerResult, Input, Reconcile, Registration};
pub use message::{Batch, Delivery, EarlyReport, FiredTimer, OutputRange, TaskOutcome, TaskResult, TaskUpdate, Update};
pub use open::OpenTask;
pub use options::{HandlerOptions, Options, TaskNode};
pub use outbox::{Counts, Drained, EarlyAnswer, Leak, Outbox, PermitChange, QueuedTask, Reply, Start, SuspendedTask};

use delivery::Deliveries;
use drain::Closing;
use early::EarlyReports;
use last_status::LastStatus;
use limiter::ConcurrencyLimiter;
use open::OpenTasks;
use running::{Permits, Running, RunningHandler};
use slots::Slots;
use timers::Timers;

use rustc_hash::FxHashMap;

use crate::id::{Dispatch, ExecutionId, TaskId};
use crate::number::{Callback, LimitNo, Slot};
use crate::permits::Lease;
use crate::record::TaskProgress;
use crate::time::Time;

/// The state machine for the tasks of one shard. It is plain data, without futures, addresses, clocks or definitions.
#[derive(Clone, Debug)]
pub struct TaskEngine {
    options: Options,
    /// Properties of the nodes, by definition number.
    definitions: Vec<Box<[TaskNode]>>,
    slots: Slots,
    running: Running,
    limiter: ConcurrencyLimiter,
    open: OpenTasks,
    early: EarlyReports,
    timers: Timers,
    deliveries: Deliveries,
    /// The custom statuses that handlers of a predecessor have set, until their executions are registered again.
    statuses: FxHashMap<Slot, Box<LastStatus>>,
    /// When the last custom status was set.
    last_set_at: Time,
    /// Index of the start that was cancelled last, where the next search begins.
    cancelled_last: usize,
    journal_failed: bool,
    closing: Closing,
}

impl TaskEngine {
    /// An empty engine.
    ///
    /// A handler with a limit outside of [`Options::limits`] is not limited.
    pub fn new(mut options: Options) -> Self {
        let limits = 1..options.limits.max(1);
        for handler in &mut options.handlers {
            handler.limit = handler.limit.filter(|limit| limits.contains(&limit.0));
        }
        Self {
            definitions: Vec::new(),
            slots: Slots::default(),
            running: Running::default(),
            limiter: ConcurrencyLimiter::new(options.limits, options.unused_permits_max),
            open: OpenTasks::default(),
            early: EarlyReports::default(),
            timers: Timers::default(),
            deliveries: Deliveries::new(options.sweep_interval),
            statuses: FxHashMap::default(),
            last_set_at: Time::default(),
            cancelled_last: 0,
            journal_failed: false,
            closing: Closing::Open,
            options,
        }
    }

    /// An engine that replaces one whose state was lost, with the outbox of its predecessor.
    ///
    /// `held` is the number of permits of each limit that the shard holds, from
    /// [`PermitPool::held`](crate::permits::PermitPool::held). `untaken` is what [`take_untaken`](Self::take_untaken) gave.
    /// Messages to callbacks and answers in the outbox are kept.
    /// Starts, stops and requests to the pool are discarded, because the executions reconcile.
    ///
    /// The owner then restores the state, in any order: [`Input::Define`], [`Input::Register`] and [`Input::Adopt`], and
    /// [`Input::JournalFailed`] or [`Input::Drain`] if the predecessor had got them. No future may be polled before it is
    /// adopted. Then it repeats the input that failed, unless the restored state includes it: [`Input::PermitsGranted`],
    /// [`Input::HandlerPending`], [`Input::Suspended`], [`Input::Resumed`], and what registers, moves and deregisters
    /// executions. An output in a repeated result is written to [`output`](Self::output) again, and a handler whose
    /// [`Input::HandlerEnded`] is repeated is adopted before that. A [`Input::Perform`] or [`Input::Reconcile`] that is not
    /// repeated leaves its sender without an answer. Then it repeats [`Input::KeepEarly`] for the reports that
    /// [`take_early_reports`](Self::take_early_reports) has saved, and tells it [`Input::PermitsWanted`] for each limit of
    /// which [`PermitPool::wanted_by_others`](crate::permits::PermitPool::wanted_by_others) says so. Last, the owner passes
    /// on the messages that arrived meanwhile, and has every execution send [`Input::Reconcile`].
    pub fn rebuilt(options: Options, held: &[usize], untaken: Untaken, outbox: &mut Outbox) -> Self {
        outbox.keep_messages_only();
        let mut engine = Self::new(options);
        engine.deliveries.adopt(untaken.outcomes);
        (engine.statuses, engine.last_set_at) = (untaken.statuses, untaken.last_set_at);
        for (limit, permits) in (0..).map(LimitNo).zip(held) {
            if let Some(lease) = engine.limiter.lease(limit) {
                lease.adopt(*permits, 0);
            }
        }
        engine
    }

    /// Takes the early reports out of an engine that panicked: nobody else has them, and their senders wait for answers.
    pub fn take_early_reports(&mut self) -> Vec<EarlyReport> {
        self.early.take_all()
    }

    /// Takes the outcomes that nobody is known to have taken in out of an engine that panicked: they may be on their way
    /// still, and an execution that reconciles before they arrive must not run their handlers again.
    pub fn take_untaken(&mut self) -> Untaken {
        let mut statuses = std::mem::take(&mut self.statuses);
        statuses.extend(self.slots.take_statuses());
        Untaken { statuses, last_set_at: self.last_set_at, ..self.deliveries.take_untaken() }
    }

    /// Handles one input; outputs are added to the outbox.
    pub fn handle(&mut self, at: Time, input: Input, out: &mut Outbox) {
        self.deliveries.note_time(at);
        match input {
            Input::HandlerReady { attempt, started, ended, custom_status, result } => {
                self.set_custom_status(ended, attempt, custom_status, out);
                self.handler_ready(attempt, started, ended, result, out);
            }
            Input::Perform { from, taken, effects } => self.perform(at, from, taken, effects, out),
            Input::HandlerPending { attempt, started, future } => self.handler_pending(attempt, started, future, out),
            Input::HandlerEnded { future, ended, custom_status, result } => {
                self.status_of_handler(ended, future, custom_status, out);
                self.handler_ended(future, ended, result, out);
            }
            Input::Register(registration) => self.register(at, registration, out),
            Input::Moved { slot, callback } => self.moved(slot, callback),
            Input::Deregister { slot, status } => self.deregister(slot, EarlyAnswer::Ended(status), out),
            Input::Define { definition, nodes } => self.define(definition, nodes),
            Input::Taken { callback, batch } => self.deliveries.taken(callback, batch, &self.slots),
            Input::PassedOn { batch, outcomes } => self.deliveries.pass_on(&batch, outcomes, &self.slots),
            Input::TakenIn(outcomes) => {
                outcomes.into_iter().for_each(|(slot, dispatch)| drop(self.deliveries.taken_in(slot, dispatch)));
            }
            Input::Reconcile(reconcile) => self.reconcile(at, reconcile, out),
            Input::KeepEarly(report) => self.keep_early(report, out),
            Input::GiveBackEarly { slot, key } => self.give_back_early(slot, key, out),
            Input::Suspended(future) => self.suspended(future, out),
            Input::Resumed(future) => self.resumed(future, out),
            Input::Alive { future, progress, custom_status } => {
                self.alive(at, future, progress, out);
                self.status_of_handler(at, future, custom_status, out);
            }
            Input::Wake => self.wake(at, out),
            Input::PermitsGranted { limit, permits } => self.permits_granted(limit, permits, out),
            Input::PermitsAvailable { limit } => self.permits_available(limit, out),
            Input::PermitsWanted { limit, wanted } => {
                self.limiter.wanted(limit, wanted, !self.is_closed(), &mut out.permits);
            }
            Input::JournalFailed => self.journal_has_failed(out),
            Input::Drain { deadline } => self.drain(at, deadline, out),
            Input::Adopt(adopted) => self.adopt(at, adopted, out),
        }
        self.limiter.pass_on_kept(!self.is_closed(), &mut out.permits);
    }

    /// The buffer to append the output of a handler of that execution to. Its range, [`OutputRange::behind`], must be
    /// reported with the result of the handler before any other output is written.
    pub fn output<'a>(&mut self, slot: Slot, out: &'a mut Outbox) -> &'a mut Vec<u8> {
        let callback = self.slots.get(slot).map_or(Callback::Supervisor, slots::SlotEntry::callback);
        self.deliveries.output(callback, out)
    }

    /// Moves all unsent messages to [`Outbox::deliveries`].
    ///
    /// A message of a callback whose handlers have not all begun is answered by a later flush.
    pub fn flush(&mut self, out: &mut Outbox) {
        self.flush_but(|_| false, out);
    }

    /// Like [`flush`](Self::flush), for an owner that knows of executions whose handlers have begun and are about to be polled
    /// again: their callbacks are answered later, too. A callback that has its answers may give its execution back, and
    /// would have to take it again for what these handlers return then.
    pub fn flush_but(&mut self, is_beginning: impl Fn(Slot) -> bool, out: &mut Outbox) {
        self.deliveries.flush(&self.slots, is_beginning, out);
    }

    /// When [`Input::Wake`] is due next; none if no timer is armed and every batch is acknowledged.
    pub fn wake_at(&self) -> Option<Time> {
        [self.timers.first(), self.deliveries.sweep_at()].into_iter().flatten().min()
    }

    /// The execution in that slot, if it is registered.
    pub fn registration(&self, slot: Slot) -> Option<&Registration> {
        self.slots.get(slot)?.registration.as_ref()
    }

    /// Open tasks after that id in ascending order of ids, of one execution or of all.
    pub fn open_tasks(
        &self,
        after: Option<TaskId>,
        execution: Option<ExecutionId>,
    ) -> impl Iterator<Item = OpenTask<'_>> {
        self.open.page(after, execution)
    }

    /// Tasks of an execution that wait for permits, with their positions, in the order of their work keys.
    pub fn queued(&self, slot: Slot) -> Vec<QueuedTask> {
        self.limiter.positions(slot)
    }

    /// Running handlers of an execution that have released their permits, in the order in which they began.
    pub fn suspended_tasks(&self, slot: Slot) -> Vec<SuspendedTask> {
        let Some(entry) = self.slots.get(slot).filter(|_| self.running.counts.suspended > 0) else { return Vec::new() };
        let suspended = |future| {
            let RunningHandler { attempt, permits, .. } = *self.running.get(future)?;
            let own = self.options.own_limit(attempt.handler);
            let resumes = match permits {
                Permits::Held => return None,
                Permits::Released => None,
                Permits::Awaited => self.limiter.resume_position(own, future),
            };
            Some(SuspendedTask { dispatch: attempt.dispatch, resumes })
        };
        self.running.of(&entry.at_work).filter_map(suspended).collect()
    }

    /// How far the running handlers of an execution say they are.
    pub fn progress_of(&self, slot: Slot) -> Vec<(Dispatch, TaskProgress)> {
        let Some(entry) = self.slots.get(slot) else { return Vec::new() };
        let progress = |future| {
            let handler = self.running.get(future)?;
            Some((handler.attempt.dispatch, handler.progress.as_deref()?.clone()))
        };
        self.running.of(&entry.at_work).filter_map(progress).collect()
    }

    /// Blocking handlers that were given up and hold permits until their threads end.
    pub fn leaks(&self) -> impl Iterator<Item = Leak> {
        self.running.leaks()
    }

    /// Gauges of the shard.
    pub fn counts(&self) -> Counts {
        Counts {
            running: self.limiter.used(),
            suspended: self.running.counts.suspended,
            queued: self.limiter.queued(),
            open: self.open.len(),
            early: self.early.len(),
            leaked: self.running.counts.leaked,
            timers: self.timers.len(),
        }
    }

    fn permits_granted(&mut self, limit: LimitNo, permits: usize, out: &mut Outbox) {
        if let Some(lease) = self.limiter.lease(limit) {
            lease.granted(permits);
        }
        self.begin_waiting(out);
    }

    fn permits_available(&mut self, limit: LimitNo, out: &mut Outbox) {
        // The pool reserves a permit for this shard until it asks, so it must ask even if nothing waits any more.
        if self.limiter.lease(limit).is_some_and(Lease::available) {
            out.permits.push(PermitChange::Ask { limit, wanted: 1 });
        }
    }
}
