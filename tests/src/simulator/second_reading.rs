//! Compares what became of an execution with the naive reading of its facts.

use std::panic::{AssertUnwindSafe, catch_unwind};

use finale_core::definition::{Node, NodeKind};
use finale_core::execution::{Command, EffectSink, Input, Notice, Report};
use finale_core::fact::{Decision, EndRequest, Fact, Facts};
use finale_core::{Dispatch, Epoch, Execution, ExecutionId, NodePath, Time, WorkKey};

use super::Bug;
use super::flows::Flow;
use crate::driven::steps;
use crate::endings::Twin;
use crate::naive::{Mistake, Naive, Step};

/// Takes the notices that follow from a fact.
#[derive(Default)]
struct Notices(Vec<Notice>);

impl EffectSink for Notices {
    fn watched(&self) -> bool {
        true
    }

    fn notice(&mut self, notice: Notice, _path: Option<Box<NodePath>>) {
        self.0.push(notice);
    }
}

/// What somebody said, and what followed from it.
struct Said {
    at: Time,
    input: Input,
    steps: Vec<Step>,
}

/// How an ended execution differs from the naive reading of its history; nothing if it does not, or if it has others inside.
pub(super) fn difference(id: ExecutionId, flow: &Flow, history: &[u8], bug: Option<Bug>) -> Option<String> {
    if flow.has_endings {
        return difference_of_ends(id, flow, history, bug.and_then(Bug::mistake));
    }
    let misreading = bug.and_then(Bug::misreading);
    let definition = flow.compiled.definition().clone();
    let has_inside = |node: &Node| {
        matches!(node.kind, NodeKind::Subworkflow(_) | NodeKind::Group(_) | NodeKind::Map(_) | NodeKind::Loop(_))
    };
    if definition.nodes.iter().any(has_inside) {
        // It reads one graph; those with others inside have a naive reading of their own, which is compared elsewhere.
        return None;
    }
    let mut naive = match misreading {
        Some(misreading) => Naive::misread(definition, misreading),
        None => Naive::new(definition),
    };
    let mut execution = Execution::new(id, &flow.compiled);
    let mut said: Option<Said> = None;
    for recorded in Facts::new(history) {
        let recorded = recorded.ok()?;
        let input = input(&recorded.fact, execution.epoch());
        if input.is_some()
            && let Some(before) = said.take()
            && let Some(difference) = tell(&mut naive, &before, &execution, flow)
        {
            return Some(difference);
        }
        let mut notices = Notices::default();
        execution.apply(&flow.compiled, recorded.at, recorded.fact.clone(), &mut notices).ok()?;
        match input {
            Some(input) => said = Some(Said { at: recorded.at, input, steps: steps(&recorded.fact, &notices.0) }),
            None => said.as_mut()?.steps.extend(steps(&recorded.fact, &notices.0)),
        }
    }
    tell(&mut naive, &said?, &execution, flow)
}

/// The same for one whose scopes have something to do at their ends.
fn difference_of_ends(id: ExecutionId, flow: &Flow, history: &[u8], mistake: Option<Mistake>) -> Option<String> {
    let mut twin = Twin::new(flow.compiled.definition(), mistake);
    let mut execution = Execution::new(id, &flow.compiled);
    for (number, recorded) in Facts::new(history).enumerate() {
        let recorded = recorded.ok()?;
        if number > 0
            && input(&recorded.fact, execution.epoch()).is_some()
            && let Some(difference) = twin.difference(&flow.compiled, &execution)
        {
            return Some(difference);
        }
        if let Err(difference) = twin.take(&flow.compiled, &execution, &recorded.fact) {
            return Some(difference);
        }
        execution.apply(&flow.compiled, recorded.at, recorded.fact, &mut ()).ok()?;
    }
    twin.difference(&flow.compiled, &execution)
}

fn tell(naive: &mut Naive, Said { at, input, steps }: &Said, execution: &Execution, flow: &Flow) -> Option<String> {
    naive.set_time(*at);
    // What could not be is told by a panic there.
    let told = catch_unwind(AssertUnwindSafe(|| naive.tell(input, steps)));
    match told {
        Ok(Ok(())) => {}
        Ok(Err(refused)) => return Some(format!("{input:?} was taken, and should have been {refused:?}")),
        Err(_) => return Some(format!("{steps:?} after {input:?} could not be")),
    }
    let nodes = flow.compiled.positions().filter_map(|node| execution.node_status(WorkKey::root(node)));
    let (nodes, expected) = (nodes.collect::<Vec<_>>(), naive.nodes());
    if (execution.status(), &nodes) != (naive.status(), &expected) {
        return Some(format!(
            "after {input:?}: {} {nodes:?}, and should be {} {expected:?}",
            execution.status(),
            naive.status()
        ));
    }
    if naive.has_waits()
        && let Err(difference) = naive.checks_waits(&execution.under_way(&flow.compiled))
    {
        return Some(difference);
    }
    let left = execution.signals_left().into_iter();
    let left: Vec<_> = left.map(|signal| (signal.name, signal.payload.decode().expect("it is JSON"))).collect();
    if left != naive.signals_left() {
        return Some(format!("after {input:?} {left:?} are left, and should be {:?}", naive.signals_left()));
    }
    let handled = execution.counts(&flow.compiled).handled;
    (handled as usize != naive.handled()).then(|| format!("{handled} failures are handled, not {}", naive.handled()))
}

/// What was said that became a fact; nothing if the library decided it by itself.
fn input(fact: &Fact, epoch: Epoch) -> Option<Input> {
    Some(match fact {
        Fact::Activated(activation) => Input::Activate(activation.clone()),
        Fact::Outcome { key, attempt, result, started, ended } => Input::Outcome {
            dispatch: Dispatch { key: *key, attempt: *attempt, epoch },
            result: result.clone(),
            started: *started,
            ended: *ended,
        },
        Fact::Reported { key, attempt, result, by } => {
            Input::Reported(Report { key: *key, attempt: Some(*attempt), result: result.clone(), by: by.clone() })
        }
        Fact::AttemptStopped { key, attempt, how } => {
            Input::Stopped { dispatch: Dispatch { key: *key, attempt: *attempt, epoch }, how: *how }
        }
        Fact::TimerFired(timer) => Input::TimerFired(*timer),
        Fact::Decided { key, decision: Decision::Verdict(verdict, by) } => {
            Input::Verdict { key: *key, verdict: *verdict, by: by.clone() }
        }
        Fact::Ending(EndRequest::Cancel(by)) => Input::Command(Command::Cancel { by: by.clone() }),
        Fact::Ending(EndRequest::ForceCancel(by)) => Input::Command(Command::ForceCancel { by: by.clone() }),
        Fact::Ending(EndRequest::Complete(by)) => Input::Command(Command::Complete { by: by.clone() }),
        Fact::Ending(EndRequest::Fail { by, reason }) => {
            Input::Command(Command::Fail { by: by.clone(), reason: reason.clone() })
        }
        Fact::Recovered { epoch, crashed } => Input::Recovered { epoch: *epoch, crashed: *crashed },
        Fact::Continued => Input::Continue,
        Fact::Operated(operation) => Input::Operate(operation.clone()),
        Fact::Signalled(signal) => Input::Signal(signal.clone()),
        // Nothing follows from a custom status.
        Fact::Decided { .. } | Fact::Ending(_) | Fact::Ended(_) | Fact::CustomStatusSet(_) => return None,
    })
}
