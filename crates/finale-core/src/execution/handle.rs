//! Turns what an execution is told into facts, and records them.

use super::apply::{Attempted, Further};
use super::gives_nothing::GivesNothing;
use super::scope::Stage;
use super::{Command, Execution, Input, Phase, Refused, Report, Turn};
use crate::compiled::Compiled;
use crate::fact::{Decision, EndRequest, Ended, Fact, Terminal};
use crate::failure::Failure;
use crate::id::Dispatch;
use crate::payload::Payload;
use crate::time::Time;

impl Execution {
    /// Takes in one input: decides, records facts, draws their consequences.
    ///
    /// A refusal changes nothing. `at` earlier than the last fact counts as the time of that fact.
    pub fn handle(&mut self, definition: &Compiled, at: Time, input: Input, turn: &mut Turn) -> Result<(), Refused> {
        if let Input::CustomStatus { dispatch, set_at, text } = &input {
            self.set_custom_status(definition, *dispatch, (at, *set_at), text);
        } else if let Some(fact) = self.fact_of(definition, input)? {
            self.allows(definition, &fact)?;
            self.record_custom_status(definition, at, turn);
            self.commit(definition, at, fact, turn);
            self.carry_on(definition, at, turn);
        }
        Ok(())
    }

    /// Takes in what a handler came to: the same as [`Input::Outcome`], without making an input and a fact of it first.
    ///
    /// `result` is the output as JSON that was checked where it was made, or the failure.
    pub fn handle_outcome(
        &mut self,
        definition: &Compiled,
        at: Time,
        dispatch: Dispatch,
        result: Result<&[u8], &Failure>,
        (started, ended): (Time, Time),
        turn: &mut Turn,
    ) -> Result<(), Refused> {
        self.check_epoch(dispatch)?;
        let Dispatch { key, attempt, .. } = dispatch;
        self.allows_outcome(key, attempt)?;
        self.record_custom_status(definition, at, turn);
        let (last, at) = (self.at, self.at.max(at));
        let mut recording =
            turn.record_outcome(self.sequence + 1, (last, at), (key, attempt), result, (started, ended));
        self.begin_fact(at, true);
        let result = result.map(Payload::trusted).map_err(Failure::clone);
        let further = Further::AsDefined;
        self.outcome(definition, Attempted { key, attempt, result, started, ended, further }, &mut recording);
        self.end_fact(definition, &mut recording);
        self.carry_on(definition, at, turn);
        Ok(())
    }

    /// The fact that an input is about to become; none if it changes nothing and is right all the same.
    fn fact_of(&self, definition: &Compiled, input: Input) -> Result<Option<Fact>, Refused> {
        Ok(Some(match input {
            Input::Activate(activation) => Fact::Activated(activation),
            Input::Outcome { dispatch, result, started, ended } => {
                self.check_epoch(dispatch)?;
                let Dispatch { key, attempt, .. } = dispatch;
                Fact::Outcome { key, attempt, result, started, ended }
            }
            Input::Reported(Report { key, attempt, result, by }) => {
                let current = self.reportable(definition, key, &result)?;
                Fact::Reported { key, attempt: attempt.unwrap_or(current), result, by }
            }
            Input::Stopped { dispatch, how } => {
                self.check_epoch(dispatch)?;
                Fact::AttemptStopped { key: dispatch.key, attempt: dispatch.attempt, how }
            }
            Input::Verdict { key, verdict, by } => Fact::Decided { key, decision: Decision::Verdict(verdict, by) },
            Input::TimerFired(timer) => Fact::TimerFired(timer),
            Input::Command(Command::Cancel { by }) => match &self.phase {
                // Everything is told to stop already: this one joins the first.
                Phase::Ending(_) if self.root.stopping => return Ok(None),
                _ => Fact::Ending(EndRequest::Cancel(by)),
            },
            Input::Command(Command::ForceCancel { by }) => match &self.phase {
                Phase::Ending(_) if self.is_forced() => return Ok(None),
                _ => Fact::Ending(EndRequest::ForceCancel(by)),
            },
            Input::Command(Command::Complete { by }) => Fact::Ending(EndRequest::Complete(by)),
            Input::Command(Command::Fail { by, reason }) => Fact::Ending(EndRequest::Fail { by, reason }),
            Input::Operate(operation) => Fact::Operated(operation),
            Input::Signal(signal) if self.is_known_signal(&signal) => return Ok(None),
            Input::Signal(signal) => Fact::Signalled(signal),
            // Recorded with the next fact, see `handle`.
            Input::CustomStatus { .. } => return Ok(None),
            Input::Recovered { epoch, crashed } => Fact::Recovered { epoch, crashed },
            Input::Continue => match self.phase {
                Phase::New => return Err(Refused::NotRunning(self.status())),
                Phase::Ended(_) => return Err(Refused::AlreadyTerminal(self.status())),
                // Something else that was said meanwhile went on with it.
                _ if !self.is_busy() => return Ok(None),
                _ => Fact::Continued,
            },
        }))
    }

    /// What comes from an earlier life is stale, whichever attempt it is about.
    fn check_epoch(&self, Dispatch { key, attempt, epoch }: Dispatch) -> Result<(), Refused> {
        if epoch == self.epoch {
            return Ok(());
        }
        match self.work(key)?.attempt() {
            Some(_) => Err(Refused::Stale { key, attempt }),
            None => Err(super::rules::not_now(key, self.work(key)?)),
        }
    }

    /// Decides what must be decided by evaluation, and seals what is over.
    #[inline]
    fn carry_on(&mut self, definition: &Compiled, at: Time, turn: &mut Turn) {
        while self.may_decide()
            && let Some(key) = self.next_undecided()
        {
            let decision = self.decide(definition, key);
            self.commit(definition, at, Fact::Decided { key, decision }, turn);
        }
        if self.is_stalled() {
            self.commit(definition, at, Fact::Ending(EndRequest::Stalled), turn);
        }
        if self.root.stage == Stage::Over && matches!(self.phase, Phase::Ending(_)) {
            self.seal(definition, at, turn);
        }
    }

    fn seal(&mut self, definition: &Compiled, at: Time, turn: &mut Turn) {
        let output = match self.decided_status() {
            Some(Terminal::Completed) if !self.has_output() => self.decide_output(definition),
            _ => Ok(None),
        };
        let output = output.unwrap_or_else(|nothing| {
            let request = match nothing {
                GivesNothing::Unevaluated(reason) => EndRequest::Output(reason),
                GivesNothing::Mismatch(reason) => EndRequest::OutputMismatch(reason),
            };
            self.commit(definition, at, Fact::Ending(request), turn);
            None
        });
        if let Some(status) = self.decided_status() {
            self.commit(definition, at, Fact::Ended(Ended { status, output }), turn);
        }
    }

    /// Whether the output was evaluated before, because something followed that depends on it.
    fn has_output(&self) -> bool {
        matches!(&self.phase, Phase::Ending(ending) if ending.output.is_some())
    }

    fn decided_status(&self) -> Option<Terminal> {
        match &self.phase {
            Phase::Ending(ending) => Some(ending.reason.terminal()),
            _ => None,
        }
    }

    /// Records a fact that the rules allow, and takes it in.
    pub(super) fn commit(&mut self, definition: &Compiled, at: Time, fact: Fact, turn: &mut Turn) {
        debug_assert_eq!(self.allows(definition, &fact), Ok(()), "what is decided here keeps the rules: {fact:?}");
        let (last, at) = (self.at, self.at.max(at));
        let mut recording = turn.record(self.sequence + 1, last, at, &fact);
        self.take_in(definition, at, fact, &mut recording);
    }
}
