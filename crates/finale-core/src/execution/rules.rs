//! Which facts may happen: each rule is written down here, once.
//!
//! What an execution is told becomes a fact only if the rule allows it, and a fact that is read back from a history is
//! taken in only if the same rule allows it.

use super::edges::CONSEQUENCES_MAX;
use super::node::WaitFor;
use super::scope::Stage;
use super::{Execution, NodeState, Phase, Refused, waits};
use crate::compiled::{Compiled, Opening, OpeningKind, Step};
use crate::expression::moment::moment;
use crate::fact::{Activation, Decision, EndRequest, Ended, Fact, StopOutcome, Timer};
use crate::failure::{Failure, FailureClass};
use crate::id::{AttemptNo, Epoch, WorkKey};
use crate::payload::Payload;
use crate::status::WaitingFor;

type Allowed = Result<(), Refused>;

impl Execution {
    /// Whether a fact may happen now; if not, why.
    pub(super) fn allows(&self, definition: &Compiled, fact: &Fact) -> Allowed {
        match fact {
            Fact::Activated(activation) => self.allows_activation(definition, activation),
            Fact::Decided { key, decision } => self.allows_decision(definition, *key, decision),
            Fact::Outcome { key, attempt, .. } => self.allows_outcome(*key, *attempt),
            Fact::Reported { key, attempt, result, .. } => {
                let current = self.reportable(definition, *key, result)?;
                if current == *attempt { Ok(()) } else { Err(Refused::Stale { key: *key, attempt: *attempt }) }
            }
            Fact::AttemptStopped { key, attempt, how } => {
                self.allows_outcome(*key, *attempt)?;
                // With siblings left to finish nobody told it to, but a handler that was lost is not run again either.
                match how {
                    _ if self.is_not_wanted(*key) => Ok(()),
                    StopOutcome::Closed if matches!(self.work(*key)?, NodeState::Running { not_begun: false, .. }) => {
                        Ok(())
                    }
                    StopOutcome::Closed => Err(Refused::Invalid("it is known already that it has not begun")),
                    _ => Err(Refused::Invalid("nobody told it to stop")),
                }
            }
            Fact::TimerFired(timer) => self.allows_timer(definition, *timer),
            Fact::Ending(request) => self.allows_end_request(request),
            Fact::Ended(Ended { status, .. }) => match &self.phase {
                Phase::Ending(ending) if self.root.stage == Stage::Over && ending.reason.terminal() == *status => {
                    Ok(())
                }
                Phase::Ending(_) => Err(Refused::Invalid("it could not end like that")),
                _ => Err(self.not_running()),
            },
            Fact::Recovered { epoch, .. } => self.allows_recovery(*epoch),
            Fact::Continued if self.is_open() && self.is_busy() => Ok(()),
            Fact::Continued => Err(Refused::Invalid("nothing was left to go on with")),
            Fact::Operated(operation) => self.allows_operation(definition, operation),
            Fact::Signalled(signal) => self.allows_signal(signal),
            Fact::CustomStatusSet(set) => self.allows_custom_status(definition, set),
        }
    }

    fn allows_activation(&self, definition: &Compiled, activation: &Activation) -> Allowed {
        if self.phase != Phase::New {
            return Err(Refused::Invalid("it was activated before"));
        }
        if activation.definition != definition.hash {
            return Err(Refused::Invalid("the activation is meant for another definition"));
        }
        Ok(())
    }

    fn allows_decision(&self, definition: &Compiled, key: WorkKey, decision: &Decision) -> Allowed {
        let state = self.work(key)?;
        let step = definition.at(key.node).step;
        if let Decision::Verdict(..) = decision {
            return match state {
                NodeState::Waiting(WaitFor::Verdict { .. }) => Ok(()),
                _ if !matches!(step, Step::Judge(_)) => Err(Refused::Invalid("the node is not a verification")),
                state => Err(not_now(key, state)),
            };
        }
        let gives = self.gives(definition, key);
        let fits = match decision {
            Decision::Output(_) => gives,
            Decision::Branch(_) | Decision::Input(_) | Decision::TooMany(_) if gives => false,
            Decision::Mismatch(_) => gives || definition.at(key.node).call.is_some(),
            Decision::Branch(_) => step == Step::Decide || self.is_between_rounds(key),
            Decision::TooMany(_) => matches!(step, Step::Open(Opening { kind: OpeningKind::Items, .. })),
            Decision::Input(_) if self.is_between_rounds(key) => false,
            Decision::Input(value) => match step {
                Step::Handle | Step::Ask | Step::Open(_) => true,
                Step::Until => moment(value).is_ok(),
                Step::AwaitSignal => waits::signal_name(value).is_ok(),
                _ => false,
            },
            Decision::Failed(_) | Decision::Verdict(..) => true,
        };
        if fits && self.next_undecided() == Some(key) {
            Ok(())
        } else {
            Err(Refused::Invalid("no decision was due at this node"))
        }
    }

    /// Somebody works on that attempt: a handler, or whoever was asked.
    #[inline]
    pub(super) fn allows_outcome(&self, key: WorkKey, attempt: AttemptNo) -> Allowed {
        let state = self.work(key)?;
        match state {
            NodeState::Running { attempt: current, .. }
            | NodeState::Waiting(WaitFor::Task { attempt: current, .. })
                if *current == attempt =>
            {
                Ok(())
            }
            _ => match state.attempt() {
                Some(current) if current != attempt => Err(Refused::Stale { key, attempt }),
                _ => Err(not_now(key, state)),
            },
        }
    }

    /// The attempt that can be reported on: of a task outside, or of any task if it is cancelled.
    pub(super) fn reportable(
        &self,
        definition: &Compiled,
        key: WorkKey,
        result: &Result<Payload, Failure>,
    ) -> Result<AttemptNo, Refused> {
        let is_cancel = matches!(result, Err(failure) if failure.class == FailureClass::Cancelled);
        match self.work(key)? {
            NodeState::Waiting(WaitFor::Task { attempt, .. }) => Ok(*attempt),
            NodeState::Running { attempt, .. }
            | NodeState::Waiting(WaitFor::Backoff { attempt, .. } | WaitFor::Operator { attempt, .. })
                if is_cancel =>
            {
                Ok(*attempt)
            }
            // Between two attempts it waits for a slot behind a split.
            NodeState::Ready { attempt, .. } if is_cancel && attempt.get() > 1 => Ok(*attempt),
            NodeState::Running { .. } => {
                Err(Refused::Invalid("a handler works on this task; it can only be cancelled"))
            }
            // Nobody will ask for it before an operator has had his say.
            NodeState::Waiting(WaitFor::Operator { .. }) => {
                Err(Refused::WaitsForElse { key, waiting_for: WaitingFor::Operator })
            }
            state if matches!(definition.at(key.node).step, Step::Ask | Step::Handle) => Err(not_now(key, state)),
            _ => Err(Refused::Invalid("the node is not a task")),
        }
    }

    /// Only a timer that is armed can fire: one that was disarmed may do so once more before the shell gets to it.
    fn allows_timer(&self, definition: &Compiled, timer: Timer) -> Allowed {
        const NOT_ARMED: Refused = Refused::Invalid("nobody waits for this moment");
        match timer {
            Timer::Deadline if self.awaits_deadline() => Ok(()),
            Timer::Deadline if self.phase != Phase::Running => Err(self.not_running()),
            Timer::Deadline => Err(NOT_ARMED),
            Timer::EndingWithin => match &self.phase {
                Phase::Ending(ending) if ending.until.is_some() => Ok(()),
                _ => Err(NOT_ARMED),
            },
            Timer::Timeout(key, attempt) => {
                self.allows_outcome(key, attempt)?;
                let node = definition.at(key.node);
                if node.step == Step::Ask && node.timeout.is_some() { Ok(()) } else { Err(NOT_ARMED) }
            }
            Timer::Total(key) => {
                self.work(key)?;
                if self.total_timer(definition, key).is_some() { Ok(()) } else { Err(NOT_ARMED) }
            }
            Timer::Backoff(key, attempt) => match self.work(key)? {
                NodeState::Waiting(WaitFor::Backoff { attempt: next, .. }) if *next == attempt => Ok(()),
                _ => Err(Refused::Stale { key, attempt }),
            },
            Timer::Round(key, round) => match self.work(key)? {
                NodeState::Waiting(WaitFor::Round { .. }) if self.awaited_round(key) == round => Ok(()),
                _ => Err(NOT_ARMED),
            },
            Timer::Wait(key) => match self.work(key)? {
                NodeState::Waiting(WaitFor::Time { .. }) => Ok(()),
                NodeState::Waiting(WaitFor::Signal { .. }) if definition.at(key.node).timeout.is_some() => Ok(()),
                _ => Err(NOT_ARMED),
            },
        }
    }

    fn allows_end_request(&self, request: &EndRequest) -> Allowed {
        if let EndRequest::Fail { reason, .. } = request
            && reason.trim().is_empty()
        {
            return Err(Refused::Invalid("an execution fails for a reason: it must not be blank"));
        }
        match (&self.phase, request) {
            (Phase::Running, EndRequest::Output(_) | EndRequest::OutputMismatch(_)) => {
                Err(Refused::Invalid("its output was not asked for yet"))
            }
            (Phase::Running, EndRequest::Stalled) if !self.is_stalled() => {
                Err(Refused::Invalid("it is not stalled: something can move"))
            }
            (Phase::Running, _)
            | (
                Phase::Ending(_),
                EndRequest::Cancel(_)
                | EndRequest::ForceCancel(_)
                | EndRequest::Output(_)
                | EndRequest::OutputMismatch(_),
            ) => Ok(()),
            (Phase::Ended(_), EndRequest::Cancel(_) | EndRequest::ForceCancel(_)) => {
                Err(Refused::AlreadyTerminal(self.status()))
            }
            _ => Err(self.not_running()),
        }
    }

    fn allows_recovery(&self, epoch: Epoch) -> Allowed {
        match self.phase {
            Phase::New => Err(self.not_running()),
            Phase::Ended(_) => Err(Refused::AlreadyTerminal(self.status())),
            _ if epoch <= self.epoch => Err(Refused::Invalid("a recovery begins a later life than the current one")),
            _ => Ok(()),
        }
    }

    /// Running means that something can still happen; the rules never let it come to this.
    pub(super) fn is_stalled(&self) -> bool {
        matches!(self.phase, Phase::Running) && self.running == 0 && self.waiting == 0 && !self.is_busy()
    }

    /// Whether something is left to be drawn or decided without anything from outside.
    pub(super) fn is_busy(&self) -> bool {
        self.continuing || self.next_undecided().is_some()
    }

    /// The node whose expression is evaluated next.
    pub(super) fn next_undecided(&self) -> Option<WorkKey> {
        self.undecided.front().copied()
    }

    /// Whether the library goes on deciding by itself: as long as the budget lasts.
    pub(super) fn may_decide(&self) -> bool {
        self.spent < CONSEQUENCES_MAX
    }

    pub(super) fn not_running(&self) -> Refused {
        Refused::NotRunning(self.status())
    }

    /// The state of a piece of work, as long as anything can be said about it.
    #[inline]
    pub(super) fn work(&self, key: WorkKey) -> Result<&NodeState, Refused> {
        if self.phase == Phase::New {
            return Err(self.not_running());
        }
        let state = match self.scope(key.scope) {
            Some(scope) => scope.get(key.node).ok_or(Refused::Unknown)?,
            None if key.scope.0 < self.next_scope => return Err(self.gone(key)),
            None => return Err(Refused::Unknown),
        };
        match self.phase {
            Phase::Ended(_) => Err(Refused::AlreadyTerminal(self.status())),
            _ => Ok(state),
        }
    }

    fn gone(&self, key: WorkKey) -> Refused {
        match self.phase {
            Phase::Ended(_) => Refused::AlreadyTerminal(self.status()),
            _ => Refused::ScopeOver { key },
        }
    }
}

/// Why something cannot be said of a node now: it is too early, or too late.
pub(super) fn not_now(key: WorkKey, state: &NodeState) -> Refused {
    let status = state.status();
    if status.is_settled() { Refused::Settled { key, status } } else { Refused::NotReady { key, status } }
}
