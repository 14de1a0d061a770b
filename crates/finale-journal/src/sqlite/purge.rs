//! Forgetting executions that ended long ago, a little with each commit.
//!
//! The kinds of ends take turns, so that many of one kind keep no other waiting. How many there are of each kind is
//! kept in `meta` and never counted. How much is done with a commit is up to [`Pace`](super::pace::Pace).

use std::sync::mpsc::SyncSender;

use finale_core::fact::Terminal;
use finale_core::{ExecutionId, Time};
use rusqlite::{Connection, OptionalExtension};

use crate::{JournalError, Purge, Purged};

use super::ended::Ended;
use super::forget::{self, Place};
use super::recent::Recent;
use super::summary::code;

/// How many of one kind are forgotten before it is the turn of the next kind.
const AT_ONCE: usize = 64;

/// A purge that is under way.
#[derive(Debug)]
pub(super) struct PurgeTask {
    purge: Purge,
    limit: usize,
    reply: SyncSender<Result<Purged, JournalError>>,
    purged: Purged,
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

impl PurgeTask {
    pub(super) fn new(purge: Purge, limit: usize, reply: SyncSender<Result<Purged, JournalError>>) -> Self {
        let purged = Purged { executions: Vec::new(), more: true };
        Self { purge, limit, reply, purged, is_over: limit == 0 }
    }

    /// Forgets some of each kind, in a transaction that is under way.
    pub(super) fn step(
        &mut self,
        connection: &Connection,
        recent: &Recent,
        ended: &mut Ended,
    ) -> rusqlite::Result<Stepped> {
        let before = self.purged.executions.len();
        let mut stepped = Stepped::default();
        for (status, kinds_left) in Purge::KINDS.into_iter().zip([3, 2, 1]) {
            let left = self.limit - self.purged.executions.len();
            // What is not in the tables yet has its turn when it is there, and must find something left of the limit.
            let sharing = if stepped.needs_merge { Purge::KINDS.len() } else { kinds_left };
            let limit = left.div_ceil(sharing).min(AT_ONCE);
            let mut found = expired(connection, recent, ended, (status, &self.purge), limit)?;
            stepped.needs_merge |= found.goes_on_in_recent;
            if !found.places.is_empty() {
                stepped.leaves |= forget::many(connection, &mut found.places)?;
                ended.add(code(status), -(found.places.len() as i64));
                self.purged.executions.append(&mut found.ids);
            }
        }
        self.purged.more = self.purged.executions.len() > before || stepped.needs_merge;
        self.is_over = !self.purged.more || self.purged.executions.len() == self.limit;
        Ok(stepped)
    }

    /// Whether nothing is left to do but to answer.
    pub(super) const fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether nothing is left that has expired.
    pub(super) const fn leaves_nothing(&self) -> bool {
        self.is_over && !self.purged.more
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
    places: Vec<Place>,
    ids: Vec<ExecutionId>,
    /// Whether the next one is not in the tables yet.
    goes_on_in_recent: bool,
}

/// The first of those that have expired. An execution that has a head is open, whatever its row says.
fn expired(
    connection: &Connection,
    recent: &Recent,
    ended: &mut Ended,
    (status, purge): (Terminal, &Purge),
    limit: usize,
) -> rusqlite::Result<Found> {
    let expired = purge.of(status);
    let kept = ended.of(status) + recent.ended(status);
    let beyond = expired.all_but.map_or(0, |all_but| kept.saturating_sub(all_but));
    let mut found = Found::default();
    if limit == 0 || (beyond == 0 && expired.ended_before.is_none()) {
        return Ok(found);
    }
    let is_expired = |completed_at: i64, passed: u64| {
        let before = expired.ended_before.map(Time::as_micros);
        before.is_some_and(|before| completed_at < before) || passed < beyond
    };
    let first_recent = recent.first_end(status).map(Time::as_micros);
    // With the status as a parameter it would be planned anew each time: whether some indices can be used depends on it.
    let mut select = connection.prepare_cached(&format!(
        "SELECT number, id, last, completed_at, {} FROM executions e WHERE status = {} AND completed_at IS NOT NULL \
         AND NOT EXISTS(SELECT 1 FROM heads WHERE heads.id = e.id) ORDER BY completed_at",
        if purge.keeps_untold { "EXISTS(SELECT 1 FROM untold WHERE untold.id = e.id)" } else { "0" },
        code(status)
    ))?;
    let mut rows = select.query([])?;
    // Those that are kept because somebody has still to be told have their places among the others.
    let mut passed = 0;
    while found.ids.len() < limit
        && let Some(row) = rows.next()?
    {
        let completed_at = row.get::<_, i64>(3)?;
        if first_recent.is_some_and(|first| first < completed_at) {
            break;
        }
        if !is_expired(completed_at, passed) {
            return Ok(found);
        }
        passed += 1;
        if row.get(4)? && !recent.told().contains(&super::summary::id(row, 1)) {
            continue;
        }
        found.places.push(Place { number: row.get(0)?, last: row.get(2)? });
        found.ids.push(super::summary::id(row, 1));
    }
    if found.ids.len() < limit {
        found.goes_on_in_recent = first_recent.is_some_and(|first| is_expired(first, passed));
        if !found.goes_on_in_recent && passed < beyond {
            ended.count(connection, status)?;
        }
    }
    Ok(found)
}
