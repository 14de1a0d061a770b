//! Writing what [recent](super::recent) batches say into the tables.
//!
//! All of it in one transaction, and all at once: an execution that began and ended in these batches takes one row of
//! facts and one summary, and has never had a head.

use rusqlite::{Connection, Statement, params};

use finale_core::ExecutionId;

use super::batch::Tip;
use super::chain;
use super::ended::Ended;
use super::history::head;
use super::passed_over::{EndPlace, PassedOver};
use super::recent::{Entry, Recent};
use super::summary::{Beginning, StandingRow, bytes};

const BEGIN: &str = "INSERT INTO executions(number, id, definition, activated_by, created_at, idempotency_key, \
     business_key, begin_intact, status, completed_at, error, quarantine, until_released, sequence, chain, last, \
     standing_intact) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";
const STAND: &str = "UPDATE executions SET status = ?2, completed_at = ?3, error = ?4, quarantine = ?5, \
     until_released = ?6, sequence = ?7, chain = ?8, last = ?9, standing_intact = ?10 WHERE number = ?1";
const FACTS: &str = "INSERT INTO facts(place, previous, execution, sequence, count, chain, facts) \
     VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const HEAD: &str = "INSERT OR REPLACE INTO heads(id, number, sequence, chain, last) VALUES(?1, ?2, ?3, ?4, ?5)";
const NO_HEAD: &str = "DELETE FROM heads WHERE id = ?1";
const EMPTY: &str = "DELETE FROM batches";
const UNTOLD: &str = "INSERT OR IGNORE INTO untold(id) VALUES(?1)";
const TOLD: &str = "DELETE FROM untold WHERE id = ?1";

/// A row of facts takes no more appends once it has this many bytes: what is deleted in small steps lies in small rows.
const ROW_BYTES: usize = 64 << 10;

/// The statements, and what is used again for each execution.
pub(super) struct Merge<'c> {
    connection: &'c Connection,
    begin: Statement<'c>,
    stand: Statement<'c>,
    facts: Statement<'c>,
    head: Statement<'c>,
    no_head: Statement<'c>,
    empty: Statement<'c>,
    untold: Statement<'c>,
    told: Statement<'c>,
    /// The heads that moved.
    heads: Vec<Moved>,
    row: Vec<u8>,
}

/// A head that moved, or went.
struct Moved {
    id: ExecutionId,
    number: i64,
    tip: Tip,
    has_ended: bool,
}

impl<'c> Merge<'c> {
    pub(super) fn new(connection: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            connection,
            begin: connection.prepare(BEGIN)?,
            stand: connection.prepare(STAND)?,
            facts: connection.prepare(FACTS)?,
            head: connection.prepare(HEAD)?,
            no_head: connection.prepare(NO_HEAD)?,
            empty: connection.prepare(EMPTY)?,
            untold: connection.prepare(UNTOLD)?,
            told: connection.prepare(TOLD)?,
            heads: Vec::new(),
            row: Vec::new(),
        })
    }

    /// Writes what all batches say; there are none any more afterwards. `place` is that of the newest row of facts.
    pub(super) fn run(
        &mut self,
        recent: &mut Recent,
        passed_over: &mut PassedOver,
        place: &mut i64,
        ended: &mut Ended,
    ) -> rusqlite::Result<()> {
        let mut appends = Vec::new();
        for entry in recent.entries() {
            recent.facts(entry, &mut appends);
            let tip = self.write_facts(entry, &appends, place)?;
            self.write_summary(recent, entry, tip, ended)?;
            if let (Some(status), Some(at)) = (entry.status(), entry.completed_at()) {
                passed_over.note_ended(status, EndPlace { completed_at: at.as_micros(), number: entry.number });
            }
            self.note_head(entry, tip);
        }
        self.write_heads()?;
        self.write_untold(recent)?;
        self.empty.execute([])?;
        recent.clear();
        Ok(())
    }

    /// Gives where the execution stands then.
    fn write_facts(&mut self, entry: &Entry, appends: &[(u64, u32, &[u8])], place: &mut i64) -> rusqlite::Result<Tip> {
        let mut tip = if entry.is_new() { Tip::default() } else { self.tip(entry.id)? };
        let mut appends = appends.iter().peekable();
        while let Some((first_sequence, count, facts)) = appends.next() {
            let (first, mut count, mut content) = (*first_sequence, *count, *facts);
            if appends.peek().is_some_and(|(_, _, next)| content.len() + next.len() <= ROW_BYTES) {
                self.row.clear();
                self.row.extend_from_slice(content);
                while let Some((_, more, facts)) =
                    appends.next_if(|(_, _, next)| self.row.len() + next.len() <= ROW_BYTES)
                {
                    count += more;
                    self.row.extend_from_slice(facts);
                }
                content = &self.row;
            }
            *place += 1;
            let chain = chain::link(tip.chain, entry.id, first, count, content);
            let row = params![*place, tip.last, entry.number, first as i64, count, chain as i64, content];
            self.facts.execute(row)?;
            tip = Tip { sequence: first + u64::from(count) - 1, chain, last: *place };
        }
        Ok(tip)
    }

    /// Where the execution stood before. A head that has rotted away leaves a gap, which is found by whoever reads.
    fn tip(&self, execution: ExecutionId) -> rusqlite::Result<Tip> {
        Ok(head(self.connection, execution)?.map(|(_, tip)| tip).unwrap_or_default())
    }

    fn write_summary(&mut self, recent: &Recent, entry: &Entry, tip: Tip, ended: &mut Ended) -> rusqlite::Result<()> {
        let Some(standing) = recent.standing(entry, tip) else {
            return Ok(());
        };
        if entry.has_ended() {
            ended.add(standing.status, 1);
        }
        match recent.beginning(entry) {
            Some(beginning) => self.write_begin(entry.number, &beginning, &standing),
            None => self.write_standing(entry.number, &standing),
        }
    }

    fn write_begin(&mut self, number: i64, row: &Beginning<'_>, standing: &StandingRow<'_>) -> rusqlite::Result<()> {
        let values = params![
            number,
            bytes(&row.id),
            row.definition,
            row.by,
            row.at.as_micros(),
            row.idempotency_key,
            row.business_key,
            row.check(),
            standing.status,
            standing.completed_at.map(finale_core::Time::as_micros),
            standing.error,
            standing.quarantine,
            standing.until_released,
            standing.tip.sequence as i64,
            standing.tip.chain as i64,
            standing.tip.last,
            standing.check()
        ];
        self.begin.execute(values).map(drop)
    }

    fn write_standing(&mut self, number: i64, row: &StandingRow<'_>) -> rusqlite::Result<()> {
        let values = params![
            number,
            row.status,
            row.completed_at.map(finale_core::Time::as_micros),
            row.error,
            row.quarantine,
            row.until_released,
            row.tip.sequence as i64,
            row.tip.chain as i64,
            row.tip.last,
            row.check()
        ];
        self.stand.execute(values).map(drop)
    }

    fn note_head(&mut self, entry: &Entry, tip: Tip) {
        let has_ended = entry.has_ended();
        let never_had_one = entry.is_new() && has_ended;
        if !never_had_one && (entry.is_new() || has_ended || entry.first_sequence > 0) {
            self.heads.push(Moved { id: entry.id, number: entry.number, tip, has_ended });
        }
    }

    /// Those of which everybody was told first: what has ended since may have the id of one that was forgotten.
    fn write_untold(&mut self, recent: &Recent) -> rusqlite::Result<()> {
        for execution in recent.told() {
            self.told.execute([bytes(execution)])?;
        }
        for execution in recent.untold() {
            self.untold.execute([bytes(&execution)])?;
        }
        Ok(())
    }

    /// In the order of their ids: neighbours lie on one page.
    fn write_heads(&mut self) -> rusqlite::Result<()> {
        self.heads.sort_unstable_by_key(|moved| moved.id);
        for Moved { id, number, tip, has_ended } in self.heads.drain(..) {
            if has_ended {
                self.no_head.execute([bytes(&id)])?;
            } else {
                let Tip { sequence, chain, last } = tip;
                self.head.execute(params![bytes(&id), number, sequence as i64, chain as i64, last])?;
            }
        }
        Ok(())
    }
}
