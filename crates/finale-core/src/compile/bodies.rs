//! The graphs of a workflow: its own, and those that are written inside of its nodes.

use std::borrow::Cow;

use super::problem::{Code, Problem};
use crate::definition::{BodyRole, Definition, GraphRef, InsideRef, NodeKind, OnFailure, Policy, Siblings};
use crate::expression::Local;
use crate::path::{Instance, NodePath, PathStep};
use crate::warning::Warning;

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
    /// What is written in it and has no meaning there.
    pub(super) unused: Vec<&'static str>,
}

/// Where a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opener {
    /// The number of the part that it is in.
    pub(super) part: usize,
    /// The place of its node in that; of no meaning for a `finally`, which has no node.
    pub(super) place: u32,
    /// What it is for.
    pub(super) role: BodyRole,
}

/// What a body is called on the way to what is in it.
pub(super) fn step(graph: GraphRef<'_>, place: u32, role: BodyRole) -> PathStep {
    let node = || graph.nodes[place as usize].id.as_str().into();
    match role {
        BodyRole::Inside => PathStep { node: node(), instance: Instance::Single },
        BodyRole::Compensate => PathStep { node: node(), instance: Instance::Compensation },
        BodyRole::Finally => PathStep { node: Box::default(), instance: Instance::Finally },
    }
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
        unused: Vec::new(),
    };
    if let Some(problem) = check_depth(definition, depth_max) {
        return (vec![own], Some(problem));
    }
    let (mut parts, mut next) = (vec![own], 0);
    while let Some(part) = parts.get(next) {
        let bodies = part.definition.as_graph().bodies();
        let bodies: Vec<_> =
            bodies.map(|(place, role, inside)| part.body(Opener { part: next, place, role }, inside)).collect();
        parts.extend(bodies);
        next += 1;
    }
    (parts, None)
}

impl<'d> WorkflowGraph<'d> {
    /// The graph of one of its bodies.
    fn body(&self, outer: Opener, inside: InsideRef<'_>) -> Self {
        let Opener { place, role, .. } = outer;
        let graph = self.definition.as_graph();
        let id = graph.single_id(place, role);
        let single = inside.single(id);
        let is_single = single.is_some();
        let mut definition = Definition { nodes: single.into_iter().collect(), ..Definition::new(id) };
        let mut unused = Vec::new();
        if let InsideRef::Graph(graph) = inside {
            definition.nodes.clone_from(&graph.nodes);
            definition.edges.clone_from(&graph.edges);
            definition.finally.clone_from(&graph.finally);
            definition.policy = graph.policy;
            match role {
                BodyRole::Inside => definition.output.clone_from(&graph.output),
                _ => unused.extend(graph.output.as_ref().map(|_| "output")),
            }
            if role == BodyRole::Finally && graph.policy != Policy::default() {
                unused.push("policy");
            }
        }
        if role == BodyRole::Finally {
            definition.policy = Policy { on_failure: OnFailure::WaitAll, siblings: Siblings::default() };
        }
        let within = self.within.iter().cloned().chain([step(graph, place, role)]).collect();
        let own = match role {
            BodyRole::Inside => own_locals(&graph.nodes[place as usize].kind),
            BodyRole::Compensate => &[Local::Output],
            BodyRole::Finally => &[Local::Verdict, Local::Error],
        };
        // What the round before gave is known only while a round goes on.
        let is_known = |local: &Local| !own.contains(local) && (role == BodyRole::Inside || *local != Local::Previous);
        let locals = self.locals.iter().copied().filter(is_known).chain(own.iter().copied()).collect();
        Self { definition: Cow::Owned(definition), outer: Some(outer), within, is_single, locals, unused }
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
        match self.within.as_slice() {
            [] => None,
            [PathStep { node, instance: Instance::Single }] => Some(node.to_string()),
            within => Some(within.iter().map(ToString::to_string).collect::<Vec<_>>().join("::")),
        }
    }

    /// What a node of it is called in the whole workflow.
    pub(super) fn name(&self, id: &str) -> String {
        if self.within.is_empty() { id.to_owned() } else { NodePath::new(self.within.clone(), id).to_string() }
    }

    /// A problem of this graph as one of the workflow.
    pub(super) fn located(&self, problem: Problem) -> Problem {
        let Some(opener) = self.opener() else { return problem };
        let mut nodes: Vec<_> = problem.nodes.iter().map(|id| self.name(id)).collect();
        if nodes.is_empty()
            && let Some((PathStep { node, .. }, before)) = self.within.split_last()
            && !node.is_empty()
        {
            let is_own = before.is_empty();
            nodes.push(if is_own { node.to_string() } else { NodePath::new(before.to_vec(), node).to_string() });
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
    const NOTHING: GraphRef<'_> = GraphRef { nodes: &[], finally: None };
    let mut level = vec![definition.as_graph()];
    for _ in 0..=depth_max {
        let inside = level.iter().flat_map(|graph| graph.bodies()).map(|(_, _, inside)| match inside {
            InsideRef::Graph(graph) => graph.as_graph(),
            InsideRef::Task(_) | InsideRef::Call(_) => NOTHING,
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
