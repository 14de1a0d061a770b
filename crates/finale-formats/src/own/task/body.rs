//! What undoes a task, and what runs at the end: a task, a call or a graph without a place among the others.

use finale_core::definition::Body;

use super::super::report::Report;
use super::super::section::{self, Keys, Section};
use super::super::{absent, expression_value};
use super::{check_contradictions, contradiction, repeat};
use crate::places::Places;
use crate::tree::Located;

pub(crate) const KEYS: Keys = Keys {
    accepted: &[
        "title",
        "handler",
        "shell",
        "sleep",
        "log",
        "call",
        "group",
        "input",
        "with",
        "input_schema",
        "output_schema",
        "retry",
        "timeout",
        "queue_timeout",
        "total_timeout",
        "heartbeat",
        "at_most_once",
        "assignee",
        "labels",
    ],
    slips: &[
        ("name", "title"),
        ("label", "title"),
        ("command", "shell"),
        ("cmd", "shell"),
        ("run", "shell"),
        ("script", "shell"),
        ("exec", "shell"),
        ("bash", "shell"),
        ("tasks", "group: {tasks: ...}"),
        ("steps", "group: {tasks: ...}"),
        ("block", "group"),
        ("uses", "handler"),
        ("action", "handler"),
        ("function", "handler"),
        ("workflow", "call"),
        ("subworkflow", "call"),
        ("retries", "retry"),
        ("attempts", "retry"),
        ("args", "with"),
        ("params", "with"),
        ("message", "log"),
        ("print", "log"),
        ("echo", "log"),
        ("agent", "assignee"),
        ("tags", "labels"),
    ],
};

/// Reads a body; `id` is what its only task is called. Where its parts stand is kept until it is taken from the report.
pub(in crate::own) fn read<'a>(id: &str, value: &'a Located, report: &mut Report<'a>) -> Option<Body> {
    section::expect_map(value, "a map that says what is done, like `{shell: ./clean_up}`", report)?;
    let section = Section::open_within(value, &KEYS, absent::OF_A_BODY, report)?;
    check_contradictions(&section, report);
    if section.entry("group").is_some() {
        contradiction(&section, "title", "group", "a group is done by the tasks in it", report);
        return section.read("group", report, |value, report| repeat::graph(id, value, report)).map(Body::Graph);
    }
    if section.entry("call").is_some() {
        contradiction(&section, "title", "call", "a call is done by the tasks of what it calls", report);
    }
    let title = section.read("title", report, section::text);
    let body = repeat::single(title, &section, report);
    let mut places = Places::default();
    places.add_node(id, value.place);
    places.add_expression(id, expression_value(value));
    places.add_schemas(id, value);
    report.keep_body(places);
    Some(body)
}
