//! Tables that fit where they are written.

use std::io::{self, Write};

use crate::room::Room;
use crate::text::columns;

const GAP: &str = "  ";
/// What a flexible column should at least have before others give way to it.
const FLEXIBLE_COLUMNS_MIN: usize = 16;

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    title: &'static str,
    alignment: Alignment,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alignment {
    Left,
    Right,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Never cut.
    Whole,
    /// Cut where there is little room.
    Flexible,
    /// Left out where there is little room; those with the lowest number first.
    Optional(u8),
}

impl Column {
    /// A column whose cells are never cut.
    pub(crate) const fn new(title: &'static str) -> Self {
        Self { title, alignment: Alignment::Left, kind: Kind::Whole }
    }

    /// Its cells are cut where there is little room.
    pub(crate) const fn flexible(self) -> Self {
        Self { kind: Kind::Flexible, ..self }
    }

    /// It is left out where there is little room; those with the lowest number first.
    pub(crate) const fn optional(self, number: u8) -> Self {
        Self { kind: Kind::Optional(number), ..self }
    }

    /// Its cells end below each other.
    pub(crate) const fn right(self) -> Self {
        Self { alignment: Alignment::Right, ..self }
    }
}

/// Writes a line with the titles and one for each row.
pub(crate) fn write<const N: usize>(
    all: [Column; N],
    rows: &[[String; N]],
    room: Room,
    out: &mut dyn Write,
) -> io::Result<()> {
    let titles = all.map(|column| column.title.to_owned());
    let cells = |row: &[String; N]| row.each_ref().map(|cell| room.fit(cell));
    let rows: Vec<[String; N]> = std::iter::once(&titles).chain(rows).map(cells).collect();
    let natural: [usize; N] =
        std::array::from_fn(|at| rows.iter().map(|row| columns(&row[at])).max().unwrap_or_default());
    let widths = fitting(&all, natural, room);
    rows.iter().try_for_each(|row| write_row(&all, row, &widths, room, out))
}

fn write_row<const N: usize>(
    all: &[Column; N],
    row: &[String; N],
    widths: &[Option<usize>; N],
    room: Room,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut line = String::new();
    for ((column, cell), width) in all.iter().zip(row).zip(widths) {
        let Some(width) = *width else { continue };
        let cell = Room::Columns(width).fit(cell);
        let spaces = " ".repeat(width - columns(&cell));
        match column.alignment {
            Alignment::Left => line.extend([&cell, spaces.as_str(), GAP]),
            Alignment::Right => line.extend([&spaces, cell.as_str(), GAP]),
        }
    }
    writeln!(out, "{}", room.fit(line.trim_end()))
}

/// How wide each column is; none for those that are left out.
fn fitting<const N: usize>(all: &[Column; N], natural: [usize; N], room: Room) -> [Option<usize>; N] {
    let mut widths = natural.map(Some);
    let Room::Columns(room) = room else {
        return widths;
    };
    let flexible = |at: &usize| all[*at].kind == Kind::Flexible;
    while needed(&widths, |at, width| if flexible(&at) { width.min(FLEXIBLE_COLUMNS_MIN) } else { width }) > room {
        let optional = (0..N).filter_map(|at| match all[at].kind {
            Kind::Optional(number) if widths[at].is_some() => Some((number, at)),
            _ => None,
        });
        let Some((_, at)) = optional.min() else { break };
        widths[at] = None;
    }
    let others = needed(&widths, |at, width| if flexible(&at) { 0 } else { width });
    let mut narrow_first: Vec<_> = (0..N).filter(flexible).collect();
    narrow_first.sort_by_key(|at| natural[*at]);
    share(&narrow_first, room.saturating_sub(others), &natural, &mut widths);
    widths
}

/// The room that the columns need when each takes that much.
fn needed(widths: &[Option<usize>], takes: impl Fn(usize, usize) -> usize) -> usize {
    let shown = widths.iter().enumerate().filter_map(|(at, width)| width.map(|width| takes(at, width) + GAP.len()));
    shown.sum::<usize>().saturating_sub(GAP.len())
}

/// Gives each its part of the room; what a narrow one does not need is left to the others.
fn share(narrow_first: &[usize], mut room: usize, natural: &[usize], widths: &mut [Option<usize>]) {
    for (given, &at) in narrow_first.iter().enumerate() {
        let width = natural[at].min(room / (narrow_first.len() - given));
        widths[at] = Some(width);
        room -= width;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 4] = [
        Column::new("ID"),
        Column::new("TOOK").right().optional(1),
        Column::new("NAME").flexible(),
        Column::new("ERROR").flexible(),
    ];

    fn table(room: Room, rows: &[[&str; 4]]) -> String {
        let rows: Vec<_> = rows.iter().map(|row| row.map(str::to_owned)).collect();
        let mut out = Vec::new();
        write(COLUMNS, &rows, room, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn where_there_is_room_nothing_is_cut() {
        let rows = [["a", "1s", "an apple", "none"], ["bb", "10s", "b", ""]];
        let expected = "ID  TOOK  NAME      ERROR\na     1s  an apple  none\nbb   10s  b\n";
        assert_eq!(table(Room::Columns(80), &rows), expected);
        assert_eq!(table(Room::Endless, &rows), expected);
    }

    #[test]
    fn in_a_file_a_cell_is_whole_on_one_line() {
        let long = "long ".repeat(99);
        let text = table(Room::Endless, &[["a", "1s", "two\nlines", long.trim_end()]]);
        assert_eq!(text.lines().count(), 2);
        assert!(text.contains("two lines") && text.contains(long.trim_end()), "{text}");
    }

    #[test]
    fn flexible_columns_share_the_room_and_optional_ones_give_way() {
        let long = "x".repeat(60);
        let rows = [["a", "1s", "short", long.as_str()], ["注文", "", &long, &long]];
        for width in [60, 40, 30, 9, 1] {
            let text = table(Room::Columns(width), &rows);
            assert!(text.lines().all(|line| columns(line) <= width), "{width}: {text}");
            assert_eq!(text.contains("TOOK"), width == 60, "{width}: {text}");
        }
    }
}
