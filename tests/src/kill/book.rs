//! What the ledger says so far, and what is wrong with it.

use std::collections::{BTreeMap, BTreeSet};

use finale::{Definition, ExecutionId, TaskId, Workflow};
use finale_core::{NodeIndex, WorkKey};

use super::entry::Entry;
use super::load::Kind;

/// Everything that was ever said about the executions.
#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) lives: u64,
    pub(super) runs: u64,
    pub(super) released: u64,
    pub(super) activated: BTreeMap<ExecutionId, (Kind, u64)>,
    pub(super) ended: BTreeMap<ExecutionId, (String, i64)>,
    keys: BTreeMap<u64, ExecutionId>,
    reported: BTreeSet<TaskId>,
    cancelled: BTreeSet<ExecutionId>,
    /// The last attempt at each task of executions that have not ended.
    attempts: BTreeMap<TaskId, u16>,
    /// Tasks whose result must be durable, because something was done that depends on it.
    settled: BTreeSet<TaskId>,
    workflows: BTreeMap<&'static str, Workflow>,
}

impl Book {
    /// Takes in an entry; an error says what is wrong with it.
    pub(super) fn add(&mut self, entry: Entry) -> Result<(), String> {
        match entry {
            Entry::Life => self.lives += 1,
            Entry::Activated { execution, kind, key } => return self.activated(execution, kind, key),
            Entry::Run { task, attempt } => return self.run(task, attempt),
            Entry::Reported { task } => {
                if !self.reported.insert(task) {
                    return Err(format!("two reports on {task} were acknowledged"));
                }
            }
            Entry::Cancelled { execution } => {
                self.cancelled.insert(execution);
            }
            Entry::Released { .. } => self.released += 1,
            Entry::Ended { execution, status, completed_at } => return self.ended(execution, status, completed_at),
            Entry::Wrong(what) => return Err(what),
        }
        Ok(())
    }

    fn activated(&mut self, execution: ExecutionId, kind: Kind, key: u64) -> Result<(), String> {
        if let Some(other) = self.keys.insert(key, execution).filter(|other| *other != execution) {
            return Err(format!("key {key} stands for {other} and for {execution}"));
        }
        self.activated.insert(execution, (kind, key));
        Ok(())
    }

    fn run(&mut self, task: TaskId, attempt: u16) -> Result<(), String> {
        self.runs += 1;
        if self.ended.contains_key(&task.execution) {
            return Err(format!("{task} was run after its execution had ended"));
        }
        if self.settled.contains(&task) {
            return Err(format!("{task} was run although its result was durable"));
        }
        match self.attempts.insert(task, attempt) {
            Some(last) if last >= attempt => return Err(format!("attempt {attempt} of {task} came after {last}")),
            _ => {}
        }
        self.settle_before(task)
    }

    /// Whatever a task depends on is settled when it is run; a task that must not be run twice was not.
    fn settle_before(&mut self, task: TaskId) -> Result<(), String> {
        // Of an activation that was never acknowledged nothing is known but what was run.
        let Some((kind, _)) = self.activated.get(&task.execution) else { return Ok(()) };
        let workflow = self.workflows.entry(kind.name()).or_insert_with(|| kind.workflow());
        let compiled = workflow.compiled();
        if compiled.is_at_most_once(task.key.node) && self.attempts.get(&task) != Some(&1) {
            return Err(format!("{task} was run again and must not be"));
        }
        let mut waiting = vec![task.key.node];
        while let Some(node) = waiting.pop() {
            for source in sources(workflow, node) {
                let key = WorkKey { node: source, ..task.key };
                if self.settled.insert(TaskId { execution: task.execution, key }) {
                    waiting.push(source);
                }
            }
        }
        Ok(())
    }

    fn ended(&mut self, execution: ExecutionId, status: String, completed_at: i64) -> Result<(), String> {
        if self.cancelled.contains(&execution) && status != "cancelled" {
            return Err(format!("the cancellation of {execution} was acknowledged, and it ended {status}"));
        }
        let now = (status, completed_at);
        match self.ended.insert(execution, now.clone()) {
            Some(before) if before != now => Err(format!("{execution} ended twice: {before:?} and {now:?}")),
            _ => {
                self.forget(execution);
                Ok(())
            }
        }
    }

    /// Of what has ended no run is allowed any more: nothing else need be known of its tasks.
    fn forget(&mut self, execution: ExecutionId) {
        let first = TaskId { execution, key: WorkKey::default() };
        while let Some((&task, _)) = self.attempts.range(first..).next().filter(|(task, _)| task.execution == execution)
        {
            self.attempts.remove(&task);
        }
        while let Some(&task) = self.settled.range(first..).next().filter(|task| task.execution == execution) {
            self.settled.remove(&task);
        }
    }

    /// The executions whose activation was acknowledged and whose end was not seen.
    pub(super) fn unfinished(&self) -> impl Iterator<Item = (&ExecutionId, &(Kind, u64))> {
        self.activated.iter().filter(|(execution, _)| !self.ended.contains_key(execution))
    }
}

/// The numbers of the nodes with an edge to this one, in the workflow that it is in.
fn sources(workflow: &Workflow, node: NodeIndex) -> Vec<NodeIndex> {
    let compiled = workflow.compiled();
    let target = &compiled.node(node).id;
    let own = workflow.definition();
    let is_of = |one: &&Definition| one.nodes.iter().all(|other| compiled.beside(node, &other.id).is_some());
    let of_node = std::iter::once(own).chain(&own.workflows).find(is_of).expect("it is a node of one of them");
    let edges = of_node.edges.iter().filter(|edge| edge.target == *target);
    edges.filter_map(|edge| compiled.beside(node, &edge.source)).collect()
}
