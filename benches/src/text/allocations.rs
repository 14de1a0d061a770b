//! The tables about allocations.

use std::io::{self, Write};

use super::table::{Table, count};
use crate::allocations::Report;

/// Writes both tables.
pub fn write(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let head = ["each", "a task", "bytes", "at most"].map(str::to_owned).to_vec();
    let mut table = Table::new("allocations of an execution, its caller's included".to_owned(), head);
    for row in &report.allocations {
        let per_task = row.per_execution / row.tasks as f64;
        let cells = [decimal(row.per_execution), decimal(per_task), count(row.bytes_per_execution)];
        let bound = row.bound.map_or_else(|| "-".to_owned(), decimal);
        table.row(&format!("{}, {}", row.shape, row.contender), cells.into_iter().chain([bound]).collect());
    }
    table.write(out)?;
    let head = ["bytes each", "at most"].map(str::to_owned).to_vec();
    let mut table = Table::new("executions of ten tasks that wait".to_owned(), head);
    for row in &report.waiting {
        let bound = row.bound.map_or_else(|| "-".to_owned(), count);
        table.row(&format!("{}, {}", row.what, row.contender), vec![count(row.bytes_per_execution), bound]);
    }
    table.write(out)
}

fn decimal(value: f64) -> String {
    format!("{value:.1}")
}
