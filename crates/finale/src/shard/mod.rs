//! One shard: one thread, its executions, and the three actors that move them.
//!
//! Everything here lives on that thread. The actors hand each other work through boxes in this struct and only nudge
//! each other by message: what is handed over is not in a mailbox, so it is not lost with the actor it was for,
//! and everything that came in meanwhile is taken at once.

mod bound;
mod live;
mod past;
mod turns;

pub(crate) use bound::Bound;
pub(crate) use live::{EarlyReport, Live, Mail, Reply, Shown};
pub(crate) use turns::{Answers, Attempted};

use turns::Held;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use actix::Addr;
use finale_core::execution::{Effect, Report, Turn};
use finale_core::{DefinitionHash, ExecutionId};
use finale_journal::{Journal, JournalError, Position, Writer};
use rustc_hash::FxHashMap;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::context::Data;
use crate::execution_actor::ExecutionActor;
use crate::faults::Injected;
use crate::handler::Handlers;
use crate::late::Ledger;
use crate::metering::ShardMetrics;
use crate::mint::Mint;
use crate::options::Options;
use crate::supervisor::{Supervisor, WrittenOff};
use crate::task_engine::{Dismiss, TaskEngine};
use crate::vitals::Vitals;

/// What the actors of one thread share.
pub(crate) struct Shard {
    pub(crate) index: u16,
    pub(crate) options: Arc<Options>,
    pub(crate) handlers: Handlers,
    pub(crate) data: Data,
    pub(crate) clock: Clock,
    pub(crate) faults: Injected,
    pub(crate) mint: RefCell<Mint>,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) metrics: ShardMetrics,
    pub(crate) vitals: Arc<Vitals>,
    pub(crate) ledger: RefCell<Ledger>,
    writer: RefCell<Box<dyn Writer>>,
    failed: RefCell<Option<JournalError>>,
    /// Position of the last append.
    appended: Cell<Position>,
    /// Turns whose facts are not durable yet, in the order of their positions.
    held: RefCell<VecDeque<Held>>,
    /// Executions that read no mail until the journal has room again.
    stalled: RefCell<Vec<Rc<Live>>>,
    /// The turn that is used again and again.
    turn: RefCell<Turn>,
    pub(crate) bounds: RefCell<FxHashMap<DefinitionHash, Rc<Bound>>>,
    /// Every execution that has not ended, newest last.
    pub(crate) directory: RefCell<BTreeMap<ExecutionId, Rc<Live>>>,
    /// How many executions have something to do.
    pub(crate) active: Cell<usize>,
    /// How many early outcomes are kept.
    pub(crate) early: Cell<usize>,
    engine: Desk<TaskEngine, Work>,
    supervisor: Desk<Supervisor, Note>,
    /// The last word: nothing is begun any more.
    pub(crate) draining: Cell<bool>,
    /// Dropped after everything else: who waits for that finds the journal free.
    gone: watch::Sender<()>,
}

/// Something the engine is to do for an execution.
pub(crate) enum Work {
    /// Perform these effects, in this order.
    Perform(Rc<Live>, Vec<Effect>),
    /// Hand over what somebody outside reports on a task.
    Report(Rc<Live>, Report, Reply),
    /// Look whether everything that must be under way is.
    Reconcile(Rc<Live>),
}

/// Something the supervisor is told.
pub(crate) enum Note {
    /// An execution has ended, durably.
    Ended(Rc<Live>),
    /// The actor of an execution died.
    Died(Rc<Live>),
    /// There may be place for another execution.
    Place,
    /// An execution that could not be read counts as failed, durably.
    WrittenOff(Box<WrittenOff>),
    /// The journal has failed.
    JournalFailed,
}

/// Where work for one actor lies until it takes it.
struct Desk<A: actix::Actor, T> {
    actor: OnceCell<Addr<A>>,
    pile: RefCell<VecDeque<T>>,
    nudged: Cell<bool>,
}

/// Tells an actor that there is something on its desk.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub(crate) struct Nudge;

impl<A, T> Desk<A, T>
where
    A: actix::Actor<Context = actix::Context<A>> + actix::Handler<Nudge>,
{
    fn new() -> Self {
        Self { actor: OnceCell::new(), pile: RefCell::default(), nudged: Cell::new(false) }
    }

    fn put(&self, item: T) {
        self.pile.borrow_mut().push_back(item);
        self.nudge();
    }

    fn nudge(&self) {
        if !self.nudged.replace(true)
            && let Some(actor) = self.actor.get()
        {
            actor.do_send(Nudge);
        }
    }

    fn take(&self) -> Option<T> {
        let item = self.pile.borrow_mut().pop_front();
        if item.is_none() {
            self.nudged.set(false);
        }
        item
    }
}

/// What a shard is made from; it can be sent to the thread of the shard.
pub(crate) struct Plan {
    pub(crate) index: u16,
    pub(crate) options: Arc<Options>,
    pub(crate) handlers: Handlers,
    pub(crate) data: Data,
    pub(crate) faults: Injected,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) vitals: Arc<Vitals>,
    pub(crate) gone: watch::Sender<()>,
}

impl Shard {
    pub(crate) fn new(plan: Plan, writer: Box<dyn Writer>) -> Rc<Self> {
        let Plan { index, options, handlers, data, faults, journal, vitals, gone } = plan;
        Rc::new(Self {
            index,
            mint: RefCell::new(Mint::new(index, options.shards)),
            ledger: RefCell::new(Ledger::new(options.limits.late_events_max)),
            metrics: ShardMetrics::new(),
            vitals,
            options,
            handlers,
            data,
            clock: faults.as_ref().and_then(|faults| faults.wall()).map_or_else(Clock::start, Clock::at),
            faults,
            journal,
            writer: RefCell::new(writer),
            failed: RefCell::default(),
            appended: Cell::default(),
            held: RefCell::default(),
            stalled: RefCell::default(),
            turn: RefCell::default(),
            bounds: RefCell::default(),
            directory: RefCell::default(),
            active: Cell::new(0),
            early: Cell::new(0),
            engine: Desk::new(),
            supervisor: Desk::new(),
            draining: Cell::new(false),
            gone,
        })
    }

    /// Says who sits at the desks; there is nothing on them before.
    pub(crate) fn staff(&self, engine: Addr<TaskEngine>, supervisor: Addr<Supervisor>) {
        // The desks are fresh: nobody sat there before.
        let _ = self.engine.actor.set(engine);
        let _ = self.supervisor.actor.set(supervisor);
    }

    /// As long as this lives, whoever waits for the end of the shard waits on.
    pub(crate) fn gone(&self) -> watch::Sender<()> {
        self.gone.clone()
    }

    pub(crate) fn find(&self, execution: ExecutionId) -> Option<Rc<Live>> {
        self.directory.borrow().get(&execution).cloned()
    }

    pub(crate) fn work(&self, work: Work) {
        self.engine.put(work);
    }

    pub(crate) fn next_work(&self) -> Option<Work> {
        self.engine.take()
    }

    pub(crate) fn note(&self, note: Note) {
        self.supervisor.put(note);
    }

    pub(crate) fn next_note(&self) -> Option<Note> {
        self.supervisor.take()
    }

    /// Hands something to an execution; its actor is started if it has none.
    pub(crate) fn deliver(self: &Rc<Self>, live: &Rc<Live>, mail: Mail) {
        live.put(mail);
        self.wake(live);
    }

    /// Sees to it that the mail of an execution is read.
    pub(crate) fn wake(self: &Rc<Self>, live: &Rc<Live>) {
        if live.is_quarantined() || live.nudge() {
            return;
        }
        self.active.set(self.active.get() + 1);
        let actor = ExecutionActor::new(Rc::clone(self), Rc::clone(live));
        live.seat(actix::Actor::start(actor));
    }

    /// Takes the actor of an execution away that has nothing to do: it costs more than the execution itself.
    pub(crate) fn park(&self, live: &Live) {
        if live.has_mail() || !live.unseat() {
            return;
        }
        self.active.set(self.active.get() - 1);
        if self.active.get() < self.options.limits.active_executions_max {
            self.note(Note::Place);
        }
    }

    /// Throws away what waits for the journal or the engine, and sends the engine away: the shard is at its end.
    pub(crate) fn close(&self) {
        drop(self.held.take());
        drop(self.stalled.take());
        drop(self.engine.pile.take());
        if let Some(engine) = self.engine.actor.get() {
            engine.do_send(Dismiss);
        }
    }

    /// Whether the journal has room for another turn; if not, the execution takes its turn when it has.
    pub(crate) fn has_room_for(&self, live: &Rc<Live>) -> bool {
        let has_room = !self.is_full();
        if !has_room {
            self.stalled.borrow_mut().push(Rc::clone(live));
        }
        has_room
    }

    /// Whether it is better to write nothing more for now.
    pub(crate) fn is_full(&self) -> bool {
        self.writer.borrow().is_full()
    }

    /// Goes on with the executions that waited for room in the journal.
    fn go_on_stalled(&self) {
        if self.is_full() {
            return;
        }
        for live in self.stalled.take() {
            live.nudge();
        }
    }

    /// The error the journal failed with, if it has.
    pub(crate) fn journal_error(&self) -> Option<JournalError> {
        self.failed.borrow().clone()
    }
}
