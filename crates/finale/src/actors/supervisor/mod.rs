//! The actor of a shard's executions: it owns the addresses and the table of who waits for what, and decides nothing.

mod answers;
mod end;
mod journal;
mod news;
mod reports;
mod send;
mod sides;
mod take_in;
mod telling;

use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as Polling, Poll, Waker};

use actix::{Actor, ActorFuture, Addr, AsyncContext, Context, Handler};
use finale_core::number::{BatchNo, Callback};
use finale_core::supervisor::{Health, Input, Options, Outbox, Supervisor as Machine, ToEngine};
use finale_core::{ExecutionId, Time};
use rustc_hash::FxHashMap;

use crate::completion::Completion;
use crate::fence::fenced;
use crate::telemetry::TARGET;

use super::alarm::Alarm;
use super::inbox::Inbox;
use super::lane::Lane;
use super::local;
use super::messages::{ForEngine, ForExecution, ForSupervisor, Restart, Side};
use super::open_limit::OpenLimit;
use super::requests::Requests;
use super::shared::Shared;
use super::task_engine::TaskEngine;
use super::way_in::{Peers, ToShard};
use end::Leaving;
pub(crate) use journal::HISTORIES_MAX;
use send::to_engine;
use telling::Telling;

pub(crate) struct Supervisor {
    shared: Rc<Shared>,
    options: Options,
    machine: Machine,
    out: Outbox,
    inbox: Arc<Inbox<ToShard>>,
    /// Taken from the inbox, and left for the next turn.
    waiting: VecDeque<ToShard>,
    requests: Requests,
    /// What belongs to parked executions, by the index of their slots; the others' is with their actors.
    sides: Vec<Option<Side>>,
    /// What handles of executions wait on that cannot be read.
    unreadable: FxHashMap<ExecutionId, Arc<Completion>>,
    /// What was read and waits until what it has in it is durable.
    held_reads: u32,
    /// Handlers that are told of ends.
    telling: Telling,
    /// Executions whose end is being published, with what belongs to them.
    ending: VecDeque<(ExecutionId, Side)>,
    engine: Lane<ForEngine>,
    engine_address: Addr<TaskEngine>,
    /// What the other actors of the shard send here.
    own: Lane<ForSupervisor>,
    /// Storage for what they send.
    spare: VecDeque<ForSupervisor>,
    /// By their numbers; started when they are needed for the first time.
    actors: Vec<Lane<ForExecution>>,
    peers: Peers,
    open: OpenLimit,
    alarm: Alarm,
    /// Wakes the actor so that it looks at the clock and sends what has gathered.
    drive: Waker,
    /// Whether the machine knows that the journal is full.
    told_full: bool,
    /// Whether everybody knows that the shard has failed.
    told_failed: bool,
    leaving: Option<Leaving>,
    /// How the shard is doing, as was said last.
    health: Option<Health>,
    /// The newest batch of outcomes of parked executions that was passed on.
    taken: BatchNo,
}

impl Supervisor {
    pub(crate) fn new(
        shared: Rc<Shared>,
        options: Options,
        (inbox, own): (Arc<Inbox<ToShard>>, Lane<ForSupervisor>),
        (engine, engine_address): (Lane<ForEngine>, Addr<TaskEngine>),
        peers: Peers,
        open: OpenLimit,
    ) -> Self {
        Self {
            alarm: Alarm::new(shared.clock),
            shared,
            machine: Machine::new(options.clone()),
            options,
            out: Outbox::default(),
            inbox,
            waiting: VecDeque::new(),
            requests: Requests::default(),
            sides: Vec::new(),
            unreadable: FxHashMap::default(),
            held_reads: 0,
            telling: Telling::default(),
            ending: VecDeque::new(),
            engine,
            engine_address,
            own,
            spare: VecDeque::new(),
            actors: Vec::new(),
            peers,
            open,
            drive: Waker::noop().clone(),
            told_full: false,
            told_failed: false,
            leaving: None,
            health: None,
            taken: BatchNo::NONE,
        }
    }

    /// Tells the machine something and does what comes of it.
    fn tell(&mut self, input: Input, context: &mut Context<Self>) {
        let now = self.shared.clock.now();
        self.decide(now, input);
        self.carry_out(context);
    }

    /// The door of the machine, and the fence around it.
    fn decide(&mut self, at: Time, input: Input) {
        let (machine, out, shared) = (&mut self.machine, &mut self.out, &self.shared);
        let handled = fenced(|| {
            let kind = shared.kind_of(&input);
            machine.handle(at, input, out);
            shared.strike_supervisor(kind);
        });
        let Err(panicked) = handled else { return };
        tracing::error!(target: TARGET, shard = self.shared.index, reason = %panicked.reason, "the supervisor panicked");
        // The input was taken into the old state before anything was done about it: it is acted on again.
        let lost = std::mem::replace(&mut self.machine, Machine::new(self.options.clone()));
        let out = &mut self.out;
        match fenced(|| lost.rebuild(at, out)) {
            Ok(rebuilt) => self.machine = rebuilt,
            Err(_) => self.shared.vitals.die(),
        }
    }

    /// Does what the machine wants done, until nothing is left.
    fn carry_out(&mut self, context: &mut Context<Self>) {
        loop {
            let left = self.send_to_engine();
            if !self.out.reconciles.is_empty() {
                self.send_reconciles();
            }
            if !self.out.actors.is_empty() {
                self.send_to_actors();
            }
            if !self.out.published.is_empty() {
                let mut published = std::mem::take(&mut self.out.published);
                published.drain(..).for_each(|published| self.publish(published));
                self.out.published = published;
            }
            if !self.out.ends.is_empty() {
                self.tell_ends();
            }
            // Not before its end was said, if it has one: whoever waits hears that it is abandoned.
            drop(left);
            if self.out.is_empty() || !self.carry_out_rest(context) {
                break;
            }
        }
    }

    /// Gives what was here of executions that are over.
    fn send_to_engine(&mut self) -> Vec<Side> {
        let mut left = Vec::new();
        for message in self.out.engine.drain(..) {
            if let ToEngine::Deregister { slot, .. } = message {
                // One that ended with its actor left nothing here.
                left.extend(self.sides.get_mut(slot.index()).and_then(Option::take));
            }
            // Nothing comes of it that an actor has an execution before the actor has something to be done.
            let waits = matches!(message, ToEngine::Register(_) | ToEngine::Moved { callback: Callback::Actor(_), .. });
            let message = ForEngine::Change(to_engine(message));
            if waits { self.engine.put(message) } else { self.engine.send(message) }
        }
        left
    }

    /// Does what is rare; gives whether the machine was told something over it.
    fn carry_out_rest(&mut self, context: &mut Context<Self>) -> bool {
        let mut told = false;
        for (shard, message) in std::mem::take(&mut self.out.shards) {
            told |= self.send_to_shard(shard, message);
        }
        for reply in std::mem::take(&mut self.out.replies) {
            self.reply(reply, context);
        }
        for query in std::mem::take(&mut self.out.queries) {
            self.look(query);
        }
        self.read_all(context);
        for executions in self.out.forgotten.drain(..) {
            self.shared.directory.forget(&executions);
        }
        for notice in std::mem::take(&mut self.out.notices) {
            self.note(&notice);
        }
        told |= self.write_all();
        told |= self.change_permits();
        if let Some(left) = self.out.left.take() {
            self.leave(left, context);
        }
        told
    }

    fn flush(&mut self) {
        // Here nothing is left in the outbox; what was read and waits for its turn is in no machine yet.
        if self.held_reads == 0 && self.shared.definitions.borrow().are_many() {
            self.shared.definitions.borrow_mut().forget_all_but(&self.machine.definitions_in_use());
        }
        let health = self.machine.health();
        if self.health.replace(health) == Some(health) {
            return;
        }
        self.shared.metrics.admission_queue.set(health.queued);
        self.shared.metrics.executions_running.set(health.open);
        self.shared.vitals.supervisor(&health);
        if health.shard_failed && !std::mem::replace(&mut self.told_failed, true) {
            self.shard_failed();
        }
    }
}

/// Takes what the other actors have sent, looks at the clock, and sends what has gathered, after the mailbox is empty.
struct Drive;

impl ActorFuture<Supervisor> for Drive {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        supervisor: &mut Supervisor,
        actor: &mut Context<Supervisor>,
        context: &mut Polling<'_>,
    ) -> Poll<()> {
        if !supervisor.drive.will_wake(context.waker()) {
            supervisor.drive = context.waker().clone();
            supervisor.own.wakes(context);
        }
        supervisor.take_lane(actor);
        supervisor.poll_telling(actor, context);
        if supervisor.alarm.has_come(supervisor.machine.wake_at(), context) {
            supervisor.tell(Input::Wake, actor);
            if supervisor.alarm.has_come(supervisor.machine.wake_at(), context) {
                // Others of this thread get their turn in between.
                context.waker().wake_by_ref();
            }
        }
        supervisor.flush();
        Poll::Pending
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.spawn(Drive);
    }
}

impl Handler<Restart> for Supervisor {
    type Result = ();

    fn handle(&mut self, Restart(recover): Restart, context: &mut Self::Context) {
        self.take_lane(context);
        self.tell(Input::Recover(recover), context);
    }
}

impl Drop for Supervisor {
    /// Whoever waits for this shard hears that it is gone, whatever it went of.
    fn drop(&mut self) {
        local::leave(&self.inbox);
        drop(self.inbox.close());
        self.unreadable.values().for_each(|completion| completion.abandon());
        self.shared.port.close();
    }
}
