//! Answers "what is it waiting for?" and "why did it end so?".

use std::fmt;

use serde::{Deserialize, Serialize};

use super::render::decided_by;
use super::scope::Scope;
use super::{Execution, NodeState, Phase, WaitFor};
use crate::compiled::Compiled;
use crate::id::{AttemptNo, ScopeId, TaskId, WorkKey};
use crate::record::{
    AttemptRecord, CompensationState, CustomStatus, DecidedBy, EndingFailure, HeldUp, HeldUpBy, QueuePosition,
};
use crate::status::{ExecutionStatus, NodeStatus, WaitingFor};
use crate::time::Time;

/// Why an execution is where it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Why {
    /// Where it is.
    pub status: ExecutionStatus,
    /// Which clause decided the end, once it is decided.
    pub decided_by: Option<DecidedBy>,
    /// Why it failed, if it did.
    pub error: Option<String>,
    /// What was to be done at the end and was not, at most
    /// [`ENDING_FAILURES_MAX`](crate::record::ENDING_FAILURES_MAX) of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ending_failures: Vec<EndingFailure>,
    /// The nodes that were undone, or are being undone, by their paths, at most [`Why::AWAITED_MAX`] of them;
    /// [`Counts::compensated`](crate::record::Counts) has all that were.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub compensations: Vec<(String, CompensationState)>,
    /// What a handler says of it in a line of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_status: Option<CustomStatus>,
    /// What it waits for, at most [`Why::AWAITED_MAX`] of them.
    pub awaited: Vec<Awaited>,
    /// How many more it waits for.
    pub awaited_more: usize,
}

/// One node an execution waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Awaited {
    /// The path of the node; of one in the definition's own graph that is its id.
    pub node: String,
    /// What is to be done there.
    pub title: String,
    /// The task it is; none for nodes that are no work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    /// Which attempt it is; none for nodes without attempts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<AttemptNo>,
    /// Where the node is.
    pub status: NodeStatus,
    /// What kind of thing it waits for, if it waits and is not at work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<WaitingFor>,
    /// The name of the signal that it waits for, if it waits for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// Where it stands in the queue for a limit on handlers, if it is queued.
    #[serde(flatten)]
    pub queue: Option<QueuePosition>,
    /// What exactly is waited for, in words.
    pub what: String,
    /// Since when.
    pub since: Time,
}

impl Why {
    /// How many awaited nodes are listed one by one.
    pub const AWAITED_MAX: usize = 100;

    /// Why an execution is parked of which nothing else can be said.
    pub fn quarantined(reason: impl Into<String>) -> Self {
        Self::unread(ExecutionStatus::Quarantined, Some(reason.into()))
    }

    /// All that can be said of an execution whose history cannot be read.
    pub fn unread(status: ExecutionStatus, error: Option<String>) -> Self {
        Self {
            status,
            decided_by: None,
            error,
            ending_failures: Vec::new(),
            compensations: Vec::new(),
            custom_status: None,
            awaited: Vec::new(),
            awaited_more: 0,
        }
    }

    /// Says of tasks whose handlers are held up what they wait for; an execution alone takes them for running.
    pub fn hold_up(&mut self, held_up: &[HeldUp]) {
        for awaited in self.awaited.iter_mut().filter(|awaited| awaited.status == NodeStatus::Running) {
            let task = awaited.task_id.zip(awaited.attempt);
            let Some(held_up) = task.and_then(|(task, attempt)| HeldUp::find(held_up, task.key, attempt)) else {
                continue;
            };
            match &held_up.by {
                HeldUpBy::Queue(queue) => {
                    awaited.status = NodeStatus::Queued;
                    awaited.what = format!("{}, {queue}", awaited.what);
                    awaited.queue = Some(queue.clone());
                }
                HeldUpBy::Execution => {
                    awaited.status = NodeStatus::Waiting;
                    awaited.waiting_for = Some(WaitingFor::Execution);
                    awaited.what.push_str(", which waits for other executions");
                }
            }
        }
    }
}

impl Execution {
    /// Why it is where it is.
    pub fn why<'a>(&'a self, definition: &Compiled) -> Why {
        let ending = match &self.phase {
            Phase::Ending(ending) | Phase::Ended(ending) => Some(ending),
            Phase::New | Phase::Running => None,
        };
        let awaits = |(scope, all): (ScopeId, &'a Scope)| {
            all.iter().filter(|(_, state)| is_awaited(state)).map(move |(node, state)| (WorkKey { scope, node }, state))
        };
        let mut awaits = self.scopes().flat_map(awaits);
        let shown = awaits.by_ref().take(Why::AWAITED_MAX);
        let awaited: Vec<_> = shown.filter_map(|(key, state)| self.awaited(definition, key, state)).collect();
        let awaited_more = awaits.count();
        let failed = ending.filter(|ending| ending.reason.terminal() == crate::fact::Terminal::Failed);
        Why {
            status: self.status(),
            decided_by: ending.map(|ending| decided_by(definition, &ending.reason)),
            error: failed.map(|ending| self.error(definition, &ending.reason).to_string()),
            ending_failures: self.ending_failures().0.to_vec(),
            compensations: self.compensations_by_path(definition),
            custom_status: self.custom_status(),
            awaited,
            awaited_more,
        }
    }
}

/// Whether it is said what exactly a node waits for; one that waits for its scopes waits for what is in them.
fn is_awaited(state: &NodeState) -> bool {
    matches!(state, NodeState::Running { .. } | NodeState::Ready { .. } | NodeState::Waiting(_))
        && !matches!(state, NodeState::Waiting(WaitFor::Scope { .. }))
}

impl Execution {
    fn compensations_by_path(&self, definition: &Compiled) -> Vec<(String, CompensationState)> {
        let by_path = |(key, state)| Some((self.path(definition, key)?.to_string(), state));
        self.compensations().filter_map(by_path).take(Why::AWAITED_MAX).collect()
    }

    fn awaited(&self, definition: &Compiled, key: WorkKey, state: &NodeState) -> Option<Awaited> {
        let (what, since) = match *state {
            NodeState::Running { attempt, since, .. } => {
                let handler = definition.handler(key.node).unwrap_or("?");
                (format!("attempt {attempt} by handler {handler}"), since)
            }
            NodeState::Waiting(WaitFor::Task { attempt, since }) => {
                let whom = definition.assignee(key.node).unwrap_or("somebody outside");
                (format!("attempt {attempt} by {whom}"), since)
            }
            NodeState::Waiting(WaitFor::Verdict { since }) => ("a verdict".to_owned(), since),
            NodeState::Waiting(WaitFor::Backoff { attempt, since, until, .. }) => {
                (format!("attempt {attempt} at {until}"), since)
            }
            NodeState::Waiting(WaitFor::Round { since, until }) => {
                (format!("round {} at {until}", self.awaited_round(key)), since)
            }
            NodeState::Waiting(WaitFor::Operator { since, .. }) => (self.awaited_operator(key), since),
            NodeState::Waiting(WaitFor::Time { since, due }) => (format!("the moment {due}"), since),
            NodeState::Waiting(WaitFor::Signal { since }) => (self.awaited_signal(definition, key, since), since),
            NodeState::Ready { .. } => (self.awaited_turn(definition, key), self.at),
            _ => return None,
        };
        Some(Awaited {
            node: self.path(definition, key)?.to_string(),
            title: definition.title(key.node).to_owned(),
            task_id: state.attempt().map(|_| TaskId { execution: self.id, key }),
            attempt: state.attempt(),
            status: state.status(),
            waiting_for: state.waiting_for(),
            signal: self.awaited_name(key).map(str::to_owned),
            queue: None,
            what,
            since,
        })
    }
}

impl Execution {
    /// What a node waits for that could begin.
    fn awaited_turn(&self, definition: &Compiled, key: WorkKey) -> String {
        match self.queued_behind(key) {
            Some((split, max)) => {
                let split = self.path(definition, split).map(|path| path.to_string()).unwrap_or_default();
                format!("a slot: no more than {max} may be at work behind {split}")
            }
            None => "its turn".to_owned(),
        }
    }

    /// What an operator is to decide at a node that is held.
    fn awaited_operator(&self, key: WorkKey) -> String {
        match self.earlier_attempts(key).pop() {
            Some(AttemptRecord { attempt, error, .. }) => format!("an operator: attempt {attempt} {error}"),
            None => "an operator".to_owned(),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        if let Some(error) = &self.error {
            write!(f, ": {error}")?;
        }
        for (node, state) in &self.compensations {
            match state {
                CompensationState::Running => write!(f, "\n  {node} is being undone")?,
                CompensationState::Completed => write!(f, "\n  {node} was undone")?,
                // That is among what was not done at the end.
                CompensationState::Failed => {}
            }
        }
        for failure in &self.ending_failures {
            write!(f, "\n  at the end, {failure}")?;
        }
        if let Some(CustomStatus { text, node, .. }) = &self.custom_status {
            let says = if self.status.is_terminal() { "said" } else { "says" };
            write!(f, "\n  {node} {says}: {text}")?;
        }
        for awaited in &self.awaited {
            let Awaited { node, title, what, since, .. } = awaited;
            write!(f, "\n  waits at \"{title}\" ({node}) for {what} since {since}")?;
        }
        if self.awaited_more > 0 {
            write!(f, "\n  and at {} more", self.awaited_more)?;
        }
        Ok(())
    }
}
