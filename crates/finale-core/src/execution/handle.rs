//! Decides what an input means, and records it.

use super::{Command, Execution, Input, NodeState, Phase, Refused, Turn};
use crate::compiled::{Compiled, Step};
use crate::definition::Verdict;
use crate::fact::{Activation, Decision, Decree, Fact, Seal, Stop, Timer};
use crate::failure::{Failure, FailureClass};
use crate::id::{Dispatch, WorkKey};
use crate::payload::Payload;
use crate::time::Time;

impl Execution {
    /// Takes in one input: decides, records facts, draws their consequences.
    ///
    /// A refusal changes nothing. `at` earlier than the last fact counts as the time of that fact.
    pub fn handle(&mut self, definition: &Compiled, at: Time, input: Input, turn: &mut Turn) -> Result<(), Refused> {
        match self.accept(definition, at, input)? {
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
    fn accept(&self, definition: &Compiled, at: Time, input: Input) -> Result<Option<Fact>, Refused> {
        match input {
            Input::Activate(activation) => self.accept_activation(definition, activation).map(Some),
            Input::Outcome { dispatch, result, started, ended } => {
                self.check_dispatch(dispatch)?;
                let Dispatch { key, attempt, .. } = dispatch;
                Ok(Some(Fact::Outcome { key, attempt, result, started, ended }))
            }
            Input::Reported { key, result } => self.accept_report(definition, at.max(self.at), key, result).map(Some),
            Input::Stopped { dispatch, how } => self.accept_stop(dispatch, how).map(Some),
            Input::Verdict { node, verdict, by } => self.accept_verdict(definition, node, verdict, by).map(Some),
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
                Some(current) if current != attempt || self.epoch != epoch => {
                    Err(Refused::Stale { node: key.node, attempt })
                }
                _ => Err(self.not_now(key.node, state)),
            },
        }
    }

    fn accept_report(
        &self,
        definition: &Compiled,
        at: Time,
        key: WorkKey,
        result: Result<Payload, Failure>,
    ) -> Result<Fact, Refused> {
        let (attempt, started) = match self.work(key)? {
            NodeState::Asked { attempt, since } => (*attempt, *since),
            NodeState::Running { attempt, since, .. } | NodeState::Backing { attempt, since, .. }
                if is_cancel(&result) =>
            {
                (*attempt, *since)
            }
            NodeState::Running { .. } => {
                return Err(Refused::Invalid("a handler works on this task; it can only be cancelled"));
            }
            state if matches!(definition.at(key.node).step, Step::Ask | Step::Handle) => {
                return Err(self.not_now(key.node, state));
            }
            _ => return Err(Refused::Invalid("the node is not a task")),
        };
        Ok(Fact::Outcome { key, attempt, result, started, ended: at })
    }

    fn accept_stop(&self, dispatch: Dispatch, how: Stop) -> Result<Fact, Refused> {
        self.check_dispatch(dispatch)?;
        // With siblings left to finish nobody told it to, but a handler that was lost is not run again either.
        if !matches!(self.phase, Phase::Ending(_)) {
            return Err(Refused::Invalid("nobody told it to stop"));
        }
        Ok(Fact::Stopped { key: dispatch.key, attempt: dispatch.attempt, how })
    }

    fn accept_verdict(
        &self,
        definition: &Compiled,
        node: u32,
        verdict: Verdict,
        by: Box<str>,
    ) -> Result<Fact, Refused> {
        match self.work(WorkKey::node(node))? {
            NodeState::Judged { .. } => Ok(Fact::Decided { node, decision: Decision::Verdict(verdict, by) }),
            _ if !matches!(definition.at(node).step, Step::Judge(_)) => {
                Err(Refused::Invalid("the node is not a verification"))
            }
            state => Err(self.not_now(node, state)),
        }
    }

    /// Only a timer that is armed can fire: one that was disarmed may do so once more before the shell gets to it.
    fn accept_timer(&self, definition: &Compiled, timer: Timer) -> Result<Fact, Refused> {
        const NOT_ARMED: Refused = Refused::Invalid("nobody waits for this moment");
        match timer {
            Timer::Deadline if self.awaits_deadline() => Ok(Fact::Fired(timer)),
            Timer::Deadline if self.phase != Phase::Running => Err(Refused::NotRunning(self.status())),
            Timer::Deadline => Err(NOT_ARMED),
            Timer::Timeout(key, attempt) => {
                self.check_dispatch(self.dispatch(key, attempt))?;
                let is_armed = definition.at(key.node).timeout.is_some() && !self.is_stopping();
                is_armed.then_some(Fact::Fired(timer)).ok_or(NOT_ARMED)
            }
            Timer::Backoff(key, attempt) => match self.work(key)? {
                NodeState::Backing { attempt: next, .. } if *next == attempt => Ok(Fact::Fired(timer)),
                _ => Err(Refused::Stale { node: key.node, attempt }),
            },
        }
    }

    fn accept_command(&self, command: Command) -> Result<Option<Fact>, Refused> {
        let decree = match command {
            Command::Cancel { by } => match &self.phase {
                Phase::Ended(_) => return Err(Refused::AlreadyTerminal(self.status())),
                // Everything is told to stop already: this one joins the first.
                Phase::Ending(conclusion) if conclusion.stopping => return Ok(None),
                Phase::New => return Err(Refused::NotRunning(self.status())),
                _ => return Ok(Some(Fact::Ending(Decree::Cancel(by)))),
            },
            Command::Complete { by } => Decree::Complete(by),
            Command::Fail { reason, .. } if reason.trim().is_empty() => {
                return Err(Refused::Invalid("an execution fails for a reason: it must not be blank"));
            }
            Command::Fail { by, reason } => Decree::Fail { by, reason },
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
        let known = key.item == 0 && key.round == 0;
        let state = self.nodes.get(key.node as usize).filter(|_| known).ok_or(Refused::Unknown)?;
        match self.phase {
            Phase::Ended(_) => Err(Refused::AlreadyTerminal(self.status())),
            _ => Ok(state),
        }
    }

    fn not_now(&self, node: u32, state: &NodeState) -> Refused {
        let status = state.status();
        if status.is_settled() { Refused::Settled { node, status } } else { Refused::NotReady { node, status } }
    }

    /// Decides what must be decided by evaluation, and seals what is over.
    fn carry_on(&mut self, definition: &Compiled, at: Time, turn: &mut Turn) {
        self.decide_due(definition, at, turn);
        self.close(definition, at, turn);
    }

    pub(super) fn decide_due(&mut self, definition: &Compiled, at: Time, turn: &mut Turn) {
        while let Some(&node) = self.undecided.front() {
            let decision = self.decide(definition, node);
            self.commit(definition, at, &Fact::Decided { node, decision }, turn);
        }
    }

    pub(super) fn close(&mut self, definition: &Compiled, at: Time, turn: &mut Turn) {
        if self.is_stalled() {
            self.commit(definition, at, &Fact::Ending(Decree::Stalled), turn);
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
            self.commit(definition, at, &Fact::Ending(Decree::Output(reason)), turn);
            None
        });
        if let Some(status) = self.ruling_status() {
            self.commit(definition, at, &Fact::Ended(Seal { status, output }), turn);
        }
    }

    fn ruling_status(&self) -> Option<crate::fact::Terminal> {
        match &self.phase {
            Phase::Ending(conclusion) => Some(conclusion.ruling.terminal()),
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
