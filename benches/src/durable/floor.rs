//! What the disk can do at best: a file that is synced, and rows that are committed together.
//!
//! No engine that keeps its facts in SQLite can have more rows a second than bare rows in transactions of the same size.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};
use serde::Serialize;

use super::usage::{Usage, this_thread};
use crate::contender::BoxError;
use crate::stats::{Spread, median};

/// What a file system writes at least.
const BLOCK: [u8; 4_096] = [1; 4_096];
/// About as many bytes as the facts of one turn and what points to them.
const ROW: [u8; 128] = [1; 128];
const TABLE: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
     CREATE TABLE facts(number INTEGER PRIMARY KEY, facts BLOB NOT NULL) STRICT;";
const INSERT: &str = "INSERT INTO facts(facts) VALUES(?1)";

/// What the disk can do.
#[derive(Clone, Debug, Serialize)]
pub struct Floors {
    /// How often a second 4 KiB are appended to a file and synced.
    pub syncs_per_second: Spread,
    /// Bare rows of 128 bytes in SQLite, in WAL mode with `synchronous = FULL`, by the size of transactions.
    pub group_commit: Vec<GroupCommit>,
}

/// Bare rows in transactions of one size.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct GroupCommit {
    /// How many rows each transaction inserts.
    pub rows_per_commit: usize,
    /// Over the repetitions.
    pub rows_per_second: Spread,
    /// The median of what a row takes of a processor; none if the system does not say.
    pub cpu_us_per_row: Option<f64>,
    /// The median of what is written for a row; none if the system does not say.
    pub bytes_per_row: Option<f64>,
}

/// Bare rows of one repetition.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bare {
    pub(super) rows_per_second: f64,
    cpu_us_per_row: Option<f64>,
    bytes_per_row: Option<f64>,
}

impl Floors {
    pub(super) fn of(syncs: &[f64], group_commits: &[(usize, Vec<Bare>)]) -> Self {
        let group_commit = group_commits.iter().map(|(rows, bare)| GroupCommit::of(*rows, bare)).collect();
        Self { syncs_per_second: Spread::of(syncs), group_commit }
    }
}

impl GroupCommit {
    pub(super) fn of(rows_per_commit: usize, bare: &[Bare]) -> Self {
        let all = |value: fn(&Bare) -> Option<f64>| bare.iter().map(value).collect::<Option<Vec<_>>>();
        let rates: Vec<_> = bare.iter().map(|bare| bare.rows_per_second).collect();
        Self {
            rows_per_commit,
            rows_per_second: Spread::of(&rates),
            cpu_us_per_row: all(|bare| bare.cpu_us_per_row).map(|all| median(&all)),
            bytes_per_row: all(|bare| bare.bytes_per_row).map(|all| median(&all)),
        }
    }
}

/// Appends and syncs, one after the other.
pub(super) fn syncs(folder: &Path, window: Duration) -> Result<f64, BoxError> {
    let mut file = File::create(folder.join("log"))?;
    let (times, elapsed) = repeat(window, || {
        file.write_all(&BLOCK)?;
        Ok(file.sync_data()?)
    })?;
    Ok(times / elapsed.as_secs_f64())
}

/// Inserts rows, that many in each transaction.
pub(super) fn group_commit(folder: &Path, rows: usize, window: Duration) -> Result<Bare, BoxError> {
    let connection = Connection::open(folder.join("rows.db"))?;
    connection.execute_batch(TABLE)?;
    let mut insert = connection.prepare(INSERT)?;
    let (before, began) = (Usage::now(), this_thread());
    let (commits, elapsed) = repeat(window, || {
        let transaction = connection.unchecked_transaction()?;
        for _ in 0..rows {
            insert.execute(params![&ROW[..]])?;
        }
        Ok(transaction.commit()?)
    })?;
    let (used, ran) = (Usage::now().since(&before), this_thread());
    // The first one is not among those that were timed.
    let (timed, all) = (commits * rows as f64, (commits + 1.0) * rows as f64);
    Ok(Bare {
        rows_per_second: timed / elapsed.as_secs_f64(),
        cpu_us_per_row: ran.zip(began).map(|(ran, began)| (ran - began).as_secs_f64() * 1e6 / all),
        bytes_per_row: used.written.map(|written| written as f64 / all),
    })
}

/// How often something can be done, and in what time.
fn repeat(window: Duration, mut once: impl FnMut() -> Result<(), BoxError>) -> Result<(f64, Duration), BoxError> {
    // The first one creates files and fills caches.
    once()?;
    let began = Instant::now();
    let mut times = 0_u64;
    while began.elapsed() < window {
        once()?;
        times += 1;
    }
    Ok((times as f64, began.elapsed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_the_table() {
        let folder = tempfile::tempdir().unwrap();
        let bare = group_commit(folder.path(), 7, Duration::from_millis(5)).unwrap();
        assert!(bare.rows_per_second > 0.0 && bare.bytes_per_row.is_none_or(|bytes| bytes > 128.0), "{bare:?}");
        let connection = Connection::open(folder.path().join("rows.db")).unwrap();
        let rows: i64 = connection.query_row("SELECT count(*) FROM facts", [], |row| row.get(0)).unwrap();
        assert!(rows > 0 && rows % 7 == 0, "{rows}");
    }
}
