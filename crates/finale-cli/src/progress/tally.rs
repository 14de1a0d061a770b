//! How far an execution has come, told by its events.

use std::collections::BTreeSet;
use std::time::Duration;

use finale::core::definition::{NodeKind, title_of};
use finale::core::{Compiled, FailureClass};
use finale::{Event, EventKind, Failure, NodeStatus, Time, Workflow};

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
    Started { attempt: u16 },
    Waits,
    FailedOnce { attempt: u16, reason: String },
    Completed { took: Duration },
    Failed { took: Duration, reason: String },
    Cancelled { took: Duration },
    Skipped,
}

/// How many tasks are where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) tasks: usize,
    pub(super) completed: usize,
    pub(super) running: usize,
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
    running: BTreeSet<(Time, u32)>,
    waiting: BTreeSet<(Time, u32)>,
}

#[derive(Clone, Debug)]
struct Node {
    status: NodeStatus,
    /// When it came there.
    since: Time,
    attempt: u16,
    failure: Option<String>,
}

/// A node at work, or one that waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnderWay<'a> {
    pub(super) node: &'a str,
    pub(super) title: Option<&'a str>,
    pub(super) since: Time,
    pub(super) attempt: u16,
}

impl Tally {
    pub(super) fn new(workflow: &Workflow) -> Self {
        let compiled = workflow.compiled();
        let tasks = (0..compiled.len() as u32).filter(|position| compiled.is_task(*position)).count();
        let node = Node { status: NodeStatus::Pending, since: Time::default(), attempt: 0, failure: None };
        Self {
            workflow: workflow.clone(),
            nodes: vec![node; compiled.len()],
            counts: Counts { tasks, ..Counts::default() },
            running: BTreeSet::new(),
            waiting: BTreeSet::new(),
        }
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// The nodes at work, longest first.
    pub(super) fn running(&self) -> impl Iterator<Item = UnderWay<'_>> {
        self.running.iter().map(|(since, position)| self.under_way(*since, *position))
    }

    /// The nodes that wait, longest first.
    pub(super) fn waiting(&self) -> impl Iterator<Item = UnderWay<'_>> {
        self.waiting.iter().map(|(since, position)| self.under_way(*since, *position))
    }

    pub(super) fn under_way_count(&self) -> usize {
        self.running.len() + self.waiting.len()
    }

    fn under_way(&self, since: Time, position: u32) -> UnderWay<'_> {
        let node = self.workflow.compiled().node(position);
        let attempt = self.nodes[position as usize].attempt;
        UnderWay { node: &node.id, title: title(self.workflow.compiled(), position), since, attempt }
    }

    /// Takes an event into account; says what people should hear of it.
    pub(super) fn hear(&mut self, event: &Event) -> Option<News> {
        match &event.kind {
            EventKind::Attempted { node, failure: Some(failure), .. } => self.note(node, in_words(failure)),
            EventKind::ExpressionFailed { node, reason } => self.note(node, reason.clone()),
            EventKind::NodeTransitioned { node, to, attempt, .. } => {
                let position = self.workflow.compiled().position(node)?;
                return self.go(position, *to, *attempt, event.at);
            }
            _ => {}
        }
        None
    }

    fn note(&mut self, node: &str, reason: String) {
        if let Some(position) = self.workflow.compiled().position(node) {
            self.nodes[position as usize].failure = Some(reason);
        }
    }

    /// A node comes to another status.
    fn go(&mut self, position: u32, to: NodeStatus, attempt: u16, at: Time) -> Option<News> {
        let compiled = self.workflow.compiled();
        let takes_time = matches!(
            compiled.node(position).kind,
            NodeKind::Task(_) | NodeKind::Verification(_) | NodeKind::Subworkflow(_)
        );
        if !takes_time {
            return None;
        }
        let (node, title) = (compiled.node(position).id.clone(), title(compiled, position).map(str::to_owned));
        let counted = compiled.is_task(position);
        let known = &mut self.nodes[position as usize];
        let before = std::mem::replace(known, Node { status: to, since: at, attempt, failure: None });
        if counted {
            self.count(before.status, |count| count.saturating_sub(1));
            self.count(to, |count| count + 1);
        }
        for (status, all) in [(NodeStatus::Running, &mut self.running), (NodeStatus::Waiting, &mut self.waiting)] {
            if before.status == status {
                all.remove(&(before.since, position));
            }
            if to == status {
                all.insert((at, position));
            }
        }
        let what = what(&before, to, attempt, at)?;
        Some(News { node, title, at, what })
    }

    fn count(&mut self, status: NodeStatus, change: impl Fn(usize) -> usize) {
        let counts = &mut self.counts;
        let count = match status {
            NodeStatus::Pending => return,
            NodeStatus::Running => &mut counts.running,
            NodeStatus::Waiting => &mut counts.waiting,
            NodeStatus::Completed => &mut counts.completed,
            NodeStatus::Failed => &mut counts.failed,
            NodeStatus::Cancelled => &mut counts.cancelled,
            NodeStatus::Skipped => &mut counts.skipped,
        };
        *count = change(*count);
    }
}

fn what(before: &Node, to: NodeStatus, attempt: u16, at: Time) -> Option<What> {
    let took = match before.status {
        NodeStatus::Running | NodeStatus::Waiting => at.since(before.since),
        _ => Duration::ZERO,
    };
    let again = |reason: &String| What::FailedOnce { attempt: before.attempt, reason: reason.clone() };
    Some(match (to, &before.failure) {
        (NodeStatus::Running | NodeStatus::Waiting, Some(reason)) => again(reason),
        (NodeStatus::Running, None) => What::Started { attempt },
        (NodeStatus::Waiting, None) => What::Waits,
        (NodeStatus::Completed, _) => What::Completed { took },
        (NodeStatus::Failed, reason) => What::Failed { took, reason: reason.clone().unwrap_or_default() },
        (NodeStatus::Cancelled, _) => What::Cancelled { took },
        (NodeStatus::Skipped, _) => What::Skipped,
        (NodeStatus::Pending, _) => return None,
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
fn title(compiled: &Compiled, position: u32) -> Option<&str> {
    let node = compiled.node(position);
    let title = match &node.kind {
        NodeKind::Task(task) => task.title.as_deref().unwrap_or(&node.label),
        _ => &node.label,
    };
    (title != title_of(&node.id) && title != node.id).then_some(title)
}
