//! Definitions in the language of Graphviz.

use std::collections::HashMap;
use std::fmt::Write as _;

use finale_core::definition::{Body, Edge, EdgeKind, Node, NodeKind};
use finale_core::{Definition, NodeStatus, Record};

use super::{
    COLOURS, FAILURE_COLOUR, FINALLY, Inside, NODES_MAX, called, inside, label, numbers, path_of, prefix_of,
    prefix_of_compensation, prefix_of_finally, single, statuses, word,
};
use crate::obeyed::is_obeyed;

/// The definition as a DOT graph; with the record of an execution its nodes have the colours of their states.
///
/// An edge that leads to no node, or from none, is left out. When 20,000 nodes are drawn, further graphs inside of nodes are
/// left out.
///
/// ```
/// use finale_core::definition::Definition;
/// use finale_formats::picture;
///
/// let definition = Definition::builder("order").name("My \"order\"").task("pack", "pack").build();
/// assert_eq!(
///     picture::dot(&definition, None),
///     r#"digraph "My \"order\"" {
///     graph [fontname="sans-serif"];
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
    line(&mut text, format_args!("graph [fontname=\"sans-serif\"];"));
    line(&mut text, format_args!("node [fontname=\"sans-serif\"];"));
    line(&mut text, format_args!("edge [fontname=\"sans-serif\"];"));
    let mut drawing = Drawing { root: definition, text: &mut text, statuses: statuses(record), nodes: 0 };
    drawing.graph(&Inside::of(definition), "n", "", &mut vec![definition]);
    text.push_str("}\n");
    text
}

/// A picture in the making.
struct Drawing<'d> {
    root: &'d Definition,
    text: &'d mut String,
    statuses: HashMap<&'d str, NodeStatus>,
    /// How many nodes are drawn.
    nodes: usize,
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
                let first = self.ending((body, &node.id), &super::undoes(node), (&undoes, &prefix), within);
                line(self.text, format_args!("{own} -> {first} [label=\" compensate \", style=dashed];"));
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
        let (label, id, shape) = (quoted(&label(node, &node.label)), quoted(&node.id), shape(&node.kind));
        let status = self.statuses.get(path_of(prefix, &node.id).as_str());
        let colour = status.map(|status| colour(*status)).unwrap_or_default();
        let node_line = format!("{own} [label={label}, tooltip={id}, shape={shape}{colour}];");
        let has_room = |inside: &Inside<'_>| self.nodes + inside.nodes.len() <= NODES_MAX;
        let Some(inside) = inside.filter(has_room) else {
            line(self.text, format_args!("{node_line}"));
            return;
        };
        line(self.text, format_args!("subgraph cluster_{own} {{"));
        line(self.text, format_args!("label={label};"));
        line(self.text, format_args!("{node_line}"));
        within.extend(inside.called);
        self.graph(&inside, &format!("{own}_"), &prefix_of(prefix, &node.id), within);
        if inside.called.is_some() {
            within.pop();
        }
        line(self.text, format_args!("}}"));
    }

    /// Draws what runs at the end, in a frame of its own; gives the name of its first node.
    fn ending(
        &mut self,
        (body, id): (&'d Body, &str),
        label: &str,
        (own, prefix): (&str, &str),
        within: &mut Vec<&'d Definition>,
    ) -> String {
        line(self.text, format_args!("subgraph cluster_{own} {{"));
        line(self.text, format_args!("label={};", quoted(label)));
        line(self.text, format_args!("style=dashed;"));
        let first = format!("{own}_0");
        match (body, single(body, id)) {
            (Body::Graph(graph), _) => self.graph(&super::graph(graph), &format!("{own}_"), prefix, within),
            (Body::Call(call), Some(node)) => {
                let inside = called(self.root, call, within);
                self.node((&node, inside), &first, prefix, within);
            }
            (_, Some(node)) => self.node((&node, None), &first, prefix, within),
            _ => {}
        }
        line(self.text, format_args!("}}"));
        first
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
                // With room around it, so that it does not touch its edge.
                word => attributes.push(format!("label={}", quoted(&format!(" {word} ")))),
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
