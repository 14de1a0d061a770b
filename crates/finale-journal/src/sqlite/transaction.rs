//! Writing steps into the database, within a transaction.

use rusqlite::{Connection, Statement, params};
use rustc_hash::FxHashMap;

use finale_core::ExecutionId;

use crate::StoredDefinition;

use super::batch::{Batch, Begin, Change, Facts, Stand, Step, Tip};
use super::chain::{self, Check};
use super::forget;
use super::purge::Ended;
use super::summary::{Beginning, COMPLETED, StandingRow};

const BEGIN: &str = "INSERT INTO executions(number, id, definition, activated_by, created_at, idempotency_key, \
     business_key, begin_intact, status, until_released, sequence, chain, last, standing_intact) \
     VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, 0, 0, 0, 0, ?9)";
const FACTS: &str = "INSERT INTO facts(place, previous, execution, sequence, count, chain, facts) \
     VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const STAND: &str = "UPDATE executions SET status = ?2, completed_at = ?3, error = ?4, quarantine = ?5, \
     until_released = ?6, sequence = ?7, chain = ?8, last = ?9, standing_intact = ?10 WHERE number = ?1";
const HEAD: &str = "INSERT OR REPLACE INTO heads(id, number, sequence, chain, last) VALUES(?1, ?2, ?3, ?4, ?5)";
const NO_HEAD: &str = "DELETE FROM heads WHERE id = ?1";
const DEFINE: &str =
    "INSERT INTO definitions(number, hash, id, name, version, bytes, intact) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)";

/// The statements that are run for every append, and what they have left to write in this transaction.
pub(super) struct Steps<'c> {
    connection: &'c Connection,
    begin: Statement<'c>,
    facts: Statement<'c>,
    stand: Statement<'c>,
    head: Statement<'c>,
    no_head: Statement<'c>,
    /// The heads that moved: each is written once, however often it did.
    heads: FxHashMap<ExecutionId, Head>,
    sorted: Vec<(ExecutionId, Head)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Head {
    number: i64,
    tip: Tip,
    /// Whether the execution began in this transaction: it has no head in the database.
    is_new: bool,
    has_ended: bool,
}

/// What a transaction wrote.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Written {
    pub(super) appends: u64,
    pub(super) bytes: u64,
    /// The newest row of facts.
    pub(super) place: i64,
    /// The hash over all batches.
    pub(super) running: u64,
    /// How many executions have ended.
    pub(super) ended: Ended,
}

impl<'c> Steps<'c> {
    pub(super) fn new(connection: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            connection,
            begin: connection.prepare(BEGIN)?,
            facts: connection.prepare(FACTS)?,
            stand: connection.prepare(STAND)?,
            head: connection.prepare(HEAD)?,
            no_head: connection.prepare(NO_HEAD)?,
            heads: FxHashMap::default(),
            sorted: Vec::new(),
        })
    }

    /// Writes steps, beginning with what was written before.
    pub(super) fn write(&mut self, batch: &Batch, steps: &[Step], mut written: Written) -> rusqlite::Result<Written> {
        self.heads.clear();
        for step in steps {
            self.write_one(batch, &step.change, &mut written)?;
        }
        self.write_heads()?;
        Ok(written)
    }

    fn write_one(&mut self, batch: &Batch, change: &Change, written: &mut Written) -> rusqlite::Result<()> {
        match change {
            Change::Define(define) => define_one(self.connection, define.0, &define.1),
            Change::Begin(begin) => self.begin(batch, begin),
            Change::Facts(facts) => self.facts(batch, facts, written),
            Change::Stand(stand) => self.stand(batch, stand, written),
            Change::Forget(executions) => {
                // Those that ended in this transaction have no head any more.
                self.write_heads()?;
                forget::hide(self.connection, executions, &mut written.ended)
            }
            Change::Nothing | Change::Claim(_) | Change::Release(..) | Change::Purge(..) | Change::Flush(_) => Ok(()),
        }
    }

    fn begin(&mut self, batch: &Batch, begin: &Begin) -> rusqlite::Result<()> {
        let Begin { id, number, definition, at, .. } = *begin;
        let idempotency_key = batch.maybe_text(begin.idempotency_key);
        let business_key = batch.maybe_text(begin.business_key);
        let row = Beginning { id, definition, by: batch.text(begin.by), at, idempotency_key, business_key };
        self.begin.execute(params![
            number,
            bytes(&id),
            definition,
            row.by,
            at.as_micros(),
            idempotency_key,
            business_key,
            row.check(),
            StandingRow::running(id).check()
        ])?;
        self.heads.insert(id, Head { number, is_new: true, ..Head::default() });
        Ok(())
    }

    fn facts(&mut self, batch: &Batch, facts: &Facts, written: &mut Written) -> rusqlite::Result<()> {
        let Facts { id, number, place, previous, first_sequence, count, chain, .. } = *facts;
        let content = batch.bytes(facts.facts);
        self.facts.execute(params![place, previous, number, first_sequence as i64, count, chain as i64, content])?;
        let head = self.heads.entry(id).or_default();
        head.number = number;
        head.tip = Tip { sequence: first_sequence + u64::from(count) - 1, chain, last: place };
        written.appends += 1;
        written.bytes += content.len() as u64;
        written.place = place;
        written.running = chain::batch(written.running, chain);
        Ok(())
    }

    fn stand(&mut self, batch: &Batch, stand: &Stand, written: &mut Written) -> rusqlite::Result<()> {
        let Stand { id, number, status, completed_at, until_released, tip, .. } = *stand;
        let error = batch.maybe_text(stand.error);
        let quarantine = batch.maybe_text(stand.quarantine);
        let row = StandingRow { id, status, completed_at, error, quarantine, until_released, tip };
        self.stand.execute(params![
            number,
            status,
            completed_at.map(finale_core::Time::as_micros),
            error,
            quarantine,
            until_released,
            tip.sequence as i64,
            tip.chain as i64,
            tip.last,
            row.check()
        ])?;
        if status >= COMPLETED {
            self.heads.entry(id).or_default().has_ended = true;
            written.ended.add(status, 1);
        }
        if stand.reseal { reseal(self.connection, stand) } else { Ok(()) }
    }

    /// In the order of their ids: neighbours lie on one page.
    fn write_heads(&mut self) -> rusqlite::Result<()> {
        self.sorted.clear();
        self.sorted.extend(self.heads.drain());
        self.sorted.sort_unstable_by_key(|(id, _)| *id);
        for (id, head) in &self.sorted {
            let Tip { sequence, chain, last } = head.tip;
            match head {
                Head { is_new: true, has_ended: true, .. } => 0,
                Head { has_ended: true, .. } => self.no_head.execute([bytes(id)])?,
                Head { number, .. } => {
                    self.head.execute(params![bytes(id), number, sequence as i64, chain as i64, last])?
                }
            };
        }
        Ok(())
    }
}

/// An id as SQLite keeps it.
pub(super) fn bytes(id: &ExecutionId) -> &[u8] {
    id.as_uuid().as_bytes()
}

/// The hash over a definition.
pub(super) fn definition_check(definition: &StoredDefinition) -> i64 {
    let name = &definition.workflow;
    let check = Check::new().bytes(definition.hash.as_bytes()).text(Some(&name.id)).text(Some(&name.name));
    check.text(Some(&name.version)).bytes(&definition.bytes).sum()
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
