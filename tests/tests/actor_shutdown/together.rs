//! Shards that end at the same time, or because another one does not start.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use finale::journal::{
    Claim, Filter, Journal, JournalError, JournalReader, Listener, LiveExecution, MemoryJournal, Purge, Purged,
    Released, StoredDefinition, Summary, Writer,
};
use finale::{DefinitionHash, ExecutionId, Runtime, Shards, Time};
use finale_core::Epoch;
use finale_core::fact::Terminal;

/// A journal that holds the first one up that asks whether reads block, once it is armed: the first shard that ends.
#[derive(Debug)]
struct Slow {
    journal: MemoryJournal,
    is_armed: Arc<AtomicBool>,
    /// The shard that gets no writer, if there is one.
    refuses: Option<u16>,
    /// Dropped with the journal.
    _held: Arc<()>,
}

impl Slow {
    fn new(is_armed: &Arc<AtomicBool>) -> Self {
        let journal = MemoryJournal::new();
        Self { journal, is_armed: Arc::clone(is_armed), refuses: None, _held: Arc::default() }
    }
}

const HELD_UP: Duration = Duration::from_millis(200);

impl Journal for Slow {
    fn claim(&self) -> Result<Claim, JournalError> {
        self.journal.claim()
    }

    fn writer(&self, epoch: Epoch, shard: u16, listener: Listener) -> Result<Box<dyn Writer>, JournalError> {
        if self.refuses == Some(shard) {
            return Err(JournalError::Failed("no writer for this one".into()));
        }
        self.journal.writer(epoch, shard, listener)
    }

    fn purge(&self, epoch: Epoch, purge: &Purge, limit: usize) -> Result<Purged, JournalError> {
        self.journal.purge(epoch, purge, limit)
    }

    fn release(&self, epoch: Epoch) -> Result<Released, JournalError> {
        self.journal.release(epoch)
    }
}

impl JournalReader for Slow {
    fn history(&self, execution: ExecutionId) -> Result<Option<Vec<u8>>, JournalError> {
        self.journal.history(execution)
    }

    fn definition(&self, hash: DefinitionHash) -> Result<Option<StoredDefinition>, JournalError> {
        self.journal.definition(hash)
    }

    fn live(&self, after: Option<ExecutionId>, limit: usize) -> Result<Vec<LiveExecution>, JournalError> {
        self.journal.live(after, limit)
    }

    fn summary(&self, execution: ExecutionId) -> Result<Option<Summary>, JournalError> {
        self.journal.summary(execution)
    }

    fn list(&self, filter: &Filter) -> Result<Vec<Summary>, JournalError> {
        self.journal.list(filter)
    }

    fn keyed(&self, idempotency_key: &str) -> Result<Option<ExecutionId>, JournalError> {
        self.journal.keyed(idempotency_key)
    }

    fn first_end(&self, status: Terminal) -> Result<Option<Time>, JournalError> {
        self.journal.first_end(status)
    }

    fn health(&self) -> Result<(), JournalError> {
        self.journal.health()
    }

    fn reads_block(&self) -> bool {
        if self.is_armed.swap(false, Ordering::SeqCst) {
            thread::sleep(HELD_UP);
        }
        false
    }
}

#[actix::test]
async fn a_shard_that_is_held_up_at_its_end_does_not_hide_that_the_others_have_ended() {
    let is_armed = Arc::<AtomicBool>::default();
    let runtime = Runtime::builder().shards(Shards::Own(2)).journal(Slow::new(&is_armed)).start().unwrap();
    // Nothing is read any more once both have looked at what there was at the start.
    tokio::time::sleep(Duration::from_millis(50)).await;
    is_armed.store(true, Ordering::SeqCst);
    let mut ends = pin!(runtime.shutdown(Duration::from_secs(60)));
    assert!(ends.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    // Whoever waits looks when the last of them has spoken.
    thread::sleep(HELD_UP * 3);
    let report = tokio::time::timeout(Duration::from_secs(10), ends).await.expect("both shards have ended");
    assert_eq!((report.unfinished, report.unresponsive, report.gone), (0, 0, 0));
}

#[actix::test]
async fn where_one_shard_does_not_start_the_others_let_go_of_the_journal() {
    let held = Arc::new(());
    let journal = Slow { refuses: Some(2), _held: Arc::clone(&held), ..Slow::new(&Arc::default()) };
    let refused = Runtime::builder().shards(Shards::Own(3)).journal(journal).start().unwrap_err();
    assert_eq!(refused.code(), "journal_failed");
    let begin = std::time::Instant::now();
    while Arc::strong_count(&held) > 1 {
        assert!(begin.elapsed() < Duration::from_secs(10), "a shard goes on that nobody knows of");
        thread::sleep(Duration::from_millis(1));
    }
}
