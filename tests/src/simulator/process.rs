//! A model of the process: everything here is gone with a crash.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use finale_core::execution::{Effect, Refused, Report, Turn};
use finale_core::{Compiled, Execution, ExecutionId, ExecutionStatus};

use super::engine::Engine;
use super::messages::{Asking, Mail, Number};

#[derive(Debug)]
pub(super) struct Process {
    pub(super) life: u32,
    pub(super) standing: Standing,
    /// Executions that have not ended.
    pub(super) lives: BTreeMap<Number, Live>,
    /// Executions that will be looked at by the recovery.
    pub(super) recovering: BTreeSet<Number>,
    pub(super) keys: BTreeMap<u16, Number>,
    /// Executions that have ended, and how.
    pub(super) archive: BTreeMap<Number, ExecutionStatus>,
    pub(super) shards: Vec<Shard>,
    pub(super) turn: Turn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Up,
    /// The journal has failed: nothing goes on.
    Failed,
    Down,
}

/// One execution that has not ended.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) shard: usize,
    pub(super) definition: Rc<Compiled>,
    pub(super) index: usize,
    pub(super) state: Execution,
    /// The chain over its history so far.
    pub(super) chain: u64,
    /// How many of its facts are known to be durable.
    pub(super) durable: u64,
    /// The status that everybody may see.
    pub(super) published: ExecutionStatus,
    pub(super) inbox: VecDeque<Mail>,
    /// How much mail is on its way.
    pub(super) flying: u32,
    pub(super) nudged: bool,
    /// Whether its actor died and it is not rebuilt yet.
    pub(super) dead: bool,
    /// Whether what must be under way after its recovery was not handed over yet.
    pub(super) recovered: bool,
    /// How many of its turns lie with the engine.
    pub(super) unperformed: u32,
    /// Whether a message was lost that nobody has missed yet.
    pub(super) lost: bool,
    pub(super) early: Vec<(Report, Asking)>,
    /// Who waits for the activation to be durable.
    pub(super) begun: Vec<Asking>,
    /// Who waits for the end of a cancellation.
    pub(super) cancels: Vec<Asking>,
    /// Who waits for the end.
    pub(super) watchers: Vec<Asking>,
}

/// One shard: its own order of appends, its own engine.
#[derive(Debug, Default)]
pub(super) struct Shard {
    /// Position of the last append.
    pub(super) position: u64,
    pub(super) held: VecDeque<Held>,
    pub(super) desk: VecDeque<Work>,
    pub(super) nudged: bool,
    pub(super) engine: Engine,
}

/// What becomes visible of a turn once its facts are durable.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) position: u64,
    pub(super) number: Number,
    pub(super) last_sequence: u64,
    pub(super) status: ExecutionStatus,
    pub(super) effects: Vec<Effect>,
    pub(super) answers: Answers,
}

/// What is said of a turn.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) replies: Vec<(Asking, bool, Result<(), Refused>)>,
    pub(super) seen: Vec<(Asking, u64, ExecutionStatus)>,
    /// What must be under way in a new process, before anything else is performed.
    pub(super) under_way: Vec<Effect>,
}

/// Something the engine is to do.
#[derive(Debug)]
pub(super) enum Work {
    Perform { number: Number, effects: VecDeque<Effect> },
    Report { number: Number, report: Report, asking: Asking },
    Reconcile { number: Number },
}

impl Process {
    pub(super) fn new(life: u32, standing: Standing, shards: usize) -> Self {
        Self {
            life,
            standing,
            lives: BTreeMap::new(),
            recovering: BTreeSet::new(),
            keys: BTreeMap::new(),
            archive: BTreeMap::new(),
            shards: (0..shards).map(|_| Shard::default()).collect(),
            turn: Turn::new(),
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.standing == Standing::Up
    }

    /// The shard of an execution follows from its id alone.
    pub(super) fn shard_of(&self, number: Number) -> usize {
        number as usize % self.shards.len()
    }

    pub(super) fn engine(&mut self, number: Number) -> &mut Engine {
        let shard = self.shard_of(number);
        &mut self.shards[shard].engine
    }
}

impl Shard {
    /// The next turn that this watermark lets go.
    pub(super) fn next_held(&mut self, position: u64) -> Option<Held> {
        let is_due = self.held.front().is_some_and(|held| held.position <= position);
        if is_due { self.held.pop_front() } else { None }
    }
}

impl Live {
    pub(super) fn new(shard: usize, definition: Rc<Compiled>, index: usize, id: ExecutionId) -> Self {
        Self {
            shard,
            state: Execution::new(id, &definition),
            definition,
            index,
            chain: 0,
            durable: 0,
            published: ExecutionStatus::Pending,
            inbox: VecDeque::new(),
            flying: 0,
            nudged: false,
            dead: false,
            recovered: false,
            unperformed: 0,
            lost: false,
            early: Vec::new(),
            begun: Vec::new(),
            cancels: Vec::new(),
            watchers: Vec::new(),
        }
    }

    /// Whether something is on its way to it that its state does not know of, or from it that the engine does not.
    pub(super) fn is_busy(&self) -> bool {
        self.dead || self.flying > 0 || !self.inbox.is_empty() || self.unperformed > 0
    }

    pub(super) fn is_durable(&self) -> bool {
        self.durable == self.state.sequence()
    }
}
