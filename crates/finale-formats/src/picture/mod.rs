//! Definitions as pictures: in text, for Mermaid and Graphviz, and as SVG, which needs neither.
//!
//! A graph that is written inside of a node, or a workflow that is called, stands inside of that node.
//!
//! The shape of a node says what kind it is, the word at an edge when it is taken, and a dashed red edge leads to what
//! handles a failure. In a dashed frame stands what undoes a node, which a dashed edge leads to, and what runs at the end
//! whatever that is, to which no edge leads. Where a node begins by another rule than the default one, that stands below its name, and, where the record of an execution
//! is given, the colour of a node where it is. Ids and labels may be anything: what stands in a picture is quoted, and
//! nodes are numbered in Mermaid and DOT instead of named. A control character, or one that turns the direction of text, is drawn as
//! `\u{fffd}`.

mod dot;
mod mermaid;
mod svg;

use std::collections::HashMap;

use finale_core::definition::{
    Body, Edge, EdgeKind, Graph, JoinStrategy, Loop, Losers, Map, Node, NodeKind, Signal, Subworkflow, TriggerRule,
    Wait, title_of,
};
use finale_core::time::format_duration;
use finale_core::{Definition, NodePath, NodeStatus, Record};

pub use self::dot::dot;
pub use self::mermaid::mermaid;
pub use self::svg::svg;

/// All states of a node, in the order of their life, with the fill and the line of their colour.
const COLOURS: [(NodeStatus, &str, &str); 9] = [
    (NodeStatus::Pending, "#f3f4f6", "#9ca3af"),
    (NodeStatus::Ready, "#f5f3ff", "#7c3aed"),
    (NodeStatus::Queued, "#ede9fe", "#4f46e5"),
    (NodeStatus::Running, "#dbeafe", "#2563eb"),
    (NodeStatus::Waiting, "#fef3c7", "#d97706"),
    (NodeStatus::Completed, "#dcfce7", "#16a34a"),
    (NodeStatus::Failed, "#fee2e2", "#dc2626"),
    (NodeStatus::Cancelled, "#e5e7eb", "#4b5563"),
    (NodeStatus::Skipped, "#ffffff", "#d1d5db"),
];

/// What stands at an edge: its label, else when it is taken.
fn word(edge: &Edge) -> &str {
    edge.label.as_deref().unwrap_or(match edge.kind {
        EdgeKind::Sequential | EdgeKind::ParallelBranch => "",
        EdgeKind::ConditionalTrue => "true",
        EdgeKind::ConditionalFalse => "false",
        EdgeKind::VerificationPass => "pass",
        EdgeKind::VerificationFail => "fail",
        EdgeKind::VerificationRefer => "refer",
        EdgeKind::OnFailure => "on failure",
        EdgeKind::OnTimeout => "on timeout",
    })
}

/// The line and the word of an edge that only a failure takes.
const FAILURE_COLOUR: &str = "#dc2626";

/// What is written in a node: its name, and below it by which rule it begins if that is not the default one.
fn label(node: &Node, name: &str) -> String {
    let limit = match &node.kind {
        NodeKind::ParallelSplit(split) => split.max_concurrency.map(|max| format!("at most {max} at once")),
        NodeKind::Map(map) => Some(match map.max_concurrency {
            Some(max) => format!("for each item, at most {max} at once"),
            None => "for each item".to_owned(),
        }),
        NodeKind::Loop(repeated) => Some(format!("at most {} rounds", repeated.rounds_max)),
        NodeKind::Wait(wait) => Some(awaited(wait)),
        _ => None,
    };
    let rule = Some(node.rule()).filter(|rule| *rule != TriggerRule::Default).map(|rule| match &node.kind {
        NodeKind::ParallelJoin(join) => {
            let losers = if join.losers == Losers::Cancel { ", cancels losers" } else { "" };
            match join.strategy {
                JoinStrategy::AtLeast { count } => format!("at least {count}{losers}"),
                _ => format!("any{losers}"),
            }
        }
        _ => rule.to_string(),
    });
    let more: Vec<String> = limit.into_iter().chain(rule).collect();
    if more.is_empty() { name.to_owned() } else { format!("{name}\n({})", more.join(", ")) }
}

/// What a node waits for.
fn awaited(wait: &Wait) -> String {
    match wait {
        Wait::Delay(delay) => format_duration(*delay),
        Wait::Until(moment) => format!("until {moment}"),
        Wait::Signal(Signal { name, timeout: None, .. }) => format!("signal {name}"),
        Wait::Signal(Signal { name, timeout: Some(timeout), .. }) => {
            format!("signal {name}, at most {}", format_duration(*timeout))
        }
    }
}

/// The numbers of the nodes by id; of several with one id the first one has it.
fn numbers(nodes: &[Node]) -> HashMap<&str, usize> {
    let mut numbers = HashMap::new();
    for (number, node) in nodes.iter().enumerate() {
        numbers.entry(node.id.as_str()).or_insert(number);
    }
    numbers
}

/// A graph that stands inside of a node.
struct Inside<'d> {
    nodes: &'d [Node],
    edges: &'d [Edge],
    /// What runs when its end is decided.
    finally: Option<&'d Body>,
    /// The workflow that it is the graph of, if it is called.
    called: Option<&'d Definition>,
}

impl<'d> Inside<'d> {
    fn of(definition: &'d Definition) -> Self {
        let Definition { nodes, edges, finally, .. } = definition;
        Self { nodes, edges, finally: finally.as_deref(), called: None }
    }
}

/// The only node of a body that is no graph.
fn single(body: &Body, id: &str) -> Option<Node> {
    match body {
        Body::Task(task) => Some(Node::task(id, (**task).clone())),
        Body::Call(call) => Some(Node::new(id, title_of(id), NodeKind::Subworkflow((**call).clone()))),
        Body::Graph(_) => None,
    }
}

/// The id of the only task or call of a `finally`.
const FINALLY: &str = "finally";

/// What is written around what undoes a node.
fn undoes(node: &Node) -> String {
    format!("undoes {}", if node.label.trim().is_empty() { &node.id } else { &node.label })
}

/// The graph that stands inside of a node: one that is written there, or that of the workflow that is called, if the definition
/// brings it with it; `within` are those that it stands in, so that one that calls itself is drawn once.
fn inside<'d>(root: &'d Definition, node: &'d Node, within: &[&Definition]) -> Option<Inside<'d>> {
    let call = match &node.kind {
        NodeKind::Subworkflow(call) => call,
        NodeKind::Group(group) => return Some(graph(&group.graph)),
        NodeKind::Map(Map { body, .. }) | NodeKind::Loop(Loop { body, .. }) => match body {
            Body::Graph(inside) => return Some(graph(inside)),
            Body::Call(call) => call,
            Body::Task(_) => return None,
        },
        _ => return None,
    };
    called(root, call, within)
}

/// The graph of the workflow that is called, if the definition brings it with it.
fn called<'d>(root: &'d Definition, call: &Subworkflow, within: &[&Definition]) -> Option<Inside<'d>> {
    let is_called = |known: &&Definition| {
        call.workflow.as_ref() == Some(&known.id) && call.version.as_ref() == Some(&known.version)
    };
    let found = root.workflows.iter().find(is_called)?;
    let is_new = within.len() < CALLS_MAX && !within.iter().any(|around| std::ptr::eq(*around, found));
    is_new.then(|| Inside { called: Some(found), ..Inside::of(found) })
}

fn graph(graph: &Graph) -> Inside<'_> {
    let Graph { nodes, edges, finally, .. } = graph;
    Inside { nodes, edges, finally: finally.as_deref(), called: None }
}

/// Calls inside of more calls than these are drawn as one node.
const CALLS_MAX: usize = 16;

/// How many nodes are drawn: when there are so many, a graph that would stand inside of a further node is left out. Few
/// workflows that call each other often enough would be a picture without an end.
const NODES_MAX: usize = 20_000;

/// The path of a node, in a record.
fn path_of(prefix: &str, id: &str) -> String {
    let own = NodePath::root(id);
    if prefix.is_empty() { id.to_owned() } else { format!("{prefix}::{own}") }
}

/// What stands before the path of what is inside of a node.
fn prefix_of(prefix: &str, id: &str) -> String {
    let own = NodePath::root(id).to_string();
    if prefix.is_empty() { own } else { format!("{prefix}::{own}") }
}

/// What stands before the path of what undoes a node.
fn prefix_of_compensation(prefix: &str, id: &str) -> String {
    format!("{}@compensate", prefix_of(prefix, id))
}

/// What stands before the path of what runs when the end of a graph is decided.
fn prefix_of_finally(prefix: &str) -> String {
    if prefix.is_empty() { "@finally".to_owned() } else { format!("{prefix}::@finally") }
}

/// Where the nodes of a record are, by id.
fn statuses(record: Option<&Record>) -> HashMap<&str, NodeStatus> {
    let nodes = record.map(|record| record.nodes.as_slice()).unwrap_or_default();
    nodes.iter().map(|node| (node.id.as_str(), node.state.status())).collect()
}

#[cfg(test)]
mod tests;
