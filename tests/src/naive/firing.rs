//! When a node begins: the rules over its edges, and what a join does to its losers.

use finale_core::definition::{EdgeKind, JoinStrategy, Losers, NodeKind, OnFailure, TriggerRule};

use super::{Misreading, Naive, Place, Way};

/// What the edges into a node say about it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fired {
    /// It may begin.
    Reached,
    Skipped(Way),
}

impl Naive {
    /// What the edges into a node say about it; nothing as long as that is open.
    pub(super) fn fires(&self, node: usize) -> Option<Fired> {
        let ways = self.ways_into(node);
        if let NodeKind::Start = self.definition.nodes[node].kind {
            return Some(Fired::Reached);
        }
        let count = |wanted: &[Way]| ways.iter().filter(|way| wanted.contains(way)).count();
        let (open, succeeded, failed) =
            (count(&[Way::Pending]), count(&[Way::Live]), count(&[Way::Blocked, Way::LiveFailed]));
        let (live, blocked) = (count(&[Way::Live, Way::LiveFailed]), count(&[Way::Blocked]));
        let settled = open == 0;
        let rule = self.rule(node);
        let holds = match rule {
            TriggerRule::Default if self.is_tolerant(node) && live > 0 => settled,
            TriggerRule::Default => settled && blocked == 0 && live > 0,
            TriggerRule::AllSuccess => settled && succeeded == ways.len(),
            TriggerRule::NoneFailed => settled && blocked == 0,
            TriggerRule::AllDone => settled,
            TriggerRule::OneSuccess if self.misreads(Misreading::FailedEdgeIsSuccess) => live >= 1,
            TriggerRule::OneSuccess => succeeded >= 1,
            TriggerRule::AtLeast { count } if self.misreads(Misreading::AtLeastWaits) => {
                settled && succeeded >= count as usize
            }
            TriggerRule::AtLeast { count } => succeeded >= count as usize,
            TriggerRule::OneFailed => failed >= 1,
            TriggerRule::AllFailed => settled && failed == ways.len(),
            rule => panic!("{rule} is no rule that is known here"),
        };
        let passes_no_failure = matches!(rule, TriggerRule::OneFailed | TriggerRule::AllFailed)
            && !self.misreads(Misreading::FailureRulesBlock);
        match (holds, settled) {
            (true, _) => Some(Fired::Reached),
            (false, false) => None,
            (false, true) if blocked > 0 && !passes_no_failure => Some(Fired::Skipped(Way::Blocked)),
            (false, true) => Some(Fired::Skipped(Way::Dead)),
        }
    }

    pub(super) fn rule(&self, node: usize) -> TriggerRule {
        let node = &self.definition.nodes[node];
        match &node.kind {
            NodeKind::ParallelJoin(join) => match join.strategy {
                JoinStrategy::All => TriggerRule::Default,
                JoinStrategy::Any => TriggerRule::OneSuccess,
                JoinStrategy::AtLeast { count } => TriggerRule::AtLeast { count },
            },
            _ => node.trigger_rule,
        }
    }

    /// Whether a node goes on without what the policy tolerates.
    fn is_tolerant(&self, node: usize) -> bool {
        matches!(self.definition.nodes[node].kind, NodeKind::ParallelJoin(_))
            && matches!(
                self.definition.policy.on_failure,
                OnFailure::Tolerate { .. } | OnFailure::ToleratePercent { .. }
            )
    }

    pub(super) fn ways_into(&self, node: usize) -> Vec<Way> {
        let into = self.edges.iter().filter(|(_, _, target)| *target == node);
        into.map(|(source, kind, _)| self.way(*source, *kind)).collect()
    }

    fn way(&self, source: usize, kind: EdgeKind) -> Way {
        let place = &self.places[source];
        let is_open = matches!(
            place,
            Place::Pending
                | Place::Due
                | Place::Reached { .. }
                | Place::Running
                | Place::Asked
                | Place::Judged
                | Place::Timed
                | Place::Listening(_)
                | Place::Backing
                | Place::Held
        );
        if self.closed[source] {
            return Way::Dead;
        }
        if is_open {
            return Way::Pending;
        }
        if kind == EdgeKind::OnFailure {
            return if *place == Place::Failed { Way::Live } else { Way::Dead };
        }
        match place {
            Place::Passed(Some(EdgeKind::OnTimeout)) if self.misreads(Misreading::TimeoutGoesOn) => Way::Live,
            Place::Passed(Some(taken)) if *taken != kind => Way::Dead,
            Place::Done(_) if kind == EdgeKind::OnTimeout => Way::Dead,
            Place::Passed(_) | Place::Done(_) => Way::Live,
            Place::Failed if self.failure_handler(source).is_some() => match self.misreads(Misreading::HandledBlocks) {
                true => Way::Blocked,
                false => Way::Dead,
            },
            Place::Failed if self.task(source).is_some_and(|task| task.optional) => Way::LiveFailed,
            Place::Failed => Way::Blocked,
            Place::Skipped(way) => *way,
            _ => Way::Dead,
        }
    }

    /// A join that has gone on closes what leads nowhere else, if it is meant to.
    pub(super) fn close_losers(&mut self, join: usize) {
        let NodeKind::ParallelJoin(kind) = &self.definition.nodes[join].kind else { return };
        if kind.losers != Losers::Cancel {
            return;
        }
        let losers: Vec<usize> = (0..self.places.len()).filter(|&node| self.is_loser(node, join)).collect();
        let forgets_one = self.misreads(Misreading::ForgetsLoser);
        for node in losers.into_iter().skip(usize::from(forgets_one)) {
            self.places[node] = match &self.places[node] {
                Place::Backing | Place::Held | Place::Reached { .. } if self.attempts[node] > 1 => {
                    self.attempts[node] -= 1;
                    Place::Cancelled
                }
                Place::Pending | Place::Due | Place::Reached { .. } => Place::Skipped(Way::Dead),
                Place::Asked | Place::Judged | Place::Backing | Place::Held => Place::Cancelled,
                Place::Timed | Place::Listening(_) => Place::Cancelled,
                Place::Running => {
                    self.closed[node] = true;
                    Place::Running
                }
                other => other.clone(),
            };
        }
    }

    /// Whether every way on from a node leads into the join.
    fn is_loser(&self, node: usize, join: usize) -> bool {
        if node == join {
            return false;
        }
        if self.misreads(Misreading::CancelsWhatOthersNeed) {
            return self.ahead_of(node, None, false).contains(&join);
        }
        self.leads_only_into(node, |at| at == join)
    }

    /// Whether every way on from a node comes to one of those; ways that only a failure takes do not count.
    pub(super) fn leads_only_into(&self, node: usize, is_wanted: impl Fn(usize) -> bool) -> bool {
        let mut open = vec![node];
        while let Some(at) = open.pop() {
            let next: Vec<usize> = self.next(at, false).collect();
            if next.is_empty() {
                return false;
            }
            open.extend(next.into_iter().filter(|&next| !is_wanted(next)));
        }
        true
    }

    /// The nodes right behind a node.
    pub(super) fn next(&self, node: usize, with_failures: bool) -> impl Iterator<Item = usize> {
        let edges = self.edges.iter().filter(move |(source, _, _)| *source == node);
        edges.filter(move |(_, kind, _)| with_failures || *kind != EdgeKind::OnFailure).map(|(_, _, target)| *target)
    }

    /// The nodes that a way leads to from a node, none of which goes through that one.
    pub(super) fn ahead_of(&self, node: usize, around: Option<usize>, with_failures: bool) -> Vec<usize> {
        let (mut found, mut next) = (vec![node], 0);
        while let Some(&at) = found.get(next) {
            next += 1;
            for target in self.next(at, with_failures) {
                if Some(target) != around && !found.contains(&target) {
                    found.push(target);
                }
            }
        }
        found.remove(0);
        found
    }
}
