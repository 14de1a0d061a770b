//! The journal in a SQLite file.
//!
//! What was acknowledged is there after a crash of the process and, with [`Durability::Full`], after a power loss. A
//! history that has rotted is reported as [`Damaged`](crate::JournalError::Damaged), never returned. A summary that has
//! rotted shows as quarantined with the reason, even if it says that the execution has ended: nothing that it says can be
//! trusted. Such an execution takes no more facts, and can be written off and then forgotten. Rot in an index can hide an
//! execution from a list; `PRAGMA integrity_check` finds it.
//!
//! Beside the database lie SQLite's own files (`-wal`, `-shm`), the lock of the process that owns it (`-lock`) and a mark
//! of how far it was durable (`-mark`). A copy of the database alone is a whole journal after it was released, or while no
//! process has it; [`SqliteJournal::backup`] makes one at any time.
//!
//! One process owns it. The lock is on the database itself, whatever that is called; should another owner get in all the
//! same, the older one finds the token of the newer claim in the database file before it acknowledges anything more. Files
//! that are moved, replaced, deleted or cut off under it are noticed within a second.
//!
//! What waits is bounded by [`SqliteBuilder::queue_bytes_max`]. Memory is needed for executions that are open, not for
//! those that have ended. Room that was forgotten is used again, and given back when much of the file is free.
//! Definitions stay for ever.

mod activity;
mod backup;
mod batch;
mod begun;
mod below_log;
mod chain;
mod checkpoint;
mod committer;
mod connection;
mod ended;
#[cfg(feature = "_test")]
mod faults;
#[cfg(not(feature = "_test"))]
#[path = "no_faults.rs"]
mod faults;
mod fence;
mod files;
mod forget;
mod found_heads;
mod handle;
mod head;
mod heads;
mod history;
mod identity;
mod list;
mod lock;
mod mark;
mod merge;
mod network;
mod open;
mod pace;
mod passed_over;
mod private;
mod purge;
mod queue;
mod read;
mod reader;
mod readers;
mod recent;
mod recent_cache;
mod record;
mod schema;
mod shared;
mod stats;
mod summary;
mod transaction;
mod trouble;
mod vacuum;
mod version;
mod watch;
mod watermark;
mod writer;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, ThreadId};
use std::time::Duration;

use finale_core::fact::Terminal;
use finale_core::{DefinitionHash, ExecutionId, Time};

use crate::{
    Claim, Epoch, Filter, History, Journal, JournalError, JournalReader, Listener, LiveExecution, Purge, Purged,
    Released, StoredDefinition, Summary, Waiting, Writer,
};

#[cfg(feature = "_test")]
pub use faults::SqliteFaults;
pub use open::SqliteBuilder;
pub use reader::{SqliteReader, SqliteReaderBuilder};
pub use stats::SqliteStats;

use batch::Change;
use history::Known;
use shared::Shared;
use writer::SqliteWriter;

/// How long the last handle waits for what it has written: a disk that is stuck must not hang the application.
const CLOSE: Duration = Duration::from_secs(5);

/// What an acknowledgement survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// The loss of power: the disk is synced with each commit, before anything is acknowledged.
    #[default]
    Full,
    /// The death of the process, however it dies, but not the loss of power: that may take the last seconds with it.
    /// Then nobody can tell such a loss from rot at the end of the log, either.
    Relaxed,
}

/// Keeps everything in a SQLite file.
///
/// One process owns it; [`SqliteReader`] reads it from others. A clone is the same journal. When the last handle is
/// dropped, writers included, what was written becomes durable and the file is free; that is waited for, but not for
/// more than five seconds.
///
/// ```no_run
/// use finale_journal::{Durability, SqliteJournal};
///
/// let journal = SqliteJournal::builder("orders.finale").durability(Durability::Relaxed).open()?;
/// assert_eq!(journal.stats().waiting_bytes, 0);
/// # Ok::<(), finale_journal::JournalError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SqliteJournal(Arc<Owner>);

impl SqliteJournal {
    /// Opens the journal in a file, and creates it if there is none; its folder must be there.
    ///
    /// # Errors
    /// [`JournalError::Open`] says which file could not be opened and why.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, JournalError> {
        Self::builder(path).open()
    }

    /// Opens the journal in a file, with options.
    pub fn builder(path: impl AsRef<Path>) -> SqliteBuilder {
        SqliteBuilder::new(path.as_ref())
    }

    /// Copies the journal as it is now into a new file; it goes on meanwhile.
    ///
    /// Everything that was acknowledged before is in the copy. The copy is checked, is on the disk when this returns, and
    /// opens like any journal: to a runtime on it, the one that is at work now has crashed at that moment. The call blocks
    /// until the whole file is read and written: use a thread on which that is allowed. Until then the log can only grow.
    ///
    /// # Errors
    /// [`JournalError::Backup`] when there is such a file already, it cannot be written, or the journal is damaged.
    pub fn backup(&self, to: impl AsRef<Path>) -> Result<(), JournalError> {
        self.0.shared.readers.with(|connection| backup::copy(connection, to.as_ref()))
    }

    /// What it has done since it was opened, added up over all shards.
    pub fn stats(&self) -> SqliteStats {
        self.0.shared.counters.read(self.0.shared.queue.waiting_bytes())
    }
}

impl Journal for SqliteJournal {
    fn claim(&self) -> Result<Claim, JournalError> {
        self.0.ask(|reply| self.0.shared.queue.claim(Change::Claim(reply)))
    }

    fn writer(&self, epoch: Epoch, _shard: u16, listener: Listener) -> Result<Box<dyn Writer>, JournalError> {
        Ok(Box::new(SqliteWriter::open(Arc::clone(&self.0), epoch, listener)?))
    }

    fn purge(&self, epoch: Epoch, purge: &Purge, limit: usize) -> Result<Purged, JournalError> {
        self.0.shared.queue.check(epoch)?;
        self.0.ask(|reply| self.0.shared.queue.put(Change::Purge(epoch, Box::new((*purge, limit)), reply)))
    }

    fn release(&self, epoch: Epoch) -> Result<Released, JournalError> {
        self.0.ask(|reply| self.0.shared.queue.put(Change::Release(epoch, reply)))
    }
}

impl JournalReader for SqliteJournal {
    fn history(&self, execution: ExecutionId) -> Result<Option<Vec<u8>>, JournalError> {
        // In this order: what becomes durable in between is found twice, rather than not at all.
        let pending = self.0.shared.queue.pending(execution);
        self.0.shared.readers.view(|view| history::read(view, execution, &pending))
    }

    fn histories(&self, executions: &[ExecutionId], take: &mut dyn FnMut(ExecutionId, History)) {
        let shared = &self.0.shared;
        let announcement = shared.found.announce(executions);
        let pending = shared.queue.pending_of(executions);
        let mut open = Vec::new();
        shared.readers.histories_with(executions, &pending, &mut |known, execution, history| {
            open.extend(known.filter(Known::is_open).map(|known| (execution, known.into())));
            take(execution, history);
        });
        shared.found.leave(announcement, executions, open);
    }

    fn definition(&self, hash: DefinitionHash) -> Result<Option<StoredDefinition>, JournalError> {
        self.0.shared.readers.definition(hash)
    }

    fn live(&self, after: Option<ExecutionId>, limit: usize) -> Result<Vec<LiveExecution>, JournalError> {
        self.0.shared.readers.live(after, limit)
    }

    fn summary(&self, execution: ExecutionId) -> Result<Option<Summary>, JournalError> {
        self.0.shared.readers.summary(execution)
    }

    fn list(&self, filter: &Filter) -> Result<Vec<Summary>, JournalError> {
        self.0.shared.readers.list(filter)
    }

    fn keyed(&self, idempotency_key: &str) -> Result<Option<ExecutionId>, JournalError> {
        self.0.shared.readers.keyed(idempotency_key)
    }

    fn first_end(&self, status: Terminal) -> Result<Option<Time>, JournalError> {
        self.0.shared.readers.first_end(status)
    }

    fn untold(&self, after: Option<ExecutionId>, limit: usize) -> Result<Vec<ExecutionId>, JournalError> {
        self.0.shared.readers.untold(after, limit)
    }

    fn health(&self) -> Result<(), JournalError> {
        self.0.shared.queue.health()?;
        self.0.shared.readers.damage()
    }

    fn waiting(&self) -> Option<Waiting> {
        self.0.shared.activities.waiting()
    }
}

/// All handles of one journal.
struct Owner {
    shared: Arc<Shared>,
    committer: ThreadId,
}

impl Owner {
    /// Waits until everything that was written before is durable.
    fn flush(&self) -> Result<(), JournalError> {
        self.ask(|reply| self.shared.queue.put(Change::Flush(reply)))
    }

    /// Asks the committer, and waits for its answer.
    fn ask<T>(
        &self,
        put: impl FnOnce(SyncSender<Result<T, JournalError>>) -> Result<(), JournalError>,
    ) -> Result<T, JournalError> {
        let (reply, answer) = sync_channel(1);
        put(reply)?;
        answer.recv().unwrap_or_else(|_| {
            self.shared.queue.health()?;
            Err(trouble::failed("its thread has ended"))
        })
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owner").field("stats", &self.shared.counters).finish_non_exhaustive()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.readers.close();
        self.shared.queue.close();
        // A listener may hold the last handle, and is called on the thread that would be waited for.
        if thread::current().id() != self.committer {
            self.shared.ended.wait(CLOSE);
        }
    }
}
