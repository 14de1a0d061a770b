//! From a file and the arguments to what can be activated.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use finale::{Payload, Workflow};
use finale_core::definition::{Definition, Exhausted, Node, NodeKind, Signal, Verification, Wait, Work};
use finale_core::{Compiled, NodeIndex};

use super::arguments::Arguments;
use super::error::RunError;
use super::fitting::check_answers;
use super::kept::Kept;
use super::outside::Outside;
use super::signals::{awaited_signal, is_sent};
use super::simulate::{Simulation, scaled};
use crate::definition_file::DefinitionFile;
use crate::handlers::{CommandPaths, Handlers, LogsOption};

/// Everything that is known before anything runs.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// The name of the file, for errors.
    pub(crate) file: String,
    /// What runs.
    pub(crate) workflow: Workflow,
    /// What is handed in.
    pub(crate) input: BTreeMap<String, Payload>,
    /// What tasks come to that nobody really does.
    pub(crate) simulation: Simulation,
    /// What is really done.
    pub(crate) handlers: Handlers,
    /// Who does what is done outside.
    pub(crate) outside: Outside,
    /// Where it is kept; in memory if there is none.
    pub(crate) kept: Option<Kept>,
}

impl Prepared {
    /// Loads and checks; `terminal` says whether somebody is there to be asked.
    pub(crate) fn new(arguments: &Arguments, terminal: bool) -> Result<Self, RunError> {
        let file = arguments.file.display().to_string();
        let (mut workflow, runtimes) = load(arguments, &file)?;
        let input = arguments.input(&workflow.definition().inputs)?;
        if arguments.simulate {
            // Stand-ins give nothing that a schema could ask for.
            let plain = Workflow::new(workflow.definition().clone().without_task_schemas());
            workflow = plain.unwrap_or(workflow);
        }
        let answers = arguments.answered.answers(&[workflow.compiled()]);
        let answers = answers.map_err(|error| RunError::Answer { file: file.clone(), error })?;
        let signals = arguments.answered.signals(&[workflow.compiled()]);
        let signals = signals.map_err(|error| RunError::Answer { file: file.clone(), error })?;
        let simulation = Simulation::new(scaled(runtimes, arguments.time_scale), answers).with_signals(signals);
        let (definition, simulate) = (workflow.definition(), arguments.simulate);
        let simulation = if simulate { simulation.of_all_handlers(definition) } else { simulation };
        check_handlers(&simulation, definition, &file)?;
        let outside = Willing { simulate, yes: arguments.yes, terminal };
        let outside = outside.outside(workflow.compiled(), &simulation, &file, |_| false)?;
        check_answers(&workflow, &simulation, outside, &file, |_| false)?;
        // Last: a run that is refused makes no file.
        let kept = Kept::open(arguments)?;
        let logs = arguments.handlers.logs.clone().map_or(LogsOption::Unsaid, LogsOption::In);
        let paths = CommandPaths::new(logs, None, kept.as_ref().map(|kept| Arc::clone(&kept.run_file)));
        let handlers = Handlers::new(paths.map_err(RunError::WorkingDirectory)?, &arguments.handlers);
        Ok(Self { file, workflow, input, simulation, handlers, outside, kept })
    }
}

fn load(arguments: &Arguments, file: &str) -> Result<(Workflow, BTreeMap<String, Duration>), RunError> {
    let read = DefinitionFile::read(&arguments.file);
    let read = read.map_err(|error| RunError::Read { file: file.to_owned(), error })?;
    let mut loaded = read.load(arguments.format).map_err(RunError::Faulty)?;
    if let Some(on_failure) = arguments.on_failure {
        loaded.definition.policy.on_failure = on_failure;
    }
    let runtimes = std::mem::take(&mut loaded.runtimes);
    Ok((read.compile(loaded).map_err(RunError::Faulty)?, runtimes))
}

/// Looks whether somebody stands in for every handler.
pub(crate) fn check_handlers(simulation: &Simulation, definition: &Definition, file: &str) -> Result<(), RunError> {
    match simulation.missing(definition) {
        None => Ok(()),
        Some((node, handler)) => Err(RunError::NoHandler { file: file.to_owned(), node, handler }),
    }
}

/// Who could do what is done outside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Willing {
    pub(crate) simulate: bool,
    pub(crate) yes: bool,
    /// Whether somebody is there to be asked.
    pub(crate) terminal: bool,
}

impl Willing {
    /// Who does what nobody could foresee.
    pub(crate) const fn agreed(self) -> Outside {
        match self {
            Self { simulate: true, .. } => Outside::Simulated,
            Self { yes: true, .. } => Outside::Agreed,
            _ => Outside::Nobody,
        }
    }

    /// Who does it. Of nodes that are over nothing is wanted any more.
    pub(crate) fn outside(
        self,
        compiled: &Compiled,
        simulation: &Simulation,
        file: &str,
        is_over: impl Fn(NodeIndex) -> bool,
    ) -> Result<Outside, RunError> {
        let all: Vec<(NodeIndex, &Node)> = compiled.all_positions().map(|at| (at, compiled.node(at))).collect();
        let is_skipped = |node: &Node| self.simulate && waits_for_time(node);
        if !all.iter().map(|(_, node)| node).any(|node| is_outside(node) || may_be_held(node) || is_skipped(node)) {
            return Ok(Outside::Nobody);
        }
        if self.simulate {
            return Ok(Outside::Simulated);
        }
        if self.yes {
            return Ok(Outside::Agreed);
        }
        let is_told = |(at, node): &(NodeIndex, &Node)| match awaited_signal(&node.kind) {
            Some(signal) => is_sent(signal, compiled, simulation.signals()),
            None => simulation.answers().is_told(compiled, *at),
        };
        let untold = all.iter().filter(|one| is_outside(one.1) && !is_told(one));
        let untold: Vec<(NodeIndex, &Node)> = untold.copied().collect();
        if self.terminal && (!untold.is_empty() || all.iter().any(|(_, node)| may_be_held(node))) {
            return Ok(Outside::Asked);
        }
        match untold.into_iter().find(|(at, node)| waits_without_end(node) && !is_over(*at)) {
            None => Ok(Outside::Told),
            Some((_, node)) => {
                let (what, option) = match awaited_signal(&node.kind) {
                    Some(signal) => {
                        (format!("the signal {:?} that {:?} waits for", signal.name, node.id), to_send(signal))
                    }
                    None => (format!("the {} {:?}", node.kind.name(), node.id), to_answer(node)),
                };
                Err(RunError::NobodyOutside { file: file.to_owned(), what, option })
            }
        }
    }
}

/// The option that answers for a task or a verification.
fn to_answer(node: &Node) -> String {
    match &node.kind {
        NodeKind::Verification(_) => format!("--done {}=pass (or fail, or refer)", node.id),
        _ => format!("--done {}=OUTPUT", node.id),
    }
}

/// The option that sends a signal.
fn to_send(signal: &Signal) -> String {
    if signal.is_evaluated() {
        "--signal NAME=PAYLOAD with the name that the template comes to".to_owned()
    } else {
        format!("--signal {}=PAYLOAD", signal.name)
    }
}

/// Whether a simulation has something to skip there: a time, or a wait before another attempt or another round.
fn waits_for_time(node: &Node) -> bool {
    match &node.kind {
        NodeKind::Wait(Wait::Delay(_) | Wait::Until(_)) => true,
        NodeKind::Loop(repeated) => !repeated.delay.is_zero(),
        NodeKind::Task(task) => task.retry.attempts > 1 && !task.retry.backoff.initial.is_zero(),
        _ => false,
    }
}

/// Whether an operator may have to say how it goes on there.
fn may_be_held(node: &Node) -> bool {
    matches!(&node.kind, NodeKind::Task(task) if task.retry.exhausted == Exhausted::Hold)
}

/// Whether what nobody does there is waited for in vain, and not for a time only.
fn waits_without_end(node: &Node) -> bool {
    awaited_signal(&node.kind).is_none_or(|signal| signal.timeout.is_none())
}

fn is_outside(node: &Node) -> bool {
    match &node.kind {
        NodeKind::Task(task) => task.work == Work::External,
        NodeKind::Verification(Verification { preset, .. }) => preset.is_none(),
        kind => awaited_signal(kind).is_some(),
    }
}
