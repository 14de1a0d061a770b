//! A journal for tests, whose acknowledgements come when the test says so.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use finale_core::ExecutionId;

use crate::{Append, Appended, Journal, JournalError, Listener, MemoryJournal, Position, Writer};

/// When a [`HeldJournal`] acknowledges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Acknowledgement {
    /// At once, as part of the append.
    #[default]
    Immediate,
    /// After the append has returned, through the listener.
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
    listener: Listener,
    appended: Position,
    told: Position,
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
    fn advance(&mut self, appends: u64) -> Option<(Listener, Position)> {
        let watermark = Position(self.told.0.saturating_add(appends).min(self.appended.0));
        if watermark == self.told {
            return None;
        }
        self.told = watermark;
        Some((self.listener.clone(), watermark))
    }
}

impl Journal for HeldJournal {
    fn writer(&self, shard: u16, listener: Listener) -> Result<Box<dyn Writer>, JournalError> {
        let inner = self.memory.writer(shard, listener.clone())?;
        let mut control = self.control();
        let index = control.writers.len();
        control.writers.push(HeldBack { listener, appended: Position(0), told: Position(0) });
        Ok(Box::new(HeldWriter { journal: self.clone(), inner, index }))
    }

    fn history(&self, execution: ExecutionId) -> Result<Option<Vec<u8>>, JournalError> {
        self.memory.history(execution)
    }

    fn load(&self, after: Option<ExecutionId>, limit: usize) -> Result<Vec<ExecutionId>, JournalError> {
        self.memory.load(after, limit)
    }

    fn forget(&self, executions: &[ExecutionId]) -> Result<(), JournalError> {
        self.memory.forget(executions)
    }
}

struct HeldWriter {
    journal: HeldJournal,
    inner: Box<dyn Writer>,
    index: usize,
}

impl Writer for HeldWriter {
    fn append(&mut self, append: Append<'_>) -> Result<Appended, JournalError> {
        if let Some(error) = &self.journal.control().failed {
            return Err(error.clone());
        }
        let Appended { position, .. } = self.inner.append(append)?;
        let (durable, listener) = self.note(position);
        if let Some(listener) = listener {
            listener.tell(Ok(position));
        }
        Ok(Appended { position, durable })
    }
}

impl HeldWriter {
    /// Whether the append is acknowledged at once, and who is to be told if it is acknowledged now.
    fn note(&self, position: Position) -> (bool, Option<Listener>) {
        let mut control = self.journal.control();
        let acknowledgement = control.acknowledgement;
        let held = &mut control.writers[self.index];
        held.appended = position;
        let nothing_held = held.told.0 + 1 == position.0;
        match acknowledgement {
            Acknowledgement::Immediate if nothing_held => {
                held.told = position;
                (true, None)
            }
            Acknowledgement::Held => (false, None),
            Acknowledgement::Immediate | Acknowledgement::Late => {
                held.told = position;
                (false, Some(held.listener.clone()))
            }
        }
    }
}
