//! The tables about durability.

use std::io::{self, Write};

use super::table::{Table, count, times};
use crate::durable::Durable;
use crate::durable::floor::Floors;
use crate::durable::recovery::Recovery;
use crate::durable::restart::Restart;
use crate::durable::row::Row;
use crate::stats::Spread;

pub(super) fn write(out: &mut impl Write, durable: &Durable) -> io::Result<()> {
    write_floors(out, &durable.floors)?;
    write_rates(out, &durable.loads)?;
    write_commits(out, &durable.loads)?;
    write_recovery(out, &durable.recovery)
}

fn write_floors(out: &mut impl Write, floors: &Floors) -> io::Result<()> {
    let title = "floors: synced appends of 4 KiB, and bare rows of 128 bytes in SQLite (WAL, synchronous = FULL)";
    let mut table = Table::new(title.to_owned(), head(&["a second", "min", "max", "cpu us", "bytes"]));
    let mut syncs = spread(floors.syncs_per_second);
    syncs.extend(["-".to_owned(), "-".to_owned()]);
    table.row("syncs", syncs);
    for floor in &floors.group_commit {
        let name = format!("rows, {} in a transaction", count(floor.rows_per_commit as f64));
        let mut cells = spread(floor.rows_per_second);
        cells.extend([maybe(floor.cpu_us_per_row, times_of), maybe(floor.bytes_per_row, count)]);
        table.row(&name, cells);
    }
    table.write(out)
}

fn write_rates(out: &mut impl Write, rows: &[Row]) -> io::Result<()> {
    let title = "durable executions; a row is an append, and beside it are bare rows, as many in a transaction";
    let columns = ["executions/s", "min", "max", "tasks/s", "rows/s", "/ bare", "p50 us", "p99 us"];
    let mut table = Table::new(title.to_owned(), head(&columns));
    for row in rows {
        let mut cells = spread(row.executions_per_second);
        cells.extend([row.tasks_per_second, row.rows_per_second].map(count));
        cells.push(maybe(row.to_group_commit, times));
        cells.extend([row.p50_us, row.p99_us].map(count));
        table.row(&name(row), cells);
    }
    table.write(out)
}

fn write_commits(out: &mut impl Write, rows: &[Row]) -> io::Result<()> {
    let columns = [
        "appends each",
        "commits",
        "checkpoints",
        "appends/commit",
        "at most",
        "syncs/task",
        "bytes/task",
        "cpu us",
        "/ bare",
    ];
    let mut table = Table::new(
        "their commits; cpu is that of the journal's thread for an append, and beside it that of a bare row".to_owned(),
        head(&columns),
    );
    for row in rows {
        let cells = vec![
            format!("{:.2}", row.appends_per_execution),
            count(row.commits as f64),
            count(row.checkpoints as f64),
            format!("{:.1}", row.appends_per_commit),
            count(row.appends_max as f64),
            format!("{:.3}", row.syncs_per_task),
            maybe(row.bytes_per_task, count),
            maybe(row.journal_us_per_append, times_of),
            maybe(row.to_bare_cpu, times),
        ];
        table.row(&name(row), cells);
    }
    table.write(out)
}

fn write_recovery(out: &mut impl Write, recovery: &Recovery) -> io::Result<()> {
    let executions = count(recovery.executions as f64);
    let title = format!("recovery, {executions} executions of chain-10, half with a handler at work, half outside");
    let columns =
        ["open s", "started s", "recovered s", "dispatched s", "appends", "of waiting", "commits", "MiB", "at most"];
    let mut table = Table::new(title, head(&columns));
    table.row("first restart", restart(&recovery.restarts.first));
    table.row("second restart", restart(&recovery.restarts.second));
    table.write(out)
}

fn restart(restart: &Restart) -> Vec<String> {
    let times = [restart.opened_s, restart.started_s, restart.recovered_s, restart.dispatched_s];
    let counts = [restart.appends, restart.appends_of_waiting, restart.commits];
    let memory = [restart.resident_bytes, restart.resident_bytes_max];
    let mebibytes = |bytes: Option<u64>| bytes.map_or_else(|| "-".to_owned(), |bytes| count((bytes >> 20) as f64));
    let times = times.into_iter().map(|seconds| format!("{seconds:.2}"));
    times
        .chain(counts.into_iter().map(|number| count(number as f64)))
        .chain(memory.into_iter().map(mebibytes))
        .collect()
}

fn maybe(value: Option<f64>, text: fn(f64) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), text)
}

fn times_of(value: f64) -> String {
    format!("{value:.2}")
}

fn name(row: &Row) -> String {
    format!("{}, {}, {} at once", row.shape, row.contender, count(row.at_once as f64))
}

fn spread(spread: Spread) -> Vec<String> {
    [spread.median, spread.min, spread.max].map(count).to_vec()
}

fn head(columns: &[&str]) -> Vec<String> {
    columns.iter().map(|&column| column.to_owned()).collect()
}
