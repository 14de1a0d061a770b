//! A checked definition made into what is run.

use std::ops::Range;

use sha2::{Digest, Sha256};

use super::checks::find;
use super::expressions::Expressions;
use super::firing::{self, NodeRules, is_ordinary};
use super::graph::{Graph, numbers};
use crate::compiled::{self, Compiled, CompiledNode, DefinitionHash, RULED, Step, Unsupported};
use crate::definition::{Definition, Delivery, Node, NodeKind, Task, TriggerRule, Work};
use crate::expression::Expression;
use crate::id::NodeIndex;

/// Puts together what the phases found; the definition has passed them.
pub(super) fn assemble(definition: Definition, graph: Graph, expressions: Expressions) -> Compiled {
    let order = graph.topological();
    let assignees = assignees(&definition, &graph, &order);
    let (sinks, alternatives) = sinks(&definition, &graph, &order);
    let node_rules = firing::of_nodes(&definition, &graph, &order);
    let rules = firing::of_graph(&definition, &graph, &order, alternatives);
    let hash = hash(&definition);
    let Graph { index, out, into } = graph;
    let in_degree = |(node, into): (&Node, &Range<u32>)| {
        let ruled = if node.rule() == TriggerRule::Default { 0 } else { RULED };
        (into.end - into.start) | ruled
    };
    let in_degrees = definition.nodes.iter().zip(&into.ranges).map(in_degree).collect();
    let parts = definition.nodes.iter().zip(expressions.nodes).zip(assignees);
    let nodes = parts.zip(node_rules).zip(out.ranges);
    let nodes = nodes
        .map(|((((node, expression), assignee), rules), out)| compiled(node, expression, assignee, rules, out))
        .collect();
    let own = compiled::Graph {
        first: 0,
        start: NodeIndex(find(&definition, &NodeKind::Start).expect("the structure has exactly one start")),
        policy: definition.policy,
        sinks: sinks.into_iter().map(NodeIndex).collect(),
        in_degrees,
        rules,
    };
    Compiled {
        hash,
        index,
        nodes,
        edges: out.items,
        graphs: Box::new([own]),
        inner: Box::new([]),
        output: expressions.output,
        warnings: Box::default(),
        unsupported: definition.nodes.iter().filter_map(unsupported).collect(),
        definition,
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
        optional: task.optional,
        is_caught: rules.is_caught,
        is_failure_handler: rules.is_failure_handler,
        is_join_tolerated: rules.is_join_tolerated,
        at_most_once: task.delivery == Delivery::AtMostOnce,
        attempts: task.retry.attempts,
        backoff: task.retry.backoff,
        timeout: task.timeout,
        expression,
        assignee,
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
        NodeKind::Subworkflow(_) => Step::Call,
    }
}

fn unsupported(node: &Node) -> Option<Unsupported> {
    let feature = match &node.kind {
        NodeKind::Subworkflow(_) => "a sub-workflow",
        _ => return None,
    };
    Some(Unsupported { node: node.id.clone(), feature })
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
