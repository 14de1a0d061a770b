//! What an operator says of one node: to try it again, to begin it now, that it is done, that it has failed, or that it is
//! not to be done; of one that waits, that it need not.

use super::apply::{Attempted, Further};
use super::instances::ByOperator;
use super::node::WaitFor;
use super::rules::not_now;
use super::scope::{Scope, ScopeEnd};
use super::{AfterStop, Effect, EffectSink, Execution, NodeState, Phase, Refused, Skip};
use crate::compiled::{Compiled, OpeningKind, Step};
use crate::fact::{Operation, OperatorAction, Timer};
use crate::failure::{Failure, FailureClass};
use crate::id::{AttemptNo, WorkKey};
use crate::payload::Payload;

impl Execution {
    /// Whether an operator can say that now.
    pub(super) fn allows_operation(&self, definition: &Compiled, operation: &Operation) -> Result<(), Refused> {
        let Operation { key, action, reason, .. } = operation;
        let (key, state) = (*key, self.work(*key)?);
        let step = definition.at(key.node).step;
        let is_wait = matches!(step, Step::Delay(_) | Step::Until | Step::AwaitSignal);
        if !is_wait && !matches!(step, Step::Handle | Step::Ask | Step::Open(_)) {
            return Err(Refused::Invalid(match step {
                Step::Judge(None) => "a verification has no output: give a verdict on it",
                _ => "the node has no output: nobody works on it",
            }));
        }
        if *action == OperatorAction::Fail && reason.trim().is_empty() {
            return Err(Refused::Invalid("a task fails for a reason: it must not be blank"));
        }
        let fits = match action {
            OperatorAction::Retry => matches!(state, NodeState::Waiting(WaitFor::Operator { .. })),
            OperatorAction::RunNow => {
                let wait = match state {
                    NodeState::Waiting(wait) => wait,
                    // Only the task engine knows whether its handler has begun.
                    NodeState::Running { closed: false, .. } => return self.may_operate(key),
                    _ => return Err(not_now(key, state)),
                };
                matches!(wait, WaitFor::Backoff { .. } | WaitFor::Round { .. } | WaitFor::Time { .. })
            }
            OperatorAction::Complete(_) | OperatorAction::Fail | OperatorAction::Skip => {
                if self.is_end_decided(key) {
                    return Err(Refused::EndDecided { key });
                }
                is_reached(state)
            }
        };
        if !fits {
            let waits_for_else = |waiting_for| Refused::WaitsForElse { key, waiting_for };
            return Err(state.waiting_for().map_or_else(|| not_now(key, state), waits_for_else));
        }
        self.may_operate(key)?;
        if *action == OperatorAction::Retry && definition.is_at_most_once(key.node) {
            return Err(Refused::Invalid("the task runs at most once: it can be completed or failed, not tried again"));
        }
        Ok(())
    }

    /// Whether it is decided what comes of a node, though something is left to be done before.
    fn is_end_decided(&self, key: WorkKey) -> bool {
        let Some(nest) = self.nests.get(&key) else { return self.is_undoing(key) };
        let decides = |scope: &Scope| match nest.kind() {
            OpeningKind::Single => scope.end != ScopeEnd::Undecided,
            OpeningKind::Rounds => scope.end == ScopeEnd::Failed,
            OpeningKind::Items => scope.end == ScopeEnd::Failed && !nest.tolerates_another(),
        };
        let inside = || nest.all_open().filter_map(|id| self.scope(id));
        self.is_undoing(key) || nest.is_closed() || inside().any(decides)
    }

    /// Whether an operator can say anything of the work in that scope.
    fn may_operate(&self, key: WorkKey) -> Result<(), Refused> {
        // What the end is made of goes on while the execution is ending.
        let is_of_ending = self.scope(key.scope).is_some_and(|scope| scope.is_of_ending);
        let goes_on = self.phase == Phase::Running || is_of_ending && matches!(self.phase, Phase::Ending(_));
        match self.goes_on(key.scope) {
            _ if !goes_on => Err(self.not_running()),
            false => Err(Refused::ScopeOver { key }),
            true => Ok(()),
        }
    }

    pub(super) fn operated(&mut self, definition: &Compiled, operation: Operation, sink: &mut impl EffectSink) {
        let Operation { key, action, reason, .. } = operation;
        let by = match action {
            OperatorAction::Retry => {
                let Some(attempt) = self.state_at(key).attempt() else { return };
                self.renew_retry_budget(key, attempt);
                return self.start_work(definition, key, attempt, sink);
            }
            OperatorAction::RunNow => match self.state_at(key) {
                NodeState::Waiting(WaitFor::Time { .. }) => ByOperator::Completed(Payload::NULL),
                &NodeState::Running { attempt, .. } => {
                    return sink.effect(Effect::PutFirst { dispatch: self.dispatch(key, attempt) });
                }
                _ => return self.run_now(definition, key, sink),
            },
            OperatorAction::Complete(output) => ByOperator::Completed(output),
            OperatorAction::Fail => ByOperator::Failed(Failure::new(FailureClass::Failed, reason).permanent()),
            OperatorAction::Skip => ByOperator::Skipped,
        };
        match *self.state_at(key) {
            NodeState::Waiting(WaitFor::Scope { .. }) => self.end_nest(definition, key, by, sink),
            NodeState::Waiting(WaitFor::Round { .. }) => {
                sink.effect(Effect::DisarmTimer { timer: Timer::Round(key, self.awaited_round(key)) });
                self.end_nest(definition, key, by, sink);
            }
            NodeState::Waiting(WaitFor::Time { .. } | WaitFor::Signal { .. }) => {
                self.stop_waiting(definition, key, sink);
                self.settle_as_said(definition, key, by, sink);
            }
            _ => self.settle_by_operator(definition, key, by, sink),
        }
    }

    fn run_now(&mut self, definition: &Compiled, key: WorkKey, sink: &mut impl EffectSink) {
        if let NodeState::Waiting(WaitFor::Round { .. }) = self.state_at(key) {
            sink.effect(Effect::DisarmTimer { timer: Timer::Round(key, self.awaited_round(key)) });
            return self.round_due(definition, key, sink);
        }
        let Some(attempt) = self.state_at(key).attempt() else { return };
        sink.effect(Effect::DisarmTimer { timer: Timer::Backoff(key, attempt) });
        self.start_work(definition, key, attempt, sink);
    }

    /// Takes the word of an operator for what came of a task; whoever works on it is stopped at once.
    fn settle_by_operator(&mut self, definition: &Compiled, key: WorkKey, by: ByOperator, sink: &mut impl EffectSink) {
        let attempt = match *self.state_at(key) {
            NodeState::Running { attempt, .. } => {
                sink.effect(Effect::Stop { dispatch: self.dispatch(key, attempt), then: AfterStop::Forget });
                Some(attempt)
            }
            ref state => state.attempt(),
        };
        let (started, ended, further) = (self.since(key).unwrap_or(self.at), self.at, Further::Never);
        let result = match (by, attempt) {
            (ByOperator::Completed(output), Some(_)) => Ok(output),
            (ByOperator::Failed(failure), Some(_)) => Err(failure),
            (by, attempt) => {
                self.leave_work(definition, key, attempt.unwrap_or(AttemptNo::FIRST), sink);
                return self.settle_as_said(definition, key, by, sink);
            }
        };
        let attempt = attempt.unwrap_or(AttemptNo::FIRST);
        self.outcome(definition, Attempted { key, attempt, result, started, ended, further }, sink);
    }

    /// Settles a node of which nothing is under way as an operator says.
    pub(super) fn settle_as_said(
        &mut self,
        definition: &Compiled,
        key: WorkKey,
        by: ByOperator,
        sink: &mut impl EffectSink,
    ) {
        let (started, ended) = (self.since(key).unwrap_or(self.at), self.at);
        let state = match by {
            ByOperator::Completed(output) => NodeState::Completed { attempt: None, started, ended, output },
            ByOperator::Failed(failure) => {
                let failure = Box::new(failure);
                let state = NodeState::Failed { attempt: None, lost: 0, started, ended, failure };
                return self.fail(definition, key, state, sink);
            }
            ByOperator::Skipped => NodeState::Skipped(Skip::Operator),
        };
        self.move_to(definition, key, state, sink);
        self.follow(key);
    }
}

/// Whether a node was reached and nobody has closed it, so that somebody can say how it ends.
fn is_reached(state: &NodeState) -> bool {
    match state {
        NodeState::Running { closed, .. } => !closed,
        NodeState::Waiting(wait) => !matches!(wait, WaitFor::Verdict { .. }),
        NodeState::Ready { .. } => true,
        _ => false,
    }
}
