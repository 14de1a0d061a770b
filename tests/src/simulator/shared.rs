//! What all shards of a process share: the journal, the pools of permits, the clock, the callers, and chance.

use std::collections::{BTreeMap, VecDeque};

use finale_core::execution::Input;
use finale_core::number::{RequestId, ShardNo};
use finale_core::permits::PermitPool;
use finale_core::supervisor::{Activate, Ask, ToShard as ToPeer};
use finale_core::{ExecutionId, Time, task_engine};

use super::audit::Audit;
use super::bugs::Bug;
use super::flows::Flow;
use super::journal::Journal;
use super::tally::Count;
use super::trace::Trace;
use crate::dice::Dice;

/// What comes to a shard from outside of it.
#[derive(Clone, Debug)]
pub(super) enum ToShard {
    Activate(Activate),
    Ask(Ask),
    Peer { from: ShardNo, message: ToPeer },
    OpenWanted { by: u16 },
    OpenAnswered,
    Permits(task_engine::Input),
    Shutdown { within: u64 },
}

/// Who waits for an answer.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) shard: u16,
    pub(super) what: &'static str,
}

/// How often something goes wrong, in ten thousand times; 0 if it never does in this run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Chances {
    pub(super) execution_panic: u32,
    pub(super) engine_panic: u32,
    pub(super) supervisor_panic: u32,
    pub(super) crash: u32,
    pub(super) shutdown: u32,
    pub(super) journal_failure: u32,
    pub(super) duplicate: u32,
    pub(super) read_failure: u32,
    pub(super) stuck_read: u32,
    pub(super) overtake: u32,
    /// Messages between a task engine and the actors that are lost.
    pub(super) loss: u32,
    /// Handlers that fail over an end that they are told of.
    pub(super) not_taken: u32,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) dice: Dice,
    pub(super) now: Time,
    pub(super) bug: Option<Bug>,
    pub(super) chances: Chances,
    pub(super) flows: Vec<Flow>,
    pub(super) journal: Journal,
    pub(super) audit: Audit,
    pub(super) trace: Trace,
    pub(super) shards: u16,
    /// The limits on handlers at work, and the one on open executions.
    pub(super) running: PermitPool,
    pub(super) open: PermitPool,
    /// What is on its way to shards, by who sends it: other shards first, then callers.
    pub(super) inboxes: BTreeMap<(u16, u16), VecDeque<ToShard>>,
    pub(super) gone: Vec<bool>,
    pub(super) requests: BTreeMap<RequestId, Request>,
    requests_given: u64,
    /// A number that makes each output of a handler another one.
    pub(super) outputs: u64,
    /// How many custom statuses handlers have set; each says its number.
    pub(super) statuses: u64,
    /// The execution over which its machine panics again and again.
    pub(super) poisoned: Option<ExecutionId>,
    /// Whether messages can be lost in this run: then actors repair what is not answered.
    pub(super) is_lossy: bool,
    /// The workflow of which this process has not all handlers.
    pub(super) without_handlers: Option<usize>,
    /// Whether handlers are told of ends.
    pub(super) tells: bool,
}

/// How many handlers are told of each end, where some are.
pub(super) const ENDED_HANDLERS: u16 = 2;

impl Shared {
    pub(super) fn new(dice: Dice, bug: Option<Bug>, flows: Vec<Flow>, shards: u16, lines: usize) -> Self {
        Self {
            dice,
            now: Time::from_micros(1_000_000_000_000),
            bug,
            chances: Chances::default(),
            flows,
            journal: Journal::new(bug),
            audit: Audit::default(),
            trace: Trace::new(lines),
            shards,
            running: PermitPool::new([], 1),
            open: PermitPool::new([], 1),
            inboxes: BTreeMap::new(),
            gone: Vec::new(),
            requests: BTreeMap::new(),
            requests_given: 0,
            outputs: 0,
            statuses: 0,
            poisoned: None,
            is_lossy: false,
            without_handlers: None,
            tells: false,
        }
    }

    pub(super) fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    /// Puts something into the inbox of a shard; false if the shard is gone.
    pub(super) fn put(&mut self, from: u16, to: u16, what: ToShard) -> bool {
        if self.gone[usize::from(to)] {
            return false;
        }
        self.inboxes.entry((to, from)).or_default().push_back(what);
        true
    }

    pub(super) fn request(&mut self, shard: u16, what: &'static str) -> RequestId {
        self.requests_given += 1;
        let request = RequestId(self.requests_given);
        self.requests.insert(request, Request { shard, what });
        request
    }

    /// A request is answered; nobody may be answered twice, unless everybody was told of a failure before.
    pub(super) fn answer(&mut self, request: RequestId, with: &'static str, failed: bool) {
        self.trace.note(self.now, || format!("request {} is answered: {with}", request.0));
        let known = self.requests.remove(&request);
        if known.is_none() && !failed {
            self.audit.violate("everybody_is_answered_once", format!("request {} again: {with}", request.0));
        }
        self.audit.tally.add(if with == "done" { Count::Done } else { Count::Refused });
    }

    /// Whether a message is lost.
    pub(super) fn loses(&mut self) -> bool {
        let loses = self.dice.happens(self.chances.loss);
        if loses {
            self.audit.tally.add(Count::Lost);
        }
        loses
    }

    /// How many letters the next one may overtake.
    pub(super) fn overtakes(&mut self) -> usize {
        if self.dice.happens(self.chances.overtake) { self.dice.below(4) } else { 0 }
    }

    /// Whether the machine of an execution panics over an input.
    pub(super) fn panics_over(&mut self, execution: ExecutionId, input: &Input) -> bool {
        if self.poisoned == Some(execution) && matches!(input, Input::Outcome { .. } | Input::Activate(_)) {
            return !self.dice.one_in(4);
        }
        let panics = self.dice.happens(self.chances.execution_panic);
        if panics && self.dice.one_in(4) {
            self.poisoned = Some(execution);
        }
        panics
    }

    /// Tells shards something about the permits of a limit on handlers.
    pub(super) fn tell_permits(&mut self, from: u16, shards: Vec<ShardNo>, input: &task_engine::Input) {
        for ShardNo(shard) in shards {
            self.put(from, shard, ToShard::Permits(input.clone()));
        }
    }
}
