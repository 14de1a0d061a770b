//! Tasks that call another workflow.

use finale_core::definition::{Call, NodeKind, Policy, Subworkflow};

use super::report::Report;
use super::section::{self, Keys, Section};
use super::{expression, policy};
use crate::tree::Located;

pub(crate) const KEYS: Keys = Keys {
    accepted: &["workflow", "version", "output", "on_failure", "siblings"],
    slips: &[
        ("id", "workflow"),
        ("name", "workflow"),
        ("result", "output"),
        ("outputs", "output"),
        ("on_error", "on_failure"),
        ("policy", "on_failure"),
    ],
};

/// Keys of a task that mean nothing for a call.
pub(super) const NOT_OF_A_CALL: [&str; 13] = [
    "handler",
    "shell",
    "sleep",
    "log",
    "input_schema",
    "output_schema",
    "retry",
    "timeout",
    "queue_timeout",
    "total_timeout",
    "heartbeat",
    "at_most_once",
    "assignee",
];

/// Reads what is called: the id of a workflow, or that with what else is to be said.
pub(super) fn read<'a>(task: &Section<'a>, report: &mut Report<'a>) -> Option<NodeKind> {
    let mut call = task.read("call", report, called)?;
    let (input, with) = (task.read("input", report, expression::read), task.read("with", report, expression::document));
    // That both are there is reported.
    match (input, with) {
        (Some(input), _) => (call.input, call.with) = (Some(input), None),
        (None, Some(with)) => call.with = Some(with),
        (None, None) => {}
    }
    call.optional = task.flag("optional", report);
    Some(NodeKind::Subworkflow(call))
}

fn called<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<Subworkflow> {
    let plain = |workflow: String| {
        let NodeKind::Subworkflow(call) = Call::to(workflow, "").into() else { return Subworkflow::default() };
        Subworkflow { version: None, ..call }
    };
    if !value.tree.is_map() {
        let expected = "the id of a workflow, or a map with `workflow` and what else is to be said of the call";
        return section::text_as(value, expected, report).map(|workflow| plain(workflow.to_owned()));
    }
    let section = Section::open(value, &KEYS, report)?;
    let workflow = section.require("workflow", report, section::text)?;
    let says_policy = ["on_failure", "siblings"].into_iter().any(|key| section.entry(key).is_some());
    let policy = Policy {
        on_failure: section.read("on_failure", report, policy::on_failure).unwrap_or_default(),
        siblings: section.read("siblings", report, policy::siblings).unwrap_or_default(),
    };
    Some(Subworkflow {
        version: section.read("version", report, section::text),
        output: section.read("output", report, expression::read),
        policy: says_policy.then_some(policy),
        ..plain(workflow)
    })
}
