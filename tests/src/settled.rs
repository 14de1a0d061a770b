//! Lets a journal with a thread of its own be used under a paused clock, which would jump while that thread works: whoever
//! writes waits until it is durable.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use finale_core::fact::Terminal;
use finale_core::{DefinitionHash, ExecutionId, Time};
use finale_journal::{
    Append, Appended, Claim, Epoch, Filter, Journal, JournalError, JournalReader, Listener, LiveExecution, Position,
    Purge, Purged, Quarantine, Released, StoredDefinition, Summary, Writer,
};

/// A journal whose writes are durable when they return. A clone is the same journal.
#[derive(Debug)]
pub struct Settled<J>(Arc<Inner<J>>);

#[derive(Debug)]
struct Inner<J> {
    journal: J,
    held: Mutex<Option<Vec<(Listener, Position)>>>,
}

impl<J> Clone for Settled<J> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<J: Journal> Settled<J> {
    /// The same journal, with other manners.
    pub fn new(journal: J) -> Self {
        Self(Arc::new(Inner { journal, held: Mutex::new(None) }))
    }

    /// Says of nothing that it is durable from now on.
    pub fn hold(&self) {
        self.held().get_or_insert_default();
    }

    /// Says of everything that it is durable.
    pub fn release(&self) {
        for (listener, position) in self.held().take().unwrap_or_default() {
            listener.tell(Ok(position));
        }
    }

    /// Whether nobody else uses it.
    pub fn is_last(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    fn held(&self) -> MutexGuard<'_, Option<Vec<(Listener, Position)>>> {
        self.0.held.lock().expect("nothing panics with this lock")
    }
}

impl<J: Journal> Journal for Settled<J> {
    fn claim(&self) -> Result<Claim, JournalError> {
        self.0.journal.claim()
    }

    fn writer(&self, epoch: Epoch, shard: u16, listener: Listener) -> Result<Box<dyn Writer>, JournalError> {
        let reached = Arc::<Reached>::default();
        let tell = Arc::clone(&reached);
        let inner = self.0.journal.writer(epoch, shard, Listener::new(move |watermark| tell.advance(watermark)))?;
        Ok(Box::new(SettledWriter { journal: self.clone(), inner, listener, reached }))
    }

    fn purge(&self, epoch: Epoch, purge: &Purge, limit: usize) -> Result<Purged, JournalError> {
        self.0.journal.purge(epoch, purge, limit)
    }

    fn release(&self, epoch: Epoch) -> Result<Released, JournalError> {
        self.0.journal.release(epoch)
    }
}

impl<J: Journal> JournalReader for Settled<J> {
    fn history(&self, execution: ExecutionId) -> Result<Option<Vec<u8>>, JournalError> {
        self.0.journal.history(execution)
    }

    fn definition(&self, hash: DefinitionHash) -> Result<Option<StoredDefinition>, JournalError> {
        self.0.journal.definition(hash)
    }

    fn live(&self, after: Option<ExecutionId>, limit: usize) -> Result<Vec<LiveExecution>, JournalError> {
        self.0.journal.live(after, limit)
    }

    fn summary(&self, execution: ExecutionId) -> Result<Option<Summary>, JournalError> {
        self.0.journal.summary(execution)
    }

    fn list(&self, filter: &Filter) -> Result<Vec<Summary>, JournalError> {
        self.0.journal.list(filter)
    }

    fn keyed(&self, idempotency_key: &str) -> Result<Option<ExecutionId>, JournalError> {
        self.0.journal.keyed(idempotency_key)
    }

    fn first_end(&self, status: Terminal) -> Result<Option<Time>, JournalError> {
        self.0.journal.first_end(status)
    }

    fn untold(&self, after: Option<ExecutionId>, limit: usize) -> Result<Vec<ExecutionId>, JournalError> {
        self.0.journal.untold(after, limit)
    }

    fn health(&self) -> Result<(), JournalError> {
        self.0.journal.health()
    }

    fn reads_block(&self) -> bool {
        false
    }
}

/// How far one writer is durable.
#[derive(Default)]
struct Reached {
    watermark: Mutex<Option<Result<Position, JournalError>>>,
    changed: Condvar,
}

impl Reached {
    fn advance(&self, watermark: Result<Position, JournalError>) {
        *self.watermark.lock().expect("nothing panics with this lock") = Some(watermark);
        self.changed.notify_all();
    }

    fn wait_for(&self, position: Position) -> Result<(), JournalError> {
        let mut watermark = self.watermark.lock().expect("nothing panics with this lock");
        loop {
            match &*watermark {
                Some(Ok(reached)) if *reached >= position => return Ok(()),
                Some(Err(error)) => return Err(error.clone()),
                _ => watermark = self.changed.wait(watermark).expect("nothing panics with this lock"),
            }
        }
    }
}

struct SettledWriter<J> {
    journal: Settled<J>,
    inner: Box<dyn Writer>,
    listener: Listener,
    reached: Arc<Reached>,
}

impl<J: Journal> SettledWriter<J> {
    fn settle(&self, appended: Appended) -> Result<Appended, JournalError> {
        if !appended.durable {
            self.reached.wait_for(appended.position)?;
        }
        let mut held = self.journal.held();
        let durable = held.is_none();
        if let Some(held) = &mut *held {
            held.push((self.listener.clone(), appended.position));
        }
        Ok(Appended { durable, ..appended })
    }
}

impl<J: Journal> Writer for SettledWriter<J> {
    fn append(&mut self, append: Append<'_>) -> Result<Appended, JournalError> {
        let appended = self.inner.append(append)?;
        self.settle(appended)
    }

    fn quarantine(
        &mut self,
        execution: ExecutionId,
        quarantine: Option<&Quarantine>,
    ) -> Result<Appended, JournalError> {
        let appended = self.inner.quarantine(execution, quarantine)?;
        self.settle(appended)
    }

    fn write_off(
        &mut self,
        execution: ExecutionId,
        at: Time,
        error: &str,
        to_tell: bool,
    ) -> Result<Appended, JournalError> {
        let appended = self.inner.write_off(execution, at, error, to_tell)?;
        self.settle(appended)
    }

    fn told(&mut self, executions: &[ExecutionId]) -> Result<Appended, JournalError> {
        let appended = self.inner.told(executions)?;
        self.settle(appended)
    }

    fn forget(&mut self, executions: &[ExecutionId]) -> Result<Appended, JournalError> {
        let appended = self.inner.forget(executions)?;
        self.settle(appended)
    }
}

impl<J> fmt::Debug for SettledWriter<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SettledWriter")
    }
}
