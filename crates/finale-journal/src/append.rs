//! The way in: claiming a journal, and writing to it.

use std::fmt;
use std::sync::Arc;

use finale_core::fact::Terminal;
use finale_core::{Epoch, ExecutionId, Time};

use crate::{JournalError, JournalReader, Purge, Purged, Quarantine, StoredDefinition};

/// Keeps the facts of executions.
///
/// It is shared by all shards of a runtime; each writes through a [`Writer`] of its own.
pub trait Journal: JournalReader {
    /// Takes the journal for a runtime that starts. Whoever had it before is fenced: its writers are refused from now on.
    ///
    /// What they had appended before and was not durable yet may still become durable, before this returns.
    fn claim(&self) -> Result<Claim, JournalError>;

    /// Opens the way in for one shard; called once per shard, on the thread of that shard.
    ///
    /// `listener` is told about every append that [`Writer::append`] did not call durable itself.
    ///
    /// # Errors
    /// [`JournalError::Fenced`] when somebody else has claimed the journal since.
    fn writer(&self, epoch: Epoch, shard: u16, listener: Listener) -> Result<Box<dyn Writer>, JournalError>;

    /// Forgets executions that have ended and expired, at most `limit`, for the runtime with this claim. Executions that
    /// ended differently take turns. When this returns, whatever is acknowledged later is lost before any of it is back.
    ///
    /// It takes as long as other work leaves it: it is for a thread of its own, and never for that of a shard. To forget
    /// everything that has expired, call it as long as [`Purged::more`] says so.
    ///
    /// # Errors
    /// [`JournalError::Fenced`] when somebody else has claimed the journal since.
    fn purge(&self, epoch: Epoch, purge: &Purge, limit: usize) -> Result<Purged, JournalError>;

    /// Says that the runtime with this claim has ended in order: what it left at work was not lost in a crash.
    ///
    /// Its writers are not used any more. Changes nothing if somebody else has claimed the journal since. A journal that
    /// lives in files leaves them so that they can be copied; that can take as long as the disk does, so it is not to be
    /// called where nothing may block.
    fn release(&self, epoch: Epoch) -> Result<Released, JournalError>;
}

/// The way of one shard into a journal.
///
/// Everything written takes the next [`Position`], beginning at 1, and becomes durable in that order.
pub trait Writer {
    /// Takes the facts of one turn, all or none of them, with what changes in the summary of their execution.
    ///
    /// # Errors
    /// [`JournalError::Gap`] and [`JournalError::Ended`] say that the facts do not follow those that are there, and
    /// [`JournalError::Damaged`] that those that are there have rotted. They take no position, and concern this execution
    /// alone. After any other error nothing is taken any more.
    fn append(&mut self, append: Append<'_>) -> Result<Appended, JournalError>;

    /// Marks an execution as quarantined, or as not quarantined any more. Changes nothing if it has ended or is unknown.
    fn quarantine(&mut self, execution: ExecutionId, quarantine: Option<&Quarantine>)
    -> Result<Appended, JournalError>;

    /// Ends an execution whose facts cannot be read: it counts as failed, at that time and with that error. The facts
    /// stay as they are. Changes nothing if it has ended or is unknown. `to_tell` is that of [`Ends::to_tell`].
    fn write_off(
        &mut self,
        execution: ExecutionId,
        at: Time,
        error: &str,
        to_tell: bool,
    ) -> Result<Appended, JournalError>;

    /// Notes that everybody was told of the ends of these executions: they are not [untold](JournalReader::untold) any
    /// more. Others, and unknown ones, are left alone.
    fn told(&mut self, executions: &[ExecutionId]) -> Result<Appended, JournalError>;

    /// Forgets executions that have ended; others and unknown ones are left alone.
    fn forget(&mut self, executions: &[ExecutionId]) -> Result<Appended, JournalError>;

    /// Whether so much waits to become durable that it is better to write nothing more for now. Whoever writes all the
    /// same is not refused; who waits is told by the next watermark.
    fn is_full(&self) -> bool {
        false
    }
}

/// What a runtime that claimed a journal needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The number of this claim, from 1; each is greater than all before it.
    pub epoch: Epoch,
    /// Whether the runtime before this one did not end in order.
    pub crashed: bool,
}

/// How a journal was left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Released {
    /// Whether everything is in the one file that the journal is named by, so that a copy of that file is a whole journal.
    /// False if somebody who reads kept it from that. None if the journal is no file, or was not released.
    pub in_one_file: Option<bool>,
}

/// The facts of one turn of one execution.
#[derive(Clone, Copy, Debug)]
pub struct Append<'a> {
    /// Whose facts they are.
    pub execution: ExecutionId,
    /// Number of the first of them; facts of an execution are numbered from 1 without gaps.
    pub first_sequence: u64,
    /// How many they are; at least 1.
    pub count: u32,
    /// The facts, encoded.
    pub facts: &'a [u8],
    /// What is to be known of the execution; with its first fact, and only then.
    pub begins: Option<Begins<'a>>,
    /// Where the execution is after these facts.
    pub standing: Standing<'a>,
}

/// What is to be known of an execution from its beginning.
#[derive(Clone, Copy, Debug)]
pub struct Begins<'a> {
    /// What it runs; kept once for all executions that run the same.
    pub definition: &'a StoredDefinition,
    /// Who activated it.
    pub by: &'a str,
    /// When.
    pub at: Time,
    /// What a second activation of the same thing is known by.
    pub idempotency_key: Option<&'a str>,
    /// What people find it by.
    pub business_key: Option<&'a str>,
}

/// Where an execution is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing<'a> {
    /// It goes on.
    Running,
    /// Its end is decided.
    Ending,
    /// It is over.
    Ended(Ends<'a>),
}

/// How an execution ended, for its summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends<'a> {
    /// As what.
    pub status: Terminal,
    /// When.
    pub at: Time,
    /// Why it failed, if it did.
    pub error: Option<&'a str>,
    /// Whether somebody has still to be told of the end. The journal keeps that with the end, all or nothing, until
    /// [`Writer::told`] or until the execution is forgotten; where nobody is to be told it keeps nothing.
    pub to_tell: bool,
}

/// What became of something that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its place among what the writer has written.
    pub position: Position,
    /// Whether it is durable already; if not, the listener is told when it is.
    pub durable: bool,
}

/// A place among what one writer has written. As a watermark: that one and all before it are durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

/// Told how far what one writer has written is durable, from whatever thread.
#[derive(Clone)]
pub struct Listener(Arc<dyn Fn(Result<Position, JournalError>) + Send + Sync>);

impl Listener {
    /// A listener that calls `tell` with each new watermark, or with the error after which none will come.
    pub fn new(tell: impl Fn(Result<Position, JournalError>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// Tells a new watermark, or that no more will come.
    pub fn tell(&self, watermark: Result<Position, JournalError>) {
        (self.0)(watermark);
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }
}
