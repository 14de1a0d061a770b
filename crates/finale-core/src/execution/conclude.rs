//! How an execution ends: judged by all required nodes, in the handling of each event.

use super::apply::disarm_timeout;
use super::{AfterStop, Conclusion, Effect, Execution, NodeState, Notice, Notices, Phase, Skip};
use crate::compiled::Compiled;
use crate::definition::{OnFailure, Siblings};
use crate::fact::{Stop, Terminal, Timer};
use crate::id::WorkKey;
use crate::status::ExecutionStatus;

/// Which clause decided the end.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Ruling {
    /// Everything is settled, and no failure counts against it.
    #[default]
    Settled,
    /// An operator declared it complete.
    Declared(Box<str>),
    /// The first failure.
    FailFast { node: u32 },
    /// Failures, after everything else was done.
    WaitAll { node: u32 },
    /// One failure more than tolerated.
    Tolerance { node: u32, count: u32 },
    /// An operator declared it failed.
    DeclaredFailed { by: Box<str>, reason: Box<str> },
    /// Its deadline passed.
    Deadline,
    /// Its output could not be evaluated.
    Output(Box<str>),
    /// Nothing could move any more.
    Stalled(Vec<u32>),
    /// Somebody cancelled it.
    Cancelled(Box<str>),
}

impl Ruling {
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
    pub(super) fn judge(&mut self, definition: &Compiled, notices: &mut impl Notices) {
        if self.phase != Phase::Running {
            return;
        }
        if let Some(ruling) = self.ruling(definition) {
            self.conclude(definition, ruling, notices);
        }
    }

    /// What the tasks have decided, if they have.
    pub(super) fn ruling(&self, definition: &Compiled) -> Option<Ruling> {
        let Some(&first) = self.failures.first() else {
            return (self.open == 0).then_some(Ruling::Settled);
        };
        match definition.definition.policy.on_failure {
            OnFailure::FailFast => Some(Ruling::FailFast { node: first }),
            OnFailure::Tolerate { count } => {
                let deciding = self.failures.get(count as usize);
                deciding
                    .map(|&node| Ruling::Tolerance { node, count })
                    .or_else(|| (self.open == 0).then_some(Ruling::Settled))
            }
            OnFailure::WaitAll => (self.open == 0).then_some(Ruling::WaitAll { node: first }),
        }
    }

    /// Decides the end: from here on nothing new begins, and what is under way is closed.
    pub(super) fn conclude(&mut self, definition: &Compiled, ruling: Ruling, notices: &mut impl Notices) {
        let finish = definition.definition.policy.siblings == Siblings::Finish && ruling.is_failure_of_a_task();
        self.reached.clear();
        self.undecided.clear();
        let interrupted = if self.open == 0 { Vec::new() } else { self.close_open(definition, notices) };
        if notices.watched() && !interrupted.is_empty() {
            notices.notice(Notice::Status { from: ExecutionStatus::Running, to: ExecutionStatus::Ending });
        }
        self.phase = Phase::Ending(Box::new(Conclusion { ruling, interrupted, stopping: false, sealed: None }));
        if !finish {
            self.stop_running(definition, notices);
        }
    }

    /// Closes all that no handler works on, and tells what was in flight. The one walk over the nodes in a life.
    fn close_open(&mut self, definition: &Compiled, notices: &mut impl Notices) -> Vec<u32> {
        let mut interrupted = Vec::new();
        for node in 0..self.nodes.len() as u32 {
            match self.nodes[node as usize] {
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

    fn close_waiting(&mut self, definition: &Compiled, node: u32, notices: &mut impl Notices) {
        let key = WorkKey::node(node);
        let (attempt, since) = match self.nodes[node as usize] {
            NodeState::Asked { attempt, since } => {
                notices.effect(Effect::Withdraw { dispatch: self.dispatch(key, attempt) });
                disarm_timeout(definition, key, attempt, notices);
                (attempt, since)
            }
            NodeState::Backing { attempt, since, .. } => {
                notices.effect(Effect::DisarmTimer { timer: Timer::Backoff(key, attempt) });
                (attempt - 1, since)
            }
            NodeState::Judged { since } => (0, since),
            _ => return,
        };
        self.waiting -= 1;
        self.open -= 1;
        self.inputs.remove(&node);
        let closed = NodeState::Cancelled { attempt, since, at: self.at, how: Stop::Closed };
        self.move_to(node, closed, notices);
    }

    /// Tells every running handler to stop; what they report decides how they are recorded.
    pub(super) fn stop_running(&mut self, definition: &Compiled, notices: &mut impl Notices) {
        if self.awaits_deadline() {
            notices.effect(Effect::DisarmTimer { timer: Timer::Deadline });
        }
        let Phase::Ending(conclusion) = &mut self.phase else {
            return;
        };
        conclusion.stopping = true;
        if self.running == 0 {
            return;
        }
        let epoch = self.epoch;
        for &node in &conclusion.interrupted {
            if let NodeState::Running { attempt, .. } = self.nodes[node as usize] {
                let key = WorkKey::node(node);
                disarm_timeout(definition, key, attempt, notices);
                let dispatch = crate::id::Dispatch { key, attempt, epoch };
                notices.effect(Effect::Stop { dispatch, then: AfterStop::Report });
            }
        }
    }

    pub(super) fn unsettled(&self) -> Vec<u32> {
        let open = |(node, state): (u32, &NodeState)| (!state.status().is_settled()).then_some(node);
        (0..).zip(&self.nodes).filter_map(open).collect()
    }
}
