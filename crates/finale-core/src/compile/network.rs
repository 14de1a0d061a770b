//! Which workflow calls which, from one definition on.

use rustc_hash::FxHashMap;

use super::problem::{Code, Problem};
use super::registry::Registry;
use super::{bodies, joins};
use crate::definition::{Definition, GraphRef, InsideRef, NodeKind, Subworkflow};
use crate::path::{NodePath, PathStep};

/// A workflow by id and version.
type Name<'n> = (&'n str, &'n str);

/// The definition, which is number 0, the workflows that it calls and those that they call; each once.
pub(super) struct Network<'n> {
    pub(super) workflows: Vec<&'n Definition>,
    /// By workflow: those that it calls, as often as it calls them, and how deep inside of its nodes it does so.
    pub(super) calls: Vec<Vec<(u32, usize)>>,
    index: FxHashMap<Name<'n>, u32>,
    library: Library<'n>,
}

impl<'n> Network<'n> {
    pub(super) fn new(root: &'n Definition, registry: &'n Registry) -> Self {
        let mut library = Library { registry, local: FxHashMap::default(), conflicts: Vec::new() };
        library.add_all(root);
        let index = FxHashMap::from_iter([(name(root), 0)]);
        let mut network = Self { workflows: vec![root], calls: Vec::new(), index, library };
        while let Some(&workflow) = network.workflows.get(network.calls.len()) {
            let enter = |site: CallSite<'n>| Some((network.enter(site.call)?, site.levels));
            let callees = calls(workflow).into_iter().filter_map(enter).collect();
            network.calls.push(callees);
        }
        network
    }

    /// The number of the workflow that is called, if it is known.
    fn enter(&mut self, call: &'n Subworkflow) -> Option<u32> {
        let name = (call.workflow.as_deref()?, call.version.as_deref()?);
        if let Some(&known) = self.index.get(&name) {
            return Some(known);
        }
        let callee = self.library.get(name)?;
        let number = self.workflows.len() as u32;
        self.index.insert(name, number);
        self.workflows.push(callee);
        Some(number)
    }

    /// The workflow that a call names.
    pub(super) fn find(&self, call: &Subworkflow) -> Option<u32> {
        self.index.get(&(call.workflow.as_deref()?, call.version.as_deref()?)).copied()
    }

    /// Whether some call of a workflow lets it go on after failures, whatever that says itself.
    pub(super) fn goes_on_after_failures(&self, workflow: u32) -> bool {
        let callee = self.workflows[workflow as usize];
        let goes_on = |call: &Subworkflow| call.policy.is_some_and(|policy| !joins::ends_at_first(callee, policy));
        let mut all = self.workflows.iter().flat_map(|caller| calls(caller));
        all.any(|site| self.find(site.call) == Some(workflow) && goes_on(site.call))
    }

    /// A workflow with its version.
    pub(super) fn name(&self, workflow: u32) -> String {
        let (id, version) = name(self.workflows[workflow as usize]);
        format!("{id} {version}")
    }

    /// The ids of all workflows that can be called.
    pub(super) fn known(&self) -> impl Iterator<Item = &str> {
        self.library.local.keys().map(|(id, _)| *id).chain(self.library.registry.ids())
    }

    /// Workflows of one id and version that are not the same.
    pub(super) fn conflicts(&self) -> Vec<Problem> {
        let mut conflicts = self.library.conflicts.clone();
        conflicts.sort_unstable();
        conflicts.dedup();
        let conflict = |(id, version): Name<'_>| {
            let message = format!(
                "there are two different workflows {id:?} version {version}; give one of them another version or id"
            );
            Problem::new(Code::SubworkflowConflict, message)
        };
        conflicts.into_iter().map(conflict).collect()
    }
}

/// The workflows that calls may find.
struct Library<'n> {
    registry: &'n Registry,
    /// Those that definitions bring with them.
    local: FxHashMap<Name<'n>, &'n Definition>,
    conflicts: Vec<Name<'n>>,
}

impl<'n> Library<'n> {
    /// Adds what a definition brings with it, and what that brings with it.
    fn add_all(&mut self, definition: &'n Definition) {
        let root = definition;
        let mut open = vec![definition];
        while let Some(definition) = open.pop() {
            for brought in &definition.workflows {
                let is_root = name(brought) == name(root);
                let known = if is_root { Some(root) } else { self.local.insert(name(brought), brought) };
                if known.is_some_and(|known| !is_same(known, brought)) {
                    self.conflicts.push(name(brought));
                }
                open.push(brought);
            }
        }
    }

    fn get(&mut self, wanted: Name<'_>) -> Option<&'n Definition> {
        let registered = self.registry.get(wanted.0, wanted.1);
        let Some(&local) = self.local.get(&wanted) else {
            registered.into_iter().for_each(|found| self.add_all(found));
            return registered;
        };
        if registered.is_some_and(|registered| !is_same(registered, local)) {
            self.conflicts.push(name(local));
        }
        Some(local)
    }
}

/// Whether two definitions run the same; the workflows that they bring with them are compared where they are called.
fn is_same(one: &Definition, other: &Definition) -> bool {
    let Definition {
        id,
        name,
        version,
        inputs,
        outputs,
        input_schema,
        output_schema,
        policy,
        output,
        finally,
        ending_within,
        nodes,
        edges,
        workflows: _,
    } = one;
    std::ptr::eq(one, other)
        || (id, name, version, inputs) == (&other.id, &other.name, &other.version, &other.inputs)
            && (outputs, policy, output) == (&other.outputs, &other.policy, &other.output)
            && (input_schema, output_schema) == (&other.input_schema, &other.output_schema)
            && (finally, ending_within) == (&other.finally, &other.ending_within)
            && (nodes, edges) == (&other.nodes, &other.edges)
}

fn name(definition: &Definition) -> Name<'_> {
    (&definition.id, &definition.version)
}

/// Where another workflow is called.
pub(super) struct CallSite<'d> {
    /// The node, by the way to it through the nodes that it is inside of.
    pub(super) node: String,
    pub(super) call: &'d Subworkflow,
    /// How many nodes it is inside of.
    pub(super) levels: usize,
    /// Whether it is the whole body of the node that it is inside of.
    pub(super) is_body: bool,
}

/// The calls of a definition, those inside of its nodes included, and those that undo nodes or run at the end.
pub(super) fn calls(definition: &Definition) -> Vec<CallSite<'_>> {
    let (mut found, mut next) = (Vec::new(), 0);
    let mut open: Vec<(GraphRef<'_>, Vec<PathStep>)> = vec![(definition.as_graph(), Vec::new())];
    while let Some((graph, within)) = open.get(next).cloned() {
        next += 1;
        let name = |within: &[PathStep], id: &str| match within {
            [] => id.to_owned(),
            within => NodePath::new(within.to_vec(), id).to_string(),
        };
        let levels = within.len();
        for node in graph.nodes {
            if let NodeKind::Subworkflow(call) = &node.kind {
                found.push(CallSite { node: name(&within, &node.id), call, levels, is_body: false });
            }
        }
        for (place, role, inside) in graph.bodies() {
            let within: Vec<_> = within.iter().cloned().chain([bodies::step(graph, place, role)]).collect();
            match inside {
                InsideRef::Graph(graph) => open.push((graph.as_graph(), within)),
                InsideRef::Call(call) => {
                    let node = name(&within, graph.single_id(place, role));
                    found.push(CallSite { node, call, levels: levels + 1, is_body: true });
                }
                InsideRef::Task(_) => {}
            }
        }
    }
    found
}

/// How many nodes a definition has in all, those of bodies included, and how deep they are inside of each other.
pub(super) fn size(definition: &Definition) -> (usize, usize) {
    let (mut count, mut depth, mut next) = (0, 0, 0);
    let mut open: Vec<(GraphRef<'_>, usize)> = vec![(definition.as_graph(), 0)];
    while let Some(&(graph, level)) = open.get(next) {
        next += 1;
        count += graph.nodes.len();
        depth = depth.max(level);
        for (_, _, inside) in graph.bodies() {
            match inside {
                InsideRef::Graph(graph) => open.push((graph.as_graph(), level + 1)),
                InsideRef::Task(_) | InsideRef::Call(_) => {
                    count += 1;
                    depth = depth.max(level + 1);
                }
            }
        }
    }
    (count, depth)
}
