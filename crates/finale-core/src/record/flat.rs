//! The flat form of records, and the checks when one is read.

use serde::{Deserialize, Serialize};

use super::{
    AttemptRecord, Begun, CompensationState, ConcurrencyLimit, Counts, CustomStatus, DecidedBy, End, EndingFailure,
    ExecutionError, ItemCounts, NodeFailure, NodeRecord, NodeRecordState, Outcome, QueuePosition, Record, SignalRecord,
    State, TaskProgress, WorkflowName, is_zero,
};
use crate::failure::FailureClass;
use crate::id::{AttemptNo, ExecutionId, TaskId};
use crate::payload::Payload;
use crate::status::{ExecutionStatus, NodeStatus, WaitingFor};
use crate::time::Time;

/// A record that says something impossible.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{who} is {status} and {problem}")]
pub struct RecordError {
    who: String,
    status: &'static str,
    problem: &'static str,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FlatRecord {
    id: ExecutionId,
    workflow: WorkflowName,
    status: ExecutionStatus,
    activated_by: String,
    created_at: Time,
    #[serde(default)]
    input: Payload,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    business_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deadline: Option<Time>,
    completed_at: Option<Time>,
    error: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    failures: Vec<NodeFailure>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ending_failures: Vec<EndingFailure>,
    #[serde(default, skip_serializing_if = "is_zero")]
    ending_failures_more: u32,
    counts: Counts,
    decided_by: Option<DecidedBy>,
    output: Option<Payload>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    custom_status: Option<CustomStatus>,
    nodes: Vec<NodeRecord>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    signals: Vec<SignalRecord>,
}

impl From<Record> for FlatRecord {
    fn from(record: Record) -> Self {
        let status = record.state.status();
        let mut flat = Self {
            id: record.id,
            workflow: record.workflow,
            status,
            activated_by: record.activated_by,
            created_at: record.created_at,
            input: record.input,
            idempotency_key: record.idempotency_key,
            business_key: record.business_key,
            deadline: record.deadline,
            completed_at: None,
            error: None,
            failures: Vec::new(),
            ending_failures: Vec::new(),
            ending_failures_more: 0,
            counts: record.counts,
            decided_by: None,
            output: None,
            custom_status: record.custom_status,
            nodes: record.nodes,
            signals: record.signals,
        };
        match record.state {
            State::Pending | State::Running => {}
            State::Ending(decided_by) => flat.decided_by = Some(decided_by),
            State::Quarantined { reason } => flat.error = Some(reason),
            State::Ended(outcome) => flat.end(outcome),
        }
        flat
    }
}

impl FlatRecord {
    fn end(&mut self, outcome: Outcome) {
        self.completed_at = Some(outcome.completed_at);
        self.decided_by = Some(outcome.decided_by);
        self.ending_failures = outcome.ending_failures;
        self.ending_failures_more = outcome.ending_failures_more;
        match outcome.end {
            End::Completed { output } => self.output = Some(output),
            End::Failed { error } => {
                self.error = Some(error.message.into());
                self.failures = error.failures.into_vec();
            }
            End::Cancelled { .. } => {}
        }
    }

    fn state(&mut self) -> Result<State, &'static str> {
        if self.completed_at.is_some() != self.status.is_terminal() {
            return Err("completed_at belongs to those that ended, and to all of them");
        }
        match self.status {
            ExecutionStatus::Pending => self.unended(State::Pending),
            ExecutionStatus::Running => self.unended(State::Running),
            ExecutionStatus::Ending => {
                let decided_by = self.decided_by.take().ok_or("lacks decided_by")?;
                self.unended(State::Ending(decided_by))
            }
            ExecutionStatus::Quarantined => {
                let reason = self.error.take().ok_or("lacks its reason")?;
                self.unended(State::Quarantined { reason })
            }
            ExecutionStatus::Completed | ExecutionStatus::Failed | ExecutionStatus::Cancelled => {
                self.outcome().map(State::Ended)
            }
        }
    }

    fn unended(&self, state: State) -> Result<State, &'static str> {
        match self.error {
            Some(_) => Err("has an error: only what failed has one"),
            None => Ok(state),
        }
    }

    fn outcome(&mut self) -> Result<Outcome, &'static str> {
        let decided_by = self.decided_by.take().ok_or("lacks decided_by")?;
        let end = match (self.status, self.error.take(), &decided_by) {
            (ExecutionStatus::Completed, None, _) => End::Completed { output: self.output.take().unwrap_or_default() },
            (ExecutionStatus::Failed, Some(error), _) => {
                let failures = std::mem::take(&mut self.failures);
                let error = ExecutionError::new(error, failures).ok_or("its error is blank")?;
                End::Failed { error }
            }
            (ExecutionStatus::Cancelled, None, DecidedBy::Cancelled { by }) => End::Cancelled { by: by.clone() },
            (ExecutionStatus::Failed, None, _) => return Err("lacks its error"),
            (ExecutionStatus::Cancelled, None, _) => return Err("lacks who cancelled it"),
            _ => return Err("has an error: only what failed has one"),
        };
        Ok(Outcome {
            completed_at: self.completed_at.take().unwrap_or_default(),
            decided_by,
            counts: self.counts,
            ending_failures: std::mem::take(&mut self.ending_failures),
            ending_failures_more: self.ending_failures_more,
            end,
        })
    }
}

impl TryFrom<FlatRecord> for Record {
    type Error = RecordError;

    fn try_from(mut flat: FlatRecord) -> Result<Self, Self::Error> {
        let status = flat.status.name();
        let who = format!("execution {}", flat.id);
        if !flat.counts.add_up() {
            return Err(RecordError { who, status, problem: "its counts do not add up" });
        }
        let state = flat.state().map_err(|problem| RecordError { who, status, problem })?;
        Ok(Self {
            id: flat.id,
            workflow: flat.workflow,
            activated_by: flat.activated_by,
            created_at: flat.created_at,
            input: flat.input,
            idempotency_key: flat.idempotency_key,
            business_key: flat.business_key,
            deadline: flat.deadline,
            state,
            counts: flat.counts,
            custom_status: flat.custom_status,
            nodes: flat.nodes,
            signals: flat.signals,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FlatNode {
    id: String,
    kind: String,
    #[serde(default)]
    title: String,
    status: NodeStatus,
    task_id: Option<TaskId>,
    attempt: Option<AttemptNo>,
    started_at: Option<Time>,
    completed_at: Option<Time>,
    output: Option<Payload>,
    error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    class: Option<FailureClass>,
    skipped_reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    waiting_for: Option<WaitingFor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    position: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limit: Option<ConcurrencyLimit>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    earlier: Vec<AttemptRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    items: Option<ItemCounts>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rounds: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    progress: Option<TaskProgress>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    compensation: Option<CompensationState>,
}

impl From<NodeRecord> for FlatNode {
    fn from(node: NodeRecord) -> Self {
        let mut flat = Self {
            id: node.id,
            kind: node.kind,
            title: node.title,
            status: node.state.status(),
            task_id: node.task_id,
            attempt: None,
            started_at: None,
            completed_at: None,
            output: None,
            error: None,
            class: None,
            skipped_reason: None,
            waiting_for: None,
            position: None,
            limit: None,
            earlier: node.earlier,
            items: node.items,
            rounds: node.rounds,
            progress: node.progress,
            compensation: node.compensation,
        };
        match node.state {
            NodeRecordState::Pending | NodeRecordState::Ready => {}
            NodeRecordState::Running(begun) => flat.begin(begun),
            NodeRecordState::Queued { begun, queue } => {
                flat.begin(begun);
                (flat.position, flat.limit) = (Some(queue.position), Some(queue.limit));
            }
            NodeRecordState::Waiting { begun, waiting_for } => {
                flat.begin(begun);
                flat.waiting_for = Some(waiting_for);
            }
            NodeRecordState::Completed { begun, completed_at, output } => {
                flat.begin(begun);
                flat.completed_at = Some(completed_at);
                // Control nodes give nothing, and neither do waits for a moment.
                flat.output = Some(output).filter(|output| flat.task_id.is_some() || !output.is_null());
            }
            NodeRecordState::Failed { begun, completed_at, class, error } => {
                flat.begin(begun);
                flat.completed_at = Some(completed_at);
                flat.class = Some(class);
                flat.error = Some(error);
            }
            NodeRecordState::Cancelled { begun, completed_at } => {
                flat.begin(begun);
                flat.completed_at = Some(completed_at);
            }
            NodeRecordState::Skipped { reason } => flat.skipped_reason = Some(reason),
        }
        flat
    }
}

impl FlatNode {
    fn begin(&mut self, begun: Begun) {
        self.attempt = begun.attempt;
        self.started_at = Some(begun.started_at);
    }

    fn begun(&self) -> Result<Begun, &'static str> {
        let started_at = self.started_at.ok_or("lacks started_at")?;
        Ok(Begun { attempt: self.attempt, started_at })
    }

    fn state(&mut self) -> Result<NodeRecordState, &'static str> {
        if self.skipped_reason.is_some() != (self.status == NodeStatus::Skipped) {
            return Err("skipped_reason belongs to skipped nodes, and to all of them");
        }
        if self.error.is_some() != (self.status == NodeStatus::Failed) {
            return Err("an error belongs to failed nodes, and to all of them");
        }
        if self.waiting_for.is_some() != (self.status == NodeStatus::Waiting) {
            return Err("waiting_for belongs to waiting nodes, and to all of them");
        }
        if (self.position.is_some() || self.limit.is_some()) && self.status != NodeStatus::Queued {
            return Err("position and limit belong to queued nodes");
        }
        if self.items.is_some_and(|items| !items.add_up()) {
            return Err("its items do not add up");
        }
        let completed_at = self.completed_at.ok_or("lacks completed_at");
        Ok(match self.status {
            NodeStatus::Pending => NodeRecordState::Pending,
            NodeStatus::Running => NodeRecordState::Running(self.begun()?),
            NodeStatus::Ready => NodeRecordState::Ready,
            NodeStatus::Queued => NodeRecordState::Queued {
                begun: self.begun()?,
                queue: QueuePosition {
                    position: self.position.filter(|position| *position > 0).ok_or("lacks its position")?,
                    limit: self.limit.take().ok_or("lacks the limit it waits for")?,
                },
            },
            NodeStatus::Waiting => NodeRecordState::Waiting {
                begun: self.begun()?,
                waiting_for: self.waiting_for.take().ok_or("lacks what it waits for")?,
            },
            NodeStatus::Completed => NodeRecordState::Completed {
                begun: self.begun()?,
                completed_at: completed_at?,
                output: self.output.take().unwrap_or_default(),
            },
            NodeStatus::Failed => NodeRecordState::Failed {
                begun: self.begun()?,
                completed_at: completed_at?,
                class: self.class.ok_or("lacks its class of failure")?,
                error: self.error.take().filter(|error| !error.trim().is_empty()).ok_or("its error is blank")?,
            },
            NodeStatus::Cancelled => NodeRecordState::Cancelled { begun: self.begun()?, completed_at: completed_at? },
            NodeStatus::Skipped => NodeRecordState::Skipped { reason: self.skipped_reason.take().unwrap_or_default() },
        })
    }
}

impl TryFrom<FlatNode> for NodeRecord {
    type Error = RecordError;

    fn try_from(mut flat: FlatNode) -> Result<Self, Self::Error> {
        let status = flat.status.name();
        let who = format!("node {}", flat.id);
        let state = flat.state().map_err(|problem| RecordError { who, status, problem })?;
        Ok(Self {
            id: flat.id,
            kind: flat.kind,
            title: flat.title,
            task_id: flat.task_id,
            state,
            earlier: flat.earlier,
            items: flat.items,
            rounds: flat.rounds,
            progress: flat.progress,
            compensation: flat.compensation,
        })
    }
}
