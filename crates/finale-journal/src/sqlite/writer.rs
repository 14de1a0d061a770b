//! The way of one shard into the journal.

use std::sync::Arc;

use finale_core::{ExecutionId, Time};

use crate::{
    Append, Appended, Begins, Ends, Epoch, JournalError, Listener, Position, Quarantine, Standing, StoredDefinition,
    Writer,
};

use super::Owner;
use super::batch::{Begin, Change, Facts, Stand, Ticket};
use super::head::Head;
use super::heads::Heads;
use super::queue::Entrance;
use super::summary::{ENDING, FAILED, RUNNING, code};
use super::watermark::WriterEnd;

/// How many executions are forgotten in one step, and so at least in one transaction.
const FORGET_AT_ONCE: usize = 256;

pub(super) struct SqliteWriter {
    owner: Arc<Owner>,
    end: Arc<WriterEnd>,
    heads: Heads,
    position: Position,
}

/// How an execution ends, with what only a write-off has.
struct End<'a> {
    at: Time,
    error: Option<&'a str>,
    to_tell: bool,
    reseal: bool,
}

impl SqliteWriter {
    pub(super) fn open(owner: Arc<Owner>, epoch: Epoch, listener: Listener) -> Result<Self, JournalError> {
        let end = owner.shared.queue.register(epoch, listener)?;
        // What an earlier writer of this claim wrote is read from the database.
        owner.flush()?;
        let newest = owner.shared.readers.newest()?;
        Ok(Self { owner, end, heads: Heads::after(newest), position: Position(0) })
    }

    /// Puts something in; none of it is in if that fails.
    fn enter<'a>(
        owner: &'a Owner,
        end: &WriterEnd,
        position: Position,
    ) -> Result<(Entrance<'a>, Position), JournalError> {
        let position = Position(position.0 + 1);
        let entrance = owner.shared.queue.enter(end.epoch, Ticket { slot: end.slot, position })?;
        Ok((entrance, position))
    }

    fn appended(&mut self, position: Position) -> Appended {
        self.position = position;
        Appended { position, durable: false }
    }

    /// Puts in one change, or none.
    fn put(&mut self, change: impl FnOnce(&mut Entrance<'_>) -> Change) -> Result<Appended, JournalError> {
        let (mut entrance, position) = Self::enter(&self.owner, &self.end, self.position)?;
        let change = change(&mut entrance);
        entrance.put(change);
        entrance.close();
        Ok(self.appended(position))
    }

    /// Where an execution that is open stands; none if it has ended or is unknown.
    fn open_head(&mut self, execution: ExecutionId) -> Result<Option<Head>, JournalError> {
        self.owner.shared.queue.check(self.end.epoch)?;
        self.heads.let_go(self.end.durable(), &self.owner.shared.found);
        let head = self.heads.get(execution, &self.owner.shared)?;
        Ok(head.filter(|head| !head.has_ended()).cloned())
    }

    /// Puts in where an execution stands now.
    fn stand(&mut self, execution: ExecutionId, head: Head, end: Option<&End<'_>>) -> Result<Appended, JournalError> {
        let appended = self.put(|entrance| Change::Stand(stand(entrance, execution, &head, end)))?;
        self.heads.put(execution, head, appended.position);
        Ok(appended)
    }
}

impl Writer for SqliteWriter {
    fn append(&mut self, append: Append<'_>) -> Result<Appended, JournalError> {
        debug_assert!(append.count > 0, "an append has facts");
        self.owner.shared.queue.check(self.end.epoch)?;
        self.heads.let_go(self.end.durable(), &self.owner.shared.found);
        let execution = append.execution;
        let before = self.heads.check(&append, &self.owner.shared)?;
        let old = before.cloned();
        let (mut entrance, position) = Self::enter(&self.owner, &self.end, self.position)?;
        let number = match (&old, &append.begins) {
            (Some(head), _) => head.number,
            (None, begins) => begin(&mut entrance, execution, begins.as_ref()),
        };
        put_facts(&mut entrance, &append, number);
        let head = put_standing(&mut entrance, &append, number, old);
        entrance.close();
        self.heads.put(execution, head, position);
        Ok(self.appended(position))
    }

    fn quarantine(
        &mut self,
        execution: ExecutionId,
        quarantine: Option<&Quarantine>,
    ) -> Result<Appended, JournalError> {
        let Some(mut head) = self.open_head(execution)? else {
            return self.put(|_| Change::Nothing);
        };
        head.quarantine = quarantine.cloned().map(Box::new);
        self.stand(execution, head, None)
    }

    fn write_off(
        &mut self,
        execution: ExecutionId,
        at: Time,
        error: &str,
        to_tell: bool,
    ) -> Result<Appended, JournalError> {
        let Some(mut head) = self.open_head(execution)? else {
            return self.put(|_| Change::Nothing);
        };
        let end = End { at, error: Some(error), to_tell, reseal: true };
        (head.status, head.quarantine) = (FAILED, None);
        self.stand(execution, head, Some(&end))
    }

    fn forget(&mut self, executions: &[ExecutionId]) -> Result<Appended, JournalError> {
        let (mut entrance, position) = Self::enter(&self.owner, &self.end, self.position)?;
        if executions.is_empty() {
            entrance.put(Change::Nothing);
        }
        for some in executions.chunks(FORGET_AT_ONCE) {
            entrance.put(Change::Forget(some.into()));
        }
        entrance.close();
        Ok(self.appended(position))
    }

    fn told(&mut self, executions: &[ExecutionId]) -> Result<Appended, JournalError> {
        if executions.is_empty() {
            return self.put(|_| Change::Nothing);
        }
        self.put(|_| Change::Told(executions.into()))
    }

    fn is_full(&self) -> bool {
        self.owner.shared.queue.waiting_bytes() > self.owner.shared.queue_bytes_max
    }
}

/// Puts in that an execution begins; gives its number.
fn begin(entrance: &mut Entrance<'_>, id: ExecutionId, begins: Option<&Begins<'_>>) -> i64 {
    let number = entrance.next_number();
    // Facts that begin nothing were refused before.
    let Some(begins) = begins else {
        return number;
    };
    let definition = define(entrance, begins.definition);
    let by = entrance.keep(begins.by.as_bytes());
    let idempotency_key = entrance.keep_text(begins.idempotency_key);
    let business_key = entrance.keep_text(begins.business_key);
    entrance.put(Change::Begin(Begin { id, number, definition, by, at: begins.at, idempotency_key, business_key }));
    number
}

fn define(entrance: &mut Entrance<'_>, definition: &StoredDefinition) -> i64 {
    let (number, is_new) = entrance.definition(definition.hash);
    if is_new {
        entrance.put(Change::Define(Box::new((number, definition.clone()))));
    }
    number
}

fn put_facts(entrance: &mut Entrance<'_>, append: &Append<'_>, number: i64) {
    let Append { execution: id, first_sequence, count, .. } = *append;
    let facts = entrance.keep(append.facts);
    entrance.put(Change::Facts(Facts { id, number, first_sequence, count, facts }));
}

/// Puts in where the execution stands after an append, if it stands elsewhere.
fn put_standing(entrance: &mut Entrance<'_>, append: &Append<'_>, number: i64, old: Option<Head>) -> Head {
    let was = old.as_ref().map_or(RUNNING, |head| head.status);
    let quarantine = old.and_then(|head| head.quarantine);
    let sequence = append.first_sequence + u64::from(append.count) - 1;
    let mut head = Head { number, status: RUNNING, sequence, quarantine, problem: None };
    let end = match append.standing {
        Standing::Running => None,
        Standing::Ending => {
            head.status = ENDING;
            None
        }
        Standing::Ended(Ends { status, at, error, to_tell }) => {
            (head.status, head.quarantine) = (code(status), None);
            Some(End { at, error, to_tell, reseal: false })
        }
    };
    if head.status != was {
        let change = stand(entrance, append.execution, &head, end.as_ref());
        entrance.put(Change::Stand(change));
    }
    head
}

fn stand(entrance: &mut Entrance<'_>, id: ExecutionId, head: &Head, end: Option<&End<'_>>) -> Stand {
    let quarantine = head.quarantine.as_deref();
    Stand {
        id,
        number: head.number,
        status: head.status,
        completed_at: end.map(|end| end.at),
        error: entrance.keep_text(end.and_then(|end| end.error)),
        quarantine: entrance.keep_text(quarantine.map(|quarantine| quarantine.reason.as_str())),
        until_released: quarantine.is_some_and(|quarantine| quarantine.until_released),
        to_tell: end.is_some_and(|end| end.to_tell),
        reseal: end.is_some_and(|end| end.reseal),
    }
}
