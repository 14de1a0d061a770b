//! What happened to an execution, as a table.

use std::io::{self, Write};

use finale_core::fact::Described;

use crate::room::Room;
use crate::table::{self, Column};
use crate::time::shown;

/// Writes a line for each fact.
pub(crate) fn write(facts: &[Described], room: Room, out: &mut dyn Write) -> io::Result<()> {
    let titles = [Column::new("#").right().optional(0), Column::new("AT").optional(1), Column::new("WHAT").flexible()];
    let row = |fact: &Described| [fact.sequence.to_string(), shown(fact.at, room), fact.text.clone()];
    table::write(titles, &facts.iter().map(row).collect::<Vec<_>>(), room, out)
}
