//! Why an execution is where it is, for people.

use std::io::{self, Write};

use finale::ExecutionId;
use finale_core::execution::{Awaited, Why};

use super::write_custom_status;
use crate::room::Room;
use crate::table::{self, Column};
use crate::text::{Lines, printable};
use crate::time::shown;

/// Writes what an execution waits for, or why it ended so.
pub(crate) fn write(id: ExecutionId, why: &Why, room: Room, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "execution  {id}")?;
    writeln!(out, "status     {}", why.status)?;
    if let Some(decided_by) = &why.decided_by {
        writeln!(out, "because    {}", printable(&decided_by.to_string(), Lines::Joined))?;
    }
    if let Some(error) = &why.error {
        writeln!(out, "error      {}", printable(error, Lines::Joined))?;
    }
    for failure in &why.ending_failures {
        writeln!(out, "at the end {}", printable(&failure.to_string(), Lines::Joined))?;
    }
    write_custom_status(why.custom_status.as_ref(), why.status, room, out)?;
    if why.awaited.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    write_awaited(&why.awaited, room, out)?;
    match why.awaited_more {
        0 => Ok(()),
        more => writeln!(out, "and {more} more"),
    }
}

fn write_awaited(awaited: &[Awaited], room: Room, out: &mut dyn Write) -> io::Result<()> {
    let titles = [
        Column::new("WAITS AT").flexible(),
        Column::new("STATUS").optional(2),
        Column::new("SINCE").optional(0),
        Column::new("FOR").flexible(),
        Column::new("TITLE").flexible().optional(1),
    ];
    let row = |one: &Awaited| {
        [one.node.clone(), one.status.to_string(), shown(one.since, room), one.what.clone(), one.title.clone()]
    };
    table::write(titles, &awaited.iter().map(row).collect::<Vec<_>>(), room, out)
}
