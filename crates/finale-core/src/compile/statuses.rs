//! Which statuses a node can have when a condition asks about it, and whether the condition can be true then.

use super::graph::Graph;
use super::nodes::find;
use super::ways::Ways;
use crate::definition::{Definition, EdgeKind, NodeKind, OnFailure};
use crate::expression::claim::{Claim, NoStatus, claim};
use crate::nearest::nearest;
use crate::status::NodeStatus;

/// Conditions about more nodes than this are not looked at: the combinations of their statuses are tried one by one.
const NODES_MAX: usize = 4;

/// The statuses of nodes as the condition of one node sees them, in a graph where all nodes have the default trigger rule.
///
/// Every other node waits until all nodes before it are settled, and is skipped if one of them failed and that counts.
pub(super) struct Statuses<'s, 'g> {
    pub(super) definition: &'s Definition,
    pub(super) graph: &'s Graph,
    pub(super) ways: &'s mut Ways<'g>,
    /// The node whose condition it is.
    pub(super) reader: u32,
    /// What its author calls it.
    pub(super) reader_id: &'s str,
}

/// What a node can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Completed,
    Failed,
    Skipped,
    /// Anything that is not settled.
    Open,
}

impl Statuses<'_, '_> {
    /// Why a condition is false whatever happens; none if it may be true.
    pub(super) fn why_never_true(&mut self, source: &str) -> Option<String> {
        let (claim, no_statuses) = claim(source, &self.graph.index);
        let mut nodes = Vec::new();
        claim.nodes(&mut nodes);
        if nodes.is_empty() || nodes.len() > NODES_MAX {
            return None;
        }
        let possible: Vec<Vec<Seen>> = nodes.iter().map(|&node| self.possible(node)).collect();
        let combinations: usize = possible.iter().map(Vec::len).product();
        let is_false = |mut combination: usize| {
            let chosen = nodes.iter().zip(&possible).map(|(node, possible)| {
                let seen = possible[combination % possible.len()];
                combination /= possible.len();
                (*node, seen)
            });
            claim.truth(&chosen.collect::<Vec<_>>()) == Some(false)
        };
        (0..combinations).all(is_false).then(|| self.reason(&claim, &nodes, &possible, &no_statuses))
    }

    /// What a node can be when the reader's condition is evaluated; where that is not certain, all there is.
    fn possible(&mut self, node: u32) -> Vec<Seen> {
        let is_before = self.ways.leads(node, self.reader);
        let mut possible = vec![Seen::Completed];
        if self.failure_is_seen(node, is_before != Some(false)) {
            possible.push(Seen::Failed);
        }
        if is_before != Some(true) || self.can_be_passed_by(node) {
            possible.push(Seen::Skipped);
        }
        if is_before != Some(true) {
            possible.push(Seen::Open);
        }
        possible
    }

    /// Whether the reader is reached although the node failed.
    fn failure_is_seen(&mut self, node: u32, may_be_before: bool) -> bool {
        let definition = self.definition;
        let is_caught = self.graph.out.of(node).iter().any(|edge| edge.kind == EdgeKind::OnFailure);
        if is_caught || definition.nodes[node as usize].is_optional() {
            return true;
        }
        match definition.policy.counted(definition).on_failure {
            // Nothing begins any more, and no condition is evaluated.
            OnFailure::FailFast | OnFailure::Tolerate { count: 0 } => false,
            OnFailure::WaitAll => !may_be_before,
            // A join goes on without branches whose failure is tolerated; every other node behind them is skipped.
            OnFailure::Tolerate { .. } | OnFailure::ToleratePercent { .. } => {
                let is_join = |node: u32| matches!(definition.nodes[node as usize].kind, NodeKind::ParallelJoin(_));
                self.ways.leads_around(node, self.reader, is_join) != Some(true)
            }
        }
    }

    /// Whether the reader can be reached although the node was skipped: by a way that does not lead through it.
    fn can_be_passed_by(&mut self, node: u32) -> bool {
        match find(self.definition, &NodeKind::Start) {
            Some(start) if start == node => false,
            Some(start) => self.ways.leads_around(start, self.reader, |at| at == node) != Some(false),
            None => true,
        }
    }

    fn reason(&self, claim: &Claim, nodes: &[u32], possible: &[Vec<Seen>], no_statuses: &[NoStatus]) -> String {
        if let Some(NoStatus { text, .. }) = no_statuses.first() {
            let names = NAMES.into_iter().filter(|name| status(name).is_some());
            let hint = nearest(text, names).map(|name| format!(", did you mean {name:?}?")).unwrap_or_default();
            return format!("{text:?} is no status of a node{hint}");
        }
        let id = |node: u32| self.definition.nodes[node as usize].id.as_str();
        let seen: Vec<_> = nodes
            .iter()
            .zip(possible)
            .map(|(&node, possible)| format!("{:?} is {}", id(node), words(possible)))
            .collect();
        let mut reason = format!("when it is evaluated, {}", seen.join(" and "));
        let mut unseen = nodes.iter().zip(possible).filter(|(_, possible)| !possible.contains(&Seen::Failed));
        if let Some((failing, _)) = unseen.find(|(node, _)| claim.names(**node, NodeStatus::Failed)) {
            let failing = id(*failing);
            let instead = match self.definition.policy.counted(self.definition).on_failure {
                OnFailure::FailFast | OnFailure::Tolerate { count: 0 } => "the execution ends".to_owned(),
                _ => format!("{:?} is skipped", self.reader_id),
            };
            reason.push_str(&format!("; if {failing:?} fails, {instead}, unless {failing:?} is optional"));
        }
        reason
    }
}

/// What could have been meant; names that are none in this release are not proposed.
const NAMES: [&str; 9] =
    ["pending", "ready", "queued", "running", "waiting", "completed", "failed", "skipped", "cancelled"];

fn status(name: &str) -> Option<NodeStatus> {
    serde_json::from_value(serde_json::Value::from(name)).ok()
}

fn words(possible: &[Seen]) -> String {
    let word = |seen: &Seen| match seen {
        Seen::Completed => "completed",
        Seen::Failed => "failed",
        Seen::Skipped => "skipped",
        Seen::Open => "not settled",
    };
    possible.iter().map(word).collect::<Vec<_>>().join(" or ")
}

impl Claim {
    /// The nodes it is about, each once.
    fn nodes(&self, nodes: &mut Vec<u32>) {
        match self {
            Self::All(claims) | Self::Any(claims) => claims.iter().for_each(|claim| claim.nodes(nodes)),
            Self::Not(claim) => claim.nodes(nodes),
            Self::Status { node, .. } if !nodes.contains(node) => nodes.push(*node),
            Self::Status { .. } | Self::Constant(_) | Self::Unknown => {}
        }
    }

    /// Whether it asks for that status of that node.
    fn names(&self, wanted: u32, status: NodeStatus) -> bool {
        match self {
            Self::All(claims) | Self::Any(claims) => claims.iter().any(|claim| claim.names(wanted, status)),
            Self::Not(claim) => claim.names(wanted, status),
            Self::Status { node, among } => *node == wanted && among.contains(&status),
            Self::Constant(_) | Self::Unknown => false,
        }
    }

    /// Whether it holds when nodes are like that; none if that depends on more.
    fn truth(&self, seen: &[(u32, Seen)]) -> Option<bool> {
        let decided = |claims: &[Self], by: bool| {
            let truths: Vec<_> = claims.iter().map(|claim| claim.truth(seen)).collect();
            match truths.contains(&Some(by)) {
                true => Some(by),
                false => truths.iter().all(Option::is_some).then_some(!by),
            }
        };
        match self {
            Self::All(claims) => decided(claims, false),
            Self::Any(claims) => decided(claims, true),
            Self::Not(claim) => claim.truth(seen).map(|truth| !truth),
            Self::Constant(truth) => Some(*truth),
            Self::Unknown => None,
            Self::Status { node, among } => {
                let seen = seen.iter().find(|(known, _)| known == node).map(|(_, seen)| *seen)?;
                match seen {
                    Seen::Completed => Some(among.contains(&NodeStatus::Completed)),
                    Seen::Failed => Some(among.contains(&NodeStatus::Failed)),
                    Seen::Skipped => Some(among.contains(&NodeStatus::Skipped)),
                    Seen::Open if among.iter().all(|status| status.is_settled()) => Some(false),
                    Seen::Open => None,
                }
            }
        }
    }
}
