//! One task: what it does, and how it is tried.

pub(super) mod body;
pub(super) mod repeat;

use std::collections::BTreeMap;

use finale_core::definition::{Body, Delivery, Document, Node, Task, Times, Work, title_of};

use super::report::Report;
use super::section::{self, Keys, Section};
use super::{absent, call, command, duration, expression, retry, rule, schema, short};
use crate::error::LoadProblem;
use crate::tree::{Entry, Located, Tree};

pub(crate) const KEYS: Keys = Keys {
    accepted: &[
        "title",
        "label",
        "handler",
        "shell",
        "sleep",
        "log",
        "call",
        "map",
        "loop",
        "group",
        "input",
        "with",
        "input_schema",
        "output_schema",
        "after",
        "when",
        "retry",
        "timeout",
        "queue_timeout",
        "total_timeout",
        "heartbeat",
        "optional",
        "on_failure",
        "compensate",
        "trigger_rule",
        "at_most_once",
        "assignee",
        "labels",
    ],
    slips: &[
        ("name", "title"),
        ("depends_on", "after"),
        ("dependson", "after"),
        ("depends", "after"),
        ("dependencies", "after"),
        ("needs", "after"),
        ("requires", "after"),
        ("follows", "after"),
        ("parents", "after"),
        ("on", "after: {node: ..., on: ...}"),
        ("if", "when"),
        ("condition", "when"),
        ("only_if", "when"),
        ("unless", "when"),
        ("command", "shell"),
        ("cmd", "shell"),
        ("run", "shell"),
        ("script", "shell"),
        ("exec", "shell"),
        ("bash", "shell"),
        ("sh", "shell"),
        ("env", "shell: {command: ..., env: ...}"),
        ("dir", "shell: {command: ..., dir: ...}"),
        ("cwd", "shell: {command: ..., dir: ...}"),
        ("working_directory", "shell: {command: ..., dir: ...}"),
        ("retries", "retry"),
        ("attempts", "retry"),
        ("max_attempts", "retry"),
        ("max_retries", "retry"),
        ("backoff", "retry: {attempts: ..., backoff: ...}"),
        ("args", "with"),
        ("arguments", "with"),
        ("params", "with"),
        ("parameters", "with"),
        ("inputs", "with"),
        ("schema", "output_schema"),
        ("outputs", "output_schema"),
        ("returns", "output_schema"),
        ("uses", "handler"),
        ("action", "handler"),
        ("function", "handler"),
        ("type", "handler"),
        ("foreach", "map"),
        ("for_each", "map"),
        ("with_items", "map"),
        ("with_param", "map"),
        ("items", "map"),
        ("matrix", "map: {matrix: ...}"),
        ("strategy", "map: {matrix: ...}"),
        ("max_concurrency", "map: {items: ..., max_concurrency: ...}"),
        ("repeat", "loop"),
        ("until", "loop: {until: ..., rounds_max: ...}"),
        ("while", "loop: {while: ..., rounds_max: ...}"),
        ("do", "group"),
        ("tasks", "group: {tasks: ...}"),
        ("block", "group"),
        ("subworkflow", "call"),
        ("sub_workflow", "call"),
        ("workflow", "call"),
        ("wait", "sleep"),
        ("pause", "sleep"),
        ("message", "log"),
        ("print", "log"),
        ("echo", "log"),
        ("timeout_seconds", "timeout"),
        ("timeout_minutes", "timeout"),
        ("time_limit", "timeout"),
        ("schedule_to_start_timeout", "queue_timeout"),
        ("schedule_to_close_timeout", "total_timeout"),
        ("start_to_close_timeout", "timeout"),
        ("heartbeat_timeout", "heartbeat"),
        ("deadline", "timeout"),
        ("continue_on_error", "optional"),
        ("allow_failure", "optional"),
        ("ignore_errors", "optional"),
        ("on_error", "on_failure"),
        ("onfailure", "on_failure"),
        ("rescue", "on_failure"),
        ("catch", "on_failure"),
        ("compensation", "compensate"),
        ("compensated_by", "compensate"),
        ("undo", "compensate"),
        ("rollback", "compensate"),
        ("revert", "compensate"),
        ("rule", "trigger_rule"),
        ("agent", "assignee"),
        ("owner", "assignee"),
        ("metadata", "labels"),
        ("tags", "labels"),
        ("annotations", "labels"),
    ],
};

/// Reads what is behind the id of a task; what is wrong is reported, and the rest read all the same.
pub(super) fn read<'a>(id: &str, entry: &'a Entry, report: &mut Report<'a>) -> Node {
    if entry.value.tree == Tree::Null {
        report.add(entry.key_place, || LoadProblem::EmptyTask);
        return Node::task(id, Task::external());
    }
    let Some(section) = Section::open_within(&entry.value, &KEYS, absent::OF_A_TASK, report) else {
        return Node::task(id, Task::external());
    };
    check_contradictions(&section, report);
    let node = if repeat::KINDS.into_iter().any(|key| section.entry(key).is_some()) {
        repeat::read(id, &section, report)
    } else if section.entry("call").is_some() {
        read_call(id, &section, report)
    } else {
        read_work(id, &section, report)
    };
    Node { compensate: compensation(id, &section, report), ..node }
}

/// What undoes a node, if that is said; where it stands is kept beside where what is inside of the node does.
pub(super) fn compensation<'a>(id: &str, section: &Section<'a>, report: &mut Report<'a>) -> Option<Box<Body>> {
    let inside = report.take_body();
    let body = section.read("compensate", report, |value, report| body::read(id, value, report));
    let places = report.take_body();
    report.keep_compensation(places);
    inside.into_iter().for_each(|inside| report.keep_body(inside));
    body.map(Box::new)
}

/// What undoes one item of a map, if that is said beside its list.
fn item_compensation<'a>(id: &str, map: &Section<'a>, report: &mut Report<'a>) -> Option<Body> {
    let inside = report.take_body();
    let body = map.read("compensate", report, |value, report| body::read(id, value, report));
    let places = report.take_body();
    report.keep_item_compensation(id, inside, places);
    body
}

fn read_work<'a>(id: &str, section: &Section<'a>, report: &mut Report<'a>) -> Node {
    let title = section.read("title", report, section::text);
    let optional = section.flag("optional", report);
    let task = Task { title, optional, ..work_of(section, report) };
    let mut node = Node::task(id, task);
    if let Some(label) = section.read("label", report, section::text) {
        node.label = label;
    }
    node.trigger_rule = section.read("trigger_rule", report, rule::trigger_rule).unwrap_or_default();
    node
}

/// What a task does and how it is tried, whatever it is called.
fn work_of<'a>(section: &Section<'a>, report: &mut Report<'a>) -> Task {
    let (work, with) = work(section, report);
    // That both are there is reported.
    let input = section.read("input", report, expression::read).filter(|_| with.is_none());
    Task {
        work,
        input,
        with,
        input_schema: section.read("input_schema", report, schema::read),
        output_schema: section.read("output_schema", report, schema::read),
        timeout: section.read("timeout", report, duration::read_longer_than_zero),
        times: Times {
            queue: section.read("queue_timeout", report, duration::read_longer_than_zero),
            total: section.read("total_timeout", report, duration::read_longer_than_zero),
            heartbeat: section.read("heartbeat", report, duration::read_longer_than_zero),
        },
        retry: section.read("retry", report, retry::read).unwrap_or_default(),
        delivery: if section.flag("at_most_once", report) { Delivery::AtMostOnce } else { Delivery::default() },
        assignee: section.read("assignee", report, section::text),
        labels: section.read("labels", report, labels).unwrap_or_default(),
        ..Task::default()
    }
}

/// A call of another workflow, which stands among the tasks.
fn read_call<'a>(id: &str, section: &Section<'a>, report: &mut Report<'a>) -> Node {
    let title = section.read("title", report, section::text);
    let label = section.read("label", report, section::text).or(title).unwrap_or_else(|| title_of(id));
    section.read("labels", report, labels);
    let trigger_rule = section.read("trigger_rule", report, rule::trigger_rule).unwrap_or_default();
    let node = match call::read(section, report) {
        Some(kind) => Node::new(id, label, kind),
        None => Node::task(id, Task::external()),
    };
    Node { trigger_rule, ..node }
}

fn work<'a>(section: &Section<'a>, report: &mut Report<'a>) -> (Work, Option<Document>) {
    for (name, read) in short::FORMS {
        if section.entry(name).is_some() {
            return (Work::Handler(name.to_owned()), section.read(name, report, read));
        }
    }
    let work = section.read("handler", report, section::text).map_or(Work::External, Work::Handler);
    let with = section.read("with", report, |value, report| {
        if work == Work::Handler("shell".to_owned())
            && let Some(run) = value.tree.get("command")
        {
            report.inside("command", |report| command::check(run, report));
        }
        expression::document(value, report)
    });
    (work, with)
}

fn check_contradictions<'a>(section: &Section<'a>, report: &mut Report<'a>) {
    const WORK: [&str; 4] = ["handler", "shell", "sleep", "log"];
    if section.entry("on_failure").is_some() && section.flag("optional", &mut Report::default()) {
        contradiction(section, "optional", "on_failure", "its failure is either tolerated or handled", report);
    }
    repeat::check(section, report);
    if section.entry("group").is_some() {
        return;
    }
    let mut works = WORK.into_iter().filter(|key| section.entry(key).is_some());
    let work = works.next();
    if section.entry("call").is_some() {
        let reason = "a call is done by the tasks of what it calls";
        call::NOT_OF_A_CALL.into_iter().for_each(|key| contradiction(section, key, "call", reason, report));
        if section.entry("input").is_some() {
            contradiction(section, "with", "input", "both say what the called workflow gets", report);
        }
        return;
    }
    if let Some(first) = work {
        works.for_each(|key| contradiction(section, key, first, "a task does one thing", report));
    }
    match work {
        Some(short @ ("shell" | "sleep" | "log")) => {
            let reason = "it says itself what the handler gets";
            ["input", "with"].into_iter().for_each(|key| contradiction(section, key, short, reason, report));
        }
        _ if section.entry("input").is_some() => {
            contradiction(section, "with", "input", "both say what the handler gets", report);
        }
        _ => {}
    }
}

fn contradiction<'a>(
    section: &Section<'a>,
    key: &'static str,
    other: &'static str,
    reason: &'static str,
    report: &mut Report<'a>,
) {
    if let Some(entry) = section.entry(key) {
        report.inside(key, |report| {
            report.add(entry.key_place, || LoadProblem::Contradiction { key, other, reason });
        });
    }
}

fn labels<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    for entry in section::entries(value, report)? {
        let text = report.inside(&entry.key, |report| section::printed(&entry.value, report));
        labels.insert(entry.key.clone(), text.unwrap_or_default());
    }
    Some(labels)
}
