//! Chains of ten that have come half of their way, for whatever life of the process: half of them have a handler at
//! work, the others wait for somebody outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use finale::journal::SqliteJournal;
use finale::{Runtime, TaskContext, TaskError, TaskId, Workflow};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::Semaphore;

use crate::contender::BoxError;
use crate::finale_side::{room_for, task};
use crate::handler;
use crate::shape::{HANDLER, Shape};

/// The task that does not end; those before it are done.
const STOP: u32 = 5;
/// How many tasks each execution has behind it.
pub(super) const DONE: usize = STOP as usize;
/// How many calls are under way while very many are made.
const CALLS: usize = 1_000;

/// What the handlers of one runtime know of each other.
#[derive(Debug)]
pub(super) struct Stage {
    at_work: AtomicUsize,
    gate: Semaphore,
}

impl Stage {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { at_work: AtomicUsize::new(0), gate: Semaphore::new(0) })
    }

    /// How many handlers have come to where they stop.
    pub(super) fn at_work(&self) -> usize {
        self.at_work.load(Ordering::Relaxed)
    }

    /// Lets them go on.
    pub(super) fn open(&self) {
        self.gate.close();
    }
}

/// How many of so many executions have a handler at work; the others wait outside.
pub(super) const fn at_work(executions: usize) -> usize {
    executions / 2
}

/// Starts a runtime that goes on with what it finds.
pub(super) fn start(journal: SqliteJournal, executions: usize, stage: &Arc<Stage>) -> Result<Runtime, BoxError> {
    let runtime = Runtime::builder().journal(journal).limits(room_for(executions)).data(Arc::clone(stage));
    Ok(runtime.handler(HANDLER, step).start()?)
}

async fn step(context: TaskContext, _input: ()) -> Result<u64, TaskError> {
    let task = task(&context);
    if task == STOP
        && let Ok(stage) = context.data::<Arc<Stage>>()
    {
        stage.at_work.fetch_add(1, Ordering::Relaxed);
        // Nobody ever gets a permit: it returns when the gate is closed, which opens the way.
        let _ = stage.gate.acquire().await;
    }
    Ok(handler::output(task))
}

/// Activates them all.
pub(super) async fn activate(runtime: &Runtime, executions: usize) -> Result<(), BoxError> {
    let (inside, outside) =
        (Workflow::new(Shape::chain().definition())?, Workflow::new(Shape::chain().definition_with_outside(STOP))?);
    let workflows = (0..executions).map(|index| if index < at_work(executions) { &inside } else { &outside });
    let begun = stream::iter(workflows).map(|workflow| runtime.activate(workflow, ()).start());
    begun.buffer_unordered(CALLS).try_for_each(async |_| Ok(())).await?;
    Ok(())
}

/// The tasks that wait for somebody outside.
pub(super) async fn outside(runtime: &Runtime) -> Result<Vec<TaskId>, BoxError> {
    let (mut tasks, mut after) = (Vec::new(), None);
    loop {
        let page = runtime.open_tasks(after, CALLS).await?;
        tasks.extend(page.tasks.iter().map(|task| task.id));
        after = page.next;
        if after.is_none() {
            return Ok(tasks);
        }
    }
}

/// Reports that they were done.
pub(super) async fn complete(runtime: &Runtime, tasks: Vec<TaskId>) -> Result<(), BoxError> {
    let reports = stream::iter(tasks).map(|task| runtime.complete_task(task, handler::output(STOP)));
    reports.buffer_unordered(CALLS).try_for_each(async |()| Ok(())).await?;
    Ok(())
}
