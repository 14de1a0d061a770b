//! What the actors of one thread share: read-only, but for the journal port and the table of definitions.

use std::borrow::Borrow;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use actix::Addr;
use finale_core::execution::{Effect, Input};
use finale_core::number::{DefinitionNo, ShardNo, Slot};
use finale_core::supervisor::{self, Begin, WriteNo};
use finale_core::task_engine::{self, Leak};
use finale_core::{Epoch, Payload};
use finale_journal::{Journal, JournalError};

use super::bound::Bound;
use super::definitions::Definitions;
use super::directory::Directory;
use super::execution_actor::ExecutionActor;
use super::messages::{CommittedTurn, Durable, JournalHasRoom, PortNews};
use super::permits::Permits;
use super::port::{Port, Receiver};
use super::start::{Ending, Endings};
use super::supervisor::Supervisor;
use crate::clock::Clock;
use crate::context::Data;
use crate::ended::EndedHandlers;
use crate::faults::{Faults, Injected};
use crate::handler::Handlers;
use crate::metering::ShardMetrics;
use crate::options::Options;
use crate::telemetry::TARGET;
use crate::vitals::Vitals;

pub(crate) struct Shared {
    pub(crate) index: u16,
    pub(crate) options: Arc<Options>,
    pub(crate) handlers: Handlers,
    /// Who is told of ends.
    pub(crate) ended: EndedHandlers,
    pub(crate) data: Data,
    pub(crate) clock: Clock,
    pub(crate) faults: Injected,
    pub(crate) journal: Arc<dyn Journal>,
    /// The number of the claim of the journal.
    pub(crate) epoch: Epoch,
    pub(crate) port: Rc<Port<Released>>,
    pub(crate) metrics: ShardMetrics,
    pub(crate) vitals: Arc<Vitals>,
    pub(crate) directory: Arc<Directory>,
    /// The storage of effects that the task engine has performed, to be used again.
    spent_effects: RefCell<Vec<Vec<(Slot, Effect)>>>,
    /// The storage of what executions have begun with, to be used again.
    #[expect(clippy::vec_box, reason = "the boxes are what is used again")]
    spent_begins: RefCell<Vec<Box<Begin>>>,
    pub(crate) definitions: RefCell<Definitions>,
    waiting_for_room: RefCell<Vec<Rc<Addr<ExecutionActor>>>>,
    /// Dropped last: when the end of the shard is reported, nothing of it is left.
    leaving: Leaving,
}

/// Reports the end of a shard when it is dropped.
struct Leaving {
    index: u16,
    journal: Option<Arc<dyn Journal>>,
    vitals: Arc<Vitals>,
    endings: Arc<Endings>,
    /// The pools of all limits of the runtime.
    pools: [Arc<Permits>; 2],
    /// How the shard ends, once that is known.
    ending: Cell<Option<Ending>>,
}

/// Something that becomes visible when it is durable.
pub(crate) enum Released {
    Turn(Rc<Addr<ExecutionActor>>, Box<CommittedTurn>),
    Write(Option<WriteNo>),
    /// What was found in the journal, with facts in it that were not durable then.
    Found(Vec<supervisor::Input>),
}

impl Shared {
    /// The definition with that number.
    pub(crate) fn definition(&self, number: DefinitionNo) -> Rc<Bound> {
        self.definitions.borrow().get(number).expect("whatever refers to a definition keeps it")
    }

    pub(crate) fn new(parts: Parts, port: Rc<Port<Released>>) -> Self {
        let Parts {
            index,
            options,
            handlers,
            ended,
            data,
            faults,
            journal,
            epoch,
            vitals,
            directory,
            endings,
            permits,
            open,
        } = parts;
        let leaving = Leaving {
            index,
            journal: Some(Arc::clone(&journal)),
            vitals: Arc::clone(&vitals),
            endings,
            pools: [permits, open],
            ending: Cell::new(None),
        };
        Self {
            index,
            metrics: ShardMetrics::new(),
            clock: faults.as_ref().and_then(|faults| faults.wall()).map_or_else(Clock::start, Clock::at),
            options,
            handlers,
            ended,
            data,
            faults,
            journal,
            epoch,
            port,
            vitals,
            directory,
            spent_effects: RefCell::default(),
            spent_begins: RefCell::default(),
            definitions: RefCell::default(),
            waiting_for_room: RefCell::default(),
            leaving,
        }
    }

    /// The actor is told when the journal has room again.
    pub(crate) fn wait_for_room(&self, actor: Rc<Addr<ExecutionActor>>) {
        self.waiting_for_room.borrow_mut().push(actor);
    }

    /// Keeps the storage of effects that were performed, as much as all actors at work may need.
    pub(crate) fn keep_spent(&self, spent: &mut Vec<Vec<(Slot, Effect)>>) {
        let mut kept = self.spent_effects.borrow_mut();
        kept.append(spent);
        kept.truncate(self.options.limits.active_executions_max);
    }

    /// Empty storage for effects.
    pub(crate) fn room_for_effects(&self) -> Vec<(Slot, Effect)> {
        self.spent_effects.borrow_mut().pop().unwrap_or_default()
    }

    /// Keeps the storage of what an execution has begun with; what it holds may be large, and is let go.
    pub(crate) fn keep_begin(&self, mut begin: Box<Begin>) {
        let mut kept = self.spent_begins.borrow_mut();
        if kept.len() < self.options.limits.active_executions_max {
            begin.input = Payload::NULL;
            kept.push(begin);
        }
    }

    /// Gives the storage of what executions have begun with.
    #[expect(clippy::vec_box, reason = "the boxes are what is used again")]
    pub(crate) fn take_begins(&self, taken: &mut Vec<Box<Begin>>) {
        taken.append(&mut self.spent_begins.borrow_mut());
    }

    /// How the shard ends is known; it is reported when nothing of it is left.
    pub(crate) fn ends_with(&self, ending: Ending) {
        self.leaving.ending.set(Some(ending));
    }

    /// The journal takes nothing more; everybody here hears of it.
    pub(crate) fn journal_failed(&self, error: &JournalError) {
        self.port.report_failure(error);
    }

    /// What the journal failed with; for who knows that it has.
    pub(crate) fn journal_error(&self) -> JournalError {
        let unknown = || JournalError::Failed("the journal takes nothing more".into());
        self.port.error().cloned().unwrap_or_else(unknown)
    }

    /// Whether a test has asked that a batch of outcomes is lost on its way.
    pub(crate) fn loses_outcomes(&self) -> bool {
        self.faults.as_ref().is_some_and(|faults| Faults::strike(&faults.lose_outcomes))
    }

    /// Panics if a test has asked for that.
    pub(crate) fn strike<T: Borrow<Input>>(&self, input: impl FnOnce() -> T) {
        if let Some(faults) = &self.faults {
            let input = input();
            let input = input.borrow();
            faults.kill_execution.strike(input);
            let over_outcome = matches!(input, Input::Outcome { .. }) && Faults::strike(&faults.panic_over_outcome);
            assert!(!over_outcome && !Faults::strike(&faults.panic_in_turn), "a fault was injected");
        }
    }

    /// The same of the machine of the task engine.
    pub(crate) fn strike_engine(&self, input: &task_engine::Input) {
        if let Some(faults) = &self.faults {
            faults.kill_engine.strike(input);
        }
    }

    /// What a test is told that it killed the machine of the supervisor over.
    pub(crate) fn kind_of(&self, input: &supervisor::Input) -> Option<String> {
        let faults = self.faults.as_ref().filter(|faults| faults.kill_supervisor.is_armed())?;
        Some(faults).map(|_| format!("{input:?}"))
    }

    /// The same of the machine of the supervisor, which has taken its input in.
    pub(crate) fn strike_supervisor(&self, kind: Option<String>) {
        if let (Some(faults), Some(kind)) = (&self.faults, kind) {
            faults.kill_supervisor.strike(&format_args!("{kind}"));
        }
    }

    /// Notes that a blocking handler was given up: it holds its places until its thread comes back.
    pub(crate) fn leaked(&self, leak: &Leak) {
        let handler = self.handlers.names_by_number().into_iter().nth(usize::from(leak.attempt.handler.0));
        tracing::warn!(
            target: TARGET,
            handler,
            attempt = %leak.attempt.dispatch.attempt,
            "a blocking handler did not stop in time: it keeps its place until its thread comes back",
        );
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        let ending = self.ending.take().unwrap_or_else(|| {
            self.vitals.die();
            // A report of zeros would say that nothing was cut short here.
            let (unfinished, dropped) = self.vitals.last_open_and_running();
            Ending { unfinished, dropped, in_order: false, gone: true }
        });
        // What it held of the limits is for the others.
        for pool in &self.pools {
            pool.remove(ShardNo(self.index));
        }
        if let Some(journal) = self.journal.take() {
            self.endings.report(self.index, ending, journal);
        }
    }
}

/// What is shared is made from; it can be sent to the thread of the shard.
pub(crate) struct Parts {
    pub(crate) index: u16,
    pub(crate) options: Arc<Options>,
    pub(crate) handlers: Handlers,
    pub(crate) ended: EndedHandlers,
    pub(crate) data: Data,
    pub(crate) faults: Injected,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) epoch: Epoch,
    pub(crate) vitals: Arc<Vitals>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) endings: Arc<Endings>,
    /// Limits on handlers at work.
    pub(crate) permits: Arc<Permits>,
    /// The limit on open executions.
    pub(crate) open: Arc<Permits>,
}

/// Takes what the port releases to its receivers.
pub(crate) struct Releases {
    pub(crate) shared: Rc<Shared>,
    pub(crate) supervisor: Addr<Supervisor>,
}

impl Receiver<Released> for Releases {
    fn release(&self, item: Released) {
        match item {
            Released::Turn(actor, turn) => actor.do_send(Durable(turn, Ok(()))),
            Released::Write(Some(number)) => self.supervisor.do_send(PortNews::Written(number)),
            Released::Write(None) => {}
            Released::Found(input) => self.supervisor.do_send(PortNews::Found(input)),
        }
    }

    fn discard(&self, item: Released, error: &JournalError) {
        if let Released::Turn(actor, turn) = item {
            actor.do_send(Durable(turn, Err(error.clone())));
        }
    }

    fn room(&self) {
        for actor in self.shared.waiting_for_room.take() {
            actor.do_send(JournalHasRoom);
        }
        self.supervisor.do_send(PortNews::HasRoom);
    }

    fn failed(&self, error: &JournalError) {
        self.shared.vitals.journal_failed(error);
        self.supervisor.do_send(PortNews::Failed);
    }
}
