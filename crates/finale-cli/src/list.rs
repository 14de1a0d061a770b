//! `finale list`: the executions of a journal.

use clap::Args;
use finale::journal::{JournalError, JournalReader};
use finale::{ExecutionId, ExecutionStatus, Filter, Page, Summary, Time};
use finale_core::nearest::nearest;

use crate::journal::{Place, Prefix, Problem};
use crate::room::Room;
use crate::words::words;
use crate::{console, report, time};

const EXAMPLES: &str = "\
Examples:
  finale list --journal orders.db
      the newest executions
  finale list --journal orders.db --status failed --since 2h
      what failed of what was activated in the last two hours
  finale list --journal orders.db --workflow order --business-key A-17 --json
      the executions for one order, for a program
  finale list --journal orders.db --limit 20 --before 0199b1c2-77aa
      the twenty that are older than that one

A time is one such as 2026-01-31T12:00:00Z, a day such as 2026-01-31, or an age such as 90s, 1h30m or 7d.
With --json: {\"executions\": [...], \"next\": ID or null}; what `next` says is handed to --before for the next page.";

/// Every status that an execution in a journal can have.
const STATUSES: [ExecutionStatus; 6] = [
    ExecutionStatus::Running,
    ExecutionStatus::Ending,
    ExecutionStatus::Quarantined,
    ExecutionStatus::Completed,
    ExecutionStatus::Failed,
    ExecutionStatus::Cancelled,
];

const STATUS_NAMES: [&str; 6] = {
    let mut names = [""; 6];
    let mut at = 0;
    while at < names.len() {
        names[at] = STATUSES[at].name();
        at += 1;
    }
    names
};

/// The arguments of `finale list`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Place,

    /// Only those with that status: running, ending, quarantined, completed, failed or cancelled.
    #[arg(long, value_parser = words(&STATUS_NAMES, status), hide_possible_values = true)]
    status: Option<ExecutionStatus>,

    /// Only those of the workflow with that id.
    #[arg(long, value_name = "ID")]
    workflow: Option<String>,

    /// Only those with that business key.
    #[arg(long, value_name = "KEY")]
    business_key: Option<String>,

    /// Only those activated then or later.
    #[arg(long, value_name = "TIME", value_parser = time::moment)]
    since: Option<Time>,

    /// Only those activated earlier.
    #[arg(long, value_name = "TIME", value_parser = time::moment)]
    until: Option<Time>,

    /// At most that many.
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = limit)]
    limit: usize,

    /// Only those older than that one.
    #[arg(long, value_name = "ID")]
    before: Option<Prefix>,

    /// Write them as one line of JSON.
    #[arg(long)]
    json: bool,
}

/// Why an argument makes no sense.
#[derive(Debug, thiserror::Error)]
enum BadArgument {
    #[error("there is no such status{}", hint(.0))]
    Status(String),
    #[error("expected a number from 1 to {}", Filter::LIMIT_MAX)]
    Limit,
}

fn status(text: &str) -> Result<ExecutionStatus, BadArgument> {
    let found = STATUSES.into_iter().find(|status| status.name() == text);
    found.ok_or_else(|| BadArgument::Status(text.to_owned()))
}

fn hint(written: &str) -> String {
    match nearest(written, STATUSES.map(ExecutionStatus::name)) {
        Some(name) => format!(", did you mean {name:?}?"),
        None => format!("; there are: {}", STATUSES.map(ExecutionStatus::name).join(", ")),
    }
}

fn limit(text: &str) -> Result<usize, BadArgument> {
    let limit = text.parse().ok().filter(|limit| (1..=Filter::LIMIT_MAX).contains(limit));
    limit.ok_or(BadArgument::Limit)
}

/// Lists executions.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Problem> {
    let reader = arguments.place.read()?;
    let page = page(&reader, arguments.filter(&reader)?)?;
    if page.executions.is_empty() {
        console::say("no executions");
    }
    if arguments.json {
        return Ok(console::write(|out| report::write_json(&page, out))?);
    }
    if !page.executions.is_empty() {
        console::write_text(|out| report::write_summaries(&page.executions, Room::of_output(), out))?;
    }
    if let Some(next) = page.next {
        console::say(format_args!("there are older ones: --before {next}"));
    }
    Ok(())
}

impl Arguments {
    fn filter(&self, reader: &impl JournalReader) -> Result<Filter, Problem> {
        let mut filter = Filter::new().limit(self.limit);
        filter.status = self.status;
        filter.workflow.clone_from(&self.workflow);
        filter.business_key.clone_from(&self.business_key);
        filter.created_from = self.since;
        filter.created_before = self.until;
        let before = self.before.as_ref().map(|before| before.find(reader, &self.place.path)).transpose()?;
        filter.before = before.map(|before| before.id);
        Ok(filter)
    }
}

fn page(reader: &impl JournalReader, filter: Filter) -> Result<Page, JournalError> {
    let mut page = Page::default();
    page.executions = reader.list(&filter)?;
    page.next = next(reader, filter, &page.executions)?;
    Ok(page)
}

/// What the next page begins before; looked for, so that nobody turns to a page that is empty.
fn next(reader: &impl JournalReader, filter: Filter, listed: &[Summary]) -> Result<Option<ExecutionId>, JournalError> {
    let Some(last) = listed.last().filter(|_| listed.len() == filter.limited()) else {
        return Ok(None);
    };
    let more = !reader.list(&filter.before(last.id).limit(1))?.is_empty();
    Ok(more.then_some(last.id))
}
