//! Executions in a table, one line each.

use std::io::{self, Write};

use finale::Summary;

use crate::room::Room;
use crate::table::{self, Column};
use crate::time::{duration, shown};

/// What stands where there is nothing, so that every line has every cell.
const NOTHING: &str = "-";

/// At least so much of an id is shown: all of the time at which it was made.
const ID_COLUMNS_MIN: usize = 13;

/// Writes a line for each execution; for people only so much of the ids as tells them apart.
pub(crate) fn write(summaries: &[Summary], room: Room, out: &mut dyn Write) -> io::Result<()> {
    let titles = [
        Column::new("ID"),
        Column::new("STATUS"),
        Column::new("CREATED").optional(2),
        Column::new("TOOK").right().optional(1),
        Column::new("WORKFLOW").flexible().optional(4),
        Column::new("KEY").flexible().optional(0),
        Column::new("ERROR").flexible().optional(3),
    ];
    let id_columns = telling_apart(summaries);
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

/// How much of the ids tells them apart.
fn telling_apart(summaries: &[Summary]) -> usize {
    let mut ids: Vec<_> = summaries.iter().map(|summary| summary.id.to_string()).collect();
    ids.sort_unstable();
    let same = |(one, other): (&String, &String)| one.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
    ids.iter().zip(ids.iter().skip(1)).map(|pair| same(pair) + 1).max().unwrap_or_default().max(ID_COLUMNS_MIN)
}
