//! How far an execution has come, told by its events.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use finale::{CustomStatus, Event, EventKind, Failure, NodeStatus, Time, WaitingFor, Workflow};
use finale_core::definition::{NodeKind, title_of};
use finale_core::path::Instance;
use finale_core::{Compiled, FailureClass, NodeIndex, NodePath};

use super::said::{Far, Repeated, Said};

/// Something that happened to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct News {
    pub(super) node: String,
    /// What people call it, if that is not what its id says.
    pub(super) title: Option<String>,
    pub(super) at: Time,
    pub(super) what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    Started {
        attempt: u16,
    },
    Waits,
    FailedOnce {
        attempt: u16,
        reason: String,
    },
    /// An operator has to say how it goes on.
    Held {
        attempt: u16,
        reason: String,
    },
    Completed {
        took: Duration,
    },
    Failed {
        took: Duration,
        reason: String,
    },
    Cancelled {
        took: Duration,
    },
    Skipped,
}

/// How many tasks are where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) tasks: usize,
    pub(super) completed: usize,
    pub(super) running: usize,
    pub(super) queued: usize,
    pub(super) waiting: usize,
    pub(super) failed: usize,
    pub(super) cancelled: usize,
    pub(super) skipped: usize,
}

/// How far an execution has come.
#[derive(Debug)]
pub(super) struct Tally {
    workflow: Workflow,
    nodes: Vec<Node>,
    counts: Counts,
    /// Those at work, and those that wait, each by when that began.
    running: BTreeSet<(Time, NodeIndex)>,
    /// Those whose handler waits for its turn.
    queued: BTreeSet<(Time, NodeIndex)>,
    waiting: BTreeSet<(Time, NodeIndex)>,
    /// The tasks inside of maps and loops of which one has begun.
    repeated: BTreeSet<NodeIndex>,
    /// The paths of nodes inside of others, as far as they were heard of: an id alone says too little there.
    paths: BTreeMap<NodeIndex, String>,
    said: Said,
}

#[derive(Clone, Debug)]
struct Node {
    /// Whether a handler does it, which may have to wait for its turn.
    by_handler: bool,
    status: NodeStatus,
    /// When it came there; of a handler that runs, when that began.
    since: Time,
    /// When it came there by the record.
    recorded: Time,
    attempt: u16,
    failure: Option<String>,
    /// How long its last attempt took, once that is over.
    took: Option<Duration>,
    /// The attempt whose handler has begun, and when; it may be heard of early.
    begun: Option<(u16, Time)>,
}

/// A node at work, or one that waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnderWay<'a> {
    pub(super) node: &'a str,
    pub(super) title: Option<&'a str>,
    pub(super) since: Time,
    pub(super) attempt: u16,
    pub(super) far: Option<&'a Far>,
}

impl Tally {
    pub(super) fn new(workflow: &Workflow) -> Self {
        let compiled = workflow.compiled();
        let in_graphs = compiled.in_graphs();
        let is_counted = |position: &NodeIndex| compiled.is_task(*position) && in_graphs[position.as_usize()];
        let tasks = compiled.all_positions().filter(is_counted).count();
        let node = |position| {
            let by_handler = compiled.handler(position).is_some();
            let (status, since) = (NodeStatus::Pending, Time::default());
            Node { by_handler, status, since, recorded: since, attempt: 0, failure: None, took: None, begun: None }
        };
        Self {
            workflow: workflow.clone(),
            nodes: compiled.all_positions().map(node).collect(),
            counts: Counts { tasks, ..Counts::default() },
            running: BTreeSet::new(),
            queued: BTreeSet::new(),
            waiting: BTreeSet::new(),
            repeated: BTreeSet::new(),
            paths: BTreeMap::new(),
            said: Said::default(),
        }
    }

    pub(super) fn counts(&self) -> Counts {
        let queued = self.queued.len();
        // The runtime takes them for running.
        Counts { queued, running: self.counts.running.saturating_sub(queued), ..self.counts }
    }

    /// The nodes at work, longest first.
    pub(super) fn running(&self) -> impl Iterator<Item = UnderWay<'_>> {
        self.running.iter().map(|(since, position)| self.under_way(*since, *position))
    }

    /// The nodes whose handler waits for its turn, longest first.
    pub(super) fn queued(&self) -> impl Iterator<Item = UnderWay<'_>> {
        self.queued.iter().map(|(since, position)| self.under_way(*since, *position))
    }

    /// The nodes that wait, longest first.
    pub(super) fn waiting(&self) -> impl Iterator<Item = UnderWay<'_>> {
        self.waiting.iter().map(|(since, position)| self.under_way(*since, *position))
    }

    pub(super) fn under_way_count(&self) -> usize {
        self.running.len() + self.queued.len() + self.waiting.len() + self.said.repeated_count()
    }

    fn under_way(&self, since: Time, position: NodeIndex) -> UnderWay<'_> {
        let node = self.workflow.compiled().node(position);
        let attempt = self.nodes[position.as_usize()].attempt;
        let far = self.said.of(position);
        UnderWay { node: &node.id, title: title(self.workflow.compiled(), position), since, attempt, far }
    }

    /// The nodes in items and rounds that say how far they are.
    pub(super) fn saying(&self) -> impl Iterator<Item = UnderWay<'_>> {
        self.said.repeated().map(|(node, repeated)| {
            let Repeated { position, attempt, since, far } = repeated;
            let title = title(self.workflow.compiled(), *position);
            UnderWay { node, title, since: *since, attempt: *attempt, far: Some(far) }
        })
    }

    pub(super) fn custom_status(&self) -> Option<&CustomStatus> {
        self.said.custom_status()
    }

    /// Takes an event into account; says what people should hear of it.
    pub(super) fn hear(&mut self, event: &Event) -> Option<News> {
        self.hear_said(&event.kind, event.at);
        match &event.kind {
            EventKind::Attempted { node, failure, took, .. } => {
                self.note_took(node, *took);
                if let Some(failure) = failure {
                    self.note(node, in_words(failure));
                }
            }
            EventKind::ExpressionFailed { node, reason } => self.note(node, reason.clone()),
            EventKind::NodeTransitioned { node, from, to, attempt, waiting_for, .. } => {
                let position = self.workflow.compiled().find(node)?;
                if is_repeated(node) {
                    let news = self.go_repeated(position, (*from, *to), *attempt, event.at, is_of_end(node));
                    return news.map(|news| News { node: node.clone(), ..news });
                }
                if node.contains("::") {
                    self.paths.entry(position).or_insert_with(|| node.clone());
                }
                let news = self.go(position, *to, *attempt, event.at, is_of_end(node))?;
                let what = match news.what {
                    What::FailedOnce { attempt, reason } if *waiting_for == Some(WaitingFor::Operator) => {
                        What::Held { attempt, reason }
                    }
                    what => what,
                };
                // Its path says more than its id.
                return Some(News { node: node.clone(), what, ..news });
            }
            _ => {}
        }
        None
    }

    /// Takes into account what handlers say, and how far maps have come.
    pub(super) fn hear_said(&mut self, kind: &EventKind, at: Time) {
        let (EventKind::Progressed { node, .. }
        | EventKind::ItemsCounted { node, .. }
        | EventKind::Attempted { node, .. }
        | EventKind::NodeTransitioned { node, .. }) = kind
        else {
            return self.said.hear(kind, at, None, false);
        };
        self.said.hear(kind, at, self.workflow.compiled().find(node), is_repeated(node));
    }

    /// The number of a node.
    #[cfg(test)]
    pub(super) fn position(&self, node: &str) -> NodeIndex {
        self.workflow.compiled().find(node).unwrap()
    }

    /// An attempt took that long by the record, which the line of its node says too.
    pub(super) fn note_took(&mut self, node: &str, took: Duration) {
        if let Some(position) = self.workflow.compiled().find(node) {
            self.nodes[position.as_usize()].took = Some(took);
        }
    }

    pub(super) fn note(&mut self, node: &str, reason: String) {
        if let Some(position) = self.workflow.compiled().find(node) {
            self.nodes[position.as_usize()].failure = Some(reason);
        }
    }

    /// A handler begins.
    pub(super) fn begin(&mut self, position: NodeIndex, attempt: u16, at: Time) -> Option<News> {
        let node = &mut self.nodes[position.as_usize()];
        node.begun = Some((attempt, at));
        if node.status != NodeStatus::Running || node.attempt != attempt {
            return None;
        }
        let queued_since = std::mem::replace(&mut node.since, at);
        self.queued.remove(&(queued_since, position));
        self.running.insert((at, position));
        let news = self.news(position, at, What::Started { attempt });
        let path = self.paths.get(&position);
        Some(News { node: path.unwrap_or(&news.node).clone(), ..news })
    }

    /// Whether an attempt has begun, as far as was heard.
    pub(super) fn has_begun(&self, position: NodeIndex, attempt: u16) -> bool {
        self.nodes[position.as_usize()].attempt >= attempt
    }

    /// Counts the new status of a node inside of a map or a loop, and tells its failure only: nobody reads a line for each of
    /// a hundred thousand items.
    pub(super) fn go_repeated(
        &mut self,
        position: NodeIndex,
        (from, to): (NodeStatus, NodeStatus),
        attempt: u16,
        at: Time,
        is_of_end: bool,
    ) -> Option<News> {
        let node = &mut self.nodes[position.as_usize()];
        // What its handler says is shown from now on.
        node.attempt = node.attempt.max(attempt);
        let reason = node.failure.take();
        let is_new = matches!(from, NodeStatus::Pending | NodeStatus::Ready);
        if self.workflow.compiled().is_task(position) && !is_of_end {
            // The first one is counted already.
            let is_another = is_new && !matches!(to, NodeStatus::Pending | NodeStatus::Ready);
            if is_another && !self.repeated.insert(position) {
                self.counts.tasks += 1;
            }
            self.count(from, |count| count.saturating_sub(1));
            self.count(to, |count| count + 1);
        }
        let failed = || What::Failed { took: Duration::ZERO, reason: reason.unwrap_or_default() };
        (to == NodeStatus::Failed).then(|| self.news(position, at, failed()))
    }

    /// A node comes to another status; what the end is made of is told and not counted.
    pub(super) fn go(
        &mut self,
        position: NodeIndex,
        to: NodeStatus,
        attempt: u16,
        at: Time,
        is_of_end: bool,
    ) -> Option<News> {
        let compiled = self.workflow.compiled();
        let kind = &compiled.node(position).kind;
        if !kind.is_work() && !matches!(kind, NodeKind::Verification(_) | NodeKind::Wait(_)) {
            return None;
        }
        let counted = compiled.is_task(position) && !is_of_end;
        let known = &mut self.nodes[position.as_usize()];
        let begun = known.begun.filter(|begun| begun.0 == attempt);
        let since = match (known.status, to) {
            // A loop waits for its next round: it takes as long as all its rounds.
            (NodeStatus::Waiting, NodeStatus::Waiting) if matches!(kind, NodeKind::Loop(_)) => known.since,
            (_, NodeStatus::Running) => begun.map_or(at, |(_, began_at)| began_at),
            _ => at,
        };
        let is_queued = known.by_handler && begun.is_none();
        let after = Node { status: to, since, recorded: at, attempt, failure: None, took: None, ..*known };
        let before = std::mem::replace(known, after);
        if counted {
            self.count(before.status, |count| count.saturating_sub(1));
            self.count(to, |count| count + 1);
        }
        for all in [&mut self.running, &mut self.queued, &mut self.waiting] {
            all.remove(&(before.since, position));
        }
        match to {
            NodeStatus::Running if is_queued => drop(self.queued.insert((since, position))),
            NodeStatus::Running => drop(self.running.insert((since, position))),
            NodeStatus::Waiting => drop(self.waiting.insert((since, position))),
            _ => {}
        }
        let what = what(&before, to, attempt, at)?;
        // It is said when its turn comes.
        let untimely = is_queued && matches!(what, What::Started { .. });
        (!untimely).then(|| self.news(position, at, what))
    }

    fn news(&self, position: NodeIndex, at: Time, what: What) -> News {
        let compiled = self.workflow.compiled();
        let title = title(compiled, position).map(str::to_owned);
        News { node: compiled.node(position).id.clone(), title, at, what }
    }

    fn count(&mut self, status: NodeStatus, change: impl Fn(usize) -> usize) {
        let counts = &mut self.counts;
        let count = match status {
            // Not begun, or a status that this version does not know.
            NodeStatus::Pending | NodeStatus::Ready => return,
            NodeStatus::Running => &mut counts.running,
            NodeStatus::Waiting => &mut counts.waiting,
            NodeStatus::Completed => &mut counts.completed,
            NodeStatus::Failed => &mut counts.failed,
            NodeStatus::Cancelled => &mut counts.cancelled,
            NodeStatus::Skipped => &mut counts.skipped,
            _ => return,
        };
        *count = change(*count);
    }
}

/// Whether a path leads to one of many: through an item of a map, or a round of a loop.
fn is_repeated(path: &str) -> bool {
    let path = path.parse::<NodePath>().ok();
    let is_one_of_many = |instance| matches!(instance, Instance::Item(_) | Instance::Round(_));
    path.is_some_and(|path| path.within().iter().any(|step| is_one_of_many(step.instance)))
}

/// Whether a path leads to what undoes a node, or to what runs at the end of a scope.
fn is_of_end(path: &str) -> bool {
    let path = path.parse::<NodePath>().ok();
    let is_of_end = |instance| matches!(instance, Instance::Compensation | Instance::Finally);
    path.is_some_and(|path| path.within().iter().any(|step| is_of_end(step.instance)))
}

fn what(before: &Node, to: NodeStatus, attempt: u16, at: Time) -> Option<What> {
    let took = before.took.unwrap_or_else(|| match before.status {
        NodeStatus::Running if to == NodeStatus::Cancelled => at.since(before.recorded),
        NodeStatus::Running | NodeStatus::Waiting => at.since(before.since),
        _ => Duration::ZERO,
    });
    let again = |reason: &String| What::FailedOnce { attempt: before.attempt, reason: reason.clone() };
    Some(match (to, &before.failure) {
        (NodeStatus::Running | NodeStatus::Waiting, Some(reason)) => again(reason),
        (NodeStatus::Running, None) => What::Started { attempt },
        // A loop waits for its next round instead of the one that it waited for.
        (NodeStatus::Waiting, None) if before.status == NodeStatus::Waiting => return None,
        (NodeStatus::Waiting, None) => What::Waits,
        (NodeStatus::Completed, _) => What::Completed { took },
        (NodeStatus::Failed, reason) => What::Failed { took, reason: reason.clone().unwrap_or_default() },
        (NodeStatus::Cancelled, _) => What::Cancelled { took },
        (NodeStatus::Skipped, _) => What::Skipped,
        _ => return None,
    })
}

/// The reason alone where it says enough.
fn in_words(failure: &Failure) -> String {
    match failure.class {
        FailureClass::Failed if !failure.reason.is_empty() => failure.reason.to_string(),
        _ => failure.to_string(),
    }
}

/// What people call a node, if that is not what its id says.
fn title(compiled: &Compiled, position: NodeIndex) -> Option<&str> {
    let node = compiled.node(position);
    let title = match &node.kind {
        NodeKind::Task(task) => task.title.as_deref().unwrap_or(&node.label),
        _ => &node.label,
    };
    (title != title_of(&node.id) && title != node.id).then_some(title)
}
