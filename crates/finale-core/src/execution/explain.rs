//! Answers "what is it waiting for?" and "why did it end so?".

use std::fmt;

use serde::{Deserialize, Serialize};

use super::render::decided_by;
use super::{Execution, NodeState, Phase};
use crate::compiled::Compiled;
use crate::id::NodeIndex;
use crate::record::DecidedBy;
use crate::status::{ExecutionStatus, NodeStatus};
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
    /// What it waits for, at most [`Why::AWAITED_MAX`] of them.
    pub awaited: Vec<Awaited>,
    /// How many more it waits for.
    pub awaited_more: usize,
}

/// One node an execution waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Awaited {
    /// Id of the node.
    pub node: String,
    /// What is to be done there.
    pub title: String,
    /// Where the node is.
    pub status: NodeStatus,
    /// What exactly is waited for.
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
        Self { status, decided_by: None, error, awaited: Vec::new(), awaited_more: 0 }
    }
}

impl Execution {
    /// Why it is where it is.
    pub fn why(&self, definition: &Compiled) -> Why {
        let ending = match &self.phase {
            Phase::Ending(ending) | Phase::Ended(ending) => Some(ending),
            Phase::New | Phase::Running => None,
        };
        let awaits = (0u32..).zip(&self.nodes).filter_map(|(node, state)| awaited(definition, NodeIndex(node), state));
        let mut awaited: Vec<_> = awaits.collect();
        let awaited_more = awaited.len().saturating_sub(Why::AWAITED_MAX);
        awaited.truncate(Why::AWAITED_MAX);
        let failed = ending.filter(|ending| ending.reason_to_end.terminal() == crate::fact::Terminal::Failed);
        Why {
            status: self.status(),
            decided_by: ending.map(|ending| decided_by(definition, &ending.reason_to_end)),
            error: failed.map(|ending| self.error(definition, &ending.reason_to_end).to_string()),
            awaited,
            awaited_more,
        }
    }
}

fn awaited(definition: &Compiled, node: NodeIndex, state: &NodeState) -> Option<Awaited> {
    let (what, since) = match *state {
        NodeState::Running { attempt, since, .. } => {
            let handler = definition.handler(node).unwrap_or("?");
            (format!("attempt {attempt} by handler {handler}"), since)
        }
        NodeState::Asked { attempt, since } => {
            let whom = definition.assignee(node).unwrap_or("somebody outside");
            (format!("attempt {attempt} by {whom}"), since)
        }
        NodeState::Judged { since } => ("a verdict".to_owned(), since),
        NodeState::Backing { attempt, since, until, .. } => (format!("attempt {attempt} at {until}"), since),
        _ => return None,
    };
    Some(Awaited {
        node: definition.node(node).id.clone(),
        title: definition.title(node).to_owned(),
        status: state.status(),
        what,
        since,
    })
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        if let Some(error) = &self.error {
            write!(f, ": {error}")?;
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
