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
mod input;
mod late;
mod options;
mod outbox;

pub use input::{
    Adopted, AdoptedState, Attempt, EarlyReport, HandlerResult, Input, OutputRange, Reconcile, Registration,
};
pub use late::{LateEvent, LateKind};
pub use options::{HandlerOptions, Options, TaskNode};
pub use outbox::{
    Batch, Delivery, Drained, EarlyAnswer, FiredTimer, Leak, Outbox, PermitChange, Reply, Start, TaskOutcome,
    TaskResult,
};

use late::LateEvents;

use crate::id::{Dispatch, ExecutionId, TaskId};
use crate::number::{LimitNo, Slot};
use crate::payload::Payload;
use crate::time::Time;

/// What decides about the tasks of one shard. Plain data: it holds no future, no address, no clock and no definition.
#[derive(Clone, Debug)]
pub struct TaskEngine {
    options: Options,
    late: LateEvents,
}

impl TaskEngine {
    /// An engine to which nothing has happened yet.
    pub fn new(options: Options) -> Self {
        Self { late: LateEvents::new(options.late_events_max), options }
    }

    /// An engine in the place of one whose state was lost, with the outbox of that one.
    ///
    /// What was to be sent is sent all the same. What was to begin does not: the executions reconcile. `held` says how
    /// many permits of each limit the shard holds, from the pool. Then come [`Input::Define`], [`Input::Register`] and
    /// [`Input::Adopt`] for what is known, in any order, then the messages that waited meanwhile, and
    /// [`Input::Reconcile`] for every execution.
    pub fn rebuilt(options: Options, _held: &[usize], _outbox: &mut Outbox) -> Self {
        Self::new(options)
    }

    /// Takes one input. What is to be done about it is in the outbox.
    pub fn handle(&mut self, _at: Time, input: Input, _out: &mut Outbox) {
        if let Input::NoteLate(event) = input {
            self.late.note(event);
        }
    }

    /// Where the output of a handler for that execution is to be written: behind what is there already. The range of it is
    /// told at once, with the handler's result.
    pub fn output<'a>(&mut self, _slot: Slot, out: &'a mut Outbox) -> &'a mut Vec<u8> {
        &mut out.unsent[0].batch.bytes
    }

    /// Puts everything that is not sent yet into [`Outbox::deliveries`].
    pub fn flush(&mut self, _out: &mut Outbox) {}

    /// When the engine wants [`Input::Wake`] next; none if it waits for no moment.
    pub fn wake_at(&self) -> Option<Time> {
        None
    }

    /// The execution in that slot, if it is registered.
    pub fn registration(&self, _slot: Slot) -> Option<&Registration> {
        None
    }

    /// Open tasks in ascending order of their ids: at most `limit`, of one execution or of all, after that id.
    pub fn open_tasks(
        &self,
        _after: Option<TaskId>,
        _execution: Option<ExecutionId>,
        _limit: usize,
    ) -> impl Iterator<Item = OpenTask<'_>> {
        std::iter::empty()
    }

    /// What of an execution waits for permits, and where in the queue.
    pub fn queued(&self, _slot: Slot) -> Vec<QueuedTask> {
        Vec::new()
    }

    /// Blocking handlers that were given up and hold their permits until their threads come back.
    pub fn leaks(&self) -> impl Iterator<Item = Leak> {
        std::iter::empty()
    }

    /// What came too late for an execution, oldest first.
    pub fn late_events(&self, execution: ExecutionId) -> impl Iterator<Item = &LateEvent> {
        self.late.of(execution)
    }

    /// How much there is of everything.
    pub fn counts(&self) -> Counts {
        Counts::default()
    }
}

/// A task that waits for somebody outside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OpenTask<'a> {
    /// The execution.
    pub slot: Slot,
    /// What it is reported on by.
    pub id: TaskId,
    /// Which attempt it is.
    pub dispatch: Dispatch,
    /// Since when it waits.
    pub since: Time,
    /// What it is about.
    pub input: &'a Payload,
}

/// A task that waits for permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueuedTask {
    /// Which attempt at which work.
    pub dispatch: Dispatch,
    /// Since when it waits.
    pub since: Time,
    /// The limit that stands in its way: its handler's own, if that is used up, else the runtime's.
    pub limit: LimitNo,
    /// Its position among those that wait for that limit in this shard, counted from 1.
    pub position: usize,
}

/// How much there is of everything in a shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Handlers at work, those that were given up included. Not the suspended ones.
    pub running: usize,
    /// Handlers that wait for other executions, or for their permits after that.
    pub suspended: usize,
    /// Tasks that wait for permits.
    pub queued: usize,
    /// Tasks that wait for somebody outside.
    pub open: usize,
    /// Reports kept until their tasks open.
    pub early: usize,
    /// Blocking handlers that were given up and hold their permits.
    pub leaked: usize,
    /// Timers that are armed.
    pub timers: usize,
}
