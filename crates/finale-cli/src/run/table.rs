//! The nodes of an execution as a table that fits a terminal.

use std::io::{self, Write};
use std::time::Duration;

use finale::core::record::{Begun, NodeRecord, NodeRecordState};
use finale::{Payload, Time};

use super::report::COLUMNS_MAX;
use crate::text::{columns, shortened};

const HEADER: [&str; 5] = ["NODE", "KIND", "STATUS", "TOOK", "OUTPUT OR REASON"];
/// The longest id that is shown whole.
const ID_COLUMNS_MAX: usize = 28;
const GAP: &str = "  ";

/// Writes a line for each node.
pub(crate) fn write(nodes: &[NodeRecord], out: &mut dyn Write) -> io::Result<()> {
    let rows: Vec<[String; 5]> = nodes.iter().map(row).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| columns(&row[column]));
        cells.max().unwrap_or(0).max(HEADER[column].len())
    };
    let widths = [width(0), width(1), width(2), width(3)];
    write_row(HEADER.map(str::to_owned), &widths, out)?;
    rows.into_iter().try_for_each(|row| write_row(row, &widths, out))
}

fn write_row([id, kind, status, took, note]: [String; 5], widths: &[usize; 4], out: &mut dyn Write) -> io::Result<()> {
    let mut line = String::new();
    for (cell, width) in [id, kind, status].iter().zip(widths) {
        pad(&mut line, width - columns(cell), cell, true);
    }
    pad(&mut line, widths[3] - columns(&took), &took, false);
    line.push_str(&shortened(&note, COLUMNS_MAX.saturating_sub(columns(&line))));
    writeln!(out, "{}", line.trim_end())
}

fn pad(line: &mut String, spaces: usize, cell: &str, left: bool) {
    let spaces = " ".repeat(spaces);
    let (first, second) = if left { (cell, spaces.as_str()) } else { (spaces.as_str(), cell) };
    line.extend([first, second, GAP]);
}

fn row(node: &NodeRecord) -> [String; 5] {
    let took = took(&node.state).map(duration).unwrap_or_default();
    let status = node.state.status().to_string();
    [shortened(&node.id, ID_COLUMNS_MAX), node.kind.clone(), status, took, shortened(&note(&node.state), COLUMNS_MAX)]
}

/// How long a node took; none for one that is passed in no time.
fn took(state: &NodeRecordState) -> Option<Duration> {
    let (begun, completed_at): (&Begun, &Time) = match state {
        NodeRecordState::Completed { begun, completed_at, .. }
        | NodeRecordState::Failed { begun, completed_at, .. }
        | NodeRecordState::Cancelled { begun, completed_at } => (begun, completed_at),
        _ => return None,
    };
    let took = completed_at.since(begun.started_at);
    (begun.attempt > 0 || !took.is_zero()).then_some(took)
}

fn note(state: &NodeRecordState) -> String {
    match state {
        NodeRecordState::Completed { output, .. } => beginning(output),
        NodeRecordState::Failed { error, .. } => error.clone(),
        NodeRecordState::Skipped { reason } => reason.clone(),
        _ => String::new(),
    }
}

/// As much of an output as can be shown: it may be megabytes long.
fn beginning(output: &Payload) -> String {
    if output.is_null() {
        return String::new();
    }
    let bytes = output.as_bytes();
    String::from_utf8_lossy(&bytes[..bytes.len().min(COLUMNS_MAX * 8)]).into_owned()
}

/// A duration with as many digits as people want to read.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0) if duration.as_millis() == 0 => format!("{} µs", duration.as_micros()),
        (0, 0, 0) => format!("{:.1} ms", duration.as_secs_f64() * 1e3),
        (0, 0, _) => format!("{:.1} s", duration.as_secs_f64()),
        (0, minutes, seconds) => format!("{minutes} m {seconds:02} s"),
        (hours, minutes, _) => format!("{hours} h {minutes:02} m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_said_in_two_units_at_most() {
        assert_eq!(duration(Duration::from_micros(420)), "420 µs");
        assert_eq!(duration(Duration::from_micros(1_420)), "1.4 ms");
        assert_eq!(duration(Duration::from_millis(1_240)), "1.2 s");
        assert_eq!(duration(Duration::from_secs(61)), "1 m 01 s");
        assert_eq!(duration(Duration::from_secs(7_260)), "2 h 01 m");
    }

    #[test]
    fn no_line_is_wider_than_a_terminal() {
        let node = |id: &str, kind: &str, state| NodeRecord { id: id.into(), kind: kind.into(), task_id: None, state };
        let skipped = || NodeRecordState::Skipped { reason: "a reason that goes on and on ".repeat(9) };
        let nodes = [node(&"long-id-".repeat(9), "agent_assignment", skipped()), node("注文", "task", skipped())];
        let mut out = Vec::new();
        write(&nodes, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.lines().all(|line| columns(line) <= COLUMNS_MAX), "{text}");
        assert_eq!(text.lines().count(), 3);
    }
}
