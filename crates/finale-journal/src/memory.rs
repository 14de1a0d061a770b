//! The in-memory journal: encoded facts, one log for each open execution, and chunks of those that have ended.

mod arena;
mod by_status;
mod ended;
mod kept;
mod purge;
mod read;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use finale_core::fact::Terminal;
use finale_core::{DefinitionHash, ExecutionId, Time};
use rustc_hash::FxHashMap;

use crate::{
    Append, Appended, Begins, Claim, Ends, Epoch, Journal, JournalError, Listener, Position, Purge, Purged, Quarantine,
    Released, StoredDefinition, Writer,
};

use arena::Arena;

/// Keeps everything in this process; what was acknowledged is gone when the process is.
///
/// A clone is the same journal. Of executions that have ended it keeps the newest, and those of whose ends somebody has
/// [still to be told](Ends::to_tell); see [`MemoryJournal::keeping`].
///
/// ```
/// use finale_journal::{Filter, Journal, JournalReader, MemoryJournal};
///
/// let journal = MemoryJournal::new();
/// let first = journal.clone().claim()?;
/// assert!(!first.crashed);
/// assert!(journal.claim()?.crashed, "the first claim was not released");
/// assert!(journal.list(&Filter::new())?.is_empty());
/// # Ok::<(), finale_journal::JournalError>(())
/// ```
#[derive(Clone, Debug)]
pub struct MemoryJournal(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// The newest claim; read with every append, changed with every claim.
    epoch: AtomicU32,
    /// Whether the newest claim was not released.
    claimed: Mutex<bool>,
    /// One arena per writer, so that shards do not wait for each other. Locked as long as somebody reads: nothing moves
    /// from one to another meanwhile, but from the first one, which is read first.
    arenas: RwLock<Vec<Arc<Mutex<Arena>>>>,
    ended_max: usize,
    definitions: RwLock<FxHashMap<DefinitionHash, StoredDefinition>>,
    keys: Mutex<FxHashMap<Box<str>, ExecutionId>>,
}

impl Default for MemoryJournal {
    fn default() -> Self {
        Self::keeping(10_000)
    }
}

impl MemoryJournal {
    /// An empty journal that keeps about 10,000 executions that have ended.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty journal that keeps about that many executions that have ended, those that ended last; default 10,000. Those
    /// of whose ends somebody has still to be told are kept beside them.
    pub fn keeping(ended_max: usize) -> Self {
        Self(Arc::new(Inner {
            epoch: AtomicU32::new(0),
            claimed: Mutex::new(false),
            arenas: RwLock::default(),
            ended_max,
            definitions: RwLock::default(),
            keys: Mutex::default(),
        }))
    }
}

/// What the journal for tests is made with.
#[cfg(feature = "_test")]
impl MemoryJournal {
    /// Refuses the writers there are from now on.
    pub(crate) fn fence(&self) {
        self.0.epoch.fetch_add(1, Ordering::AcqRel);
    }

    /// Holds what the other one holds, and nothing else.
    pub(crate) fn become_copy_of(&self, other: &Self) {
        let copies = other.0.arenas().iter().map(|arena| Arc::new(Mutex::new(lock(arena).clone()))).collect();
        *self.0.arenas_mut() = copies;
        let keys = lock(&other.0.keys).clone();
        *lock(&self.0.keys) = keys;
    }

    /// Forgets executions that have ended, whoever has claimed the journal.
    pub(crate) fn forget(&self, executions: &[ExecutionId]) {
        self.0.forget(executions);
    }

    /// Damages what is kept of an execution, for tests of what happens then.
    pub(crate) fn damage(&self, execution: ExecutionId) {
        self.0.arenas().iter().for_each(|arena| lock(arena).damage(execution));
    }
}

impl Inner {
    fn arenas(&self) -> RwLockReadGuard<'_, Vec<Arc<Mutex<Arena>>>> {
        self.arenas.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn arenas_mut(&self) -> RwLockWriteGuard<'_, Vec<Arc<Mutex<Arena>>>> {
        self.arenas.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(&self, epoch: Epoch) -> Result<(), JournalError> {
        let current = Epoch(self.epoch.load(Ordering::Acquire));
        if epoch == current { Ok(()) } else { Err(JournalError::Fenced { epoch, current }) }
    }

    fn begins(&self, execution: ExecutionId, begins: &Begins<'_>) {
        let definition = begins.definition;
        let known = self.definitions.read().unwrap_or_else(PoisonError::into_inner).contains_key(&definition.hash);
        if !known {
            let mut definitions = self.definitions.write().unwrap_or_else(PoisonError::into_inner);
            definitions.insert(definition.hash, definition.clone());
        }
        if let Some(key) = begins.idempotency_key {
            lock(&self.keys).insert(key.into(), execution);
        }
    }

    fn forget(&self, executions: &[ExecutionId]) {
        // An execution that has ended may lie in the arena of any shard. One lock at a time: others may forget as well.
        let forgotten = self.arenas().iter().flat_map(|arena| lock(arena).forget(executions)).collect();
        self.forget_keys(forgotten);
    }

    fn told(&self, executions: &[ExecutionId]) {
        self.arenas().iter().for_each(|arena| lock(arena).told(executions));
    }

    fn forget_keys(&self, keys: Vec<(Box<str>, ExecutionId)>) {
        if keys.is_empty() {
            return;
        }
        let mut known = lock(&self.keys);
        for (key, execution) in keys {
            // The same key may stand for a newer execution already.
            if known.get(&key) == Some(&execution) {
                known.remove(&key);
            }
        }
    }
}

impl Journal for MemoryJournal {
    fn claim(&self) -> Result<Claim, JournalError> {
        // Held to the end, so that claims and releases come one after the other.
        let mut claimed = lock(&self.0.claimed);
        let crashed = std::mem::replace(&mut *claimed, true);
        let epoch = Epoch(self.0.epoch.fetch_add(1, Ordering::AcqRel) + 1);
        // The shards of the new owner may be others: everything begins in one arena, and is taken from there.
        let mut arenas = self.0.arenas_mut();
        let mut merged = arenas.drain(..).fold(Arena::default(), |merged, arena| merged.and(&mut lock(&arena)));
        // Now, when nobody writes yet, and not under the eyes of somebody who does.
        merged.sort();
        arenas.push(Arc::new(Mutex::new(merged)));
        Ok(Claim { epoch, crashed })
    }

    fn writer(&self, epoch: Epoch, _shard: u16, _listener: Listener) -> Result<Box<dyn Writer>, JournalError> {
        Ok(Box::new(self.memory_writer(epoch)?))
    }

    fn purge(&self, epoch: Epoch, purge: &Purge, limit: usize) -> Result<Purged, JournalError> {
        self.0.check(epoch)?;
        Ok(self.0.purge(purge, limit))
    }

    fn release(&self, epoch: Epoch) -> Result<Released, JournalError> {
        let mut claimed = lock(&self.0.claimed);
        if self.0.check(epoch).is_ok() {
            *claimed = false;
        }
        Ok(Released::default())
    }
}

impl MemoryJournal {
    pub(crate) fn memory_writer(&self, epoch: Epoch) -> Result<MemoryWriter, JournalError> {
        self.0.check(epoch)?;
        let arena = Arc::<Mutex<Arena>>::default();
        let mut arenas = self.0.arenas_mut();
        // Nothing is ever added to it: who finds it empty need not look again, and neither who has a newer execution.
        let inherited = arenas.first().and_then(|first| Some((lock(first).newest()?, Arc::clone(first))));
        arenas.push(Arc::clone(&arena));
        let ended_max = self.0.ended_max.div_ceil(arenas.len() - 1);
        let (journal, position) = (Arc::clone(&self.0), Position::default());
        Ok(MemoryWriter { journal, epoch, inherited, arena, ended_max, position })
    }
}

/// The way of one shard into a journal in memory.
#[derive(Debug)]
pub(crate) struct MemoryWriter {
    journal: Arc<Inner>,
    epoch: Epoch,
    /// What was there before the journal was claimed, if anything was, and the greatest id in it.
    inherited: Option<(ExecutionId, Arc<Mutex<Arena>>)>,
    arena: Arc<Mutex<Arena>>,
    ended_max: usize,
    position: Position,
}

impl MemoryWriter {
    /// Takes over what was kept of an execution before the journal was claimed.
    ///
    /// # Errors
    /// If it had ended by then.
    fn inherit(&self, arena: &mut Arena, execution: ExecutionId) -> Result<(), JournalError> {
        if let Some((newest, inherited)) = &self.inherited
            && execution <= *newest
            && !arena.is_open(execution)
        {
            let mut inherited = lock(inherited);
            if inherited.has_ended(execution) {
                return Err(JournalError::Ended(execution));
            }
            arena.take_over(execution, &mut inherited);
        }
        Ok(())
    }

    fn write(
        &mut self,
        write: impl FnOnce(&Self, &mut Arena) -> Result<(), JournalError>,
    ) -> Result<Appended, JournalError> {
        let arena = Arc::clone(&self.arena);
        let mut arena = lock(&arena);
        // With the lock: whoever claims the journal takes over what is in the arena now, and nothing is added behind it.
        self.journal.check(self.epoch)?;
        write(self, &mut arena)?;
        self.position.0 += 1;
        Ok(Appended { position: self.position, durable: true })
    }
}

impl Writer for MemoryWriter {
    fn append(&mut self, append: Append<'_>) -> Result<Appended, JournalError> {
        self.write(|writer, arena| {
            writer.inherit(arena, append.execution)?;
            arena.append(&append)?;
            if let Some(begins) = &append.begins {
                writer.journal.begins(append.execution, begins);
            }
            writer.journal.forget_keys(arena.forget_oldest(writer.ended_max));
            Ok(())
        })
    }

    fn quarantine(
        &mut self,
        execution: ExecutionId,
        quarantine: Option<&Quarantine>,
    ) -> Result<Appended, JournalError> {
        self.write(|writer, arena| {
            if writer.inherit(arena, execution).is_ok() {
                arena.quarantine(execution, quarantine.cloned());
            }
            Ok(())
        })
    }

    fn write_off(
        &mut self,
        execution: ExecutionId,
        at: Time,
        error: &str,
        to_tell: bool,
    ) -> Result<Appended, JournalError> {
        self.write(|writer, arena| {
            // One that has ended is left as it is.
            if writer.inherit(arena, execution).is_ok() {
                let error = Some(error);
                arena.write_off(execution, &Ends { status: Terminal::Failed, at, error, to_tell });
            }
            Ok(())
        })
    }

    fn told(&mut self, executions: &[ExecutionId]) -> Result<Appended, JournalError> {
        self.journal.check(self.epoch)?;
        self.journal.told(executions);
        self.write(|_, _| Ok(()))
    }

    fn forget(&mut self, executions: &[ExecutionId]) -> Result<Appended, JournalError> {
        self.journal.check(self.epoch)?;
        self.journal.forget(executions);
        self.write(|_, _| Ok(()))
    }
}

/// A panic elsewhere leaves what is locked here whole: it is changed only after all checks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
