//! The nodes that do no work: decisions, splits, joins and the others under `nodes`.

use std::collections::BTreeMap;

use finale_core::definition::{
    AgentAssignment, Conditional, Node, NodeKind, ParallelSplit, Subworkflow, Verdict, Verification,
};
use serde_json::Value;

use super::report::Report;
use super::section::{self, Keys, Section};
use super::{duration, expression, rule, schema, task, wait};
use crate::error::LoadProblem;
use crate::tree::{Entry, Located, Tree};

/// Keys that say what a node is; a node has exactly one of them.
pub(crate) const KINDS: &[&str] = &[
    "start",
    "end",
    "task",
    "condition",
    "split",
    "join",
    "assign",
    "verification",
    "subworkflow",
    "delay",
    "until",
    "signal",
];

pub(crate) const KEYS: Keys = Keys {
    accepted: &[
        "start",
        "end",
        "task",
        "condition",
        "split",
        "join",
        "assign",
        "verification",
        "subworkflow",
        "delay",
        "until",
        "signal",
        "timeout",
        "schema",
        "label",
        "after",
        "when",
        "trigger_rule",
        "on_failure",
        "on_timeout",
        "compensate",
    ],
    slips: &[
        ("conditional", "condition"),
        ("decision", "condition"),
        ("if", "condition"),
        ("parallel_split", "split"),
        ("parallel", "split"),
        ("fork", "split"),
        ("parallel_join", "join"),
        ("agent_assignment", "assign"),
        ("agent", "assign"),
        ("verify", "verification"),
        ("review", "verification"),
        ("workflow", "subworkflow"),
        ("call", "task: {call: ...}"),
        ("title", "label"),
        ("name", "label"),
        ("depends_on", "after"),
        ("needs", "after"),
        ("rule", "trigger_rule"),
        ("on_error", "on_failure"),
        ("catch", "on_failure"),
        ("wait", "delay"),
        ("pause", "delay"),
        ("timer", "delay"),
        ("at", "until"),
        ("wait_until", "until"),
        ("event", "signal"),
        ("payload_schema", "schema"),
        ("output_schema", "schema"),
        ("wait_for", "signal"),
        ("shell", "task: {shell: ...}"),
        ("handler", "task: {handler: ...}"),
        ("sleep", "task: {sleep: ...}"),
        ("log", "task: {log: ...}"),
    ],
};

pub(crate) const SPLIT_KEYS: Keys =
    Keys { accepted: &["max_concurrency"], slips: &[("concurrency", "max_concurrency"), ("max", "max_concurrency")] };

pub(crate) const VERIFICATION_KEYS: Keys = Keys {
    accepted: &["rubric", "evaluator", "preset"],
    slips: &[("rubric_name", "rubric"), ("evaluator_agent_id", "evaluator"), ("verdict", "preset")],
};

pub(crate) const SUBWORKFLOW_KEYS: Keys = Keys {
    accepted: &["workflow", "version", "inputs", "outputs"],
    slips: &[("id", "workflow"), ("input_bindings", "inputs"), ("output_bindings", "outputs"), ("with", "inputs")],
};

pub(crate) const VERDICTS: &[&str] = &["pass", "fail", "refer"];

/// Reads what is behind the id of a node; nothing if it does not say what it is.
pub(super) fn read<'a>(id: &str, value: &'a Located, report: &mut Report<'a>) -> Option<Node> {
    let section = Section::open(value, &KEYS, report)?;
    let mut kinds = KINDS.iter().copied().filter(|kind| section.entry(kind).is_some());
    let Some(kind) = kinds.next() else {
        report.add(value.place, || LoadProblem::MissingKind { accepted: KINDS });
        return None;
    };
    kinds.for_each(|key| contradiction(&section, key, kind, "a node is one thing", report));
    if kind == "task" {
        let reason = "it belongs into the task";
        let keys =
            ["label", "after", "when", "trigger_rule", "on_failure", "timeout", "schema", "on_timeout", "compensate"];
        keys.into_iter().for_each(|key| contradiction(&section, key, kind, reason, report));
        let entry = section.entry(kind)?;
        return Some(report.inside(&entry.key, |report| task::read(id, entry, report)));
    }
    if kind == "start" {
        let reason = "nothing comes before a start";
        let keys = ["after", "when", "trigger_rule"];
        keys.into_iter().for_each(|key| contradiction(&section, key, kind, reason, report));
    }
    if kind != "signal" {
        let reason = "only what waits for a signal has a timeout of its own";
        ["timeout", "on_timeout"].into_iter().for_each(|key| contradiction(&section, key, kind, reason, report));
        let reason = "only a signal says something; a task has `input_schema` and `output_schema`";
        contradiction(&section, "schema", kind, reason, report);
    }
    if !matches!(kind, "condition" | "subworkflow" | "until" | "signal") {
        contradiction(&section, "on_failure", kind, "it does nothing that could fail", report);
    }
    if kind != "subworkflow" {
        contradiction(&section, "compensate", kind, "it does nothing that could be undone", report);
    }
    if kind == "join" {
        contradiction(&section, "trigger_rule", kind, "a join says itself what it waits for", report);
    }
    let label = section.read("label", report, section::text).unwrap_or_else(|| id.to_owned());
    let compensate = task::compensation(id, &section, report);
    let trigger_rule = section.read("trigger_rule", report, rule::trigger_rule).unwrap_or_default();
    let timeout = section.read("timeout", report, duration::read_longer_than_zero).filter(|_| kind == "signal");
    let schema = section.read("schema", report, schema::read).filter(|_| kind == "signal");
    let kind = section.read(kind, report, |value, report| match kind {
        "signal" => wait::signal(value, timeout, schema, report),
        kind => read_kind(kind, value, report),
    })?;
    Some(Node { trigger_rule, compensate, ..Node::new(id, label, kind) })
}

fn contradiction<'a>(
    section: &Section<'a>,
    key: &'static str,
    other: &'static str,
    reason: &'static str,
    report: &mut Report<'a>,
) {
    if let Some(entry) = section.entry(key) {
        let problem = || LoadProblem::Contradiction { key, other, reason };
        report.inside(key, |report| report.add(entry.key_place, problem));
    }
}

fn read_kind<'a>(kind: &str, value: &'a Located, report: &mut Report<'a>) -> Option<NodeKind> {
    match kind {
        "start" => section::only_true(value, report).map(|()| NodeKind::Start),
        "end" => section::only_true(value, report).map(|()| NodeKind::End),
        "condition" => {
            let condition = Some(expression::read(value, report)?);
            Some(NodeKind::Conditional(Conditional { condition }))
        }
        "split" => split(value, report),
        "join" => rule::join(value, report).map(NodeKind::ParallelJoin),
        "assign" => {
            let agent = Some(section::text(value, report)?);
            Some(NodeKind::AgentAssignment(AgentAssignment { agent }))
        }
        "verification" => verification(value, report),
        "delay" => wait::delay(value, report),
        "until" => wait::until(value, report),
        _ => subworkflow(value, report),
    }
}

fn split<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<NodeKind> {
    let max_concurrency = if value.tree.is_map() {
        let section = Section::open(value, &SPLIT_KEYS, report)?;
        let at_once = |value, report: &mut Report<'a>| section::number(value, 1, u64::from(u32::MAX), report);
        section.read("max_concurrency", report, at_once).and_then(|number| u32::try_from(number).ok())
    } else {
        section::only_true(value, report)?;
        None
    };
    Some(NodeKind::ParallelSplit(ParallelSplit { max_concurrency }))
}

fn verification<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<NodeKind> {
    let section = Section::open(value, &VERIFICATION_KEYS, report)?;
    let words = [("pass", Verdict::Pass), ("fail", Verdict::Fail), ("refer", Verdict::Refer)];
    Some(NodeKind::Verification(Verification {
        rubric: section.require("rubric", report, section::text),
        evaluator: section.require("evaluator", report, section::text),
        preset: section
            .read("preset", report, |value, report| section::word(value, "verdict", &words, VERDICTS, report)),
    }))
}

fn subworkflow<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<NodeKind> {
    let section = Section::open(value, &SUBWORKFLOW_KEYS, report)?;
    Some(NodeKind::Subworkflow(Subworkflow {
        workflow: section.require("workflow", report, section::text),
        version: section.require("version", report, section::text),
        input_bindings: section.read("inputs", report, bindings).unwrap_or_default(),
        output_bindings: section.read("outputs", report, bindings).unwrap_or_default(),
        ..Subworkflow::default()
    }))
}

fn bindings<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<BTreeMap<String, Value>> {
    let entries = section::entries(value, report)?.iter();
    let binding = |entry: &'a Entry| {
        let value = report.inside(&entry.key, |report| section::any(&entry.value, report));
        (entry.key.clone(), value.unwrap_or_default())
    };
    Some(entries.map(binding).collect())
}

/// The map that says what a node comes after: the node itself, or the task that it is.
pub(super) fn ways(value: &Located) -> &Located {
    match &value.tree {
        Tree::Map(_) => value.tree.get("task").unwrap_or(value),
        _ => value,
    }
}
