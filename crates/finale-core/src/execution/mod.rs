//! One execution: it is told things, decides, and says what is to be done.
//!
//! The canonical loop of whoever drives it:
//!
//! ```text
//! execution.handle(&definition, now, input, &mut turn)?;   // decide, then apply
//! journal.append(turn.facts());                            // one append
//! turn.appended();
//! wait_until_durable(turn.last_sequence());
//! for effect in turn.take_effects() { perform(effect) }    // and never before
//! ```

mod apply;
mod custom_status;
mod decide;
mod earlier;
mod edges;
mod ending;
mod endings;
mod explain;
mod failures;
mod firing;
mod gives_nothing;
mod handle;
mod history;
mod input;
mod instances;
mod losers;
mod nest;
mod node;
mod operator;
mod paths;
mod recover;
mod render;
mod retry;
mod rounds;
mod rules;
mod scope;
mod signals;
mod spare;
mod split_slots;
#[cfg(test)]
mod tests;
mod turn;
mod uncounted;
mod waits;
mod walk;

pub use apply::ReplayError;
pub use earlier::EARLIER_ATTEMPTS_MAX;
pub use explain::{Awaited, Why};
pub use instances::GATHERED_BYTES_MAX;
pub use paths::FoundWork;
pub use signals::{SIGNAL_IDS_MAX, SIGNALS_MAX, SIGNALS_PER_NAME_MAX};

use custom_status::{SetStatus, Unrecorded};
use earlier::EarlierAttempts;
use endings::Endings;
pub use input::{Command, Input, Refused, Report};
pub use turn::{AfterStop, Effect, EffectSink, Notice, NumberedEvent, Replay, Turn};

pub(crate) use ending::EndReason;
use instances::Nest;
use node::{LostAttempts, NodeState, Settled, Skip, WaitFor};
use retry::RetryBudgets;
use scope::Scope;
use signals::Signals;
use spare::Spare;
use split_slots::SplitSlots;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::compiled::{Compiled, Step};
use crate::fact::{Activation, DecodeError, Facts, Terminal, Timer};
use crate::id::{AttemptNo, Dispatch, Epoch, ExecutionId, ScopeId, WorkKey};
use crate::path::NodePath;
use crate::payload::Payload;
use crate::record::Counts;
use crate::status::{ExecutionStatus, NodeStatus};
use crate::time::Time;

/// The revision of the semantics in this release; an execution notes the one it began under.
pub const SEMANTICS: u16 = 1;

/// One execution of a workflow as plain data.
///
/// It holds no definition, no handle and no queue: whoever drives it passes those in, and a parked execution is just this value.
#[derive(Clone, Debug, PartialEq)]
pub struct Execution {
    id: ExecutionId,
    /// Which life it is in; what an earlier one began is stale.
    epoch: Epoch,
    sequence: u64,
    /// Time of the last fact: time never runs backwards here.
    at: Time,
    created_at: Time,
    activation: Option<Box<Activation>>,
    phase: Phase,
    /// The scope of the definition's own graph.
    root: Scope,
    /// The scopes inside that are open.
    inner: BTreeMap<ScopeId, Box<Scope>>,
    /// The nodes that wait for scopes of their own.
    nests: BTreeMap<WorkKey, Box<Nest>>,
    /// The number of the scope that is opened next.
    next_scope: u32,
    /// Nodes a handler works on, in all scopes.
    running: u32,
    /// Nodes that wait for the outside, a verdict, a moment, a signal, their next attempt or their next round, in all
    /// scopes.
    waiting: u32,
    /// How much was drawn and decided of what was said last.
    spent: u32,
    /// Whether more follows than was drawn.
    continuing: bool,
    /// Nodes that are settled and whose edges are not.
    settled: VecDeque<WorkKey>,
    /// Scopes with nodes that are ready.
    dispatching: VecDeque<ScopeId>,
    /// Nodes that are ready and begin when nothing else is left to be drawn.
    held_back: VecDeque<WorkKey>,
    /// Nodes that have scopes to open.
    opening: VecDeque<WorkKey>,
    /// Inner scopes in which something was settled.
    unjudged: Vec<ScopeId>,
    /// Nodes that wait for an expression.
    undecided: VecDeque<WorkKey>,
    /// Who is at work behind splits with a limit, and who waits for a place there.
    split_slots: Option<Box<SplitSlots>>,
    /// How many tasks of the scopes that were given back ended where.
    gone: Option<Box<Counts>>,
    /// Attempts that were followed by another one.
    earlier: Option<Box<EarlierAttempts>>,
    /// What limits further attempts beside their number.
    retry_budgets: Option<Box<RetryBudgets>>,
    /// Signals that nobody has taken, and who waits for which one.
    signals: Option<Box<Signals>>,
    /// What is known of the ends of scopes.
    endings: Option<Box<Endings>>,
    /// The line that a handler says of it, as far as it is recorded,
    custom_status: Option<Box<SetStatus>>,
    /// and one that is to be recorded with the next fact.
    unrecorded_status: Unrecorded,
    /// Storage of an execution that ended in this place before.
    spare_activation: Spare<Box<Activation>>,
    spare_ending: Spare<Box<Ending>>,
}

/// How far along an execution is.
#[derive(Clone, Debug, PartialEq)]
enum Phase {
    New,
    Running,
    Ending(Box<Ending>),
    Ended(Box<Ending>),
}

/// What is known of the end once it is decided.
#[derive(Clone, Debug, Default, PartialEq)]
struct Ending {
    reason: EndReason,
    /// What was in flight when it was decided, in the order of their keys.
    interrupted: Vec<Interrupted>,
    /// Whether somebody wants it to be over whatever is left to be done at its end.
    forced: bool,
    /// Whether an operator declared it complete: then nothing is undone.
    is_declared: bool,
    /// Whether it was ending for longer than a turn.
    is_shown: bool,
    /// Until when it may be ending.
    until: Option<Time>,
    /// The value of the output expression, if that was needed before the seal.
    output: Option<Payload>,
    /// The seal, once there is one.
    sealed: Option<Sealed>,
}

#[derive(Clone, Debug, PartialEq)]
struct Sealed {
    at: Time,
    status: Terminal,
    output: Option<Payload>,
}

/// Something that was in flight when the end was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interrupted {
    /// Which work.
    pub key: WorkKey,
    /// The last attempt at it; none if it never came to one.
    pub attempt: Option<AttemptNo>,
    /// What became of it.
    pub interruption: Interruption,
    /// The path of the node, if that is in a scope inside.
    pub path: Option<Box<NodePath>>,
}

/// What became of something that was in flight when the end was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// It is still being stopped or waited for.
    Stopping,
    /// It was over before it could be stopped.
    Finished,
    /// It was stopped, that far.
    Stopped(crate::fact::StopOutcome),
}

/// Why a history cannot be folded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FoldError {
    /// The bytes are no facts.
    #[error("fact {sequence} cannot be read: {error}")]
    Decode {
        /// Which fact.
        sequence: u64,
        /// What is wrong with it.
        error: DecodeError,
    },
    /// A fact does not fit what came before it.
    #[error("fact {sequence} does not fit: {error}")]
    Replay {
        /// Which fact.
        sequence: u64,
        /// What is wrong with it.
        error: ReplayError,
    },
}

impl Execution {
    /// An execution to which nothing has happened yet.
    pub fn new(id: ExecutionId, definition: &Compiled) -> Self {
        Self {
            id,
            epoch: Epoch(0),
            sequence: 0,
            at: Time::default(),
            created_at: Time::default(),
            activation: None,
            phase: Phase::New,
            root: Scope::new(definition.own(), 0, WorkKey::default(), 0).with_lists(),
            inner: BTreeMap::new(),
            nests: BTreeMap::new(),
            next_scope: 1,
            running: 0,
            waiting: 0,
            spent: 0,
            continuing: false,
            settled: VecDeque::new(),
            dispatching: VecDeque::new(),
            held_back: VecDeque::new(),
            opening: VecDeque::new(),
            unjudged: Vec::new(),
            undecided: VecDeque::new(),
            split_slots: None,
            gone: None,
            earlier: None,
            retry_budgets: None,
            signals: None,
            endings: None,
            custom_status: None,
            unrecorded_status: Unrecorded::default(),
            spare_activation: Spare::default(),
            spare_ending: Spare::default(),
        }
    }

    /// As a new one, in the storage of this one.
    pub fn reset(&mut self, id: ExecutionId, definition: &Compiled) {
        (self.id, self.epoch, self.sequence) = (id, Epoch(0), 0);
        (self.at, self.created_at) = (Time::default(), Time::default());
        self.spare_activation.keep(self.activation.take());
        if let Phase::Ending(ending) | Phase::Ended(ending) = std::mem::replace(&mut self.phase, Phase::New) {
            self.spare_ending.keep(Some(ending));
        }
        self.root.reset(definition.own(), 0);
        self.inner.clear();
        self.nests.clear();
        self.next_scope = 1;
        (self.running, self.waiting, self.spent, self.continuing) = (0, 0, 0, false);
        self.settled.clear();
        self.dispatching.clear();
        self.held_back.clear();
        self.opening.clear();
        self.unjudged.clear();
        self.undecided.clear();
        self.split_slots = None;
        self.gone = None;
        self.earlier = None;
        self.retry_budgets = None;
        self.signals = None;
        self.endings = None;
        self.forget_custom_status();
    }

    /// What a history comes to.
    ///
    /// # Errors
    /// When the history is damaged, or of another definition.
    pub fn fold(id: ExecutionId, definition: &Compiled, history: &[u8]) -> Result<Self, FoldError> {
        Self::fold_up_to(id, definition, history, u64::MAX)
    }

    /// What the facts of a history up to that number come to.
    ///
    /// # Errors
    /// When that part of the history is damaged, or of another definition.
    pub fn fold_up_to(id: ExecutionId, definition: &Compiled, history: &[u8], up_to: u64) -> Result<Self, FoldError> {
        let mut execution = Self::new(id, definition);
        let up_to = usize::try_from(up_to).unwrap_or(usize::MAX);
        for recorded in Facts::new(history).take(up_to) {
            let sequence = execution.sequence + 1;
            let recorded = recorded.map_err(|error| FoldError::Decode { sequence, error })?;
            execution
                .apply(definition, recorded.at, recorded.fact, &mut ())
                .map_err(|error| FoldError::Replay { sequence, error })?;
        }
        Ok(execution)
    }

    /// Its id.
    pub fn id(&self) -> ExecutionId {
        self.id
    }

    /// How many facts there are about it.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// When it was activated.
    pub fn created_at(&self) -> Time {
        self.created_at
    }

    /// How it was activated, once it was.
    pub fn activation(&self) -> Option<&Activation> {
        self.activation.as_deref()
    }

    /// Where it is.
    pub fn status(&self) -> ExecutionStatus {
        match &self.phase {
            Phase::New => ExecutionStatus::Pending,
            Phase::Running => ExecutionStatus::Running,
            Phase::Ending(_) => ExecutionStatus::Ending,
            Phase::Ended(ending) => match &ending.sealed {
                Some(sealed) => sealed.status.into(),
                None => ExecutionStatus::Ending,
            },
        }
    }

    /// Where a node is; none if there is no such node.
    pub fn node_status(&self, key: WorkKey) -> Option<NodeStatus> {
        self.state_of(key).map(NodeState::status)
    }

    /// Whether that attempt is the one that a handler works on, or is to work on.
    pub fn is_current(&self, dispatch: Dispatch) -> bool {
        let Dispatch { key, attempt, epoch } = dispatch;
        let state = self.state_of(key);
        epoch == self.epoch && matches!(state, Some(NodeState::Running { attempt: current, .. }) if *current == attempt)
    }

    /// How many handlers work on it.
    pub fn running(&self) -> u32 {
        self.running
    }

    /// How many of its nodes wait for the outside, a verdict, a moment, a signal or their next attempt.
    pub fn waiting(&self) -> u32 {
        self.waiting
    }

    /// The outputs of everything that was done and is still known.
    pub fn outputs(&self) -> impl Iterator<Item = (WorkKey, &Payload)> {
        let all = self
            .scopes()
            .flat_map(|(scope, all)| all.iter().map(move |(node, state)| (WorkKey { scope, node }, state)));
        all.filter_map(|(key, state)| match state {
            NodeState::Completed { output, .. } => Some((key, output)),
            _ => None,
        })
    }

    /// The output of a task that was done.
    pub fn output_of(&self, key: WorkKey) -> Option<&Payload> {
        match self.state_of(key)? {
            NodeState::Completed { output, .. } => Some(output),
            _ => None,
        }
    }

    /// What must be under way for it: what was performed for it, if nothing was lost.
    ///
    /// A shell that has lost track performs what is missing; what it already does it leaves alone. What is to be stopped is not
    /// run again: a run that is missing although there is a [stop](Effect::Stop) of it is reported as stopped, lost. A process that takes over
    /// from one that is gone does not ask here: it reports [`Input::Recovered`], and the effects of that turn are these.
    pub fn under_way(&self, definition: &Compiled) -> Vec<Effect> {
        let mut effects = Vec::new();
        if matches!(self.phase, Phase::New | Phase::Ended(_)) {
            return effects;
        }
        for (scope, all) in self.scopes() {
            for (node, state) in all.iter() {
                self.node_under_way(definition, WorkKey { scope, node }, state, &mut effects);
            }
        }
        effects.extend(self.total_timers(definition));
        if let (true, Some(due)) = (self.awaits_deadline(), self.deadline()) {
            let within = due.since(self.created_at);
            effects.push(Effect::ArmTimer { timer: Timer::Deadline, due, within });
        }
        if let (Phase::Ending(ending), Some(within)) = (&self.phase, definition.definition().ending_within)
            && let Some(due) = ending.until.filter(|_| !ending.forced)
        {
            effects.push(Effect::ArmTimer { timer: Timer::EndingWithin, due, within });
        }
        if self.is_open() && self.is_busy() {
            effects.push(Effect::Continue);
        }
        self.stops_under_way(&mut effects);
        effects
    }

    /// The stops of what runs although its scope has come to its end or a join went on without it, for an engine that may not
    /// have got them. They come after the runs, and stopping twice changes nothing.
    fn stops_under_way(&self, effects: &mut Vec<Effect>) {
        for (scope, all) in self.scopes().filter(|(_, all)| all.running > 0) {
            let is_ending = self.is_ending(scope);
            for (node, state) in all.iter() {
                let NodeState::Running { attempt, closed, not_begun: false, .. } = *state else { continue };
                let then = match closed || all.stopping {
                    true => AfterStop::Report,
                    false if is_ending => AfterStop::Finish,
                    false => continue,
                };
                effects.push(Effect::Stop { dispatch: self.dispatch(WorkKey { scope, node }, attempt), then });
            }
        }
    }

    /// Whether something can happen to it.
    const fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Running | Phase::Ending(_))
    }

    /// What was in flight when the end was decided, and how far each was stopped.
    pub fn interrupted(&self) -> &[Interrupted] {
        match &self.phase {
            Phase::Ending(ending) | Phase::Ended(ending) => &ending.interrupted,
            Phase::New | Phase::Running => &[],
        }
    }

    fn dispatch(&self, key: WorkKey, attempt: AttemptNo) -> Dispatch {
        Dispatch { key, attempt, epoch: self.epoch }
    }

    /// Whether the deadline still stops something: until everything was told to stop.
    fn awaits_deadline(&self) -> bool {
        let undecided = match &self.phase {
            Phase::Running => true,
            Phase::Ending(_) => !self.root.stopping,
            Phase::New | Phase::Ended(_) => false,
        };
        undecided && self.deadline().is_some()
    }

    fn deadline(&self) -> Option<Time> {
        self.activation()?.deadline
    }

    fn node_under_way(&self, definition: &Compiled, key: WorkKey, state: &NodeState, effects: &mut Vec<Effect>) {
        match *state {
            NodeState::Running { attempt, not_begun: false, .. } => {
                let dispatch = self.dispatch(key, attempt);
                effects.push(Effect::Run { dispatch, input: self.own_input(key) });
            }
            NodeState::Waiting(WaitFor::Task { attempt, since }) => {
                let dispatch = self.dispatch(key, attempt);
                let path = self.path_inside(definition, key);
                effects.push(Effect::Offer { dispatch, input: self.input_of(key), since, path });
                effects.extend(timeout(definition, key, attempt, since));
            }
            NodeState::Waiting(WaitFor::Backoff { attempt, since, until, .. }) => {
                let timer = Timer::Backoff(key, attempt);
                effects.push(Effect::ArmTimer { timer, due: until, within: until.since(since) });
            }
            NodeState::Waiting(WaitFor::Round { until, .. }) => {
                let timer = Timer::Round(key, self.awaited_round(key));
                let within = definition.at(key.node).rounds().map_or(Duration::ZERO, |rounds| rounds.delay);
                effects.push(Effect::ArmTimer { timer, due: until, within });
            }
            NodeState::Waiting(WaitFor::Time { since, due }) => {
                effects.push(Effect::ArmTimer { timer: Timer::Wait(key), due, within: due.since(since) });
            }
            NodeState::Waiting(WaitFor::Signal { since }) => effects.extend(waits::timeout(definition, key, since)),
            _ => {}
        }
    }
}

/// The timer of an attempt outside, where its task has a limit.
fn timeout(definition: &Compiled, key: WorkKey, attempt: AttemptNo, since: Time) -> Option<Effect> {
    let node = definition.at(key.node);
    let within = node.timeout.filter(|_| node.step == Step::Ask)?;
    Some(Effect::ArmTimer { timer: Timer::Timeout(key, attempt), due: since.after(within), within })
}
