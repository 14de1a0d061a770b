//! Events about tasks, and what finale hears of them.

use finale::{ExecutionId, Failure, FailureClass, ReportError, Runtime, TaskId, TaskReport, Workflow};
use finale_core::definition::{Node, NodeKind};
use finale_core::{NodePath, WorkKey};
use serde_json::Value;
use tokio::task::JoinHandle;

use super::cases::{Mutation, MutationKind, Operation, Step, TaskEvent, TaskStatus, When};
use super::steps::OPERATOR;

/// What somebody outside reports on a task.
#[derive(Clone)]
pub(super) struct Report {
    pub(super) task: TaskId,
    /// The path of its node, if that is in a workflow that is called: what its task id is then is known when it is.
    path: Option<String>,
    result: Result<Value, Failure>,
    /// Whether the engine takes it and its execution never hears of it.
    pub(super) lost: bool,
}

/// A report that is on its way.
pub(super) struct Sent {
    pub(super) report: Report,
    answering: Option<JoinHandle<Answer>>,
    answer: Option<Answer>,
}

pub(super) type Answer = Result<(), ReportError>;

impl Sent {
    /// What it was answered, if it was.
    pub(super) async fn answer(&mut self) -> Option<&Answer> {
        if let Some(answering) = self.answering.take_if(|answering| answering.is_finished()) {
            self.answer = Some(answering.await.unwrap_or(Err(ReportError::Stopped)));
        }
        self.answer.as_ref()
    }
}

impl Step {
    /// Whether it comes before the activation is acknowledged.
    pub(super) fn is_early(&self) -> bool {
        let when = match &self.operation {
            Operation::Task(event) => event.when,
            Operation::Mutation(mutation) => mutation.when,
            _ => None,
        };
        matches!(when, Some(When::DuringActivation))
    }

    /// There is one execution during its activation, and nothing of it to be lost.
    pub(super) fn check_early(&self) -> Result<(), String> {
        let (execution, lost) = match &self.operation {
            Operation::Task(event) => (&event.execution, event.lost),
            Operation::Mutation(mutation) => (&mutation.execution, false),
            _ => (&None, false),
        };
        match (execution, lost) {
            (None, false) => Ok(()),
            _ => Err(format!("{}: makes no sense during the activation", self.words)),
        }
    }
}

impl Operation {
    /// What finale hears of an event about a task; nothing if the task is as open afterwards as it was.
    pub(super) fn report(
        &self,
        workflow: &Workflow,
        target: ExecutionId,
        runtime: &Runtime,
    ) -> Result<Option<Report>, String> {
        let (node, alien, result, lost) = match self {
            Self::Task(event) => (&event.node, &event.task, event.result(workflow), event.lost),
            Self::Mutation(mutation) => (&mutation.node, &mutation.task, mutation.result(), false),
            _ => return Ok(None),
        };
        let is_inside = |node: &&String| workflow.compiled().position(node).is_none() && is_path(workflow, node);
        let path = node.as_ref().filter(is_inside).cloned();
        let task = match (node, alien) {
            (Some(_), None) if path.is_some() => TaskId { execution: target, key: WorkKey::default() },
            (Some(node), None) => {
                let position = workflow.compiled().position(node);
                let position = position.ok_or_else(|| format!("the definition has no node {node:?}"))?;
                TaskId { execution: target, key: WorkKey::root(position) }
            }
            (None, Some(_)) => TaskId { execution: runtime.new_execution_id(), key: WorkKey::default() },
            _ => return Err("an event is about either a node or a task".to_owned()),
        };
        Ok(result.map(|result| Report { task, path, result, lost }))
    }
}

impl TaskEvent {
    fn result(&self, workflow: &Workflow) -> Option<Result<Value, Failure>> {
        // Where finale tries nothing again, it is tried again outside: the task stays open.
        if self.will_retry == Some(true) && !tries_again(workflow) {
            return None;
        }
        let class = match self.to {
            TaskStatus::Completed => return Some(Ok(self.output.clone().map_or(Value::Null, Value::Object))),
            TaskStatus::Failed => FailureClass::Failed,
            TaskStatus::Cancelled => FailureClass::Cancelled,
            TaskStatus::Rejected => FailureClass::Rejected,
            TaskStatus::Created
            | TaskStatus::Assigned
            | TaskStatus::InProgress
            | TaskStatus::InReview
            | TaskStatus::Blocked
            | TaskStatus::Interrupted
            | TaskStatus::Suspended
            | TaskStatus::AuthRequired => return None,
        };
        let failure = Failure::new(class, self.reason.as_str());
        // Whoever says that it will not be tried again says that another attempt cannot help.
        Some(Err(if self.will_retry == Some(false) { failure.permanent() } else { failure }))
    }
}

fn is_path(workflow: &Workflow, node: &str) -> bool {
    node.parse::<NodePath>().is_ok_and(|path| workflow.compiled().node_at(&path).is_some())
}

fn tries_again(workflow: &Workflow) -> bool {
    let tries_again = |node: &Node| matches!(&node.kind, NodeKind::Task(task) if task.retry.attempts > 1);
    let called = workflow.definition().workflows.iter().flat_map(|called| &called.nodes);
    workflow.definition().nodes.iter().chain(called).any(tries_again)
}

impl Mutation {
    fn result(&self) -> Option<Result<Value, Failure>> {
        let class = match self.kind {
            MutationKind::Cancel => FailureClass::Cancelled,
            MutationKind::Delete => FailureClass::Deleted,
            MutationKind::Create | MutationKind::Update => return None,
        };
        Some(Err(Failure::new(class, self.reason.as_str())))
    }
}

/// Reports without waiting: a report on a task that is not open yet is answered when it is.
pub(super) fn send(runtime: &Runtime, report: Report) -> Sent {
    let Report { task, path, result, .. } = report.clone();
    let runtime = runtime.clone();
    let answering = actix::spawn(async move {
        if let Some(path) = path {
            let report = match result {
                Ok(output) => TaskReport::completed(output),
                Err(failure) => TaskReport::failed(failure),
            };
            return runtime.report_node(task.execution, &path, report).await;
        }
        match result {
            Ok(output) => runtime.complete_task(task, output).await,
            Err(failure) if failure.class == FailureClass::Cancelled && failure.reason.is_empty() => {
                runtime.cancel_task(task, OPERATOR).await
            }
            Err(failure) => runtime.fail_task(task, failure).await,
        }
    });
    Sent { report, answering: Some(answering), answer: None }
}
