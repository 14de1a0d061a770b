//! Turns the compact state of an execution into what others see.

use super::{Execution, Losses, NodeState, Phase, Ruling, Skip};
use crate::compiled::{Compiled, Step};
use crate::definition::{EdgeKind, NodeKind};
use crate::fact::Terminal;
use crate::id::{TaskId, WorkKey};
use crate::payload::Payload;
use crate::record::{
    Begun, Counts, DecidedBy, End, ExecutionError, NodeFailure, NodeRecord, NodeRecordState, Outcome, Record, State,
    WorkflowName,
};
use crate::status::NodeStatus;
use crate::time::Time;

impl Execution {
    /// Everything there is to know about it.
    pub fn record(&self, definition: &Compiled) -> Record {
        Record {
            id: self.id,
            workflow: definition.workflow_name(),
            activated_by: self.activation().map(|activation| activation.by.to_string()).unwrap_or_default(),
            created_at: self.created_at,
            state: self.state(definition),
            counts: self.counts(definition),
            nodes: (0..self.nodes.len() as u32).map(|node| self.node_record(definition, node)).collect(),
        }
    }

    /// As what it ended, and when; none as long as it has not.
    pub fn ended(&self) -> Option<(Terminal, Time)> {
        match &self.phase {
            Phase::Ended(conclusion) => conclusion.sealed.as_ref().map(|sealed| (sealed.status, sealed.at)),
            _ => None,
        }
    }

    /// How it ended; none as long as it has not.
    pub fn end_outcome(&self, definition: &Compiled) -> Option<Outcome> {
        let Phase::Ended(conclusion) = &self.phase else {
            return None;
        };
        let sealed = conclusion.sealed.as_ref()?;
        let end = match sealed.status {
            Terminal::Completed => End::Completed { output: self.output(definition, sealed.output.as_ref()) },
            Terminal::Failed => End::Failed { error: self.error(definition, &conclusion.ruling) },
            Terminal::Cancelled => End::Cancelled { by: conclusion.ruling.who() },
        };
        Some(Outcome {
            completed_at: sealed.at,
            decided_by: decided_by(definition, &conclusion.ruling),
            counts: self.counts(definition),
            end,
        })
    }

    /// How many of its tasks are where.
    pub fn counts(&self, definition: &Compiled) -> Counts {
        let mut counts = Counts::default();
        for (state, compiled) in self.nodes.iter().zip(&definition.nodes) {
            if !matches!(compiled.step, Step::Handle | Step::Ask) {
                continue;
            }
            counts.tasks += 1;
            *counts.of(state.status()) += 1;
            counts.tolerated += u32::from(state.status() == NodeStatus::Failed && compiled.optional);
        }
        if self.is_completed() {
            counts.tolerated = counts.failed;
        }
        counts
    }

    fn is_completed(&self) -> bool {
        matches!(&self.phase, Phase::Ended(conclusion) if conclusion.ruling.terminal() == Terminal::Completed)
    }

    fn state(&self, definition: &Compiled) -> State {
        match &self.phase {
            Phase::New => State::Pending,
            Phase::Running => State::Running,
            Phase::Ending(conclusion) => State::Ending(decided_by(definition, &conclusion.ruling)),
            Phase::Ended(_) => match self.end_outcome(definition) {
                Some(outcome) => State::Ended(outcome),
                None => State::Running,
            },
        }
    }

    fn output(&self, definition: &Compiled, evaluated: Option<&Payload>) -> Payload {
        if let Some(output) = evaluated {
            return output.clone();
        }
        if let [sink] = *definition.sinks {
            return self.output_of(sink).cloned().unwrap_or_default();
        }
        let outputs = definition.sinks.iter().filter_map(|&sink| Some((sink, self.output_of(sink)?)));
        object(definition, outputs)
    }

    pub(super) fn error(&self, definition: &Compiled, ruling: &Ruling) -> ExecutionError {
        let failures: Vec<_> = self.failures.iter().filter_map(|&node| self.failure(definition, node)).collect();
        let listed = || failures.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        let message = match ruling {
            Ruling::DeclaredFailed { reason, .. } => reason.to_string(),
            Ruling::Deadline => match self.deadline() {
                Some(deadline) => format!("the deadline {deadline} passed"),
                None => "the deadline passed".to_owned(),
            },
            Ruling::Output(reason) => format!("the output could not be evaluated: {reason}"),
            Ruling::Stalled(nodes) => {
                format!("stalled: nothing can move, open are {}", names(definition, nodes).join(", "))
            }
            _ => listed(),
        };
        let unsaid = || ExecutionError::new("failed for an unknown reason", Vec::new());
        ExecutionError::new(message, failures).or_else(unsaid).expect("these words are not blank")
    }

    fn failure(&self, definition: &Compiled, node: u32) -> Option<NodeFailure> {
        let NodeState::Failed { attempt, lost, failure, .. } = &self.nodes[node as usize] else {
            return None;
        };
        Some(NodeFailure {
            node: definition.node(node).id.clone(),
            kind: definition.node(node).kind.name().to_owned(),
            title: definition.title(node).to_owned(),
            attempt: *attempt,
            attempts: Losses::last_attempt(definition.at(node).attempts, *lost),
            class: failure.class,
            reason: failure.reason.to_string(),
        })
    }

    fn node_record(&self, definition: &Compiled, position: u32) -> NodeRecord {
        let node = definition.node(position);
        let state = &self.nodes[position as usize];
        let is_task = matches!(node.kind, NodeKind::Task(_)) && state.attempt().is_some();
        let task_id = TaskId { execution: self.id, key: WorkKey::node(position) };
        NodeRecord {
            id: node.id.clone(),
            kind: node.kind.name().to_owned(),
            task_id: is_task.then_some(task_id),
            state: self.node_record_state(definition, state),
        }
    }

    fn node_record_state(&self, definition: &Compiled, state: &NodeState) -> NodeRecordState {
        let begun = |attempt, started_at| Begun { attempt, started_at };
        match state {
            NodeState::Pending(_) | NodeState::Reached => NodeRecordState::Pending,
            NodeState::Running { attempt, since, .. } => NodeRecordState::Running(begun(*attempt, *since)),
            NodeState::Asked { attempt, since } | NodeState::Backing { attempt, since, .. } => {
                NodeRecordState::Waiting(begun(*attempt, *since))
            }
            NodeState::Judged { since } => NodeRecordState::Waiting(begun(0, *since)),
            NodeState::Passed { at, .. } => {
                NodeRecordState::Completed { begun: begun(0, *at), completed_at: *at, output: Payload::NULL }
            }
            NodeState::Completed { attempt, started, ended, output } => NodeRecordState::Completed {
                begun: begun(*attempt, *started),
                completed_at: *ended,
                output: output.clone(),
            },
            NodeState::Failed { attempt, started, ended, failure, .. } => NodeRecordState::Failed {
                begun: begun(*attempt, *started),
                completed_at: *ended,
                class: failure.class,
                error: failure.to_string(),
            },
            NodeState::Cancelled { attempt, since, at, .. } => {
                NodeRecordState::Cancelled { begun: begun(*attempt, *since), completed_at: *at }
            }
            NodeState::Skipped(skip) => NodeRecordState::Skipped { reason: self.skipped_reason(definition, *skip) },
        }
    }

    fn skipped_reason(&self, definition: &Compiled, skip: Skip) -> String {
        match skip {
            Skip::Decided { node, taken } => {
                format!("{} went {}", definition.node(node).id, way(taken))
            }
            Skip::Failed { node } => format!("{} failed", definition.node(node).id),
            Skip::Ended => "the execution ended first".to_owned(),
        }
    }

    /// The way a decision went; none for nodes that decide nothing or have not yet.
    pub fn taken(&self, node: u32) -> Option<EdgeKind> {
        match self.nodes.get(node as usize)? {
            NodeState::Passed { taken, .. } => *taken,
            _ => None,
        }
    }
}

impl Counts {
    fn of(&mut self, status: NodeStatus) -> &mut u32 {
        match status {
            NodeStatus::Pending => &mut self.pending,
            NodeStatus::Running => &mut self.running,
            NodeStatus::Waiting => &mut self.waiting,
            NodeStatus::Completed => &mut self.completed,
            NodeStatus::Failed => &mut self.failed,
            NodeStatus::Cancelled => &mut self.cancelled,
            NodeStatus::Skipped => &mut self.skipped,
        }
    }
}

impl Compiled {
    /// What names the definition in records.
    pub fn workflow_name(&self) -> WorkflowName {
        let definition = &self.definition;
        WorkflowName { id: definition.id.clone(), name: definition.name.clone(), version: definition.version.clone() }
    }

    /// What is to be done at a node, in words: the title of a task, else the label.
    pub fn title(&self, position: u32) -> &str {
        let node = self.node(position);
        match &node.kind {
            NodeKind::Task(task) => task.title.as_deref().unwrap_or(&node.label),
            _ => &node.label,
        }
    }
}

impl Ruling {
    fn who(&self) -> String {
        match self {
            Self::Cancelled(by) | Self::Declared(by) | Self::DeclaredFailed { by, .. } => by.to_string(),
            _ => String::new(),
        }
    }
}

pub(super) fn decided_by(definition: &Compiled, ruling: &Ruling) -> DecidedBy {
    let id = |node: u32| definition.node(node).id.clone();
    match ruling {
        Ruling::Settled => DecidedBy::AllSettled,
        Ruling::FailFast { node } => DecidedBy::FailFast { node: id(*node) },
        Ruling::WaitAll { node } => DecidedBy::WaitAll { node: id(*node) },
        Ruling::Tolerance { node, count } => DecidedBy::Tolerate { node: id(*node), count: *count },
        Ruling::Declared(_) | Ruling::DeclaredFailed { .. } => DecidedBy::Operator { by: ruling.who() },
        Ruling::Deadline => DecidedBy::Deadline,
        Ruling::Output(_) => DecidedBy::Output,
        Ruling::Stalled(nodes) => DecidedBy::Stalled { nodes: names(definition, nodes) },
        Ruling::Cancelled(_) => DecidedBy::Cancelled { by: ruling.who() },
    }
}

fn names(definition: &Compiled, nodes: &[u32]) -> Vec<String> {
    nodes.iter().map(|&node| definition.node(node).id.clone()).collect()
}

fn way(taken: EdgeKind) -> &'static str {
    match taken {
        EdgeKind::ConditionalTrue => "true",
        EdgeKind::ConditionalFalse => "false",
        EdgeKind::VerificationPass => "pass",
        EdgeKind::VerificationFail => "fail",
        EdgeKind::VerificationRefer => "refer",
        EdgeKind::Sequential | EdgeKind::ParallelBranch => "on",
    }
}

/// Joins documents to one object without parsing them.
fn object<'a>(definition: &Compiled, fields: impl Iterator<Item = (u32, &'a Payload)>) -> Payload {
    let mut bytes = vec![b'{'];
    for (node, payload) in fields {
        if bytes.len() > 1 {
            bytes.push(b',');
        }
        let key = serde_json::Value::from(definition.node(node).id.as_str()).to_string();
        bytes.extend_from_slice(key.as_bytes());
        bytes.push(b':');
        bytes.extend_from_slice(payload.as_bytes());
    }
    bytes.push(b'}');
    Payload::trusted(&bytes)
}
