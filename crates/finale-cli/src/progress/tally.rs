//! How far an execution has come, told by its events.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::time::Duration;

use finale::{CustomStatus, Event, EventKind, Failure, NodeStatus, Time, WaitingFor, Workflow};
use finale_core::definition::{NodeKind, title_of};
use finale_core::path::Instance;
use finale_core::{Compiled, FailureClass, NodeIndex, NodePath, WorkKey};

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
    /// What was heard of, by path: calls of one workflow share its nodes. What is in an item or a round is forgotten when
    /// it is over, because there may be hundreds of thousands of them.
    nodes: HashMap<Rc<str>, Node>,
    /// The paths of the same nodes, by what names them for their handlers.
    paths: HashMap<WorkKey, Rc<str>>,
    counts: Counts,
    /// Those at work, and those that wait, each by when that began.
    running: BTreeSet<(Time, Rc<str>)>,
    /// Those whose handler waits for its turn.
    queued: BTreeSet<(Time, Rc<str>)>,
    waiting: BTreeSet<(Time, Rc<str>)>,
    /// The tasks inside of others of which one has begun: that one was counted in advance.
    counted: BTreeSet<NodeIndex>,
    /// What was heard of the last attempts of nodes, until they come to another status.
    last: HashMap<String, LastAttempt>,
    said: Said,
}

/// What an attempt came to.
#[derive(Debug, Default)]
struct LastAttempt {
    failure: Option<String>,
    /// How long it took by the record.
    took: Option<Duration>,
}

#[derive(Clone, Debug)]
struct Node {
    key: WorkKey,
    status: NodeStatus,
    /// When it came there; of a handler that runs, when that began.
    since: Time,
    /// When it came there by the record.
    recorded: Time,
    attempt: u16,
    /// The attempt whose handler has begun, and when; it may be heard of early.
    begun: Option<(u16, Time)>,
}

/// A change of a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change<'a> {
    pub(super) node: &'a str,
    pub(super) key: WorkKey,
    pub(super) to: NodeStatus,
    pub(super) attempt: u16,
    pub(super) at: Time,
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
        Self {
            workflow: workflow.clone(),
            nodes: HashMap::new(),
            paths: HashMap::new(),
            counts: Counts { tasks, ..Counts::default() },
            running: BTreeSet::new(),
            queued: BTreeSet::new(),
            waiting: BTreeSet::new(),
            counted: BTreeSet::new(),
            last: HashMap::new(),
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
        self.running.iter().map(|(since, path)| self.under_way(*since, path))
    }

    /// The nodes whose handler waits for its turn, longest first.
    pub(super) fn queued(&self) -> impl Iterator<Item = UnderWay<'_>> {
        self.queued.iter().map(|(since, path)| self.under_way(*since, path))
    }

    /// The nodes that wait, longest first.
    pub(super) fn waiting(&self) -> impl Iterator<Item = UnderWay<'_>> {
        self.waiting.iter().map(|(since, path)| self.under_way(*since, path))
    }

    pub(super) fn under_way_count(&self) -> usize {
        self.running.len() + self.queued.len() + self.waiting.len() + self.said.repeated_count()
    }

    fn under_way<'a>(&'a self, since: Time, path: &'a str) -> UnderWay<'a> {
        let node = self.nodes.get(path);
        let title = node.and_then(|node| title(self.workflow.compiled(), node.key.node));
        let attempt = node.map_or(0, |node| node.attempt);
        UnderWay { node: path, title, since, attempt, far: self.said.of(path) }
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
            EventKind::NodeTransitioned { node, key, to, attempt, waiting_for, .. } => {
                let news = self.go(Change { node, key: *key, to: *to, attempt: *attempt, at: event.at })?;
                let what = match news.what {
                    What::FailedOnce { attempt, reason } if *waiting_for == Some(WaitingFor::Operator) => {
                        What::Held { attempt, reason }
                    }
                    what => what,
                };
                return Some(News { what, ..news });
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

    /// What names a node, as one of the definition's own graph.
    #[cfg(test)]
    pub(super) fn key(&self, node: &str) -> WorkKey {
        WorkKey::root(self.workflow.compiled().find(node).unwrap())
    }

    /// An attempt took that long by the record, which the line of its node says too.
    pub(super) fn note_took(&mut self, node: &str, took: Duration) {
        self.last.entry(node.to_owned()).or_default().took = Some(took);
    }

    pub(super) fn note(&mut self, node: &str, reason: String) {
        self.last.entry(node.to_owned()).or_default().failure = Some(reason);
    }

    /// A handler begins.
    pub(super) fn begin(&mut self, key: WorkKey, attempt: u16, at: Time) -> Option<News> {
        let path = Rc::clone(self.paths.get(&key)?);
        let node = self.nodes.get_mut(&path)?;
        node.begun = Some((attempt, at));
        if node.status != NodeStatus::Running || node.attempt != attempt {
            return None;
        }
        let queued_since = std::mem::replace(&mut node.since, at);
        if is_repeated(&path) {
            return None;
        }
        self.queued.remove(&(queued_since, Rc::clone(&path)));
        self.running.insert((at, Rc::clone(&path)));
        Some(self.news(&path, key, at, What::Started { attempt }))
    }

    /// Whether an attempt has begun, as far as was heard.
    pub(super) fn has_begun(&self, key: WorkKey, attempt: u16) -> bool {
        let node = self.paths.get(&key).and_then(|path| self.nodes.get(path));
        node.is_some_and(|node| node.attempt >= attempt)
    }

    /// A node comes to another status; what the end is made of is told and not counted. Of what is in an item or a round only
    /// a failure is told: nobody reads a line for each of a hundred thousand items.
    pub(super) fn go(&mut self, change: Change<'_>) -> Option<News> {
        let Change { node: path, key, to, attempt, at } = change;
        let compiled = self.workflow.compiled();
        let last = self.last.remove(path).unwrap_or_default();
        let kind = &compiled.node(key.node).kind;
        let is_shown = kind.is_work() || matches!(kind, NodeKind::Verification(_) | NodeKind::Wait(_));
        let is_told = is_shown || (is_repeated(path) && to == NodeStatus::Failed);
        if !is_told {
            return None;
        }
        let (is_loop, by_handler) = (matches!(kind, NodeKind::Loop(_)), compiled.handler(key.node).is_some());
        let counted = compiled.is_task(key.node) && !is_of_end(path);
        let before = self.nodes.get(path).cloned().unwrap_or_else(|| Node::new(key));
        let begun = before.begun.filter(|begun| begun.0 == attempt);
        let since = match (before.status, to) {
            // A loop waits for its next round: it takes as long as all its rounds.
            (NodeStatus::Waiting, NodeStatus::Waiting) if is_loop => before.since,
            (_, NodeStatus::Running) => begun.map_or(at, |(_, began_at)| began_at),
            _ => at,
        };
        let is_queued = by_handler && begun.is_none();
        if counted {
            self.count_another(path, &before, to);
            self.count(before.status, |count| count.saturating_sub(1));
            self.count(to, |count| count + 1);
        }
        let after = Node { status: to, since, recorded: at, attempt, ..before };
        let what = what(&before, &last, to, attempt, at);
        if is_repeated(path) {
            self.keep_repeated(path, after);
            let what = what.filter(|what| matches!(what, What::Failed { .. }))?;
            return Some(self.news(path, key, at, what));
        }
        let path = self.keep(path, after);
        for all in [&mut self.running, &mut self.queued, &mut self.waiting] {
            all.remove(&(before.since, Rc::clone(&path)));
        }
        match to {
            NodeStatus::Running if is_queued => drop(self.queued.insert((since, Rc::clone(&path)))),
            NodeStatus::Running => drop(self.running.insert((since, Rc::clone(&path)))),
            NodeStatus::Waiting => drop(self.waiting.insert((since, Rc::clone(&path)))),
            _ => {}
        }
        let what = what?;
        // It is said when its turn comes.
        let untimely = is_queued && matches!(what, What::Started { .. });
        (!untimely).then(|| self.news(&path, key, at, what))
    }

    /// Counts a task in a scope inside that was not counted in advance: there may be many of one node there.
    fn count_another(&mut self, path: &str, before: &Node, to: NodeStatus) {
        let has_begun = |status| !matches!(status, NodeStatus::Pending | NodeStatus::Ready);
        let is_new = !has_begun(before.status) && has_begun(to);
        // The first one is counted already.
        if is_new && path.contains("::") && !self.counted.insert(before.key.node) {
            self.counts.tasks += 1;
        }
    }

    fn keep(&mut self, path: &str, node: Node) -> Rc<str> {
        let path = self.nodes.get_key_value(path).map_or_else(|| path.into(), |(path, _)| Rc::clone(path));
        self.paths.insert(node.key, Rc::clone(&path));
        self.nodes.insert(Rc::clone(&path), node);
        path
    }

    /// Keeps a node of an item or a round until it is over.
    fn keep_repeated(&mut self, path: &str, node: Node) {
        if matches!(node.status, NodeStatus::Pending | NodeStatus::Ready | NodeStatus::Running | NodeStatus::Waiting) {
            self.keep(path, node);
        } else {
            self.paths.remove(&node.key);
            self.nodes.remove(path);
        }
    }

    fn news(&self, path: &str, key: WorkKey, at: Time, what: What) -> News {
        let title = title(self.workflow.compiled(), key.node).map(str::to_owned);
        News { node: path.to_owned(), title, at, what }
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

impl Node {
    fn new(key: WorkKey) -> Self {
        let (status, since) = (NodeStatus::Pending, Time::default());
        Self { key, status, since, recorded: since, attempt: 0, begun: None }
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

fn what(before: &Node, last: &LastAttempt, to: NodeStatus, attempt: u16, at: Time) -> Option<What> {
    let took = last.took.unwrap_or_else(|| match before.status {
        NodeStatus::Running if to == NodeStatus::Cancelled => at.since(before.recorded),
        NodeStatus::Running | NodeStatus::Waiting => at.since(before.since),
        _ => Duration::ZERO,
    });
    let again = |reason: &String| What::FailedOnce { attempt: before.attempt, reason: reason.clone() };
    Some(match (to, &last.failure) {
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
