//! What is in a picture, before anything has a place.

use std::collections::HashMap;

use finale_core::definition::{Body, Edge, EdgeKind, Node};
use finale_core::{Definition, NodeStatus, Record};

use super::super::{
    FINALLY, Inside, NODES_MAX, called, graph, inside, label, numbers, path_of, prefix_of, prefix_of_compensation,
    prefix_of_finally, single, statuses, undoes, word,
};
use super::outline::Outline;
use super::text::Lines;

/// The nodes and edges of one graph.
#[derive(Debug, Default)]
pub(super) struct Level {
    pub(super) figures: Vec<Figure>,
    pub(super) arrows: Vec<Arrow>,
}

/// A node, or a frame.
#[derive(Debug)]
pub(super) struct Figure {
    pub(super) outline: Outline,
    /// The kind of the node.
    pub(super) kind: &'static str,
    /// The path of the node, as a record has it.
    pub(super) path: String,
    pub(super) label: Lines,
    /// All of the label, and what else there is to know.
    pub(super) title: String,
    pub(super) status: Option<NodeStatus>,
    pub(super) inside: Option<Level>,
}

/// An edge between figures of one level.
#[derive(Debug)]
pub(super) struct Arrow {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) style: Style,
    pub(super) word: Option<Lines>,
    pub(super) title: String,
}

/// How an edge is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Bold,
    Failure,
    Compensate,
}

/// Letters in nodes, and at edges and in the titles of frames.
pub(super) const NODE_SIZE: f64 = 13.0;
pub(super) const SMALL_SIZE: f64 = 12.0;

/// All that is drawn of a definition.
pub(super) fn scene(definition: &Definition, record: Option<&Record>) -> Level {
    let mut stage = Stage { root: definition, statuses: statuses(record), nodes: 0 };
    stage.level(&Inside::of(definition), "", &mut vec![definition])
}

/// A scene in the making.
struct Stage<'d> {
    root: &'d Definition,
    statuses: HashMap<&'d str, NodeStatus>,
    /// How many nodes there are.
    nodes: usize,
}

impl<'d> Stage<'d> {
    fn level(&mut self, graph: &Inside<'d>, prefix: &str, within: &mut Vec<&'d Definition>) -> Level {
        self.nodes += graph.nodes.len();
        let mut level = Level::default();
        for node in graph.nodes {
            let inside = inside(self.root, node, within);
            level.figures.push(self.figure((node, inside), prefix, within));
        }
        level.arrows = arrows(graph.nodes, graph.edges);
        for (number, node) in graph.nodes.iter().enumerate() {
            if let Some(body) = node.compensate.as_deref() {
                let prefix = prefix_of_compensation(prefix, &node.id);
                let frame = self.ending((body, &node.id), (undoes(node), "compensate"), &prefix, within);
                level.arrows.push(Arrow {
                    from: number,
                    to: level.figures.len(),
                    style: Style::Compensate,
                    word: Some(Lines::new("compensate", SMALL_SIZE, (20, 1))),
                    title: format!("{}: compensate", node.id),
                });
                level.figures.push(frame);
            }
        }
        if let Some(body) = graph.finally {
            let prefix = prefix_of_finally(prefix);
            let frame = self.ending((body, FINALLY), (FINALLY.to_owned(), FINALLY), &prefix, within);
            level.figures.push(frame);
        }
        level
    }

    fn figure(
        &mut self,
        (node, inside): (&Node, Option<Inside<'d>>),
        prefix: &str,
        within: &mut Vec<&'d Definition>,
    ) -> Figure {
        let path = path_of(prefix, &node.id);
        let status = self.statuses.get(path.as_str()).copied();
        let name = if node.label.trim().is_empty() { &node.id } else { &node.label };
        let label = label(node, name);
        let kind = node.kind.name();
        let mut title =
            if name == &node.id { format!("{label} ({kind})") } else { format!("{label} ({kind} {})", node.id) };
        if let Some(status) = status {
            title.push_str(": ");
            title.push_str(status.name());
        }
        let has_room = |inside: &Inside<'_>| self.nodes + inside.nodes.len() <= NODES_MAX;
        let inside = inside.filter(has_room).map(|inside| {
            within.extend(inside.called);
            let level = self.level(&inside, &prefix_of(prefix, &node.id), within);
            if inside.called.is_some() {
                within.pop();
            }
            level
        });
        let (outline, letters) = match inside {
            Some(_) => (Outline::Frame, (44, 2)),
            None if Outline::of(&node.kind) == Outline::Diamond => (Outline::Diamond, (22, 4)),
            None => (Outline::of(&node.kind), (34, 4)),
        };
        let label = Lines::new(&label, NODE_SIZE, letters);
        Figure { outline, kind, path, label, title, status, inside }
    }

    /// What runs at the end, in a frame of its own.
    fn ending(
        &mut self,
        (body, id): (&'d Body, &str),
        (label, kind): (String, &'static str),
        prefix: &str,
        within: &mut Vec<&'d Definition>,
    ) -> Figure {
        let level = match (body, single(body, id)) {
            (Body::Graph(own), _) => self.level(&graph(own), prefix, within),
            (Body::Call(call), Some(node)) => {
                let inside = called(self.root, call, within);
                self.alone(&node, inside, prefix, within)
            }
            (_, Some(node)) => self.alone(&node, None, prefix, within),
            _ => Level::default(),
        };
        let lines = Lines::new(&label, SMALL_SIZE, (44, 2));
        let (outline, path) = (Outline::Ending, prefix.to_owned());
        Figure { outline, kind, path, label: lines, title: label, status: None, inside: Some(level) }
    }

    fn alone(
        &mut self,
        node: &Node,
        inside: Option<Inside<'d>>,
        prefix: &str,
        within: &mut Vec<&'d Definition>,
    ) -> Level {
        self.nodes += 1;
        Level { figures: vec![self.figure((node, inside), prefix, within)], arrows: Vec::new() }
    }
}

fn arrows(nodes: &[Node], edges: &[Edge]) -> Vec<Arrow> {
    let numbers = numbers(nodes);
    let mut arrows = Vec::with_capacity(edges.len());
    for edge in edges {
        let (Some(source), Some(target)) = (numbers.get(&*edge.source), numbers.get(&*edge.target)) else {
            continue;
        };
        let style = match edge.kind {
            EdgeKind::ParallelBranch => Style::Bold,
            EdgeKind::OnFailure => Style::Failure,
            _ => Style::Plain,
        };
        let word = word(edge);
        let title = match word {
            "" => format!("{} \u{2192} {}", edge.source, edge.target),
            word => format!("{} \u{2192} {}: {word}", edge.source, edge.target),
        };
        let word = Some(word).filter(|word| !word.trim().is_empty());
        let word = word.map(|word| Lines::new(word, SMALL_SIZE, (20, 2)));
        arrows.push(Arrow { from: *source, to: *target, style, word, title });
    }
    arrows
}
