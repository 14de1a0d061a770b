//! What happened, in short: its hash says whether two runs were the same, its end tells the story of a failure.

use std::collections::VecDeque;

use finale_core::execution::AfterStop;
use finale_core::fact::Timer;
use finale_core::{Dispatch, ExecutionStatus, Time, WorkKey};

use super::journal::{NotTaken, hashed};
use super::messages::{Asking, Number};

/// How many of the last happenings a failure tells.
const TOLD: usize = 24;

/// Something that happened.
#[derive(Clone, Debug, Hash)]
pub(super) enum Happening {
    Asks { asking: Asking, wish: &'static str, number: Option<Number> },
    Answered { asking: Asking, answer: &'static str },
    Told { number: Number, input: &'static str, accepted: bool },
    Appended { number: Number, first: u64, count: u32, bytes: u64 },
    NotTaken { number: Number, why: NotTaken },
    Written { appends: usize },
    Watermark { shard: usize, position: u64 },
    Shown { number: Number, sequence: u64, status: ExecutionStatus },
    Began { number: Number, dispatch: Dispatch },
    HandlerOver { number: Number, dispatch: Dispatch, how: &'static str },
    StopTold { number: Number, dispatch: Dispatch, forget: bool },
    Opened { number: Number, dispatch: Dispatch },
    TakenBack { number: Number, key: WorkKey },
    Armed { number: Number, timer: Timer, due: Time },
    Fired { number: Number, timer: Timer },
    Published { number: Number, status: ExecutionStatus },
    Lost { number: Number, input: &'static str },
    Twice { number: Number, input: &'static str },
    Straggler { number: Number, dispatch: Dispatch },
    Stopped { number: Number, dispatch: Dispatch, how: &'static str },
    Reconciled { number: Number, repaired: u32 },
    Died { number: Number },
    Rebuilt { number: Number, sequence: u64 },
    Crashed { life: u32 },
    JournalFailed,
    Restarted { life: u32 },
    Recovering { number: Number, sequence: u64, running: u32 },
    Calm,
}

impl Happening {
    pub(super) fn stop_told(number: Number, dispatch: Dispatch, then: AfterStop) -> Self {
        Self::StopTold { number, dispatch, forget: then == AfterStop::Forget }
    }
}

#[derive(Debug, Default)]
pub(super) struct Trace {
    hash: u64,
    last: VecDeque<(u64, Time, Happening)>,
    aloud: bool,
}

impl Trace {
    pub(super) fn new(aloud: bool) -> Self {
        Self { aloud, ..Self::default() }
    }

    pub(super) fn note(&mut self, step: u64, at: Time, happening: Happening) {
        self.hash = hashed(&(self.hash, step, at, &happening));
        if self.aloud {
            eprintln!("{}", line(step, at, &happening));
        }
        if self.last.len() == TOLD {
            self.last.pop_front();
        }
        self.last.push_back((step, at, happening));
    }

    /// The hash of everything that happened.
    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    /// The last things that happened, one per line.
    pub(super) fn end(&self) -> Vec<String> {
        self.last.iter().map(|(step, at, happening)| line(*step, *at, happening)).collect()
    }
}

fn line(step: u64, at: Time, happening: &Happening) -> String {
    format!("{step:>5} {:>7} us  {happening:?}", at.as_micros())
}
