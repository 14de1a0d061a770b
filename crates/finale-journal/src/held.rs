//! A journal for tests, whose acknowledgements come when the test says so.

mod write;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use finale_core::fact::Terminal;
use finale_core::{DefinitionHash, ExecutionId, Time};

use crate::memory::MemoryWriter;
use crate::{
    Append, Appended, Claim, Epoch, Filter, Journal, JournalError, JournalReader, Listener, LiveExecution,
    MemoryJournal, Position, Purge, Purged, Quarantine, Released, StoredDefinition, Summary, Writer,
};

use write::Write;

/// When a [`HeldJournal`] acknowledges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Acknowledgement {
    /// At once, as part of the append.
    #[default]
    Immediate,
    /// Through the listener, while the append is still under way: as early as a journal with a thread of its own could.
    Late,
    /// Not before [`HeldJournal::release`].
    Held,
}

/// An in-memory journal whose acknowledgements can be late, held back, or never come because it failed; and that can crash.
///
/// A clone is the same journal.
///
/// ```
/// use finale_journal::{Acknowledgement, HeldJournal, JournalReader};
///
/// let journal = HeldJournal::new(Acknowledgement::Held);
/// assert_eq!(journal.held(), 0);
/// assert!(journal.health().is_ok());
///
/// journal.fail("the disk is full");
/// assert!(journal.health().is_err());
/// ```
#[derive(Clone, Debug, Default)]
pub struct HeldJournal {
    /// Everything that was written.
    written: MemoryJournal,
    /// What was acknowledged.
    durable: MemoryJournal,
    control: Arc<Mutex<Control>>,
}

#[derive(Debug, Default)]
struct Control {
    acknowledgement: Acknowledgement,
    failed: Option<JournalError>,
    /// How much may be held back before the journal is full; none for any number.
    held_max: Option<u64>,
    /// How many appends are still refused.
    gaps: u32,
    writers: Vec<HeldBack>,
}

/// What one writer has not been told yet.
#[derive(Debug)]
struct HeldBack {
    listener: Listener,
    told: Position,
    /// What was written after that, oldest first.
    writes: VecDeque<Write>,
    durable: MemoryWriter,
}

impl HeldJournal {
    /// An empty journal that acknowledges like that.
    pub fn new(acknowledgement: Acknowledgement) -> Self {
        let journal = Self::default();
        journal.control().acknowledgement = acknowledgement;
        journal
    }

    /// Acknowledges like that from now on.
    pub fn set(&self, acknowledgement: Acknowledgement) {
        self.control().acknowledgement = acknowledgement;
    }

    /// Acknowledges everything that was held back.
    pub fn release(&self) {
        self.release_up_to(u64::MAX);
    }

    /// Acknowledges, of each writer, at most that many writes more.
    pub fn release_up_to(&self, writes: u64) {
        // The listeners are called without the lock: they may write.
        let told: Vec<_> = self.control().writers.iter_mut().filter_map(|held| held.advance(writes)).collect();
        for (listener, watermark) in told {
            listener.tell(Ok(watermark));
        }
    }

    /// How many writes are held back.
    pub fn held(&self) -> u64 {
        self.control().writers.iter().map(|held| held.writes.len() as u64).sum()
    }

    /// Says that it is full while more than that many writes of one writer are held back.
    pub fn full_beyond(&self, held_max: u64) {
        self.control().held_max = Some(held_max);
    }

    /// Refuses the next append, as if a fact before it were missing.
    pub fn miss_one(&self) {
        self.control().gaps += 1;
    }

    /// Crashes: what was not acknowledged is gone, and nothing is acknowledged to anybody any more.
    ///
    /// What is left is this journal again, for whoever claims it next, also if it had failed.
    pub fn crash(&self) {
        let mut control = self.control();
        control.writers.clear();
        control.failed = None;
        self.written.fence();
        self.durable.fence();
        self.written.become_copy_of(&self.durable);
    }

    /// Damages what is kept of an execution: its history cannot be read any more.
    pub fn damage(&self, execution: ExecutionId) {
        self.written.damage(execution);
        self.durable.damage(execution);
    }

    /// Mends what was damaged.
    pub fn repair(&self, execution: ExecutionId) {
        self.damage(execution);
    }

    /// Fails: nothing is taken or acknowledged any more.
    pub fn fail(&self, reason: &str) {
        let error = JournalError::Failed(reason.into());
        let listeners: Vec<_> = {
            let mut control = self.control();
            control.failed = Some(error.clone());
            control.writers.iter().map(|held| held.listener.clone()).collect()
        };
        for listener in listeners {
            listener.tell(Err(error.clone()));
        }
    }

    fn misses(&self) -> bool {
        let mut control = self.control();
        let misses = control.gaps > 0;
        control.gaps -= u32::from(misses);
        misses
    }

    fn control(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HeldBack {
    fn written(&self) -> Position {
        Position(self.told.0 + self.writes.len() as u64)
    }

    /// Makes some more writes durable; gives who is to be told how far.
    fn advance(&mut self, writes: u64) -> Option<(Listener, Position)> {
        let count = self.writes.len().min(usize::try_from(writes).unwrap_or(usize::MAX));
        for write in self.writes.drain(..count) {
            // It was taken once: refused can only be what a newer owner has fenced since.
            let _ = write.make(&mut self.durable);
        }
        self.told.0 += count as u64;
        (count > 0).then(|| (self.listener.clone(), self.told))
    }
}

impl Journal for HeldJournal {
    fn claim(&self) -> Result<Claim, JournalError> {
        // What the owner before this one wrote and was not told becomes durable now; it is told nothing any more.
        for mut held in std::mem::take(&mut self.control().writers) {
            held.advance(u64::MAX);
        }
        self.durable.claim()?;
        self.written.claim()
    }

    fn writer(&self, epoch: Epoch, shard: u16, listener: Listener) -> Result<Box<dyn Writer>, JournalError> {
        let inner = self.written.writer(epoch, shard, listener.clone())?;
        let durable = self.durable.memory_writer(epoch)?;
        let mut control = self.control();
        let index = control.writers.len();
        control.writers.push(HeldBack { listener, told: Position(0), writes: VecDeque::new(), durable });
        Ok(Box::new(HeldWriter { journal: self.clone(), inner, index }))
    }

    fn purge(&self, epoch: Epoch, purge: &Purge, limit: usize) -> Result<Purged, JournalError> {
        if let Some(error) = &self.control().failed {
            return Err(error.clone());
        }
        let purged = self.durable.purge(epoch, purge, limit)?;
        self.written.forget(&purged.executions);
        Ok(purged)
    }

    fn release(&self, epoch: Epoch) -> Result<Released, JournalError> {
        self.durable.release(epoch)?;
        self.written.release(epoch)
    }
}

impl JournalReader for HeldJournal {
    fn history(&self, execution: ExecutionId) -> Result<Option<Vec<u8>>, JournalError> {
        self.written.history(execution)
    }

    fn definition(&self, hash: DefinitionHash) -> Result<Option<StoredDefinition>, JournalError> {
        self.durable.definition(hash)
    }

    fn live(&self, after: Option<ExecutionId>, limit: usize) -> Result<Vec<LiveExecution>, JournalError> {
        self.durable.live(after, limit)
    }

    fn summary(&self, execution: ExecutionId) -> Result<Option<Summary>, JournalError> {
        self.durable.summary(execution)
    }

    fn list(&self, filter: &Filter) -> Result<Vec<Summary>, JournalError> {
        self.durable.list(filter)
    }

    fn keyed(&self, idempotency_key: &str) -> Result<Option<ExecutionId>, JournalError> {
        self.durable.keyed(idempotency_key)
    }

    fn first_end(&self, status: Terminal) -> Result<Option<Time>, JournalError> {
        self.durable.first_end(status)
    }

    fn untold(&self, after: Option<ExecutionId>, limit: usize) -> Result<Vec<ExecutionId>, JournalError> {
        self.durable.untold(after, limit)
    }

    fn health(&self) -> Result<(), JournalError> {
        self.control().failed.clone().map_or(Ok(()), Err)
    }

    fn reads_block(&self) -> bool {
        false
    }
}

struct HeldWriter {
    journal: HeldJournal,
    inner: Box<dyn Writer>,
    index: usize,
}

impl HeldWriter {
    /// Writes, and acknowledges it at once, now, or not yet.
    fn write(&mut self, write: Write) -> Result<Appended, JournalError> {
        if let Some(error) = &self.journal.control().failed {
            return Err(error.clone());
        }
        let Appended { position, .. } = write.make(&mut *self.inner)?;
        let (durable, told) = self.note(position, write);
        if let Some((listener, watermark)) = told {
            listener.tell(Ok(watermark));
        }
        Ok(Appended { position, durable })
    }

    /// Whether it is acknowledged at once, and who is to be told if it is acknowledged now.
    fn note(&self, position: Position, write: Write) -> (bool, Option<(Listener, Position)>) {
        let mut control = self.journal.control();
        let acknowledgement = control.acknowledgement;
        let Some(held) = control.writers.get_mut(self.index) else {
            // The journal has crashed under this writer: nobody hears of it any more.
            return (false, None);
        };
        held.writes.push_back(write);
        debug_assert_eq!(held.written(), position);
        let nothing_held = held.writes.len() == 1;
        match acknowledgement {
            Acknowledgement::Immediate if nothing_held => (held.advance(u64::MAX).is_some(), None),
            Acknowledgement::Held => (false, None),
            Acknowledgement::Immediate | Acknowledgement::Late => (false, held.advance(u64::MAX)),
        }
    }
}

impl Writer for HeldWriter {
    fn append(&mut self, append: Append<'_>) -> Result<Appended, JournalError> {
        if self.journal.misses() {
            let (execution, found) = (append.execution, append.first_sequence);
            return Err(JournalError::Gap { execution, expected: found + 1, found });
        }
        self.write(Write::append(append))
    }

    fn quarantine(
        &mut self,
        execution: ExecutionId,
        quarantine: Option<&Quarantine>,
    ) -> Result<Appended, JournalError> {
        self.write(Write::Quarantine(execution, quarantine.cloned()))
    }

    fn write_off(
        &mut self,
        execution: ExecutionId,
        at: Time,
        error: &str,
        to_tell: bool,
    ) -> Result<Appended, JournalError> {
        self.write(Write::End { execution, at, error: error.to_owned(), to_tell })
    }

    fn told(&mut self, executions: &[ExecutionId]) -> Result<Appended, JournalError> {
        self.write(Write::Told(executions.to_vec()))
    }

    fn forget(&mut self, executions: &[ExecutionId]) -> Result<Appended, JournalError> {
        self.write(Write::Forget(executions.to_vec()))
    }

    fn is_full(&self) -> bool {
        let control = self.journal.control();
        let held = control.writers.get(self.index).map_or(0, |held| held.writes.len() as u64);
        control.held_max.is_some_and(|held_max| held > held_max)
    }
}
