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

pub use self::inputs::{InputError, accept_input};
pub use self::limits::Limits;
pub use self::links::{check_subworkflow_cycle, check_subworkflow_depth, check_subworkflow_io};
pub use self::problem::{Code, CompileError, Part, Phase, Problem};
pub use self::registry::Registry;
pub use self::structure::check_structure;
pub use self::warning::{Warning, WarningCode};

use self::expressions::Expressions;
use self::graph::Graph;
use crate::compiled::Compiled;
use crate::definition::{Definition, NodeKind};
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
    pass(&definition, Phase::Links, check_links(&definition, registry, limits))?;
    Ok(Compiled { warnings: warnings.into(), ..assemble::assemble(definition, graph, expressions) })
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
    let of_nodes = (0..).zip(&expressions.nodes);
    let of_nodes = of_nodes.flat_map(|(node, expression)| {
        expression.iter().flat_map(Expression::sources).map(move |source| (Some(node), source))
    });
    of_nodes.chain(expressions.output.iter().flat_map(Expression::sources).map(|source| (None, source)))
}

/// Checks ways, cycles, expressions and what each kind of node needs.
///
/// What [`check_structure`] would refuse does no harm here and may go unmentioned.
pub fn check_graph(definition: &Definition, limits: &Limits) -> Vec<Problem> {
    check_graph_within(definition, &Graph::new(definition), limits).problems
}

fn check_links(definition: &Definition, registry: &Registry, limits: &Limits) -> Vec<Problem> {
    if !definition.nodes.iter().any(|node| matches!(node.kind, NodeKind::Subworkflow(_))) {
        return Vec::new();
    }
    let mut problems = check_subworkflow_io(definition, registry);
    problems.extend(links::check_called_io(definition, registry));
    let cycles = check_subworkflow_cycle(definition, registry);
    if cycles.is_empty() {
        problems.extend(check_subworkflow_depth(definition, registry, limits.subworkflow_depth_max));
    }
    problems.extend(cycles);
    problems
}

fn pass(definition: &Definition, phase: Phase, problems: Vec<Problem>) -> Result<(), CompileError> {
    if problems.is_empty() {
        return Ok(());
    }
    Err(CompileError::new(definition, phase, problems))
}
