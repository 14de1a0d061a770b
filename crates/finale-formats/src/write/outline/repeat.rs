//! Tasks that have something inside, as somebody would write them.

use std::borrow::Cow;

use finale_core::Definition;
use finale_core::definition::{
    Body, Graph, Inside, Items, Loop, LoopCondition, Map, Node, NodeKind, Subworkflow, Task, Tolerance, title_of,
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
        NodeKind::Map(map) => match undone_alone(&node.id, &map.body) {
            Some((body, undo)) => {
                let undo = super::repeat::body(outline, &node.id, &undo)?;
                (vec![Entry::new("map", mapped(map, Some(undo))?)], map.optional, Cow::Owned(body))
            }
            None => (vec![Entry::new("map", mapped(map, None)?)], map.optional, Cow::Borrowed(&map.body)),
        },
        NodeKind::Loop(repeated) => {
            (vec![Entry::new("loop", rounds(repeated))], repeated.optional, Cow::Borrowed(&repeated.body))
        }
        NodeKind::Group(group) => {
            let mut before = titles(node);
            before.push(Entry::new("group", graph(outline, &node.id, &group.graph)?));
            return Some((before, task::settings(&optional_task(group.optional), on_failure)));
        }
        _ => return None,
    };
    match &*body {
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

/// What undoes a node, or runs at the end.
pub(super) fn body(outline: Outline, id: &str, body: &Body) -> Option<Located> {
    let mut entries = Vec::new();
    match body {
        Body::Task(single) => {
            entries.extend(single.title.iter().map(|title| text("title", title)));
            task::add_work(single, &mut entries);
            entries.extend(task::settings(single, None));
        }
        Body::Graph(inside) => entries.push(Entry::new("group", graph(outline, id, inside)?)),
        Body::Call(call) => {
            entries.push(task::call_parts(call));
            entries.extend(call.input.iter().map(|input| text("input", input)));
            entries.extend(call.with.as_ref().and_then(|with| Some(Entry::new("with", value(with)?))));
        }
    }
    Some(Tree::Map(entries).into())
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
    let Graph { policy, output, finally, nodes, edges } = graph.clone();
    let definition = Definition { policy, output, finally, nodes, edges, ..Definition::new(id) };
    let Tree::Map(entries) = outline.document(&definition)?.tree else { return None };
    let entries = entries.into_iter().filter(|entry| !matches!(entry.key.as_str(), "id" | "name")).collect();
    Some(Tree::Map(entries).into())
}

/// The one task or call that a body is, and what undoes it, if the body is the graph that is made of those two.
fn undone_alone(id: &str, body: &Body) -> Option<(Body, Body)> {
    let Body::Graph(graph) = body else { return None };
    let node = graph.nodes.iter().find(|node| node.id == id)?;
    let undo = (**node.compensate.as_ref()?).clone();
    let call = |call: &Subworkflow| Body::Call(Box::new(call.clone()));
    let alone = match &node.kind {
        NodeKind::Task(task) => vec![Body::Task(Box::new(task.clone()))],
        NodeKind::Subworkflow(called) => vec![
            // One that is given what the body is says so in a graph, and need not where it stands alone.
            call(&Subworkflow { input: None, with: None, ..called.clone() }),
            call(called),
        ],
        _ => return None,
    };
    let is_made_of = |alone: &Body| Inside::from(alone.clone()).compensate(undo.clone()).into_body(id).0 == *body;
    let alone = alone.into_iter().find(is_made_of)?;
    Some((alone, undo))
}

fn mapped(map: &Map, undo: Option<Located>) -> Option<Located> {
    let items = match &map.items {
        Items::Expression(expression) => Tree::Text(expression.clone()).into(),
        Items::List(list) => value(list)?,
    };
    if map.max_concurrency.is_none() && map.tolerate.is_none() && undo.is_none() {
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
    entries.extend(undo.map(|undo| Entry::new("compensate", undo)));
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
