//! A checked definition made into what is run.

use std::ops::Range;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::Member;
use super::firing::{self, NodeRules, is_ordinary};
use super::graph::{Graph, numbers};
use super::network::Network;
use super::nodes::find;
use crate::compiled::{self, CallResult, Compiled, CompiledNode, DefinitionHash, Opening, OutEdge, RULED, Step};
use crate::definition::{Definition, Delivery, Node, NodeKind, Policy, Subworkflow, Task, TriggerRule, Work};
use crate::expression::Expression;
use crate::id::NodeIndex;

/// By workflow and node, which workflow a call enters.
pub(super) fn targets(network: &Network<'_>) -> Vec<Vec<Option<u32>>> {
    let target = |node: &Node| match &node.kind {
        NodeKind::Subworkflow(call) => network.find(call),
        _ => None,
    };
    network.workflows.iter().map(|workflow| workflow.nodes.iter().map(target).collect()).collect()
}

/// Puts together what the phases found; the definition and the workflows that it calls have passed them.
///
/// `targets` says which calls enter which; there are none if nothing is called.
pub(super) fn assemble(definition: Definition, parts: Vec<Member>, targets: &[Vec<Option<u32>>]) -> Compiled {
    let hash = hash(&definition);
    let mut assembly = Assembly::default();
    let all: Vec<&Definition> = std::iter::once(&definition).chain(&definition.workflows).collect();
    for (number, part) in parts.into_iter().enumerate() {
        assembly.add(all[number], part, &all, targets.get(number).map_or(&[], |targets| targets.as_slice()));
    }
    assembly.open_others(&all);
    let Assembly { nodes, edges, graphs, .. } = assembly;
    Compiled {
        hash,
        index: Arc::clone(&graphs[0].index),
        nodes: nodes.into(),
        edges: edges.into(),
        graphs: graphs.into(),
        inner: definition.workflows.iter().flat_map(|called| called.nodes.iter().cloned()).collect(),
        warnings: Box::default(),
        definition,
    }
}

/// All graphs of a definition in the making, one behind the other.
#[derive(Default)]
struct Assembly {
    nodes: Vec<CompiledNode>,
    edges: Vec<OutEdge>,
    /// One for each workflow, in their order; behind them the same ones with other policies.
    graphs: Vec<compiled::Graph>,
    /// The calls that say how their scope ends.
    overruled: Vec<(NodeIndex, Policy)>,
}

impl Assembly {
    fn add(&mut self, definition: &Definition, part: Member, all: &[&Definition], targets: &[Option<u32>]) {
        let Member { graph, expressions } = part;
        let (first, edges) = (self.nodes.len() as u32, self.edges.len() as u32);
        let order = graph.topological();
        let (sinks, alternatives) = sinks(definition, &graph, &order);
        let assignees = assignees(definition, &graph, &order);
        let node_rules = firing::of_nodes(definition, &graph, &order);
        let rules = firing::of_graph(definition, &graph, &order, alternatives);
        let Graph { index, out, into } = graph;
        let expressions_of = expressions.nodes.into_iter().zip(expressions.results);
        let each = definition.nodes.iter().zip(expressions_of).zip(assignees).zip(node_rules).zip(out.ranges);
        for (place, ((((node, (expression, result)), assignee), rules), out)) in each.enumerate() {
            let out = out.start + edges..out.end + edges;
            let mut made = compiled(node, expression, assignee, rules, out);
            if let (NodeKind::Subworkflow(call), Some(Some(target))) = (&node.kind, targets.get(place)) {
                made.step = Step::Open(Opening { graph: *target, each: false });
                made.call = Some(Box::new(entered(call, all[*target as usize], result)));
                let position = NodeIndex(first + place as u32);
                self.overruled.extend(call.policy.map(|policy| (position, policy)));
            }
            self.nodes.push(made);
        }
        self.edges.extend(out.items.into_iter().map(|edge| OutEdge { target: edge.target + first, ..edge }));
        let start = find(definition, &NodeKind::Start).expect("the structure has exactly one start");
        self.graphs.push(compiled::Graph {
            first,
            start: NodeIndex(first + start),
            policy: definition.policy.counted(definition),
            sinks: sinks.into_iter().map(|sink| NodeIndex(first + sink)).collect(),
            in_degrees: definition.nodes.iter().zip(&into.ranges).map(in_degree).collect(),
            rules,
            index: Arc::new(index),
            output: expressions.output.map(Arc::new),
            vars: Arc::new(expressions.vars),
        });
    }

    /// Gives each call that says how its scope ends a graph with that policy: the same nodes, judged otherwise.
    fn open_others(&mut self, all: &[&Definition]) {
        let mut known: Vec<(u32, Policy, u32)> = Vec::new();
        for (position, policy) in std::mem::take(&mut self.overruled) {
            let Step::Open(opening) = &mut self.nodes[position.as_usize()].step else { continue };
            let target = opening.graph;
            let callee = all[target as usize];
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

/// How many edges lead into a node, and whether another rule than the default counts them.
fn in_degree((node, into): (&Node, &Range<u32>)) -> u32 {
    let ruled = if node.rule() == TriggerRule::Default { 0 } else { RULED };
    (into.end - into.start) | ruled
}

/// What a call knows of the workflow that it calls.
fn entered(call: &Subworkflow, callee: &Definition, result: Option<Expression>) -> compiled::Call {
    let result = match result {
        None => CallResult::Own,
        Some(result) if call.is_bound_by_name() => CallResult::Bound(result),
        Some(result) => CallResult::Made(result),
    };
    compiled::Call { inputs: callee.inputs.clone().into(), outputs: callee.outputs.clone().into(), result }
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
        is_failure_handler: rules.is_failure_handler,
        is_join_tolerated: rules.is_join_tolerated,
        at_most_once: task.delivery == Delivery::AtMostOnce,
        attempts: task.retry.attempts,
        backoff: task.retry.backoff,
        timeout: task.timeout,
        expression,
        assignee,
        call: None,
    }
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
        NodeKind::Subworkflow(_) => Step::Pass,
    }
}

const fn is_work(kind: &NodeKind) -> bool {
    matches!(kind, NodeKind::Task(_) | NodeKind::Subworkflow(_))
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
        kind if is_work(kind) => None,
        _ => nearest[node as usize].map(|far| Assignment { distance: far.distance + 1, ..far }),
    }
}

fn agent(definition: &Definition, assignment: Assignment) -> Option<String> {
    match &definition.nodes[assignment.position.0 as usize].kind {
        NodeKind::AgentAssignment(assignment) => assignment.agent.clone(),
        _ => None,
    }
}

/// The work behind which only control nodes come, and apart from it that to which only the failure of another node leads.
fn sinks(definition: &Definition, graph: &Graph, order: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let works = |node: u32| is_work(&definition.nodes[node as usize].kind);
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
