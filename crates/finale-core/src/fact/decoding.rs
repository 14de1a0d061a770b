//! Reads facts back from their bytes, which may be damaged: everything is checked, and nothing panics.

use std::borrow::Cow;
use std::time::Duration;

use super::encoding::{activated, failed, kind};
use super::{
    Activation, CustomStatusSet, Decision, EndRequest, Ended, Fact, Operation, OperatorAction, Recorded, Signalled,
    StopOutcome, Terminal, Timer,
};
use crate::compiled::DefinitionHash;
use crate::definition::Verdict;
use crate::failure::{Failure, FailureClass};
use crate::id::{AttemptNo, Epoch, NodeIndex, ScopeId, WorkKey};
use crate::payload::Payload;
use crate::time::Time;

/// Bytes that are no facts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {offset}: {problem}")]
pub struct DecodeError {
    /// Where the fact that cannot be read begins.
    pub offset: usize,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// Reads encoded facts in the order they were written.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    bytes: &'a [u8],
    offset: usize,
    last: Time,
}

/// How far a history was read; the beginning by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    offset: usize,
    last: Time,
}

impl<'a> Facts<'a> {
    /// Reads on where another reader of the same history was, or at the beginning.
    pub fn from(bytes: &'a [u8], Position { offset, last }: Position) -> Self {
        Self { bytes, offset: offset.min(bytes.len()), last }
    }

    /// How far the history was read.
    pub fn position(&self) -> Position {
        Position { offset: self.offset, last: self.last }
    }

    /// Reads the whole history of one execution.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0, last: Time::default() }
    }

    /// How many bytes were read so far.
    pub fn offset(&self) -> usize {
        self.offset
    }

    fn read(&mut self) -> Result<Recorded, &'static str> {
        let mut reader = Reader(&self.bytes[self.offset..]);
        let length = reader.length()?;
        let (body, rest) = reader.0.split_at_checked(length).ok_or("the fact is cut off")?;
        let mut reader = Reader(body);
        let recorded = reader.recorded(self.last)?;
        if !reader.0.is_empty() {
            return Err("bytes are left over after the fact");
        }
        self.offset = self.bytes.len() - rest.len();
        self.last = recorded.at;
        Ok(recorded)
    }
}

impl Iterator for Facts<'_> {
    type Item = Result<Recorded, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.offset == self.bytes.len() {
            return None;
        }
        let offset = self.offset;
        let read = self.read().map_err(|problem| DecodeError { offset, problem });
        if read.is_err() {
            // After a fact that cannot be read, no later one can be found.
            self.offset = self.bytes.len();
        }
        Some(read)
    }
}

struct Reader<'a>(&'a [u8]);

type Read<T> = Result<T, &'static str>;

impl<'a> Reader<'a> {
    fn recorded(&mut self, last: Time) -> Read<Recorded> {
        let kind = self.byte()?;
        let at = self.later(last)?;
        let fact = self.fact(kind, at)?;
        Ok(Recorded { at, fact })
    }

    fn fact(&mut self, kind: u8, at: Time) -> Read<Fact> {
        let work = |from: &mut Self| from.work(kind);
        Ok(match kind & kind::MASK {
            kind::BRANCH_TRUE => self.decided(kind, |_| Ok(Decision::Branch(true)))?,
            kind::BRANCH_FALSE => self.decided(kind, |_| Ok(Decision::Branch(false)))?,
            kind::VERDICT => self.decided(kind, |from| Ok(Decision::Verdict(from.verdict()?, from.text()?)))?,
            kind::INPUT => self.decided(kind, |from| Ok(Decision::Input(from.payload()?)))?,
            kind::UNDECIDED => self.decided(kind, |from| Ok(Decision::Failed(from.text()?)))?,
            kind::OUTPUT => self.decided(kind, |from| Ok(Decision::Output(from.payload()?)))?,
            kind::TOO_MANY => self.decided(kind, |from| Ok(Decision::TooMany(from.text()?)))?,
            kind::MISMATCH => self.decided(kind, |from| Ok(Decision::Mismatch(from.text()?)))?,
            kind::COMPLETED => self.outcome(kind, at, |from| from.payload().map(Ok))?,
            kind::FAILED => self.outcome(kind, at, |from| from.failure().map(Err))?,
            kind::REPORTED => self.reported(kind, |from| from.payload().map(Ok))?,
            kind::REPORTED_FAILED => self.reported(kind, |from| from.failure().map(Err))?,
            kind::STOPPED => {
                let (key, attempt) = work(self)?;
                Fact::AttemptStopped { key, attempt, how: self.stop()? }
            }
            kind::TIMEOUT => work(self).map(|(key, attempt)| Fact::TimerFired(Timer::Timeout(key, attempt)))?,
            kind::BACKOFF => work(self).map(|(key, attempt)| Fact::TimerFired(Timer::Backoff(key, attempt)))?,
            kind::TOTAL => work(self).map(|(key, _)| Fact::TimerFired(Timer::Total(key)))?,
            kind::ROUND => {
                let (key, _) = work(self)?;
                Fact::TimerFired(Timer::Round(key, self.narrow()?))
            }
            kind::OPERATED => Fact::Operated(self.operation(kind)?),
            kind::CUSTOM_STATUS => {
                let (key, attempt) = work(self)?;
                let (set_at, text) = (self.earlier(at)?, self.text()?);
                Fact::CustomStatusSet(CustomStatusSet { key, attempt, set_at, text })
            }
            kind::WAIT => work(self).map(|(key, _)| Fact::TimerFired(Timer::Wait(key)))?,
            // These are about no work: a flag of one is damage.
            _ => self.of_execution(kind, at)?,
        })
    }

    fn of_execution(&mut self, kind: u8, at: Time) -> Read<Fact> {
        Ok(match kind {
            kind::ACTIVATED => Fact::Activated(self.activation(at)?),
            kind::DEADLINE => Fact::TimerFired(Timer::Deadline),
            kind::ENDING => Fact::Ending(self.end_request()?),
            kind::ENDED => {
                let status = self.terminal()?;
                let output = if self.0.is_empty() { None } else { Some(self.payload()?) };
                Fact::Ended(Ended { status, output })
            }
            kind::RECOVERED => Fact::Recovered { epoch: Epoch(self.narrow()?), crashed: self.flag()? },
            kind::CONTINUED => Fact::Continued,
            kind::SIGNALLED => {
                let (name, by, payload) = (self.text()?, self.text()?, self.payload()?);
                let id = if self.0.is_empty() { None } else { Some(self.text()?) };
                Fact::Signalled(Signalled { name, payload, by, id })
            }
            kind::ENDING_WITHIN => Fact::TimerFired(Timer::EndingWithin),
            _ => return Err("the kind of fact is unknown"),
        })
    }

    fn activation(&mut self, at: Time) -> Read<Activation> {
        let (hash, rest) = self.0.split_first_chunk::<16>().ok_or("the fact is cut off")?;
        self.0 = rest;
        let definition = DefinitionHash::from_bytes(*hash);
        let (semantics, input, by) = (self.narrow()?, self.payload()?, self.text()?);
        let said = self.flags(activated::ALL)?;
        let says = |flag| said & flag != 0;
        Ok(Activation {
            definition,
            semantics,
            input,
            by: Cow::Owned(by.into()),
            deadline: if says(activated::DEADLINE) { Some(self.later(at)?) } else { None },
            idempotency_key: if says(activated::IDEMPOTENCY_KEY) { Some(self.text()?) } else { None },
            business_key: if says(activated::BUSINESS_KEY) { Some(self.text()?) } else { None },
        })
    }

    fn decided(&mut self, kind: u8, read: impl FnOnce(&mut Self) -> Read<Decision>) -> Read<Fact> {
        let (key, _) = self.work(kind)?;
        Ok(Fact::Decided { key, decision: read(self)? })
    }

    fn outcome(
        &mut self,
        kind: u8,
        at: Time,
        read: impl FnOnce(&mut Self) -> Read<Result<Payload, Failure>>,
    ) -> Read<Fact> {
        let (key, attempt) = self.work(kind)?;
        let ended = self.earlier(at)?;
        let started = self.earlier(ended)?;
        Ok(Fact::Outcome { key, attempt, result: read(self)?, started, ended })
    }

    fn reported(&mut self, kind: u8, read: impl FnOnce(&mut Self) -> Read<Result<Payload, Failure>>) -> Read<Fact> {
        let (key, attempt) = self.work(kind)?;
        let by = self.text()?;
        Ok(Fact::Reported { key, attempt, result: read(self)?, by })
    }

    fn failure(&mut self) -> Read<Failure> {
        let class = match self.byte()? {
            0 => FailureClass::Failed,
            1 => FailureClass::Cancelled,
            2 => FailureClass::Rejected,
            3 => FailureClass::Deleted,
            4 => FailureClass::TimedOut,
            5 => FailureClass::Panicked,
            6 => FailureClass::Lost,
            7 => FailureClass::Expression,
            8 => FailureClass::Limit,
            9 => FailureClass::Exhausted,
            12 => FailureClass::Unknown,
            _ => return Err("the class of failure is unknown"),
        };
        let said = self.flags(failed::ALL)?;
        let reason = self.text()?;
        let mut failure = Failure::new(class, reason);
        failure.permanent = said & failed::PERMANENT != 0;
        if said & failed::DELAY != 0 {
            failure = failure.retry_after(Duration::from_micros(self.number()?));
        }
        Ok(if said & failed::CODE == 0 { failure } else { failure.with_code(&self.text()?) })
    }

    fn operation(&mut self, kind: u8) -> Read<Operation> {
        let (key, _) = self.work(kind)?;
        let action = self.byte()?;
        let (by, reason) = (self.text()?, self.text()?);
        let action = match action {
            0 => OperatorAction::Retry,
            1 => OperatorAction::RunNow,
            2 => OperatorAction::Complete(self.payload()?),
            3 => OperatorAction::Fail,
            4 => OperatorAction::Skip,
            _ => return Err("what the operator did is unknown"),
        };
        Ok(Operation { key, by, reason, action })
    }

    fn stop(&mut self) -> Read<StopOutcome> {
        Ok(match self.byte()? {
            0 => StopOutcome::Closed,
            1 => StopOutcome::Stopped,
            2 => StopOutcome::Aborted,
            3 => StopOutcome::Lost,
            _ => return Err("the way of stopping is unknown"),
        })
    }

    fn terminal(&mut self) -> Read<Terminal> {
        Ok(match self.byte()? {
            0 => Terminal::Completed,
            1 => Terminal::Failed,
            2 => Terminal::Cancelled,
            _ => return Err("the terminal status is unknown"),
        })
    }

    fn verdict(&mut self) -> Read<Verdict> {
        Ok(match self.byte()? {
            0 => Verdict::Pass,
            1 => Verdict::Fail,
            2 => Verdict::Refer,
            _ => return Err("the verdict is unknown"),
        })
    }

    fn end_request(&mut self) -> Read<EndRequest> {
        Ok(match self.byte()? {
            0 => EndRequest::Cancel(self.text()?),
            1 => EndRequest::Complete(self.text()?),
            2 => EndRequest::Fail { by: self.text()?, reason: self.text()? },
            3 => EndRequest::Output(self.text()?),
            4 => EndRequest::Stalled,
            5 => EndRequest::ForceCancel(self.text()?),
            6 => EndRequest::OutputMismatch(self.text()?),
            _ => return Err("the request to end is unknown"),
        })
    }

    fn work(&mut self, kind: u8) -> Read<(WorkKey, AttemptNo)> {
        let scope = if kind & kind::SCOPED == 0 { ScopeId::ROOT } else { ScopeId(self.narrow()?) };
        let node = NodeIndex(self.narrow()?);
        let attempt = match kind & kind::AGAIN {
            0 => AttemptNo::FIRST,
            _ => AttemptNo::new(self.narrow()?).ok_or("attempts are counted from 1")?,
        };
        if kind & !(kind::MASK | kind::SCOPED | kind::AGAIN) != 0 {
            return Err("the kind of fact is unknown");
        }
        Ok((WorkKey { scope, node }, attempt))
    }

    fn payload(&mut self) -> Read<Payload> {
        let bytes = self.bytes()?;
        Ok(if bytes.is_empty() { Payload::NULL } else { Payload::trusted(bytes) })
    }

    fn text(&mut self) -> Read<Box<str>> {
        std::str::from_utf8(self.bytes()?).map(Box::from).map_err(|_| "a text is not UTF-8")
    }

    fn bytes(&mut self) -> Read<&'a [u8]> {
        let length = self.length()?;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or("the fact is cut off")?;
        self.0 = rest;
        Ok(bytes)
    }

    fn length(&mut self) -> Read<usize> {
        usize::try_from(self.number()?).map_err(|_| "a number is out of range")
    }

    fn narrow<T: TryFrom<u64>>(&mut self) -> Read<T> {
        T::try_from(self.number()?).map_err(|_| "a number is out of range")
    }

    fn later(&mut self, than: Time) -> Read<Time> {
        Ok(Time::from_micros(than.as_micros().wrapping_add(self.signed()?)))
    }

    fn earlier(&mut self, than: Time) -> Read<Time> {
        Ok(Time::from_micros(than.as_micros().wrapping_sub(self.signed()?)))
    }

    fn signed(&mut self) -> Read<i64> {
        let raw = self.number()?;
        Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
    }

    fn number(&mut self) -> Read<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err("a number is longer than 64 bits")
    }

    fn flags(&mut self, known: u8) -> Read<u8> {
        let flags = self.byte()?;
        if flags & !known == 0 { Ok(flags) } else { Err("a flag is unknown") }
    }

    fn flag(&mut self) -> Read<bool> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err("a flag is neither 0 nor 1"),
        }
    }

    fn byte(&mut self) -> Read<u8> {
        let (byte, rest) = self.0.split_first().ok_or("the fact is cut off")?;
        self.0 = rest;
        Ok(*byte)
    }
}
