//! Definitions in the language of Mermaid.

use std::collections::HashMap;
use std::fmt::Write as _;

use finale_core::definition::{Body, Edge, EdgeKind, Node, NodeKind};
use finale_core::{Definition, NodeStatus, Record};

use super::{
    COLOURS, FAILURE_COLOUR, FINALLY, Inside, NODES_MAX, called, inside, label, numbers, path_of, prefix_of,
    prefix_of_compensation, prefix_of_finally, single, statuses, word,
};
use crate::obeyed::is_obeyed;

/// The definition as a Mermaid flowchart; with the record of an execution its nodes have the colours of their states.
///
/// An edge that leads to no node, or from none, is left out. When 20,000 nodes are drawn, further graphs inside of nodes are
/// left out. Mermaid itself refuses texts of more than 50,000 characters
/// and pictures of more than 500 edges, unless it is told otherwise.
///
/// ```
/// use finale_core::definition::{Definition, Task};
/// use finale_formats::picture;
///
/// let definition = Definition::builder("order")
///     .condition("express", "input.express")
///     .task("courier", Task::handler("call_courier").title("Call \"the\" courier"))
///     .when_true("express")
///     .build();
/// assert_eq!(
///     picture::mermaid(&definition, None),
///     r#"flowchart TD
///     n0{"express"}
///     n1["Call #quot;the#quot; courier"]
///     n2(["start"])
///     n3(["end"])
///     n0 -->|"true"| n1
///     n2 --> n0
///     n1 --> n3
///     n0 -->|"false"| n3
/// "#
/// );
/// ```
pub fn mermaid(definition: &Definition, record: Option<&Record>) -> String {
    let mut text = String::from("flowchart TD\n");
    let statuses = statuses(record);
    let (coloured, for_failures, dashed) = (Vec::new(), Vec::new(), Vec::new());
    let mut drawing =
        Drawing { root: definition, text: &mut text, statuses, nodes: 0, coloured, edges: 0, for_failures, dashed };
    drawing.graph(&Inside::of(definition), "n", "", &mut vec![definition]);
    let Drawing { coloured, for_failures, dashed, .. } = drawing;
    for name in dashed {
        line(&mut text, format_args!("style {name} stroke-dasharray:5 5"));
    }
    if !for_failures.is_empty() {
        let edges = for_failures.join(",");
        line(&mut text, format_args!("linkStyle {edges} stroke:{FAILURE_COLOUR},color:{FAILURE_COLOUR}"));
    }
    add_classes(&coloured, &mut text);
    text
}

/// A picture in the making.
struct Drawing<'d> {
    root: &'d Definition,
    text: &'d mut String,
    statuses: HashMap<&'d str, NodeStatus>,
    /// How many nodes are drawn.
    nodes: usize,
    /// The names of nodes in the picture, with where they are.
    coloured: Vec<(String, NodeStatus)>,
    /// How many edges are drawn.
    edges: usize,
    /// The numbers of the edges that only a failure takes.
    for_failures: Vec<String>,
    /// The names of what runs at the end.
    dashed: Vec<String>,
}

impl<'d> Drawing<'d> {
    /// Draws a graph; its nodes are called `name` and their numbers, and `prefix` leads to them in the record.
    fn graph(&mut self, graph: &Inside<'d>, name: &str, prefix: &str, within: &mut Vec<&'d Definition>) {
        self.nodes += graph.nodes.len();
        for (number, node) in graph.nodes.iter().enumerate() {
            let inside = inside(self.root, node, within);
            self.node((node, inside), &format!("{name}{number}"), prefix, within);
        }
        self.edges((graph.nodes, graph.edges), name);
        for (number, node) in graph.nodes.iter().enumerate() {
            if let Some(body) = node.compensate.as_deref() {
                let (own, undoes) = (format!("{name}{number}"), format!("{name}{number}c"));
                let prefix = prefix_of_compensation(prefix, &node.id);
                self.ending((body, &node.id), &super::undoes(node), (&undoes, &prefix), within);
                line(self.text, format_args!("{own} -.->|\"compensate\"| {undoes}"));
                self.edges += 1;
            }
        }
        if let Some(body) = graph.finally {
            let finally = format!("{name}f");
            self.ending((body, FINALLY), FINALLY, (&finally, &prefix_of_finally(prefix)), within);
        }
    }

    fn node(
        &mut self,
        (node, inside): (&Node, Option<Inside<'d>>),
        own: &str,
        prefix: &str,
        within: &mut Vec<&'d Definition>,
    ) {
        if let Some(status) = self.statuses.get(path_of(prefix, &node.id).as_str()) {
            self.coloured.push((own.to_owned(), *status));
        }
        let label = escaped(&label(node, name(node)));
        let has_room = |inside: &Inside<'_>| self.nodes + inside.nodes.len() <= NODES_MAX;
        let Some(inside) = inside.filter(has_room) else {
            let (open, close) = brackets(&node.kind);
            line(self.text, format_args!("{own}{open}\"{label}\"{close}"));
            return;
        };
        line(self.text, format_args!("subgraph {own}[\"{label}\"]"));
        within.extend(inside.called);
        self.graph(&inside, &format!("{own}_"), &prefix_of(prefix, &node.id), within);
        if inside.called.is_some() {
            within.pop();
        }
        line(self.text, format_args!("end"));
    }

    /// Draws what runs at the end, in a frame of its own.
    fn ending(
        &mut self,
        (body, id): (&'d Body, &str),
        label: &str,
        (own, prefix): (&str, &str),
        within: &mut Vec<&'d Definition>,
    ) {
        line(self.text, format_args!("subgraph {own}[\"{}\"]", escaped(label)));
        match (body, single(body, id)) {
            (Body::Graph(graph), _) => self.graph(&super::graph(graph), &format!("{own}_"), prefix, within),
            (Body::Call(call), Some(node)) => {
                let inside = called(self.root, call, within);
                self.node((&node, inside), &format!("{own}_0"), prefix, within);
            }
            (_, Some(node)) => self.node((&node, None), &format!("{own}_0"), prefix, within),
            _ => {}
        }
        line(self.text, format_args!("end"));
        self.dashed.push(own.to_owned());
    }

    fn edges(&mut self, (nodes, edges): (&[Node], &[Edge]), name: &str) {
        let numbers = numbers(nodes);
        for edge in edges {
            let (Some(source), Some(target)) = (numbers.get(&*edge.source), numbers.get(&*edge.target)) else {
                continue;
            };
            let arrow = match edge.kind {
                EdgeKind::ParallelBranch => "==>",
                EdgeKind::OnFailure => {
                    self.for_failures.push(self.edges.to_string());
                    "-.->"
                }
                _ => "-->",
            };
            self.edges += 1;
            let word = match word(edge) {
                "" => String::new(),
                word => format!("|\"{}\"|", escaped(word)),
            };
            line(self.text, format_args!("{name}{source} {arrow}{word} {name}{target}"));
        }
    }
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "    {line}").expect("a text can be written to");
}

/// Mermaid cannot draw a node without a word.
fn name(node: &Node) -> &str {
    [&node.label, &node.id].into_iter().find(|text| !text.trim().is_empty()).map_or("?", String::as_str)
}

const fn brackets(kind: &NodeKind) -> (&'static str, &'static str) {
    match kind {
        NodeKind::Start | NodeKind::End => ("([", "])"),
        NodeKind::Task(_) => ("[", "]"),
        NodeKind::Conditional(_) => ("{", "}"),
        NodeKind::ParallelSplit(_) => ("[/", "\\]"),
        NodeKind::ParallelJoin(_) => ("[\\", "/]"),
        NodeKind::AgentAssignment(_) => (">", "]"),
        NodeKind::Verification(_) => ("{{", "}}"),
        NodeKind::Subworkflow(_) | NodeKind::Group(_) | NodeKind::Map(_) | NodeKind::Loop(_) => ("[[", "]]"),
        NodeKind::Wait(_) => ("((", "))"),
    }
}

/// One class for each state that a node is in.
fn add_classes(coloured: &[(String, NodeStatus)], text: &mut String) {
    for (status, fill, stroke) in COLOURS {
        let is_in = coloured.iter().filter(|(_, of_node)| *of_node == status);
        let names: Vec<_> = is_in.map(|(name, _)| name.as_str()).collect();
        if !names.is_empty() {
            let class = status.name();
            line(text, format_args!("classDef {class} fill:{fill},stroke:{stroke},color:#111827"));
            line(text, format_args!("class {} {class}", names.join(",")));
        }
    }
}

/// Text between quotes: what Mermaid, its Markdown or HTML would take for something else stands as its number.
fn escaped(text: &str) -> String {
    // Mermaid cuts into lines that it takes for styles.
    let looks_like_style = text.contains("style") || text.contains("classDef");
    let mut escaped = String::with_capacity(text.len());
    let mut line = 0;
    let mut before = None;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let next = letters.peek().copied();
        match letter {
            '\r' if next == Some('\n') => continue,
            '\n' | '\r' => {
                escaped.push_str("<br>");
                line = escaped.len();
            }
            '"' => escaped.push_str("#quot;"),
            '&' => escaped.push_str("#amp;"),
            '<' => escaped.push_str("#lt;"),
            '>' => escaped.push_str("#gt;"),
            '#' | '|' | '`' | '\\' | '*' | '~' | '%' | '[' | ']' | '$' => number(letter, &mut escaped),
            ':' if looks_like_style => number(letter, &mut escaped),
            '_' if !is_inside_word(before, next) => number(letter, &mut escaped),
            '-' | '+' | '.' | ')' if begins_item(&escaped[line..], letter) => number(letter, &mut escaped),
            letter if is_obeyed(letter) => escaped.push('\u{fffd}'),
            letter => escaped.push(letter),
        }
        before = Some(letter);
    }
    escaped
}

fn number(letter: char, escaped: &mut String) {
    write!(escaped, "#{};", u32::from(letter)).expect("a text can be written to");
}

fn is_inside_word(before: Option<char>, next: Option<char>) -> bool {
    [before, next].into_iter().all(|letter| letter.is_some_and(char::is_alphanumeric))
}

/// Whether a line that begins so would be the item of a list: `- a`, `1. a`.
fn begins_item(line: &str, letter: char) -> bool {
    let line = line.trim_start();
    match letter {
        '-' | '+' => line.is_empty(),
        _ => !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit()),
    }
}
