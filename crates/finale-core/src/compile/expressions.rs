//! The expressions of a definition, compiled; the second half of the second phase.

use super::graph::{Graph, numbers};
use super::joins::Incoming;
use super::limits::Limits;
use super::problem::{Code, Problem};
use crate::definition::{Definition, Node, NodeKind};
use crate::expression::Expression;

/// The expressions of a definition.
#[derive(Debug)]
pub(super) struct Expressions {
    /// By node: its condition or its input.
    pub(super) nodes: Vec<Option<Expression>>,
    pub(super) output: Option<Expression>,
}

/// Compiles all expressions, and reports those that are none.
pub(super) fn compile(
    definition: &Definition,
    graph: &Graph,
    limits: &Limits,
    problems: &mut Vec<Problem>,
) -> Expressions {
    let mut compiler =
        Compiler { definition, graph, upstream: Upstream::new(graph.len(), limits.lookups_max), problems };
    let incoming = Incoming::of_all(graph);
    let nodes = (0..).zip(definition.nodes.iter().zip(incoming));
    let nodes = nodes.map(|(position, (node, into))| compiler.node(position, node, into.has_caught)).collect();
    let output = compiler.output();
    if compiler.upstream.is_exhausted {
        let message = format!(
            "the expressions with `vars` look back at more than {} nodes and edges; name nodes instead: `nodes.name.output`",
            limits.lookups_max
        );
        compiler.problems.push(Problem::new(Code::TooManyLookups, message));
    }
    Expressions { nodes, output }
}

struct Compiler<'c> {
    definition: &'c Definition,
    graph: &'c Graph,
    upstream: Upstream,
    problems: &'c mut Vec<Problem>,
}

impl Compiler<'_> {
    fn node(&mut self, position: u32, node: &Node, handles_failures: bool) -> Option<Expression> {
        let (definition, graph, upstream) = (self.definition, self.graph, &mut self.upstream);
        let mut tasks = || upstream.tasks(definition, graph, position);
        let id = &node.id;
        let compiled = match &node.kind {
            NodeKind::Conditional(conditional) => {
                let compiled = Expression::compile(conditional.condition.as_deref()?, &graph.index, tasks);
                compiled.map_err(|error| format!("the condition of {id:?} is no expression: {error}"))
            }
            NodeKind::Task(task) => match (&task.input, &task.with) {
                (None, None) => return None,
                (Some(_), Some(_)) => Err(format!("{id:?} has both an `input` and a `with`: one of them is its input")),
                (Some(input), None) => {
                    let compiled = Expression::compile(input, &graph.index, tasks);
                    compiled.map_err(|error| format!("the input of {id:?} is no expression: {error}"))
                }
                (None, Some(document)) => {
                    let compiled = Expression::document(document.payload(), &graph.index, &mut tasks);
                    compiled.map_err(|error| format!("the input of {id:?} cannot be made: {error}"))
                }
            },
            _ => return None,
        };
        let compiled = compiled.and_then(|expression| match expression.reads_failures() && !handles_failures {
            true => Err(format!(
                "{id:?} reads `failure`, which is known only at a node that another one names in its `on_failure`"
            )),
            false => Ok(expression),
        });
        let report = |message| self.problems.push(Problem::of(Code::ExpressionInvalid, id, message));
        compiled.map_err(report).ok()
    }

    fn output(&mut self) -> Option<Expression> {
        let source = self.definition.output.as_deref()?;
        let tasks = || numbers(self.graph.len()).filter(|&node| is_task(self.definition, node)).collect();
        let compiled = Expression::compile(source, &self.graph.index, tasks).map_err(|error| error.to_string());
        let compiled = compiled.and_then(|expression| match expression.reads_failures() {
            true => Err("it reads `failure`, which is known only where a failure is handled".to_owned()),
            false => Ok(expression),
        });
        let report = |error| {
            let message = format!("the output of the workflow is no expression: {error}");
            self.problems.push(Problem::new(Code::ExpressionInvalid, message));
        };
        compiled.map_err(report).ok()
    }
}

fn is_task(definition: &Definition, node: u32) -> bool {
    matches!(definition.nodes[node as usize].kind, NodeKind::Task(_))
}

/// Finds the tasks before a node, within a budget for all nodes together.
struct Upstream {
    /// By node: the search that saw it last.
    seen: Vec<u32>,
    search: u32,
    budget: usize,
    is_exhausted: bool,
}

impl Upstream {
    fn new(count: usize, budget: usize) -> Self {
        Self { seen: vec![0; count], search: 0, budget, is_exhausted: false }
    }

    /// The tasks before a node in the order of the definition.
    fn tasks(&mut self, definition: &Definition, graph: &Graph, node: u32) -> Vec<u32> {
        self.search += 1;
        let mut tasks = Vec::new();
        let mut open = vec![node];
        while let Some(node) = open.pop() {
            let before = graph.into.of(node);
            if !self.spend(1 + before.len()) {
                return Vec::new();
            }
            for &source in before {
                if std::mem::replace(&mut self.seen[source as usize], self.search) != self.search {
                    open.push(source);
                    tasks.extend(is_task(definition, source).then_some(source));
                }
            }
        }
        tasks.sort_unstable();
        tasks
    }

    fn spend(&mut self, cost: usize) -> bool {
        match self.budget.checked_sub(cost) {
            Some(budget) => self.budget = budget,
            None => self.is_exhausted = true,
        }
        !self.is_exhausted
    }
}

/// The tasks that `vars` shows to the expression of a node.
#[cfg(test)]
pub(super) fn upstream_of(definition: &Definition, graph: &Graph, node: u32) -> Vec<u32> {
    Upstream::new(graph.len(), usize::MAX).tasks(definition, graph, node)
}
