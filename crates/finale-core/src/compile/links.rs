//! The third phase: whether the sub-workflows that are called exist and fit.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;
use serde_json::Value;

use super::checks::round;
use super::graph;
use super::problem::{Code, Problem};
use super::registry::Registry;
use super::structure::is_blank;
use super::types;
use crate::definition::{Declaration, Definition, NodeKind, Subworkflow};

/// Checks that each call names a workflow of the registry and binds its inputs and outputs.
pub fn check_subworkflow_io(definition: &Definition, registry: &Registry) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (node, call) in calls(definition) {
        match target(node, call, registry) {
            Ok(callee) => check_bindings(node, call, callee, &mut problems),
            Err(problem) => problems.push(problem),
        }
    }
    problems
}

/// Does the same with the workflows that are called, and those that they call.
pub(super) fn check_called_io(definition: &Definition, registry: &Registry) -> Vec<Problem> {
    let network = Network::new(definition, registry);
    let problems_of = |workflow: u32| {
        let called = network.name(workflow);
        let problems = check_subworkflow_io(network.workflows[workflow as usize], registry);
        let found_in =
            move |problem: Problem| Problem { message: format!("in {called}: {}", problem.message), ..problem };
        problems.into_iter().map(found_in)
    };
    (1..network.workflows.len() as u32).flat_map(problems_of).collect()
}

/// Checks that no workflow calls itself, by whatever detour; the definition itself takes part.
///
/// Calls that the registry cannot resolve are left to [`check_subworkflow_io`].
pub fn check_subworkflow_cycle(definition: &Definition, registry: &Registry) -> Vec<Problem> {
    let network = Network::new(definition, registry);
    let next = |workflow: u32, n: usize| network.calls[workflow as usize].get(n).copied();
    let describe = |cycle: Vec<u32>| {
        let names: Vec<String> = cycle.iter().map(|&workflow| network.name(workflow)).collect();
        let message = format!("workflows call each other in a circle: {}", round(&names));
        Problem {
            code: Code::SubworkflowCycleDetected,
            nodes: network.callers_in(definition, cycle[0]),
            message,
            part: None,
        }
    };
    graph::cycles(network.calls.len(), 0, next).into_iter().map(describe).collect()
}

/// Checks that workflows call each other through no more levels than allowed; the definition itself is level 0.
///
/// A circle of calls has no depth: it is left to [`check_subworkflow_cycle`].
pub fn check_subworkflow_depth(definition: &Definition, registry: &Registry, depth_max: usize) -> Vec<Problem> {
    let network = Network::new(definition, registry);
    let mut level = BTreeSet::from([0]);
    // Each pass goes one level down, so that a deep network costs no more than the limit allows.
    for _ in 0..=depth_max {
        level = level.iter().flat_map(|&workflow: &u32| &network.calls[workflow as usize]).copied().collect();
    }
    let Some(&deepest) = level.first() else {
        return Vec::new();
    };
    let message =
        format!("{} is called {} levels down, at most {depth_max} are allowed", network.name(deepest), depth_max + 1);
    let nodes = calls(definition).map(|(node, _)| node.to_owned()).collect();
    vec![Problem { code: Code::SubworkflowTooDeep, nodes, message, part: None }]
}

fn calls(definition: &Definition) -> impl Iterator<Item = (&str, &Subworkflow)> {
    definition.nodes.iter().filter_map(|node| match &node.kind {
        NodeKind::Subworkflow(call) => Some((node.id.as_str(), call)),
        _ => None,
    })
}

fn target<'r>(node: &str, call: &Subworkflow, registry: &'r Registry) -> Result<&'r Definition, Problem> {
    let given = |text: &'_ Option<String>| text.clone().filter(|text| !is_blank(text));
    let workflow = given(&call.workflow).ok_or_else(|| {
        Problem::of(Code::SubworkflowRefMissing, node, format!("{node:?} does not say which workflow it calls"))
    })?;
    let version = given(&call.version).ok_or_else(|| {
        let message = format!("{node:?} does not say which version of {workflow:?} it calls");
        Problem::of(Code::SubworkflowVersionUnpinned, node, message)
    })?;
    registry.get(&workflow, &version).ok_or_else(|| {
        let message = format!("{node:?} calls {workflow:?} version {version}, which is not registered");
        Problem::of(Code::SubworkflowNotFound, node, message)
    })
}

fn check_bindings(node: &str, call: &Subworkflow, callee: &Definition, problems: &mut Vec<Problem>) {
    INPUTS.check(node, &call.input_bindings, &callee.inputs, problems);
    OUTPUTS.check(node, &call.output_bindings, &callee.outputs, problems);
}

/// One direction of bindings.
struct Side {
    name: &'static str,
    missing: Code,
    unknown: Code,
    mismatch: Code,
    /// What a text that is looked up at run time begins with.
    lookups: &'static [&'static str],
}

const INPUTS: Side = Side {
    name: "input",
    missing: Code::SubworkflowInputMissing,
    unknown: Code::SubworkflowInputUnknown,
    mismatch: Code::SubworkflowInputTypeMismatch,
    lookups: &["@parent."],
};

const OUTPUTS: Side = Side {
    name: "output",
    missing: Code::SubworkflowOutputMissing,
    unknown: Code::SubworkflowOutputUnknown,
    mismatch: Code::SubworkflowOutputTypeMismatch,
    lookups: &["@child.", "@parent."],
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
        let wanted = match value.as_str().filter(|text| text.starts_with('@')) {
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

/// The beginning of a value.
fn shown(value: &Value) -> String {
    const SHOWN_CHARS_MAX: usize = 60;
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// Which workflow calls which, from the definition on; the definition is number 0.
struct Network<'n> {
    workflows: Vec<&'n Definition>,
    calls: Vec<Vec<u32>>,
}

impl<'n> Network<'n> {
    fn new(root: &'n Definition, registry: &'n Registry) -> Self {
        let mut index = FxHashMap::from_iter([((root.id.as_str(), root.version.as_str()), 0)]);
        let mut network = Self { workflows: vec![root], calls: Vec::new() };
        while let Some(&workflow) = network.workflows.get(network.calls.len()) {
            let mut callees = Vec::new();
            for (_, call) in calls(workflow) {
                let (Some(id), Some(version)) = (call.workflow.as_deref(), call.version.as_deref()) else {
                    continue;
                };
                if let Some(&known) = index.get(&(id, version)) {
                    callees.push(known);
                } else if let Some(callee) = registry.get(id, version) {
                    let number = index.len() as u32;
                    index.insert((&callee.id, &callee.version), number);
                    network.workflows.push(callee);
                    callees.push(number);
                }
            }
            network.calls.push(callees);
        }
        network
    }

    fn name(&self, workflow: u32) -> String {
        let workflow = self.workflows[workflow as usize];
        format!("{} {}", workflow.id, workflow.version)
    }

    /// The calls of the definition by which the cycle is entered, if it is not the definition that begins it.
    fn callers_in(&self, definition: &Definition, first: u32) -> Vec<String> {
        let resolved = calls(definition).filter(|(_, call)| {
            let is = |workflow: u32| {
                let callee = self.workflows[workflow as usize];
                call.workflow.as_deref() == Some(&callee.id) && call.version.as_deref() == Some(&callee.version)
            };
            first == 0 || is(first)
        });
        resolved.map(|(node, _)| node.to_owned()).collect()
    }
}
