//! What an execution knows of each of its nodes.

use crate::definition::EdgeKind;
use crate::fact::StopOutcome;
use crate::failure::Failure;
use crate::id::{AttemptNo, NodeIndex};
use crate::payload::Payload;
use crate::status::{NodeStatus, WaitingFor};
use crate::time::Time;

/// One node of one scope.
///
/// A scope has one for each node of its graph, so it is kept to 48 bytes: what is rare is boxed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum NodeState {
    /// Edges that lead here are not settled yet.
    Pending(IncomingEdges),
    /// Reached, and not begun, or its next attempt is not; `shown` once observers were told, which they are only if it stays
    /// so after a fact.
    Ready { shown: bool, attempt: AttemptNo, lost: LostAttempts },
    /// A handler works on it, or will as soon as a limit lets it; `closed` if a join has closed it: it was told to stop, and
    /// whatever it reports changes nothing; `not_begun` once it is known that no handler begins in this life: the runtime
    /// shuts down, and the next life has to begin it.
    Running { attempt: AttemptNo, since: Time, lost: LostAttempts, closed: bool, not_begun: bool },
    /// Something else must happen first.
    Waiting(WaitFor),
    /// A control node that was passed, and the way it chose if it had to; `started` is when it began to wait, if it did.
    ControlDone { started: Time, at: Time, taken: Option<EdgeKind> },
    /// Work that was done; without an attempt if it was done in scopes of its own.
    Completed { attempt: Option<AttemptNo>, started: Time, ended: Time, output: Payload },
    /// Not done, and not tried again; `lost` attempts used up none of those allowed: they were lost, or made before an
    /// operator allowed new ones.
    Failed { attempt: Option<AttemptNo>, lost: u16, started: Time, ended: Time, failure: Box<Failure> },
    /// Begun, and closed by the end of its scope or by a join that went on without it.
    Cancelled { attempt: Option<AttemptNo>, since: Time, at: Time, how: StopOutcome },
    /// Never begun.
    Skipped(Skip),
}

/// What a node waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitFor {
    /// Somebody outside who was asked.
    Task { attempt: AttemptNo, since: Time },
    /// A verdict.
    Verdict { since: Time },
    /// The moment at which the attempt with that number begins.
    Backoff { attempt: AttemptNo, since: Time, until: Time, lost: LostAttempts },
    /// The scopes it opened.
    Scope { since: Time },
    /// The moment at which its next round begins.
    Round { since: Time, until: Time },
    /// An operator who says whether the attempt with that number begins.
    Operator { attempt: AttemptNo, since: Time, lost: LostAttempts },
    /// A moment.
    Time { since: Time, due: Time },
    /// A signal; who waits for which one is in [`Signals`](super::signals::Signals).
    Signal { since: Time },
}

/// How many attempts at a piece of work were lost with the process they ran in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LostAttempts {
    /// All of them: they do not use up retries.
    pub(crate) all: u16,
    /// Those where the process crashed, for which the work itself may be to blame.
    pub(crate) crashes: u16,
}

/// What is known of the edges into a node that are settled; how many are unsettled is counted beside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct IncomingEdges {
    /// The first failure that stands in the way.
    pub(crate) blocked: Option<Skip>,
    /// The last decision that went elsewhere.
    pub(crate) dead: Option<Skip>,
    /// How many are live and not failed; counted only where another rule than the default needs it.
    pub(crate) succeeded: u32,
    /// How many are blocked or failed; counted only there, too.
    pub(crate) failed: u32,
}

/// Why a node was never begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Skip {
    /// The decision at that node went that way, which is not this one.
    Decided { node: NodeIndex, taken: EdgeKind },
    /// The work of that node, on which this one depends, was not done.
    Failed { node: NodeIndex },
    /// Its scope ended first.
    Ended,
    /// The failure of that node, on which this one depends, was handled by another one.
    Handled { node: NodeIndex },
    /// That node, whose failure this one handles, did not fail.
    NotFailed { node: NodeIndex },
    /// The trigger rule of that node, on which this one depends or which it is, did not hold.
    RuleNotMet { node: NodeIndex },
    /// That join, into which every way on leads, went on without it.
    Lost { join: NodeIndex },
    /// An operator said so.
    Operator,
}

/// What settles an edge.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Settled {
    Live,
    /// Live although its source failed, which is tolerated.
    LiveFailed,
    Dead(Skip),
    Blocked(Skip),
}

/// What a node adds to the counters of its scope and of its execution.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Counted {
    /// It is open, and nothing of it is under way.
    Open,
    /// A handler works on it.
    Running,
    /// Something outside of the execution must happen first.
    Waiting,
    /// Something in scopes of its own must happen first.
    Nested,
    /// Nothing can change it any more.
    Settled,
}

impl NodeState {
    pub(crate) const PENDING: Self =
        Self::Pending(IncomingEdges { blocked: None, dead: None, succeeded: 0, failed: 0 });

    pub(crate) const READY: Self =
        Self::Ready { shown: false, attempt: AttemptNo::FIRST, lost: LostAttempts { all: 0, crashes: 0 } };

    pub(crate) const fn status(&self) -> NodeStatus {
        match self {
            Self::Pending(_) => NodeStatus::Pending,
            Self::Ready { .. } => NodeStatus::Ready,
            Self::Running { .. } => NodeStatus::Running,
            Self::Waiting(_) => NodeStatus::Waiting,
            Self::ControlDone { .. } | Self::Completed { .. } => NodeStatus::Completed,
            Self::Failed { .. } => NodeStatus::Failed,
            Self::Cancelled { .. } => NodeStatus::Cancelled,
            Self::Skipped(_) => NodeStatus::Skipped,
        }
    }

    /// What observers take it for: they hear of what is ready only if it stays so.
    pub(crate) const fn shown_status(&self) -> NodeStatus {
        match self {
            // What waits for a further attempt was seen before.
            Self::Ready { shown: false, attempt, .. } if attempt.get() == 1 => NodeStatus::Pending,
            other => other.status(),
        }
    }

    /// What expressions take it for: whether it could begin by now is nothing to depend on.
    pub(crate) const fn seen_status(&self) -> NodeStatus {
        match self {
            Self::Ready { .. } => NodeStatus::Pending,
            other => other.status(),
        }
    }

    #[inline]
    pub(super) const fn counted(&self) -> Counted {
        match self {
            Self::Pending(_) | Self::Ready { .. } => Counted::Open,
            Self::Running { .. } => Counted::Running,
            Self::Waiting(WaitFor::Scope { .. }) => Counted::Nested,
            Self::Waiting(_) => Counted::Waiting,
            _ => Counted::Settled,
        }
    }

    /// What it waits for, if it waits.
    pub(crate) const fn waiting_for(&self) -> Option<WaitingFor> {
        match self {
            Self::Waiting(wait) => Some(wait.name()),
            _ => None,
        }
    }

    /// Since when it is worked on or waited for; none if it is not.
    pub(crate) const fn since(&self) -> Option<Time> {
        match self {
            Self::Running { since, .. } => Some(*since),
            Self::Waiting(wait) => Some(wait.since()),
            _ => None,
        }
    }

    /// Which attempt is or was the last one, or is waited for; none for what has no attempts or never came to one.
    pub(crate) const fn attempt(&self) -> Option<AttemptNo> {
        match self {
            Self::Running { attempt, .. }
            | Self::Waiting(
                WaitFor::Task { attempt, .. } | WaitFor::Backoff { attempt, .. } | WaitFor::Operator { attempt, .. },
            ) => Some(*attempt),
            Self::Completed { attempt, .. } | Self::Failed { attempt, .. } | Self::Cancelled { attempt, .. } => {
                *attempt
            }
            Self::Ready { attempt, .. } if attempt.get() > 1 => Some(*attempt),
            _ => None,
        }
    }

    /// How many attempts were lost, as long as there may be another.
    pub(crate) const fn lost_attempts(&self) -> LostAttempts {
        match self {
            Self::Ready { lost, .. }
            | Self::Running { lost, .. }
            | Self::Waiting(WaitFor::Backoff { lost, .. } | WaitFor::Operator { lost, .. }) => *lost,
            _ => LostAttempts { all: 0, crashes: 0 },
        }
    }
}

impl WaitFor {
    pub(crate) const fn name(self) -> WaitingFor {
        match self {
            Self::Task { .. } => WaitingFor::Task,
            Self::Verdict { .. } => WaitingFor::Verdict,
            Self::Backoff { .. } => WaitingFor::Backoff,
            Self::Scope { .. } => WaitingFor::Scope,
            Self::Round { .. } => WaitingFor::Time,
            Self::Operator { .. } => WaitingFor::Operator,
            Self::Time { .. } => WaitingFor::Time,
            Self::Signal { .. } => WaitingFor::Signal,
        }
    }

    pub(crate) const fn since(self) -> Time {
        match self {
            Self::Task { since, .. }
            | Self::Verdict { since }
            | Self::Backoff { since, .. }
            | Self::Scope { since }
            | Self::Round { since, .. }
            | Self::Operator { since, .. }
            | Self::Time { since, .. }
            | Self::Signal { since } => since,
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
    /// Takes in a settled edge that is not live.
    pub(crate) fn settle(&mut self, edge: Settled) {
        match edge {
            Settled::Live | Settled::LiveFailed => {}
            Settled::Dead(skip) => self.dead = Some(skip),
            Settled::Blocked(skip) => self.blocked = self.blocked.or(Some(skip)),
        }
    }

    /// Counts a settled edge, for a rule that asks how many there are.
    pub(crate) fn count(&mut self, edge: Settled) {
        match edge {
            Settled::Live => self.succeeded += 1,
            Settled::LiveFailed | Settled::Blocked(_) => self.failed += 1,
            Settled::Dead(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_node_state_stays_small() {
        assert!(size_of::<super::NodeState>() <= 48);
    }
}
