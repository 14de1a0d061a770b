//! Tasks that have something inside: `map` and `loop`, which run it again and again, and `group`, a graph.

use std::time::Duration;

use finale_core::compile::Limits;
use finale_core::definition::{
    Body, Document, Graph, Group, Inside, Items, Loop, LoopCondition, Map, Node, NodeKind, OnFailure, Task, Tolerance,
    title_of,
};

use super::super::report::Report;
use super::super::section::{self, Keys, Section};
use super::super::{Reader, absent, call, duration, expression, policy, rule};
use super::{contradiction, item_compensation, work_of};
use crate::error::{FileLimit, LoadProblem};
use crate::tree::{Entry, Located, Tree};

pub(crate) const MAP_KEYS: Keys = Keys {
    accepted: &["items", "matrix", "max_concurrency", "tolerate", "compensate"],
    slips: &[
        ("list", "items"),
        ("over", "items"),
        ("axes", "matrix"),
        ("concurrency", "max_concurrency"),
        ("max_parallel", "max_concurrency"),
        ("parallel", "max_concurrency"),
        ("max_failures", "tolerate"),
        ("on_failure", "tolerate"),
        ("undo", "compensate"),
        ("rollback", "compensate"),
    ],
};

pub(crate) const LOOP_KEYS: Keys = Keys {
    accepted: &["until", "while", "rounds_max", "delay"],
    slips: &[
        ("condition", "until"),
        ("max", "rounds_max"),
        ("rounds", "rounds_max"),
        ("max_rounds", "rounds_max"),
        ("max_iterations", "rounds_max"),
        ("limit", "rounds_max"),
        ("interval", "delay"),
        ("backoff", "delay"),
        ("sleep", "delay"),
        ("wait", "delay"),
    ],
};

pub(crate) const GROUP_KEYS: Keys = Keys {
    accepted: &["tasks", "nodes", "edges", "output", "on_failure", "siblings", "finally"],
    slips: &[
        ("steps", "tasks"),
        ("jobs", "tasks"),
        ("on_error", "on_failure"),
        ("policy", "on_failure"),
        ("always", "finally"),
        ("cleanup", "finally"),
    ],
};

/// The keys by which a task has something inside.
pub(super) const KINDS: [&str; 3] = ["map", "loop", "group"];

/// Keys of a task that mean nothing beside `group`.
const NOT_OF_A_GROUP: [&str; 17] = [
    "handler",
    "shell",
    "sleep",
    "log",
    "call",
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
];

/// Reports what cannot stand beside each other.
pub(super) fn check<'a>(section: &Section<'a>, report: &mut Report<'a>) {
    if section.entry("map").is_some() {
        contradiction(section, "loop", "map", "one of them says how it is repeated", report);
        if section.entry("group").is_some()
            && let Some(entry) = section.entry("map").and_then(|map| Section::reopen(&map.value).entry("compensate"))
        {
            let reason = "what is in a group says for itself what undoes it";
            let problem = || LoadProblem::Contradiction { key: "compensate", other: "group", reason };
            report.inside("map", |report| report.add(entry.key_place, problem));
        }
    }
    if section.entry("group").is_some() {
        let reason = "a group is done by the tasks in it";
        NOT_OF_A_GROUP.into_iter().for_each(|key| contradiction(section, key, "group", reason, report));
    }
}

/// Reads a task that has one of these keys.
pub(super) fn read<'a>(id: &str, section: &Section<'a>, report: &mut Report<'a>) -> Node {
    let title = section.read("title", report, section::text);
    let label = section.read("label", report, section::text).or_else(|| title.clone());
    let trigger_rule = section.read("trigger_rule", report, rule::trigger_rule).unwrap_or_default();
    let optional = section.flag("optional", report);
    let body = match section.entry("group") {
        Some(_) => {
            Body::Graph(section.read("group", report, |value, report| graph(id, value, report)).unwrap_or_default())
        }
        None => single(title, section, report),
    };
    let kind = if section.entry("map").is_some() {
        let settings = section.read("map", report, |value, report| map(id, value, report)).unwrap_or_default();
        let Settings { items, max_concurrency, tolerate, compensate } = settings;
        let body = match compensate {
            Some(undo) if section.entry("group").is_none() => Inside::from(body).compensate(undo).into_body(id).0,
            _ => body,
        };
        let items = items.unwrap_or_else(|| Items::List(Document::from_json(b"[]").expect("it is a document")));
        NodeKind::Map(Map { items, body, max_concurrency, tolerate, optional })
    } else if section.entry("loop").is_some() {
        let (condition, rounds_max, delay) = section.read("loop", report, rounds).unwrap_or_default().into();
        NodeKind::Loop(Loop { body, condition, rounds_max, delay, optional })
    } else {
        let Body::Graph(graph) = body else { return Node::task(id, Task::external()) };
        NodeKind::Group(Group { graph, optional })
    };
    Node { trigger_rule, ..Node::new(id, label.unwrap_or_else(|| title_of(id)), kind) }
}

/// The only task or call of a body: what else is said of the task.
pub(super) fn single<'a>(title: Option<String>, section: &Section<'a>, report: &mut Report<'a>) -> Body {
    if section.entry("call").is_none() {
        return Body::Task(Box::new(Task { title, ..work_of(section, report) }));
    }
    let Some(NodeKind::Subworkflow(mut call)) = call::read(section, report) else {
        return Body::Task(Box::default());
    };
    call.optional = false;
    if section.entry("with").is_none() {
        // Nothing is said: it is given what the body is.
        call.with = None;
    }
    Body::Call(Box::new(call))
}

pub(super) fn graph<'a>(id: &str, value: &'a Located, report: &mut Report<'a>) -> Option<Graph> {
    let section = Section::open_within(value, &GROUP_KEYS, absent::OF_A_FILE, report)?;
    let mut reader = Reader::new();
    reader.read(&section, Some(id), report);
    let (definition, places) = reader.finish();
    report.keep_body(places);
    Some(definition.into())
}

/// What is said of a map.
#[derive(Default)]
struct Settings {
    items: Option<Items>,
    max_concurrency: Option<u32>,
    tolerate: Option<Tolerance>,
    /// What undoes one item.
    compensate: Option<Body>,
}

/// What it goes over, or that and more.
fn map<'a>(id: &str, value: &'a Located, report: &mut Report<'a>) -> Option<Settings> {
    if !value.tree.is_map() {
        return items(value, report).map(|items| Settings { items: Some(items), ..Settings::default() });
    }
    let section = Section::open(value, &MAP_KEYS, report)?;
    let matrix = section.read("matrix", report, matrix);
    if section.entry("matrix").is_some() {
        contradiction(&section, "items", "matrix", "both say what it goes over", report);
    }
    section.require_either("items", "matrix", report);
    let at_once = |value, report: &mut Report<'a>| section::number(value, 1, u64::from(u32::MAX), report);
    let tolerate = section.read("tolerate", report, policy::tolerated).and_then(|tolerated| match tolerated {
        OnFailure::Tolerate { count } => Some(Tolerance::Count(count)),
        OnFailure::ToleratePercent { percent } => Some(Tolerance::Percent(percent)),
        _ => None,
    });
    Some(Settings {
        compensate: item_compensation(id, &section, report),
        items: matrix.or_else(|| section.read("items", report, items)),
        max_concurrency: section.read("max_concurrency", report, at_once).and_then(|count| u32::try_from(count).ok()),
        tolerate,
    })
}

/// An expression, or the list itself.
fn items<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<Items> {
    match &value.tree {
        Tree::List(_) => expression::document(value, report).map(Items::List),
        Tree::Text(_) => expression::read(value, report).map(Items::Expression),
        _ => report.wrong_type(value, "a list, or an expression that gives one"),
    }
}

/// All combinations of what stands at each axis, the last axis first: each an object.
fn matrix<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<Items> {
    let mut rows = vec![String::new()];
    for Entry { key: axis, value: points, .. } in section::entries(value, report)? {
        let points = report.inside(axis, |report| self::points(points, report))?;
        let count = rows.len().saturating_mul(points.len());
        let max = Limits::default().items_max as usize;
        if count > max {
            report.add(value.place, || LoadProblem::OverLimit { limit: FileLimit::Values, max });
            return None;
        }
        let name = expression::quoted(axis);
        let row = |row: &String| {
            let comma = if row.is_empty() { "" } else { "," };
            points.iter().map(|point| format!("{row}{comma}{name}:{point}")).collect::<Vec<_>>()
        };
        rows = rows.iter().flat_map(row).collect();
    }
    let rows: Vec<String> = rows.into_iter().map(|row| format!("{{{row}}}")).collect();
    expression::of_json(value, &format!("[{}]", rows.join(",")), report).map(Items::List)
}

/// What stands at one axis, as JSON.
fn points<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<Vec<String>> {
    let Tree::List(elements) = &value.tree else {
        return report.wrong_type(value, "a list");
    };
    let point = |(index, element): (usize, &'a Located)| {
        let document = report.inside_index(index, |report| expression::document(element, report))?;
        String::from_utf8(document.payload().as_bytes().to_vec()).ok()
    };
    elements.iter().enumerate().map(point).collect()
}

/// What is said of a loop.
struct Rounds {
    condition: LoopCondition,
    max: u32,
    delay: Duration,
}

impl Default for Rounds {
    fn default() -> Self {
        Self { condition: LoopCondition::until("true"), max: 1, delay: Duration::ZERO }
    }
}

impl From<Rounds> for (LoopCondition, u32, Duration) {
    fn from(Rounds { condition, max, delay }: Rounds) -> Self {
        (condition, max, delay)
    }
}

fn rounds<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<Rounds> {
    section::expect_map(value, "a map like `{until: output.done, rounds_max: 10}`", report)?;
    let section = Section::open(value, &LOOP_KEYS, report)?;
    let most = |value, report: &mut Report<'a>| section::number(value, 1, u64::from(u32::MAX), report);
    let max = section.require("rounds_max", report, most).and_then(|count| u32::try_from(count).ok());
    let delay = section.read("delay", report, duration::read).unwrap_or_default();
    let while_true = section.read("while", report, expression::read).map(LoopCondition::While);
    if section.entry("while").is_some() {
        contradiction(&section, "until", "while", "one of them says when it ends", report);
    }
    section.require_either("until", "while", report);
    let condition = while_true.or_else(|| section.read("until", report, expression::read).map(LoopCondition::Until))?;
    Some(Rounds { condition, max: max?, delay })
}
