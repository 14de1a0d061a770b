//! The expressions of a definition, compiled; the second half of the second phase.

use std::collections::BTreeMap;

use serde_json::Value;

use super::fixed;
use super::graph::{Graph, numbers};
use super::joins::Incoming;
use super::limits::Limits;
use super::problem::{Code, Problem};
use crate::definition::{BodyRole, Definition, Document, Items, LoopCondition, Map, Node, NodeKind, Wait};
use crate::expression::{Around, Expression, ExpressionError, Local, Names};
use crate::payload::Payload;

/// The expressions of a definition.
#[derive(Debug)]
pub(super) struct Expressions {
    /// By node: its condition, its input or its items.
    pub(super) nodes: Vec<Option<Expression>>,
    /// By node: what becomes of the output of what it calls, if that is not simply its own.
    pub(super) results: Vec<Option<Expression>>,
    /// The `vars` of the whole workflow, for who calls it.
    pub(super) vars: Expression,
    pub(super) output: Option<Expression>,
}

/// A graph around the one whose expressions are compiled.
#[derive(Clone, Copy)]
pub(super) struct Level<'c> {
    pub(super) definition: &'c Definition,
    pub(super) graph: &'c Graph,
    /// The node of it that has the nearer graph inside.
    pub(super) opener: u32,
    /// What the nearer graph is for.
    pub(super) role: BodyRole,
    /// What is added to the numbers of its nodes.
    pub(super) first: u32,
}

/// What expressions may be about.
pub(super) struct Scenery<'c> {
    pub(super) definition: &'c Definition,
    pub(super) graph: &'c Graph,
    /// The graphs around that, the nearest first.
    pub(super) around: &'c [Level<'c>],
    /// What is known beside `input`, `nodes` and `vars`.
    pub(super) locals: &'c [Local],
    /// Whether it is one task or call that is the whole body of a node.
    pub(super) is_single: bool,
}

impl Expressions {
    /// All of them that are evaluated in the graph itself.
    pub(super) fn all(&self) -> impl Iterator<Item = &Expression> {
        self.nodes.iter().chain(&self.results).flatten().chain(&self.output)
    }
}

/// Compiles all expressions, and reports those that are none; `lookups` is how many nodes they may still look back at.
pub(super) fn compile(
    scenery: &Scenery<'_>,
    limits: &Limits,
    lookups: &mut usize,
    problems: &mut Vec<Problem>,
) -> Expressions {
    let Scenery { definition, graph, around, locals, is_single } = *scenery;
    let names: Vec<Around<'_>> =
        around.iter().map(|level| Around { nodes: &level.graph.index, first: level.first }).collect();
    let upstream = Upstream::new(graph.len(), around, lookups);
    let mut compiler = Compiler { definition, graph, around: &names, locals, is_single, upstream, problems };
    let incoming = Incoming::of_all(graph);
    let nodes = (0..).zip(definition.nodes.iter().zip(&incoming));
    let nodes: Vec<_> = nodes.map(|(position, (node, into))| compiler.node(position, node, into.has_caught)).collect();
    for (node, expression) in definition.nodes.iter().zip(&nodes) {
        compiler.check_items(node, expression.as_ref(), limits);
        compiler.problems.extend(expression.as_ref().and_then(|expression| fixed::check(node, expression)));
    }
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
    around: &'c [Around<'c>],
    locals: &'c [Local],
    is_single: bool,
    upstream: Upstream<'c>,
    problems: &'c mut Vec<Problem>,
}

impl<'c> Compiler<'c> {
    /// The names that an expression of the graph may use.
    fn names(&self) -> Names<'c> {
        Names { nodes: &self.graph.index, around: self.around, locals: self.locals }
    }

    fn node(&mut self, position: u32, node: &Node, handles_failures: bool) -> Option<Expression> {
        let names = self.names();
        let (definition, graph, upstream) = (self.definition, self.graph, &mut self.upstream);
        let mut tasks = || upstream.tasks(definition, graph, position);
        let id = &node.id;
        let compiled = match &node.kind {
            NodeKind::Conditional(conditional) => {
                let compiled = Expression::compile(conditional.condition.as_deref()?, names, tasks);
                compiled.map_err(|error| format!("the condition of {id:?} is no expression: {error}"))
            }
            NodeKind::Map(Map { items: Items::Expression(items), .. }) => Expression::compile(items, names, tasks)
                .map_err(|error| format!("what {id:?} goes over is no expression: {error}")),
            NodeKind::Map(Map { items: Items::List(list), .. }) => {
                let compiled = Expression::document(list.payload(), names, &mut tasks);
                compiled.map_err(|error| format!("what {id:?} goes over cannot be made: {error}"))
            }
            NodeKind::Loop(repeated) => {
                let known: &[Local] = match repeated.condition {
                    LoopCondition::Until(_) => &[Local::Output, Local::Round, Local::Previous],
                    LoopCondition::While(_) => &[Local::Round, Local::Previous],
                };
                let locals = known.iter().fold(names.locals.to_vec(), |locals, local| with_local(*local, &locals));
                let names = Names { locals: &locals, ..names };
                let compiled = Expression::compile(repeated.condition.expression(), names, tasks);
                compiled.map_err(|error| format!("the condition of {id:?} is no expression: {error}"))
            }
            NodeKind::Wait(Wait::Until(moment)) => Expression::compile(moment, names, tasks)
                .map_err(|error| format!("the moment that {id:?} waits for is no expression: {error}")),
            NodeKind::Wait(Wait::Signal(signal)) if signal.is_evaluated() => {
                let name = Payload::encode(&signal.name).unwrap_or_default();
                Expression::document(&name, names, &mut tasks)
                    .map_err(|error| format!("the name of the signal that {id:?} waits for cannot be made: {error}"))
            }
            NodeKind::Task(task) => input(id, task.input.as_deref(), task.with.as_ref(), names, tasks)?,
            NodeKind::Subworkflow(call) if self.is_single && call.binds_nothing() => {
                // It is given what its body is given.
                Expression::compile("input", names, tasks).map_err(|error| error.to_string())
            }
            NodeKind::Subworkflow(call) if call.is_bound_by_name() => bound(&call.input_bindings, names, &mut tasks)
                .map_err(|error| format!("the input of {id:?} cannot be made: {error}")),
            NodeKind::Subworkflow(call) => input(id, call.input.as_deref(), call.with.as_ref(), names, tasks)?,
            _ => return None,
        };
        let compiled = compiled.and_then(|expression| knows_failures(id, expression, handles_failures));
        let report = |message| self.problems.push(Problem::of(Code::ExpressionInvalid, id, message));
        compiled.map_err(report).ok()
    }

    /// Whether what a map goes over is a list that is not too long, where that is known already.
    fn check_items(&mut self, node: &Node, expression: Option<&Expression>, limits: &Limits) {
        let NodeKind::Map(map) = &node.kind else { return };
        let id = &node.id;
        let list = match &map.items {
            Items::List(document) => Some(document.payload()),
            Items::Expression(_) => expression.and_then(Expression::as_literal),
        };
        let Some(list) = list else { return };
        let (code, message) = match count_items(list) {
            Err(_) => (Code::BadItems, format!("what map {id:?} goes over is no list")),
            Ok(count) if count > limits.items_max as usize => {
                let message = format!("map {id:?} has {count} items, at most {} are allowed", limits.items_max);
                (Code::TooManyItems, message)
            }
            Ok(_) => return,
        };
        self.problems.push(Problem::of(code, id, message));
    }

    /// What becomes of the output of a workflow that is called.
    fn result(&mut self, position: u32, node: &Node, handles_failures: bool) -> Option<Expression> {
        let NodeKind::Subworkflow(call) = &node.kind else { return None };
        let names = self.names();
        let (definition, graph, upstream) = (self.definition, self.graph, &mut self.upstream);
        let mut tasks = || upstream.tasks(definition, graph, position);
        let compiled = match &call.output {
            Some(output) => {
                let locals = with_local(Local::Output, names.locals);
                Expression::compile(output, Names { locals: &locals, ..names }, tasks)
            }
            None if call.output_bindings.is_empty() => return None,
            None => bound(&call.output_bindings, names, &mut tasks),
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
        // Only who calls a workflow asks for them, and around that there is nothing.
        Expression::compile("vars", &self.graph.index, tasks).expect("it is one name that is always known")
    }

    fn output(&mut self) -> Option<Expression> {
        let source = self.definition.output.as_deref()?;
        let names = self.names();
        let (definition, graph, upstream) = (self.definition, self.graph, &mut self.upstream);
        let own = || numbers(graph.len()).filter(|&node| is_work(definition, node));
        let tasks = || upstream.around().chain(own()).collect();
        let compiled = Expression::compile(source, names, tasks).map_err(|error| error.to_string());
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

/// How many items a list has.
fn count_items(list: &Payload) -> serde_json::Result<usize> {
    serde_json::from_slice::<Vec<serde::de::IgnoredAny>>(list.as_bytes()).map(|items| items.len())
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
    definition.nodes[node as usize].kind.is_work()
}

/// One name more than there are.
fn with_local(local: Local, locals: &[Local]) -> Vec<Local> {
    locals.iter().copied().filter(|known| *known != local).chain([local]).collect()
}

/// The input of a node, from an expression or from a document; nothing if it says neither.
fn input(
    id: &str,
    input: Option<&str>,
    with: Option<&Document>,
    names: Names<'_>,
    mut tasks: impl FnMut() -> Vec<u32>,
) -> Option<Result<Expression, String>> {
    Some(match (input, with) {
        (None, None) => return None,
        (Some(_), Some(_)) => Err(format!("{id:?} has both an `input` and a `with`: one of them is its input")),
        (Some(input), None) => {
            let compiled = Expression::compile(input, names, tasks);
            compiled.map_err(|error| format!("the input of {id:?} is no expression: {error}"))
        }
        (None, Some(document)) => {
            let compiled = Expression::document(document.payload(), names, &mut tasks);
            compiled.map_err(|error| format!("the input of {id:?} cannot be made: {error}"))
        }
    })
}

/// An object of values and of look-ups: `@parent.a.b` in the `vars` of the caller, `@child.a.b` in those of the called.
fn bound(
    bindings: &BTreeMap<String, Value>,
    names: Names<'_>,
    tasks: &mut impl FnMut() -> Vec<u32>,
) -> Result<Expression, ExpressionError> {
    let locals = with_local(Local::Child, names.locals);
    let names = Names { locals: &locals, ..names };
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

/// Finds the tasks before a node, within a budget for all nodes of the workflow together.
struct Upstream<'c> {
    /// By node: the search that saw it last; empty as long as nobody asked.
    seen: Vec<u32>,
    count: usize,
    search: u32,
    around: &'c [Level<'c>],
    /// The tasks before the nodes that this graph is inside of, once somebody asked.
    of_around: Option<Vec<u32>>,
    budget: &'c mut usize,
    is_exhausted: bool,
}

impl<'c> Upstream<'c> {
    fn new(count: usize, around: &'c [Level<'c>], budget: &'c mut usize) -> Self {
        Self { seen: Vec::new(), count, search: 0, around, of_around: None, budget, is_exhausted: false }
    }

    /// The tasks before a node in the order of the definition, those around the graph first.
    fn tasks(&mut self, definition: &Definition, graph: &Graph, node: u32) -> Vec<u32> {
        self.search += 1;
        self.seen.resize(self.count, 0);
        let mut seen = std::mem::take(&mut self.seen);
        let own = self.walk(definition, graph, node, &mut seen);
        self.seen = seen;
        self.around().chain(own).collect()
    }

    /// The tasks before the nodes that the graph is inside of, the outermost first.
    fn around(&mut self) -> std::vec::IntoIter<u32> {
        if self.of_around.is_none() {
            let mut tasks = Vec::new();
            self.search += 1;
            for level in self.around.iter().rev() {
                let count = level.graph.len();
                if !self.spend(count) {
                    break;
                }
                let before = match level.role {
                    BodyRole::Finally => numbers(count).filter(|&node| is_work(level.definition, node)).collect(),
                    BodyRole::Inside => self.walk(level.definition, level.graph, level.opener, &mut vec![0; count]),
                    BodyRole::Compensate => {
                        let mut before = self.walk(level.definition, level.graph, level.opener, &mut vec![0; count]);
                        before.push(level.opener);
                        before.sort_unstable();
                        before
                    }
                };
                tasks.extend(before.into_iter().map(|node| level.first + node));
            }
            self.of_around = Some(tasks);
        }
        self.of_around.clone().unwrap_or_default().into_iter()
    }

    fn walk(&mut self, definition: &Definition, graph: &Graph, node: u32, seen: &mut [u32]) -> Vec<u32> {
        let mut tasks = Vec::new();
        let mut open = vec![node];
        while let Some(node) = open.pop() {
            let before = graph.into.of(node);
            if !self.spend(1 + before.len()) {
                return Vec::new();
            }
            for &source in before {
                if std::mem::replace(&mut seen[source as usize], self.search) != self.search {
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
            Some(budget) => *self.budget = budget,
            None => self.is_exhausted = true,
        }
        !self.is_exhausted
    }
}

/// The tasks that `vars` shows to the expression of a node.
#[cfg(test)]
pub(super) fn upstream_of(definition: &Definition, graph: &Graph, node: u32) -> Vec<u32> {
    Upstream::new(graph.len(), &[], &mut usize::MAX.clone()).tasks(definition, graph, node)
}
