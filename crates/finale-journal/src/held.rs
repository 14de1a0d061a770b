//! A journal for tests, whose acknowledgements come when the test says so.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use finale_core::{DefinitionHash, ExecutionId, Time};

use crate::memory::Mark;
use crate::{
    Append, Appended, Claim, Epoch, Expired, Filter, Journal, JournalError, JournalReader, Listener, LiveExecution,
    MemoryJournal, Position, Quarantine, StoredDefinition, Summary, Writer,
};

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

/// An in-memory journal whose acknowledgements can be late, held back, or never come because it failed.
///
/// A clone is the same journal.
#[derive(Clone, Debug, Default)]
pub struct HeldJournal {
    memory: MemoryJournal,
    control: Arc<Mutex<Control>>,
}

#[derive(Debug, Default)]
struct Control {
    acknowledgement: Acknowledgement,
    failed: Option<JournalError>,
    writers: Vec<HeldBack>,
}

/// What one writer has not been told yet.
#[derive(Debug)]
struct HeldBack {
    epoch: Epoch,
    listener: Listener,
    appended: Position,
    told: Position,
    /// Where the executions were before everything that is held back, oldest first.
    before: VecDeque<Option<(ExecutionId, Mark)>>,
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

    /// Acknowledges, of each writer, at most that many appends more.
    pub fn release_up_to(&self, appends: u64) {
        // The listeners are called without the lock: they may append.
        let told: Vec<_> = self.control().writers.iter_mut().filter_map(|held| held.advance(appends)).collect();
        for (listener, watermark) in told {
            listener.tell(Ok(watermark));
        }
    }

    /// How many appends are held back.
    pub fn held(&self) -> u64 {
        self.control().writers.iter().map(|held| held.appended.0 - held.told.0).sum()
    }

    /// Crashes: what was not acknowledged is gone, and nothing is acknowledged to anybody any more. Only what was
    /// forgotten stays forgotten.
    ///
    /// What is left is this journal again, for whoever claims it next.
    pub fn crash(&self) {
        self.memory.fence();
        let held_back: Vec<_> = std::mem::take(&mut self.control().writers);
        for (execution, mark) in held_back.into_iter().flat_map(|held| held.before).flatten().rev() {
            self.memory.take_back(execution, &mark);
        }
    }

    /// Damages what is kept of an execution: its history cannot be read any more.
    pub fn damage(&self, execution: ExecutionId) {
        self.memory.damage(execution);
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

    fn control(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HeldBack {
    fn tell(&mut self, watermark: Position) {
        self.before.drain(..(watermark.0 - self.told.0) as usize);
        self.told = watermark;
    }

    fn advance(&mut self, appends: u64) -> Option<(Listener, Position)> {
        let watermark = Position(self.told.0.saturating_add(appends).min(self.appended.0));
        if watermark == self.told {
            return None;
        }
        self.tell(watermark);
        Some((self.listener.clone(), watermark))
    }
}

impl Journal for HeldJournal {
    fn claim(&self) -> Result<Claim, JournalError> {
        // With the lock: what the owner before held back becomes durable, and a later crash must not take it back.
        let mut control = self.control();
        let claim = self.memory.claim();
        control.writers.clear();
        claim
    }

    fn writer(&self, epoch: Epoch, shard: u16, listener: Listener) -> Result<Box<dyn Writer>, JournalError> {
        let inner = self.memory.writer(epoch, shard, listener.clone())?;
        let mut control = self.control();
        let index = control.writers.len();
        let (appended, told) = (Position(0), Position(0));
        control.writers.push(HeldBack { epoch, listener, appended, told, before: VecDeque::new() });
        Ok(Box::new(HeldWriter { journal: self.clone(), inner, epoch, index }))
    }

    fn release(&self, epoch: Epoch) -> Result<(), JournalError> {
        self.memory.release(epoch)
    }
}

impl JournalReader for HeldJournal {
    fn history(&self, execution: ExecutionId) -> Result<Option<Vec<u8>>, JournalError> {
        self.memory.history(execution)
    }

    fn definition(&self, hash: DefinitionHash) -> Result<Option<StoredDefinition>, JournalError> {
        self.memory.definition(hash)
    }

    fn live(&self, after: Option<ExecutionId>, limit: usize) -> Result<Vec<LiveExecution>, JournalError> {
        self.memory.live(after, limit)
    }

    fn summary(&self, execution: ExecutionId) -> Result<Option<Summary>, JournalError> {
        self.memory.summary(execution)
    }

    fn list(&self, filter: &Filter) -> Result<Vec<Summary>, JournalError> {
        self.memory.list(filter)
    }

    fn keyed(&self, idempotency_key: &str) -> Result<Option<ExecutionId>, JournalError> {
        self.memory.keyed(idempotency_key)
    }

    fn expired(&self, expired: &Expired, limit: usize) -> Result<Vec<ExecutionId>, JournalError> {
        self.memory.expired(expired, limit)
    }

    fn health(&self) -> Result<(), JournalError> {
        self.control().failed.clone().map_or(Ok(()), Err)
    }
}

struct HeldWriter {
    journal: HeldJournal,
    inner: Box<dyn Writer>,
    epoch: Epoch,
    index: usize,
}

impl HeldWriter {
    /// Writes, and acknowledges it at once, now, or not yet.
    fn write(
        &mut self,
        before: Option<ExecutionId>,
        write: impl FnOnce(&mut dyn Writer) -> Result<Appended, JournalError>,
    ) -> Result<Appended, JournalError> {
        if let Some(error) = &self.journal.control().failed {
            return Err(error.clone());
        }
        let before = before.map(|execution| (execution, self.journal.memory.mark(execution)));
        let Appended { position, .. } = write(&mut *self.inner)?;
        let (durable, listener) = self.note(position, before);
        if let Some(listener) = listener {
            listener.tell(Ok(position));
        }
        Ok(Appended { position, durable })
    }

    /// Whether it is acknowledged at once, and who is to be told if it is acknowledged now.
    fn note(&self, position: Position, before: Option<(ExecutionId, Mark)>) -> (bool, Option<Listener>) {
        let mut control = self.journal.control();
        let acknowledgement = control.acknowledgement;
        let Some(held) = control.writers.get_mut(self.index).filter(|held| held.epoch == self.epoch) else {
            // The journal has crashed, or was claimed, under this writer: nobody hears of it any more.
            return (false, None);
        };
        held.before.push_back(before);
        held.appended = position;
        let nothing_held = held.told.0 + 1 == position.0;
        match acknowledgement {
            Acknowledgement::Immediate if nothing_held => {
                held.tell(position);
                (true, None)
            }
            Acknowledgement::Held => (false, None),
            Acknowledgement::Immediate | Acknowledgement::Late => {
                held.tell(position);
                (false, Some(held.listener.clone()))
            }
        }
    }
}

impl Writer for HeldWriter {
    fn append(&mut self, append: Append<'_>) -> Result<Appended, JournalError> {
        self.write(Some(append.execution), |inner| inner.append(append))
    }

    fn quarantine(
        &mut self,
        execution: ExecutionId,
        quarantine: Option<&Quarantine>,
    ) -> Result<Appended, JournalError> {
        self.write(Some(execution), |inner| inner.quarantine(execution, quarantine))
    }

    fn write_off(&mut self, execution: ExecutionId, at: Time, error: &str) -> Result<Appended, JournalError> {
        self.write(Some(execution), |inner| inner.write_off(execution, at, error))
    }

    fn forget(&mut self, executions: &[ExecutionId]) -> Result<Appended, JournalError> {
        self.write(None, |inner| inner.forget(executions))
    }
}
