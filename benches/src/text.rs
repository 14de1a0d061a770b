//! The document for people.

mod allocations;
mod durable;
mod growth;
mod retention;
mod table;

use std::io::{self, Write};

pub use self::allocations::write as write_allocations;
use self::table::{Table, count, times};
use crate::contender::names;
use crate::goals::{Goal, Side, Verdict};
use crate::report::{DurableReport, GrowthReport, Machine, Measured, Report, RetentionReport};
use crate::throughput::{Row, Throughput};

/// Writes all sections.
pub fn write(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let Report { version, machine, in_flight, measured, .. } = report;
    write_head(out, version, machine, &format!("{in_flight} in flight"), report.quick)?;
    for throughput in &measured.throughput {
        write_throughput(out, throughput)?;
    }
    write_latency(out, measured)?;
    write_at_once(out, measured)?;
    write_memory(out, measured)?;
    if let Some(durable) = &report.durable {
        durable::write(out, durable)?;
    }
    if let Some(growth) = &report.growth {
        growth::write(out, growth)?;
    }
    if let Some(retention) = &report.retention {
        retention::write(out, retention)?;
    }
    write_goals(out, report.goals.as_deref().unwrap_or_default())
}

/// Writes what forgetting costs.
pub fn write_retention(out: &mut impl Write, report: &RetentionReport) -> io::Result<()> {
    let RetentionReport { version, machine, quick, retention, goals } = report;
    write_head(out, version, machine, "executions of one task", *quick)?;
    retention::write(out, retention)?;
    write_goals(out, goals.as_deref().unwrap_or_default())
}

/// Writes what durability costs.
pub fn write_durable(out: &mut impl Write, report: &DurableReport) -> io::Result<()> {
    let DurableReport { version, machine, quick, durable, goals } = report;
    write_head(out, version, machine, &format!("shards: {}", durable.shards), *quick)?;
    durable::write(out, durable)?;
    write_goals(out, goals.as_deref().unwrap_or_default())
}

/// Writes how cost grows.
pub fn write_growth(out: &mut impl Write, report: &GrowthReport) -> io::Result<()> {
    let GrowthReport { version, machine, quick, growth } = report;
    write_head(out, version, machine, "nanoseconds each", *quick)?;
    growth::write(out, growth)
}

fn write_head(out: &mut impl Write, version: &str, machine: &Machine, more: &str, quick: bool) -> io::Result<()> {
    writeln!(out, "finale {version}, {} {}, {} cpus, {more}", machine.os, machine.arch, machine.cpus)?;
    if quick {
        writeln!(out, "quick: every result was right; the figures are from too little work to mean anything")?;
    }
    Ok(())
}

fn write_throughput(out: &mut impl Write, throughput: &Throughput) -> io::Result<()> {
    let title = format!("throughput, {}, tasks: {}", throughput.shape, throughput.tasks);
    let mut head = vec!["executions/s".to_owned(), "min".to_owned(), "max".to_owned(), "tasks/s".to_owned()];
    for baseline in names::BASELINES {
        head.extend([format!("/ {baseline}"), "paired".to_owned()]);
    }
    let mut table = Table::new(title, head);
    for row in &throughput.rows {
        let rate = row.executions_per_second;
        let mut cells = vec![count(rate.median), count(rate.min), count(rate.max), count(row.tasks_per_second)];
        cells.extend(names::BASELINES.into_iter().flat_map(|baseline| ratio_cells(row, baseline)));
        table.row(row.contender, cells);
    }
    table.write(out)
}

fn ratio_cells(row: &Row, baseline: &str) -> [String; 2] {
    match row.ratios.iter().find(|ratio| ratio.to == baseline) {
        Some(ratio) => [times(ratio.of_medians), times(ratio.paired)],
        None => ["-".to_owned(), "-".to_owned()],
    }
}

fn write_latency(out: &mut impl Write, measured: &Measured) -> io::Result<()> {
    let title = "latency, one execution at a time on an idle engine".to_owned();
    let mut table = Table::new(title, vec!["p50 us".to_owned(), "p99 us".to_owned()]);
    for row in &measured.latency {
        let name = format!("{}, {}", row.shape, row.contender);
        table.row(&name, vec![format!("{:.1}", row.p50_us), format!("{:.1}", row.p99_us)]);
    }
    table.write(out)
}

fn write_at_once(out: &mut impl Write, measured: &Measured) -> io::Result<()> {
    let Some(first) = measured.at_once.first() else {
        return Ok(());
    };
    let title = format!("{} of {}: all at once, or as others end", count(first.executions as f64), first.shape);
    let head =
        vec!["at once/s".to_owned(), format!("{} in flight/s", count(first.in_flight as f64)), "ratio".to_owned()];
    let mut table = Table::new(title, head);
    for row in &measured.at_once {
        let cells = vec![count(row.at_once_per_second), count(row.in_flight_per_second), times(row.ratio)];
        table.row(row.contender, cells);
    }
    table.write(out)
}

fn write_memory(out: &mut impl Write, measured: &Measured) -> io::Result<()> {
    let Some(memory) = &measured.memory else {
        return writeln!(out, "\nmemory: skipped, this system does not say how much a process has");
    };
    let Some(first) = memory.first() else {
        return Ok(());
    };
    let title = format!("memory, {} waiting executions of {}", count(first.executions as f64), first.shape);
    let mut table = Table::new(title, vec!["bytes each".to_owned()]);
    for row in memory {
        table.row(row.contender, vec![count(row.bytes_per_execution)]);
    }
    table.write(out)
}

fn write_goals(out: &mut impl Write, goals: &[Goal]) -> io::Result<()> {
    if goals.is_empty() {
        return Ok(());
    }
    let head = ["target", "measured", "verdict"].map(str::to_owned).to_vec();
    let mut table = Table::new("goals".to_owned(), head);
    for goal in goals {
        table.row(goal.what, vec![target(goal), measured_value(goal), verdict(goal.verdict).to_owned()]);
    }
    table.write(out)
}

fn target(goal: &Goal) -> String {
    let side = match goal.side {
        Side::AtLeast => ">=",
        Side::AtMost => "<=",
    };
    format!("{side} {}", value(goal.target, goal.unit))
}

fn measured_value(goal: &Goal) -> String {
    goal.measured.map_or_else(|| "-".to_owned(), |measured| value(measured, goal.unit))
}

/// A ratio says by itself what it is.
fn value(value: f64, unit: &str) -> String {
    match unit {
        "x" => times(value),
        "us" | "s" => format!("{value:.1} {unit}"),
        "syncs" => format!("{value:.2} {unit}"),
        "" => format!("{value:.1}"),
        unit => format!("{} {unit}", count(value)),
    }
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Met => "met",
        Verdict::Missed => "MISSED",
        Verdict::NotMeasured => "not measured",
    }
}
