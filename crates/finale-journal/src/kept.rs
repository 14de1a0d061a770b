//! What a journal keeps beside facts: definitions, quarantines, and one line of each execution.

use std::sync::Arc;

use finale_core::record::WorkflowName;
use finale_core::{DefinitionHash, ExecutionId, ExecutionStatus, Time};
use serde::Serialize;

/// A definition as it is kept with the executions that run it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDefinition {
    /// What names it by its content.
    pub hash: DefinitionHash,
    /// What it is called.
    pub workflow: WorkflowName,
    /// Whatever the runtime needs to run it again; of no meaning to the journal.
    pub bytes: Arc<[u8]>,
}

/// Why an execution is parked until somebody decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantine {
    /// In words.
    pub reason: String,
    /// Whether only an operator can release it; else the next runtime looks for itself whether the reason still holds.
    pub until_released: bool,
}

/// An execution that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveExecution {
    /// Its id.
    pub id: ExecutionId,
    /// What it runs.
    pub definition: DefinitionHash,
    /// Why it is parked, if it is.
    pub quarantine: Option<Quarantine>,
}

/// One execution in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Summary {
    /// Its id.
    pub id: ExecutionId,
    /// What it runs.
    pub workflow: WorkflowName,
    /// Where it is.
    pub status: ExecutionStatus,
    /// Who activated it.
    pub activated_by: String,
    /// When.
    pub created_at: Time,
    /// When it ended, if it has.
    pub completed_at: Option<Time>,
    /// Why it failed, if it did; why it is parked, if it is quarantined.
    pub error: Option<String>,
    /// What a second activation of the same thing is known by.
    pub idempotency_key: Option<String>,
    /// What people find it by.
    pub business_key: Option<String>,
}

impl Summary {
    /// The summary of an execution that has begun and not ended.
    pub fn running(id: ExecutionId, workflow: WorkflowName, activated_by: impl Into<String>, created_at: Time) -> Self {
        Self {
            id,
            workflow,
            status: ExecutionStatus::Running,
            activated_by: activated_by.into(),
            created_at,
            completed_at: None,
            error: None,
            idempotency_key: None,
            business_key: None,
        }
    }
}
