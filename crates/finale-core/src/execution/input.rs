//! What an execution can be told, and why it can refuse.

use crate::definition::{SchemaMismatch, Verdict};
use crate::fact::{Activation, Operation, Signalled, StopOutcome, Timer};
use crate::failure::Failure;
use crate::id::{AttemptNo, Dispatch, Epoch, WorkKey};
use crate::payload::Payload;
use crate::status::{ExecutionStatus, NodeStatus, WaitingFor};
use crate::time::Time;

/// Something an execution is told.
///
/// It is exhaustive: a new kind does not compile until everybody who tells executions something knows of it.
#[derive(Clone, Debug)]
pub enum Input {
    /// Begin.
    Activate(Activation),
    /// A handler came to its result.
    Outcome {
        /// What the handler was run for.
        dispatch: Dispatch,
        /// What came of it.
        result: Result<Payload, Failure>,
        /// When it began.
        started: Time,
        /// When it was over.
        ended: Time,
    },
    /// Somebody outside reports on a task.
    Reported(Report),
    /// A handler that was told to stop is gone.
    Stopped {
        /// What the handler was run for.
        dispatch: Dispatch,
        /// How far it was stopped.
        how: StopOutcome,
    },
    /// Somebody judged the work before a verification.
    Verdict {
        /// Which verification.
        key: WorkKey,
        /// What it comes to.
        verdict: Verdict,
        /// Who says so.
        by: Box<str>,
    },
    /// A moment that was waited for has come.
    TimerFired(Timer),
    /// An operator wants something of the execution as a whole.
    Command(Command),
    /// The process that drove it is gone, with the handlers that were at work; this one drives it now.
    ///
    /// Nothing of what was [under way](super::Execution::under_way) is so in this process: what it says after this must
    /// be performed, as far as the effects of this input have not done so.
    Recovered {
        /// Which life begins; higher than every one before.
        epoch: Epoch,
        /// Whether the process crashed, rather than being shut down in order.
        crashed: bool,
    },
    /// [`Effect::Continue`](super::Effect::Continue) was performed: more of what followed is to be drawn.
    Continue,
    /// An operator says how it goes on with one node.
    Operate(Operation),
    /// Somebody sends a signal: a node that waits for it goes on, or it is kept until one waits for it. One whose id was
    /// sent before changes nothing.
    Signal(Signalled),
    /// A handler sets the custom status of the execution. It is no fact by itself: it is seen at once, and recorded with the
    /// next fact. One of a handler that the execution knows nothing of any more changes nothing.
    CustomStatus {
        /// What the handler was run for.
        dispatch: Dispatch,
        /// When it was set; each one of an execution at a time of its own, so that one that is told late changes nothing.
        set_at: Time,
        /// The line, of which at most
        /// [`CustomStatus::TEXT_BYTES_MAX`](crate::record::CustomStatus::TEXT_BYTES_MAX) bytes are kept; empty to take it
        /// back.
        text: Box<str>,
    },
}

/// What somebody outside says about a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Which work.
    pub key: WorkKey,
    /// Which attempt they report on, if they say so: one for another attempt than the current one is refused.
    pub attempt: Option<AttemptNo>,
    /// What came of it.
    pub result: Result<Payload, Failure>,
    /// Who reports; empty if they do not say.
    pub by: Box<str>,
}

impl Report {
    /// A report on the current attempt, by somebody who does not say who they are.
    pub fn new(key: WorkKey, result: Result<Payload, Failure>) -> Self {
        Self { key, attempt: None, result, by: Box::default() }
    }
}

/// What an operator wants of an execution as a whole.
#[derive(Clone, Debug)]
pub enum Command {
    /// Stop it; it ends CANCELLED.
    Cancel {
        /// Who says so.
        by: Box<str>,
    },
    /// Stop it like [`Cancel`](Self::Cancel), without what is left to be done at the end: what undoes what was done, and what
    /// `finally` says, is recorded as not run; what of it runs is told to stop.
    ForceCancel {
        /// Who says so.
        by: Box<str>,
    },
    /// Declare it COMPLETED whatever its tasks are at.
    Complete {
        /// Who says so.
        by: Box<str>,
    },
    /// Declare it FAILED.
    Fail {
        /// Who says so.
        by: Box<str>,
        /// Why; not blank, and kept verbatim as the error.
        reason: Box<str>,
    },
}

/// Why an input changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The command needs a running execution.
    #[error("the execution is {0}, not running")]
    NotRunning(ExecutionStatus),
    /// The execution is over.
    #[error("the execution is over already: {0}")]
    AlreadyTerminal(ExecutionStatus),
    /// What was said makes no sense.
    #[error("{0}")]
    Invalid(&'static str),
    /// The node has not come to the point where this can be said.
    #[error("node {key} is {status}: it is too early for this")]
    NotReady {
        /// The node.
        key: WorkKey,
        /// Where it is.
        status: NodeStatus,
    },
    /// The node waits for something else; the text says what would help.
    #[error("node {key} {}", waiting_for.in_words())]
    WaitsForElse {
        /// The node.
        key: WorkKey,
        /// What it waits for.
        waiting_for: WaitingFor,
    },
    /// The node is past the point where this could be said.
    #[error("node {key} is {status} already")]
    Settled {
        /// The node.
        key: WorkKey,
        /// Where it is.
        status: NodeStatus,
    },
    /// A newer attempt has taken the place of this one.
    #[error("attempt {attempt} of node {key} is not the current one")]
    Stale {
        /// The node.
        key: WorkKey,
        /// The attempt that reported.
        attempt: AttemptNo,
    },
    /// What was reported is not of the type that the task was declared with.
    #[error("the output is not of the declared type: {0}")]
    WrongType(Box<str>),
    /// What is left to be done at the end needs a handler that is not there.
    #[error("its end needs the handler {0:?}, which is not registered: only a forced cancel does without")]
    HandlerMissing(Box<str>),
    /// What the node comes to is decided: it ends when what is in it has come to its end.
    #[error("how node {key} ends is decided already")]
    EndDecided {
        /// The node.
        key: WorkKey,
    },
    /// A payload does not fit the schema that the definition declares for it. The core does not look: whoever hands payloads
    /// to it does.
    #[error(transparent)]
    SchemaMismatch(Box<SchemaMismatch>),
    /// The scope that the work was in has come to its end.
    #[error("the scope of node {key} is over already")]
    ScopeOver {
        /// The node.
        key: WorkKey,
    },
    /// There is no such work, and never was.
    #[error("there is no such work in the execution")]
    Unknown,
    /// As many signals are kept already as allowed, of that name or of all, and nobody waits for them.
    #[error("{max} signals wait already that nobody has taken: no more are kept")]
    SignalsFull {
        /// How many are kept at most.
        max: usize,
    },
}
