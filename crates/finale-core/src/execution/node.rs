//! What an execution knows of each of its nodes.

use crate::definition::EdgeKind;
use crate::fact::StopOutcome;
use crate::failure::Failure;
use crate::id::{AttemptNo, NodeIndex};
use crate::payload::Payload;
use crate::status::NodeStatus;
use crate::time::Time;

/// One node of one execution.
///
/// There are as many as the definition has nodes, so it is kept to 48 bytes: what is rare is boxed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum NodeState {
    /// Edges that lead here are not settled yet.
    Pending(IncomingEdges),
    /// Reached: what it does comes next, or waits for an expression to be evaluated.
    Reached,
    /// A handler works on it.
    Running { attempt: AttemptNo, since: Time, lost: LostAttempts },
    /// Somebody outside is asked.
    Asked { attempt: AttemptNo, since: Time },
    /// A verdict is awaited.
    Judged { since: Time },
    /// The attempt with that number is awaited.
    Backing { attempt: AttemptNo, since: Time, until: Time, lost: LostAttempts },
    /// A control node that was passed, and the way it chose if it had to.
    Passed { at: Time, taken: Option<EdgeKind> },
    /// A task that was done.
    Completed { attempt: AttemptNo, started: Time, ended: Time, output: Payload },
    /// Not done, and not tried again; `lost` of its attempts were.
    Failed { attempt: Option<AttemptNo>, lost: u16, started: Time, ended: Time, failure: Box<Failure> },
    /// Begun, and closed by the end of the execution.
    Cancelled { attempt: Option<AttemptNo>, since: Time, at: Time, how: StopOutcome },
    /// Never begun.
    Skipped(Skip),
}

/// How many attempts at a piece of work were lost with the process they ran in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LostAttempts {
    /// All of them: they do not use up retries.
    pub(crate) all: u16,
    /// Those where the process crashed, for which the work itself may be to blame.
    pub(crate) crashes: u16,
}

/// How far the edges into a node are settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IncomingEdges {
    pub(crate) unsettled: u32,
    pub(crate) live: bool,
    /// The first failure that stands in the way.
    pub(crate) blocked: Option<Skip>,
    /// The last decision that went elsewhere.
    pub(crate) dead: Option<Skip>,
}

/// Why a node was never begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Skip {
    /// The decision at that node went that way, which is not this one.
    Decided { node: NodeIndex, taken: EdgeKind },
    /// The work of that node, on which this one depends, was not done.
    Failed { node: NodeIndex },
    /// The execution ended first.
    Ended,
}

/// What settles an edge.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Settled {
    Live,
    Dead(Skip),
    Blocked(Skip),
}

impl NodeState {
    pub(crate) const fn reached_over(edges: u32) -> Self {
        Self::Pending(IncomingEdges { unsettled: edges, live: false, blocked: None, dead: None })
    }

    pub(crate) const fn status(&self) -> NodeStatus {
        match self {
            Self::Pending(_) | Self::Reached => NodeStatus::Pending,
            Self::Running { .. } => NodeStatus::Running,
            Self::Asked { .. } | Self::Judged { .. } | Self::Backing { .. } => NodeStatus::Waiting,
            Self::Passed { .. } | Self::Completed { .. } => NodeStatus::Completed,
            Self::Failed { .. } => NodeStatus::Failed,
            Self::Cancelled { .. } => NodeStatus::Cancelled,
            Self::Skipped(_) => NodeStatus::Skipped,
        }
    }

    /// Which attempt is or was the last one, or is waited for; none for what has no attempts or never came to one.
    pub(crate) const fn attempt(&self) -> Option<AttemptNo> {
        match self {
            Self::Running { attempt, .. }
            | Self::Asked { attempt, .. }
            | Self::Backing { attempt, .. }
            | Self::Completed { attempt, .. } => Some(*attempt),
            Self::Failed { attempt, .. } | Self::Cancelled { attempt, .. } => *attempt,
            _ => None,
        }
    }

    /// How many attempts were lost, as long as there may be another.
    pub(crate) const fn losses(&self) -> LostAttempts {
        match self {
            Self::Running { lost, .. } | Self::Backing { lost, .. } => *lost,
            _ => LostAttempts { all: 0, crashes: 0 },
        }
    }
}

impl LostAttempts {
    /// One more.
    pub(crate) fn add(&mut self, crashed: bool) {
        self.all = self.all.saturating_add(1);
        self.crashes = self.crashes.saturating_add(u16::from(crashed));
    }

    /// The highest attempt that is made: as many as are allowed, and those that were lost on the way.
    pub(crate) const fn last_attempt(allowed: u16, lost: u16) -> u16 {
        allowed.saturating_add(lost)
    }
}

impl IncomingEdges {
    /// Takes in one settled edge; gives the whole once it was the last one.
    pub(crate) fn settle(&mut self, edge: Settled) -> Option<Self> {
        self.unsettled -= 1;
        match edge {
            Settled::Live => self.live = true,
            Settled::Dead(skip) => self.dead = Some(skip),
            Settled::Blocked(skip) => self.blocked = self.blocked.or(Some(skip)),
        }
        (self.unsettled == 0).then_some(*self)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_node_state_stays_small() {
        assert!(size_of::<super::NodeState>() <= 48);
    }
}
