//! The bytes of facts: a binary of our own, because facts are written a million times a second and read for years.
//!
//! A fact is `length, kind, time since the fact before, work, fields`. Numbers are LEB128, signed ones zigzag. The kind is
//! the low five bits of its byte; the two highest say whether a scope other than the root and an attempt other than the
//! first are written down with the work. So what happens once in the definition's own graph pays for neither.
//!
//! Kinds, and the numbers of the variants inside, are append-only: one that was ever written keeps its meaning. What a fact
//! gains later is either a new kind, or a field at its end that is left out where it says nothing: readers take a fact
//! that ends before the field for one without. Everything else is a new [`FORMAT`]. After a change the test that compares
//! with `encoding/golden.hex` must fail only in lines that are new.

use super::{
    Activation, CustomStatusSet, Decision, EndRequest, Ended, Fact, Operation, OperatorAction, Signalled, StopOutcome,
    Terminal, Timer,
};
use crate::definition::Verdict;
use crate::failure::{Failure, FailureClass};
use crate::id::{AttemptNo, WorkKey};
use crate::payload::Payload;
use crate::time::Time;

/// The version of this encoding; a journal notes it beside what it keeps.
pub const FORMAT: u8 = 2;

/// The numbers of the kinds of facts.
pub(super) mod kind {
    pub(in crate::fact) const ACTIVATED: u8 = 1;
    pub(in crate::fact) const BRANCH_TRUE: u8 = 2;
    pub(in crate::fact) const BRANCH_FALSE: u8 = 3;
    pub(in crate::fact) const VERDICT: u8 = 4;
    pub(in crate::fact) const INPUT: u8 = 5;
    pub(in crate::fact) const UNDECIDED: u8 = 6;
    pub(in crate::fact) const COMPLETED: u8 = 7;
    pub(in crate::fact) const FAILED: u8 = 8;
    pub(in crate::fact) const REPORTED: u8 = 9;
    pub(in crate::fact) const REPORTED_FAILED: u8 = 10;
    pub(in crate::fact) const STOPPED: u8 = 11;
    pub(in crate::fact) const DEADLINE: u8 = 12;
    pub(in crate::fact) const TIMEOUT: u8 = 13;
    pub(in crate::fact) const BACKOFF: u8 = 14;
    pub(in crate::fact) const ENDING: u8 = 15;
    pub(in crate::fact) const ENDED: u8 = 16;
    pub(in crate::fact) const RECOVERED: u8 = 17;
    pub(in crate::fact) const CONTINUED: u8 = 18;
    pub(in crate::fact) const OUTPUT: u8 = 19;
    pub(in crate::fact) const TOO_MANY: u8 = 20;
    pub(in crate::fact) const ROUND: u8 = 21;
    pub(in crate::fact) const OPERATED: u8 = 24;
    pub(in crate::fact) const TOTAL: u8 = 25;
    pub(in crate::fact) const CUSTOM_STATUS: u8 = 26;
    pub(in crate::fact) const SIGNALLED: u8 = 27;
    pub(in crate::fact) const WAIT: u8 = 28;
    pub(in crate::fact) const MISMATCH: u8 = 29;
    pub(in crate::fact) const ENDING_WITHIN: u8 = 22;

    /// The bits of the kind itself.
    pub(in crate::fact) const MASK: u8 = 0x1f;
    /// The scope is written down: it is not the root.
    pub(in crate::fact) const SCOPED: u8 = 0x40;
    /// The attempt is written down: it is not the first.
    pub(in crate::fact) const AGAIN: u8 = 0x80;
}

/// What an activation says beside what each says.
pub(super) mod activated {
    pub(in crate::fact) const DEADLINE: u8 = 1;
    pub(in crate::fact) const IDEMPOTENCY_KEY: u8 = 2;
    pub(in crate::fact) const BUSINESS_KEY: u8 = 4;
    pub(in crate::fact) const ALL: u8 = 7;
}

/// What a failure says beside its class and its reason.
pub(super) mod failed {
    pub(in crate::fact) const PERMANENT: u8 = 1;
    pub(in crate::fact) const DELAY: u8 = 2;
    pub(in crate::fact) const CODE: u8 = 4;
    pub(in crate::fact) const ALL: u8 = 7;
}

/// Appends one fact to `out`; `last` is the time of the fact before it.
pub(crate) fn encode(out: &mut Vec<u8>, last: Time, at: Time, fact: &Fact) {
    framed(out, |out| out.fact(last, at, fact));
}

/// Appends what a handler came to: the bytes of a [`Fact::Outcome`] that nobody has to make first.
pub(crate) fn encode_outcome(
    out: &mut Vec<u8>,
    last: Time,
    at: Time,
    (key, attempt): (WorkKey, AttemptNo),
    result: Result<&[u8], &Failure>,
    span: (Time, Time),
) {
    framed(out, |out| out.outcome((last, at), (key, attempt), result, span));
}

/// Writes a fact and its length before it.
fn framed(out: &mut Vec<u8>, write: impl FnOnce(&mut Writer<'_>)) {
    let start = out.len();
    // Most facts are shorter than 128 bytes: their length takes the one byte kept free here.
    out.push(0);
    write(&mut Writer(out));
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
            Fact::Decided { key, decision } => self.decision(last, at, *key, decision),
            Fact::Outcome { key, attempt, result, started, ended } => {
                let result = result.as_ref().map(Payload::as_bytes);
                self.outcome((last, at), (*key, *attempt), result, (*started, *ended));
            }
            Fact::Reported { key, attempt, result, by } => {
                let kind = if result.is_ok() { kind::REPORTED } else { kind::REPORTED_FAILED };
                self.work(kind, last, at, *key, *attempt);
                self.text(by);
                self.result(result.as_ref().map(Payload::as_bytes));
            }
            Fact::AttemptStopped { key, attempt, how } => {
                self.work(kind::STOPPED, last, at, *key, *attempt);
                self.byte(stop_number(*how));
            }
            Fact::TimerFired(Timer::Deadline) => self.head(kind::DEADLINE, last, at),
            Fact::TimerFired(Timer::EndingWithin) => self.head(kind::ENDING_WITHIN, last, at),
            Fact::TimerFired(Timer::Timeout(key, attempt)) => self.work(kind::TIMEOUT, last, at, *key, *attempt),
            Fact::TimerFired(Timer::Total(key)) => self.work(kind::TOTAL, last, at, *key, AttemptNo::FIRST),
            Fact::TimerFired(Timer::Backoff(key, attempt)) => self.work(kind::BACKOFF, last, at, *key, *attempt),
            Fact::TimerFired(Timer::Round(key, round)) => {
                self.work(kind::ROUND, last, at, *key, AttemptNo::FIRST);
                self.number(u64::from(*round));
            }
            Fact::TimerFired(Timer::Wait(key)) => self.work(kind::WAIT, last, at, *key, AttemptNo::FIRST),
            Fact::Ending(request) => {
                self.head(kind::ENDING, last, at);
                self.end_request(request);
            }
            Fact::Ended(Ended { status, output }) => {
                self.head(kind::ENDED, last, at);
                self.byte(terminal_number(*status));
                if let Some(output) = output {
                    self.payload(output.as_bytes());
                }
            }
            Fact::Recovered { epoch, crashed } => {
                self.head(kind::RECOVERED, last, at);
                self.number(u64::from(epoch.0));
                self.byte(u8::from(*crashed));
            }
            Fact::Continued => self.head(kind::CONTINUED, last, at),
            Fact::Operated(operation) => self.operation(last, at, operation),
            Fact::Signalled(signal) => {
                self.head(kind::SIGNALLED, last, at);
                self.signal(signal);
            }
            Fact::CustomStatusSet(CustomStatusSet { key, attempt, set_at, text }) => {
                self.work(kind::CUSTOM_STATUS, last, at, *key, *attempt);
                self.span(*set_at, at);
                self.text(text);
            }
        }
    }

    fn outcome(
        &mut self,
        (last, at): (Time, Time),
        (key, attempt): (WorkKey, AttemptNo),
        result: Result<&[u8], &Failure>,
        (started, ended): (Time, Time),
    ) {
        let kind = if result.is_ok() { kind::COMPLETED } else { kind::FAILED };
        let mut head = Head::of_work(kind, (last, at), key, attempt);
        head.span(ended, at);
        head.span(started, ended);
        match result {
            Ok(output) => {
                let output = written(output);
                head.number(output.len() as u64);
                self.0.extend_from_slice(head.bytes());
                self.0.extend_from_slice(output);
            }
            Err(failure) => {
                self.0.extend_from_slice(head.bytes());
                self.failure(failure);
            }
        }
    }

    fn head(&mut self, kind: u8, last: Time, at: Time) {
        self.byte(kind);
        self.span(last, at);
    }

    fn work(&mut self, kind: u8, last: Time, at: Time, key: WorkKey, attempt: AttemptNo) {
        self.0.extend_from_slice(Head::of_work(kind, (last, at), key, attempt).bytes());
    }

    fn activation(&mut self, at: Time, activation: &Activation) {
        let Activation { definition, semantics, input, by, deadline, idempotency_key, business_key } = activation;
        self.0.extend_from_slice(definition.as_bytes());
        self.number(u64::from(*semantics));
        self.payload(input.as_bytes());
        self.text(by);
        let said = |is_said, flag| if is_said { flag } else { 0 };
        self.byte(
            said(deadline.is_some(), activated::DEADLINE)
                | said(idempotency_key.is_some(), activated::IDEMPOTENCY_KEY)
                | said(business_key.is_some(), activated::BUSINESS_KEY),
        );
        if let Some(deadline) = deadline {
            self.span(at, *deadline);
        }
        for key in [idempotency_key, business_key].into_iter().flatten() {
            self.text(key);
        }
    }

    fn decision(&mut self, last: Time, at: Time, key: WorkKey, decision: &Decision) {
        let kind = match decision {
            Decision::Branch(true) => kind::BRANCH_TRUE,
            Decision::Branch(false) => kind::BRANCH_FALSE,
            Decision::Verdict(..) => kind::VERDICT,
            Decision::Input(_) => kind::INPUT,
            Decision::Failed(_) => kind::UNDECIDED,
            Decision::Output(_) => kind::OUTPUT,
            Decision::TooMany(_) => kind::TOO_MANY,
            Decision::Mismatch(_) => kind::MISMATCH,
        };
        self.work(kind, last, at, key, AttemptNo::FIRST);
        match decision {
            Decision::Branch(_) => {}
            Decision::Verdict(verdict, by) => {
                self.byte(verdict_number(*verdict));
                self.text(by);
            }
            Decision::Input(value) | Decision::Output(value) => self.payload(value.as_bytes()),
            Decision::Failed(reason) | Decision::TooMany(reason) | Decision::Mismatch(reason) => self.text(reason),
        }
    }

    fn operation(&mut self, last: Time, at: Time, Operation { key, by, reason, action }: &Operation) {
        self.work(kind::OPERATED, last, at, *key, AttemptNo::FIRST);
        self.byte(match action {
            OperatorAction::Retry => 0,
            OperatorAction::RunNow => 1,
            OperatorAction::Complete(_) => 2,
            OperatorAction::Fail => 3,
            OperatorAction::Skip => 4,
        });
        self.text(by);
        self.text(reason);
        if let OperatorAction::Complete(output) = action {
            self.payload(output.as_bytes());
        }
    }

    #[inline]
    fn result(&mut self, result: Result<&[u8], &Failure>) {
        match result {
            Ok(output) => self.payload(output),
            Err(failure) => self.failure(failure),
        }
    }

    fn failure(&mut self, failure: &Failure) {
        let delay = failure.delay();
        self.byte(class_number(failure.class));
        let permanent = if failure.permanent { failed::PERMANENT } else { 0 };
        let code = if failure.code().is_some() { failed::CODE } else { 0 };
        self.byte(permanent | code | if delay.is_some() { failed::DELAY } else { 0 });
        self.text(&failure.reason);
        if let Some(delay) = delay {
            self.number(u64::try_from(delay.as_micros()).unwrap_or(u64::MAX));
        }
        if let Some(code) = failure.code() {
            self.text(code);
        }
    }

    fn end_request(&mut self, request: &EndRequest) {
        match request {
            EndRequest::Cancel(by) => {
                self.byte(0);
                self.text(by);
            }
            EndRequest::Complete(by) => {
                self.byte(1);
                self.text(by);
            }
            EndRequest::Fail { by, reason } => {
                self.byte(2);
                self.text(by);
                self.text(reason);
            }
            EndRequest::Output(reason) => {
                self.byte(3);
                self.text(reason);
            }
            EndRequest::Stalled => self.byte(4),
            EndRequest::ForceCancel(by) => {
                self.byte(5);
                self.text(by);
            }
            EndRequest::OutputMismatch(reason) => {
                self.byte(6);
                self.text(reason);
            }
        }
    }

    fn signal(&mut self, Signalled { name, payload, by, id }: &Signalled) {
        self.text(name);
        self.text(by);
        self.payload(payload.as_bytes());
        if let Some(id) = id {
            self.text(id);
        }
    }

    fn payload(&mut self, json: &[u8]) {
        self.bytes(written(json));
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }
}

/// Where the bytes of a fact go.
trait Sink {
    fn byte(&mut self, byte: u8);

    #[inline]
    fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.byte(value as u8 | 0x80);
            value >>= 7;
        }
        self.byte(value as u8);
    }

    #[inline]
    fn span(&mut self, from: Time, to: Time) {
        self.number(zigzag(from, to));
    }
}

impl Sink for Writer<'_> {
    #[inline]
    fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }
}

/// What is written of a document: nothing of `null`, which most handlers give.
#[inline]
fn written(json: &[u8]) -> &[u8] {
    if json == b"null" { b"" } else { json }
}

/// What facts about work begin with, put together here and appended at once: a vector checks its capacity for every byte.
struct Head {
    bytes: [u8; Self::BYTES_MAX],
    length: usize,
}

impl Head {
    /// The kind, a scope, a node, an attempt, three spans and a length: 1 + 5 + 5 + 3 + 3 * 10 + 10, rounded up.
    const BYTES_MAX: usize = 64;

    #[inline]
    fn of_work(kind: u8, (last, at): (Time, Time), key: WorkKey, attempt: AttemptNo) -> Self {
        let scoped = if key.scope.is_root() { 0 } else { kind::SCOPED };
        let again = if attempt == AttemptNo::FIRST { 0 } else { kind::AGAIN };
        let mut head = Self { bytes: [0; Self::BYTES_MAX], length: 0 };
        head.byte(kind | scoped | again);
        head.span(last, at);
        if scoped != 0 {
            head.number(u64::from(key.scope.0));
        }
        head.number(u64::from(key.node.0));
        if again != 0 {
            head.number(u64::from(attempt.get()));
        }
        head
    }

    #[inline]
    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Sink for Head {
    #[inline]
    fn byte(&mut self, byte: u8) {
        self.bytes[self.length] = byte;
        self.length += 1;
    }
}

/// The time between two moments, small where they are close, whichever is first.
///
/// Wraps around, as reading does: every pair of times can be written.
#[inline]
fn zigzag(from: Time, to: Time) -> u64 {
    let micros = to.as_micros().wrapping_sub(from.as_micros());
    ((micros << 1) ^ (micros >> 63)) as u64
}

fn stop_number(how: StopOutcome) -> u8 {
    match how {
        StopOutcome::Closed => 0,
        StopOutcome::Stopped => 1,
        StopOutcome::Aborted => 2,
        StopOutcome::Lost => 3,
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
        FailureClass::Limit => 8,
        FailureClass::Exhausted => 9,
        FailureClass::Unknown => 12,
    }
}

#[cfg(test)]
mod tests;
