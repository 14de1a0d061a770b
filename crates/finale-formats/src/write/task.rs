//! A task as somebody would write it.

use finale_core::Payload;
use finale_core::definition::{
    Delivery, Document, Node, NodeKind, OnFailure, Policy, Retry, Schema, Siblings, Subworkflow, Task, Times, Work,
    title_of,
};
use finale_core::time::format_duration;

use super::entry::{number, text};
use super::retry;
use crate::own;
use crate::tree::{Entry, Located, Tree};

/// What is said of a task, without what comes before it.
pub(super) fn entries(node: &Node, task: &Task) -> Vec<Entry> {
    let mut entries = Vec::new();
    let title = task.title.clone().unwrap_or_else(|| title_of(&node.id));
    if title != title_of(&node.id) {
        entries.push(text("title", &title));
    }
    if node.label != title {
        entries.push(text("label", &node.label));
    }
    add_work(task, &mut entries);
    entries
}

/// What is said of a task behind what comes before it.
pub(super) fn settings(task: &Task, on_failure: Option<&str>) -> Vec<Entry> {
    let mut entries = Vec::new();
    if task.retry != Retry::default() {
        entries.push(Entry::new("retry", retry::retry(&task.retry)));
    }
    if let Some(timeout) = task.timeout {
        entries.push(text("timeout", &format_duration(timeout)));
    }
    let Times { queue, total, heartbeat } = task.times;
    for (key, time) in [("queue_timeout", queue), ("total_timeout", total), ("heartbeat", heartbeat)] {
        entries.extend(time.map(|time| text(key, &format_duration(time))));
    }
    if task.optional {
        entries.push(Entry::new("optional", Tree::Bool(true)));
    }
    if let Some(handler) = on_failure {
        entries.push(text("on_failure", handler));
    }
    if task.delivery == Delivery::AtMostOnce {
        entries.push(Entry::new("at_most_once", Tree::Bool(true)));
    }
    if let Some(assignee) = &task.assignee {
        entries.push(text("assignee", assignee));
    }
    if !task.labels.is_empty() {
        let labels = task.labels.iter().map(|(name, value)| text(name, value)).collect();
        entries.push(Entry::new("labels", Tree::Map(labels)));
    }
    entries
}

/// Whether a node is written among the tasks, as a call.
pub(super) fn is_call(kind: &NodeKind) -> bool {
    matches!(kind, NodeKind::Subworkflow(call) if call.workflow.is_some() && (call.input.is_some() || call.with.is_some()))
}

/// What is said of a call, without what comes before it.
pub(super) fn call_entries(node: &Node, call: &Subworkflow) -> Vec<Entry> {
    let mut entries = Vec::new();
    if node.label != title_of(&node.id) {
        entries.push(text("title", &node.label));
    }
    entries.push(call_parts(call));
    entries.extend(call.input.iter().map(|input| text("input", input)));
    let with = call.with.as_ref().filter(|with| with.payload().as_bytes() != b"{}");
    entries.extend(with.and_then(|with| Some(Entry::new("with", value(with)?))));
    entries
}

/// Which workflow is called, and what else is said of the call.
pub(super) fn call_parts(call: &Subworkflow) -> Entry {
    let mut parts: Vec<_> = call.workflow.iter().map(|workflow| text("workflow", workflow)).collect();
    parts.extend(call.version.iter().map(|version| text("version", version)));
    parts.extend(call.output.iter().map(|output| text("output", output)));
    if let Some(said) = call.policy {
        parts.extend(policy(said));
        if said == Policy::default() {
            parts.push(text("on_failure", "fail_fast"));
        }
    }
    Entry::new("call", Tree::Map(parts))
}

/// How something ends, where that is not the default.
pub(super) fn policy(policy: Policy) -> Vec<Entry> {
    let mut entries = Vec::new();
    match policy.on_failure {
        OnFailure::FailFast | OnFailure::ToleratePercent { .. } => {}
        OnFailure::WaitAll => entries.push(text("on_failure", "wait_all")),
        OnFailure::Tolerate { count } => {
            let count = Entry::new("tolerate", number(u64::from(count)));
            entries.push(Entry::new("on_failure", Tree::Map(vec![count])));
        }
    }
    if let OnFailure::ToleratePercent { percent } = policy.on_failure {
        let share = Entry::new("percent", number(u64::from(percent)));
        let share = Entry::new("tolerate", Tree::Map(vec![share]));
        entries.push(Entry::new("on_failure", Tree::Map(vec![share])));
    }
    if policy.siblings == Siblings::Finish {
        entries.push(text("siblings", "finish"));
    }
    entries
}

/// What a task does, and what goes in and comes out.
pub(super) fn add_work(task: &Task, entries: &mut Vec<Entry>) {
    add_handler(task, entries);
    entries.extend(schema("input_schema", task.input_schema.as_ref()));
    entries.extend(schema("output_schema", task.output_schema.as_ref()));
}

/// A schema under that key, if there is one.
pub(super) fn schema(key: &str, schema: Option<&Schema>) -> Option<Entry> {
    Some(Entry::new(key, json(schema?.payload())?))
}

fn add_handler(task: &Task, entries: &mut Vec<Entry>) {
    if let (Work::Handler(handler), Some(document)) = (&task.work, &task.with)
        && let Some(short) = short(handler, document)
    {
        entries.push(Entry::new(handler.clone(), short));
        return;
    }
    if let Work::Handler(handler) = &task.work {
        entries.push(text("handler", handler));
    }
    if let Some(input) = &task.input {
        entries.push(text("input", input));
    }
    if let Some(value) = task.with.as_ref().and_then(value) {
        entries.push(Entry::new("with", value));
    }
}

/// A document as a value of a file.
pub(super) fn value(document: &Document) -> Option<Located> {
    json(document.payload())
}

fn json(payload: &Payload) -> Option<Located> {
    let json = str::from_utf8(payload.as_bytes()).ok()?;
    crate::json::parse(json, usize::MAX).ok()
}

/// What stands behind `shell`, `sleep` or `log` for this input.
fn short(handler: &str, document: &Document) -> Option<Located> {
    let Tree::Map(mut members) = value(document)?.tree else {
        return None;
    };
    let short = match (handler, members.as_slice()) {
        ("shell", [one]) if one.key == "command" => members.remove(0).value,
        ("shell", _) => Tree::Map(members).into(),
        ("log", [one]) if one.key == "message" => members.remove(0).value,
        ("sleep", [one]) if one.key == "seconds" => seconds(members.remove(0).value)?,
        _ => return None,
    };
    (own::short_form(handler, &short).as_ref() == Some(document)).then_some(short)
}

fn seconds(value: Located) -> Option<Located> {
    let Tree::Number(number) = &value.tree else {
        return Some(value);
    };
    let duration = std::time::Duration::try_from_secs_f64(number.as_f64()?).ok()?;
    Some(Tree::Text(format_duration(duration)).into())
}
