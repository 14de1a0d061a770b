//! One execution, from its activation to its record.

use std::pin::pin;

use finale::{CancelReceipt, CommandError, ExecutionHandle, Limits, Record, Runtime, Shards};
use futures_util::poll;

use super::ask::Lines;
use super::error::RunError;
use super::outside::{self, Outside};
use super::prepare::Prepared;
use crate::console;

/// Who activates executions here.
pub(crate) const BY: &str = "finale run";

/// Runs a workflow to its end; must be called inside an actix `System`.
pub(crate) async fn execute(prepared: &Prepared, lines: Option<Lines>) -> Result<Record, RunError> {
    let runtime = start(prepared)?;
    let mut interrupt = pin!(interrupt());
    // From its first poll on Ctrl-C is heard: before there is anything to cancel.
    if poll!(interrupt.as_mut()).is_ready() {
        return Err(RunError::Interrupted);
    }
    let activated = runtime.activate(&prepared.workflow, &prepared.input).by(BY).await;
    let handle = activated.map_err(|error| RunError::Activate { file: prepared.file.clone(), error })?;
    announce(prepared, &handle);
    tokio::select! {
        ended = see_to_end(prepared, &runtime, &handle, lines) => ended?,
        () = interrupt => cancel(&handle, "Ctrl-C").await?,
    }
    handle.outcome().await?;
    Ok(handle.snapshot().await?)
}

fn start(prepared: &Prepared) -> Result<Runtime, RunError> {
    let nodes = prepared.workflow.compiled().len();
    let mut limits = Limits::default();
    // One execution has the process to itself. Tasks that wait for a place would make a replay take longer than the
    // recorded run, and a reader that lags makes all of the past be read again.
    limits.running_tasks_max = limits.running_tasks_max.max(nodes);
    limits.event_lag_max = limits.event_lag_max.max(nodes.saturating_mul(16));
    let builder = Runtime::builder().shards(Shards::Current).limits(limits);
    Ok(prepared.simulation.register(builder).start()?)
}

fn announce(prepared: &Prepared, handle: &ExecutionHandle) {
    let definition = prepared.workflow.definition();
    console::say(format_args!("execution {} of {:?} is running; Ctrl-C cancels it", handle.id(), definition.name));
}

async fn see_to_end(
    prepared: &Prepared,
    runtime: &Runtime,
    handle: &ExecutionHandle,
    lines: Option<Lines>,
) -> Result<(), RunError> {
    if prepared.outside != Outside::Nobody {
        outside::follow(prepared, runtime, handle, lines).await?;
    }
    handle.outcome().await?;
    Ok(())
}

async fn interrupt() {
    if tokio::signal::ctrl_c().await.is_err() {
        // It cannot be listened for, so it does what it does by default: end the process.
        std::future::pending::<()>().await;
    }
}

/// Cancels an execution and says what became of its tasks.
pub(crate) async fn cancel(handle: &ExecutionHandle, by: &str) -> Result<(), RunError> {
    match handle.cancel(by).await {
        Ok(receipt) => say_receipt(&receipt),
        // It was over first: its end is reported like any other.
        Err(CommandError::AlreadyTerminal(_)) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn say_receipt(receipt: &CancelReceipt) {
    let tasks = receipt.tasks.len();
    let noun = if tasks == 1 { "task was" } else { "tasks were" };
    console::say(format_args!("{}: {tasks} {noun} under way", receipt.status));
    for task in &receipt.tasks {
        // The names of fates are those of the record.
        let fate = serde_json::to_value(task.fate).unwrap_or_default();
        let fate = fate.as_str().unwrap_or("over").replace('_', " ");
        console::say(format_args!("  {}: {fate}", task.node));
    }
}
