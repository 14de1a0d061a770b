//! The actor that owns the handlers at work and the table of open tasks.
//!
//! Handlers never run in the context of an execution's actor: a stopped actor silently drops its futures.

mod drive;
mod offers;
mod places;
mod running;
mod timers;

use std::rc::Rc;
use std::sync::Arc;

use actix::fut::{ActorFutureExt, wrap_future};
use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message};
use finale_core::execution::{AfterStop, Effect, Input};
use finale_core::fact::StopOutcome;
use finale_core::{Dispatch, Execution, ExecutionStatus, Failure, FailureClass, Time};

use crate::faults::Faults;
use crate::permits::{Pool, Waiting};
use crate::shard::{Live, Mail, Nudge, Shard, Work};

pub(crate) use offers::ListTasks;
pub use offers::{OpenTask, TaskPage};

use offers::Offers;
use places::Places;
use running::Running;
use timers::Timers;

/// Pieces of work taken before other actors of the thread get their turn.
const WORK_MAX: usize = 1_024;

/// There is one per shard.
pub(crate) struct TaskEngine {
    shard: Rc<Shard>,
    running: Running,
    offers: Offers,
    timers: Timers,
    places: Places,
    /// Whether there may be places for tasks that wait and were left for later.
    more_waiting: bool,
    peers: Peers,
    drained: Option<tokio::sync::oneshot::Sender<usize>>,
}

/// How the engines of other shards are told about permits.
pub(crate) type Peers = Arc<dyn Fn(PermitNews) + Send + Sync>;

/// What engines tell each other about permits.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PermitNews {
    /// There may be permits for those who wait.
    Free(Waiting),
    /// This shard has none left: whoever has unused ones is asked for them.
    Wanted(u16),
}

/// The pools that the engines of all shards lease from.
#[derive(Clone)]
pub(crate) struct Pools {
    pub(crate) running: Arc<Pool>,
    pub(crate) handlers: Vec<Option<Arc<Pool>>>,
}

impl TaskEngine {
    pub(crate) fn new(shard: Rc<Shard>, pools: &Pools, peers: Peers) -> Self {
        Self {
            running: Running::default(),
            offers: Offers::default(),
            timers: Timers::new(shard.clock),
            places: Places::new(pools, shard.index),
            more_waiting: false,
            peers,
            drained: None,
            shard,
        }
    }

    fn take_work(&mut self) -> bool {
        for _ in 0..WORK_MAX {
            match self.shard.next_work() {
                Some(Work::Perform(live, effects)) => self.perform(&live, effects),
                Some(Work::Report(live, report, reply)) => self.report(&live, report, Some(reply)),
                Some(Work::Reconcile(live)) => self.reconcile(&live),
                None => {
                    self.begin_waiting();
                    return true;
                }
            }
        }
        false
    }

    fn perform(&mut self, live: &Rc<Live>, mut effects: Vec<Effect>) {
        let mut now = None;
        live.unperformed.set(live.unperformed.get() - 1);
        for effect in effects.drain(..) {
            self.perform_one(live, effect, &mut now);
        }
        self.shard.reuse_effects(effects);
        // Nothing came back at once: the execution waits, and waits without an actor.
        self.shard.park(live);
    }

    fn perform_one(&mut self, live: &Rc<Live>, effect: Effect, now: &mut Option<Time>) {
        match effect {
            Effect::Run { dispatch, input } => {
                let input = input.unwrap_or_else(|| live.given());
                self.run(live, dispatch, input, now);
            }
            Effect::Offer { dispatch, input, .. } => self.offer(live, dispatch, input),
            Effect::Withdraw { dispatch } => self.offers.withdraw(live.id, dispatch.key),
            Effect::Stop { dispatch, then } => self.stop(live, dispatch, then),
            Effect::ArmTimer { timer, due, within } => self.timers.arm(live, timer, due, within),
            Effect::DisarmTimer { timer } => self.timers.disarm(live.id, timer),
            Effect::Continue => self.shard.deliver(live, Mail::Tell(Input::Continue, None)),
            Effect::Ended => {}
        }
    }

    /// Hands the result of a handler to its execution.
    fn deliver_outcome(&self, live: &Rc<Live>, outcome: Input) {
        if let Some(faults) = &self.shard.faults
            && Faults::strike(&faults.lose_outcomes)
        {
            return;
        }
        self.shard.deliver(live, Mail::Tell(outcome, None));
    }

    /// Does what must be under way for an execution and is not: something was lost on its way.
    pub(super) fn reconcile(&mut self, live: &Rc<Live>) {
        if live.is_busy() || !live.is_durable() || live.is_quarantined() {
            return;
        }
        let (status, effects) =
            live.read(|execution: &Execution| (execution.status(), execution.under_way(&live.bound.compiled)));
        let mut now = None;
        for effect in effects {
            self.reconcile_one(live, status, effect, &mut now);
        }
        self.shard.park(live);
    }

    fn reconcile_one(&mut self, live: &Rc<Live>, status: ExecutionStatus, effect: Effect, now: &mut Option<Time>) {
        match effect {
            Effect::Run { dispatch, .. }
                if status == ExecutionStatus::Ending && self.places.call_off(live.id, dispatch) =>
            {
                self.close(live, dispatch);
            }
            Effect::Run { dispatch, .. } if self.is_at_work(live, dispatch) => {}
            Effect::Run { dispatch, .. } if status == ExecutionStatus::Ending => {
                self.shard.deliver(live, Mail::Tell(Input::Stopped { dispatch, how: StopOutcome::Lost }, None));
            }
            Effect::Run { dispatch, .. } if live.bound.compiled.is_at_most_once(dispatch.key.node) => {
                self.lost(live, dispatch);
            }
            Effect::Offer { dispatch, .. } if self.offers.is_open(live.id, dispatch.key) => {
                self.report_again(live, dispatch.key);
            }
            Effect::ArmTimer { timer, .. } if self.timers.is_armed(live.id, timer) => {}
            other => self.perform_one(live, other, now),
        }
    }

    /// Says that a handler is gone that must not be run again.
    fn lost(&self, live: &Rc<Live>, dispatch: Dispatch) {
        if self.shard.draining.get() {
            return;
        }
        let now = self.shard.clock.now();
        let failure = Failure::new(FailureClass::Lost, "nobody knows what became of it").permanent();
        let outcome = Input::Outcome { dispatch, result: Err(failure), started: now, ended: now };
        self.shard.deliver(live, Mail::Tell(outcome, None));
    }

    fn is_at_work(&self, live: &Live, dispatch: Dispatch) -> bool {
        self.running.has(live.id, dispatch) || self.places.waits(live.id, dispatch)
    }

    fn stop(&mut self, live: &Rc<Live>, dispatch: Dispatch, then: AfterStop) {
        if self.places.call_off(live.id, dispatch) {
            if then == AfterStop::Report {
                self.close(live, dispatch);
            }
            return;
        }
        match then {
            AfterStop::Forget => {
                self.timers.disarm_limit(live.id, dispatch);
                self.running.forget(live.id, dispatch);
            }
            AfterStop::Report => {
                // From here on its grace is the limit.
                self.timers.disarm_limit(live.id, dispatch);
                if self.running.ask_to_stop(live.id, dispatch) {
                    let due = self.shard.clock.now().after(self.shard.options.grace);
                    self.timers.arm_grace(live, dispatch, due);
                }
            }
        }
    }
}

impl Actor for TaskEngine {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.spawn(drive::Drive);
    }
}

impl Handler<Nudge> for TaskEngine {
    type Result = ();

    fn handle(&mut self, _nudge: Nudge, context: &mut Self::Context) {
        if !self.take_work() {
            // A mailbox is emptied before anything else gets its turn, so going on is asked for from outside of it.
            let others_first = wrap_future::<_, Self>(tokio::task::yield_now());
            context.spawn(others_first.map(|(), _engine, context| context.notify(Nudge)));
        }
    }
}

/// News about permits from another shard.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Permits(pub(crate) PermitNews);

impl Handler<Permits> for TaskEngine {
    type Result = ();

    fn handle(&mut self, Permits(news): Permits, _context: &mut Self::Context) {
        match news {
            PermitNews::Free(_) => self.begin_waiting(),
            PermitNews::Wanted(_) => self.pass_on(self.places.give_unused()),
        }
    }
}

/// Lets the handlers at work finish, begins no others, and answers how many were left at the deadline.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Drain {
    pub(crate) deadline: std::time::Duration,
    pub(crate) answer: tokio::sync::oneshot::Sender<usize>,
}

impl Handler<Drain> for TaskEngine {
    type Result = ();

    fn handle(&mut self, drain: Drain, context: &mut Self::Context) {
        self.shard.draining.set(true);
        self.places.clear();
        self.drained = Some(drain.answer);
        self.answer_if_drained();
        context.run_later(drain.deadline, |engine, _context| engine.give_up());
    }
}

/// Ends the engine; handlers that are still at work are dropped.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Dismiss;

impl Handler<Dismiss> for TaskEngine {
    type Result = ();

    fn handle(&mut self, _dismiss: Dismiss, context: &mut Self::Context) {
        self.running.abandon();
        context.stop();
    }
}

impl TaskEngine {
    fn answer_if_drained(&mut self) {
        if self.running.is_empty()
            && let Some(answer) = self.drained.take()
        {
            // Whoever asked may have given up already.
            let _ = answer.send(0);
        }
    }

    fn give_up(&mut self) {
        let left = self.running.abandon();
        if let Some(answer) = self.drained.take() {
            // Whoever asked may have given up already.
            let _ = answer.send(left);
        }
    }
}
