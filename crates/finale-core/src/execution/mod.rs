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
mod conclude;
mod decide;
mod edges;
mod explain;
mod handle;
mod input;
mod node;
mod recover;
mod render;
mod turn;

pub use apply::ReplayError;
pub use explain::{Awaited, Why};
pub use input::{Command, Input, Refused, Report};
pub use turn::{AfterStop, Effect, EffectSink, Notice, NumberedEvent, Replay, Turn};

pub(crate) use conclude::EndReason;
use node::{LostAttempts, NodeState, Settled, Skip};

use std::collections::{BTreeMap, VecDeque};

use crate::compiled::Compiled;
use crate::fact::{Activation, DecodeError, Facts, Terminal, Timer};
use crate::id::{AttemptNo, Dispatch, Epoch, ExecutionId, NodeIndex, WorkKey};
use crate::payload::Payload;
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
    nodes: Box<[NodeState]>,
    /// Nodes that are not settled.
    open: u32,
    /// Nodes a handler works on.
    running: u32,
    /// Nodes that wait for the outside, a verdict or their next attempt.
    waiting: u32,
    /// Required nodes that failed, in order.
    failures: Vec<NodeIndex>,
    /// Nodes reached or settled whose consequences are not drawn yet; empty between facts.
    reached: Vec<NodeIndex>,
    /// Nodes that wait for an expression; empty between turns.
    undecided: VecDeque<NodeIndex>,
    /// Inputs that an expression gave, as long as their tasks are open.
    inputs: BTreeMap<NodeIndex, Payload>,
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
    reason_to_end: EndReason,
    /// What was in flight when it was decided.
    interrupted: Vec<NodeIndex>,
    /// Whether running handlers were told to stop, rather than left to finish.
    stopping: bool,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupted {
    /// Which work.
    pub key: WorkKey,
    /// The last attempt at it; none if it never came to one.
    pub attempt: Option<AttemptNo>,
    /// What became of it.
    pub interruption: Interruption,
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
        let reached_over = |node: &crate::compiled::CompiledNode| NodeState::reached_over(node.in_degree);
        Self {
            id,
            epoch: Epoch(0),
            sequence: 0,
            at: Time::default(),
            created_at: Time::default(),
            activation: None,
            phase: Phase::New,
            nodes: definition.nodes.iter().map(reached_over).collect(),
            open: definition.nodes.len() as u32,
            running: 0,
            waiting: 0,
            failures: Vec::new(),
            reached: Vec::new(),
            undecided: VecDeque::new(),
            inputs: BTreeMap::new(),
        }
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
                .apply(definition, recorded.at, &recorded.fact, &mut ())
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

    /// Since when a node is worked on, asked for or waited for; none if it is not.
    pub fn since(&self, key: WorkKey) -> Option<Time> {
        match *self.state_of(key)? {
            NodeState::Running { since, .. }
            | NodeState::Asked { since, .. }
            | NodeState::Judged { since }
            | NodeState::Backing { since, .. } => Some(since),
            _ => None,
        }
    }

    /// How many handlers work on it.
    pub fn running(&self) -> u32 {
        self.running
    }

    /// How many of its nodes wait for the outside, a verdict or their next attempt.
    pub fn waiting(&self) -> u32 {
        self.waiting
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
    /// A shell that has lost track performs what is missing; what it already does it leaves alone. Once the end is
    /// decided nothing is run again: a run that is missing then is reported as stopped, lost. A process that takes over
    /// from one that is gone does not ask here: it reports [`Input::Recovered`], and the effects of that turn are these.
    pub fn under_way(&self, definition: &Compiled) -> Vec<Effect> {
        let mut effects = Vec::new();
        if matches!(self.phase, Phase::New | Phase::Ended(_)) {
            return effects;
        }
        for (node, state) in (0u32..).zip(&self.nodes) {
            self.node_under_way(definition, NodeIndex(node), state, &mut effects);
        }
        if let (true, Some(due)) = (self.awaits_deadline(), self.deadline()) {
            effects.push(Effect::ArmTimer { timer: Timer::Deadline, due });
        }
        effects
    }

    /// What was in flight when the end was decided, and how far each was stopped.
    pub fn interrupted(&self) -> Vec<Interrupted> {
        let (Phase::Ending(ending) | Phase::Ended(ending)) = &self.phase else {
            return Vec::new();
        };
        let of = |&node: &NodeIndex| {
            let state = &self.nodes[node.as_usize()];
            let interruption = match state {
                NodeState::Cancelled { how, .. } => Interruption::Stopped(*how),
                NodeState::Running { .. } => Interruption::Stopping,
                _ => Interruption::Finished,
            };
            Interrupted { key: WorkKey::root(node), attempt: state.attempt(), interruption }
        };
        ending.interrupted.iter().map(of).collect()
    }

    fn state_of(&self, key: WorkKey) -> Option<&NodeState> {
        self.nodes.get(key.node.as_usize()).filter(|_| key.scope.is_root())
    }

    fn dispatch(&self, key: WorkKey, attempt: AttemptNo) -> Dispatch {
        Dispatch { key, attempt, epoch: self.epoch }
    }

    /// Whether running handlers were told to stop, rather than left to finish.
    fn is_stopping(&self) -> bool {
        matches!(&self.phase, Phase::Ending(ending) if ending.stopping)
    }

    /// Whether the deadline still stops something: until everything was told to stop.
    fn awaits_deadline(&self) -> bool {
        let undecided = match &self.phase {
            Phase::Running => true,
            Phase::Ending(ending) => !ending.stopping,
            Phase::New | Phase::Ended(_) => false,
        };
        undecided && self.deadline().is_some()
    }

    fn deadline(&self) -> Option<Time> {
        self.activation.as_ref()?.deadline
    }

    /// What the work of a node is given: what its expression gave, else what the execution was given.
    fn input_of(&self, node: NodeIndex) -> Payload {
        let given = || self.activation.as_ref().map(|activation| activation.input.clone());
        self.inputs.get(&node).cloned().or_else(given).unwrap_or_default()
    }

    fn node_under_way(&self, definition: &Compiled, node: NodeIndex, state: &NodeState, effects: &mut Vec<Effect>) {
        let key = WorkKey::root(node);
        match *state {
            NodeState::Running { attempt, since, .. } => {
                let dispatch = self.dispatch(key, attempt);
                effects.push(Effect::Run { dispatch, input: self.input_of(node) });
                if !self.is_stopping() {
                    effects.extend(timeout(definition, key, attempt, since));
                }
            }
            NodeState::Asked { attempt, since } => {
                let dispatch = self.dispatch(key, attempt);
                effects.push(Effect::Offer { dispatch, input: self.input_of(node) });
                effects.extend(timeout(definition, key, attempt, since));
            }
            NodeState::Backing { attempt, until, .. } => {
                effects.push(Effect::ArmTimer { timer: Timer::Backoff(key, attempt), due: until });
            }
            _ => {}
        }
    }
}

/// The timer of an attempt, where its task has a limit.
fn timeout(definition: &Compiled, key: WorkKey, attempt: AttemptNo, since: Time) -> Option<Effect> {
    let limit = definition.at(key.node).timeout?;
    Some(Effect::ArmTimer { timer: Timer::Timeout(key, attempt), due: since.after(limit) })
}
