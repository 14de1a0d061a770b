//! Reads facts back from their bytes, which may be damaged: everything is checked, and nothing panics.

use std::time::Duration;

use super::encoding::kind;
use super::{Activation, Decision, Decree, Fact, Recorded, Seal, Stop, Terminal, Timer};
use crate::compiled::DefinitionHash;
use crate::definition::Verdict;
use crate::failure::{Failure, FailureClass};
use crate::id::WorkKey;
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

impl<'a> Facts<'a> {
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
        Ok(match kind {
            kind::ACTIVATED => Fact::Activated(self.activation(at)?),
            kind::BRANCH => self.decided(|from| Ok(Decision::Branch(from.flag()?)))?,
            kind::VERDICT => self.decided(|from| Ok(Decision::Verdict(from.verdict()?, from.text()?)))?,
            kind::INPUT => self.decided(|from| Ok(Decision::Input(from.payload()?)))?,
            kind::UNDECIDED => self.decided(|from| Ok(Decision::Failed(from.text()?)))?,
            kind::COMPLETED => self.outcome(at, |from| Ok(Ok(from.payload()?)))?,
            kind::FAILED => self.outcome(at, |from| Ok(Err(from.failure()?)))?,
            kind::STOPPED => {
                let (key, attempt) = self.work()?;
                Fact::Stopped { key, attempt, how: self.stop()? }
            }
            kind::FIRED => Fact::Fired(self.timer()?),
            kind::ENDING => Fact::Ending(self.decree()?),
            kind::ENDED => Fact::Ended(Seal { status: self.terminal()?, output: self.option(Self::payload)? }),
            kind::RECOVERED => Fact::Recovered { epoch: self.narrow()?, crashed: self.flag()? },
            _ => return Err("the kind of fact is unknown"),
        })
    }

    fn activation(&mut self, at: Time) -> Read<Activation> {
        let (hash, rest) = self.0.split_first_chunk::<16>().ok_or("the fact is cut off")?;
        self.0 = rest;
        Ok(Activation {
            definition: DefinitionHash::from_bytes(*hash),
            semantics: self.narrow()?,
            input: self.payload()?,
            by: self.text()?,
            deadline: self.option(|from| from.later(at))?,
            idempotency_key: self.option(Self::text)?,
            business_key: if self.0.is_empty() { None } else { self.option(Self::text)? },
        })
    }

    fn decided(&mut self, read: impl FnOnce(&mut Self) -> Read<Decision>) -> Read<Fact> {
        Ok(Fact::Decided { node: self.narrow()?, decision: read(self)? })
    }

    fn outcome(&mut self, at: Time, read: impl FnOnce(&mut Self) -> Read<Result<Payload, Failure>>) -> Read<Fact> {
        let (key, attempt) = self.work()?;
        let ended = self.earlier(at)?;
        let started = self.earlier(ended)?;
        Ok(Fact::Outcome { key, attempt, result: read(self)?, started, ended })
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
            _ => return Err("the class of failure is unknown"),
        };
        let permanent = self.flag()?;
        let reason = self.text()?;
        let mut failure = Failure::new(class, reason);
        failure.permanent = permanent;
        Ok(if self.0.is_empty() { failure } else { failure.retry_after(Duration::from_micros(self.number()?)) })
    }

    fn stop(&mut self) -> Read<Stop> {
        Ok(match self.byte()? {
            0 => Stop::Closed,
            1 => Stop::Stopped,
            2 => Stop::Aborted,
            3 => Stop::Lost,
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

    fn timer(&mut self) -> Read<Timer> {
        let kind = self.byte()?;
        if kind == 0 {
            return Ok(Timer::Deadline);
        }
        let (key, attempt) = self.work()?;
        match kind {
            1 => Ok(Timer::Timeout(key, attempt)),
            2 => Ok(Timer::Backoff(key, attempt)),
            _ => Err("the kind of timer is unknown"),
        }
    }

    fn decree(&mut self) -> Read<Decree> {
        Ok(match self.byte()? {
            0 => Decree::Cancel(self.text()?),
            1 => Decree::Complete(self.text()?),
            2 => Decree::Fail { by: self.text()?, reason: self.text()? },
            3 => Decree::Output(self.text()?),
            4 => Decree::Stalled,
            _ => return Err("the decree is unknown"),
        })
    }

    fn work(&mut self) -> Read<(WorkKey, u16)> {
        let key = WorkKey { node: self.narrow()?, item: self.narrow()?, round: self.narrow()? };
        Ok((key, self.narrow()?))
    }

    fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<Option<T>> {
        if self.flag()? { read(self).map(Some) } else { Ok(None) }
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
