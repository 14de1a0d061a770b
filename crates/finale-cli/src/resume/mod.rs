//! `finale resume`: goes on with everything in a journal that has not ended.

mod found;
mod go_on;

use std::collections::HashSet;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use finale::actix::System;
use finale::journal::{JournalError, JournalReader, SqliteJournal};
use finale::{ExecutionId, ExecutionStatus, Filter, Page, Summary, offline};

use self::found::Found;
use crate::cause::{self, Done};
use crate::exit::{self, CANCELLED, FAILED};
use crate::journal::Place;
use crate::room::Room;
use crate::run::{self, Answered, RunError};
use crate::{console, handlers, processes, quote, report};

const EXAMPLES: &str = "\
Examples:
  finale resume --journal orders.db
      at a terminal: asks what became of each task that is done outside, for one execution after the other
  finale resume --journal orders.db --yes
      takes what is done outside for done; shell commands, waits and messages really happen
  finale resume --journal orders.db --simulate --json
      every task is done at once; what became of the executions goes to standard output

Commands run in the directory in which the execution began. What a finale that was killed left running is ended before
the next attempt begins. What is left of a recorded run is done at once. Executions that are quarantined stay so, unless they were released.

Exit codes: 0 all completed, 1 one of them failed or is quarantined, 2 bad input or usage, 3 one was cancelled, or
interrupted. Ctrl-C and the end of the input leave what has not ended for another resume.";

/// Of more executions that failed it is not said why: the table does.
const CAUSES_MAX: usize = 3;

/// The arguments of `finale resume`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Place,

    /// Complete external tasks, stand in for handlers, give the verdict `pass`, send signals, and wait for no time.
    #[arg(long)]
    simulate: bool,

    /// Complete external tasks without an output, give the verdict `pass`, and send signals that say null, without asking.
    #[arg(long)]
    yes: bool,

    #[command(flatten)]
    answered: Answered,

    #[command(flatten)]
    handlers: handlers::Options,

    /// Directory in which shell commands run; by default that in which the execution began.
    #[arg(long = "dir", value_name = "DIR")]
    directory: Option<PathBuf>,

    /// Say nothing but errors; without --json the result is not written either.
    #[arg(long, short)]
    quiet: bool,

    /// Write what became of the executions as one line of JSON.
    #[arg(long)]
    json: bool,
}

/// Goes on with executions and reports what came of them.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match try_to_run(arguments) {
        Ok(summaries) => ExitCode::from(exit_code(&summaries)),
        Err(error) => run::fail(&error),
    }
}

fn try_to_run(arguments: &Arguments) -> Result<Vec<Summary>, RunError> {
    if arguments.quiet {
        console::be_quiet();
    }
    let path = &arguments.place.path;
    let found = Found::read(arguments, std::io::stdin().is_terminal())?;
    if !found.live.is_empty() {
        let lines = found.is_anybody_asked().then(run::read_lines);
        processes::adopt_orphans();
        let ended = System::new().block_on(go_on::go_on(&found, path, lines));
        processes::end_orphans();
        found.close()?;
        ended?;
    } else {
        found.close()?;
    }
    let mut summaries = summaries(&found)?;
    summaries.extend(damaged(&found.journal, &summaries)?);
    write(&summaries, arguments.json)?;
    say_causes(&summaries, &found);
    say_what_next(&summaries, &found, path);
    Ok(summaries)
}

/// How those stand now that had not ended.
fn summaries(found: &Found) -> Result<Vec<Summary>, JournalError> {
    let found = found.live.iter().map(|live| found.journal.summary(live.id));
    found.filter_map(Result::transpose).collect()
}

/// Those of which nobody knows whether they have ended, because what is kept of them is damaged; without those that are known.
fn damaged(journal: &SqliteJournal, known: &[Summary]) -> Result<Vec<Summary>, JournalError> {
    let known: HashSet<ExecutionId> = known.iter().map(|summary| summary.id).collect();
    let (mut filter, mut damaged) = (Filter::new().limit(Filter::LIMIT_MAX), Vec::new());
    loop {
        // Only who reads a summary finds that it is damaged, so that all are read.
        let page = journal.list(&filter)?;
        let last = page.last().filter(|_| page.len() == Filter::LIMIT_MAX).map(|last| last.id);
        let is_damaged = |one: &Summary| is_quarantined(one) && !known.contains(&one.id);
        damaged.extend(page.into_iter().filter(is_damaged));
        if last.is_none() {
            return Ok(damaged);
        }
        filter.before = last;
    }
}

fn write(summaries: &[Summary], json: bool) -> Result<(), RunError> {
    if summaries.is_empty() {
        console::say("every execution has ended");
    }
    let written = if json {
        let mut page = Page::default();
        page.executions = summaries.to_vec();
        console::write(|out| report::write_json(&page, out))
    } else if summaries.is_empty() || console::is_quiet() {
        Ok(())
    } else {
        console::write_text(|out| report::write_summaries(summaries, Room::of_output(), out))
    };
    written.map_err(RunError::Write)
}

fn say_causes(summaries: &[Summary], found: &Found) {
    let failed = summaries.iter().filter(|summary| summary.status == ExecutionStatus::Failed);
    for summary in failed.take(CAUSES_MAX) {
        if let Ok(reading) = offline::read(&found.journal, summary.id) {
            let Found { simulation, handlers, .. } = found;
            cause::say(&reading.record(), &Done { workflow: reading.workflow(), simulation, handlers });
        }
    }
}

fn say_what_next(summaries: &[Summary], found: &Found, path: &Path) {
    let first = |status| summaries.iter().find(|summary| summary.status == status);
    if let Some(failed) = first(ExecutionStatus::Failed) {
        console::insist(format_args!("see why: {}", quote::command("why", path, failed.id)));
    }
    if let Some(quarantined) = first(ExecutionStatus::Quarantined) {
        console::insist(format_args!("see why: {}", quote::command("why", path, quarantined.id)));
        // What is damaged stays so.
        if summaries.iter().any(|one| is_quarantined(one) && found.live.iter().any(|live| live.id == one.id)) {
            console::insist(format_args!("have it looked at again: {}", quote::command("retry-quarantined", path, "")));
        }
    }
    if summaries.iter().any(is_unfinished) {
        console::say(format_args!("go on with what has not ended: {}", quote::command("resume", path, "")));
    }
}

fn is_quarantined(summary: &Summary) -> bool {
    summary.status == ExecutionStatus::Quarantined
}

fn is_unfinished(summary: &Summary) -> bool {
    !summary.status.is_terminal() && !is_quarantined(summary)
}

/// The worst of it.
fn exit_code(summaries: &[Summary]) -> u8 {
    let code = |summary: &Summary| if is_unfinished(summary) { CANCELLED } else { exit::of_status(summary.status) };
    let codes: Vec<_> = summaries.iter().map(code).collect();
    if codes.contains(&FAILED) { FAILED } else { codes.into_iter().max().unwrap_or_default() }
}
