//! What the disk can do at best: a file that is synced, and rows that are committed together.
//!
//! No engine that keeps its facts in SQLite can have more rows a second than bare rows in transactions of the same size.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};
use serde::Serialize;

use crate::contender::BoxError;
use crate::stats::Spread;

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
}

impl Floors {
    pub(super) fn of(syncs: &[f64], group_commits: &[(usize, Vec<f64>)]) -> Self {
        let group_commit = group_commits
            .iter()
            .map(|(rows, rates)| GroupCommit { rows_per_commit: *rows, rows_per_second: Spread::of(rates) })
            .collect();
        Self { syncs_per_second: Spread::of(syncs), group_commit }
    }
}

/// Appends and syncs, one after the other.
pub(super) fn syncs(folder: &Path, window: Duration) -> Result<f64, BoxError> {
    let mut file = File::create(folder.join("log"))?;
    repeat(window, || {
        file.write_all(&BLOCK)?;
        Ok(file.sync_data()?)
    })
}

/// Inserts rows, that many in each transaction.
pub(super) fn group_commit(folder: &Path, rows: usize, window: Duration) -> Result<f64, BoxError> {
    let connection = Connection::open(folder.join("rows.db"))?;
    connection.execute_batch(TABLE)?;
    let mut insert = connection.prepare(INSERT)?;
    let commits = repeat(window, || {
        let transaction = connection.unchecked_transaction()?;
        for _ in 0..rows {
            insert.execute(params![&ROW[..]])?;
        }
        Ok(transaction.commit()?)
    })?;
    Ok(commits * rows as f64)
}

/// How often a second something can be done.
fn repeat(window: Duration, mut once: impl FnMut() -> Result<(), BoxError>) -> Result<f64, BoxError> {
    // The first one creates files and fills caches.
    once()?;
    let began = Instant::now();
    let mut times = 0_u64;
    while began.elapsed() < window {
        once()?;
        times += 1;
    }
    Ok(times as f64 / began.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_the_table() {
        let folder = tempfile::tempdir().unwrap();
        assert!(group_commit(folder.path(), 7, Duration::from_millis(5)).unwrap() > 0.0);
        let connection = Connection::open(folder.path().join("rows.db")).unwrap();
        let rows: i64 = connection.query_row("SELECT count(*) FROM facts", [], |row| row.get(0)).unwrap();
        assert!(rows > 0 && rows % 7 == 0, "{rows}");
    }
}
