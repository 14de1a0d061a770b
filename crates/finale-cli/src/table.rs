//! Tables that fit where they are written.

use std::io::{self, Write};

use crate::room::Room;
use crate::text::columns;

const GAP: &str = "  ";
/// Width that a flexible column should have, unless its cells are narrower; columns of fixed width are left out for it.
const FLEXIBLE_COLUMNS_USUAL: usize = 16;
/// Smallest useful width of a flexible column; other flexible columns are left out for it.
const FLEXIBLE_COLUMNS_MIN: usize = 8;
/// Longest cell, also in a file or a pipe; the whole value is in the output of `--json`.
const CELL_COLUMNS_MAX: usize = 300;

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    title: &'static str,
    alignment: Alignment,
    flexible: bool,
    /// Order in which columns are left out where there is little room; `None` is never left out.
    optional: Option<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alignment {
    Left,
    Right,
}

impl Column {
    /// A column that is always there, and whose cells are not cut.
    pub(crate) const fn new(title: &'static str) -> Self {
        Self { title, alignment: Alignment::Left, flexible: false, optional: None }
    }

    /// Its cells are cut where there is little room.
    pub(crate) const fn flexible(self) -> Self {
        Self { flexible: true, ..self }
    }

    /// It is left out where there is little room; those with the lowest number first.
    pub(crate) const fn optional(self, number: u8) -> Self {
        Self { optional: Some(number), ..self }
    }

    /// Its cells end below each other.
    pub(crate) const fn right(self) -> Self {
        Self { alignment: Alignment::Right, ..self }
    }
}

/// Writes a line with the titles and one for each row, and one that says which columns had to be left out.
pub(crate) fn write<const N: usize>(
    all: [Column; N],
    rows: &[[String; N]],
    room: Room,
    out: &mut dyn Write,
) -> io::Result<()> {
    let titles = all.map(|column| column.title.to_owned());
    let cells = |row: &[String; N]| row.each_ref().map(|cell| room.at_most(CELL_COLUMNS_MAX).fit(cell));
    let rows: Vec<[String; N]> = std::iter::once(&titles).chain(rows).map(cells).collect();
    let natural: [usize; N] =
        std::array::from_fn(|at| rows.iter().map(|row| columns(&row[at])).max().unwrap_or_default());
    let widths = fitting(&all, natural, room);
    rows.iter().try_for_each(|row| write_row(&all, row, &widths, room, out))?;
    let left_out: Vec<&str> = (0..N).filter(|at| widths[*at].is_none()).map(|at| all[at].title).collect();
    if left_out.is_empty() {
        return Ok(());
    }
    write_left_out(&left_out, room, out)
}

/// Lists the columns that were left out, on as many lines as needed.
fn write_left_out(titles: &[&str], room: Room, out: &mut dyn Write) -> io::Result<()> {
    let mut line = "left out:".to_owned();
    for (at, title) in titles.iter().enumerate() {
        let word = format!(" {title}{}", if at + 1 < titles.len() { "," } else { "" });
        if !room.holds(&format!("{line}{word}")) {
            writeln!(out, "{}", room.fit(&line))?;
            line = " ".to_owned();
        }
        line.push_str(&word);
    }
    writeln!(out, "{}", room.fit(&line))
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
    let flexible = |at: &usize| all[*at].flexible;
    for (columns_min, also_flexible) in [(FLEXIBLE_COLUMNS_USUAL, false), (FLEXIBLE_COLUMNS_MIN, true)] {
        while needed(&widths, |at, width| if flexible(&at) { width.min(columns_min) } else { width }) > room {
            let shown = (0..N).filter(|at| widths[*at].is_some() && (also_flexible || !flexible(at)));
            let Some((_, at)) = shown.filter_map(|at| Some((all[at].optional?, at))).min() else { break };
            widths[at] = None;
        }
    }
    let others = needed(&widths, |at, width| if flexible(&at) { 0 } else { width });
    let mut narrow_first: Vec<_> = (0..N).filter(|at| flexible(at) && widths[*at].is_some()).collect();
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
    fn in_a_file_a_cell_is_on_one_line_and_nearly_always_whole() {
        let (long, endless) = ("long ".repeat(50), "endless ".repeat(999));
        let text = table(Room::Endless, &[["a", "1 s", "two\nlines", long.trim_end()], ["b", "1 s", "x", &endless]]);
        assert_eq!(text.lines().count(), 3);
        assert!(text.contains("two lines") && text.contains(long.trim_end()), "{text}");
        assert!(text.lines().all(|line| columns(line) < 400), "{text}");
    }

    #[test]
    fn flexible_columns_share_the_room_and_optional_ones_give_way() {
        let long = "x".repeat(60);
        let rows = [["a", "1 s", "short", long.as_str()], ["注文", "", &long, &long]];
        for width in [60, 40, 30, 20, 9, 1] {
            let text = table(Room::Columns(width), &rows);
            assert!(text.lines().all(|line| columns(line) <= width), "{width}: {text}");
            assert_eq!(text.lines().next().unwrap().contains("TOOK"), width > 40, "{width}: {text}");
            assert_eq!(text.contains("left out: TOOK"), (20..=40).contains(&width), "{width}: {text}");
        }
    }

    #[test]
    fn a_flexible_column_can_be_left_out_too() {
        let titles = [Column::new("NODE").flexible(), Column::new("WHY").flexible().optional(0)];
        let mut out = Vec::new();
        write(titles, &[["a-node-with-a-name".to_owned(), "a reason".to_owned()]], Room::Columns(14), &mut out)
            .unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "NODE\na-node-with-a…\nleft out: WHY\n");
    }
}
