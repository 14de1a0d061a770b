//! What is known of executions, for programs and for people.

mod facts;
mod nodes;
mod summaries;
mod why;

use std::io::{self, Write};

use finale::{CustomStatus, ExecutionStatus, Record, Summary};
use finale_core::record::{End, Outcome, State};
use serde::Serialize;

pub(crate) use self::facts::write as write_facts;
pub(crate) use self::nodes::Shown;
pub(crate) use self::summaries::write as write_summaries;
pub(crate) use self::why::write as write_why;
use crate::room::Room;
use crate::text::{Lines, is_obeyed, printable};
use crate::time::{duration, shown};

/// Writes something as one line of JSON.
///
/// Characters that a terminal would act on are escaped, which makes no difference to programs.
pub(crate) fn write_json(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let json = serde_json::to_string(value)?;
    let mut written = 0;
    for (at, character) in json.char_indices().filter(|(_, character)| is_obeyed(*character)) {
        // Such characters only occur inside of JSON strings, and all are below U+10000.
        write!(out, "{}\\u{:04x}", &json[written..at], u32::from(character))?;
        written = at + character.len_utf8();
    }
    writeln!(out, "{}", &json[written..])
}

/// Writes what became of an execution and of its nodes.
pub(crate) fn write_brief(record: &Record, nodes: Shown, room: Room, out: &mut dyn Write) -> io::Result<()> {
    write_headline(record, out)?;
    write_counts(record, out)?;
    write_state(record, room, out)?;
    write_custom_status(record.custom_status.as_ref(), record.state.status(), room, out)?;
    write_signals(record, room, out)?;
    writeln!(out)?;
    nodes::write_brief(&record.nodes, nodes, room, out)
}

/// Writes all that is known of an execution and of its nodes.
pub(crate) fn write_all(
    record: &Record,
    summary: &Summary,
    nodes: Shown,
    room: Room,
    out: &mut dyn Write,
) -> io::Result<()> {
    write_headline(record, out)?;
    let by = printable(&record.activated_by, Lines::Joined);
    writeln!(out, "activated  {} by {by}", shown(record.created_at, room))?;
    if let State::Ended(outcome) = &record.state {
        writeln!(out, "ended      {}: {}", shown(outcome.completed_at, room), decided_by(outcome))?;
    }
    for (name, key) in keys(summary) {
        writeln!(out, "{name}  {}", printable(key, Lines::Joined))?;
    }
    write_counts(record, out)?;
    write_state(record, room, out)?;
    write_custom_status(record.custom_status.as_ref(), record.state.status(), room, out)?;
    write_signals(record, room, out)?;
    writeln!(out)?;
    nodes::write_all(record.id, &record.nodes, nodes, room, out)
}

fn keys(summary: &Summary) -> impl Iterator<Item = (&'static str, &str)> {
    let keys = [("business key   ", &summary.business_key), ("idempotency key", &summary.idempotency_key)];
    keys.into_iter().filter_map(|(name, key)| Some((name, key.as_deref()?)))
}

fn decided_by(outcome: &Outcome) -> String {
    printable(&outcome.decided_by.to_string(), Lines::Joined)
}

fn write_headline(record: &Record, out: &mut dyn Write) -> io::Result<()> {
    let workflow = &record.workflow;
    let took = match &record.state {
        State::Ended(outcome) => format!(" in {}", duration(outcome.completed_at.since(record.created_at))),
        _ => String::new(),
    };
    let name = format!("{} {} ({})", workflow.name, workflow.version, workflow.id);
    writeln!(out, "{}{took}: {}", record.state.status(), printable(&name, Lines::Joined))?;
    writeln!(out, "execution  {}", record.id)
}

fn write_counts(record: &Record, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "tasks      {}", record.counts)
}

/// Writes what a handler says of the execution, or said of one that is over.
pub(super) fn write_custom_status(
    custom_status: Option<&CustomStatus>,
    status: ExecutionStatus,
    room: Room,
    out: &mut dyn Write,
) -> io::Result<()> {
    let Some(CustomStatus { text, node, set_at }) = custom_status else { return Ok(()) };
    let label = if status.is_terminal() { "said       " } else { "says       " };
    let text = printable(&format!("{text} ({node}, {})", shown(*set_at, room)), Lines::Joined);
    writeln!(out, "{label}{}", room.behind(label).fit(&text))
}

/// Writes which signals nobody has taken.
fn write_signals(record: &Record, room: Room, out: &mut dyn Write) -> io::Result<()> {
    if record.signals.is_empty() {
        return Ok(());
    }
    let mut names: Vec<String> = record.signals.iter().map(|signal| signal.name.clone()).collect();
    names.sort_unstable();
    names.dedup();
    let (count, names) = (record.signals.len(), printable(&names.join(", "), Lines::Joined));
    let noun = if count == 1 { "signal" } else { "signals" };
    let text = format!("{count} {noun} that nobody has taken: {names}");
    writeln!(out, "left over  {}", room.behind("left over  ").fit(&text))
}

fn write_state(record: &Record, room: Room, out: &mut dyn Write) -> io::Result<()> {
    match &record.state {
        State::Ended(outcome) => write_end(outcome, room, out),
        State::Ending(decided_by) => {
            writeln!(out, "ending     {}", printable(&decided_by.to_string(), Lines::Joined))
        }
        State::Quarantined { reason } => writeln!(out, "reason     {}", printable(reason, Lines::Joined)),
        _ => Ok(()),
    }
}

fn write_end(outcome: &Outcome, room: Room, out: &mut dyn Write) -> io::Result<()> {
    write_verdict(outcome, room, out)?;
    if outcome.counts.compensated > 0 {
        writeln!(out, "undone     {}", outcome.counts.compensated)?;
    }
    for failure in &outcome.ending_failures {
        writeln!(out, "at the end {}", printable(&failure.to_string(), Lines::Joined))?;
    }
    match outcome.ending_failures_more {
        0 => Ok(()),
        more => writeln!(out, "at the end {more} more"),
    }
}

fn write_verdict(outcome: &Outcome, room: Room, out: &mut dyn Write) -> io::Result<()> {
    match &outcome.end {
        End::Completed { output } if output.is_null() => Ok(()),
        End::Completed { output } => {
            let room = room.behind("output     ");
            writeln!(out, "output     {}", room.fit(&nodes::in_words(output.as_bytes(), room)))
        }
        End::Failed { error } if error.failures().len() < 2 => {
            writeln!(out, "error      {}", printable(error.message(), Lines::Joined))
        }
        End::Failed { error } => {
            writeln!(out, "error      {} failures, the first one is the cause", error.failures().len())?;
            let mut failures = error.failures().iter();
            failures.try_for_each(|failure| writeln!(out, "  {}", printable(&failure.to_string(), Lines::Joined)))
        }
        End::Cancelled { by } => writeln!(out, "cancelled  by {}", printable(by, Lines::Joined)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_nothing_that_a_terminal_would_obey() {
        for text in ["a\u{202e}b\u{200f}", "\u{9b}2J", "\u{7f}", "\u{1b}[2J\n", "注文 ✓"] {
            let mut out = Vec::new();
            write_json(&text, &mut out).unwrap();
            let out = String::from_utf8(out).unwrap();
            assert!(!out.trim_end().chars().any(is_obeyed), "{out:?}");
            assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }
    }
}
