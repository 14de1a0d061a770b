//! The tables about forgetting.

use std::io::{self, Write};

use super::table::{Table, count, times};
use crate::retention::{Kind, Retention};

pub(super) fn write(out: &mut impl Write, all: &[Retention]) -> io::Result<()> {
    let title = "executions a second with a limit on the ended ones that are kept, and without";
    let columns = ["kept", "for ever", "bounded", "ratio", "beyond", "caught up s"];
    let mut table = Table::new(title.to_owned(), head(&columns));
    for Retention { journal, steady, .. } in all {
        let mut cells: Vec<_> = [steady.kept as f64, steady.for_ever.median, steady.bounded.median].map(count).into();
        cells.extend([times(steady.ratio), count(steady.beyond as f64), format!("{:.3}", steady.caught_up_s)]);
        table.row(name(*journal), cells);
    }
    table.write(out)?;
    let title =
        "a purge of very many: lone executions beside it, others at once beside it, and how many it forgets a second";
    let columns =
        ["to forget", "lone p99 us", "beside", "forgotten/s", "at once", "executions/s", "beside", "forgotten/s"];
    let mut table = Table::new(title.to_owned(), head(&columns));
    for Retention { journal, backlog, .. } in all {
        let cells = [
            backlog.executions as f64,
            backlog.lone_p99_us,
            backlog.lone_p99_beside_us,
            backlog.forgotten_beside_lone,
            backlog.at_once as f64,
            backlog.load,
            backlog.load_beside,
            backlog.forgotten_beside_load,
        ];
        table.row(name(*journal), cells.map(count).into());
    }
    table.write(out)
}

const fn name(journal: Kind) -> &'static str {
    match journal {
        Kind::Memory => "in memory",
        Kind::Sqlite => "SQLite",
    }
}

fn head(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
