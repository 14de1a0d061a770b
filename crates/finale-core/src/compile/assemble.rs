//! A checked definition made into what is run.

use std::ops::Range;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};

use super::Member;
use super::bodies::Opener;
use super::expressions::Expressions;
use super::firing::{self, NodeRules, is_ordinary};
use super::graph::{Graph, numbers};
use super::network::Network;
use super::nodes::find;
use crate::compiled::{
    self, CallResult, Compiled, CompiledNode, DefinitionHash, ItemLimits, Opening, OpeningKind, OutEdge, RULED,
    Repeated, Rounds, Step,
};
use crate::definition::{
    BodyRole, Definition, Delivery, LoopCondition, Node, NodeKind, Policy, Retry, Signal, Subworkflow, Task,
    TriggerRule, Wait, Work,
};
use crate::expression::Expression;
use crate::id::NodeIndex;

/// The numbers of the workflows that are called, by id and version.
pub(super) type Targets = FxHashMap<(String, String), u32>;

/// Which workflow a call enters.
pub(super) fn targets(network: &Network<'_>) -> Targets {
    let name = |workflow: &&Definition| (workflow.id.clone(), workflow.version.clone());
    network.workflows.iter().map(name).zip(0..).collect()
}

fn target(call: &Subworkflow, targets: &Targets) -> Option<u32> {
    targets.get(&(call.workflow.clone()?, call.version.clone()?)).copied()
}

/// Puts together what the phases found; the definition and the workflows that it calls have passed them.
///
/// `all` has the graphs of each workflow, in the order of the workflows.
pub(super) fn assemble(definition: Definition, all: Vec<Vec<Member>>, targets: &Targets) -> Compiled {
    let hash = hash(&definition);
    let workflows: Vec<&Definition> = std::iter::once(&definition).chain(&definition.workflows).collect();
    let firsts = all.iter().scan(0, |next, members| {
        let first = *next;
        *next += members.len() as u32;
        Some(first)
    });
    let mut assembly = Assembly {
        workflows,
        targets,
        firsts: firsts.collect(),
        nodes: Vec::new(),
        inner: Vec::new(),
        edges: Vec::new(),
        graphs: Vec::new(),
        overruled: Vec::new(),
    };
    for (workflow, members) in all.into_iter().enumerate() {
        assembly.add_all(workflow, members);
    }
    assembly.open_others();
    assembly.note_undoable();
    let Assembly { nodes, edges, graphs, inner, .. } = assembly;
    Compiled {
        hash,
        index: Arc::clone(&graphs[0].index),
        nodes: nodes.into(),
        edges: edges.into(),
        graphs: graphs.into(),
        inner: inner.into(),
        warnings: Box::default(),
        items_max: u32::MAX,
        checks: None,
        definition,
    }
}

/// All graphs of a definition in the making, one behind the other.
struct Assembly<'d> {
    workflows: Vec<&'d Definition>,
    targets: &'d Targets,
    /// By workflow: the number of its own graph; those inside of it come behind it.
    firsts: Vec<u32>,
    nodes: Vec<CompiledNode>,
    /// The nodes of all graphs but the definition's own.
    inner: Vec<Node>,
    edges: Vec<OutEdge>,
    /// In the order of the workflows; behind them the same ones with other policies.
    graphs: Vec<compiled::Graph>,
    /// The calls that say how their scope ends, each with the number of the workflow.
    overruled: Vec<(NodeIndex, Policy, u32)>,
}

/// The graphs that are written in one of the workflow.
#[derive(Clone, Debug, Default)]
struct Bodies {
    /// What is inside of a node, by its place; in the order of the places.
    inside: Vec<(u32, u32)>,
    /// What undoes a node, likewise.
    compensate: Vec<(u32, u32)>,
    finally: Option<u32>,
}

impl Bodies {
    fn add(&mut self, opener: Opener, graph: u32) {
        match opener.role {
            BodyRole::Inside => self.inside.push((opener.place, graph)),
            BodyRole::Compensate => self.compensate.push((opener.place, graph)),
            BodyRole::Finally => self.finally = Some(graph),
        }
    }
}

/// The graph at a place of such a list.
fn graph_at(graphs: &[(u32, u32)], place: u32) -> Option<u32> {
    graphs.binary_search_by_key(&place, |(place, _)| *place).ok().map(|found| graphs[found].1)
}

impl Assembly<'_> {
    fn add_all(&mut self, workflow: usize, members: Vec<Member>) {
        let mut bodies: Vec<Bodies> = vec![Bodies::default(); members.len()];
        for (number, member) in (0..).zip(&members) {
            if let Some(opener) = member.outer {
                bodies[opener.part].add(opener, self.firsts[workflow] + number);
            }
        }
        let own = self.workflows[workflow];
        for (member, bodies) in members.into_iter().zip(bodies) {
            let Member { body, graph, expressions, captures, .. } = member;
            let definition = body.as_ref().unwrap_or(own);
            if !self.graphs.is_empty() {
                self.inner.extend(definition.nodes.iter().cloned());
            }
            self.add(definition, graph, expressions, &bodies);
            if let Some(graph) = self.graphs.last_mut() {
                graph.captures = captures.into();
            }
        }
    }

    fn add(&mut self, definition: &Definition, graph: Graph, expressions: Expressions, bodies: &Bodies) {
        let (first, edges) = (self.nodes.len() as u32, self.edges.len() as u32);
        let order = graph.topological();
        let (sinks, alternatives) = sinks(definition, &graph, &order);
        let assignees = assignees(definition, &graph, &order);
        let node_rules = firing::of_nodes(definition, &graph, &order);
        let rules = firing::of_graph(definition, &graph, &order, alternatives);
        let Graph { index, out, into } = graph;
        let expressions_of = expressions.nodes.into_iter().zip(expressions.results);
        let each = definition.nodes.iter().zip(expressions_of).zip(assignees).zip(node_rules).zip(out.ranges);
        for (place, ((((node, (expression, result)), assignee), rules), out)) in (0..).zip(each) {
            let out = out.start + edges..out.end + edges;
            let mut made = compiled(node, expression, assignee, rules, out);
            match &node.kind {
                NodeKind::Subworkflow(call) => self.enter(NodeIndex(first + place), call, result, &mut made),
                kind => open_body(kind, &bodies.inside, place, &mut made),
            }
            made.compensate = graph_at(&bodies.compensate, place);
            self.nodes.push(made);
        }
        self.edges.extend(out.items.into_iter().map(|edge| OutEdge { target: edge.target + first, ..edge }));
        // A body of one task or call has no start: it begins with its only node.
        let start = find(definition, &NodeKind::Start).unwrap_or_default();
        self.graphs.push(compiled::Graph {
            first,
            start: NodeIndex(first + start),
            policy: definition.policy.counted(definition),
            sinks: sinks.into_iter().map(|sink| NodeIndex(first + sink)).collect(),
            in_degrees: definition.nodes.iter().zip(&into.ranges).map(in_degree).collect(),
            rules,
            index: Arc::new(index),
            output: expressions.output.map(Arc::new),
            output_schema: definition.output_schema.clone().map(Arc::new),
            vars: Arc::new(expressions.vars),
            captures: Arc::default(),
            finally: bodies.finally,
            is_undoable: false,
        });
    }

    /// Lets a call open the graph of the workflow that it calls.
    fn enter(&mut self, position: NodeIndex, call: &Subworkflow, result: Option<Expression>, made: &mut CompiledNode) {
        let Some(workflow) = target(call, self.targets) else { return };
        made.step = Step::Open(Opening { graph: self.firsts[workflow as usize], kind: OpeningKind::Single });
        made.call = Some(Box::new(entered(call, self.workflows[workflow as usize], result)));
        self.overruled.extend(call.policy.map(|policy| (position, policy, workflow)));
    }

    /// Gives each call that says how its scope ends a graph with that policy: the same nodes, judged otherwise.
    fn open_others(&mut self) {
        let mut known: Vec<(u32, Policy, u32)> = Vec::new();
        for (position, policy, workflow) in std::mem::take(&mut self.overruled) {
            let Step::Open(opening) = &mut self.nodes[position.as_usize()].step else { continue };
            let target = opening.graph;
            let callee = self.workflows[workflow as usize];
            let policy = policy.counted(callee);
            if callee.policy.counted(callee) == policy {
                continue;
            }
            let same = known.iter().find(|(graph, other, _)| (*graph, *other) == (target, policy));
            opening.graph = match same {
                Some((_, _, number)) => *number,
                None => {
                    let number = self.graphs.len() as u32;
                    known.push((target, policy, number));
                    let judged = compiled::Graph { policy, ..self.graphs[target as usize].clone() };
                    self.graphs.push(judged);
                    number
                }
            };
        }
    }
}

impl Assembly<'_> {
    /// Notes where something may be to undo, until no graph has any more that is not known: calls go into no circle.
    fn note_undoable(&mut self) {
        let mut is_new = self.nodes.iter().any(|node| node.compensate.is_some());
        while std::mem::take(&mut is_new) {
            let graphs = &self.graphs;
            let opens_undoable =
                |step| matches!(step, Step::Open(opening) if graphs[opening.graph as usize].is_undoable);
            for node in &mut self.nodes {
                node.is_undoable = node.compensate.is_some() || opens_undoable(node.step);
            }
            for graph in &mut self.graphs {
                let (first, count) = (graph.first as usize, graph.in_degrees.len());
                let is_undoable = self.nodes[first..first + count].iter().any(|node| node.is_undoable);
                is_new |= is_undoable != graph.is_undoable;
                graph.is_undoable = is_undoable;
            }
        }
    }
}

/// Lets a node open the graph that is written inside of it, if there is one.
fn open_body(kind: &NodeKind, bodies: &[(u32, u32)], place: u32, made: &mut CompiledNode) {
    let Some(graph) = graph_at(bodies, place) else { return };
    let opening = match kind {
        NodeKind::Group(_) => OpeningKind::Single,
        NodeKind::Map(_) => OpeningKind::Items,
        NodeKind::Loop(_) => OpeningKind::Rounds,
        _ => return,
    };
    made.step = Step::Open(Opening { graph, kind: opening });
}

/// How many edges lead into a node, and whether another rule than the default counts them.
fn in_degree((node, into): (&Node, &Range<u32>)) -> u32 {
    let ruled = if node.rule() == TriggerRule::Default { 0 } else { RULED };
    (into.end - into.start) | ruled
}

/// What a call knows of the workflow that it calls.
fn entered(call: &Subworkflow, callee: &Definition, result: Option<Expression>) -> compiled::Call {
    let result = match result {
        None => CallResult::Own,
        Some(result) if call.output.is_none() => CallResult::Bound(result),
        Some(result) => CallResult::Made(result),
    };
    compiled::Call {
        inputs: callee.inputs.clone().into(),
        outputs: callee.outputs.clone().into(),
        input_schema: callee.input_schema.clone(),
        result,
    }
}

fn compiled(
    node: &Node,
    expression: Option<Expression>,
    assignee: Option<String>,
    rules: NodeRules,
    out: Range<u32>,
) -> CompiledNode {
    let plain = Task::default();
    let task = match &node.kind {
        NodeKind::Task(task) => task,
        _ => &plain,
    };
    CompiledNode {
        step: step(&node.kind),
        rule: node.rule(),
        out,
        optional: node.is_optional(),
        is_caught: rules.is_caught,
        has_exits: rules.has_exits,
        is_failure_handler: rules.is_failure_handler,
        is_join_tolerated: rules.is_join_tolerated,
        at_most_once: task.delivery == Delivery::AtMostOnce,
        attempts: task.retry.attempts,
        is_timed: task.retry.within.is_some() || task.times.total.is_some(),
        retry: Some(&task.retry).filter(|retry| says_more(retry)).cloned().map(Box::new),
        timeout: match &node.kind {
            NodeKind::Wait(Wait::Signal(Signal { timeout, .. })) => *timeout,
            _ => task.timeout,
        },
        times: task.times,
        expression,
        assignee,
        call: None,
        repeated: repeated(&node.kind),
        compensate: None,
        is_undoable: false,
    }
}

fn repeated(kind: &NodeKind) -> Option<Box<Repeated>> {
    Some(Box::new(match kind {
        NodeKind::Map(map) => {
            Repeated::Items(ItemLimits { max_concurrency: map.max_concurrency, tolerate: map.tolerate })
        }
        NodeKind::Loop(repeated) => {
            let asks_before = matches!(repeated.condition, LoopCondition::While(_));
            Repeated::Rounds(Rounds { asks_before, max: repeated.rounds_max, delay: repeated.delay })
        }
        _ => return None,
    }))
}

/// Whether more is said of further attempts than how many there are.
fn says_more(retry: &Retry) -> bool {
    *retry != Retry::attempts(retry.attempts)
}

fn step(kind: &NodeKind) -> Step {
    match kind {
        NodeKind::Start | NodeKind::End | NodeKind::ParallelSplit(_) | NodeKind::AgentAssignment(_) => Step::Pass,
        NodeKind::ParallelJoin(_) => Step::Join,
        NodeKind::Conditional(_) => Step::Decide,
        NodeKind::Verification(verification) => Step::Judge(verification.preset),
        NodeKind::Task(task) => match task.work {
            Work::Handler(_) => Step::Handle,
            Work::External => Step::Ask,
        },
        // Which graph it opens is known once all of them are put together.
        NodeKind::Subworkflow(_) | NodeKind::Group(_) | NodeKind::Map(_) | NodeKind::Loop(_) => Step::Pass,
        NodeKind::Wait(Wait::Delay(delay)) => Step::Delay(*delay),
        NodeKind::Wait(Wait::Until(_)) => Step::Until,
        NodeKind::Wait(Wait::Signal(_)) => Step::AwaitSignal,
    }
}

/// Whether a node of that kind can give the output of its scope.
const fn has_output(kind: &NodeKind) -> bool {
    kind.is_work() || matches!(kind, NodeKind::Wait(Wait::Signal(_)))
}

/// By node: its own assignee, else that of the nearest assignment before it; of several equally near the last one counts.
fn assignees(definition: &Definition, graph: &Graph, order: &[u32]) -> Vec<Option<String>> {
    let mut nearest: Vec<Option<Assignment>> = vec![None; graph.len()];
    for &node in order {
        let sources = graph.into.of(node).iter();
        nearest[node as usize] = sources.filter_map(|&source| handed_on(definition, &nearest, source)).min();
    }
    let assignee = |(node, nearest): (&Node, Option<Assignment>)| match &node.kind {
        NodeKind::Task(task) => task.assignee.clone().or_else(|| agent(definition, nearest?)),
        _ => None,
    };
    definition.nodes.iter().zip(nearest).map(assignee).collect()
}

/// An assignment, seen from behind; the smallest is the one that counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Assignment {
    distance: u32,
    position: std::cmp::Reverse<u32>,
}

/// What a node hands on to those behind it: itself, what came to it, or nothing behind a piece of work.
fn handed_on(definition: &Definition, nearest: &[Option<Assignment>], node: u32) -> Option<Assignment> {
    match &definition.nodes[node as usize].kind {
        NodeKind::AgentAssignment(_) => Some(Assignment { distance: 1, position: std::cmp::Reverse(node) }),
        kind if kind.is_work() => None,
        _ => nearest[node as usize].map(|far| Assignment { distance: far.distance + 1, ..far }),
    }
}

fn agent(definition: &Definition, assignment: Assignment) -> Option<String> {
    match &definition.nodes[assignment.position.0 as usize].kind {
        NodeKind::AgentAssignment(assignment) => assignment.agent.clone(),
        _ => None,
    }
}

/// The nodes with an output behind which only nodes without come, and apart from them those to which only the failure of
/// another node leads.
fn sinks(definition: &Definition, graph: &Graph, order: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let works = |node: u32| has_output(&definition.nodes[node as usize].kind);
    let ways = |node: u32| graph.out.of(node).iter().filter(|edge| is_ordinary(edge.kind)).map(|edge| edge.target);
    let mut is_before_work = vec![false; graph.len()];
    for &node in order.iter().rev() {
        is_before_work[node as usize] = ways(node).any(|target| works(target) || is_before_work[target as usize]);
    }
    let mut is_ordinary = vec![false; graph.len()];
    for &node in order {
        is_ordinary[node as usize] |= graph.into.of(node).is_empty();
        if is_ordinary[node as usize] {
            ways(node).for_each(|target| is_ordinary[target as usize] = true);
        }
    }
    let last = numbers(graph.len()).filter(|&node| works(node) && !is_before_work[node as usize]);
    last.partition(|&node| is_ordinary[node as usize])
}

fn hash(definition: &Definition) -> DefinitionHash {
    let mut hasher = Hasher(Sha256::new());
    serde_json::to_writer(&mut hasher, definition).expect("definitions have a JSON form, and a hasher takes all");
    let digest = hasher.0.finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    DefinitionHash::from_bytes(bytes)
}

struct Hasher(Sha256);

impl std::io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
