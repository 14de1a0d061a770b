//! What an operator says of one node: to try it again, to begin it now, that it is done, or that it has failed; of one
//! that waits, that it need not.

use super::apply::{Attempted, Further};
use super::node::WaitFor;
use super::rules::not_now;
use super::{AfterStop, Effect, EffectSink, Execution, NodeState, Refused};
use crate::compiled::{Compiled, Step};
use crate::fact::{Operation, OperatorAction, Timer};
use crate::failure::{Failure, FailureClass};
use crate::id::{AttemptNo, WorkKey};
use crate::payload::Payload;

impl Execution {
    /// Whether an operator can say that now.
    pub(super) fn allows_operation(&self, definition: &Compiled, operation: &Operation) -> Result<(), Refused> {
        let Operation { key, action, reason, .. } = operation;
        let (key, state) = (*key, self.work(*key)?);
        let is_wait = matches!(definition.at(key.node).step, Step::Delay(_) | Step::Until | Step::AwaitSignal);
        if !is_wait && !matches!(definition.at(key.node).step, Step::Handle | Step::Ask) {
            return Err(Refused::Invalid("the node is not a task"));
        }
        if *action == OperatorAction::Fail && reason.trim().is_empty() {
            return Err(Refused::Invalid("a task fails for a reason: it must not be blank"));
        }
        let fits = match action {
            OperatorAction::Retry => matches!(state, NodeState::Waiting(WaitFor::Operator { .. })),
            OperatorAction::RunNow => {
                matches!(state, NodeState::Waiting(WaitFor::Backoff { .. } | WaitFor::Time { .. }))
            }
            OperatorAction::Complete(_) | OperatorAction::Fail => is_begun(state),
        };
        match fits {
            false => Err(not_now(key, state)),
            true if !self.goes_on(key.scope) => Err(self.not_running()),
            true if *action == OperatorAction::Retry && definition.is_at_most_once(key.node) => {
                Err(Refused::Invalid("the task runs at most once: it can be completed or failed, not tried again"))
            }
            true => Ok(()),
        }
    }

    pub(super) fn operated(&mut self, definition: &Compiled, operation: Operation, sink: &mut impl EffectSink) {
        let Operation { key, action, reason, .. } = operation;
        if let NodeState::Waiting(WaitFor::Time { .. } | WaitFor::Signal { .. }) = self.state_at(key) {
            let result = match action {
                OperatorAction::Complete(output) => Ok(output),
                OperatorAction::Fail => Err(Failure::new(FailureClass::Failed, reason)),
                OperatorAction::RunNow | OperatorAction::Retry => Ok(Payload::NULL),
            };
            return self.end_wait(definition, key, result, sink);
        }
        match action {
            OperatorAction::Retry => {
                let Some(attempt) = self.state_at(key).attempt() else { return };
                self.renew_retry_budget(key, attempt);
                self.start_work(definition, key, attempt, sink);
            }
            OperatorAction::RunNow => {
                let Some(attempt) = self.state_at(key).attempt() else { return };
                sink.effect(Effect::DisarmTimer { timer: Timer::Backoff(key, attempt) });
                self.start_work(definition, key, attempt, sink);
            }
            OperatorAction::Complete(output) => self.settle_by_operator(definition, key, Ok(output), sink),
            OperatorAction::Fail => {
                let failure = Failure::new(FailureClass::Failed, reason).permanent();
                self.settle_by_operator(definition, key, Err(failure), sink);
            }
        }
    }

    /// Takes the word of an operator for what came of a task; whoever works on it is stopped at once.
    fn settle_by_operator(
        &mut self,
        definition: &Compiled,
        key: WorkKey,
        result: Result<Payload, Failure>,
        sink: &mut impl EffectSink,
    ) {
        let (started, ended) = (self.since(key).unwrap_or(self.at), self.at);
        let Some(attempt) = self.state_at(key).attempt() else { return };
        let attempt = match self.state_at(key) {
            NodeState::Running { .. } => {
                sink.effect(Effect::Stop { dispatch: self.dispatch(key, attempt), then: AfterStop::Forget });
                attempt
            }
            // The attempt with that number was not made.
            NodeState::Waiting(WaitFor::Operator { .. }) => attempt.previous().unwrap_or(AttemptNo::FIRST),
            _ => attempt,
        };
        let attempted = Attempted { key, attempt, result, started, ended, further: Further::Never };
        self.outcome(definition, attempted, sink);
    }
}

/// Whether something was begun at a node, so that somebody can say how it ends.
fn is_begun(state: &NodeState) -> bool {
    match state {
        NodeState::Running { closed, .. } => !closed,
        NodeState::Waiting(wait) => match wait {
            WaitFor::Task { .. } | WaitFor::Backoff { .. } | WaitFor::Operator { .. } => true,
            WaitFor::Time { .. } | WaitFor::Signal { .. } => true,
            WaitFor::Verdict { .. } | WaitFor::Scope { .. } | WaitFor::Round { .. } => false,
        },
        NodeState::Ready { attempt, .. } => attempt.get() > 1,
        _ => false,
    }
}
