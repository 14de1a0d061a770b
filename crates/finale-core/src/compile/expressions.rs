//! The expressions of a definition, compiled; the second half of the second phase.

use std::collections::BTreeMap;

use serde_json::Value;

use super::graph::{Graph, numbers};
use super::joins::Incoming;
use super::limits::Limits;
use super::problem::{Code, Problem};
use crate::definition::{Definition, Document, Node, NodeKind};
use crate::expression::{Expression, ExpressionError, Local, Names};
use crate::payload::Payload;

/// The expressions of a definition.
#[derive(Debug)]
pub(super) struct Expressions {
    /// By node: its condition or its input.
    pub(super) nodes: Vec<Option<Expression>>,
    /// By node: what becomes of the output of what it calls, if that is not simply its own.
    pub(super) results: Vec<Option<Expression>>,
    /// The `vars` of the whole workflow, for who calls it.
    pub(super) vars: Expression,
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
    let nodes = (0..).zip(definition.nodes.iter().zip(&incoming));
    let nodes = nodes.map(|(position, (node, into))| compiler.node(position, node, into.has_caught)).collect();
    let results = (0..).zip(definition.nodes.iter().zip(&incoming));
    let results = results.map(|(position, (node, into))| compiler.result(position, node, into.has_caught)).collect();
    let output = compiler.output();
    let vars = compiler.whole_vars();
    if compiler.upstream.is_exhausted {
        let message = format!(
            "the expressions with `vars` look back at more than {} nodes and edges; name nodes instead: `nodes.name.output`",
            limits.lookups_max
        );
        compiler.problems.push(Problem::new(Code::TooManyLookups, message));
    }
    Expressions { nodes, results, vars, output }
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
            NodeKind::Task(task) => input(id, task.input.as_deref(), task.with.as_ref(), graph, tasks)?,
            NodeKind::Subworkflow(call) if call.is_bound_by_name() => bound(&call.input_bindings, graph, &mut tasks)
                .map_err(|error| format!("the input of {id:?} cannot be made: {error}")),
            NodeKind::Subworkflow(call) => input(id, call.input.as_deref(), call.with.as_ref(), graph, tasks)?,
            _ => return None,
        };
        let compiled = compiled.and_then(|expression| knows_failures(id, expression, handles_failures));
        let report = |message| self.problems.push(Problem::of(Code::ExpressionInvalid, id, message));
        compiled.map_err(report).ok()
    }

    /// What becomes of the output of a workflow that is called.
    fn result(&mut self, position: u32, node: &Node, handles_failures: bool) -> Option<Expression> {
        let NodeKind::Subworkflow(call) = &node.kind else { return None };
        let (definition, graph, upstream) = (self.definition, self.graph, &mut self.upstream);
        let mut tasks = || upstream.tasks(definition, graph, position);
        let compiled = match &call.output {
            Some(output) => {
                let names = Names { nodes: &graph.index, locals: &[Local::Output] };
                Expression::compile(output, names, tasks)
            }
            None if call.output_bindings.is_empty() => return None,
            None => bound(&call.output_bindings, graph, &mut tasks),
        };
        let id = &node.id;
        let compiled = compiled.map_err(|error| format!("the output of {id:?} is no expression: {error}"));
        let compiled = compiled.and_then(|expression| knows_failures(id, expression, handles_failures));
        let report = |message| self.problems.push(Problem::of(Code::ExpressionInvalid, id, message));
        compiled.map_err(report).ok()
    }

    /// What `vars` shows when all is done.
    fn whole_vars(&mut self) -> Expression {
        let tasks = || numbers(self.graph.len()).filter(|&node| is_work(self.definition, node)).collect();
        Expression::compile("vars", &self.graph.index, tasks).expect("it is one name that is always known")
    }

    fn output(&mut self) -> Option<Expression> {
        let source = self.definition.output.as_deref()?;
        let tasks = || numbers(self.graph.len()).filter(|&node| is_work(self.definition, node)).collect();
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

/// The expression, unless it reads failures at a node that handles none.
fn knows_failures(id: &str, expression: Expression, handles_failures: bool) -> Result<Expression, String> {
    match expression.reads_failures() && !handles_failures {
        true => Err(format!(
            "{id:?} reads `failure`, which is known only at a node that another one names in its `on_failure`"
        )),
        false => Ok(expression),
    }
}

fn is_work(definition: &Definition, node: u32) -> bool {
    matches!(definition.nodes[node as usize].kind, NodeKind::Task(_) | NodeKind::Subworkflow(_))
}

/// The input of a node, from an expression or from a document; nothing if it says neither.
fn input(
    id: &str,
    input: Option<&str>,
    with: Option<&Document>,
    graph: &Graph,
    mut tasks: impl FnMut() -> Vec<u32>,
) -> Option<Result<Expression, String>> {
    Some(match (input, with) {
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
    })
}

/// An object of values and of look-ups: `@parent.a.b` in the `vars` of the caller, `@child.a.b` in those of the called.
fn bound(
    bindings: &BTreeMap<String, Value>,
    graph: &Graph,
    tasks: &mut impl FnMut() -> Vec<u32>,
) -> Result<Expression, ExpressionError> {
    let names = Names { nodes: &graph.index, locals: &[Local::Child] };
    let binding = |(name, value): (&String, &Value)| {
        let lookup = value.as_str().and_then(lookup);
        let value = match lookup {
            Some(source) => Expression::compile(&source, names, &mut *tasks)?,
            // What is nested too deep for a payload was refused where it was read.
            None => Expression::literal(Payload::encode(value).unwrap_or_default()),
        };
        Ok((name.clone(), value))
    };
    let members: Result<Vec<_>, _> = bindings.iter().map(binding).collect();
    Ok(Expression::object(members?.into_iter()))
}

/// The expression that a look-up stands for; none if the text is none.
fn lookup(text: &str) -> Option<String> {
    let (root, path) = match text.split_once('.')? {
        ("@parent", path) => ("vars", path),
        ("@child", path) => ("child", path),
        _ => return None,
    };
    let keys = path.split('.').map(|key| format!("[{}]", Value::from(key)));
    Some(std::iter::once(root.to_owned()).chain(keys).collect())
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
                    tasks.extend(is_work(definition, source).then_some(source));
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
