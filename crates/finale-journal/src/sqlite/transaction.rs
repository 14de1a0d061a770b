//! Writing steps into the database, within a transaction.

use std::sync::Arc;

use rusqlite::{Connection, Statement, params};

use crate::StoredDefinition;

use super::batch::{Batch, Change, Stand, Step};
use super::chain;
use super::ended::Ended;
use super::forget;
use super::merge::Merge;
use super::passed_over::PassedOver;
use super::recent::Recent;
use super::record::Recorder;
use super::summary::{Beginning, bytes, definition_check};

const KEEP: &str = "INSERT INTO batches(batch, hash, bytes) VALUES(?1, ?2, ?3)";
const DEFINE: &str =
    "INSERT INTO definitions(number, hash, id, name, version, bytes, intact) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)";

/// Batches are merged when so many executions have ended in them: whoever waits for that commit waits for the merge.
const ENDED_MAX: u64 = 4_096;
/// Batches are merged when they have so many bytes: whoever opens the journal after a crash reads them first.
const BYTES_MAX: usize = 4 << 20;
/// A batch with so many bytes, if each append has [`LARGE_APPEND`] of them, is merged at once: that saves writing them
/// twice, and the rows are few.
const LARGE_BATCH: u64 = 64 << 10;
const LARGE_APPEND: u64 = 2 << 10;

/// What is not in the tables yet, and the statements that bring it there.
pub(super) struct Steps<'c> {
    connection: &'c Connection,
    keep: Statement<'c>,
    merge: Merge<'c>,
    recorder: Recorder,
    recent: Recent,
    passed_over: PassedOver,
}

/// What a transaction wrote.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Written {
    /// The number of its batch.
    pub(super) batch: u64,
    pub(super) appends: u64,
    pub(super) bytes: u64,
    /// The newest row of facts.
    pub(super) place: i64,
    /// The hash over all batches.
    pub(super) running: u64,
    /// How many executions have ended, as far as the tables know.
    pub(super) ended: Ended,
    /// The newest batch that brought everything into the tables.
    pub(super) merged: u64,
    /// Whether facts of those that were forgotten are left to delete.
    pub(super) leaves: bool,
}

impl<'c> Steps<'c> {
    pub(super) fn new(connection: &'c Connection, recent: Recent) -> rusqlite::Result<Self> {
        Ok(Self {
            connection,
            keep: connection.prepare(KEEP)?,
            merge: Merge::new(connection)?,
            recorder: Recorder::default(),
            recent,
            passed_over: PassedOver::default(),
        })
    }

    /// What is not in the tables yet.
    pub(super) const fn recent(&self) -> &Recent {
        &self.recent
    }

    /// What is not in the tables yet, and what earlier purges have passed over.
    pub(super) const fn for_purge(&mut self) -> (&Recent, &mut PassedOver) {
        (&self.recent, &mut self.passed_over)
    }

    /// Writes steps, as one row or into the tables.
    pub(super) fn write(&mut self, batch: &Batch, steps: &[Step], written: &mut Written) -> rusqlite::Result<()> {
        for step in steps {
            self.write_one(batch, &step.change, written)?;
        }
        if self.is_due(written) {
            return self.merge(written);
        }
        let Some(records) = self.recorder.take() else {
            return Ok(());
        };
        let records = Arc::from(records);
        let hash = self.note(Arc::clone(&records), written);
        self.keep.execute(params![written.batch as i64, hash as i64, &*records])?;
        Ok(())
    }

    /// Brings everything into the tables.
    pub(super) fn merge(&mut self, written: &mut Written) -> rusqlite::Result<()> {
        if let Some(records) = self.recorder.take() {
            self.note(records.into(), written);
        }
        if self.recent.is_empty() {
            return Ok(());
        }
        written.merged = written.batch;
        self.merge.run(&mut self.recent, &mut self.passed_over, &mut written.place, &mut written.ended)
    }

    fn is_due(&self, written: &Written) -> bool {
        let is_large = written.bytes >= LARGE_BATCH && written.bytes >= LARGE_APPEND * written.appends;
        is_large || self.recent.bytes() >= BYTES_MAX || self.recent.ended_in_all() >= ENDED_MAX
    }

    /// Gives the hash over all batches that are not in the tables yet.
    fn note(&mut self, records: Arc<[u8]>, written: &mut Written) -> u64 {
        let hash = self.recent.hash_with(written.batch, &records);
        // The bytes are in it already: they are hashed once.
        written.running = chain::batch(written.running, hash);
        let is_whole = self.recent.push(written.batch, records, hash);
        debug_assert!(is_whole, "what was recorded can be read");
        hash
    }

    fn write_one(&mut self, batch: &Batch, change: &Change, written: &mut Written) -> rusqlite::Result<()> {
        match change {
            Change::Define(define) => define_one(self.connection, define.0, &define.1)?,
            Change::Begin(begin) => self.recorder.begin(batch, begin),
            Change::Facts(facts) => {
                self.recorder.facts(batch, facts);
                written.appends += 1;
                written.bytes += batch.bytes(facts.facts).len() as u64;
            }
            Change::Stand(stand) => {
                self.recorder.stand(batch, stand);
                if stand.reseal {
                    self.merge(written)?;
                    reseal(self.connection, stand)?;
                }
            }
            Change::Forget(executions) => {
                // Those that ended just now are in the tables then.
                self.merge(written)?;
                let before = written.ended;
                written.leaves |= forget::named(self.connection, executions, &mut written.ended)?;
                if written.ended != before {
                    self.passed_over.clear();
                }
            }
            Change::Told(executions) => {
                self.recorder.told(executions);
                self.passed_over.note_told(executions);
            }
            Change::Nothing | Change::Claim(_) | Change::Release(..) | Change::Purge(..) | Change::Flush(_) => {}
        }
        Ok(())
    }
}

fn define_one(connection: &Connection, number: i64, definition: &StoredDefinition) -> rusqlite::Result<()> {
    let name = &definition.workflow;
    let (hash, check) = (definition.hash.as_bytes(), definition_check(definition));
    let row = params![number, &hash[..], name.id, name.name, name.version, &definition.bytes[..], check];
    connection.prepare_cached(DEFINE)?.execute(row).map(drop)
}

/// What is left of a summary that was damaged counts as what was written from now on.
fn reseal(connection: &Connection, stand: &Stand) -> rusqlite::Result<()> {
    let select = format!("SELECT {} FROM executions e WHERE e.number = ?1", super::summary::COLUMNS);
    let check = connection.query_row(&select, [stand.number], |row| {
        let found = super::summary::SummaryRow::read(row).beginning;
        Ok(Beginning { id: stand.id, ..found }.check())
    })?;
    let seal = "UPDATE executions SET id = ?2, begin_intact = ?3 WHERE number = ?1";
    connection.execute(seal, params![stand.number, bytes(&stand.id), check]).map(drop)
}
