//! The nodes of an execution as a table.

use std::io::{self, Write};
use std::time::Duration;

use finale::{ExecutionId, Time};
use finale_core::record::{Begun, NodeRecord, NodeRecordState};

use crate::room::Room;
use crate::table::{self, Column};
use crate::time::{duration, shown};

/// Writes a line for each node: what became of it.
pub(super) fn write_brief(nodes: &[NodeRecord], room: Room, out: &mut dyn Write) -> io::Result<()> {
    let titles = [
        Column::new("NODE").flexible(),
        Column::new("KIND"),
        Column::new("STATUS"),
        Column::new("TOOK").right(),
        Column::new("OUTPUT OR REASON").flexible(),
    ];
    let row = |node: &NodeRecord| {
        [
            node.id.clone(),
            node.kind.clone(),
            node.state.status().to_string(),
            took(&node.state),
            note(&node.state, room),
        ]
    };
    table::write(titles, &nodes.iter().map(row).collect::<Vec<_>>(), room, out)
}

/// Writes a line for each node with all that is known of it.
pub(super) fn write_all(
    execution: ExecutionId,
    nodes: &[NodeRecord],
    room: Room,
    out: &mut dyn Write,
) -> io::Result<()> {
    let titles = [
        Column::new("NODE").flexible(),
        Column::new("KIND").optional(0),
        Column::new("STATUS"),
        Column::new("TASK").optional(1),
        Column::new("TRY").right(),
        Column::new("STARTED").optional(2),
        Column::new("TOOK").right(),
        Column::new("OUTPUT OR REASON").flexible(),
    ];
    let row = |node: &NodeRecord| {
        let begun = begun(&node.state);
        let attempt = begun.and_then(|begun| begun.attempt).map(|attempt| attempt.to_string());
        [
            node.id.clone(),
            node.kind.clone(),
            node.state.status().to_string(),
            task(execution, node, room),
            attempt.unwrap_or_default(),
            begun.map(|begun| shown(begun.started_at, room)).unwrap_or_default(),
            took(&node.state),
            note(&node.state, room),
        ]
    };
    table::write(titles, &nodes.iter().map(row).collect::<Vec<_>>(), room, out)
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
        | NodeRecordState::Waiting(begun)
        | NodeRecordState::Completed { begun, .. }
        | NodeRecordState::Failed { begun, .. }
        | NodeRecordState::Cancelled { begun, .. } => Some(begun),
        _ => None,
    }
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

fn note(state: &NodeRecordState, room: Room) -> String {
    match state {
        NodeRecordState::Completed { output, .. } if output.is_null() => String::new(),
        NodeRecordState::Completed { output, .. } => room.beginning(output.as_bytes()),
        NodeRecordState::Failed { error, .. } => error.clone(),
        NodeRecordState::Skipped { reason } => reason.clone(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::columns;

    #[test]
    fn no_line_is_wider_than_a_terminal() {
        let node = |id: &str, kind: &str, state| NodeRecord { id: id.into(), kind: kind.into(), task_id: None, state };
        let skipped = || NodeRecordState::Skipped { reason: "a reason that goes on and on ".repeat(9) };
        let nodes = [node(&"long-id-".repeat(9), "agent_assignment", skipped()), node("注文", "task", skipped())];
        let id = "0199b1c2-0000-7000-8000-000000000000".parse().unwrap();
        for width in [80, 120] {
            let (mut brief, mut all) = (Vec::new(), Vec::new());
            write_brief(&nodes, Room::Columns(width), &mut brief).unwrap();
            write_all(id, &nodes, Room::Columns(width), &mut all).unwrap();
            for text in [brief, all].map(|out| String::from_utf8(out).unwrap()) {
                assert!(text.lines().all(|line| columns(line) <= width), "{text}");
                assert_eq!(text.lines().count(), 3);
            }
        }
    }
}
