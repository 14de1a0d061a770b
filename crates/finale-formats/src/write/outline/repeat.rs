//! Tasks that have something inside, as somebody would write them.

use finale_core::Definition;
use finale_core::definition::{
    Body, Graph, Items, Loop, LoopCondition, Map, Node, NodeKind, Task, Tolerance, title_of,
};
use finale_core::time::format_duration;

use super::super::entry::{number, text};
use super::super::task::{self, value};
use super::Outline;
use crate::tree::{Entry, Located, Tree};

/// Whether a node is written among the tasks because it has something inside.
pub(super) const fn has_inside(kind: &NodeKind) -> bool {
    matches!(kind, NodeKind::Group(_) | NodeKind::Map(_) | NodeKind::Loop(_))
}

/// What is said of such a node before what comes before it, and behind that.
pub(super) fn entries(outline: Outline, node: &Node, on_failure: Option<&str>) -> Option<(Vec<Entry>, Vec<Entry>)> {
    let (mut before, optional, body) = match &node.kind {
        NodeKind::Map(map) => (vec![Entry::new("map", mapped(map)?)], map.optional, &map.body),
        NodeKind::Loop(repeated) => (vec![Entry::new("loop", rounds(repeated))], repeated.optional, &repeated.body),
        NodeKind::Group(group) => {
            let mut before = titles(node);
            before.push(Entry::new("group", graph(outline, &node.id, &group.graph)?));
            return Some((before, task::settings(&optional_task(group.optional), on_failure)));
        }
        _ => return None,
    };
    match body {
        Body::Task(single) => {
            let mut all = task_titles(node, single.title.as_deref());
            all.append(&mut before);
            task::add_work(single, &mut all);
            let settings = Task { optional, ..(**single).clone() };
            Some((all, task::settings(&settings, on_failure)))
        }
        Body::Graph(inside) => {
            let mut all = titles(node);
            all.append(&mut before);
            all.push(Entry::new("group", graph(outline, &node.id, inside)?));
            Some((all, task::settings(&optional_task(optional), on_failure)))
        }
        Body::Call(call) => {
            let mut all = titles(node);
            all.append(&mut before);
            all.push(task::call_parts(call));
            all.extend(call.input.iter().map(|input| text("input", input)));
            all.extend(call.with.as_ref().and_then(|with| Some(Entry::new("with", value(with)?))));
            Some((all, task::settings(&optional_task(optional), on_failure)))
        }
    }
}

fn optional_task(optional: bool) -> Task {
    Task { optional, ..Task::default() }
}

/// What the only task inside is called, and the node where that is something else.
fn task_titles(node: &Node, title: Option<&str>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = title.iter().map(|title| text("title", title)).collect();
    if node.label != title.map_or_else(|| title_of(&node.id), str::to_owned) {
        entries.push(text("label", &node.label));
    }
    entries
}

/// What it is called, where the id does not say that.
fn titles(node: &Node) -> Vec<Entry> {
    if node.label == title_of(&node.id) { Vec::new() } else { vec![text("title", &node.label)] }
}

fn graph(outline: Outline, id: &str, graph: &Graph) -> Option<Located> {
    let Graph { policy, output, nodes, edges } = graph.clone();
    let definition = Definition { policy, output, nodes, edges, ..Definition::new(id) };
    let Tree::Map(entries) = outline.document(&definition)?.tree else { return None };
    let entries = entries.into_iter().filter(|entry| !matches!(entry.key.as_str(), "id" | "name")).collect();
    Some(Tree::Map(entries).into())
}

fn mapped(map: &Map) -> Option<Located> {
    let items = match &map.items {
        Items::Expression(expression) => Tree::Text(expression.clone()).into(),
        Items::List(list) => value(list)?,
    };
    if map.max_concurrency.is_none() && map.tolerate.is_none() {
        return Some(items);
    }
    let mut entries = vec![Entry::new("items", items)];
    entries.extend(map.max_concurrency.map(|count| Entry::new("max_concurrency", number(u64::from(count)))));
    entries.extend(map.tolerate.map(|tolerance| {
        Entry::new(
            "tolerate",
            match tolerance {
                Tolerance::Count(count) => number(u64::from(count)),
                Tolerance::Percent(percent) => {
                    Tree::Map(vec![Entry::new("percent", number(u64::from(percent)))]).into()
                }
            },
        )
    }));
    Some(Tree::Map(entries).into())
}

fn rounds(repeated: &Loop) -> Located {
    let condition = match &repeated.condition {
        LoopCondition::Until(until) => text("until", until),
        LoopCondition::While(goes_on) => text("while", goes_on),
    };
    let mut entries = vec![condition, Entry::new("rounds_max", number(u64::from(repeated.rounds_max)))];
    if !repeated.delay.is_zero() {
        entries.push(text("delay", &format_duration(repeated.delay)));
    }
    Tree::Map(entries).into()
}
