//! Forgetting executions that ended long ago, a little with each commit.
//!
//! The kinds of ends take turns, so that many of one kind keep no other waiting. How many there are of each kind is
//! kept in `meta` and never counted. Beside other work a purge takes a bounded part of the time of the thread that
//! writes; when nothing else is to be done it takes more, in steps so short that whoever comes waits for a moment only.

use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use finale_core::fact::Terminal;
use finale_core::{ExecutionId, Time};
use rusqlite::{Connection, OptionalExtension, params};

use crate::{Expired, JournalError, Purge, Purged};

use super::ended::Ended;
use super::forget;
use super::recent::Recent;
use super::summary::code;

/// How many of one kind are forgotten before it is the turn of the next kind.
const AT_ONCE: u64 = 16;
/// The part of the time that a purge takes while others wait.
const SHARE: u32 = 10;
/// The longest that one step takes while others wait. One transaction has one step.
const BUSY_MAX: Duration = Duration::from_millis(5);
/// How long a step takes while nobody waits: who comes meanwhile waits for that.
const IDLE: Duration = Duration::from_millis(1);

/// A purge that is under way.
#[derive(Debug)]
pub(super) struct PurgeTask {
    purge: Purge,
    limit: usize,
    reply: SyncSender<Result<Purged, JournalError>>,
    purged: Purged,
    stepped_at: Instant,
    is_over: bool,
}

/// What came of one step.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stepped {
    /// Whether facts of those that were forgotten are left to delete.
    pub(super) leaves: bool,
    /// Whether what comes next is not in the tables yet.
    pub(super) needs_merge: bool,
}

/// One row that has expired.
struct Row {
    number: i64,
    id: ExecutionId,
    last: i64,
}

impl PurgeTask {
    pub(super) fn new(purge: Purge, limit: usize, reply: SyncSender<Result<Purged, JournalError>>) -> Self {
        let purged = Purged { executions: Vec::new(), more: true };
        Self { purge, limit, reply, purged, stepped_at: Instant::now(), is_over: limit == 0 }
    }

    /// Forgets some, in a transaction that is under way.
    pub(super) fn step(
        &mut self,
        connection: &Connection,
        recent: &Recent,
        ended: &mut Ended,
        others_wait: bool,
    ) -> rusqlite::Result<Stepped> {
        let begun = Instant::now();
        let budget = if others_wait { ((begun - self.stepped_at) / SHARE).min(BUSY_MAX) } else { IDLE };
        let mut stepped = Stepped::default();
        while !self.is_over && !stepped.needs_merge && begun.elapsed() < budget {
            self.round(connection, recent, ended, &mut stepped)?;
        }
        self.stepped_at = Instant::now();
        Ok(stepped)
    }

    /// What is forgotten is committed: answers, if that was all.
    pub(super) fn answer(mut self) -> Option<Self> {
        if !self.is_over {
            return Some(self);
        }
        // Whoever asked may have stopped waiting.
        let _ = self.reply.try_send(Ok(std::mem::take(&mut self.purged)));
        None
    }

    /// Says why nothing more comes of it.
    pub(super) fn refuse(self, error: JournalError) {
        let _ = self.reply.try_send(Err(error));
    }

    /// Some of each kind.
    fn round(
        &mut self,
        connection: &Connection,
        recent: &Recent,
        ended: &mut Ended,
        stepped: &mut Stepped,
    ) -> rusqlite::Result<()> {
        let before = self.purged.executions.len();
        for status in Purge::KINDS {
            let left = (self.limit - self.purged.executions.len()) as u64;
            let found = expired(connection, recent, ended, (status, self.purge.of(status)), left.min(AT_ONCE))?;
            stepped.needs_merge |= found.goes_on_in_recent;
            for row in found.rows {
                stepped.leaves |= forget::one(connection, row.number, row.last)?;
                ended.add(code(status), -1);
                self.purged.executions.push(row.id);
            }
        }
        self.purged.more = self.purged.executions.len() > before || stepped.needs_merge;
        self.is_over = !self.purged.more || self.purged.executions.len() == self.limit;
        Ok(())
    }
}

/// When the first of those that ended so ended.
pub(super) fn first_end(connection: &Connection, status: Terminal) -> rusqlite::Result<Option<Time>> {
    let mut select = connection.prepare_cached(
        "SELECT completed_at FROM executions e WHERE status = ?1 AND completed_at IS NOT NULL \
         AND NOT EXISTS(SELECT 1 FROM heads WHERE heads.id = e.id) ORDER BY completed_at LIMIT 1",
    )?;
    select.query_row([code(status)], |row| row.get(0)).optional().map(|at| at.map(Time::from_micros))
}

/// Some of those that have expired.
#[derive(Default)]
struct Found {
    rows: Vec<Row>,
    /// Whether the next one is not in the tables yet.
    goes_on_in_recent: bool,
}

/// The first of those that have expired. An execution that has a head is open, whatever its row says.
fn expired(
    connection: &Connection,
    recent: &Recent,
    ended: &mut Ended,
    (status, expired): (Terminal, Expired),
    limit: u64,
) -> rusqlite::Result<Found> {
    let kept = ended.of(status) + recent.ended(status);
    let beyond = expired.all_but.map_or(0, |all_but| kept.saturating_sub(all_but));
    let mut found = Found::default();
    if limit == 0 || (beyond == 0 && expired.ended_before.is_none()) {
        return Ok(found);
    }
    let is_expired = |completed_at: i64, found: usize| {
        let before = expired.ended_before.map(Time::as_micros);
        before.is_some_and(|before| completed_at < before) || (found as u64) < beyond
    };
    let first_recent = recent.first_end(status).map(Time::as_micros);
    let mut select = connection.prepare_cached(
        "SELECT number, id, last, completed_at FROM executions e WHERE status = ?1 AND completed_at IS NOT NULL \
         AND NOT EXISTS(SELECT 1 FROM heads WHERE heads.id = e.id) ORDER BY completed_at LIMIT ?2",
    )?;
    let mut rows = select.query(params![code(status), limit.cast_signed()])?;
    while let Some(row) = rows.next()? {
        let completed_at = row.get::<_, i64>(3)?;
        if first_recent.is_some_and(|first| first < completed_at) {
            break;
        }
        if !is_expired(completed_at, found.rows.len()) {
            return Ok(found);
        }
        found.rows.push(Row { number: row.get(0)?, id: super::summary::id(row, 1), last: row.get(2)? });
    }
    if (found.rows.len() as u64) < limit {
        found.goes_on_in_recent = first_recent.is_some_and(|first| is_expired(first, found.rows.len()));
        if !found.goes_on_in_recent && (found.rows.len() as u64) < beyond {
            ended.count(connection, status)?;
        }
    }
    Ok(found)
}
