//! What an execution looks like, and how that differs from what a case wants.

use std::collections::BTreeSet;

use finale::{ExecutionId, OpenTask, Runtime};
use finale_core::compiled::Compiled;
use finale_core::definition::{Definition, Edge, EdgeKind, NodeKind};
use finale_core::failure::FailureClass;
use finale_core::record::{NodeRecord, NodeRecordState, State};
use finale_core::{Execution, NodeStatus, Record};

use super::cases::{Expect, Expected};

/// An execution as users see it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) record: Record,
    /// The tasks that somebody outside may work on now.
    pub(super) open: Vec<OpenTask>,
}

impl Seen {
    pub(super) async fn of(runtime: &Runtime, id: ExecutionId) -> Result<Self, String> {
        let execution = runtime.execution(id).await.map_err(|error| format!("execution {id}: {error}"))?;
        let record = execution.snapshot().await.map_err(|error| format!("no snapshot: {error}"))?;
        let open = runtime.open_tasks_of(id).await.map_err(|error| format!("no open tasks: {error}"))?;
        Ok(Self { record, open })
    }

    pub(super) fn status(&self) -> &'static str {
        self.record.state.status().name()
    }

    pub(super) fn has_ended(&self) -> bool {
        self.record.state.status().is_terminal()
    }

    pub(super) fn node(&self, id: &str) -> Option<&NodeRecord> {
        self.record.nodes.iter().find(|node| node.id == id)
    }

    fn error(&self) -> Option<&str> {
        match &self.record.state {
            State::Ended(outcome) => outcome.error().map(finale_core::record::ExecutionError::message),
            _ => None,
        }
    }

    fn ready(&self) -> BTreeSet<&str> {
        self.open.iter().map(|task| task.node.as_str()).collect()
    }

    fn ids_of(&self, wanted: impl Fn(&NodeRecord) -> bool) -> BTreeSet<&str> {
        self.record.nodes.iter().filter(|node| wanted(node)).map(|node| node.id.as_str()).collect()
    }
}

/// Collects what differs.
#[derive(Default)]
pub(super) struct Differences(Vec<String>);

impl Differences {
    pub(super) fn add(&mut self, difference: impl Into<String>) {
        self.0.push(difference.into());
    }

    pub(super) fn into_vec(self) -> Vec<String> {
        self.0
    }

    fn unless_equal<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, found: &T, wanted: &T) {
        if found != wanted {
            self.add(format!("{what} is {found:?}, not {wanted:?}"));
        }
    }

    fn unless_same(&mut self, what: &str, found: &BTreeSet<&str>, wanted: &[String]) {
        self.unless_equal(what, found, &wanted.iter().map(String::as_str).collect());
    }

    /// What must always hold, whatever the case is about.
    pub(super) fn check_sanity(&mut self, seen: &Seen) {
        let unsettled = seen.ids_of(|node| !node.state.status().is_settled());
        if seen.has_ended() && (!unsettled.is_empty() || !seen.open.is_empty()) {
            self.add(format!("it has ended, and unsettled are {unsettled:?}, open {:?}", seen.ready()));
        }
        let waiting = seen.ids_of(|node| node.kind == "task" && node.state.status() == NodeStatus::Waiting);
        self.unless_equal("what waits for somebody outside", &seen.ready(), &waiting);
    }

    /// What must hold right after a step.
    pub(super) fn check_step(&mut self, expect: &Expect, seen: &Seen) {
        if let Some(status) = &expect.status {
            self.unless_equal("status", &seen.status(), &status.as_str());
        }
        if let Some(ready) = &expect.ready {
            self.unless_same("ready", &seen.ready(), ready);
        }
        if let Some(count) = expect.ready_count {
            self.unless_equal("ready_count", &seen.open.len(), &count);
        }
    }

    /// What must hold at the end; `folded` is the execution as its journal tells it.
    pub(super) fn check_end(&mut self, expected: &Expected, seen: &Seen, compiled: &Compiled, folded: &Execution) {
        if folded.record(compiled) != seen.record {
            self.add("its journal tells another story than its snapshot");
        }
        self.check_outcome(expected, seen);
        for (id, accepted) in &expected.nodes {
            self.check_node(id, accepted.as_slice(), seen);
        }
        if let Some(ready) = &expected.ready {
            self.unless_same("ready", &seen.ready(), ready);
        }
        if let Some(count) = expected.ready_count {
            self.unless_equal("ready_count", &seen.open.len(), &count);
        }
        let ways = Ways { definition: compiled.definition(), compiled, seen, folded };
        for (id, wanted) in &expected.deps {
            let found = ways.dependencies(id);
            self.unless_same(&format!("what {id} depends on"), &found.iter().map(String::as_str).collect(), wanted);
        }
        for (id, wanted) in &expected.assigned {
            let assignee = compiled.position(id).and_then(|node| compiled.assignee(node));
            self.unless_equal(&format!("who is asked to do {id}"), &assignee, &wanted.as_deref());
        }
        if let Some(total) = expected.tasks_total {
            let tasks = seen.ids_of(|node| node.kind == "task" && node.state.status() != NodeStatus::Skipped);
            self.unless_equal("tasks_total", &tasks.len(), &total);
        }
        if let Some(wanted) = &expected.cancel_requested {
            let closed = seen.ids_of(|node| node.kind == "task" && node.state.status() == NodeStatus::Cancelled);
            self.unless_same("cancel_requested", &closed, wanted);
        }
    }

    fn check_outcome(&mut self, expected: &Expected, seen: &Seen) {
        match &expected.status {
            Some(status) => self.unless_equal("status", &seen.status(), &status.as_str()),
            None => self.add("the case says neither a status nor an activation_error"),
        }
        if let Some(wanted) = expected.completed_at {
            let found = matches!(&seen.record.state, State::Ended(_));
            self.unless_equal("completed_at", &found, &wanted);
        }
        if expected.no_error {
            self.unless_equal("error", &seen.error(), &None);
        }
        let error = seen.error().unwrap_or_default().to_lowercase();
        for words in expected.error_contains.as_slice() {
            if !error.contains(&words.to_lowercase()) {
                self.add(format!("error {error:?} does not contain {words:?}"));
            }
        }
    }

    fn check_node(&mut self, id: &str, accepted: &[String], seen: &Seen) {
        let Some(node) = seen.node(id) else {
            return self.add(format!("there is no node {id:?}"));
        };
        let names = names_of(node);
        if !accepted.iter().any(|accepted| names.contains(&accepted.as_str())) {
            self.add(format!("node {id:?} is {}, not {accepted:?}", names.join(" or ")));
        }
    }
}

/// All names that the cases have for where a node is.
fn names_of(node: &NodeRecord) -> &'static [&'static str] {
    let is_task = node.kind == "task";
    match (&node.state, is_task) {
        (NodeRecordState::Pending, _) => &["pending"],
        (NodeRecordState::Running(_) | NodeRecordState::Waiting { .. }, true) => &["task_created"],
        // A verification that waits for its verdict has not come to anything yet.
        (NodeRecordState::Running(_) | NodeRecordState::Waiting { .. }, false) => &["pending"],
        (NodeRecordState::Completed { .. }, true) => &["task_completed"],
        (NodeRecordState::Completed { .. }, false) => &["completed"],
        (NodeRecordState::Failed { class: FailureClass::Cancelled, .. }, true) => &["task_failed", "task_cancelled"],
        (NodeRecordState::Failed { class: FailureClass::Rejected, .. }, true) => &["task_failed", "task_rejected"],
        (NodeRecordState::Failed { .. }, true) => &["task_failed"],
        (NodeRecordState::Failed { .. }, false) => &["failed"],
        (NodeRecordState::Cancelled { .. }, true) => &["task_cancelled", "cancelled"],
        (NodeRecordState::Cancelled { .. }, false) => &["cancelled"],
        (NodeRecordState::Skipped { .. }, _) => &["skipped"],
        _ => &["unknown"],
    }
}

/// The ways to the nodes of an execution, as far as its decisions have left them open.
struct Ways<'w> {
    definition: &'w Definition,
    compiled: &'w Compiled,
    seen: &'w Seen,
    folded: &'w Execution,
}

impl<'w> Ways<'w> {
    /// The nearest tasks before a node, seen through the nodes that are no work, into what is called and out of it.
    fn dependencies(&self, id: &str) -> BTreeSet<String> {
        let (mut tasks, mut passed, mut open) = (BTreeSet::new(), BTreeSet::new(), vec![id.to_owned()]);
        while let Some(node) = open.pop() {
            for source in self.sources(&node) {
                if matches!(self.kind(&source), Some(NodeKind::Task(_))) {
                    tasks.insert(source);
                } else if passed.insert(source.clone()) {
                    open.push(source);
                }
            }
        }
        tasks
    }

    /// What comes right before a node: behind a call that is the end of what it calls, and before its start what comes
    /// before the call.
    fn sources(&self, path: &str) -> Vec<String> {
        let (within, node) = path.rsplit_once("::").map_or(("", path), |(within, node)| (within, node));
        let Some(definition) = self.workflow(within) else { return Vec::new() };
        if matches!(self.kind(path), Some(NodeKind::Start)) && !within.is_empty() {
            return self.sources(within);
        }
        let inside = |id: &str| if within.is_empty() { id.to_owned() } else { format!("{within}::{id}") };
        let into = definition.edges.iter().filter(|edge| edge.target == node);
        let sources = into.filter(|edge| self.is_way(&inside(&edge.source), edge)).map(|edge| inside(&edge.source));
        sources.map(|source| self.end_of(&source).unwrap_or(source)).collect()
    }

    /// The end of what is called at a node.
    fn end_of(&self, path: &str) -> Option<String> {
        let called = self.called(self.kind(path)?)?;
        let end = called.nodes.iter().find(|node| matches!(node.kind, NodeKind::End))?;
        Some(format!("{path}::{}", end.id))
    }

    /// Whether nothing was decided that leads past the edge.
    fn is_way(&self, source: &str, edge: &Edge) -> bool {
        let is_skipped = self.seen.node(source).is_some_and(|node| node.state.status() == NodeStatus::Skipped);
        !is_skipped && self.taken(source).is_none_or(|taken| taken == edge.kind)
    }

    fn taken(&self, path: &str) -> Option<EdgeKind> {
        self.folded.taken(self.folded.resolve(self.compiled, &path.parse().ok()?)?)
    }

    fn kind(&self, path: &str) -> Option<&'w NodeKind> {
        let (within, id) = path.rsplit_once("::").map_or(("", path), |(within, id)| (within, id));
        self.workflow(within)?.nodes.iter().find(|node| node.id == id).map(|node| &node.kind)
    }

    /// The workflow that is called by the way of these nodes.
    fn workflow(&self, within: &str) -> Option<&'w Definition> {
        if within.is_empty() { Some(self.definition) } else { self.called(self.kind(within)?) }
    }

    fn called(&self, kind: &NodeKind) -> Option<&'w Definition> {
        let NodeKind::Subworkflow(call) = kind else { return None };
        let (id, version) = (call.workflow.as_deref()?, call.version.as_deref()?);
        self.definition.workflows.iter().find(|called| called.id == id && called.version == version)
    }
}
