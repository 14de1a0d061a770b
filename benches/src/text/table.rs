//! Columns that line up.

use std::io::{self, Write};

/// Names on the left, values on the right.
pub(super) struct Table {
    title: String,
    head: Vec<String>,
    rows: Vec<(String, Vec<String>)>,
}

impl Table {
    pub(super) fn new(title: String, head: Vec<String>) -> Self {
        Self { title, head, rows: Vec::new() }
    }

    pub(super) fn row(&mut self, name: &str, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.head.len());
        self.rows.push((name.to_owned(), cells));
    }

    /// The title on a line of its own, then the head, then the rows.
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let names = self.rows.iter().map(|(name, _)| name.len()).chain([24]).max().unwrap_or_default();
        let widths: Vec<usize> = (0..self.head.len()).map(|column| self.width(column)).collect();
        writeln!(out, "\n{}", self.title)?;
        write_line(out, "", names, &self.head, &widths)?;
        for (name, cells) in &self.rows {
            write_line(out, name, names, cells, &widths)?;
        }
        Ok(())
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().map(|(_, cells)| cells[column].len());
        cells.chain([self.head[column].len()]).max().unwrap_or_default()
    }
}

fn write_line(out: &mut impl Write, name: &str, names: usize, cells: &[String], widths: &[usize]) -> io::Result<()> {
    write!(out, "  {name:names$}")?;
    for (cell, width) in cells.iter().zip(widths) {
        write!(out, "  {cell:>width$}")?;
    }
    writeln!(out)
}

/// A whole number with its thousands apart.
pub(super) fn count(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A ratio.
pub(super) fn times(value: f64) -> String {
    format!("{value:.2}x")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(["0", "999", "1,000", "1,234,568"], [0.0, 999.4, 1e3, 1_234_567.8].map(count));
    }

    #[test]
    fn columns_line_up() {
        let mut table = Table::new("title".to_owned(), vec!["a".to_owned()]);
        table.row("one", vec!["1".to_owned()]);
        table.row("two", vec!["10,000".to_owned()]);
        let mut out = Vec::new();
        table.write(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let ends: Vec<_> = text.lines().skip(2).map(str::len).collect();
        assert!(ends.iter().all(|end| *end == ends[0]), "{text}");
    }
}
