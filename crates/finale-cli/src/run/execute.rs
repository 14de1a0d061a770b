//! One execution, from its activation to its record.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use finale::{
    CancelReceipt, CommandError, ExecutionHandle, ExecutionStatus, Keep, Limits, Record, Retention, Runtime, Shards,
};
use futures_util::poll;

use super::ask::Lines;
use super::error::RunError;
use super::outside::{self, BY, Followed, Outside, Surroundings};
use super::prepare::Prepared;
use crate::console;
use crate::progress::{Following, Progress};

/// How long handlers at work may take when a runtime is shut down: most take their time for hours or not at all.
pub(crate) const SHUTDOWN: Duration = Duration::from_secs(1);

/// Of more tasks that were under way only the number is said.
const TASKS_NAMED_MAX: usize = 20;

/// How a run came to its end.
#[derive(Debug)]
enum Came {
    ToTheEnd,
    /// Somebody cancelled it here; none if it was over first.
    Cancelled(Option<CancelReceipt>),
    /// It goes on when somebody resumes it.
    Interrupted,
}

/// Runs a workflow to its end, or until it is interrupted; must be called inside an actix `System`.
pub(crate) async fn execute(prepared: &Prepared, lines: Option<Lines>) -> Result<Record, RunError> {
    let runtime = start(prepared)?;
    let mut interrupt = pin!(interrupt());
    // From its first poll on Ctrl-C is heard: before there is anything to cancel.
    let record = match poll!(interrupt.as_mut()) {
        Poll::Ready(_) => Err(RunError::Interrupted),
        Poll::Pending => activate_and_see_to_end(prepared, &runtime, lines, interrupt).await,
    };
    let record = record.map_err(|error| error.explained_by(&runtime));
    if prepared.kept.is_some() {
        prepared.handlers.halt();
        // In order, so that what is at work does not count as lost in a crash.
        runtime.shutdown(SHUTDOWN).await;
    }
    record
}

async fn activate_and_see_to_end(
    prepared: &Prepared,
    runtime: &Runtime,
    mut lines: Option<Lines>,
    interrupt: impl Future<Output = &'static str>,
) -> Result<Record, RunError> {
    let progress =
        (!console::is_quiet()).then(|| Progress::start(&prepared.workflow.definition().name, &prepared.handlers));
    // The first tasks are done before it is known which execution does them.
    console::hold();
    let id = runtime.new_execution_id();
    prepared.handlers.paths().record([id].into_iter())?;
    let activated = runtime.activate(&prepared.workflow, &prepared.input).by(BY).id(id).await;
    let handle = activated.map_err(|error| RunError::Activate { file: prepared.file.clone(), error })?;
    announce(prepared, &handle);
    console::release();
    let following = progress.as_ref().map(|progress| progress.follow(&prepared.workflow, &handle));
    let came = tokio::select! {
        ended = see_to_end(prepared, runtime, &handle, lines.as_mut(), following.as_ref()) => ended?,
        by = interrupt => stop(prepared, &handle, by).await?,
    };
    if !matches!(came, Came::Interrupted) {
        handle.outcome().await?;
        if let Some(following) = following {
            following.finish().await;
        }
    }
    drop(progress);
    if let Came::Cancelled(Some(receipt)) = &came {
        say_receipt(receipt);
    }
    Ok(handle.snapshot().await?)
}

fn start(prepared: &Prepared) -> Result<Runtime, RunError> {
    let nodes = prepared.workflow.compiled().all_positions().len();
    let builder = Runtime::builder().shards(Shards::Current).limits(limits(nodes));
    let builder = match &prepared.kept {
        // How long things are kept is for the application to say whose journal it is.
        Some(kept) => builder.journal(kept.journal.clone()).retention(Retention::all(Keep::for_ever())),
        None => builder,
    };
    let runtime = prepared.handlers.register(&prepared.simulation, builder).start()?;
    prepared.simulation.look_up_in(&runtime);
    Ok(runtime)
}

/// Limits for that many nodes under way at once.
pub(crate) fn limits(nodes: usize) -> Limits {
    // The defaults or more. Executions have the process to themselves. Tasks that wait for a place would make a replay take longer than the
    // recorded run, and a reader that lags makes all of the past be read again.
    Limits::new().running_tasks_max(nodes.max(10_000)).event_lag_max(nodes.saturating_mul(16).max(1_024))
}

fn announce(prepared: &Prepared, handle: &ExecutionHandle) {
    let definition = prepared.workflow.definition();
    let interrupted = if prepared.kept.is_some() { "leaves it to be resumed" } else { "cancels it" };
    let (id, name) = (handle.id(), &definition.name);
    console::say(format_args!("execution {id} of {name:?} is running; Ctrl-C {interrupted}"));
}

async fn see_to_end(
    prepared: &Prepared,
    runtime: &Runtime,
    handle: &ExecutionHandle,
    lines: Option<&mut Lines>,
    following: Option<&Following>,
) -> Result<Came, RunError> {
    let Prepared { workflow, simulation, outside, .. } = prepared;
    if *outside != Outside::Nobody {
        let is_kept = prepared.kept.is_some();
        let surroundings = Surroundings { workflow, simulation, outside: *outside, is_kept };
        match outside::follow(surroundings, runtime, handle, lines, following).await? {
            Followed::ToTheEnd => {}
            Followed::EndOfInput => return stop(prepared, handle, "the end of the input").await,
            Followed::Unanswered(by) => return stop(prepared, handle, &by).await,
        }
    }
    handle.outcome().await?;
    Ok(Came::ToTheEnd)
}

/// Cancels what would be gone with the process, and leaves what is kept. What is ending already, or is to be stopped a second
/// time, is not waited for longer than its handlers need to stop.
async fn stop(prepared: &Prepared, handle: &ExecutionHandle, by: &str) -> Result<Came, RunError> {
    if prepared.kept.is_some() {
        return Ok(Came::Interrupted);
    }
    let mut again = pin!(interrupt());
    // From its first poll on a second Ctrl-C is heard.
    let cancelled = match poll!(again.as_mut()) {
        Poll::Ready(by) => cancel_forced(handle, by).await,
        Poll::Pending if handle.status().await? == ExecutionStatus::Ending => cancel_forced(handle, by).await,
        Poll::Pending => {
            console::say("cancelling; Ctrl-C again leaves out what is to be done at the end");
            tokio::select! {
                cancelled = handle.cancel(by) => cancelled,
                by = again => cancel_forced(handle, by).await,
            }
        }
    };
    match cancelled {
        Ok(receipt) => Ok(Came::Cancelled(Some(receipt))),
        // Its end is reported like any other.
        Err(CommandError::AlreadyTerminal(_)) => Ok(Came::Cancelled(None)),
        Err(error) => Err(error.into()),
    }
}

/// Cancels an execution that is ending already, or is asked to for the second time.
async fn cancel_forced(handle: &ExecutionHandle, by: &str) -> Result<CancelReceipt, CommandError> {
    console::say("forcing the end: what is to be done at the end is left out");
    handle.cancel_forced(by).await
}

/// Waits for Ctrl-C, or for what else asks the process to end, and says which it was.
///
/// Commands at work do not end with the process by themselves.
pub(crate) async fn interrupt() -> &'static str {
    tokio::select! {
        () = ctrl_c() => "Ctrl-C",
        signal = termination() => signal,
    }
}

async fn ctrl_c() {
    if tokio::signal::ctrl_c().await.is_err() {
        // It cannot be listened for, so it does what it does by default: end the process.
        std::future::pending::<()>().await;
    }
}

#[cfg(unix)]
async fn termination() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let all = [SignalKind::terminate(), SignalKind::hangup(), SignalKind::quit()].map(signal);
    let [Ok(mut terminate), Ok(mut hangup), Ok(mut quit)] = all else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = hangup.recv() => "SIGHUP",
        _ = quit.recv() => "SIGQUIT",
    }
}

#[cfg(not(unix))]
async fn termination() -> &'static str {
    std::future::pending().await
}

/// Says what became of the tasks of an execution that was cancelled.
fn say_receipt(receipt: &CancelReceipt) {
    let tasks = receipt.tasks.len();
    let noun = if tasks == 1 { "task was" } else { "tasks were" };
    console::say(format_args!("{}: {tasks} {noun} under way", receipt.status));
    for task in receipt.tasks.iter().take(TASKS_NAMED_MAX) {
        // The names of fates are those of the record.
        let fate = serde_json::to_value(task.fate).unwrap_or_default();
        let fate = fate.as_str().unwrap_or("over").replace('_', " ");
        console::say(format_args!("  {}: {fate}", task.node));
    }
    if let more @ 1.. = tasks.saturating_sub(TASKS_NAMED_MAX) {
        console::say(format_args!("  and {more} more"));
    }
}
