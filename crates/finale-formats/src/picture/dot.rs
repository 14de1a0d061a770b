//! Definitions in the language of Graphviz.

use std::collections::HashMap;
use std::fmt::Write as _;

use finale_core::definition::{Edge, EdgeKind, Node, NodeKind};
use finale_core::{Definition, NodeStatus, Record};

use super::{COLOURS, FAILURE_COLOUR, Inside, inside, label, numbers, path_of, prefix_of, statuses, word};
use crate::obeyed::is_obeyed;

/// The definition as a DOT graph; with the record of an execution its nodes have the colours of their states.
///
/// An edge that leads to no node, or from none, is left out.
///
/// ```
/// use finale_core::definition::Definition;
/// use finale_formats::picture;
///
/// let definition = Definition::builder("order").name("My \"order\"").task("pack", "pack").build();
/// assert_eq!(
///     picture::dot(&definition, None),
///     r#"digraph "My \"order\"" {
///     node [fontname="sans-serif"];
///     edge [fontname="sans-serif"];
///     n0 [label="Pack", tooltip="pack", shape=box];
///     n1 [label="start", tooltip="start", shape=oval];
///     n2 [label="end", tooltip="end", shape=oval];
///     n1 -> n0;
///     n0 -> n2;
/// }
/// "#
/// );
/// ```
pub fn dot(definition: &Definition, record: Option<&Record>) -> String {
    let mut text = format!("digraph {} {{\n", quoted(&definition.name));
    line(&mut text, format_args!("node [fontname=\"sans-serif\"];"));
    line(&mut text, format_args!("edge [fontname=\"sans-serif\"];"));
    let mut drawing = Drawing { root: definition, text: &mut text, statuses: statuses(record) };
    drawing.graph((&definition.nodes, &definition.edges), "n", "", &mut vec![definition]);
    text.push_str("}\n");
    text
}

/// A picture in the making.
struct Drawing<'d> {
    root: &'d Definition,
    text: &'d mut String,
    statuses: HashMap<&'d str, NodeStatus>,
}

impl<'d> Drawing<'d> {
    /// Draws a graph; its nodes are called `name` and their numbers, and `prefix` leads to them in the record.
    fn graph(
        &mut self,
        (nodes, edges): (&'d [Node], &'d [Edge]),
        name: &str,
        prefix: &str,
        within: &mut Vec<&'d Definition>,
    ) {
        for (number, node) in nodes.iter().enumerate() {
            let own = format!("{name}{number}");
            let (label, id, shape) = (quoted(&label(node, &node.label)), quoted(&node.id), shape(&node.kind));
            let status = self.statuses.get(path_of(prefix, &node.id).as_str());
            let colour = status.map(|status| colour(*status)).unwrap_or_default();
            let node_line = format!("{own} [label={label}, tooltip={id}, shape={shape}{colour}];");
            let Some(Inside { nodes, edges, called }) = inside(self.root, node, within) else {
                line(self.text, format_args!("{node_line}"));
                continue;
            };
            line(self.text, format_args!("subgraph cluster_{own} {{"));
            line(self.text, format_args!("label={label};"));
            line(self.text, format_args!("{node_line}"));
            within.extend(called);
            self.graph((nodes, edges), &format!("{own}_"), &prefix_of(prefix, &node.id), within);
            if called.is_some() {
                within.pop();
            }
            line(self.text, format_args!("}}"));
        }
        self.edges((nodes, edges), name);
    }

    fn edges(&mut self, (nodes, edges): (&[Node], &[Edge]), name: &str) {
        let numbers = numbers(nodes);
        for edge in edges {
            let (Some(source), Some(target)) = (numbers.get(&*edge.source), numbers.get(&*edge.target)) else {
                continue;
            };
            let mut attributes = Vec::new();
            match word(edge) {
                "" => {}
                word => attributes.push(format!("label={}", quoted(word))),
            }
            if edge.kind == EdgeKind::ParallelBranch {
                attributes.push("style=bold".to_owned());
            }
            if edge.kind == EdgeKind::OnFailure {
                attributes.push(format!("style=dashed, color=\"{FAILURE_COLOUR}\", fontcolor=\"{FAILURE_COLOUR}\""));
            }
            let attributes =
                if attributes.is_empty() { String::new() } else { format!(" [{}]", attributes.join(", ")) };
            line(self.text, format_args!("{name}{source} -> {name}{target}{attributes};"));
        }
    }
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "    {line}").expect("a text can be written to");
}

const fn shape(kind: &NodeKind) -> &'static str {
    match kind {
        NodeKind::Start | NodeKind::End => "oval",
        NodeKind::Task(_) => "box",
        NodeKind::Conditional(_) => "diamond",
        NodeKind::ParallelSplit(_) => "trapezium",
        NodeKind::ParallelJoin(_) => "invtrapezium",
        NodeKind::AgentAssignment(_) => "cds",
        NodeKind::Verification(_) => "hexagon",
        NodeKind::Subworkflow(_) => "component",
        NodeKind::Group(_) | NodeKind::Map(_) | NodeKind::Loop(_) => "tab",
        NodeKind::Wait(_) => "octagon",
    }
}

fn colour(status: NodeStatus) -> String {
    let known = COLOURS.iter().find(|(known, ..)| *known == status);
    let colour = |(_, fill, stroke): &(NodeStatus, &str, &str)| {
        format!(", class=\"{}\", style=filled, fillcolor=\"{fill}\", color=\"{stroke}\"", status.name())
    };
    known.map(colour).unwrap_or_default()
}

/// A text in quotes; Graphviz reads an escape of its own behind every backslash, and `&` as the beginning of an entity.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '&' => quoted.push_str("&amp;"),
            '\n' => quoted.push_str("\\n"),
            '\r' => {}
            letter if is_obeyed(letter) => quoted.push('\u{fffd}'),
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}
