//! Where the facts of executions are kept.
//!
//! A [`Journal`] takes appends from the shards of a runtime and tells each of them, by a watermark, how far its appends
//! are durable. One acknowledgement covers a whole batch: one per append would cost more than the append.
//!
//! [`MemoryJournal`] keeps everything in this process and is durable at once, which is to say not at all beyond it.
//! [`HeldJournal`] is for tests: its acknowledgements can be late, held back, or never come.

mod held;
mod memory;

pub use held::{Acknowledgement, HeldJournal};
pub use memory::MemoryJournal;

use std::fmt;
use std::sync::Arc;

use finale_core::ExecutionId;

/// Keeps the facts of executions.
///
/// It is shared by all shards of a runtime; each writes through a [`Writer`] of its own.
pub trait Journal: fmt::Debug + Send + Sync + 'static {
    /// Opens the way in for one shard; called once per shard, on the thread of that shard.
    ///
    /// `listener` is told about every append that [`Writer::append`] did not call durable itself.
    fn writer(&self, shard: u16, listener: Listener) -> Result<Box<dyn Writer>, JournalError>;

    /// All facts of one execution, encoded, in the order of their numbers; none if it is unknown or forgotten.
    ///
    /// Facts that were appended and are not durable yet are among them: an execution whose actor died is rebuilt from here.
    fn history(&self, execution: ExecutionId) -> Result<Option<Vec<u8>>, JournalError>;

    /// Ids of the executions that have not ended, in ascending order, beginning after `after`; at most `limit`.
    fn load(&self, after: Option<ExecutionId>, limit: usize) -> Result<Vec<ExecutionId>, JournalError>;

    /// Forgets executions that have ended; others and unknown ones are left alone.
    fn forget(&self, executions: &[ExecutionId]) -> Result<(), JournalError>;
}

/// The way of one shard into a journal.
pub trait Writer {
    /// Takes the facts of one turn, all or none of them.
    ///
    /// Positions grow by one with every append of this writer, beginning at 1.
    fn append(&mut self, append: Append<'_>) -> Result<Appended, JournalError>;
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
    /// Whether the last of them is the end of the execution.
    pub ends: bool,
}

/// What became of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its place among the appends of the writer.
    pub position: Position,
    /// Whether it is durable already; if not, the listener is told when it is.
    pub durable: bool,
}

/// A place among the appends of one writer. As a watermark: that one and all before it are durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

/// Told how far the appends of one writer are durable, from whatever thread.
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

/// Why a journal did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Writing failed; the journal takes nothing more, so that nothing is acknowledged that may be lost.
    #[error("the journal has failed and takes nothing more: {0}")]
    Failed(Arc<str>),
    /// The facts do not follow those that are there.
    #[error("execution {execution}: fact {expected} was due, not {found}")]
    Gap {
        /// Whose facts they are.
        execution: ExecutionId,
        /// The number that was due.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// The execution has ended: there are no facts after that.
    #[error("execution {0} has ended")]
    Ended(ExecutionId),
}
