//! What happened to an execution: the accepted inputs and what a library decided.
//!
//! Everything else (skips, joins, dispatch, closures) is derived from facts by [`Execution::apply`](crate::Execution::apply),
//! so a list of facts is the whole truth about an execution.

mod decoding;
mod describe;
mod encoding;

pub use decoding::{DecodeError, Facts, Position};
pub use describe::Described;
pub use encoding::FORMAT;
pub(crate) use encoding::{encode, encode_outcome};

use std::borrow::Cow;

use crate::compiled::DefinitionHash;
use crate::definition::Verdict;
use crate::failure::Failure;
use crate::id::{AttemptNo, Epoch, WorkKey};
use crate::payload::Payload;
use crate::time::Time;

/// A fact and when it became one.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// When; never earlier than the fact before it.
    pub at: Time,
    /// What.
    pub fact: Fact,
}

/// One thing that happened to an execution.
///
/// It is exhaustive: whoever handles facts handles all of them, and does not compile when there is a new kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// It was activated; always the first.
    Activated(Activation),
    /// A library, or somebody asked, decided something at a node.
    Decided {
        /// Which node.
        key: WorkKey,
        /// What was decided.
        decision: Decision,
    },
    /// An attempt at a piece of work came to its result.
    Outcome {
        /// Which work.
        key: WorkKey,
        /// Which attempt.
        attempt: AttemptNo,
        /// What came of it.
        result: Result<Payload, Failure>,
        /// When the attempt began.
        started: Time,
        /// When it was over.
        ended: Time,
    },
    /// Somebody outside reported on a task.
    Reported {
        /// Which work.
        key: WorkKey,
        /// Which attempt.
        attempt: AttemptNo,
        /// What came of it.
        result: Result<Payload, Failure>,
        /// Who reported; empty if they did not say.
        by: Box<str>,
    },
    /// An attempt was stopped because the end of the execution was decided, or another branch was enough. One of which nobody
    /// says so and that is only [`Closed`](StopOutcome::Closed) has not begun, and does not in this life: the next one begins
    /// it.
    AttemptStopped {
        /// Which work.
        key: WorkKey,
        /// Which attempt.
        attempt: AttemptNo,
        /// How far it was stopped.
        how: StopOutcome,
    },
    /// A timer came due.
    TimerFired(Timer),
    /// Somebody, or the core itself, decided the end apart from the tasks.
    Ending(EndRequest),
    /// It is over; always the last.
    Ended(Ended),
    /// The process that drove it is gone, with the handlers that were at work; another one drives it now.
    Recovered {
        /// Which life begins; higher than every one before.
        epoch: Epoch,
        /// Whether the process crashed, rather than being shut down in order.
        crashed: bool,
    },
    /// More followed from the facts before than is drawn at once: the next part of it is drawn with this one.
    Continued,
    /// An operator said how it goes on with one node.
    Operated(Operation),
    /// Somebody sent a signal.
    Signalled(Signalled),
    /// A handler had set the custom status of the execution; recorded before the fact that came next.
    CustomStatusSet(CustomStatusSet),
}

/// The custom status of an execution: one line that a handler says of it. The last one that was set counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomStatusSet {
    /// The work of the handler.
    pub key: WorkKey,
    /// Which attempt at it.
    pub attempt: AttemptNo,
    /// When the task engine heard of it; not when it was recorded.
    pub set_at: Time,
    /// The line; empty if the handler took it back.
    pub text: Box<str>,
}

/// What an operator said of one node.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// Which work.
    pub key: WorkKey,
    /// Who.
    pub by: Box<str>,
    /// Why; not blank where something fails by it.
    pub reason: Box<str>,
    /// What is to be done.
    pub action: OperatorAction,
}

/// What an operator can do to one node.
#[derive(Clone, Debug, PartialEq)]
pub enum OperatorAction {
    /// Work that is held is tried again, with all its attempts and all its time.
    Retry,
    /// The next attempt, or the next round, begins now instead of at the end of its wait, or a wait for a time is over. An
    /// attempt that waits for a limit goes first in that queue.
    RunNow,
    /// The work counts as done, with this output; whoever works on it is stopped at once.
    Complete(Payload),
    /// The work has failed for good: it is neither tried again nor held. Whoever works on it is stopped at once.
    Fail,
    /// The work is not done, and what depends on it goes on as after the failure of an optional task. Whoever works on it is
    /// stopped at once.
    Skip,
}

/// A signal that somebody sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Signalled {
    /// The name that nodes wait for.
    pub name: Box<str>,
    /// What it says.
    pub payload: Payload,
    /// Who sent it.
    pub by: Box<str>,
    /// What repetitions of it are known by.
    pub id: Option<Box<str>>,
}

/// How an execution begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Activation {
    /// What it runs.
    pub definition: DefinitionHash,
    /// Which revision of finale's semantics it began under.
    pub semantics: u16,
    /// What was handed in.
    pub input: Payload,
    /// Who activated it; borrowed where nobody said so, as that is the same word for all of them.
    pub by: Cow<'static, str>,
    /// When it must be over.
    pub deadline: Option<Time>,
    /// What a second activation of the same thing is known by.
    pub idempotency_key: Option<Box<str>>,
    /// What people find it by, like an order number; several executions may have the same.
    pub business_key: Option<Box<str>>,
}

/// Something decided at a node.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// Which way a condition went, be it that of a loop.
    Branch(bool),
    /// What a verification came to, and who said so.
    Verdict(Verdict, Box<str>),
    /// The input of a task; the items of a node that runs its graph once for each.
    Input(Payload),
    /// An expression could not be evaluated.
    Failed(Box<str>),
    /// What a scope gives; said of the node that it begins with.
    Output(Payload),
    /// There are more items than a map may have; says how many.
    TooMany(Box<str>),
    /// What a workflow that is called is given, or what a workflow gives, does not fit the schema that it declares.
    Mismatch(Box<str>),
}

/// How far an attempt was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopOutcome {
    /// Nobody worked on it: it was only closed, or had not begun when the runtime was shut down.
    Closed,
    /// It was told to stop and did.
    Stopped,
    /// It did not stop in time and was dropped.
    Aborted,
    /// It could not be stopped, and nobody waits for it any more.
    Lost,
}

/// What a moment was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// The execution must be over.
    Deadline,
    /// Whoever is asked for this attempt must have answered. Handlers have no such timer: see
    /// [`Compiled::attempt_limit`](crate::Compiled::attempt_limit).
    Timeout(WorkKey, AttemptNo),
    /// This attempt may begin.
    Backoff(WorkKey, AttemptNo),
    /// The round of a loop with that number, from 1, may begin.
    Round(WorkKey, u32),
    /// A node that waits need wait no longer: its moment has come, or the signal that it waits for has not.
    Wait(WorkKey),
    /// The execution has been ending for as long as it may.
    EndingWithin,
    /// The work must be done, whichever attempt is under way.
    Total(WorkKey),
}

/// An end that was decided apart from the tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndRequest {
    /// Somebody cancelled the execution.
    Cancel(Box<str>),
    /// Somebody cancelled it, without what is left to be done at its end.
    ForceCancel(Box<str>),
    /// Somebody declared it complete.
    Complete(Box<str>),
    /// Somebody declared it failed.
    Fail {
        /// Who.
        by: Box<str>,
        /// Why, verbatim.
        reason: Box<str>,
    },
    /// Its output expression could not be evaluated.
    Output(Box<str>),
    /// Nothing could ever move again.
    Stalled,
    /// Its output does not fit the schema that its workflow declares.
    OutputMismatch(Box<str>),
}

/// How an execution ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// As what.
    pub status: Terminal,
    /// The value of the output expression, where the definition has one.
    pub output: Option<Payload>,
}

/// The three ways to be over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Terminal {
    /// Everything required was done.
    Completed,
    /// A failure decided it.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
}

impl From<Terminal> for crate::status::ExecutionStatus {
    fn from(terminal: Terminal) -> Self {
        match terminal {
            Terminal::Completed => Self::Completed,
            Terminal::Failed => Self::Failed,
            Terminal::Cancelled => Self::Cancelled,
        }
    }
}
