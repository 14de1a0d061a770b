//! From a definition that somebody wrote to one that can be run.
//!
//! The checks come in phases: the [structure](check_structure), then the [graph](check_graph), then the links to
//! [sub-workflows](check_subworkflow_io). A phase begins only if the one before found nothing, and reports all it finds.
//! All checks are iterative and linear in the size of the definition.

mod assemble;
mod checks;
mod expressions;
mod firing;
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
mod statuses;
mod structure;
#[cfg(test)]
mod tests;
mod types;
mod warning;
mod ways;

pub(crate) use self::inputs::accept;
pub use self::inputs::{InputError, accept_input};
pub use self::limits::Limits;
pub use self::links::{check_subworkflow_cycle, check_subworkflow_depth, check_subworkflow_io};
pub use self::problem::{Code, CompileError, Part, Phase, Problem};
pub use self::registry::Registry;
pub use self::structure::check_structure;
pub use self::warning::{Warning, WarningCode};

use self::expressions::Expressions;
use self::graph::Graph;
use self::network::Network;
use crate::compiled::Compiled;
use crate::definition::Definition;
use crate::expression::Expression;

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
    let graph = Graph::new(&definition);
    let GraphChecked { expressions, problems, warnings } = check_graph_within(&definition, &graph, limits);
    pass(&definition, Phase::Graph, problems)?;
    let own = Member { graph, expressions };
    if network::calls(&definition).next().is_none() {
        let definition = Definition { workflows: Vec::new(), ..definition };
        return Ok(Compiled { warnings: warnings.into(), ..assemble::assemble(definition, vec![own], &[]) });
    }
    let network = Network::new(&definition, registry);
    pass(&definition, Phase::Links, links::check_links(&network, limits))?;
    let (parts, warnings) = check_called(&definition, &network, limits, own, warnings)?;
    let targets = assemble::targets(&network);
    let called = pinned(&network);
    let definition = Definition { workflows: called, ..definition };
    Ok(Compiled { warnings: warnings.into(), ..assemble::assemble(definition, parts, &targets) })
}

/// One workflow of those that are put together.
struct Member {
    graph: Graph,
    expressions: Expressions,
}

/// Checks the workflows that are called as definitions of their own, in the order of the network.
fn check_called(
    definition: &Definition,
    network: &Network<'_>,
    limits: &Limits,
    own: Member,
    mut warnings: Vec<Warning>,
) -> Result<(Vec<Member>, Vec<Warning>), CompileError> {
    let (mut parts, mut of_structure, mut of_graph) = (vec![own], Vec::new(), Vec::new());
    for (number, called) in (1..).zip(&network.workflows[1..]) {
        let name = network.name(number);
        let structure = check_structure(called, limits);
        if !structure.is_empty() {
            of_structure.extend(structure.into_iter().map(|problem| links::inside(network, number, problem)));
            continue;
        }
        let graph = Graph::new(called);
        let checked = check_graph_within(called, &graph, limits);
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
        parts.push(Member { graph, expressions: checked.expressions });
    }
    pass(definition, Phase::Structure, of_structure)?;
    pass(definition, Phase::Graph, of_graph)?;
    Ok((parts, warnings))
}

/// The workflows that are called, as the definition that calls them keeps them: in the order of the network, which is
/// that of the calls.
fn pinned(network: &Network<'_>) -> Vec<Definition> {
    let called = network.workflows[1..].iter();
    called.map(|&called| Definition { workflows: Vec::new(), ..called.clone() }).collect()
}

/// What the second phase found.
struct GraphChecked {
    expressions: Expressions,
    problems: Vec<Problem>,
    warnings: Vec<Warning>,
}

fn check_graph_within(definition: &Definition, graph: &Graph, limits: &Limits) -> GraphChecked {
    let mut problems = checks::check(definition, graph);
    let expressions = expressions::compile(definition, graph, limits, &mut problems);
    // In a cycle every node is before and behind every other one: nothing could be said of what is read.
    let order = graph.topological();
    let warnings = match order.len() == graph.len() {
        true => {
            let sources = sources(&expressions);
            let mut warnings = reading::check(definition, graph, sources, limits.lookups_max, &mut problems);
            warnings.extend(joins::warn(definition, graph, &order));
            warnings
        }
        false => Vec::new(),
    };
    GraphChecked { expressions, problems, warnings }
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
    check_graph_within(definition, &Graph::new(definition), limits).problems
}

fn pass(definition: &Definition, phase: Phase, problems: Vec<Problem>) -> Result<(), CompileError> {
    if problems.is_empty() {
        return Ok(());
    }
    Err(CompileError::new(definition, phase, problems))
}
