//! Reading the facts of one execution, and whether they are what was written.

use finale_core::ExecutionId;
use rusqlite::{Connection, OptionalExtension};

use crate::{History, JournalError};

use super::batch::{Pending, Tip};
use super::chain;
use super::readers::View;
use super::recent::{Entry, Recent};
use super::summary::{COLUMNS, COMPLETED, ENDING, SummaryRow, bytes, tip};
use super::trouble::{damaged, reading};

/// What is wrong with an execution that is open, and whose summary is not found.
pub(super) const HIDDEN: &str = "it is open, and its summary is missing";

/// What the database says of one execution apart from its facts.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) number: i64,
    pub(super) status: u8,
    pub(super) quarantine: Option<crate::Quarantine>,
    /// Its facts in the tables.
    pub(super) tip: Tip,
    /// Number of its last fact, wherever that is.
    pub(super) sequence: u64,
    /// What is wrong with it.
    pub(super) problem: Option<&'static str>,
}

/// All facts that are kept of an execution; none if it is unknown. Those that are pending come after those that are
/// durable; some may be both.
pub(super) fn read(view: &View<'_>, execution: ExecutionId, pending: &[Pending]) -> History {
    read_known(view, execution, pending).map(|found| found.map(|(facts, _)| facts))
}

/// All facts of an execution, and what is durable of it, if anything is.
pub(super) type Found = (Vec<u8>, Option<Known>);

/// The same, with what is durable of the execution.
pub(super) fn read_known(
    view: &View<'_>,
    execution: ExecutionId,
    pending: &[Pending],
) -> Result<Option<Found>, JournalError> {
    let (mut facts, known) = match durable(view, execution)? {
        Some((facts, known)) => (facts, Some(known)),
        // Unknown; or it became durable, ended and was forgotten since the pending facts were copied.
        None if pending.first().is_none_or(|first| first.first_sequence > 1) => return Ok(None),
        None => (Vec::new(), None),
    };
    let durable = known.as_ref().map_or(0, |known| known.sequence);
    let mut sequence = durable;
    for more in pending.iter().skip_while(|more| more.first_sequence <= durable) {
        if more.first_sequence != sequence + 1 {
            return Err(damaged(execution, format!("fact {} is missing", sequence + 1)));
        }
        facts.extend_from_slice(&more.facts);
        sequence += u64::from(more.count);
    }
    Ok(Some((facts, known)))
}

/// What is known of an execution. A head that is no head of its facts is a problem as well.
pub(super) fn known(view: &View<'_>, execution: ExecutionId) -> rusqlite::Result<Option<Known>> {
    look(view, execution, true)
}

/// Whoever follows the facts back from the last one finds out by that whether they are those that the head names.
fn look(view: &View<'_>, execution: ExecutionId, checks_last: bool) -> rusqlite::Result<Option<Known>> {
    let entry = view.recent.get(execution);
    if let Some(entry) = entry.filter(|entry| entry.is_new()) {
        return Ok(Some(Known { number: entry.number, problem: None, ..Known::hidden() }.with(&view.recent, entry)));
    }
    let mut known = in_tables(view.connection, execution)?;
    if checks_last
        && let Some(known) = &mut known
        && known.problem.is_none()
        && !is_last(view.connection, known.number, known.tip)?
    {
        known.problem = Some("its last facts are not those that its head names");
    }
    // What is not in the tables yet goes on with what is there: if nothing is, that has rotted.
    Ok(match entry {
        Some(entry) => Some(known.unwrap_or(Known::hidden()).with(&view.recent, entry)),
        None => known,
    })
}

fn in_tables(connection: &Connection, execution: ExecutionId) -> rusqlite::Result<Option<Known>> {
    let select = format!("SELECT {COLUMNS} FROM executions e WHERE e.id = ?1");
    let mut statement = connection.prepare_cached(&select)?;
    let found = statement.query_row([bytes(&execution)], |row| Ok(Known::of(&SummaryRow::read(row)))).optional()?;
    let head = head(connection, execution)?;
    let Some(mut known) = found else {
        // An index that has rotted hides a summary. The head of an execution that is open tells that.
        return Ok(head.map(|(number, tip)| Known { number, tip, sequence: tip.sequence, ..Known::hidden() }));
    };
    match head {
        Some((number, tip)) => known.has_head(number, tip),
        None if known.status < COMPLETED => known.problem = Some("it is open, and its head is missing"),
        None => {}
    }
    Ok(Some(known))
}

impl Known {
    pub(super) const fn is_open(&self) -> bool {
        self.status < COMPLETED
    }

    fn of(row: &SummaryRow<'_>) -> Self {
        let problem = (!row.standing_intact).then_some("its summary is not what was written");
        let standing = &row.standing;
        Self {
            number: row.number,
            status: standing.status,
            quarantine: standing.quarantine(),
            tip: standing.tip,
            sequence: standing.tip.sequence,
            problem,
        }
    }

    /// With what is not in the tables yet.
    fn with(mut self, recent: &Recent, entry: &Entry) -> Self {
        if let Some(status) = entry.status() {
            self.status = status;
            self.quarantine = recent.quarantine(entry);
        }
        if entry.first_sequence > 0 {
            if entry.first_sequence != self.sequence + 1 && self.problem.is_none() {
                self.problem = Some("facts before its last ones are missing");
            }
            self.sequence = entry.last_sequence;
        }
        self
    }

    /// An execution that is open, and whose summary is not found.
    const fn hidden() -> Self {
        let tip = Tip { sequence: 0, chain: 0, last: 0 };
        Self { number: 0, status: ENDING, quarantine: None, tip, sequence: 0, problem: Some(HIDDEN) }
    }

    fn has_head(&mut self, number: i64, tip: Tip) {
        (self.tip, self.sequence) = (tip, tip.sequence);
        if number != self.number || self.status >= COMPLETED {
            // The head is what says that it is open.
            self.status = self.status.min(ENDING);
            self.problem = Some("its head and its summary contradict each other");
        }
    }
}

/// One row of facts, as it lies in the bytes that were read so far.
struct Link {
    first_sequence: u64,
    count: u32,
    chain: u64,
    start: usize,
}

fn durable(view: &View<'_>, execution: ExecutionId) -> Result<Option<(Vec<u8>, Known)>, JournalError> {
    let Some(known) = look(view, execution, false).map_err(|error| reading(execution, &error))? else {
        return Ok(None);
    };
    if let Some(problem) = known.problem {
        return Err(damaged(execution, problem));
    }
    let (mut facts, _) = follow(view.connection, execution, &known)?;
    if let Some(entry) = view.recent.get(execution) {
        let mut appends = Vec::new();
        view.recent.facts(entry, &mut appends);
        appends.iter().for_each(|(_, _, more)| facts.extend_from_slice(more));
    }
    Ok(Some((facts, known)))
}

/// Follows the rows back from the newest, then checks them in the order in which they were written.
fn follow(connection: &Connection, execution: ExecutionId, known: &Known) -> Result<(Vec<u8>, u64), JournalError> {
    let (mut links, mut backward) = (Vec::new(), Vec::new());
    let mut place = known.tip.last;
    while place != 0 {
        let (link, previous) = link(connection, place, known.number, &mut backward)
            .map_err(|error| reading(execution, &error))?
            .ok_or_else(|| damaged(execution, "facts are missing"))?;
        links.push(link);
        if previous >= place {
            return Err(damaged(execution, "facts are out of order"));
        }
        place = previous;
    }
    forward(execution, &links, &backward, known.tip)
}

fn forward(execution: ExecutionId, links: &[Link], backward: &[u8], tip: Tip) -> Result<(Vec<u8>, u64), JournalError> {
    let mut facts = Vec::with_capacity(backward.len());
    let (mut sequence, mut chain, mut end) = (0u64, 0, links.len());
    for link in links.iter().rev() {
        let stop = links.get(end).map_or(backward.len(), |next| next.start);
        let bytes = &backward[link.start..stop];
        end -= 1;
        chain = chain::link(chain, execution, link.first_sequence, link.count, bytes);
        if link.first_sequence != sequence + 1 || link.chain != chain {
            return Err(damaged(execution, format!("fact {} is not what was written", sequence + 1)));
        }
        sequence += u64::from(link.count);
        facts.extend_from_slice(bytes);
    }
    let whole = (sequence, chain) == (tip.sequence, tip.chain);
    if whole { Ok((facts, sequence)) } else { Err(damaged(execution, "its last facts are missing")) }
}

/// Reads one row, if it is of that execution; its facts come after those in `bytes`.
fn link(
    connection: &Connection,
    place: i64,
    number: i64,
    bytes: &mut Vec<u8>,
) -> rusqlite::Result<Option<(Link, i64)>> {
    let mut select = connection.prepare_cached(
        "SELECT previous, sequence, count, chain, facts FROM facts WHERE place = ?1 AND execution = ?2",
    )?;
    let read = |row: &rusqlite::Row<'_>| {
        let start = bytes.len();
        bytes.extend_from_slice(row.get_ref(4)?.as_blob()?);
        let (first_sequence, chain) = (row.get::<_, i64>(1)? as u64, row.get::<_, i64>(3)? as u64);
        Ok((Link { first_sequence, count: row.get(2)?, chain, start }, row.get(0)?))
    };
    select.query_row([place, number], read).optional()
}

pub(super) fn head(connection: &Connection, execution: ExecutionId) -> rusqlite::Result<Option<(i64, Tip)>> {
    let mut select = connection.prepare_cached("SELECT number, sequence, chain, last FROM heads WHERE id = ?1")?;
    select.query_row([bytes(&execution)], |row| Ok((row.get(0)?, tip(row, 1)))).optional()
}

/// Whether the row that a tip names ends where the tip says.
fn is_last(connection: &Connection, number: i64, tip: Tip) -> rusqlite::Result<bool> {
    let mut select = connection
        .prepare_cached("SELECT sequence + count - 1, chain FROM facts WHERE place = ?1 AND execution = ?2")?;
    let found = select.query_row([tip.last, number], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok(found == Some((tip.sequence as i64, tip.chain as i64)))
}
