//! The first phase: whether the parts of a definition fit together.

use rustc_hash::FxHashSet;

use super::bodies::{WorkflowGraph, parts};
use super::limits::Limits;
use super::problem::{Code, Part, Problem};
use super::types;
use crate::definition::{Declaration, Definition, Edge, Map, Node, NodeKind, OnFailure, Tolerance, Work};
use crate::nearest::nearest;

/// Checks ids, names, version, declarations and the ends of edges.
///
/// A definition that is too large is refused before anything in it is looked at.
pub fn check_structure(definition: &Definition, limits: &Limits) -> Vec<Problem> {
    let too_large = check_size(definition, limits);
    if !too_large.is_empty() {
        return too_large;
    }
    let (parts, too_deep) = parts(definition, limits.subworkflow_depth_max);
    if let Some(too_deep) = too_deep {
        return vec![too_deep];
    }
    let located = |part: &WorkflowGraph<'_>| {
        let problems = check_part(part).into_iter();
        problems.map(|problem| part.located(problem)).collect::<Vec<_>>()
    };
    parts.iter().flat_map(located).collect()
}

/// Checks one of the graphs of a workflow.
fn check_part(part: &WorkflowGraph<'_>) -> Vec<Problem> {
    let definition = &*part.definition;
    let mut problems = Vec::new();
    for what in &part.unused {
        let message = format!("its {what} has no meaning here: leave it out");
        problems.push(Problem::new(Code::UnusedInBody, message));
    }
    if definition.ending_within.is_some_and(|within| within.is_zero()) {
        let message =
            "the workflow must be over at once when its end is decided: leave `ending_within` out, or give it a time";
        problems.push(Problem::new(Code::BadEndingWithin, message));
    }
    check_head(definition, &mut problems);
    check_declarations("input", Code::DuplicateInput, Part::Input, &definition.inputs, &mut problems);
    check_declarations("output", Code::DuplicateOutput, Part::Output, &definition.outputs, &mut problems);
    check_outputs(&definition.outputs, &mut problems);
    check_nodes(&definition.nodes, &mut problems);
    if !part.is_single {
        check_counts(&definition.nodes, &mut problems);
    }
    check_edges(definition, &mut problems);
    problems
}

fn check_size(definition: &Definition, limits: &Limits) -> Vec<Problem> {
    let (nodes, edges) = (definition.nodes.len(), definition.edges.len());
    let mut problems = Vec::new();
    if nodes > limits.nodes_max {
        let message = format!("{nodes} nodes are more than the {} allowed", limits.nodes_max);
        problems.push(Problem::new(Code::TooManyNodes, message));
    }
    if edges > limits.edges_max {
        let message = format!("{edges} edges are more than the {} allowed", limits.edges_max);
        problems.push(Problem::new(Code::TooManyEdges, message));
    }
    problems
}

fn check_head(definition: &Definition, problems: &mut Vec<Problem>) {
    for (what, text) in [("id", &definition.id), ("name", &definition.name)] {
        if is_blank(text) {
            problems.push(Problem::new(Code::BlankField, format!("the {what} of the workflow is blank")));
        }
    }
    let of_calls = definition.nodes.iter().filter_map(|node| match &node.kind {
        NodeKind::Subworkflow(call) => call.policy,
        _ => None,
    });
    for policy in of_calls.chain([definition.policy]) {
        if let OnFailure::ToleratePercent { percent: percent @ 101.. } = policy.on_failure {
            let message = format!("{percent} percent of failures cannot be tolerated: at most 100");
            problems.push(Problem::new(Code::BadTolerance, message));
        }
    }
    let of_maps = definition.nodes.iter().filter_map(|node| match &node.kind {
        NodeKind::Map(Map { tolerate: Some(Tolerance::Percent(percent @ 101..)), .. }) => Some((&node.id, *percent)),
        _ => None,
    });
    for (id, percent) in of_maps {
        let message = format!("map {id:?} cannot tolerate the failure of {percent} percent of its items: at most 100");
        problems.push(Problem::of(Code::BadTolerance, id, message));
    }
    if !is_version(&definition.version) {
        let message = format!("version {:?} is not MAJOR.MINOR.PATCH, like 1.0.0", definition.version);
        problems.push(Problem::new(Code::BadVersion, message));
    }
}

fn check_declarations(
    list: &str,
    duplicate: Code,
    part: fn(usize) -> Part,
    declarations: &[Declaration],
    problems: &mut Vec<Problem>,
) {
    let mut names = FxHashSet::default();
    for (position, declaration) in declarations.iter().enumerate() {
        let name = &declaration.name;
        let mut report = |code, message: String| problems.push(Problem::new(code, message).at(part(position)));
        if is_blank(name) {
            report(Code::BlankField, format!("the name of an {list} is blank"));
        }
        if !names.insert(name) {
            report(duplicate, format!("two {list}s are called {name:?}"));
        }
        check_default(list, declaration, report);
    }
}

fn check_default(list: &str, declaration: &Declaration, mut report: impl FnMut(Code, String)) {
    let Declaration { name, kind, required, default } = declaration;
    let Some(default) = default else {
        return;
    };
    if *required {
        let message = format!("{list} {name:?} is required, so that its default can never be used");
        report(Code::RequiredWithDefault, message);
    }
    if !types::is_shallow(default) {
        let depth_max = types::DEFAULT_DEPTH_MAX;
        let message = format!("the default of {list} {name:?} is nested deeper than the {depth_max} levels allowed");
        report(Code::DefaultType, message);
        return;
    }
    if !types::matches(*kind, default) {
        report(Code::DefaultType, format!("the default of {list} {name:?} is not of type {}", types::name(*kind)));
    }
}

fn check_outputs(outputs: &[Declaration], problems: &mut Vec<Problem>) {
    for (position, output) in outputs.iter().enumerate().filter(|(_, output)| !output.required) {
        let message = format!("output {:?} is optional; a workflow gives all its outputs", output.name);
        problems.push(Problem::new(Code::OptionalOutput, message).at(Part::Output(position)));
    }
}

fn check_nodes(nodes: &[Node], problems: &mut Vec<Problem>) {
    let mut ids = FxHashSet::default();
    for Node { id, label, kind, compensate, .. } in nodes {
        if compensate.is_some() && !kind.is_work() {
            let message = format!("{id:?} is a {}, which does nothing that could be undone", kind.name());
            problems.push(Problem::of(Code::NothingToCompensate, id, message));
        }
        let blank = |what: &str| Problem::of(Code::BlankField, id, format!("the {what} of node {id:?} is blank"));
        if is_blank(id) {
            problems.push(blank("id"));
        }
        if is_blank(label) {
            problems.push(blank("label"));
        }
        if matches!(kind, NodeKind::Task(task) if matches!(&task.work, Work::Handler(name) if is_blank(name))) {
            problems.push(blank("handler"));
        }
        if !ids.insert(id) {
            problems.push(Problem::of(Code::DuplicateNodeId, id, format!("two nodes have the id {id:?}")));
        }
    }
}

fn check_counts(nodes: &[Node], problems: &mut Vec<Problem>) {
    let starts = nodes.iter().filter(|node| matches!(node.kind, NodeKind::Start));
    check_count(Code::StartCount, "start", starts, problems);
    let ends = nodes.iter().filter(|node| matches!(node.kind, NodeKind::End));
    check_count(Code::EndCount, "end", ends, problems);
}

fn check_count<'n>(code: Code, what: &str, found: impl Iterator<Item = &'n Node>, problems: &mut Vec<Problem>) {
    let nodes: Vec<String> = found.map(|node| node.id.clone()).collect();
    if nodes.len() != 1 {
        let message = format!("there are {} {what} nodes, there must be exactly one", nodes.len());
        problems.push(Problem { code, nodes, message, part: None });
    }
}

fn check_edges(definition: &Definition, problems: &mut Vec<Problem>) {
    let nodes = Names::of(&definition.nodes);
    let mut ids = FxHashSet::default();
    for (position, edge) in definition.edges.iter().enumerate() {
        let (part, ends) = (Part::Edge(position), || format!("from {:?} to {:?}", edge.source, edge.target));
        if is_blank(&edge.id) {
            problems.push(Problem::new(Code::BlankField, format!("the id of the edge {} is blank", ends())).at(part));
        }
        if edge.label.as_deref().is_some_and(is_blank) {
            problems
                .push(Problem::new(Code::BlankField, format!("the label of the edge {} is blank", ends())).at(part));
        }
        if !ids.insert(&edge.id) {
            let message = format!("two edges have the id {:?}", edge.id);
            problems.push(Problem::new(Code::DuplicateEdgeId, message).at(part));
        }
        check_ends(edge, part, &nodes, problems);
    }
}

fn check_ends(edge: &Edge, part: Part, nodes: &Names<'_>, problems: &mut Vec<Problem>) {
    let Edge { id, source, target, .. } = edge;
    for (end, other, verb, code) in
        [(source, target, "leaves", Code::UnknownEdgeSource), (target, source, "enters", Code::UnknownEdgeTarget)]
    {
        if !nodes.set.contains(end.as_str()) {
            let hint = if problems.len() < HINTS_MAX { nodes.hint(end) } else { String::new() };
            let message = format!("edge {id:?} {verb} {end:?}, which is no node{hint}");
            let nodes = nodes.set.get(other.as_str()).map(|node| (*node).to_owned()).into_iter().collect();
            problems.push(Problem { code, nodes, message, part: Some(part) });
        }
    }
    if source == target {
        let message = format!("an edge leads from {source:?} to itself");
        problems.push(Problem::of(Code::SelfLoop, source, message).at(part));
    }
}

/// Looking for what was meant costs more than all other checks: nobody reads more hints than these.
const HINTS_MAX: usize = 20;

/// The ids of nodes.
struct Names<'d> {
    set: FxHashSet<&'d str>,
    /// In the order of the definition.
    list: Vec<&'d str>,
}

impl<'d> Names<'d> {
    fn of(nodes: &'d [Node]) -> Self {
        let list: Vec<_> = nodes.iter().map(|node| node.id.as_str()).collect();
        Self { set: list.iter().copied().collect(), list }
    }

    fn hint(&self, written: &str) -> String {
        let meant = nearest(written, self.list.iter().copied());
        meant.map(|node| format!(", did you mean {node:?}?")).unwrap_or_default()
    }
}

pub(super) fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

/// Whether a text is three numbers without leading zeros, with dots between.
fn is_version(text: &str) -> bool {
    let is_number = |part: &str| {
        let is_digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        is_digits && (part == "0" || !part.starts_with('0'))
    };
    text.split('.').count() == 3 && text.split('.').all(is_number)
}
