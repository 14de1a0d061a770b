//! Turns the compact state of an execution into what others see.

use super::scope::Scope;
use super::walk::Listed;
use super::{EndReason, Execution, LostAttempts, NodeState, Phase, Skip};
use crate::compiled::{Compiled, Graph, Step};
use crate::definition::{EdgeKind, NodeKind};
use crate::fact::Terminal;
use crate::id::{AttemptNo, NodeIndex, ScopeId, TaskId, WorkKey};
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
        let activation = self.activation();
        let text = |text: Option<&Box<str>>| text.map(ToString::to_string);
        Record {
            id: self.id,
            workflow: definition.workflow_name(),
            activated_by: activation.map(|activation| activation.by.to_string()).unwrap_or_default(),
            created_at: self.created_at,
            input: activation.map(|activation| activation.input.clone()).unwrap_or_default(),
            idempotency_key: text(activation.and_then(|activation| activation.idempotency_key.as_ref())),
            business_key: text(activation.and_then(|activation| activation.business_key.as_ref())),
            deadline: self.deadline(),
            state: self.state(definition),
            counts: self.counts(definition),
            custom_status: self.custom_status(),
            nodes: self.node_records(definition),
            signals: self.signals_left(),
        }
    }

    fn node_records(&self, definition: &Compiled) -> Vec<NodeRecord> {
        let mut records = Vec::with_capacity(definition.len());
        self.walk(definition, &mut |listed| records.push(self.node_record(definition, listed)));
        records
    }

    /// As what it ended, and when; none as long as it has not.
    pub fn ended(&self) -> Option<(Terminal, Time)> {
        match &self.phase {
            Phase::Ended(ending) => ending.sealed.as_ref().map(|sealed| (sealed.status, sealed.at)),
            _ => None,
        }
    }

    /// How it ended; none as long as it has not.
    pub fn end_outcome(&self, definition: &Compiled) -> Option<Outcome> {
        let Phase::Ended(ending) = &self.phase else {
            return None;
        };
        let sealed = ending.sealed.as_ref()?;
        let end = match sealed.status {
            Terminal::Completed => End::Completed { output: self.output(definition, sealed.output.as_ref()) },
            Terminal::Failed => End::Failed { error: self.error(definition, &ending.reason) },
            Terminal::Cancelled => End::Cancelled { by: ending.reason.who() },
        };
        let (ending_failures, ending_failures_more) = self.ending_failures();
        Some(Outcome {
            completed_at: sealed.at,
            decided_by: decided_by(definition, &ending.reason),
            counts: self.counts(definition),
            ending_failures: ending_failures.to_vec(),
            ending_failures_more,
            end,
        })
    }

    /// How many of its tasks are where.
    pub fn counts(&self, definition: &Compiled) -> Counts {
        let mut counts = self.gone.as_deref().copied().unwrap_or_default();
        let graphs = self.scopes().filter(|(_, scope)| !scope.is_of_ending);
        graphs.for_each(|(_, scope)| counts.add(definition, scope));
        counts.compensated = self.compensated();
        if self.is_completed() {
            counts.tolerated = counts.failed - counts.handled;
        }
        counts
    }

    fn is_completed(&self) -> bool {
        matches!(&self.phase, Phase::Ended(ending) if ending.reason.terminal() == Terminal::Completed)
    }

    fn state(&self, definition: &Compiled) -> State {
        match &self.phase {
            Phase::New => State::Pending,
            Phase::Running => State::Running,
            Phase::Ending(ending) => State::Ending(decided_by(definition, &ending.reason)),
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
        self.sinks_output(definition, ScopeId::ROOT, definition.own())
    }

    /// The output of a scope of which nothing else is said: that of its only sink, else those of all by their ids.
    ///
    /// What only a failure leads to is no sink beside the others: its output is in place of what was not done.
    pub(super) fn sinks_output(&self, definition: &Compiled, scope: ScopeId, graph: &Graph) -> Payload {
        let output_of = |node| self.output_of(WorkKey { scope, node });
        let alternatives = graph.rules.iter().flat_map(|rules| rules.alternatives.iter());
        let alternatives = alternatives.map(|place| NodeIndex(graph.first + place));
        if let [sink] = *graph.sinks {
            if let Some(output) = output_of(sink) {
                return output.clone();
            }
            let mut others = alternatives.filter_map(|node| Some((node, output_of(node)?)));
            return match (others.next(), others.next()) {
                (None, _) => Payload::NULL,
                (Some((_, only)), None) => only.clone(),
                (Some(first), Some(second)) => object(definition, [first, second].into_iter().chain(others)),
            };
        }
        let sinks = graph.sinks.iter().copied().chain(alternatives);
        object(definition, sinks.filter_map(|sink| Some((sink, output_of(sink)?))))
    }

    /// Counts the tasks of a scope that is given back.
    pub(super) fn count_gone(&mut self, definition: &Compiled, scope: &Scope) {
        self.gone.get_or_insert_default().add(definition, scope);
    }

    pub(super) fn error(&self, definition: &Compiled, reason: &EndReason) -> ExecutionError {
        let failures = self.root.failures().iter();
        let failures: Vec<_> = failures.filter_map(|&node| self.failure(definition, WorkKey::root(node))).collect();
        let listed = || failures.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        let message = match reason {
            EndReason::DeclaredFailed { reason, .. } => reason.to_string(),
            EndReason::Deadline => match self.deadline() {
                Some(deadline) => format!("the deadline {deadline} passed"),
                None => "the deadline passed".to_owned(),
            },
            EndReason::Output(reason) => format!("the output could not be evaluated: {reason}"),
            EndReason::OutputMismatch(reason) => reason.to_string(),
            EndReason::Stalled(open) => {
                format!("stalled: nothing can move, open are {}", names(definition, open).join(", "))
            }
            _ => listed(),
        };
        let unsaid = || ExecutionError::new("failed for an unknown reason", Vec::new());
        ExecutionError::new(message, failures).or_else(unsaid).expect("these words are not blank")
    }

    pub(super) fn failure(&self, definition: &Compiled, key: WorkKey) -> Option<NodeFailure> {
        let node = key.node;
        let NodeState::Failed { attempt, lost, failure, .. } = self.state_of(key)? else {
            return None;
        };
        Some(NodeFailure {
            node: definition.node(node).id.clone(),
            kind: definition.node(node).kind.name().to_owned(),
            title: definition.title(node).to_owned(),
            attempt: attempt.map_or(0, AttemptNo::get),
            attempts: LostAttempts::last_attempt(definition.at(node).attempts, *lost),
            class: failure.class,
            code: failure.code().map(str::to_owned),
            reason: failure.reason.to_string(),
        })
    }

    fn node_record(&self, definition: &Compiled, listed: &Listed<'_>) -> NodeRecord {
        let node = definition.node(listed.node);
        let is_task = matches!(node.kind, NodeKind::Task(_)) && listed.state.attempt().is_some();
        let nest = listed.key.and_then(|key| self.nests.get(&key));
        let task_id = listed.key.map(|key| TaskId { execution: self.id, key });
        NodeRecord {
            id: listed.name(definition),
            kind: node.kind.name().to_owned(),
            title: definition.title(listed.node).to_owned(),
            task_id: task_id.filter(|_| is_task),
            state: node_record_state(definition, listed.node, listed.state),
            earlier: listed.key.map(|key| self.earlier_attempts(key)).unwrap_or_default(),
            items: nest.and_then(|nest| nest.item_counts(listed.state.status().is_settled())),
            rounds: nest.and_then(|nest| nest.rounds_begun()),
            progress: None,
            compensation: listed.key.and_then(|key| self.compensation_state(key)),
        }
    }

    /// The way a decision went; none for nodes that decide nothing or have not yet.
    pub fn taken(&self, key: WorkKey) -> Option<EdgeKind> {
        match self.state_of(key)? {
            NodeState::ControlDone { taken, .. } => *taken,
            _ => None,
        }
    }
}

fn node_record_state(definition: &Compiled, node: NodeIndex, state: &NodeState) -> NodeRecordState {
    let begun = |attempt: Option<AttemptNo>, started_at| Begun { attempt, started_at };
    match state {
        NodeState::Pending(_) => NodeRecordState::Pending,
        NodeState::Ready { .. } => NodeRecordState::Ready,
        NodeState::Running { attempt, since, .. } => NodeRecordState::Running(begun(Some(*attempt), *since)),
        NodeState::Waiting(wait) => {
            NodeRecordState::Waiting { begun: begun(state.attempt(), wait.since()), waiting_for: wait.name() }
        }
        NodeState::ControlDone { started, at, .. } => {
            NodeRecordState::Completed { begun: begun(None, *started), completed_at: *at, output: Payload::NULL }
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
        NodeState::Skipped(skip) => NodeRecordState::Skipped { reason: skipped_reason(definition, node, *skip) },
    }
}

/// Why a node was skipped, in words.
fn skipped_reason(definition: &Compiled, skipped: NodeIndex, skip: Skip) -> String {
    let id = |node: NodeIndex| &definition.node(node).id;
    match skip {
        Skip::Decided { node, taken: EdgeKind::Sequential } => format!("the signal came that {} waited for", id(node)),
        Skip::Decided { node, taken: EdgeKind::OnTimeout } => format!("{} timed out", id(node)),
        Skip::Decided { node, taken } => format!("{} went {}", id(node), way(taken)),
        Skip::Failed { node } => format!("{} failed", id(node)),
        Skip::Ended => "the execution ended first".to_owned(),
        Skip::Handled { node } => match definition.failure_handler(node) {
            Some(handler) => format!("{} failed, which {} handles", id(node), id(handler)),
            None => format!("{} failed", id(node)),
        },
        Skip::NotFailed { node } => format!("{} did not fail", id(node)),
        Skip::RuleNotMet { node } if node == skipped => {
            format!("its trigger rule {} did not hold", definition.at(node).rule)
        }
        Skip::RuleNotMet { node } => {
            format!("{} was skipped: its trigger rule {} did not hold", id(node), definition.at(node).rule)
        }
        Skip::Lost { join } => format!("{} went on without it", id(join)),
        Skip::Operator => "an operator skipped it".to_owned(),
    }
}

impl Counts {
    fn add(&mut self, definition: &Compiled, scope: &Scope) {
        for (node, state) in scope.iter() {
            let compiled = definition.at(node);
            if matches!(compiled.step, Step::Handle | Step::Ask) {
                self.tasks += 1;
                *self.of(state.status()) += 1;
                self.tolerated += u32::from(state.status() == NodeStatus::Failed && compiled.optional);
            }
        }
        let is_task = |node| matches!(definition.at(node).step, Step::Handle | Step::Ask);
        let (handled, tolerated) = scope.count_uncounted(is_task);
        self.handled += handled;
        self.tolerated += tolerated;
    }

    fn of(&mut self, status: NodeStatus) -> &mut u32 {
        match status {
            NodeStatus::Pending => &mut self.pending,
            NodeStatus::Ready => &mut self.ready,
            NodeStatus::Running => &mut self.running,
            NodeStatus::Queued => &mut self.queued,
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
    pub fn title(&self, position: NodeIndex) -> &str {
        let node = self.node(position);
        match &node.kind {
            NodeKind::Task(task) => task.title.as_deref().unwrap_or(&node.label),
            _ => &node.label,
        }
    }
}

impl EndReason {
    fn who(&self) -> String {
        match self {
            Self::Cancelled(by) | Self::Declared(by) | Self::DeclaredFailed { by, .. } => by.to_string(),
            _ => String::new(),
        }
    }
}

pub(super) fn decided_by(definition: &Compiled, reason: &EndReason) -> DecidedBy {
    let id = |node: NodeIndex| definition.node(node).id.clone();
    match reason {
        EndReason::Settled => DecidedBy::AllSettled,
        EndReason::FailFast { node } => DecidedBy::FailFast { node: id(*node) },
        EndReason::WaitAll { node } => DecidedBy::WaitAll { node: id(*node) },
        EndReason::Tolerance { node, count } => DecidedBy::Tolerate { node: id(*node), count: *count },
        EndReason::Declared(_) | EndReason::DeclaredFailed { .. } => DecidedBy::Operator { by: reason.who() },
        EndReason::Deadline => DecidedBy::Deadline,
        EndReason::Output(_) | EndReason::OutputMismatch(_) => DecidedBy::Output,
        EndReason::Stalled(open) => DecidedBy::Stalled { nodes: names(definition, open) },
        EndReason::Cancelled(_) => DecidedBy::Cancelled { by: reason.who() },
    }
}

fn names(definition: &Compiled, open: &[WorkKey]) -> Vec<String> {
    open.iter().map(|key| definition.node(key.node).id.clone()).collect()
}

fn way(taken: EdgeKind) -> &'static str {
    match taken {
        EdgeKind::ConditionalTrue => "true",
        EdgeKind::ConditionalFalse => "false",
        EdgeKind::VerificationPass => "pass",
        EdgeKind::VerificationFail => "fail",
        EdgeKind::VerificationRefer => "refer",
        EdgeKind::OnTimeout => "timeout",
        EdgeKind::Sequential | EdgeKind::ParallelBranch | EdgeKind::OnFailure => "on",
    }
}

/// Joins documents to one object without parsing them.
fn object<'a>(definition: &Compiled, fields: impl Iterator<Item = (NodeIndex, &'a Payload)>) -> Payload {
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
