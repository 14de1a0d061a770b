//! The only mutator: live, recovery and replay all go through here.

use std::time::Duration;

use super::{
    AfterStop, Effect, EffectSink, EndReason, Execution, LostAttempts, NodeState, Notice, Phase, Sealed, timeout,
};
use crate::compiled::{Compiled, Step};
use crate::definition::{EdgeKind, Verdict};
use crate::fact::{Activation, Decision, EndRequest, Ended, Fact, StopOutcome, Terminal, Timer};
use crate::failure::{Failure, FailureClass};
use crate::id::{AttemptNo, NodeIndex, WorkKey};
use crate::payload::Payload;
use crate::status::ExecutionStatus;
use crate::time::{Time, format_duration};

/// A fact that does not fit the execution it is applied to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ReplayError(pub(super) &'static str);

type Applied = Result<(), ReplayError>;

impl Execution {
    /// Takes in one fact and draws every consequence of it.
    ///
    /// Facts decided by [`handle`](Self::handle) always fit; one that does not comes from a damaged or foreign history,
    /// and the execution is of no use afterwards. What a recovery leaves to be done is known only at
    /// the end of its turn, so [`handle`](Self::handle) gives other effects for it than those that are given here.
    pub fn apply(&mut self, definition: &Compiled, at: Time, fact: &Fact, notices: &mut impl EffectSink) -> Applied {
        self.sequence += 1;
        self.at = at;
        match fact {
            Fact::Activated(activation) => self.activated(definition, activation, notices)?,
            Fact::Decided { key, decision } => self.decided(definition, *key, decision, notices)?,
            Fact::Outcome { key, attempt, result, started, ended } => {
                let span = (*started, *ended);
                self.outcome(definition, *key, *attempt, result, span, notices)?;
            }
            Fact::Reported { key, attempt, result, .. } => {
                self.reported(definition, *key, *attempt, result, notices)?;
            }
            Fact::AttemptStopped { key, attempt, how } => self.stopped(definition, *key, *attempt, *how, notices)?,
            Fact::TimerFired(timer) => self.fired(definition, *timer, notices)?,
            Fact::Ending(decree) => self.decreed(definition, decree, notices)?,
            Fact::Recovered { epoch, crashed } => self.recovered(definition, *epoch, *crashed, notices)?,
            Fact::Continued => {}
            Fact::Ended(seal) => return self.sealed(seal, notices),
        }
        self.draw_consequences(definition, notices);
        self.judge(definition, notices);
        Ok(())
    }

    fn activated(&mut self, definition: &Compiled, activation: &Activation, notices: &mut impl EffectSink) -> Applied {
        if self.phase != Phase::New {
            return Err(ReplayError("it was activated before"));
        }
        if activation.definition != definition.hash {
            return Err(ReplayError("it was activated with another definition"));
        }
        self.phase = Phase::Running;
        self.created_at = self.at;
        self.activation = Some(Box::new(activation.clone()));
        notices.notice_status(ExecutionStatus::Pending, ExecutionStatus::Running);
        if let Some(due) = activation.deadline {
            notices.effect(Effect::ArmTimer { timer: Timer::Deadline, due });
        }
        self.nodes[definition.start.as_usize()] = NodeState::Reached;
        self.reached.push(definition.start);
        Ok(())
    }

    fn decided(
        &mut self,
        definition: &Compiled,
        key: WorkKey,
        decision: &Decision,
        notices: &mut impl EffectSink,
    ) -> Applied {
        let node = key.node;
        if let Decision::Verdict(verdict, _) = decision {
            return self.judged(node, *verdict, notices);
        }
        if self.undecided.pop_front() != Some(node) {
            return Err(ReplayError("no decision was due at this node"));
        }
        match decision {
            Decision::Branch(value) => {
                if notices.watched() {
                    notices.notice(Notice::Condition { key, value: *value });
                }
                let taken = if *value { EdgeKind::ConditionalTrue } else { EdgeKind::ConditionalFalse };
                self.pass(node, Some(taken), notices);
            }
            Decision::Input(input) => {
                self.inputs.insert(node, input.clone());
                self.dispatch_work(definition, node, AttemptNo::FIRST, notices);
            }
            Decision::Failed(reason) => self.undecidable(definition, node, reason, notices),
            Decision::Verdict(..) => {}
        }
        Ok(())
    }

    fn judged(&mut self, node: NodeIndex, verdict: Verdict, notices: &mut impl EffectSink) -> Applied {
        let Some(NodeState::Judged { .. }) = self.nodes.get(node.as_usize()) else {
            return Err(ReplayError("no verdict was awaited at this node"));
        };
        self.waiting -= 1;
        self.pass(node, Some(verdict.edge()), notices);
        Ok(())
    }

    fn undecidable(&mut self, definition: &Compiled, node: NodeIndex, reason: &str, notices: &mut impl EffectSink) {
        if notices.watched() {
            notices.notice(Notice::ExpressionFailed { key: WorkKey::root(node), reason: reason.into() });
        }
        let failure = Failure::new(FailureClass::Expression, reason);
        let at = self.at;
        self.fail(
            definition,
            node,
            NodeState::Failed { attempt: None, lost: 0, started: at, ended: at, failure: Box::new(failure) },
            notices,
        );
    }

    pub(super) fn outcome(
        &mut self,
        definition: &Compiled,
        key: WorkKey,
        attempt: AttemptNo,
        result: &Result<Payload, Failure>,
        (started, ended): (Time, Time),
        notices: &mut impl EffectSink,
    ) -> Applied {
        let handled = matches!(self.nodes.get(key.node.as_usize()), Some(NodeState::Running { .. }));
        self.leave_work(definition, key, attempt, notices)?;
        if handled && result.as_ref().is_err_and(leaves_its_handler) {
            let dispatch = self.dispatch(key, attempt);
            notices.effect(Effect::Stop { dispatch, then: AfterStop::Forget });
        }
        if notices.watched() {
            let failure = result.as_ref().err().cloned().map(Box::new);
            let took = ended.since(started);
            notices.notice(Notice::Attempt { key, attempt, failure, took });
        }
        match result {
            Ok(output) => {
                let output = output.clone();
                self.inputs.remove(&key.node);
                self.open -= 1;
                self.move_to(key.node, NodeState::Completed { attempt, started, ended, output }, notices);
                self.reached.push(key.node);
            }
            Err(failure) => self.attempt_failed(definition, key, attempt, failure, (started, ended), notices),
        }
        Ok(())
    }

    /// What somebody outside reported took since they were asked.
    fn reported(
        &mut self,
        definition: &Compiled,
        key: WorkKey,
        attempt: AttemptNo,
        result: &Result<Payload, Failure>,
        notices: &mut impl EffectSink,
    ) -> Applied {
        let started = self.since(key).ok_or(ReplayError("nobody was asked for this"))?;
        let ended = self.at;
        self.outcome(definition, key, attempt, result, (started, ended), notices)
    }

    /// Takes a node out of the hands of whoever works on this attempt.
    fn leave_work(
        &mut self,
        definition: &Compiled,
        key: WorkKey,
        attempt: AttemptNo,
        notices: &mut impl EffectSink,
    ) -> Applied {
        let dispatch = self.dispatch(key, attempt);
        match self.nodes.get(key.node.as_usize()) {
            Some(NodeState::Running { attempt: current, .. }) if *current == attempt => self.running -= 1,
            Some(NodeState::Asked { attempt: current, .. }) if *current == attempt => {
                self.waiting -= 1;
                notices.effect(Effect::Withdraw { dispatch });
            }
            // Cancelled while it waited for its next attempt.
            Some(NodeState::Backing { attempt: next, .. }) if *next == attempt => {
                self.waiting -= 1;
                notices.effect(Effect::DisarmTimer { timer: Timer::Backoff(key, attempt) });
                return Ok(());
            }
            _ => return Err(ReplayError("nobody worked on this attempt")),
        }
        disarm_timeout(definition, key, attempt, notices);
        Ok(())
    }

    fn attempt_failed(
        &mut self,
        definition: &Compiled,
        key: WorkKey,
        attempt: AttemptNo,
        failure: &Failure,
        (started, ended): (Time, Time),
        notices: &mut impl EffectSink,
    ) {
        let lost = self.nodes[key.node.as_usize()].losses().all;
        let last = LostAttempts::last_attempt(definition.at(key.node).attempts, lost);
        if self.phase == Phase::Running && failure.is_retryable() && attempt.get() < last {
            return self.try_again(definition, key.node, attempt.next(), failure.delay(), notices);
        }
        let failure = Box::new(failure.clone());
        let state = NodeState::Failed { attempt: Some(attempt), lost, started, ended, failure };
        self.fail(definition, key.node, state, notices);
    }

    fn fail(&mut self, definition: &Compiled, node: NodeIndex, state: NodeState, notices: &mut impl EffectSink) {
        self.inputs.remove(&node);
        self.open -= 1;
        if !definition.at(node).optional {
            self.failures.push(node);
        }
        self.move_to(node, state, notices);
        self.reached.push(node);
    }

    fn try_again(
        &mut self,
        definition: &Compiled,
        node: NodeIndex,
        attempt: AttemptNo,
        asked: Option<Duration>,
        notices: &mut impl EffectSink,
    ) {
        let backoff = definition.at(node).backoff.max(asked.unwrap_or_default());
        if backoff.is_zero() {
            return self.dispatch_work(definition, node, attempt, notices);
        }
        let until = self.at.after(backoff);
        let lost = self.nodes[node.as_usize()].losses();
        self.waiting += 1;
        self.move_to(node, NodeState::Backing { attempt, since: self.at, until, lost }, notices);
        let timer = Timer::Backoff(WorkKey::root(node), attempt);
        notices.effect(Effect::ArmTimer { timer, due: until });
    }

    pub(super) fn stopped(
        &mut self,
        definition: &Compiled,
        key: WorkKey,
        attempt: AttemptNo,
        how: StopOutcome,
        notices: &mut impl EffectSink,
    ) -> Applied {
        let ending = matches!(self.phase, Phase::Ending(_));
        let since = match self.nodes.get(key.node.as_usize()) {
            Some(NodeState::Running { attempt: current, since, .. }) if ending && *current == attempt => *since,
            _ => return Err(ReplayError("nobody was told to stop this attempt")),
        };
        self.running -= 1;
        self.open -= 1;
        self.inputs.remove(&key.node);
        // Of those that are told to stop the timers are disarmed when they are told; a lost sibling was not told.
        if !self.is_stopping() {
            disarm_timeout(definition, key, attempt, notices);
        }
        self.move_to(key.node, NodeState::Cancelled { attempt: Some(attempt), since, at: self.at, how }, notices);
        Ok(())
    }

    fn fired(&mut self, definition: &Compiled, timer: Timer, notices: &mut impl EffectSink) -> Applied {
        match timer {
            Timer::Deadline => {
                if !self.awaits_deadline() {
                    return Err(ReplayError("no deadline was awaited"));
                }
                match self.phase {
                    Phase::Running => self.conclude(definition, EndReason::Deadline, notices),
                    // The end is decided already, but siblings were left to finish: no longer.
                    _ => self.stop_running(definition, notices),
                }
                Ok(())
            }
            Timer::Timeout(key, attempt) => self.timed_out(definition, key, attempt, notices),
            Timer::Backoff(key, attempt) => {
                match self.nodes.get(key.node.as_usize()) {
                    Some(NodeState::Backing { attempt: next, .. }) if *next == attempt => {}
                    _ => return Err(ReplayError("no next attempt was awaited")),
                }
                self.waiting -= 1;
                self.dispatch_work(definition, key.node, attempt, notices);
                Ok(())
            }
        }
    }

    fn timed_out(
        &mut self,
        definition: &Compiled,
        key: WorkKey,
        attempt: AttemptNo,
        notices: &mut impl EffectSink,
    ) -> Applied {
        let since = match self.nodes.get(key.node.as_usize()) {
            Some(NodeState::Running { since, .. } | NodeState::Asked { since, .. }) => *since,
            _ => return Err(ReplayError("nobody worked on this attempt")),
        };
        let limit = definition.at(key.node).timeout.unwrap_or_default();
        let failure = Failure::new(FailureClass::TimedOut, format!("no result within {}", format_duration(limit)));
        self.outcome(definition, key, attempt, &Err(failure), (since, self.at), notices)
    }

    fn decreed(&mut self, definition: &Compiled, decree: &EndRequest, notices: &mut impl EffectSink) -> Applied {
        match (&mut self.phase, decree) {
            (Phase::Running, _) => {
                let reason_to_end = self.ruling_of(decree);
                self.conclude(definition, reason_to_end, notices);
            }
            (Phase::Ending(ending), EndRequest::Output(reason)) => {
                ending.reason_to_end = EndReason::Output(reason.clone());
            }
            (Phase::Ending(_), EndRequest::Cancel(_)) => self.stop_running(definition, notices),
            _ => return Err(ReplayError("the end could not be decided then")),
        }
        Ok(())
    }

    fn ruling_of(&self, decree: &EndRequest) -> EndReason {
        match decree {
            EndRequest::Cancel(by) => EndReason::Cancelled(by.clone()),
            EndRequest::Complete(by) => EndReason::Declared(by.clone()),
            EndRequest::Fail { by, reason } => EndReason::DeclaredFailed { by: by.clone(), reason: reason.clone() },
            EndRequest::Output(reason) => EndReason::Output(reason.clone()),
            EndRequest::Stalled => EndReason::Stalled(self.unsettled()),
        }
    }

    fn sealed(&mut self, seal: &Ended, notices: &mut impl EffectSink) -> Applied {
        let awaits_deadline = self.awaits_deadline();
        let Phase::Ending(ending) = &mut self.phase else {
            return Err(ReplayError("its end was not decided"));
        };
        if self.running > 0 || ending.reason_to_end.terminal() != seal.status {
            return Err(ReplayError("it could not end like that"));
        }
        let from = match ending.interrupted.is_empty() {
            true => ExecutionStatus::Running,
            false => ExecutionStatus::Ending,
        };
        let mut ending = std::mem::take(ending);
        ending.sealed = Some(Sealed { at: self.at, status: seal.status, output: seal.output.clone() });
        self.phase = Phase::Ended(ending);
        if awaits_deadline {
            notices.effect(Effect::DisarmTimer { timer: Timer::Deadline });
        }
        notices.notice_status(from, seal.status.into());
        notices.effect(Effect::Ended);
        Ok(())
    }

    /// Hands the work of a node to whoever does it.
    pub(super) fn dispatch_work(
        &mut self,
        definition: &Compiled,
        node: NodeIndex,
        attempt: AttemptNo,
        notices: &mut impl EffectSink,
    ) {
        let key = WorkKey::root(node);
        let dispatch = self.dispatch(key, attempt);
        let (since, input) = (self.at, self.input_of(node));
        if definition.at(node).step == Step::Ask {
            self.waiting += 1;
            self.move_to(node, NodeState::Asked { attempt, since }, notices);
            notices.effect(Effect::Offer { dispatch, input });
        } else {
            let lost = self.nodes[node.as_usize()].losses();
            self.running += 1;
            self.move_to(node, NodeState::Running { attempt, since, lost }, notices);
            notices.effect(Effect::Run { dispatch, input });
        }
        if let Some(timer) = timeout(definition, key, attempt, since) {
            notices.effect(timer);
        }
    }

    /// Passes a control node, on the way it chose if it had to choose.
    pub(super) fn pass(&mut self, node: NodeIndex, taken: Option<EdgeKind>, notices: &mut impl EffectSink) {
        self.open -= 1;
        self.move_to(node, NodeState::Passed { at: self.at, taken }, notices);
        self.reached.push(node);
    }

    pub(super) fn move_to(&mut self, node: NodeIndex, state: NodeState, notices: &mut impl EffectSink) {
        let place = &mut self.nodes[node.as_usize()];
        if notices.watched() {
            let (from, to) = (place.status(), state.status());
            let attempt = state.attempt();
            notices.notice(Notice::Node { key: WorkKey::root(node), from, to, attempt });
        }
        *place = state;
    }
}

/// Whether a failure was decided while the handler may still be at work.
fn leaves_its_handler(failure: &Failure) -> bool {
    matches!(failure.class, FailureClass::Cancelled | FailureClass::TimedOut)
}

pub(super) fn disarm_timeout(definition: &Compiled, key: WorkKey, attempt: AttemptNo, notices: &mut impl EffectSink) {
    if definition.at(key.node).timeout.is_some() {
        notices.effect(Effect::DisarmTimer { timer: Timer::Timeout(key, attempt) });
    }
}

/// What is said in the same words at several places.
trait Say: EffectSink {
    fn notice_status(&mut self, from: ExecutionStatus, to: ExecutionStatus) {
        if self.watched() {
            self.notice(Notice::Status { from, to });
        }
    }
}

impl<N: EffectSink> Say for N {}

impl Terminal {
    /// The name in records, logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}
