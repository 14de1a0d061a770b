//! Forgetting executions that ended long ago, a little with each commit.
//!
//! The kinds of ends take turns, so that many of one kind keep no other waiting. How many there are of each kind is
//! kept in `meta` and never counted. How much is done with a commit is up to [`Pace`](super::pace::Pace).

use std::sync::mpsc::SyncSender;

use finale_core::fact::Terminal;
use finale_core::{ExecutionId, Time};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::{JournalError, Purge, Purged};

use super::ended::Ended;
use super::forget::{self, Place};
use super::passed_over::{EndPlace, PassedOver, PassedOverKind};
use super::recent::Recent;
use super::summary::code;

/// How many of one kind are forgotten before it is the turn of the next kind.
const AT_ONCE: usize = 64;
/// How many are looked at before it is looked whether there is time for more.
const ROWS_MAX: usize = 512;

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
        (recent, passed_over): (&Recent, &mut PassedOver),
        ended: &mut Ended,
    ) -> rusqlite::Result<Stepped> {
        if self.purge.keeps_untold {
            passed_over.find_told(connection)?;
        } else {
            passed_over.clear();
        }
        let mut goes_on = false;
        let before = self.purged.executions.len();
        let mut stepped = Stepped::default();
        for (status, kinds_left) in Purge::KINDS.into_iter().zip([3, 2, 1]) {
            let left = self.limit - self.purged.executions.len();
            // What is not in the tables yet has its turn when it is there, and must find something left of the limit.
            let sharing = if stepped.needs_merge { Purge::KINDS.len() } else { kinds_left };
            let limit = left.div_ceil(sharing).min(AT_ONCE);
            let mut found = expired((connection, recent), ended, passed_over, (status, &self.purge), limit)?;
            stepped.needs_merge |= found.goes_on_in_recent;
            goes_on |= found.goes_on;
            if !found.places.is_empty() {
                stepped.leaves |= forget::many(connection, &mut found.places)?;
                ended.add(code(status), -(found.places.len() as i64));
                self.purged.executions.append(&mut found.ids);
            }
        }
        self.purged.more = self.purged.executions.len() > before || stepped.needs_merge || goes_on;
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
    /// Whether more is to be looked through.
    goes_on: bool,
    /// Whether fewer are in the tables than there should be.
    is_short: bool,
}

impl Found {
    const fn is_over(&self) -> bool {
        self.goes_on || self.goes_on_in_recent
    }
}

/// What is looked for among those that ended in one way. An execution that has a head is open, whatever its row says.
struct Search<'s> {
    connection: &'s Connection,
    recent: &'s Recent,
    status: Terminal,
    keeps_untold: bool,
    /// Those that ended before have expired,
    before: Option<i64>,
    /// and so many of those that ended first.
    beyond: u64,
    limit: usize,
}

/// An execution that has ended, as it lies in its table.
struct EndedRow {
    end: EndPlace,
    id: ExecutionId,
    last: i64,
    is_untold: bool,
}

/// The first of those that have expired.
fn expired(
    (connection, recent): (&Connection, &Recent),
    ended: &mut Ended,
    passed_over: &mut PassedOver,
    (status, purge): (Terminal, &Purge),
    limit: usize,
) -> rusqlite::Result<Found> {
    let expired = purge.of(status);
    let kept = ended.of(status) + recent.ended(status);
    let beyond = expired.all_but.map_or(0, |all_but| kept.saturating_sub(all_but));
    let before = expired.ended_before.map(Time::as_micros);
    let mut found = Found::default();
    if limit == 0 || (beyond == 0 && before.is_none()) {
        return Ok(found);
    }
    let search = Search { connection, recent, status, keeps_untold: purge.keeps_untold, before, beyond, limit };
    let passed_over = passed_over.of(status);
    search.look_again(passed_over, &mut found)?;
    if found.ids.len() < limit && !found.is_over() {
        search.go_on(passed_over, &mut found)?;
    }
    passed_over.count = passed_over.count.saturating_sub(found.ids.len() as u64);
    if passed_over.count == 0 {
        *passed_over = PassedOverKind::default();
    }
    if found.is_short {
        ended.count(connection, status)?;
    }
    Ok(found)
}

impl Search<'_> {
    /// Looks at those that were passed over and have changed since.
    fn look_again(&self, passed_over: &mut PassedOverKind, found: &mut Found) -> rusqlite::Result<()> {
        while found.ids.len() < self.limit
            && let Some(end) = passed_over.again.first().copied()
        {
            if self.first_recent().is_some_and(|first| first < end.completed_at) {
                found.goes_on_in_recent = true;
                return Ok(());
            }
            // How many of the others are before it nobody knows, but all of them together mostly are few enough.
            if !self.is_old(end.completed_at) && passed_over.count > self.beyond {
                *passed_over = PassedOverKind::default();
                found.goes_on = !found.ids.is_empty();
                return Ok(());
            }
            passed_over.again.pop_first();
            match self.row(end)? {
                Some(row) => drop(self.take(&row, found)),
                None => passed_over.count = passed_over.count.saturating_sub(1),
            }
        }
        Ok(())
    }

    /// Looks at those behind the ones that were passed over.
    fn go_on(&self, passed_over: &mut PassedOverKind, found: &mut Found) -> rusqlite::Result<()> {
        let mut select = self.connection.prepare_cached(
            &self.select("completed_at >= ?1 AND (completed_at > ?1 OR number > ?2) ORDER BY completed_at, number"),
        )?;
        let EndPlace { completed_at, number } = passed_over.last.unwrap_or(EndPlace::FIRST);
        let mut rows = select.query([completed_at, number])?;
        let first_recent = self.first_recent();
        let mut looked_at = 0;
        while let Some(row) = rows.next()? {
            let row = EndedRow::read(row)?;
            if first_recent.is_some_and(|first| first < row.end.completed_at) {
                break;
            }
            // Those that are kept because somebody has still to be told have their places among the others.
            if !self.is_expired(row.end.completed_at, passed_over.count) {
                return Ok(());
            }
            passed_over.count += 1;
            if !self.take(&row, found) {
                passed_over.last = Some(row.end);
            }
            looked_at += 1;
            if found.ids.len() == self.limit {
                return Ok(());
            }
            if looked_at == ROWS_MAX {
                found.goes_on = true;
                return Ok(());
            }
        }
        // One that is earlier than some that were passed over has its place when it is there.
        let is_late = first_recent < passed_over.last.map(|last| last.completed_at);
        let passed = if is_late { 0 } else { passed_over.count };
        found.goes_on_in_recent = first_recent.is_some_and(|first| self.is_expired(first, passed));
        found.is_short = !found.goes_on_in_recent && passed_over.count < self.beyond;
        Ok(())
    }

    fn first_recent(&self) -> Option<i64> {
        self.recent.first_end(self.status).map(Time::as_micros)
    }

    fn is_old(&self, completed_at: i64) -> bool {
        self.before.is_some_and(|before| completed_at < before)
    }

    /// Whether one has expired that ended then, and that many before it.
    fn is_expired(&self, completed_at: i64, passed: u64) -> bool {
        self.is_old(completed_at) || passed < self.beyond
    }

    /// Takes one, unless it is kept because somebody has still to be told of it.
    fn take(&self, row: &EndedRow, found: &mut Found) -> bool {
        if row.is_untold && !self.recent.told().contains(&row.id) {
            return false;
        }
        found.places.push(Place { number: row.end.number, last: row.last });
        found.ids.push(row.id);
        true
    }

    fn row(&self, end: EndPlace) -> rusqlite::Result<Option<EndedRow>> {
        let mut select = self.connection.prepare_cached(&self.select("number = ?1"))?;
        select.query_row([end.number], EndedRow::read).optional()
    }

    /// With the status as a parameter it would be planned anew each time: whether some indices can be used depends on it.
    fn select(&self, which: &str) -> String {
        let is_untold = if self.keeps_untold { "EXISTS(SELECT 1 FROM untold WHERE untold.id = e.id)" } else { "0" };
        let status = code(self.status);
        format!(
            "SELECT number, id, last, completed_at, {is_untold} FROM executions e WHERE status = {status} \
             AND completed_at IS NOT NULL AND NOT EXISTS(SELECT 1 FROM heads WHERE heads.id = e.id) AND {which}"
        )
    }
}

impl EndedRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let end = EndPlace { number: row.get(0)?, completed_at: row.get(3)? };
        Ok(Self { end, id: super::summary::id(row, 1), last: row.get(2)?, is_untold: row.get(4)? })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::super::schema::{MIGRATIONS, migrate};
    use super::*;
    use crate::Expired;

    const UNTOLD: u64 = 10 * ROWS_MAX as u64 - 10;

    /// A journal with that many that have ended and that somebody is to be told of, and ten others that ended later.
    fn journal() -> (Connection, Ended) {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, MIGRATIONS).unwrap();
        let fill = format!(
            "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {UNTOLD} + 10) \
             INSERT INTO executions SELECT n, CAST(printf('%016d', n) AS BLOB), 1, '', 0, NULL, NULL, 0, 2, n, NULL, NULL, \
             0, 0, 0, 0, 0 FROM n; \
             INSERT INTO untold SELECT id FROM executions WHERE number <= {UNTOLD}; \
             UPDATE meta SET completed = {UNTOLD} + 10;"
        );
        connection.execute_batch(&fill).unwrap();
        let ended = Ended::read(&connection).unwrap();
        (connection, ended)
    }

    /// How many are forgotten, and in how many steps.
    fn purge(connection: &Connection, passed_over: &mut PassedOver, ended: &mut Ended, all_but: u64) -> (usize, u32) {
        let purge = Purge { keeps_untold: true, ..Purge::all(Expired { ended_before: None, all_but: Some(all_but) }) };
        let (reply, answer) = mpsc::sync_channel(1);
        let (mut task, mut steps) = (PurgeTask::new(purge, 100, reply), 0);
        while !task.is_over() {
            task.step(connection, (&Recent::default(), passed_over), ended).unwrap();
            steps += 1;
        }
        assert!(task.answer().is_none());
        (answer.recv().unwrap().unwrap().executions.len(), steps)
    }

    #[test]
    fn those_that_somebody_is_to_be_told_of_are_looked_through_once_and_a_few_at_a_time() {
        let (connection, mut ended) = journal();
        let mut passed_over = PassedOver::default();
        let mut purge = |all_but| purge(&connection, &mut passed_over, &mut ended, all_but);
        assert_eq!(purge(6), (4, 11), "ten steps to the others, and one that finds nothing more");
        assert_eq!(purge(6), (0, 1));
        assert_eq!(purge(3), (3, 2), "what comes next is found at once");
        assert_eq!(purge(UNTOLD), (0, 1));
    }
}
