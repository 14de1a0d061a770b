//! Why an execution failed, for whoever started it.

use finale::{Record, Workflow};
use finale_core::record::{ExecutionError, NodeFailure, State};

use crate::console;
use crate::handlers::{Handlers, last_lines, runs_command};
use crate::run::Simulation;

/// How the tasks of an execution were done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done<'a> {
    pub(crate) workflow: &'a Workflow,
    pub(crate) simulation: &'a Simulation,
    pub(crate) handlers: &'a Handlers,
}

impl Done<'_> {
    /// Whether a command really ran for a task.
    fn is_by_command(&self, node: &str) -> bool {
        let compiled = self.workflow.compiled();
        compiled.position(node).is_some_and(|position| runs_command(compiled, position, self.simulation))
    }
}

/// Says which failure decided an execution, and what is left of its output, and what was to be done at its end and was not.
pub(crate) fn say(record: &Record, done: &Done<'_>) {
    let State::Ended(outcome) = &record.state else { return };
    if let Some(error) = outcome.error() {
        say_error(record, error, done);
    }
    for failure in &outcome.ending_failures {
        console::insist(format_args!("at the end, {failure}"));
    }
}

fn say_error(record: &Record, error: &ExecutionError, done: &Done<'_>) {
    match error.failures().first() {
        None => console::complain(error),
        Some(cause) => {
            console::complain(cause);
            say_output(record, cause, done);
        }
    }
    if let more @ 1.. = error.failures().len().saturating_sub(1) {
        console::insist(format_args!("{more} more failed"));
    }
}

fn say_output(record: &Record, cause: &NodeFailure, done: &Done<'_>) {
    if !done.is_by_command(&cause.node) {
        return;
    }
    let log = done.handlers.paths().log(record.id, &cause.node, cause.attempt);
    let Some(lines) = last_lines(&log, record.created_at) else { return };
    if !lines.is_empty() {
        console::insist("its output ended so:");
        lines.lines().for_each(|line| console::insist(format_args!("    {line}")));
    }
    console::insist(format_args!("log: {}", log.display()));
}
