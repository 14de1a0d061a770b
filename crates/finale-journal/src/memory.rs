//! The in-memory journal: one arena of encoded facts per execution.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use finale_core::ExecutionId;
use rustc_hash::FxHashMap;

use crate::{Append, Appended, Journal, JournalError, Listener, Position, Writer};

/// Keeps everything in this process; what was acknowledged is gone when the process is.
///
/// A clone is the same journal.
#[derive(Clone, Debug, Default)]
pub struct MemoryJournal {
    /// One arena per writer, so that shards do not wait for each other.
    arenas: Arc<Mutex<Vec<Arc<Mutex<Arena>>>>>,
}

#[derive(Debug, Default)]
struct Arena {
    logs: FxHashMap<ExecutionId, Log>,
}

#[derive(Debug, Default)]
struct Log {
    facts: Vec<u8>,
    count: u64,
    ended: bool,
}

impl MemoryJournal {
    /// An empty journal.
    pub fn new() -> Self {
        Self::default()
    }

    fn arenas(&self) -> Vec<Arc<Mutex<Arena>>> {
        lock(&self.arenas).clone()
    }
}

impl Journal for MemoryJournal {
    fn writer(&self, _shard: u16, _listener: Listener) -> Result<Box<dyn Writer>, JournalError> {
        let arena = Arc::<Mutex<Arena>>::default();
        lock(&self.arenas).push(Arc::clone(&arena));
        Ok(Box::new(MemoryWriter { arena, position: Position::default() }))
    }

    fn history(&self, execution: ExecutionId) -> Result<Option<Vec<u8>>, JournalError> {
        let facts_in = |arena: &Arc<Mutex<Arena>>| lock(arena).logs.get(&execution).map(|log| log.facts.clone());
        Ok(self.arenas().iter().find_map(facts_in))
    }

    fn load(&self, after: Option<ExecutionId>, limit: usize) -> Result<Vec<ExecutionId>, JournalError> {
        let mut live = Vec::new();
        for arena in self.arenas() {
            let arena = lock(&arena);
            let is_live = |(id, log): (&ExecutionId, &Log)| (!log.ended && Some(*id) > after).then_some(*id);
            live.extend(arena.logs.iter().filter_map(is_live));
        }
        live.sort_unstable();
        live.truncate(limit);
        Ok(live)
    }

    fn forget(&self, executions: &[ExecutionId]) -> Result<(), JournalError> {
        for arena in self.arenas() {
            let mut arena = lock(&arena);
            for execution in executions {
                if arena.logs.get(execution).is_some_and(|log| log.ended) {
                    arena.logs.remove(execution);
                }
            }
        }
        Ok(())
    }
}

struct MemoryWriter {
    arena: Arc<Mutex<Arena>>,
    position: Position,
}

impl Writer for MemoryWriter {
    fn append(&mut self, append: Append<'_>) -> Result<Appended, JournalError> {
        lock(&self.arena).append(append)?;
        self.position.0 += 1;
        Ok(Appended { position: self.position, durable: true })
    }
}

impl Arena {
    fn append(&mut self, append: Append<'_>) -> Result<(), JournalError> {
        let log = self.logs.entry(append.execution).or_default();
        log.check(&append)?;
        if append.ends || log.count == 0 {
            // The first append is often the last but one, and nothing comes after the end: no room to grow is kept.
            log.facts.reserve_exact(append.facts.len());
        }
        log.facts.extend_from_slice(append.facts);
        log.count += u64::from(append.count);
        log.ended = append.ends;
        Ok(())
    }
}

impl Log {
    fn check(&self, append: &Append<'_>) -> Result<(), JournalError> {
        let Append { execution, first_sequence: found, .. } = *append;
        if self.ended {
            return Err(JournalError::Ended(execution));
        }
        let expected = self.count + 1;
        if found == expected { Ok(()) } else { Err(JournalError::Gap { execution, expected, found }) }
    }
}

/// A panic elsewhere leaves an arena whole: appends change it only after their checks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
