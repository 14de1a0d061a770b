//! The third phase: whether the sub-workflows that are called exist and fit.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;
use serde_json::Value;

use super::checks::round;
use super::graph;
use super::limits::Limits;
use super::network::{self, CallSite, Network, calls};
use super::problem::{Code, Part, Problem};
use super::registry::Registry;
use super::structure::is_blank;
use super::types;
use crate::definition::{Declaration, Definition, Subworkflow};
use crate::expression::template;
use crate::nearest::nearest;

/// Checks that each call names a workflow of the definition or of the registry and binds its inputs and outputs.
pub fn check_subworkflow_io(definition: &Definition, registry: &Registry) -> Vec<Problem> {
    check_io_of(&Network::new(definition, registry), 0)
}

/// Checks all links of a network of workflows: that of the definition, and those inside of what it calls.
pub(super) fn check_links(network: &Network<'_>, limits: &Limits) -> Vec<Problem> {
    let mut problems = network.conflicts();
    problems.extend(check_io_of(network, 0));
    for workflow in 1..network.workflows.len() as u32 {
        problems.extend(check_io_of(network, workflow).into_iter().map(|problem| inside(network, workflow, problem)));
    }
    let cycles = cycles(network);
    if cycles.is_empty() {
        problems.extend(check_depth(network, limits.subworkflow_depth_max));
        problems.extend(check_expansion(network, limits.expanded_nodes_max));
    }
    problems.extend(cycles);
    problems
}

/// A problem of a workflow that is called: its nodes are no nodes of the definition.
pub(super) fn inside(network: &Network<'_>, workflow: u32, problem: Problem) -> Problem {
    let called = network.workflows[workflow as usize];
    let brought = network.workflows[0].workflows.iter().position(|brought| std::ptr::eq(brought, called));
    let message = format!("in {}: {}", network.name(workflow), problem.message);
    Problem { message, part: brought.map(Part::Workflow), ..problem }
}

fn check_io_of(network: &Network<'_>, workflow: u32) -> Vec<Problem> {
    let mut problems = Vec::new();
    for site in calls(network.workflows[workflow as usize]) {
        match target(&site.node, site.call, network) {
            Ok(callee) => check_bindings(&site, callee, &mut problems),
            Err(problem) => problems.push(problem),
        }
    }
    problems
}

/// Checks that no workflow calls itself, by whatever detour; the definition itself takes part.
///
/// Calls that the registry cannot resolve are left to [`check_subworkflow_io`].
pub fn check_subworkflow_cycle(definition: &Definition, registry: &Registry) -> Vec<Problem> {
    cycles(&Network::new(definition, registry))
}

fn cycles(network: &Network<'_>) -> Vec<Problem> {
    let next = |workflow: u32, n: usize| network.calls[workflow as usize].get(n).map(|(callee, _)| *callee);
    let describe = |cycle: Vec<u32>| {
        let names: Vec<String> = cycle.iter().map(|&workflow| network.name(workflow)).collect();
        let message = format!("workflows call each other in a circle: {}", round(&names));
        let nodes = callers_in(network, cycle[0]);
        Problem { code: Code::SubworkflowCycleDetected, nodes, message, part: None }
    };
    graph::cycles(network.calls.len(), 0, next).into_iter().map(describe).collect()
}

/// Checks that workflows call each other through no more levels than allowed; the definition itself is level 0.
///
/// A circle of calls has no depth: it is left to [`check_subworkflow_cycle`].
pub fn check_subworkflow_depth(definition: &Definition, registry: &Registry, depth_max: usize) -> Vec<Problem> {
    check_depth(&Network::new(definition, registry), depth_max)
}

fn check_depth(network: &Network<'_>, depth_max: usize) -> Vec<Problem> {
    // By level: the workflows whose own nodes are there. A deep network costs no more than the limit allows.
    let mut levels = vec![BTreeSet::new(); depth_max + 1];
    levels[0].insert(0);
    for depth in 0..=depth_max {
        for workflow in std::mem::take(&mut levels[depth]) {
            let (_, inside) = network::size(network.workflows[workflow as usize]);
            if depth + inside > depth_max {
                let name = network.name(workflow);
                return too_deep(network, &format!("{name} has graphs inside of its nodes"), depth_max);
            }
            for &(callee, within) in &network.calls[workflow as usize] {
                match levels.get_mut(depth + 1 + within) {
                    Some(level) => level.insert(callee),
                    None => return too_deep(network, &format!("{} is called", network.name(callee)), depth_max),
                };
            }
        }
    }
    Vec::new()
}

fn too_deep(network: &Network<'_>, what: &str, depth_max: usize) -> Vec<Problem> {
    let message = format!("{what} {} levels down, at most {depth_max} are allowed", depth_max + 1);
    vec![Problem { code: Code::SubworkflowTooDeep, nodes: all_callers(network), message, part: None }]
}

/// Checks that not too many nodes run if everything is called that can be; there are no circles.
///
/// Workflows that call others twice, which call others twice, are small to write and endless to run.
fn check_expansion(network: &Network<'_>, nodes_max: usize) -> Vec<Problem> {
    let mut sizes: Vec<Option<usize>> = vec![None; network.workflows.len()];
    let mut open = vec![0_u32];
    while let Some(&workflow) = open.last() {
        let callees = &network.calls[workflow as usize];
        let before = open.len();
        let unsized_callees =
            callees.iter().map(|(callee, _)| *callee).filter(|callee| sizes[*callee as usize].is_none());
        open.extend(unsized_callees);
        if open.len() > before {
            continue;
        }
        open.pop();
        let called = callees.iter().filter_map(|(callee, _)| sizes[*callee as usize]);
        let (own, _) = network::size(network.workflows[workflow as usize]);
        sizes[workflow as usize] = Some(called.fold(own, usize::saturating_add));
    }
    match sizes[0] {
        Some(nodes) if nodes > nodes_max && nodes > network.workflows[0].nodes.len() => {
            let message = format!(
                "with all that it calls and has inside of its nodes it has {nodes} nodes, at most {nodes_max} are allowed"
            );
            vec![Problem { code: Code::SubworkflowTooLarge, nodes: all_callers(network), message, part: None }]
        }
        _ => Vec::new(),
    }
}

fn all_callers(network: &Network<'_>) -> Vec<String> {
    calls(network.workflows[0]).into_iter().map(|site| site.node).collect()
}

/// The calls of the definition by which a cycle is entered, if it is not the definition that begins it.
fn callers_in(network: &Network<'_>, first: u32) -> Vec<String> {
    let calls = calls(network.workflows[0]).into_iter();
    calls.filter(|site| first == 0 || network.find(site.call) == Some(first)).map(|site| site.node).collect()
}

fn target<'r>(node: &str, call: &Subworkflow, network: &Network<'r>) -> Result<&'r Definition, Problem> {
    let given = |text: &'_ Option<String>| text.clone().filter(|text| !is_blank(text));
    let workflow = given(&call.workflow).ok_or_else(|| {
        Problem::of(Code::SubworkflowRefMissing, node, format!("{node:?} does not say which workflow it calls"))
    })?;
    let unknown = |version: &str| {
        let meant = nearest(&workflow, network.known().filter(|known| *known != workflow));
        let hint = meant.map(|meant| format!("; did you mean {meant:?}?")).unwrap_or_default();
        let message = format!("{node:?} calls {workflow:?}{version}, which is not registered{hint}");
        Problem::of(Code::SubworkflowNotFound, node, message)
    };
    let Some(version) = given(&call.version) else {
        if !network.known().any(|known| known == workflow) {
            return Err(unknown(""));
        }
        let message = format!("{node:?} does not say which version of {workflow:?} it calls");
        return Err(Problem::of(Code::SubworkflowVersionUnpinned, node, message));
    };
    let found = network.find(call).map(|number| network.workflows[number as usize]);
    found.ok_or_else(|| unknown(&format!(" version {version}")))
}

fn check_bindings(site: &CallSite<'_>, callee: &Definition, problems: &mut Vec<Problem>) {
    let (node, call) = (site.node.as_str(), site.call);
    if call.is_bound_by_name() {
        // What is a whole body and binds nothing is given what that is given, which is known only then.
        let is_given = site.is_body && call.binds_nothing();
        let declared: &[Declaration] = if is_given { &[] } else { &callee.inputs };
        INPUTS.check(node, &call.input_bindings, declared, problems);
        let gives_all = site.is_body && call.output_bindings.is_empty();
        let declared: &[Declaration] = if gives_all { &[] } else { &callee.outputs };
        OUTPUTS.check(node, &call.output_bindings, declared, problems);
        if call.output.is_some() && !call.output_bindings.is_empty() {
            let message =
                format!("{node:?} says by `output` and by `output_bindings` what comes out of it: one of them");
            problems.push(Problem::of(Code::SubworkflowBoundTwice, node, message));
        }
        return;
    }
    if !call.input_bindings.is_empty() || !call.output_bindings.is_empty() {
        let message = format!("{node:?} binds names beside its `input` or `with`: one of them says what goes in");
        problems.push(Problem::of(Code::SubworkflowBoundTwice, node, message));
    }
    let Some(Ok(given)) = call.with.as_ref().map(|with| with.payload().decode::<Value>()) else { return };
    match given {
        Value::Object(given) if !callee.inputs.is_empty() => {
            WITH.check(node, &given.into_iter().collect(), &callee.inputs, problems);
        }
        Value::Object(_) => {}
        Value::String(text) if text.contains(template::OPEN) => {}
        other if !callee.inputs.is_empty() => {
            let message =
                format!("{node:?} must give an object, because what it calls declares inputs, not {}", shown(&other));
            problems.push(Problem::of(Code::SubworkflowInputTypeMismatch, node, message));
        }
        _ => {}
    }
}

/// One direction of bindings.
struct Side {
    name: &'static str,
    missing: Code,
    unknown: Code,
    mismatch: Code,
    /// What a text that is looked up at run time begins with.
    lookups: &'static [&'static str],
    /// Whether texts with templates in them are evaluated at run time; else no text begins with `@` that is no lookup.
    has_templates: bool,
}

const INPUTS: Side = Side {
    name: "input",
    missing: Code::SubworkflowInputMissing,
    unknown: Code::SubworkflowInputUnknown,
    mismatch: Code::SubworkflowInputTypeMismatch,
    lookups: &["@parent."],
    has_templates: false,
};

/// The members of what a call gives as a document.
const WITH: Side = Side { lookups: &[], has_templates: true, ..INPUTS };

const OUTPUTS: Side = Side {
    name: "output",
    missing: Code::SubworkflowOutputMissing,
    unknown: Code::SubworkflowOutputUnknown,
    mismatch: Code::SubworkflowOutputTypeMismatch,
    lookups: &["@child.", "@parent."],
    has_templates: false,
};

impl Side {
    fn check(
        &self,
        node: &str,
        bindings: &BTreeMap<String, Value>,
        declarations: &[Declaration],
        problems: &mut Vec<Problem>,
    ) {
        let declared: FxHashMap<&str, &Declaration> =
            declarations.iter().map(|declaration| (declaration.name.as_str(), declaration)).collect();
        for (name, value) in bindings {
            problems.extend(self.check_binding(node, name, value, declared.get(name.as_str()).copied()));
        }
        for declaration in declarations.iter().filter(|declaration| declaration.required) {
            if !bindings.contains_key(&declaration.name) {
                let message = format!("{node:?} does not bind {} {:?}", self.name, declaration.name);
                problems.push(Problem::of(self.missing, node, message));
            }
        }
    }

    fn check_binding(&self, node: &str, name: &str, value: &Value, declared: Option<&Declaration>) -> Option<Problem> {
        let Some(declared) = declared else {
            let message = format!("{node:?} binds {} {name:?}, which the workflow it calls does not have", self.name);
            return Some(Problem::of(self.unknown, node, message));
        };
        if self.has_templates && has_template(value) {
            return None;
        }
        let wanted = match value.as_str().filter(|text| !self.has_templates && text.starts_with('@')) {
            Some(lookup) if self.lookups.iter().any(|prefix| lookup.starts_with(prefix)) => {
                return None;
            }
            Some(_) => format!("a lookup that begins with {}", self.lookups.join(" or ")),
            None if types::matches(declared.kind, value) => return None,
            None => format!("of type {}", types::name(declared.kind)),
        };
        let message = format!("{node:?} binds {} {name:?} to {}, which is not {wanted}", self.name, shown(value));
        Some(Problem::of(self.mismatch, node, message))
    }
}

/// Whether a part of a value is known only when it is evaluated. Documents are no deeper than payloads may be.
fn has_template(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(template::OPEN),
        Value::Array(items) => items.iter().any(has_template),
        Value::Object(members) => members.values().any(has_template),
        _ => false,
    }
}

/// The beginning of a value.
fn shown(value: &Value) -> String {
    const SHOWN_CHARS_MAX: usize = 60;
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
