//! Many executions, from where they were left to their ends.

use std::path::Path;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use finale::journal::LiveExecution;
use finale::{ExecutionHandle, ExecutionStatus, Keep, Retention, Runtime, Shards};
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt, poll};

use super::found::Found;
use crate::console;
use crate::run::{Followed, Lines, Outside, RunError, SHUTDOWN, follow, interrupt, limits};

/// How often it is looked whether an execution was quarantined: nothing tells.
const LOOK: Duration = Duration::from_secs(1);

/// Goes on until everything has ended or is quarantined, or somebody interrupts; must be called inside an actix `System`.
pub(super) async fn go_on(found: &Found, path: &Path, mut lines: Option<Lines>) -> Result<(), RunError> {
    let mut interrupt = pin!(interrupt());
    // From its first poll on Ctrl-C is heard.
    if let Poll::Ready(()) = poll!(interrupt.as_mut()) {
        return Ok(());
    }
    let runtime = start(found)?;
    announce(found, path);
    let ended = tokio::select! {
        ended = see_all_to_end(found, &runtime, lines.as_mut()) => ended,
        () = interrupt => Ok(()),
    };
    found.handlers.halt();
    // In order, so that what is at work does not count as lost in a crash.
    runtime.shutdown(SHUTDOWN).await;
    ended
}

fn announce(found: &Found, path: &Path) {
    let parked = found.live.len() - found.to_go_on().count();
    let more = if parked > 0 { format!(" ({parked} quarantined)") } else { String::new() };
    let (path, count) = (path.display(), found.live.len());
    console::say(format_args!("{path}: {count} not ended{more}; Ctrl-C leaves them to be resumed"));
}

fn start(found: &Found) -> Result<Runtime, RunError> {
    let builder = Runtime::builder().shards(Shards::Current).limits(limits(found.nodes()));
    // How long things are kept is for the application to say whose journal it is.
    let builder = builder.journal(found.journal.clone()).retention(Retention::all(Keep::for_ever()));
    Ok(found.handlers.register(&found.simulation, builder).start()?)
}

async fn see_all_to_end(found: &Found, runtime: &Runtime, lines: Option<&mut Lines>) -> Result<(), RunError> {
    let (asked, others): (Vec<_>, Vec<_>) = found.to_go_on().partition(|live| found.is_asked(live));
    let mut ends: FuturesUnordered<LocalBoxFuture<'_, Result<Followed, RunError>>> = FuturesUnordered::new();
    for live in others {
        ends.push(Box::pin(see_to_end(found, runtime, live, None)));
    }
    ends.push(Box::pin(ask_for_all(found, runtime, asked, lines)));
    while let Some(followed) = ends.next().await {
        if followed? == Followed::EndOfInput {
            return Ok(());
        }
    }
    Ok(())
}

/// One after the other: people do not answer two questions at once.
async fn ask_for_all(
    found: &Found,
    runtime: &Runtime,
    asked: Vec<&LiveExecution>,
    mut lines: Option<&mut Lines>,
) -> Result<Followed, RunError> {
    for live in asked {
        if see_to_end(found, runtime, live, lines.as_deref_mut()).await? == Followed::EndOfInput {
            console::say("");
            return Ok(Followed::EndOfInput);
        }
    }
    Ok(Followed::ToTheEnd)
}

/// Sees an execution to its end, or until it is quarantined.
async fn see_to_end(
    found: &Found,
    runtime: &Runtime,
    live: &LiveExecution,
    lines: Option<&mut Lines>,
) -> Result<Followed, RunError> {
    let handle = runtime.execution(live.id).await?;
    if handle.status().await? == ExecutionStatus::Quarantined {
        return Ok(Followed::ToTheEnd);
    }
    tokio::select! {
        followed = answer(found, runtime, live, &handle, lines) => followed,
        quarantined = quarantined(runtime, &handle) => quarantined.map(|()| Followed::ToTheEnd),
    }
}

async fn answer(
    found: &Found,
    runtime: &Runtime,
    live: &LiveExecution,
    handle: &ExecutionHandle,
    lines: Option<&mut Lines>,
) -> Result<Followed, RunError> {
    let surroundings = found.surroundings(live).filter(|surroundings| surroundings.outside != Outside::Nobody);
    if let Some(surroundings) = surroundings
        && follow(surroundings, runtime, handle, lines).await? == Followed::EndOfInput
    {
        return Ok(Followed::EndOfInput);
    }
    handle.outcome().await?;
    Ok(Followed::ToTheEnd)
}

async fn quarantined(runtime: &Runtime, handle: &ExecutionHandle) -> Result<(), RunError> {
    loop {
        tokio::time::sleep(LOOK).await;
        // Asked one by one only if there can be anything to hear.
        if runtime.health().quarantined > 0 && handle.status().await? == ExecutionStatus::Quarantined {
            return Ok(());
        }
    }
}
