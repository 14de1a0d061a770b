//! What may come next.

use std::collections::BTreeSet;

use finale_core::definition::Verdict;
use finale_core::execution::{Command, Execution, Input, Report};
use finale_core::fact::{Operation, OperatorAction, Signalled, StopOutcome, Timer};
use finale_core::failure::{Failure, FailureClass};
use finale_core::{
    Compiled, Dispatch, ExecutionStatus, NodeIndex, NodeStatus, Payload, ScopeId, Time, WaitingFor, WorkKey,
};

use super::Search;
use super::open::Open;

/// What may still happen that happens once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Budget {
    has_cancelled: bool,
    has_forced: bool,
    has_crashed: bool,
    has_retried: bool,
    has_signalled: bool,
}

/// Something that may be told.
#[derive(Clone, Debug, PartialEq)]
pub enum Move {
    /// It begins.
    Activate,
    /// A handler came to its result.
    Outcome(Dispatch, bool),
    /// A handler that was told to stop has stopped.
    Stopped(Dispatch),
    /// Somebody outside reports.
    Reported(Dispatch, bool),
    /// Somebody judges.
    Judged(WorkKey, Verdict),
    /// A timer fires.
    Fired(Timer),
    /// Somebody sends a signal that a node waits for.
    Signal(Box<str>),
    /// Somebody sends a signal that a node may wait for later.
    EarlySignal(Box<str>),
    /// More of what followed is drawn.
    Continue,
    /// An operator cancels it.
    Cancel,
    /// An operator cancels it without what is left of its end.
    Force,
    /// The process is gone, and another one takes over.
    Crash,
    /// An operator says how it goes on with a node that is held.
    Operated(WorkKey, Operated),
}

/// What an operator says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operated {
    /// It is tried again.
    Retry,
    /// It is done.
    Complete,
    /// It has failed.
    Fail,
    /// It is not to be done.
    Skip,
}

impl Budget {
    /// What is left after that.
    pub(super) fn spend(self, told: &Move) -> Self {
        match told {
            Move::Cancel => Self { has_cancelled: true, ..self },
            Move::Force => Self { has_cancelled: true, has_forced: true, ..self },
            Move::Crash => Self { has_crashed: true, ..self },
            Move::Operated(_, Operated::Retry) => Self { has_retried: true, ..self },
            Move::EarlySignal(_) => Self { has_signalled: true, ..self },
            _ => self,
        }
    }
}

impl Move {
    /// Whether it comes by itself, rather than from somebody who may never say it.
    pub(super) fn is_progress(&self) -> bool {
        !matches!(self, Self::Cancel | Self::Force | Self::Crash | Self::EarlySignal(_))
    }

    /// The input that says so.
    pub(super) fn input(&self, execution: &Execution) -> Input {
        match self.clone() {
            Self::Activate => unreachable!("an execution is activated before anything is told to it"),
            Self::Outcome(dispatch, is_good) => {
                let now = Time::default();
                Input::Outcome { dispatch, result: result(is_good), started: now, ended: now }
            }
            Self::Stopped(dispatch) => Input::Stopped { dispatch, how: StopOutcome::Stopped },
            Self::Reported(dispatch, is_good) => {
                let report = Report::new(dispatch.key, result(is_good));
                Input::Reported(Report { attempt: Some(dispatch.attempt), ..report })
            }
            Self::Judged(key, verdict) => Input::Verdict { key, verdict, by: "a judge".into() },
            Self::Fired(timer) => Input::TimerFired(timer),
            Self::Signal(name) | Self::EarlySignal(name) => Input::Signal(Signalled {
                name,
                payload: Payload::from_json(&b"true"[..]).expect("it is JSON"),
                by: "somebody".into(),
                id: None,
            }),
            Self::Continue => Input::Continue,
            Self::Cancel => Input::Command(Command::Cancel { by: "an operator".into() }),
            Self::Force => Input::Command(Command::ForceCancel { by: "an operator".into() }),
            Self::Crash => Input::Recovered { epoch: execution.epoch().next(), crashed: true },
            Self::Operated(key, operated) => Input::Operate(Operation {
                key,
                by: "an operator".into(),
                reason: "so it is".into(),
                action: match operated {
                    Operated::Retry => OperatorAction::Retry,
                    Operated::Complete => OperatorAction::Complete(Payload::NULL),
                    Operated::Fail => OperatorAction::Fail,
                    Operated::Skip => OperatorAction::Skip,
                },
            }),
        }
    }
}

fn result(is_good: bool) -> Result<Payload, Failure> {
    if is_good {
        Ok(Payload::from_json(&b"true"[..]).expect("it is JSON"))
    } else {
        Err(Failure::new(FailureClass::Failed, "so it is"))
    }
}

impl Search<'_> {
    /// Everything that may come next.
    pub(super) fn moves(&self, (execution, open): (&Execution, &Open), budget: Budget) -> Vec<Move> {
        let mut moves = Vec::new();
        for &run in &open.runs {
            moves.extend([Move::Outcome(run, true), Move::Outcome(run, false)]);
        }
        moves.extend(open.stops.iter().map(|stop| Move::Stopped(*stop)));
        for &offer in &open.offers {
            moves.extend([Move::Reported(offer, true), Move::Reported(offer, false)]);
        }
        for key in judged(execution, &self.judged) {
            let verdicts = [Verdict::Pass, Verdict::Fail, Verdict::Refer];
            moves.extend(verdicts.map(|verdict| Move::Judged(key, verdict)));
        }
        let held = if self.can_hold { held(execution, self.definition) } else { Vec::new() };
        for key in held {
            moves.extend(
                [Operated::Complete, Operated::Fail, Operated::Skip].map(|operated| Move::Operated(key, operated)),
            );
            // Once: each time gives it all its attempts again.
            if !budget.has_retried && !self.definition.is_at_most_once(key.node) {
                moves.push(Move::Operated(key, Operated::Retry));
            }
        }
        moves.extend(open.armed.iter().map(|timer| Move::Fired(*timer)));
        let awaited: BTreeSet<&str> = execution.awaited_signals().map(|(_, name)| name).collect();
        moves.extend(awaited.iter().map(|name| Move::Signal((*name).into())));
        if !budget.has_signalled {
            let ahead = self.signals.iter().filter(|name| !awaited.contains(&***name));
            moves.extend(ahead.map(|name| Move::EarlySignal(name.clone())));
        }
        if open.continues {
            moves.push(Move::Continue);
        }
        if !budget.has_cancelled {
            moves.push(Move::Cancel);
        }
        if !budget.has_forced && execution.status() == ExecutionStatus::Ending {
            moves.push(Move::Force);
        }
        if !budget.has_crashed {
            moves.push(Move::Crash);
        }
        moves
    }
}

/// The nodes that wait for an operator.
fn held(execution: &Execution, definition: &Compiled) -> Vec<WorkKey> {
    let awaited = execution.why(definition).awaited.into_iter();
    let held = awaited.filter(|awaited| awaited.waiting_for == Some(WaitingFor::Operator));
    held.filter_map(|awaited| Some(awaited.task_id?.key)).collect()
}

/// The nodes that wait for a verdict, in the first scopes.
fn judged(execution: &Execution, verifications: &[NodeIndex]) -> Vec<WorkKey> {
    const SCOPES_MAX: u32 = 16;
    let all = (0..SCOPES_MAX).flat_map(|scope| verifications.iter().map(move |node| (ScopeId(scope), *node)));
    let keys = all.map(|(scope, node)| WorkKey { scope, node });
    keys.filter(|key| execution.node_status(*key) == Some(NodeStatus::Waiting)).collect()
}
