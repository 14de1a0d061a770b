//! The end of a scope as the semantics has it: what must be undone is undone, one after the other and the last first; then
//! its `finally` runs; then it is over.

use std::collections::{BTreeMap, BTreeSet};

use finale_core::definition::{Body, Definition, Node, OnFailure, Policy, Siblings};
use finale_core::fact::Activation;
use finale_core::{ExecutionStatus, NodeStatus};

use super::Mistake;
use super::inside::of_body;
use super::tree::Tree;

/// Which of the executions inside of a node undoes it.
pub const COMPENSATION: u32 = u32::MAX;

/// Where the `finally` of a graph is among the executions inside: behind all nodes.
pub const FINALLY: (usize, u32) = (usize::MAX, 0);

type Way = Vec<(usize, u32)>;

/// What is known of the end of an execution.
#[derive(Clone, Debug, Default)]
pub(super) struct End {
    pub(super) stage: Stage,
    /// The nodes that completed, in order.
    completed: Vec<usize>,
    /// By node: what of it completed and may have to be undone, in order.
    pub(super) kept: BTreeMap<usize, Vec<u32>>,
    undoing: Undoing,
    /// What nodes undo that do not complete.
    inside: BTreeMap<usize, Undoing>,
    /// The nodes that have done so.
    undone: BTreeSet<usize>,
    /// Whether nothing more of any end begins.
    pub(super) forced: bool,
    /// Whether what was done stays done.
    pub(super) stays_done: bool,
    was_misread: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    #[default]
    Graph,
    Undoing,
    Finally,
    Over,
}

#[derive(Clone, Debug, Default)]
struct Undoing {
    /// In the order in which it completed.
    left: Vec<Way>,
    current: Option<Way>,
}

/// The graph of a body as a definition.
pub fn body_graph(node: &Node) -> Option<Definition> {
    node.compensate.as_deref().map(|body| of_body(body, &node.id))
}

fn finally_graph(body: &Body) -> Definition {
    let policy = Policy { on_failure: OnFailure::WaitAll, siblings: Siblings::Cancel };
    Definition { policy, ..of_body(body, "finally") }
}

impl Tree {
    /// Notes which nodes have completed since it was looked at; each by itself, because each report is one step.
    pub(super) fn note_completed(&mut self) -> bool {
        let mut moved = false;
        for (number, status) in self.node_statuses().into_iter().enumerate() {
            let is_work = self.definition().nodes[number].kind.is_work();
            if is_work && status == NodeStatus::Completed && !self.end.completed.contains(&number) {
                self.end.completed.push(number);
                moved = true;
            }
        }
        moved
    }

    /// The ways to what completed and can be undone, in the order in which it completed.
    pub(super) fn undoable(&self) -> Vec<Way> {
        let mut found = Vec::new();
        for &number in &self.end.completed {
            if self.definition().nodes[number].compensate.is_some() {
                found.push(vec![(number, COMPENSATION)]);
            } else if self.mistake() != Some(Mistake::EntersNoScope) {
                found.extend(self.undoable_inside(number));
            }
        }
        if self.mistake() == Some(Mistake::UndoesInOrder) {
            found.reverse();
        }
        found
    }

    fn undoable_inside(&self, number: usize) -> Vec<Way> {
        let mut found = Vec::new();
        for &instance in self.end.kept.get(&number).into_iter().flatten() {
            let child = self.child((number, instance)).expect("it is kept");
            let ways = child.undoable().into_iter();
            found.extend(ways.map(|way| [vec![(number, instance)], way].concat()));
        }
        found
    }

    /// Whether a node must undo what is inside of it, because it does not complete.
    pub(super) fn must_undo_inside(&self, number: usize, status: NodeStatus) -> bool {
        let is_over = self.are_children_over(number);
        let fails = match status {
            NodeStatus::Waiting => matches!(self.output_of_inside(number), Some(Err(_))),
            NodeStatus::Cancelled => !self.end.stays_done,
            _ => false,
        };
        // What has begun to be undone is, whatever comes.
        let is_begun = self.end.inside.contains_key(&number);
        is_begun || (is_over && fails && !self.end.undone.contains(&number))
    }

    fn are_children_over(&self, number: usize) -> bool {
        let is_over = |key: (usize, u32)| self.child(key).is_none_or(Self::is_over);
        self.child_keys(number).into_iter().all(is_over)
    }

    fn child_keys(&self, number: usize) -> Vec<(usize, u32)> {
        self.all_child_keys().into_iter().filter(|key| key.0 == number && key.1 != COMPENSATION).collect()
    }

    pub(super) fn undo_inside(&mut self, number: usize) -> bool {
        if !self.end.inside.contains_key(&number) {
            let left = self.undoable_inside(number);
            self.end.inside.insert(number, Undoing { left, current: None });
        }
        let mut undoing = self.end.inside.remove(&number).unwrap_or_default();
        let (moved, is_done) = self.undo(&mut undoing);
        if is_done {
            self.end.undone.insert(number);
        } else {
            self.end.inside.insert(number, undoing);
        }
        moved || is_done
    }

    /// Whether a node still undoes what is inside of it.
    pub(super) fn is_undoing(&self, number: usize) -> bool {
        let status = self.node_statuses()[number];
        self.end.inside.contains_key(&number)
            || (self.must_undo_inside(number, status) && !self.undoable_inside(number).is_empty())
    }

    /// Undoes what is next; says whether something moved, and whether all is done.
    fn undo(&mut self, undoing: &mut Undoing) -> (bool, bool) {
        if let Some(current) = &undoing.current
            && !self.at(current).is_some_and(Self::is_over)
        {
            return (false, false);
        }
        undoing.current = None;
        if self.end.forced {
            undoing.left.clear();
        }
        let Some(way) = undoing.left.pop() else { return (false, true) };
        let (last, within) = way.split_last().expect("a way leads to a node");
        let around = self.at_mut(within).expect("it is kept");
        let graph = body_graph(&around.definition().nodes[last.0]).expect("it can be undone");
        around.begin(*last, graph);
        undoing.current = Some(way);
        (true, false)
    }

    fn at(&self, way: &[(usize, u32)]) -> Option<&Self> {
        way.iter().try_fold(self, |tree, key| tree.child(*key))
    }

    fn at_mut(&mut self, way: &[(usize, u32)]) -> Option<&mut Self> {
        way.iter().try_fold(self, |tree, key| tree.children().get_mut(key))
    }

    /// Lets the end go on.
    pub(super) fn step_end(&mut self, activation: &Activation) -> bool {
        let mut moved = false;
        for key in self.all_child_keys() {
            let is_of_end = key == FINALLY || key.1 == COMPENSATION;
            // What is over may have something inside that undoes it.
            let is_kept = self.end.kept.get(&key.0).is_some_and(|kept| kept.contains(&key.1));
            if is_of_end || is_kept {
                moved |= self.step_child(key, activation);
            }
        }
        match self.end.stage {
            Stage::Graph if self.is_idle() => {
                let is_undone = self.verdict() != ExecutionStatus::Completed && !self.end.stays_done;
                self.end.undoing.left = if is_undone { self.undoable() } else { Vec::new() };
                self.end.stage = Stage::Undoing;
                true
            }
            Stage::Undoing => {
                let mut undoing = std::mem::take(&mut self.end.undoing);
                let (has_moved, is_done) = self.undo(&mut undoing);
                self.end.undoing = undoing;
                if is_done {
                    self.begin_finally();
                }
                moved || has_moved || is_done
            }
            Stage::Finally if self.child(FINALLY).is_some_and(Self::is_over) => {
                self.end.stage = Stage::Over;
                true
            }
            _ => moved,
        }
    }

    fn begin_finally(&mut self) {
        self.end.stage = Stage::Over;
        let is_cancelled = self.verdict() == ExecutionStatus::Cancelled;
        let is_skipped = self.end.forced || is_cancelled && self.mistake() == Some(Mistake::SkipsFinallyOnCancel);
        if let Some(body) = self.definition().finally.clone().filter(|_| !is_skipped) {
            self.end.stage = Stage::Finally;
            self.begin(FINALLY, finally_graph(&body));
        }
    }

    /// The process is gone: nothing of the end changes, unless that is misread.
    pub(super) fn recover_end(&mut self) {
        if self.end.was_misread {
            return;
        }
        if self.mistake() == Some(Mistake::UndoesTwice)
            && let Some(current) = self.end.undoing.current.clone()
            && let Some(undone) = self.undoable().last().cloned()
            && undone != current
        {
            self.end.was_misread = true;
            self.end.undoing.left.push(undone);
        }
        if self.mistake() == Some(Mistake::RunsFinallyTwice) && self.end.stage == Stage::Finally {
            self.end.was_misread = true;
            let body = self.definition().finally.clone().expect("it runs");
            self.begin(FINALLY, finally_graph(&body));
        }
    }

    /// From here on nothing more of any end begins, and what of it runs is stopped.
    pub(super) fn force(&mut self) {
        self.end.forced = true;
        for (key, child) in self.children() {
            if *key == FINALLY || key.1 == COMPENSATION {
                child.cancel();
            }
            child.force();
        }
    }

    /// What was done in it stays done, whatever it comes to.
    pub(super) fn stays_done(&mut self) {
        self.end.stays_done = true;
    }

    /// As what it ends, if a `finally` has not misread that.
    pub(super) fn misread_status(&self, status: ExecutionStatus) -> ExecutionStatus {
        let has_failed = self.child(FINALLY).is_some_and(|child| child.verdict() == ExecutionStatus::Failed);
        match status {
            ExecutionStatus::Completed if has_failed && self.mistake() == Some(Mistake::FinallyDecides) => {
                ExecutionStatus::Failed
            }
            status => status,
        }
    }

    /// Adds where the nodes are that undo this one.
    pub(super) fn add_compensation(&self, (number, path): (usize, &str), all: &mut BTreeMap<String, NodeStatus>) {
        if let Some(child) = self.child((number, COMPENSATION)) {
            child.statuses(&format!("{path}@compensate::"), all);
        }
    }

    /// Adds where the nodes of the `finally` are; before it runs they are pending.
    pub(super) fn add_finally(&self, prefix: &str, all: &mut BTreeMap<String, NodeStatus>) {
        let Some(body) = &self.definition().finally else { return };
        let within = format!("{prefix}@finally::");
        match self.child(FINALLY) {
            Some(child) => child.statuses(&within, all),
            None if self.is_over() => {}
            None => Self::new(finally_graph(body), self.library().to_vec()).statuses(&within, all),
        }
    }
}
