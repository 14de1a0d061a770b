//! Decides what an input means, and records it.

use super::{Command, Execution, Input, NodeState, Phase, Refused, Report, Turn};
use crate::compiled::{Compiled, Step};
use crate::definition::Verdict;
use crate::fact::{Activation, Decision, EndRequest, Ended, Fact, StopOutcome, Timer};
use crate::failure::{Failure, FailureClass};
use crate::id::{Dispatch, WorkKey};
use crate::payload::Payload;
use crate::time::Time;

impl Execution {
    /// Takes in one input: decides, records facts, draws their consequences.
    ///
    /// A refusal changes nothing. `at` earlier than the last fact counts as the time of that fact.
    pub fn handle(&mut self, definition: &Compiled, at: Time, input: Input, turn: &mut Turn) -> Result<(), Refused> {
        match self.accept(definition, input)? {
            Some(fact @ Fact::Recovered { .. }) => self.recover(definition, at, &fact, turn),
            Some(fact) => {
                self.commit(definition, at, &fact, turn);
                self.carry_on(definition, at, turn);
            }
            None => {}
        }
        Ok(())
    }

    /// The fact that an input becomes; none if it changes nothing and is right all the same.
    fn accept(&self, definition: &Compiled, input: Input) -> Result<Option<Fact>, Refused> {
        match input {
            Input::Activate(activation) => self.accept_activation(definition, activation).map(Some),
            Input::Outcome { dispatch, result, started, ended } => {
                self.check_dispatch(dispatch)?;
                let Dispatch { key, attempt, .. } = dispatch;
                Ok(Some(Fact::Outcome { key, attempt, result, started, ended }))
            }
            Input::Reported(report) => self.accept_report(definition, report).map(Some),
            Input::Stopped { dispatch, how } => self.accept_stop(dispatch, how).map(Some),
            Input::Verdict { key, verdict, by } => self.accept_verdict(definition, key, verdict, by).map(Some),
            Input::TimerFired(timer) => self.accept_timer(definition, timer).map(Some),
            Input::Command(command) => self.accept_command(command),
            Input::Recovered { epoch, crashed } => self.accept_recovery(epoch, crashed).map(Some),
        }
    }

    fn accept_activation(&self, definition: &Compiled, activation: Activation) -> Result<Fact, Refused> {
        if self.phase != Phase::New {
            return Err(Refused::Invalid("it was activated before"));
        }
        if activation.definition != definition.hash {
            return Err(Refused::Invalid("the activation is meant for another definition"));
        }
        if !definition.unsupported.is_empty() {
            return Err(Refused::Invalid("the definition asks for what this release does not run"));
        }
        Ok(Fact::Activated(activation))
    }

    fn check_dispatch(&self, dispatch: Dispatch) -> Result<(), Refused> {
        let Dispatch { key, attempt, epoch } = dispatch;
        let state = self.work(key)?;
        match state {
            NodeState::Running { attempt: current, .. } | NodeState::Asked { attempt: current, .. }
                if *current == attempt && self.epoch == epoch =>
            {
                Ok(())
            }
            _ => match state.attempt() {
                Some(current) if current != attempt || self.epoch != epoch => Err(Refused::Stale { key, attempt }),
                _ => Err(self.not_now(key, state)),
            },
        }
    }

    fn accept_report(&self, definition: &Compiled, report: Report) -> Result<Fact, Refused> {
        let Report { key, attempt: meant, result, by } = report;
        let attempt = match self.work(key)? {
            NodeState::Asked { attempt, .. } => *attempt,
            NodeState::Running { attempt, .. } | NodeState::Backing { attempt, .. } if is_cancel(&result) => *attempt,
            NodeState::Running { .. } => {
                return Err(Refused::Invalid("a handler works on this task; it can only be cancelled"));
            }
            state if matches!(definition.at(key.node).step, Step::Ask | Step::Handle) => {
                return Err(self.not_now(key, state));
            }
            _ => return Err(Refused::Invalid("the node is not a task")),
        };
        if let Some(meant) = meant
            && meant != attempt
        {
            return Err(Refused::Stale { key, attempt: meant });
        }
        Ok(Fact::Reported { key, attempt, result, by })
    }

    fn accept_stop(&self, dispatch: Dispatch, how: StopOutcome) -> Result<Fact, Refused> {
        self.check_dispatch(dispatch)?;
        // With siblings left to finish nobody told it to, but a handler that was lost is not run again either.
        if !matches!(self.phase, Phase::Ending(_)) {
            return Err(Refused::Invalid("nobody told it to stop"));
        }
        Ok(Fact::AttemptStopped { key: dispatch.key, attempt: dispatch.attempt, how })
    }

    fn accept_verdict(
        &self,
        definition: &Compiled,
        key: WorkKey,
        verdict: Verdict,
        by: Box<str>,
    ) -> Result<Fact, Refused> {
        match self.work(key)? {
            NodeState::Judged { .. } => Ok(Fact::Decided { key, decision: Decision::Verdict(verdict, by) }),
            _ if !matches!(definition.at(key.node).step, Step::Judge(_)) => {
                Err(Refused::Invalid("the node is not a verification"))
            }
            state => Err(self.not_now(key, state)),
        }
    }

    /// Only a timer that is armed can fire: one that was disarmed may do so once more before the shell gets to it.
    fn accept_timer(&self, definition: &Compiled, timer: Timer) -> Result<Fact, Refused> {
        const NOT_ARMED: Refused = Refused::Invalid("nobody waits for this moment");
        match timer {
            Timer::Deadline if self.awaits_deadline() => Ok(Fact::TimerFired(timer)),
            Timer::Deadline if self.phase != Phase::Running => Err(Refused::NotRunning(self.status())),
            Timer::Deadline => Err(NOT_ARMED),
            Timer::Timeout(key, attempt) => {
                self.check_dispatch(self.dispatch(key, attempt))?;
                let is_armed = definition.at(key.node).timeout.is_some() && !self.is_stopping();
                is_armed.then_some(Fact::TimerFired(timer)).ok_or(NOT_ARMED)
            }
            Timer::Backoff(key, attempt) => match self.work(key)? {
                NodeState::Backing { attempt: next, .. } if *next == attempt => Ok(Fact::TimerFired(timer)),
                _ => Err(Refused::Stale { key, attempt }),
            },
        }
    }

    fn accept_command(&self, command: Command) -> Result<Option<Fact>, Refused> {
        let decree = match command {
            Command::Cancel { by } => match &self.phase {
                Phase::Ended(_) => return Err(Refused::AlreadyTerminal(self.status())),
                // Everything is told to stop already: this one joins the first.
                Phase::Ending(ending) if ending.stopping => return Ok(None),
                Phase::New => return Err(Refused::NotRunning(self.status())),
                _ => return Ok(Some(Fact::Ending(EndRequest::Cancel(by)))),
            },
            Command::Complete { by } => EndRequest::Complete(by),
            Command::Fail { reason, .. } if reason.trim().is_empty() => {
                return Err(Refused::Invalid("an execution fails for a reason: it must not be blank"));
            }
            Command::Fail { by, reason } => EndRequest::Fail { by, reason },
        };
        if self.phase != Phase::Running {
            return Err(Refused::NotRunning(self.status()));
        }
        Ok(Some(Fact::Ending(decree)))
    }

    /// The state of a piece of work, as long as anything can be said about it.
    fn work(&self, key: WorkKey) -> Result<&NodeState, Refused> {
        if self.phase == Phase::New {
            return Err(Refused::NotRunning(self.status()));
        }
        let known = key.scope.is_root();
        let state = self.nodes.get(key.node.as_usize()).filter(|_| known).ok_or(Refused::Unknown)?;
        match self.phase {
            Phase::Ended(_) => Err(Refused::AlreadyTerminal(self.status())),
            _ => Ok(state),
        }
    }

    fn not_now(&self, key: WorkKey, state: &NodeState) -> Refused {
        let status = state.status();
        if status.is_settled() { Refused::Settled { key, status } } else { Refused::NotReady { key, status } }
    }

    /// Decides what must be decided by evaluation, and seals what is over.
    fn carry_on(&mut self, definition: &Compiled, at: Time, turn: &mut Turn) {
        self.decide_due(definition, at, turn);
        self.close(definition, at, turn);
    }

    pub(super) fn decide_due(&mut self, definition: &Compiled, at: Time, turn: &mut Turn) {
        while let Some(&node) = self.undecided.front() {
            let decision = self.decide(definition, node);
            self.commit(definition, at, &Fact::Decided { key: WorkKey::root(node), decision }, turn);
        }
    }

    pub(super) fn close(&mut self, definition: &Compiled, at: Time, turn: &mut Turn) {
        if self.is_stalled() {
            self.commit(definition, at, &Fact::Ending(EndRequest::Stalled), turn);
        }
        if self.running == 0 && matches!(self.phase, Phase::Ending(_)) {
            self.seal(definition, at, turn);
        }
    }

    /// Running means that something can still happen; the rules never let it come to this.
    fn is_stalled(&self) -> bool {
        self.phase == Phase::Running && self.running == 0 && self.waiting == 0
    }

    fn seal(&mut self, definition: &Compiled, at: Time, turn: &mut Turn) {
        let output = match self.ruling_status() {
            Some(crate::fact::Terminal::Completed) => self.decide_output(definition),
            _ => Ok(None),
        };
        let output = output.unwrap_or_else(|reason| {
            self.commit(definition, at, &Fact::Ending(EndRequest::Output(reason)), turn);
            None
        });
        if let Some(status) = self.ruling_status() {
            self.commit(definition, at, &Fact::Ended(Ended { status, output }), turn);
        }
    }

    fn ruling_status(&self) -> Option<crate::fact::Terminal> {
        match &self.phase {
            Phase::Ending(ending) => Some(ending.reason_to_end.terminal()),
            _ => None,
        }
    }

    pub(super) fn commit(&mut self, definition: &Compiled, at: Time, fact: &Fact, turn: &mut Turn) {
        let (last, at) = (self.at, self.at.max(at));
        let mut recording = turn.record(self.sequence + 1, last, at, fact);
        self.apply(definition, at, fact, &mut recording).expect("a fact decided here fits the state it was decided on");
    }
}

fn is_cancel(result: &Result<Payload, Failure>) -> bool {
    matches!(result, Err(failure) if failure.class == FailureClass::Cancelled)
}
