//! The nodes of an execution as a table.

use std::io::{self, Write};
use std::time::Duration;

use finale::{ExecutionId, Time, WaitingFor};
use finale_core::record::{Begun, NodeRecord, NodeRecordState};
use serde_json::Value;

use crate::room::Room;
use crate::table::{self, Column};
use crate::time::{duration, shown};

/// Kinds of nodes that are no work.
const CONTROL: [&str; 5] = ["start", "end", "conditional", "parallel_split", "parallel_join"];
/// The outputs of commands have this key.
const COMMAND: &str = "\"exit_code\":";
/// Larger outputs are not parsed.
const TEXT_BYTES_MAX: usize = 256 << 10;

/// Which nodes a table has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Work, and control nodes that failed or are not passed yet.
    Work,
    /// All.
    All,
}

impl Shown {
    /// The choice of the option `--all-nodes`.
    pub(crate) const fn all_if(all: bool) -> Self {
        if all { Self::All } else { Self::Work }
    }

    fn has(self, node: &NodeRecord) -> bool {
        let is_passed = matches!(
            node.state,
            NodeRecordState::Pending
                | NodeRecordState::Completed { .. }
                | NodeRecordState::Cancelled { .. }
                | NodeRecordState::Skipped { .. }
        );
        self == Self::All || !is_passed || !CONTROL.contains(&node.kind.as_str())
    }

    fn write_rest(self, nodes: &[NodeRecord], out: &mut dyn Write) -> io::Result<()> {
        match nodes.iter().filter(|node| !self.has(node)).count() {
            0 => Ok(()),
            1 => writeln!(out, "and 1 control node: --all-nodes"),
            more => writeln!(out, "and {more} control nodes: --all-nodes"),
        }
    }
}

/// Writes a line for each node: what became of it.
pub(super) fn write_brief(nodes: &[NodeRecord], shown: Shown, room: Room, out: &mut dyn Write) -> io::Result<()> {
    let titles = [
        Column::new("NODE").flexible(),
        Column::new("KIND").optional(0),
        Column::new("STATUS"),
        Column::new("TOOK").right().optional(1),
        Column::new("OUTPUT OR REASON").flexible().optional(2),
    ];
    let row = |node: &NodeRecord| {
        [node.id.clone(), node.kind.clone(), node.state.status().to_string(), took(&node.state), said(node, room)]
    };
    let rows: Vec<_> = nodes.iter().filter(|node| shown.has(node)).map(row).collect();
    table::write(titles, &rows, room, out)?;
    shown.write_rest(nodes, out)
}

/// Writes a line for each node with all that is known of it.
pub(super) fn write_all(
    execution: ExecutionId,
    nodes: &[NodeRecord],
    which: Shown,
    room: Room,
    out: &mut dyn Write,
) -> io::Result<()> {
    let titles = [
        Column::new("NODE").flexible(),
        Column::new("KIND").optional(0),
        Column::new("STATUS"),
        Column::new("TASK").optional(1),
        Column::new("TRY").right().optional(3),
        Column::new("STARTED").optional(2),
        Column::new("TOOK").right().optional(4),
        Column::new("OUTPUT OR REASON").flexible().optional(5),
    ];
    let row = |node: &NodeRecord| {
        let begun = begun(&node.state);
        let attempt = attempts_made(&node.state).map(|attempt| attempt.to_string());
        [
            node.id.clone(),
            node.kind.clone(),
            node.state.status().to_string(),
            task(execution, node, room),
            attempt.unwrap_or_default(),
            begun.map(|begun| shown(begun.started_at, room)).unwrap_or_default(),
            took(&node.state),
            said(node, room),
        ]
    };
    let rows: Vec<_> = nodes.iter().filter(|node| which.has(node)).map(row).collect();
    table::write(titles, &rows, room, out)?;
    which.write_rest(nodes, out)
}

/// The id of the task; for people only what follows the id of the execution, which stands above.
fn task(execution: ExecutionId, node: &NodeRecord, room: Room) -> String {
    let task = node.task_id.map(|task| task.to_string()).unwrap_or_default();
    match (room, task.strip_prefix(&execution.to_string())) {
        (Room::Columns(_), Some(rest)) => rest.to_owned(),
        _ => task,
    }
}

fn begun(state: &NodeRecordState) -> Option<&Begun> {
    match state {
        NodeRecordState::Running(begun)
        | NodeRecordState::Queued { begun, .. }
        | NodeRecordState::Waiting { begun, .. }
        | NodeRecordState::Completed { begun, .. }
        | NodeRecordState::Failed { begun, .. }
        | NodeRecordState::Cancelled { begun, .. } => Some(begun),
        _ => None,
    }
}

/// How many attempts were made; the record has the number of the next one where that is waited for.
fn attempts_made(state: &NodeRecordState) -> Option<u16> {
    let attempt = begun(state)?.attempt?.get();
    let is_ahead =
        matches!(state, NodeRecordState::Waiting { waiting_for: WaitingFor::Operator | WaitingFor::Backoff, .. });
    Some(if is_ahead { attempt.saturating_sub(1) } else { attempt })
}

/// How long a node took; nothing for one that is passed in no time.
fn took(state: &NodeRecordState) -> String {
    let ended = |begun: &Begun, completed_at: &Time| {
        let took = completed_at.since(begun.started_at);
        (begun.attempt.is_some() || took > Duration::ZERO).then(|| duration(took))
    };
    match state {
        NodeRecordState::Completed { begun, completed_at, .. }
        | NodeRecordState::Failed { begun, completed_at, .. }
        | NodeRecordState::Cancelled { begun, completed_at } => ended(begun, completed_at).unwrap_or_default(),
        _ => String::new(),
    }
}

/// What became of a node, and of its items or rounds.
fn said(node: &NodeRecord, room: Room) -> String {
    let inside = match (node.items, node.rounds) {
        (Some(items), _) => items.to_string(),
        (None, Some(1)) => "1 round".to_owned(),
        (None, Some(rounds)) => format!("{rounds} rounds"),
        (None, None) => return note(node, room),
    };
    match note(node, room) {
        note if note.is_empty() => inside,
        note => format!("{inside}: {note}"),
    }
}

fn note(node: &NodeRecord, room: Room) -> String {
    match &node.state {
        NodeRecordState::Completed { output, .. } if output.is_null() => String::new(),
        NodeRecordState::Completed { output, .. } => in_words(output.as_bytes(), room),
        // The status says already that the node failed.
        NodeRecordState::Failed { error, .. } => error.strip_prefix("failed: ").unwrap_or(error).to_owned(),
        NodeRecordState::Skipped { reason } => reason.clone(),
        NodeRecordState::Queued { queue, .. } => queue.to_string(),
        NodeRecordState::Waiting { waiting_for: WaitingFor::Execution, .. } => "for other executions".to_owned(),
        NodeRecordState::Waiting { waiting_for: WaitingFor::Signal, .. } => "for a signal".to_owned(),
        NodeRecordState::Waiting { waiting_for: WaitingFor::Time, .. } => "until its time comes".to_owned(),
        NodeRecordState::Waiting { waiting_for: WaitingFor::Operator, .. } => {
            format!("held for an operator{}", after_failure(node))
        }
        NodeRecordState::Waiting { waiting_for: WaitingFor::Backoff, .. } => {
            format!("for its next attempt{}", after_failure(node))
        }
        _ => String::new(),
    }
}

/// Why the last attempt of a node failed, if there was one.
fn after_failure(node: &NodeRecord) -> String {
    let reason = |error: &str| format!(": {}", error.strip_prefix("failed: ").unwrap_or(error));
    node.earlier.last().map(|last| reason(&last.error)).unwrap_or_default()
}

/// An output for people: what commands wrote, and a text itself without its quotes.
pub(super) fn in_words(output: &[u8], room: Room) -> String {
    let small = Some(output).filter(|output| output.len() <= TEXT_BYTES_MAX);
    let holds_command = |output: &&[u8]| output.windows(COMMAND.len()).any(|bytes| bytes == COMMAND.as_bytes());
    let parsed = small.filter(|output| output.starts_with(b"\"") || holds_command(output));
    let mut value: Option<Value> = parsed.and_then(|output| serde_json::from_slice(output).ok());
    let is_other = value.as_mut().is_some_and(show_what_commands_wrote);
    match value {
        Some(Value::String(text)) => text,
        Some(value) if is_other => room.beginning(value.to_string().as_bytes()),
        _ => room.beginning(output),
    }
}

/// Puts what commands wrote in place of their outputs, also inside of a value: a map gives a list of them. Tells whether
/// there was any.
fn show_what_commands_wrote(value: &mut Value) -> bool {
    match value {
        Value::Array(list) => list.iter_mut().map(show_what_commands_wrote).filter(|any| *any).count() > 0,
        Value::Object(map) if is_of_command(map) => {
            let [stdout, stderr] =
                ["stdout", "stderr"].map(|key| map.get_mut(key).map(Value::take).unwrap_or_default());
            *value = if stdout == "" { stderr } else { stdout };
            true
        }
        Value::Object(map) => map.values_mut().map(show_what_commands_wrote).filter(|any| *any).count() > 0,
        _ => false,
    }
}

/// Whether that is what a command gave, and nothing else.
fn is_of_command(map: &serde_json::Map<String, Value>) -> bool {
    let known = ["exit_code", "stdout", "stderr", "truncated"];
    map.get("exit_code").is_some_and(Value::is_number)
        && map.contains_key("stdout")
        && map.keys().all(|key| known.contains(&key.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::columns;

    #[test]
    fn a_map_says_where_its_items_are_and_a_loop_how_many_rounds_it_had() {
        let begun = Begun { attempt: None, started_at: Time::from_micros(0) };
        let waiting = NodeRecordState::Waiting { begun, waiting_for: WaitingFor::Scope };
        let mut node = NodeRecord {
            id: "each".into(),
            kind: "map".into(),
            title: String::new(),
            task_id: None,
            state: waiting,
            earlier: Vec::new(),
            items: serde_json::from_str(
                r#"{"total": 9, "pending": 2, "open": 3, "completed": 4, "failed": 0, "cancelled": 0, "skipped": 0}"#,
            )
            .ok(),
            rounds: None,
            progress: None,
            compensation: None,
        };
        assert_eq!(said(&node, Room::Columns(80)), "4 of 9: 4 completed, 3 open, 2 pending");
        (node.items, node.rounds) = (None, Some(3));
        assert_eq!(said(&node, Room::Columns(80)), "3 rounds");
    }

    #[test]
    fn no_line_is_wider_than_a_terminal() {
        let node = |id: &str, kind: &str, state| NodeRecord {
            id: id.into(),
            kind: kind.into(),
            title: String::new(),
            task_id: None,
            state,
            earlier: Vec::new(),
            items: None,
            rounds: None,
            progress: None,
            compensation: None,
        };
        let skipped = || NodeRecordState::Skipped { reason: "a reason that goes on and on ".repeat(9) };
        let nodes = [node(&"long-id-".repeat(9), "agent_assignment", skipped()), node("注文", "task", skipped())];
        let id = "0199b1c2-0000-7000-8000-000000000000".parse().unwrap();
        for width in [30, 50, 80, 120] {
            let (mut brief, mut all) = (Vec::new(), Vec::new());
            write_brief(&nodes, Shown::Work, Room::Columns(width), &mut brief).unwrap();
            write_all(id, &nodes, Shown::Work, Room::Columns(width), &mut all).unwrap();
            for text in [brief, all].map(|out| String::from_utf8(out).unwrap()) {
                assert!(text.lines().all(|line| columns(line) <= width), "{text}");
                assert!(text.starts_with("NODE") && text.contains("long-id") && text.contains("skipped"), "{text}");
                assert!(width > 30 || text.contains("left out: KIND"), "{width}: {text}");
            }
        }
    }

    #[test]
    fn nodes_that_only_lead_on_are_folded_away_unless_something_went_wrong_there() {
        let (begun, at) = (Begun { attempt: None, started_at: Time::default() }, Time::default());
        let passed = || NodeRecordState::Completed { begun, completed_at: at, output: finale_core::Payload::NULL };
        let failed = NodeRecordState::Failed {
            begun,
            completed_at: at,
            class: finale_core::FailureClass::Failed,
            error: "no such input".into(),
        };
        let node = |id: &str, kind: &str, state| NodeRecord {
            id: id.into(),
            kind: kind.into(),
            title: String::new(),
            task_id: None,
            state,
            earlier: Vec::new(),
            items: None,
            rounds: None,
            progress: None,
            compensation: None,
        };
        let nodes = [
            node("start", "start", passed()),
            node("build", "task", passed()),
            node("gift?", "conditional", failed),
            node("end", "end", NodeRecordState::Pending),
        ];
        let lines = |shown| {
            let mut out = Vec::new();
            write_brief(&nodes, shown, Room::Columns(80), &mut out).unwrap();
            let first = |line: &str| line.split_whitespace().next().unwrap().to_owned();
            String::from_utf8(out).unwrap().lines().map(first).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(lines(Shown::Work), "NODE build gift? and");
        assert_eq!(lines(Shown::All), "NODE start build gift? end");
    }

    #[test]
    fn the_output_of_a_command_is_what_it_wrote() {
        let words = |output: &str| in_words(output.as_bytes(), Room::Endless);
        let command = |stdout: &str, stderr: &str| {
            words(&format!(r#"{{"exit_code":0,"stdout":{stdout},"stderr":"{stderr}","truncated":false}}"#))
        };
        assert_eq!(command(r#""one\ntwo""#, "careful"), "one\ntwo");
        assert_eq!(command(r#""""#, "careful"), "careful");
        assert_eq!(command(r#"{"version": [1, 2]}"#, ""), r#"{"version":[1,2]}"#);
        let one = r#"{"exit_code":0,"stdout":"hi","stderr":"","truncated":false}"#;
        assert_eq!(words(&format!("[{one},null,{one}]")), r#"["hi",null,"hi"]"#);
        assert_eq!(words(&format!(r#"{{"a":{one},"b":[1]}}"#)), r#"{"a":"hi","b":[1]}"#);
        assert_eq!(words(r#""a text""#), "a text");
        for other in [r#"{"stdout":"x"}"#, "[1,2]", "7", r#"{"exit_code":"0","stdout":"x","stderr":""}"#] {
            assert_eq!(words(other), other);
        }
    }
}
