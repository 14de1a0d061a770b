//! The tables about how cost grows.

use std::io::{self, Write};

use super::table::{Table, count, times};
use crate::growth::{BASE, By, Growth};

pub(super) fn write(out: &mut impl Write, all: &[Growth]) -> io::Result<()> {
    all.iter().try_for_each(|growth| write_one(out, growth))
}

fn write_one(out: &mut impl Write, growth: &Growth) -> io::Result<()> {
    let Some(first) = growth.rows.first() else {
        return Ok(());
    };
    let title = match growth.by {
        By::InFlight => format!("{}: ns for an execution, by the number in flight", growth.shape),
        By::Nodes => format!("{}: ns for a task, by the number of nodes in the graph", growth.shape),
    };
    let sizes = first.costs.iter().map(|cost| cost.size);
    let last = first.costs.last().map_or(0, |cost| cost.size);
    let sizes = sizes.map(|size| count(size as f64));
    let growing = format!("{} / {}", count(last as f64), count(BASE as f64));
    let mut table = Table::new(title, sizes.chain([growing]).collect());
    for row in &growth.rows {
        let costs = row.costs.iter().map(|cost| count(cost.nanoseconds));
        let growth = row.growth().map_or_else(|| "-".to_owned(), times);
        table.row(row.contender, costs.chain([growth]).collect());
    }
    table.write(out)
}
