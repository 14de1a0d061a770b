//! The graphs of a workflow: its own, and those that are written inside of its nodes.

use std::borrow::Cow;

use super::problem::{Code, Problem};
use super::warning::Warning;
use crate::definition::{Definition, InsideRef, Node, NodeKind};
use crate::expression::Local;
use crate::path::{Instance, NodePath, PathStep};

/// One graph of a workflow.
pub(super) struct WorkflowGraph<'d> {
    /// The graph as a definition; that of a body has no declarations.
    pub(super) definition: Cow<'d, Definition>,
    /// Where it is written; none for the workflow's own graph.
    pub(super) outer: Option<Opener>,
    /// The nodes on the way to it, the outermost first.
    within: Vec<PathStep>,
    /// Whether it is one task or call, without a start and an end.
    pub(super) is_single: bool,
    /// What is known in it beside `input`, `nodes` and `vars`.
    pub(super) locals: Vec<Local>,
}

/// A node that has a graph inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opener {
    /// The number of the part that it is in.
    pub(super) part: usize,
    /// Its place in that.
    pub(super) place: u32,
}

/// The graphs of a workflow, each before those inside of it.
///
/// Bodies are nested no deeper than calls may be: else only the own graph is there, with the problem.
pub(super) fn parts(definition: &Definition, depth_max: usize) -> (Vec<WorkflowGraph<'_>>, Option<Problem>) {
    let own = WorkflowGraph {
        definition: Cow::Borrowed(definition),
        outer: None,
        within: Vec::new(),
        is_single: false,
        locals: Vec::new(),
    };
    if let Some(problem) = check_depth(definition, depth_max) {
        return (vec![own], Some(problem));
    }
    let (mut parts, mut next) = (vec![own], 0);
    while let Some(part) = parts.get(next) {
        let inside = (0..).zip(&part.definition.nodes).filter_map(|(place, node)| part.inside(next, place, node));
        let inside: Vec<_> = inside.collect();
        parts.extend(inside);
        next += 1;
    }
    (parts, None)
}

impl<'d> WorkflowGraph<'d> {
    /// The graph inside of one of its nodes.
    fn inside(&self, part: usize, place: u32, node: &Node) -> Option<Self> {
        let inside = node.inside()?;
        let single = inside.single(&node.id);
        let is_single = single.is_some();
        let mut definition = Definition { nodes: single.into_iter().collect(), ..Definition::new(&node.id) };
        if let InsideRef::Graph(graph) = inside {
            definition.nodes.clone_from(&graph.nodes);
            definition.edges.clone_from(&graph.edges);
            definition.output.clone_from(&graph.output);
            definition.policy = graph.policy;
        }
        let step = PathStep { node: node.id.as_str().into(), instance: Instance::Single };
        let within = self.within.iter().cloned().chain([step]).collect();
        let outer = Some(Opener { part, place });
        let own = own_locals(&node.kind);
        let locals =
            self.locals.iter().copied().filter(|local| !own.contains(local)).chain(own.iter().copied()).collect();
        Some(Self { definition: Cow::Owned(definition), outer, within, is_single, locals })
    }

    /// The graph as a definition, if it is not the workflow's own.
    pub(super) fn into_body(self) -> Option<Definition> {
        match self.definition {
            Cow::Borrowed(_) => None,
            Cow::Owned(definition) => Some(definition),
        }
    }

    /// A warning of this graph as one of the workflow.
    pub(super) fn warned(&self, warning: Warning) -> Warning {
        let Some(opener) = self.opener() else { return warning };
        let nodes = warning.nodes.iter().map(|id| self.name(id)).collect();
        Warning { nodes, message: format!("inside of {opener:?}: {}", warning.message), ..warning }
    }

    /// What the node that it is written in is called in the whole workflow.
    fn opener(&self) -> Option<String> {
        let (opener, before) = self.within.split_last()?;
        let is_own = before.is_empty();
        Some(if is_own { opener.node.to_string() } else { NodePath::new(before.to_vec(), &opener.node).to_string() })
    }

    /// What a node of it is called in the whole workflow.
    pub(super) fn name(&self, id: &str) -> String {
        if self.within.is_empty() { id.to_owned() } else { NodePath::new(self.within.clone(), id).to_string() }
    }

    /// A problem of this graph as one of the workflow.
    pub(super) fn located(&self, problem: Problem) -> Problem {
        let Some(opener) = self.opener() else { return problem };
        let mut nodes: Vec<_> = problem.nodes.iter().map(|id| self.name(id)).collect();
        if nodes.is_empty() {
            nodes.push(opener.clone());
        }
        let message = format!("inside of {opener:?}: {}", problem.message);
        Problem { code: problem.code, nodes, message, part: None }
    }
}

/// What is known in what a node of that kind has inside, and not around it.
const fn own_locals(kind: &NodeKind) -> &'static [Local] {
    match kind {
        NodeKind::Map(_) => &[Local::Item, Local::Index],
        NodeKind::Loop(_) => &[Local::Round, Local::Previous],
        _ => &[],
    }
}

/// Whether bodies are nested too deep; looks at no more levels than are allowed.
fn check_depth(definition: &Definition, depth_max: usize) -> Option<Problem> {
    let mut level: Vec<&[Node]> = vec![&definition.nodes];
    for _ in 0..=depth_max {
        let inside = level.iter().flat_map(|nodes| nodes.iter()).filter_map(|node| match node.inside()? {
            InsideRef::Graph(graph) => Some(graph.nodes.as_slice()),
            InsideRef::Task(_) | InsideRef::Call(_) => Some(&[][..]),
        });
        level = inside.collect();
        if level.is_empty() {
            return None;
        }
    }
    let message =
        format!("graphs are written inside of nodes {} levels deep, at most {depth_max} are allowed", depth_max + 1);
    Some(Problem::new(Code::SubworkflowTooDeep, message))
}
