//! The bytes of facts: a binary of our own, because facts are written a million times a second and read for years.
//!
//! A fact is `length, kind, time since the fact before, fields`. Numbers are LEB128, signed ones zigzag.
//! Kinds and the numbers of enum variants are append-only: one that was ever written keeps its meaning.

use super::{Activation, Decision, Decree, Fact, Stop, Terminal, Timer};
use crate::definition::Verdict;
use crate::failure::{Failure, FailureClass};
use crate::id::WorkKey;
use crate::payload::Payload;
use crate::time::Time;

/// The version of this encoding; a journal notes it beside what it keeps.
pub const FORMAT: u8 = 1;

/// The numbers of the kinds of facts.
pub(super) mod kind {
    pub(in crate::fact) const ACTIVATED: u8 = 1;
    pub(in crate::fact) const BRANCH: u8 = 2;
    pub(in crate::fact) const VERDICT: u8 = 3;
    pub(in crate::fact) const INPUT: u8 = 4;
    pub(in crate::fact) const UNDECIDED: u8 = 5;
    pub(in crate::fact) const COMPLETED: u8 = 6;
    pub(in crate::fact) const FAILED: u8 = 7;
    pub(in crate::fact) const STOPPED: u8 = 8;
    pub(in crate::fact) const FIRED: u8 = 9;
    pub(in crate::fact) const ENDING: u8 = 10;
    pub(in crate::fact) const ENDED: u8 = 11;
    pub(in crate::fact) const RECOVERED: u8 = 12;
}

/// Appends one fact to `out`; `last` is the time of the fact before it.
pub(crate) fn encode(out: &mut Vec<u8>, last: Time, at: Time, fact: &Fact) {
    let start = out.len();
    // Most facts are shorter than 128 bytes: their length takes the one byte kept free here.
    out.push(0);
    Writer(out).fact(last, at, fact);
    let length = out.len() - start - 1;
    if length < 0x80 {
        out[start] = length as u8;
        return;
    }
    let mut prefix = Vec::with_capacity(4);
    Writer(&mut prefix).number(length as u64);
    out.splice(start..=start, prefix);
}

struct Writer<'a>(&'a mut Vec<u8>);

impl Writer<'_> {
    fn fact(&mut self, last: Time, at: Time, fact: &Fact) {
        match fact {
            Fact::Activated(activation) => {
                self.head(kind::ACTIVATED, last, at);
                self.activation(at, activation);
            }
            Fact::Decided { node, decision } => self.decision(last, at, *node, decision),
            Fact::Outcome { key, attempt, result, started, ended } => {
                let kind = if result.is_ok() { kind::COMPLETED } else { kind::FAILED };
                self.head(kind, last, at);
                self.work(*key, *attempt);
                self.span(*ended, at);
                self.span(*started, *ended);
                match result {
                    Ok(output) => self.payload(output),
                    Err(failure) => self.failure(failure),
                }
            }
            Fact::Stopped { key, attempt, how } => {
                self.head(kind::STOPPED, last, at);
                self.work(*key, *attempt);
                self.byte(stop_number(*how));
            }
            Fact::Fired(timer) => {
                self.head(kind::FIRED, last, at);
                self.timer(*timer);
            }
            Fact::Ending(decree) => {
                self.head(kind::ENDING, last, at);
                self.decree(decree);
            }
            Fact::Ended(seal) => {
                self.head(kind::ENDED, last, at);
                self.byte(terminal_number(seal.status));
                self.option(seal.output.as_ref(), Self::payload);
            }
            Fact::Recovered { epoch, crashed } => {
                self.head(kind::RECOVERED, last, at);
                self.number(u64::from(*epoch));
                self.byte(u8::from(*crashed));
            }
        }
    }

    fn head(&mut self, kind: u8, last: Time, at: Time) {
        self.byte(kind);
        self.span(last, at);
    }

    fn activation(&mut self, at: Time, activation: &Activation) {
        self.0.extend_from_slice(activation.definition.as_bytes());
        self.number(u64::from(activation.semantics));
        self.payload(&activation.input);
        self.text(&activation.by);
        self.option(activation.deadline.as_ref(), |out, deadline| {
            out.span(at, *deadline);
        });
        self.option(activation.idempotency_key.as_ref(), |out, key| out.text(key));
        // Not there at all if there is none: facts from before there were business keys end here too.
        if activation.business_key.is_some() {
            self.option(activation.business_key.as_ref(), |out, key| out.text(key));
        }
    }

    fn decision(&mut self, last: Time, at: Time, node: u32, decision: &Decision) {
        let kind = match decision {
            Decision::Branch(_) => kind::BRANCH,
            Decision::Verdict(..) => kind::VERDICT,
            Decision::Input(_) => kind::INPUT,
            Decision::Failed(_) => kind::UNDECIDED,
        };
        self.head(kind, last, at);
        self.number(u64::from(node));
        match decision {
            Decision::Branch(taken) => self.byte(u8::from(*taken)),
            Decision::Verdict(verdict, by) => {
                self.byte(verdict_number(*verdict));
                self.text(by);
            }
            Decision::Input(input) => self.payload(input),
            Decision::Failed(reason) => self.text(reason),
        }
    }

    fn failure(&mut self, failure: &Failure) {
        self.byte(class_number(failure.class));
        self.byte(u8::from(failure.permanent));
        self.text(&failure.reason);
        // Not there at all if it is not said: facts from before it could be said end here too.
        if let Some(delay) = failure.delay() {
            self.number(u64::try_from(delay.as_micros()).unwrap_or(u64::MAX));
        }
    }

    fn timer(&mut self, timer: Timer) {
        match timer {
            Timer::Deadline => self.byte(0),
            Timer::Timeout(key, attempt) => {
                self.byte(1);
                self.work(key, attempt);
            }
            Timer::Backoff(key, attempt) => {
                self.byte(2);
                self.work(key, attempt);
            }
        }
    }

    fn decree(&mut self, decree: &Decree) {
        match decree {
            Decree::Cancel(by) => {
                self.byte(0);
                self.text(by);
            }
            Decree::Complete(by) => {
                self.byte(1);
                self.text(by);
            }
            Decree::Fail { by, reason } => {
                self.byte(2);
                self.text(by);
                self.text(reason);
            }
            Decree::Output(reason) => {
                self.byte(3);
                self.text(reason);
            }
            Decree::Stalled => self.byte(4),
        }
    }

    fn work(&mut self, key: WorkKey, attempt: u16) {
        self.number(u64::from(key.node));
        self.number(u64::from(key.item));
        self.number(u64::from(key.round));
        self.number(u64::from(attempt));
    }

    fn option<T>(&mut self, value: Option<&T>, write: impl FnOnce(&mut Self, &T)) {
        self.byte(u8::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }

    fn payload(&mut self, payload: &Payload) {
        if payload.is_null() {
            return self.number(0);
        }
        self.bytes(payload.as_bytes());
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// Wraps around, as reading does: every pair of times can be written.
    fn span(&mut self, from: Time, to: Time) {
        let micros = to.as_micros().wrapping_sub(from.as_micros());
        self.number(((micros << 1) ^ (micros >> 63)) as u64);
    }

    fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.byte(value as u8 | 0x80);
            value >>= 7;
        }
        self.byte(value as u8);
    }

    fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }
}

fn stop_number(how: Stop) -> u8 {
    match how {
        Stop::Closed => 0,
        Stop::Stopped => 1,
        Stop::Aborted => 2,
        Stop::Lost => 3,
    }
}

fn terminal_number(terminal: Terminal) -> u8 {
    match terminal {
        Terminal::Completed => 0,
        Terminal::Failed => 1,
        Terminal::Cancelled => 2,
    }
}

fn verdict_number(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Pass => 0,
        Verdict::Fail => 1,
        Verdict::Refer => 2,
    }
}

fn class_number(class: FailureClass) -> u8 {
    match class {
        FailureClass::Failed => 0,
        FailureClass::Cancelled => 1,
        FailureClass::Rejected => 2,
        FailureClass::Deleted => 3,
        FailureClass::TimedOut => 4,
        FailureClass::Panicked => 5,
        FailureClass::Lost => 6,
        FailureClass::Expression => 7,
    }
}

#[cfg(test)]
mod tests;
