//! What goes back and forth between the parts, and the bag it lies in until its time has come.

use std::collections::BTreeMap;

use finale_core::definition::Verdict;
use finale_core::execution::{Command, Input, Refused, Report};
use finale_core::fact::Timer;
use finale_core::{Dispatch, ExecutionStatus, Failure, Payload, Time, WorkKey};

use super::journal::Append;

/// Which execution: they are numbered over all lives of the process.
pub(super) type Number = u32;

/// Which request of somebody outside.
pub(super) type Asking = u32;

/// Something that happens at its time.
#[derive(Debug)]
pub(super) enum Event {
    /// Inside the process; void once that life is over.
    Inside { life: u32, what: Inside },
    /// The journal has written a batch.
    Written,
    /// A write of a process that was believed dead.
    LateWrite(Append),
    /// The result of a handler of an earlier life or an earlier attempt.
    Straggler { number: Number, dispatch: Dispatch, result: Result<Payload, Failure> },
    /// A request comes to the process.
    Arrives(Asking),
    /// An answer comes to whoever asked.
    Answered { asking: Asking, answer: Answer },
    /// People look around and do something.
    LookAround,
    /// Somebody wants another execution.
    Activate,
    /// The process is started again.
    Restart,
}

/// Something inside the process.
#[derive(Debug)]
pub(super) enum Inside {
    Mail {
        number: Number,
        mail: Mail,
    },
    Turn {
        number: Number,
    },
    Rebuild {
        number: Number,
    },
    Publish {
        number: Number,
    },
    Recover {
        number: Number,
    },
    Watermark {
        shard: usize,
        position: u64,
    },
    Engine {
        shard: usize,
    },
    HandlerOver {
        number: Number,
        dispatch: Dispatch,
        token: u64,
    },
    /// The time that an attempt may take is over.
    LimitOver {
        number: Number,
        dispatch: Dispatch,
        token: u64,
    },
    TimerDue {
        number: Number,
        timer: Timer,
        due: Time,
    },
    GraceOver {
        number: Number,
        dispatch: Dispatch,
    },
    Sweep,
}

/// Something an execution is told.
#[derive(Clone, Debug)]
pub(super) enum Mail {
    Tell(Input, Option<Asking>),
    Look(Asking),
}

/// What somebody outside wants.
#[derive(Clone, Debug)]
pub(super) enum Wish {
    Activate { key: Option<u16>, definition: usize, deadline: Option<Time> },
    Report { number: Number, report: Report },
    Judge { number: Number, key: WorkKey, verdict: Verdict },
    Command { number: Number, command: Command },
    Look { number: Number },
    Outcome { number: Number },
}

impl Wish {
    /// The execution it is about, if there is one already.
    pub(super) fn number(&self) -> Option<Number> {
        match self {
            Self::Activate { .. } => None,
            Self::Report { number, .. }
            | Self::Judge { number, .. }
            | Self::Command { number, .. }
            | Self::Look { number }
            | Self::Outcome { number } => Some(*number),
        }
    }
}

/// What whoever asked is told.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    Activated(Number),
    Done,
    Refused(Refused),
    Seen {
        sequence: u64,
        status: ExecutionStatus,
    },
    Ended(ExecutionStatus),
    /// Nobody knows whether it was done: ask again.
    Unknown,
}

/// Everything that is on its way, by the time when it arrives: random delays make a random order.
#[derive(Debug, Default)]
pub(super) struct Bag {
    events: BTreeMap<(Time, u64), Event>,
    put: u64,
}

impl Bag {
    pub(super) fn put(&mut self, at: Time, event: Event) {
        self.put += 1;
        self.events.insert((at, self.put), event);
    }

    pub(super) fn take(&mut self) -> Option<(Time, Event)> {
        self.events.pop_first().map(|((at, _), event)| (at, event))
    }

    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    /// What is inside a process is gone with it.
    pub(super) fn forget_inside(&mut self) {
        self.events.retain(|_, event| !matches!(event, Event::Inside { .. }));
    }
}
