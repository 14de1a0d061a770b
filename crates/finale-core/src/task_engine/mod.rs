//! The tasks of one shard: which handlers are at work, what waits for whom, and who hears of it.
//!
//! The canonical loop of whoever drives it, for each message and each future that is ready:
//!
//! ```text
//! engine.handle(now, input, &mut outbox);
//! carry_out(&mut outbox);                              // stops, drops, resumes, permits, replies, deliveries
//! while let Some(start) = outbox.next_start() {
//!     // Calls the handler and polls it once; its output goes straight to where it is sent from.
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
mod limiter;
mod open;
mod options;
mod outbox;
mod perform;
mod queue;
mod reconcile;
mod running;
mod slots;
mod stop;
mod timers;

#[cfg(test)]
mod tests;

pub use input::{
    Adopted, AdoptedState, Attempt, EarlyReport, HandlerResult, Input, OutputRange, Reconcile, Registration,
};
pub use open::OpenTask;
pub use options::{HandlerOptions, Options, TaskNode};
pub use outbox::{
    Batch, Counts, Delivery, Drained, EarlyAnswer, FiredTimer, Leak, Outbox, PermitChange, QueuedTask, Reply, Start,
    TaskOutcome, TaskResult,
};

use delivery::Deliveries;
use drain::Closing;
use early::EarlyReports;
use limiter::ConcurrencyLimiter;
use open::OpenTasks;
use running::Running;
use slots::Slots;
use timers::Timers;

use crate::id::{ExecutionId, TaskId};
use crate::number::{Callback, LimitNo, Slot};
use crate::permits::Lease;
use crate::time::Time;

/// What decides about the tasks of one shard. Plain data: it holds no future, no address, no clock and no definition.
#[derive(Clone, Debug)]
pub struct TaskEngine {
    options: Options,
    /// What is known of the nodes of each definition.
    definitions: Vec<Box<[TaskNode]>>,
    slots: Slots,
    running: Running,
    limiter: ConcurrencyLimiter,
    open: OpenTasks,
    early: EarlyReports,
    timers: Timers,
    deliveries: Deliveries,
    /// Where in the outbox the handler was that was called off last.
    cancelled_last: usize,
    journal_failed: bool,
    closing: Closing,
}

impl TaskEngine {
    /// An engine to which nothing has happened yet.
    ///
    /// A handler whose limit is not one of [`Options::limits`] has none.
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
            deliveries: Deliveries::default(),
            cancelled_last: 0,
            journal_failed: false,
            closing: Closing::Open,
            options,
        }
    }

    /// An engine in the place of one whose state was lost, with the outbox of that one.
    ///
    /// `held` says how many permits of each limit the shard holds, from
    /// [`PermitPool::held`](crate::permits::PermitPool::held). What was to be sent to callbacks is sent all the same;
    /// what was to begin, to stop or to be asked of the pool is not: the executions reconcile.
    ///
    /// Its owner then tells it what is known, in any order: [`Input::Define`], [`Input::Register`], [`Input::Adopt`],
    /// [`Input::JournalFailed`] or [`Input::Drain`] if that was said before. After that come the message in hand
    /// (unless it was [`Input::PermitsGranted`], which `held` contains), the messages that waited meanwhile, and
    /// [`Input::Reconcile`] for every execution.
    pub fn rebuilt(options: Options, held: &[usize], outbox: &mut Outbox) -> Self {
        outbox.keep_messages_only();
        let mut engine = Self::new(options);
        for (limit, permits) in (0..).map(LimitNo).zip(held) {
            if let Some(lease) = engine.limiter.lease(limit) {
                lease.adopt(*permits, 0);
            }
        }
        engine
    }

    /// Takes one input. What is to be done about it is in the outbox.
    pub fn handle(&mut self, at: Time, input: Input, out: &mut Outbox) {
        match input {
            Input::HandlerReady { attempt, started, ended, result } => {
                self.handler_ready(attempt, started, ended, result, out);
            }
            Input::Perform { from, taken, ending, effects } => self.perform(at, from, taken, &ending, effects, out),
            Input::HandlerPending { attempt, started, future } => self.handler_pending(attempt, started, future, out),
            Input::HandlerEnded { future, ended, result } => self.handler_ended(future, ended, result, out),
            Input::Register(registration) => self.register(registration, out),
            Input::Moved { slot, callback } => self.moved(slot, callback),
            Input::Deregister { slot, status } => self.deregister(slot, EarlyAnswer::Ended(status), out),
            Input::Define { definition, nodes } => self.define(definition, nodes),
            Input::Taken { callback, batch } => self.deliveries.taken(callback, batch),
            Input::Reconcile(reconcile) => self.reconcile(at, reconcile, out),
            Input::KeepEarly(report) => self.keep_early(report, out),
            Input::GiveBackEarly { slot, key } => self.give_back_early(slot, key, out),
            Input::Suspended(future) => self.suspended(future, out),
            Input::Resumed(future) => self.resumed(future, out),
            Input::Wake => self.wake(at, out),
            Input::PermitsGranted { limit, permits } => self.permits_granted(limit, permits, out),
            Input::PermitsAvailable { limit } => self.permits_available(limit, out),
            Input::PermitsWanted { limit, wanted } => self.limiter.wanted(limit, wanted, &mut out.permits),
            Input::JournalFailed => self.journal_has_failed(out),
            Input::Drain { deadline } => self.drain(deadline, out),
            Input::Adopt(adopted) => self.adopt(at, adopted, out),
        }
    }

    /// Where the output of a handler for that execution is to be written: behind what is there already. The range of it,
    /// [`OutputRange::behind`], is told at once with the handler's result, before another output is written.
    pub fn output<'a>(&mut self, slot: Slot, out: &'a mut Outbox) -> &'a mut Vec<u8> {
        let callback = self.slots.get(slot).map_or(Callback::Supervisor, slots::SlotEntry::callback);
        self.deliveries.output(callback, out)
    }

    /// Puts everything that is not sent yet into [`Outbox::deliveries`].
    pub fn flush(&mut self, out: &mut Outbox) {
        self.deliveries.flush(out);
    }

    /// When the engine wants [`Input::Wake`] next; none if it waits for no moment.
    pub fn wake_at(&self) -> Option<Time> {
        self.timers.first()
    }

    /// The execution in that slot, if it is registered.
    pub fn registration(&self, slot: Slot) -> Option<&Registration> {
        self.slots.get(slot)?.registration.as_ref()
    }

    /// Open tasks in ascending order of their ids, of one execution or of all, after that id.
    pub fn open_tasks(
        &self,
        after: Option<TaskId>,
        execution: Option<ExecutionId>,
    ) -> impl Iterator<Item = OpenTask<'_>> {
        self.open.page(&self.slots, after, execution)
    }

    /// What of an execution waits for permits, and where in the queue, by its work.
    pub fn queued(&self, slot: Slot) -> Vec<QueuedTask> {
        self.limiter.positions(slot)
    }

    /// Blocking handlers that were given up and hold their permits until their threads come back.
    pub fn leaks(&self) -> impl Iterator<Item = Leak> {
        self.running.leaks()
    }

    /// How much there is of everything.
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
        // One permit is kept for this shard until it has asked, so it does also if nobody waits for it any more.
        if self.limiter.lease(limit).is_some_and(Lease::available) {
            out.permits.push(PermitChange::Ask { limit, wanted: 1 });
        }
    }
}
