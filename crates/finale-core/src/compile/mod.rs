//! From a definition that somebody wrote to one that can be run.
//!
//! The checks come in phases: the [structure](check_structure), then the [graph](check_graph), then the links to
//! [sub-workflows](check_subworkflow_io). A phase begins only if the one before found nothing, and reports all it finds.
//! All checks are iterative and linear in the size of the definition.

mod assemble;
mod bodies;
mod checks;
mod expressions;
mod firing;
mod fixed;
mod graph;
mod inputs;
mod joins;
mod limits;
mod links;
mod network;
mod nodes;
mod post_dominators;
mod problem;
mod reading;
mod registry;
mod retries;
mod schemas;
mod skipped;
mod statuses;
mod structure;
#[cfg(test)]
mod tests;
mod types;
mod waits;
mod ways;

pub(crate) use self::inputs::accept;
pub use self::inputs::{InputError, accept_input};
pub use self::limits::Limits;
pub use self::links::{check_subworkflow_cycle, check_subworkflow_depth, check_subworkflow_io};
pub use self::problem::{Code, CompileError, Part, Phase, Problem};
pub use self::registry::Registry;
pub use self::schemas::{DeclaredSchema, declared_schemas};
pub use self::structure::check_structure;
pub use crate::warning::{Warning, WarningCode};

use self::assemble::Targets;
use self::bodies::{Opener, WorkflowGraph, parts};
use self::expressions::{Expressions, Level, Scenery};
use self::graph::Graph;
use self::network::Network;
use crate::compiled::Compiled;
use crate::definition::{BodyRole, Definition};
use crate::expression::Expression;
use crate::path::NodePath;

/// Checks a definition and makes what can be run.
///
/// ```
/// use finale_core::compile::{Registry, compile};
/// use finale_core::definition::Definition;
///
/// let definition: Definition = serde_json::from_str(
///     r#"{
///         "id": "greet", "name": "Greet somebody",
///         "nodes": [
///             {"id": "start", "label": "Start", "kind": "start"},
///             {"id": "hello", "label": "Say hello", "kind": {"task": {"title": "Say hello"}}},
///             {"id": "end", "label": "End", "kind": "end"}
///         ],
///         "edges": [{"id": "1", "source": "start", "target": "hello"}]
///     }"#,
/// )?;
/// let error = compile(definition, &Registry::new()).unwrap_err();
/// assert_eq!(error.to_string(), r#"workflow "greet" has 1 problem in its graph:
///   end_not_reachable: no way leads from the start to the end "end""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn compile(definition: Definition, registry: &Registry) -> Result<Compiled, CompileError> {
    compile_within(definition, registry, &Limits::default())
}

/// Like [`compile()`], with other limits than the default ones.
pub fn compile_within(definition: Definition, registry: &Registry, limits: &Limits) -> Result<Compiled, CompileError> {
    pass(&definition, Phase::Structure, check_structure(&definition, limits))?;
    let GraphChecked { members, problems, warnings } = check_graph_within(&definition, limits);
    pass(&definition, Phase::Graph, problems)?;
    if members.len() == 1 && network::calls(&definition).is_empty() {
        let definition = Definition { workflows: Vec::new(), ..definition };
        return named_apart(Compiled {
            warnings: warnings.into(),
            items_max: limits.items_max,
            ..assemble::assemble(definition, vec![members], &Targets::default())
        });
    }
    let network = Network::new(&definition, registry);
    pass(&definition, Phase::Links, links::check_links(&network, limits))?;
    let (all, warnings) = check_called(&definition, &network, limits, members, warnings)?;
    let targets = assemble::targets(&network);
    let called = pinned(&network);
    let definition = Definition { workflows: called, ..definition };
    let items_max = limits.items_max;
    named_apart(Compiled { warnings: warnings.into(), items_max, ..assemble::assemble(definition, all, &targets) })
}

/// Refuses ids of the definition's own nodes that are the paths of nodes inside of others.
///
/// Inside, an id with a sign of paths in it has a `\` before that, which the nodes of the definition itself do without.
fn named_apart(compiled: Compiled) -> Result<Compiled, CompileError> {
    let definition = compiled.definition();
    let ids = definition.nodes.iter().map(|node| node.id.as_str());
    let is_path = |id: &&str| {
        let path = id.parse::<NodePath>().ok().filter(|path| !path.within().is_empty());
        path.is_some_and(|path| compiled.node_at(&path).is_some())
    };
    let ambiguous = |id: &str| {
        Problem::of(
            Code::AmbiguousNodeId,
            id,
            format!("the id {id:?} is also the path of a node inside of another one"),
        )
    };
    let problems = ids.filter(|id| id.contains("::")).filter(is_path).map(ambiguous).collect();
    pass(definition, Phase::Graph, problems)?;
    Ok(compiled)
}

/// One graph of those that are put together.
struct Member {
    /// The graph as a definition, if it is written inside of a node; else it is that of the workflow.
    body: Option<Definition>,
    /// Where it is written.
    outer: Option<Opener>,
    graph: Graph,
    expressions: Expressions,
    /// The nodes around it that it looks at, as places in the graph that it is written in.
    captures: Vec<u32>,
}

/// Checks the workflows that are called as definitions of their own, in the order of the network.
fn check_called(
    definition: &Definition,
    network: &Network<'_>,
    limits: &Limits,
    own: Vec<Member>,
    mut warnings: Vec<Warning>,
) -> Result<(Vec<Vec<Member>>, Vec<Warning>), CompileError> {
    let (mut all, mut of_structure, mut of_graph) = (vec![own], Vec::new(), Vec::new());
    for (number, called) in (1..).zip(&network.workflows[1..]) {
        let name = network.name(number);
        let structure = check_structure(called, limits);
        if !structure.is_empty() {
            of_structure.extend(structure.into_iter().map(|problem| links::inside(network, number, problem)));
            continue;
        }
        let checked = check_graph_within(called, limits);
        of_graph.extend(checked.problems.into_iter().map(|problem| links::inside(network, number, problem)));
        // Its nodes are no nodes of the definition.
        let inside = |warning: Warning| Warning {
            message: format!("in {name}: {}", warning.message),
            nodes: Vec::new(),
            ..warning
        };
        let overruled = network.goes_on_after_failures(number);
        let holds = |warning: &Warning| warning.code != WarningCode::NeverFires || !overruled;
        warnings.extend(checked.warnings.into_iter().filter(holds).map(inside));
        all.push(checked.members);
    }
    pass(definition, Phase::Structure, of_structure)?;
    pass(definition, Phase::Graph, of_graph)?;
    Ok((all, warnings))
}

/// The workflows that are called, as the definition that calls them keeps them: in the order of the network, which is
/// that of the calls.
fn pinned(network: &Network<'_>) -> Vec<Definition> {
    let called = network.workflows[1..].iter();
    called.map(|&called| Definition { workflows: Vec::new(), ..called.clone() }).collect()
}

/// What the second phase found.
struct GraphChecked {
    /// The graphs of the workflow, each before those inside of it.
    members: Vec<Member>,
    problems: Vec<Problem>,
    warnings: Vec<Warning>,
}

fn check_graph_within(definition: &Definition, limits: &Limits) -> GraphChecked {
    // What is nested too deep was refused as structure.
    let (parts, _) = parts(definition, limits.subworkflow_depth_max);
    let graphs: Vec<Graph> = parts.iter().map(|part| Graph::new(&part.definition)).collect();
    let (mut problems, mut lookups) = (Vec::new(), limits.lookups_max);
    let mut compiled = Vec::new();
    for (part, graph) in parts.iter().zip(&graphs) {
        let mut of_part = checks::check(&part.definition, graph, part.is_single);
        let around = around(&parts, &graphs, part);
        let definition = &*part.definition;
        let scenery = Scenery { definition, graph, around: &around, locals: &part.locals, is_single: part.is_single };
        compiled.push(expressions::compile(&scenery, limits, &mut lookups, &mut of_part));
        problems.extend(of_part.into_iter().map(|problem| part.located(problem)));
    }
    let captures = captures(&parts, &graphs, &compiled);
    let captured = captured(&parts, &captures);
    let mut warnings = Vec::new();
    for (number, (part, graph)) in parts.iter().zip(&graphs).enumerate() {
        // In a cycle every node is before and behind every other one: nothing could be said of what is read.
        let order = graph.topological();
        if order.len() < graph.len() {
            continue;
        }
        let (definition, sources) = (&*part.definition, sources(&compiled[number]));
        let mut of_part = Vec::new();
        let budget = limits.lookups_max;
        let mut of_graph = reading::check(definition, graph, sources, &captured[number], budget, &mut of_part);
        of_graph.extend(joins::warn(definition, graph, &order));
        warnings.extend(of_graph.into_iter().map(|warning| part.warned(warning)));
        problems.extend(of_part.into_iter().map(|problem| part.located(problem)));
    }
    let members = parts.into_iter().zip(graphs).zip(compiled).zip(captures);
    let members = members.map(|(((part, graph), expressions), captures)| Member {
        outer: part.outer,
        body: part.into_body(),
        graph,
        expressions,
        captures,
    });
    GraphChecked { members: members.collect(), problems, warnings }
}

/// By part: which of its nodes have something inside that looks at which other nodes of it.
fn captured(parts: &[WorkflowGraph<'_>], captures: &[Vec<u32>]) -> Vec<Vec<(u32, u32)>> {
    let mut captured = vec![Vec::new(); parts.len()];
    for (part, read) in parts.iter().zip(captures) {
        // What undoes a node, and what runs at the end, begins when everything around it is settled.
        if let Some(Opener { part: outer, place, role: BodyRole::Inside }) = part.outer {
            captured[outer].extend(read.iter().map(|read| (place, *read)));
        }
    }
    captured
}

/// The graphs around a part, the nearest first.
fn around<'p>(parts: &'p [WorkflowGraph<'_>], graphs: &'p [Graph], part: &WorkflowGraph<'_>) -> Vec<Level<'p>> {
    let (mut around, mut outer) = (Vec::new(), part.outer);
    let mut first = part.definition.nodes.len() as u32;
    while let Some(Opener { part, place, role }) = outer {
        let definition = &*parts[part].definition;
        around.push(Level { definition, graph: &graphs[part], opener: place, role, first });
        first += definition.nodes.len() as u32;
        outer = parts[part].outer;
    }
    around
}

/// By part: the nodes around it that it or what is inside of it looks at, as places in the graph that it is written in.
fn captures(parts: &[WorkflowGraph<'_>], graphs: &[Graph], compiled: &[Expressions]) -> Vec<Vec<u32>> {
    let mut captures = vec![Vec::new(); parts.len()];
    for (number, (part, expressions)) in parts.iter().zip(compiled).enumerate() {
        let around = around(parts, graphs, part);
        let own = part.definition.nodes.len() as u32;
        for node in expressions.all().flat_map(Expression::nodes).filter(|node| *node >= own) {
            let (mut inside, mut at) = (number, parts[number].outer);
            for level in &around {
                let place = node.checked_sub(level.first);
                if let Some(place) = place.filter(|place| (*place as usize) < level.definition.nodes.len()) {
                    captures[inside].push(place);
                    break;
                }
                if let Some(outer) = at {
                    (inside, at) = (outer.part, parts[outer.part].outer);
                }
            }
        }
    }
    for places in &mut captures {
        places.sort_unstable();
        places.dedup();
    }
    captures
}

/// The texts that compile, each with its node; the output has none.
fn sources(expressions: &Expressions) -> impl Iterator<Item = reading::Source<'_>> {
    let of_nodes = (0..).zip(expressions.nodes.iter().zip(&expressions.results));
    let of_nodes = of_nodes.flat_map(|(node, (expression, result))| {
        let all = expression.iter().chain(result);
        all.flat_map(Expression::sources).map(move |source| (Some(node), source))
    });
    of_nodes.chain(expressions.output.iter().flat_map(Expression::sources).map(|source| (None, source)))
}

/// Checks ways, cycles, expressions and what each kind of node needs.
///
/// What [`check_structure`] would refuse does no harm here and may go unmentioned.
pub fn check_graph(definition: &Definition, limits: &Limits) -> Vec<Problem> {
    check_graph_within(definition, limits).problems
}

fn pass(definition: &Definition, phase: Phase, problems: Vec<Problem>) -> Result<(), CompileError> {
    if problems.is_empty() {
        return Ok(());
    }
    Err(CompileError::new(definition, phase, problems))
}
