//! Where the facts of executions are kept.
//!
//! A [`Journal`] belongs to one runtime at a time, which [claims](Journal::claim) it. It takes appends from the shards of
//! that runtime and tells each of them, by a watermark, how far its appends are durable. One acknowledgement covers a
//! whole batch: one per append would cost more than the append. What is kept can be read by anybody, at any time: by a
//! [`JournalReader`].
//!
//! [`MemoryJournal`] keeps everything in this process and is durable at once, which is to say not at all beyond it.
//! `SqliteJournal` (feature `sqlite`) keeps it in a file.
//!
//! Whoever writes another one finds the tests it must pass behind the feature `conformance`.

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "conformance")]
pub mod conformance;

mod append;
mod error;
mod filter;
#[cfg(feature = "_test")]
mod held;
mod kept;
mod memory;
mod purge;
mod reader;
#[cfg(feature = "sqlite")]
pub mod sqlite;

pub use append::{Append, Appended, Begins, Claim, Ends, Journal, Listener, Position, Released, Standing, Writer};
pub use error::{JournalError, OpenProblem};
pub use filter::Filter;
/// The number of a claim is the life that its runtime begins in what it recovers.
pub use finale_core::Epoch;
#[cfg(feature = "_test")]
pub use held::{Acknowledgement, HeldJournal};
pub use kept::{LiveExecution, Quarantine, StoredDefinition, Summary};
pub use memory::MemoryJournal;
pub use purge::{Expired, Purge, Purged};
pub use reader::{History, JournalReader, Waiting};
#[cfg(feature = "sqlite")]
pub use sqlite::{Durability, SqliteBuilder, SqliteJournal, SqliteReader, SqliteReaderBuilder, SqliteStats};
