//! Calls as the semantics has them: each called workflow is a naive execution of its own, and its caller is told what it
//! came to, as if somebody outside had done it.

use std::collections::BTreeMap;

use finale_core::definition::{Definition, Node, NodeKind, Task};
use finale_core::execution::{Command, Input, Report};
use finale_core::fact::Activation;
use finale_core::failure::{Failure, FailureClass};
use finale_core::{AttemptNo, Dispatch, Epoch, ExecutionStatus, NodeIndex, NodeStatus, Payload, WorkKey};

use super::{Naive, No};

/// A workflow with all that it calls. Calls hand on the input, and what they call says nothing of its output.
#[derive(Clone, Debug)]
pub struct Tree {
    /// As it was written.
    definition: Definition,
    /// The workflows that can be called.
    library: Vec<Definition>,
    naive: Naive,
    children: BTreeMap<usize, Tree>,
    /// How many recoveries it has seen.
    lives: u32,
}

impl Tree {
    /// An execution to which nothing has happened; `library` are the workflows that it calls, by their ids.
    pub fn new(definition: Definition, library: Vec<Definition>) -> Self {
        let nodes = definition.nodes.iter().map(as_task).collect();
        let naive = Naive::new(Definition { nodes, ..definition.clone() }).beginning_by_itself();
        Self { definition, library, naive, children: BTreeMap::new(), lives: 0 }
    }

    /// Begins it.
    pub fn activate(&mut self, activation: &Activation) -> Result<(), No> {
        self.naive.tell(&Input::Activate(activation.clone()), &[])?;
        self.settle(activation);
        Ok(())
    }

    /// What a handler or somebody outside says of the work at the end of a way, in the current life.
    pub fn tell(&mut self, way: &[usize], attempt: AttemptNo, told: &Told, activation: &Activation) -> Result<(), No> {
        if self.is_over() {
            return Err(No::Over);
        }
        let told = self.tell_inside(way, attempt, told);
        self.settle(activation);
        // What is over by itself waits for what it calls.
        told.map_err(|no| if no == No::Over { No::Late } else { no })
    }

    fn tell_inside(&mut self, way: &[usize], attempt: AttemptNo, told: &Told) -> Result<(), No> {
        let (&node, rest) = way.split_first().expect("a way leads to a node");
        if let [_, ..] = rest {
            return match self.children.get_mut(&node) {
                // What is over takes nothing, although what it is in goes on.
                Some(child) => {
                    child.tell_inside(rest, attempt, told).map_err(|no| if no == No::Over { No::Late } else { no })
                }
                None => Err(No::Unknown),
            };
        }
        let key = WorkKey::root(NodeIndex(node as u32));
        let dispatch = Dispatch { key, attempt, epoch: Epoch(self.lives) };
        self.naive.tell(&told.input(dispatch), &[])
    }

    /// Somebody wants its end.
    pub fn command(&mut self, command: Command, activation: &Activation) -> Result<(), No> {
        let is_cancel = matches!(command, Command::Cancel { .. });
        match self.status() {
            // What it calls is still being stopped: this one joins.
            ExecutionStatus::Ending if is_cancel => {}
            ExecutionStatus::Ending => return Err(No::NotRunning),
            _ => self.naive.tell(&Input::Command(command), &[])?,
        }
        self.settle(activation);
        Ok(())
    }

    /// The process is gone, and another one goes on.
    pub fn recover(&mut self, activation: &Activation) {
        self.lives += 1;
        if !self.naive.status().is_terminal() {
            let recovered = Input::Recovered { epoch: Epoch(self.lives), crashed: true };
            self.naive.tell(&recovered, &[]).expect("what is open can be recovered");
        }
        self.children.values_mut().filter(|child| !child.is_over()).for_each(|child| child.recover(activation));
        self.settle(activation);
    }

    /// Where it is: it is over when all that it calls is.
    pub fn status(&self) -> ExecutionStatus {
        match self.naive.status() {
            status if status.is_terminal() && !self.is_over() => ExecutionStatus::Ending,
            status => status,
        }
    }

    fn is_over(&self) -> bool {
        self.naive.status().is_terminal() && self.children.values().all(Self::is_over)
    }

    /// Where all nodes are, by their paths; what is not called yet is pending.
    pub fn statuses(&self, prefix: &str, all: &mut BTreeMap<String, NodeStatus>) {
        for (number, (node, status)) in self.definition.nodes.iter().zip(self.naive.nodes()).enumerate() {
            let path = format!("{prefix}{}", node.id);
            let child = self.children.get(&number);
            let is_left = child.is_none_or(Self::is_over);
            all.insert(path.clone(), if is_left { status } else { NodeStatus::Waiting });
            let inside = format!("{path}::");
            match (child, self.called(node)) {
                (Some(child), _) => child.statuses(&inside, all),
                (None, Some(called)) if status == NodeStatus::Pending => {
                    Self::new(called.clone(), self.library.clone()).statuses(&inside, all);
                }
                _ => {}
            }
        }
    }

    /// Its output, once it has completed.
    pub fn output(&self) -> Option<&serde_json::Value> {
        self.naive.output()
    }

    /// Calls what is reached, tells callers what came of it, and closes what nobody wants any more, until nothing moves.
    fn settle(&mut self, activation: &Activation) {
        while self.step(activation) {}
    }

    fn step(&mut self, activation: &Activation) -> bool {
        let mut moved = false;
        for (number, status) in self.naive.nodes().into_iter().enumerate() {
            let Some(called) = self.called(&self.definition.nodes[number]).cloned() else { continue };
            if status == NodeStatus::Waiting && !self.children.contains_key(&number) {
                let mut child = Self::new(called, self.library.clone());
                child.activate(activation).expect("it is new");
                self.children.insert(number, child);
                moved = true;
            }
            let Some(child) = self.children.get_mut(&number) else { continue };
            moved |= child.step(activation);
            if status == NodeStatus::Cancelled && !child.naive.status().is_terminal() && child.is_open() {
                child.command(Command::Cancel { by: "its caller".into() }, activation).expect("it is open");
                moved = true;
            }
            if status == NodeStatus::Waiting && child.is_over() {
                let result = match child.output() {
                    Some(output) => Ok(Payload::encode(output).expect("it was read from JSON")),
                    None => Err(Failure::new(FailureClass::Failed, "what it calls failed")),
                };
                let report = Report::new(WorkKey::root(NodeIndex(number as u32)), result);
                self.naive.tell(&Input::Reported(report), &[]).expect("it waits for that");
                return true;
            }
        }
        moved
    }

    fn is_open(&self) -> bool {
        self.naive.status() == ExecutionStatus::Running
    }

    fn called(&self, node: &Node) -> Option<&Definition> {
        let NodeKind::Subworkflow(call) = &node.kind else { return None };
        self.library.iter().find(|known| Some(&known.id) == call.workflow.as_ref())
    }
}

/// What is said of a piece of work.
#[derive(Clone, Debug)]
pub enum Told {
    /// Its handler is done.
    Outcome(Result<Payload, Failure>),
    /// Somebody outside reports.
    Reported(Result<Payload, Failure>),
    /// Its handler was stopped.
    Stopped,
}

impl Told {
    /// The input that says so of an attempt.
    pub fn input(&self, dispatch: Dispatch) -> Input {
        match self.clone() {
            Self::Outcome(result) => {
                Input::Outcome { dispatch, result, started: Default::default(), ended: Default::default() }
            }
            Self::Reported(result) => Input::Reported(Report::new(dispatch.key, result)),
            Self::Stopped => Input::Stopped { dispatch, how: finale_core::fact::StopOutcome::Stopped },
        }
    }
}

/// A call as what its caller takes it for: something that is done outside, once.
fn as_task(node: &Node) -> Node {
    match &node.kind {
        NodeKind::Subworkflow(call) => {
            let task = Task { title: Some(node.label.clone()), optional: call.optional, ..Task::external() };
            Node { kind: NodeKind::Task(task), ..node.clone() }
        }
        _ => node.clone(),
    }
}
