//! Executions in a table, one line each.

use std::io::{self, Write};

use finale::Summary;

use crate::room::Room;
use crate::table::{self, Column};
use crate::time::{duration, shown};

/// What stands where there is nothing, so that every line has every cell.
const NOTHING: &str = "-";

/// Writes a line for each execution; where there is little room only so much of the ids as that.
pub(crate) fn write(summaries: &[Summary], id_columns: usize, room: Room, out: &mut dyn Write) -> io::Result<()> {
    let titles = [
        Column::new("ID"),
        Column::new("STATUS"),
        Column::new("CREATED"),
        Column::new("TOOK").right().optional(1),
        Column::new("WORKFLOW").flexible(),
        Column::new("KEY").flexible(),
        Column::new("ERROR").flexible(),
    ];
    let row = |summary: &Summary| {
        let took = summary.completed_at.map(|at| duration(at.since(summary.created_at)));
        let mut id = summary.id.to_string();
        if matches!(room, Room::Columns(_)) {
            id.truncate(id_columns);
        }
        let cell = |text: Option<&str>| text.unwrap_or(NOTHING).to_owned();
        [
            id,
            summary.status.to_string(),
            shown(summary.created_at, room),
            cell(took.as_deref()),
            summary.workflow.id.clone(),
            cell(summary.business_key.as_deref()),
            cell(summary.error.as_deref()),
        ]
    };
    table::write(titles, &summaries.iter().map(row).collect::<Vec<_>>(), room, out)
}
