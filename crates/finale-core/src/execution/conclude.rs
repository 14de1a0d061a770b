//! How an execution ends: judged by all required nodes, in the handling of each event.

use super::apply::disarm_timeout;
use super::{AfterStop, Effect, EffectSink, Ending, Execution, NodeState, Notice, Phase, Skip};
use crate::compiled::Compiled;
use crate::definition::{OnFailure, Siblings};
use crate::fact::{StopOutcome, Terminal, Timer};
use crate::id::{Dispatch, NodeIndex, WorkKey};
use crate::status::ExecutionStatus;

/// Which clause decided the end.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum EndReason {
    /// Everything is settled, and no failure counts against it.
    #[default]
    Settled,
    /// An operator declared it complete.
    Declared(Box<str>),
    /// The first failure.
    FailFast { node: NodeIndex },
    /// Failures, after everything else was done.
    WaitAll { node: NodeIndex },
    /// One failure more than tolerated.
    Tolerance { node: NodeIndex, count: u32 },
    /// An operator declared it failed.
    DeclaredFailed { by: Box<str>, reason: Box<str> },
    /// Its deadline passed.
    Deadline,
    /// Its output could not be evaluated.
    Output(Box<str>),
    /// Nothing could move any more.
    Stalled(Vec<NodeIndex>),
    /// Somebody cancelled it.
    Cancelled(Box<str>),
}

impl EndReason {
    pub(crate) const fn terminal(&self) -> Terminal {
        match self {
            Self::Settled | Self::Declared(_) => Terminal::Completed,
            Self::Cancelled(_) => Terminal::Cancelled,
            _ => Terminal::Failed,
        }
    }

    /// Whether a policy of finishing what runs applies: it is for failures, not for people who want an end.
    const fn is_failure_of_a_task(&self) -> bool {
        matches!(self, Self::FailFast { .. } | Self::Tolerance { .. })
    }
}

impl Execution {
    pub(super) fn judge(&mut self, definition: &Compiled, notices: &mut impl EffectSink) {
        if self.phase != Phase::Running {
            return;
        }
        if let Some(reason_to_end) = self.reason_to_end(definition) {
            self.conclude(definition, reason_to_end, notices);
        }
    }

    /// What the tasks have decided, if they have.
    pub(super) fn reason_to_end(&self, definition: &Compiled) -> Option<EndReason> {
        let Some(&first) = self.failures.first() else {
            return (self.open == 0).then_some(EndReason::Settled);
        };
        match definition.definition.policy.on_failure {
            OnFailure::FailFast => Some(EndReason::FailFast { node: first }),
            OnFailure::Tolerate { count } => {
                let deciding = self.failures.get(count as usize);
                deciding
                    .map(|&node| EndReason::Tolerance { node, count })
                    .or_else(|| (self.open == 0).then_some(EndReason::Settled))
            }
            OnFailure::WaitAll => (self.open == 0).then_some(EndReason::WaitAll { node: first }),
        }
    }

    /// Decides the end: from here on nothing new begins, and what is under way is closed.
    pub(super) fn conclude(&mut self, definition: &Compiled, reason_to_end: EndReason, notices: &mut impl EffectSink) {
        let finish = definition.definition.policy.siblings == Siblings::Finish && reason_to_end.is_failure_of_a_task();
        self.reached.clear();
        self.undecided.clear();
        let interrupted = if self.open == 0 { Vec::new() } else { self.close_open(definition, notices) };
        if notices.watched() && !interrupted.is_empty() {
            notices.notice(Notice::Status { from: ExecutionStatus::Running, to: ExecutionStatus::Ending });
        }
        self.phase = Phase::Ending(Box::new(Ending { reason_to_end, interrupted, stopping: false, sealed: None }));
        if !finish {
            self.stop_running(definition, notices);
        }
    }

    /// Closes all that no handler works on, and tells what was in flight. The one walk over the nodes in a life.
    fn close_open(&mut self, definition: &Compiled, notices: &mut impl EffectSink) -> Vec<NodeIndex> {
        let mut interrupted = Vec::new();
        for node in (0..self.nodes.len() as u32).map(NodeIndex) {
            match self.nodes[node.as_usize()] {
                NodeState::Pending(_) | NodeState::Reached => {
                    self.open -= 1;
                    self.move_to(node, NodeState::Skipped(Skip::Ended), notices);
                }
                NodeState::Running { .. } => interrupted.push(node),
                NodeState::Asked { .. } | NodeState::Judged { .. } | NodeState::Backing { .. } => {
                    self.close_waiting(definition, node, notices);
                    interrupted.push(node);
                }
                _ => {}
            }
        }
        interrupted
    }

    fn close_waiting(&mut self, definition: &Compiled, node: NodeIndex, notices: &mut impl EffectSink) {
        let key = WorkKey::root(node);
        let (attempt, since) = match self.nodes[node.as_usize()] {
            NodeState::Asked { attempt, since } => {
                notices.effect(Effect::Withdraw { dispatch: self.dispatch(key, attempt) });
                disarm_timeout(definition, key, attempt, notices);
                (Some(attempt), since)
            }
            NodeState::Backing { attempt, since, .. } => {
                notices.effect(Effect::DisarmTimer { timer: Timer::Backoff(key, attempt) });
                (attempt.previous(), since)
            }
            NodeState::Judged { since } => (None, since),
            _ => return,
        };
        self.waiting -= 1;
        self.open -= 1;
        self.inputs.remove(&node);
        let closed = NodeState::Cancelled { attempt, since, at: self.at, how: StopOutcome::Closed };
        self.move_to(node, closed, notices);
    }

    /// Tells every running handler to stop; what they report decides how they are recorded.
    pub(super) fn stop_running(&mut self, definition: &Compiled, notices: &mut impl EffectSink) {
        if self.awaits_deadline() {
            notices.effect(Effect::DisarmTimer { timer: Timer::Deadline });
        }
        let Phase::Ending(ending) = &mut self.phase else {
            return;
        };
        ending.stopping = true;
        if self.running == 0 {
            return;
        }
        let epoch = self.epoch;
        for &node in &ending.interrupted {
            if let NodeState::Running { attempt, .. } = self.nodes[node.as_usize()] {
                let key = WorkKey::root(node);
                disarm_timeout(definition, key, attempt, notices);
                let dispatch = Dispatch { key, attempt, epoch };
                notices.effect(Effect::Stop { dispatch, then: AfterStop::Report });
            }
        }
    }

    pub(super) fn unsettled(&self) -> Vec<NodeIndex> {
        let open = |(node, state): (u32, &NodeState)| (!state.status().is_settled()).then_some(NodeIndex(node));
        (0..).zip(&self.nodes).filter_map(open).collect()
    }
}
