//! What is wrong with trigger rules, joins and handlers of failures, and what of them can never fire.

use super::firing::{self, is_early_join, is_ordinary};
use super::graph::Graph;
use super::nodes::{Report, can_fail};
use super::problem::Code;
use super::reading::guarded;
use crate::definition::{Definition, Losers, Node, NodeKind, OnFailure, Policy, TriggerRule};
use crate::warning::{Warning, WarningCode};

/// By node: what kinds of edges lead to it.
#[derive(Clone, Copy, Default)]
pub(super) struct Incoming {
    /// Those that only a failure takes.
    pub(super) has_caught: bool,
    has_ordinary: bool,
}

impl Incoming {
    pub(super) fn of_all(graph: &Graph) -> Vec<Self> {
        let mut incoming = vec![Self::default(); graph.len()];
        for edge in &graph.out.items {
            let incoming = &mut incoming[edge.target as usize];
            match is_ordinary(edge.kind) {
                true => incoming.has_ordinary = true,
                false => incoming.has_caught = true,
            }
        }
        incoming
    }
}

/// Checks the rule of a node against the edges that lead to it.
pub(super) fn check(
    definition: &Definition,
    graph: &Graph,
    position: u32,
    incoming: Incoming,
    report: &mut Report<'_>,
) {
    let node = &definition.nodes[position as usize];
    let into = graph.into.of(position).len();
    let is_failure_handler = incoming.has_caught;
    check_rule(node, into, is_failure_handler, report);
    check_join(node, into, report);
    let has_others = is_failure_handler && incoming.has_ordinary;
    report.add_if(has_others, Code::FailureHandlerEdges, |node| {
        format!("{node:?} handles failures, so that only on_failure edges can lead to it, and it has others")
    });
    check_guard(definition, graph, position, is_failure_handler, report);
}

fn check_rule(node: &Node, into: usize, is_failure_handler: bool, report: &mut Report<'_>) {
    let rule = node.trigger_rule;
    if rule == TriggerRule::Default {
        return;
    }
    let what = match node.kind {
        NodeKind::Start => Some("a start has no edges that a rule could be about"),
        NodeKind::ParallelJoin(_) => Some("the rule of a join is its strategy"),
        _ if is_failure_handler => Some("a node that handles failures begins when one of them has happened"),
        _ => None,
    };
    report.add_if(what.is_some(), Code::BadTriggerRule, |node| {
        format!("{node:?} has the trigger rule {rule}: {}", what.unwrap_or_default())
    });
    if let (TriggerRule::AtLeast { count }, None) = (rule, what) {
        let why = impossible(count, into);
        report.add_if(why.is_some(), Code::BadTriggerRule, |node| {
            format!("{node:?} has the trigger rule {rule}: {}", why.unwrap_or_default())
        });
    }
}

fn check_join(node: &Node, into: usize, report: &mut Report<'_>) {
    let NodeKind::ParallelJoin(join) = &node.kind else { return };
    if let TriggerRule::AtLeast { count } = node.rule() {
        let why = impossible(count, into);
        report.add_if(why.is_some(), Code::BadJoin, |node| format!("join {node:?}: {}", why.unwrap_or_default()));
    }
    let has_no_losers = join.losers == Losers::Cancel && !join.strategy.is_early();
    report.add_if(has_no_losers, Code::BadJoin, |node| {
        format!("join {node:?} waits for all branches, so that there are no losers it could cancel")
    });
}

/// Why that many edges can never be live at once; none if they can be.
fn impossible(count: u32, into: usize) -> Option<String> {
    match count as usize {
        0 => Some("at least 1 edge must be live".to_owned()),
        count if count > into => Some(format!("{count} edges can never be live, because only {into} lead to it")),
        _ => None,
    }
}

/// A condition before a join or a handler would take all the edges that their rules are about.
fn check_guard(
    definition: &Definition,
    graph: &Graph,
    position: u32,
    is_failure_handler: bool,
    report: &mut Report<'_>,
) {
    if !matches!(definition.nodes[position as usize].kind, NodeKind::Conditional(_)) {
        return;
    }
    let Some(node) = guarded(definition, graph, position) else { return };
    let what = match () {
        () if is_early_join(node) => "a join that does not wait for all its branches",
        () if is_failure_handler => "a node that handles failures",
        () => return,
    };
    let instead = "put it at what comes after";
    let mut report = Report { node: &node.id, problems: report.problems };
    report.add_if(true, Code::GuardMisplaced, |node| {
        format!("{node:?} is {what} and cannot have a condition (`when`) of its own; {instead}")
    });
}

/// Whether the first failure that counts ends a definition that is judged by this policy.
pub(super) fn ends_at_first(definition: &Definition, policy: Policy) -> bool {
    matches!(policy.counted(definition).on_failure, OnFailure::FailFast | OnFailure::Tolerate { count: 0 })
}

/// Warns of rules about failures that can never hold, because the first failure that counts ends the execution.
pub(super) fn warn(definition: &Definition, graph: &Graph, order: &[u32]) -> Vec<Warning> {
    let needs_failures = |node: &Node| matches!(node.rule(), TriggerRule::OneFailed | TriggerRule::AllFailed);
    let ends_at_first = ends_at_first(definition, definition.policy);
    if !ends_at_first || !definition.nodes.iter().any(needs_failures) {
        return Vec::new();
    }
    let tolerated = Tolerated::new(definition, graph, order);
    let never = |position: u32, node: &Node| {
        let mut edges = graph.into.of(position).iter().map(|&source| tolerated.can_be_failed(definition, source));
        match node.rule() {
            TriggerRule::OneFailed => !edges.any(|can| can),
            TriggerRule::AllFailed => !edges.all(|can| can),
            _ => false,
        }
    };
    let nodes = (0..).zip(&definition.nodes).filter(|(position, node)| needs_failures(node) && never(*position, node));
    let warning = |(position, node): (u32, &Node)| {
        let id = guarded(definition, graph, position).map_or(&node.id, |node| &node.id);
        let message = format!(
            "{id:?} can never run: its trigger rule {} holds only after failures, and the first one ends the execution \
             (fail_fast). Name it where the failure is, `on_failure: {id}`, let it be the `finally` of the workflow, or let the \
             workflow go on after failures, `on_failure: wait_all`",
            node.rule()
        );
        Warning { code: WarningCode::NeverFires, nodes: vec![node.id.clone()], message }
    };
    nodes.map(warning).collect()
}

/// By node: whether its edges can be blocked while the execution goes on, which ends at the first failure that counts.
struct Tolerated(Vec<bool>);

impl Tolerated {
    fn new(definition: &Definition, graph: &Graph, order: &[u32]) -> Self {
        let rules = firing::of_nodes(definition, graph, order);
        let mut blocks = vec![false; graph.len()];
        for &position in order {
            let (rule, node) = (rules[position as usize], &definition.nodes[position as usize]);
            let is_tolerated = rule.is_join_tolerated && !rule.is_caught && can_fail(&node.kind);
            let passes_on =
                !matches!(node.rule(), TriggerRule::AllDone | TriggerRule::OneFailed | TriggerRule::AllFailed);
            // With a join that can go on no more the failures before it count, unless there is another join behind it.
            let is_last_join = is_early_join(node) && !rule.is_join_tolerated;
            let is_blocked = blocks[position as usize] && passes_on && !is_last_join;
            blocks[position as usize] = is_tolerated || is_blocked;
            if blocks[position as usize] {
                let ways = graph.out.of(position).iter().filter(|edge| is_ordinary(edge.kind));
                ways.for_each(|edge| blocks[edge.target as usize] = true);
            }
        }
        Self(blocks)
    }

    /// Whether an edge that leaves this node can be blocked or failed.
    fn can_be_failed(&self, definition: &Definition, source: u32) -> bool {
        definition.nodes[source as usize].is_optional() || self.0[source as usize]
    }
}
