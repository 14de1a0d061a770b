//! Names tasks, and looks whether any are left.

use finale::{ExecutionId, Filter, Runtime, TaskId, Workflow};
use finale_core::WorkKey;

/// The name of a task of an execution.
///
/// # Panics
/// When the workflow has no such node.
pub fn task_of(execution: ExecutionId, workflow: &Workflow, node: &str) -> TaskId {
    let node = workflow.compiled().position(node).expect("the workflow has this node");
    TaskId { execution, key: WorkKey::root(node) }
}

/// Nothing was begun, and nothing is left half-done.
///
/// # Panics
/// When there is an execution or an open task.
pub async fn expect_nothing(runtime: &Runtime) {
    let executions = runtime.executions(Filter::new()).await.expect("the runtime answers");
    assert_eq!(executions.executions, [], "executions");
    let tasks = runtime.open_tasks(None, 1_000).await.expect("the runtime answers");
    assert_eq!(tasks.tasks, [], "open tasks");
}
