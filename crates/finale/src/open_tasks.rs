//! Tasks that are done outside: listed, and reported on by id.

use finale_core::{Payload, TaskId, Time, task_engine};
use serde::Serialize;

use crate::actors::shared::Shared;

/// A task that waits for somebody outside; from [`Runtime::open_tasks`](crate::Runtime::open_tasks).
///
/// It is answered by its id: with [`complete_task`](crate::Runtime::complete_task),
/// [`fail_task`](crate::Runtime::fail_task) or [`cancel_task`](crate::Runtime::cancel_task).
///
/// ```
/// # use finale::prelude::*;
/// use finale::{OpenTask, TaskId};
///
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
/// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
/// # let execution = runtime.activate(&article, ()).await?;
/// let open = runtime.open_tasks(None, 100).await?;
/// let OpenTask { id, workflow, node, attempt, .. } = &open.tasks[0];
/// assert_eq!((workflow.as_str(), node.as_str(), *attempt), ("article", "approve", 1));
///
/// // The id goes out as a text, with a mail for instance, and comes back as one.
/// let answered: TaskId = id.to_string().parse()?;
/// runtime.complete_task(answered, ()).await?;
/// assert!(runtime.open_tasks(None, 100).await?.tasks.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct OpenTask {
    /// What it is reported on by. It is the same over attempts and restarts.
    pub id: TaskId,
    /// Id of its workflow.
    pub workflow: String,
    /// Id of its node.
    pub node: String,
    /// What is to be done, for people.
    pub title: String,
    /// Who is asked, if somebody is named. Nobody checks who answers.
    pub assignee: Option<String>,
    /// Which attempt, counted from 1.
    pub attempt: u16,
    /// Since when it waits, also if that was before a restart.
    pub since: Time,
    /// The input of the task.
    pub input: Payload,
}

/// One page of open tasks, in ascending order of their ids.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TaskPage {
    /// The tasks.
    pub tasks: Vec<OpenTask>,
    /// What the next page begins after; none if this is the last one. See
    /// [`Runtime::open_tasks`](crate::Runtime::open_tasks).
    pub next: Option<TaskId>,
}

impl OpenTask {
    /// A task that waits for somebody outside, as its engine knows it; none if its execution is gone.
    pub(crate) fn new(
        task: &task_engine::OpenTask<'_>,
        engine: &task_engine::TaskEngine,
        shared: &Shared,
    ) -> Option<Self> {
        let bound = shared.definition(engine.registration(task.slot)?.definition);
        let (compiled, node) = (&bound.compiled, task.id.key.node);
        Some(Self {
            id: task.id,
            workflow: compiled.definition().id.clone(),
            node: task.path.map_or_else(|| compiled.node(node).id.clone(), ToString::to_string),
            title: compiled.title(node).to_owned(),
            assignee: compiled.assignee(node).map(str::to_owned),
            attempt: task.dispatch.attempt.get(),
            since: task.since,
            input: task.input.clone(),
        })
    }
}
