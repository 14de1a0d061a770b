//! Many executions, from where they were left to their ends.

use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use finale::journal::LiveExecution;
use finale::{ExecutionHandle, ExecutionStatus, Keep, Retention, Runtime, Shards, WaitingFor};
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt, poll};

use super::found::Found;
use crate::console;
use crate::progress::Progress;
use crate::run::{Followed, Lines, Outside, RunError, SHUTDOWN, follow, interrupt, limits};

/// How often it is looked whether an execution was quarantined: nothing tells.
const LOOK: Duration = Duration::from_secs(1);
/// Of more executions it is not shown how they get on.
const FOLLOWED_MAX: usize = 100;

/// What is needed wherever something goes on.
#[derive(Clone, Copy)]
struct Going<'a> {
    found: &'a Found,
    runtime: &'a Runtime,
    /// None if it is to be quiet, or there are too many to be followed.
    progress: Option<&'a Progress>,
}

/// Goes on until everything has ended or is quarantined, or somebody interrupts; must be called inside an actix `System`.
pub(super) async fn go_on(found: &Found, path: &Path, mut lines: Option<Lines>) -> Result<(), RunError> {
    let mut interrupt = pin!(interrupt());
    // From its first poll on Ctrl-C is heard.
    if poll!(interrupt.as_mut()).is_ready() {
        return Ok(());
    }
    let progress = is_followed(found).then(|| Progress::start(&path.display().to_string(), &found.handlers));
    console::hold();
    found.handlers.paths().record(found.to_go_on().map(|live| live.id))?;
    let runtime = start(found)?;
    announce(found, path);
    console::release();
    let ended = tokio::select! {
        ended = see_all_to_end(Going { found, runtime: &runtime, progress: progress.as_ref() }, lines.as_mut()) => ended,
        _ = interrupt => Ok(()),
    };
    drop(progress);
    found.handlers.halt();
    // In order, so that what is at work does not count as lost in a crash.
    runtime.shutdown(SHUTDOWN).await;
    ended
}

/// Each event of each of many would be read for nobody: people cannot follow them.
fn is_followed(found: &Found) -> bool {
    !console::is_quiet() && found.to_go_on().count() <= FOLLOWED_MAX
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
    let runtime = found.handlers.register(&found.simulation, builder).start()?;
    found.simulation.look_up_in(&runtime);
    Ok(runtime)
}

async fn see_all_to_end(going: Going<'_>, lines: Option<&mut Lines>) -> Result<(), RunError> {
    let found = going.found;
    let (asked, others): (Vec<_>, Vec<_>) = found.to_go_on().partition(|live| found.is_asked(live));
    let mut ends: FuturesUnordered<LocalBoxFuture<'_, Result<Followed, RunError>>> = FuturesUnordered::new();
    for live in others {
        ends.push(Box::pin(see_to_end(going, live, None)));
    }
    ends.push(Box::pin(ask_for_all(going, asked, lines)));
    while let Some(followed) = ends.next().await {
        if followed? == Followed::EndOfInput {
            return Ok(());
        }
    }
    Ok(())
}

/// One after the other: people do not answer two questions at once.
async fn ask_for_all(
    going: Going<'_>,
    asked: Vec<&LiveExecution>,
    mut lines: Option<&mut Lines>,
) -> Result<Followed, RunError> {
    for live in asked {
        if see_to_end(going, live, lines.as_deref_mut()).await? == Followed::EndOfInput {
            return Ok(Followed::EndOfInput);
        }
    }
    Ok(Followed::ToTheEnd)
}

/// Sees an execution to its end, or until it is quarantined.
async fn see_to_end(going: Going<'_>, live: &LiveExecution, lines: Option<&mut Lines>) -> Result<Followed, RunError> {
    let Going { runtime, .. } = going;
    let handle = runtime.execution(live.id).await?;
    if handle.status().await? == ExecutionStatus::Quarantined {
        return Ok(Followed::ToTheEnd);
    }
    let followed = tokio::select! {
        followed = answer(going, live, &handle, lines) => followed,
        quarantined = quarantined(runtime, &handle) => quarantined.map(|()| Followed::ToTheEnd),
    };
    followed.map_err(|error| error.explained_by(runtime))
}

async fn answer(
    going: Going<'_>,
    live: &LiveExecution,
    handle: &ExecutionHandle,
    lines: Option<&mut Lines>,
) -> Result<Followed, RunError> {
    let surroundings = going.found.surroundings(live);
    let following = going.progress.zip(surroundings).map(|(progress, this)| progress.follow(this.workflow, handle));
    if let Some(surroundings) = surroundings {
        let is_followed = surroundings.outside != Outside::Nobody || is_held(handle).await?;
        if is_followed {
            let followed = follow(surroundings, going.runtime, handle, lines, following.as_ref()).await?;
            if followed != Followed::ToTheEnd {
                return Ok(followed);
            }
        }
    }
    handle.outcome().await?;
    if let Some(following) = following {
        following.finish().await;
    }
    Ok(Followed::ToTheEnd)
}

/// Whether an operator has to say how something goes on: a handler of an application can have asked for that.
async fn is_held(handle: &ExecutionHandle) -> Result<bool, RunError> {
    let why = handle.why().await?;
    Ok(why.awaited.iter().any(|awaited| awaited.waiting_for == Some(WaitingFor::Operator)))
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
