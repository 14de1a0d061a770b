//! Shards that end at the same time, or because another one does not start.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use finale::journal::{
    Claim, Filter, Journal, JournalError, JournalReader, Listener, LiveExecution, MemoryJournal, Purge, Purged,
    Released, StoredDefinition, Summary, Writer,
};
use finale::{DefinitionHash, ExecutionId, Keep, Retention, Runtime, Shards, Time};
use finale_core::Epoch;
use finale_core::fact::Terminal;

/// A journal that holds the first one up that asks whether reads block: the first shard that ends.
#[derive(Debug, Default)]
struct Slow {
    journal: MemoryJournal,
    gate: Option<Arc<Gate>>,
    /// The shard that gets no writer, if there is one.
    refuses: Option<u16>,
    /// Dropped with the journal.
    _held: Arc<()>,
}

/// How far two shards have come that end at the same time.
#[derive(Debug, Default)]
struct Gate {
    stage: Mutex<Stage>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    #[default]
    BothRun,
    /// One is held up at its end.
    OneIsHeldUp,
    /// The other one has found that all have ended in order, and has released the journal.
    Released,
    /// The one that was held up goes on.
    GoesOn,
}

impl Gate {
    fn come_to(&self, stage: Stage) {
        *self.stage.lock().expect("nobody panics while they have it") = stage;
        self.changed.notify_all();
    }

    fn wait_for(&self, stage: Stage) {
        let mut now = self.stage.lock().expect("nobody panics while they have it");
        while *now < stage {
            now = self.changed.wait(now).expect("nobody panics while they have it");
        }
    }

    /// Whether it is the first one that comes here, which is held up from now on.
    fn is_first(&self) -> bool {
        let mut stage = self.stage.lock().expect("nobody panics while they have it");
        let is_first = *stage == Stage::BothRun;
        if is_first {
            *stage = Stage::OneIsHeldUp;
            self.changed.notify_all();
        }
        is_first
    }
}

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
        let released = self.journal.release(epoch);
        if let Some(gate) = &self.gate {
            gate.come_to(Stage::Released);
        }
        released
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

    fn untold(&self, after: Option<ExecutionId>, limit: usize) -> Result<Vec<ExecutionId>, JournalError> {
        self.journal.untold(after, limit)
    }

    fn health(&self) -> Result<(), JournalError> {
        self.journal.health()
    }

    fn reads_block(&self) -> bool {
        if let Some(gate) = self.gate.as_ref().filter(|gate| gate.is_first()) {
            gate.wait_for(Stage::Released);
            gate.come_to(Stage::GoesOn);
        }
        false
    }
}

#[actix::test]
async fn a_shard_that_is_held_up_at_its_end_does_not_hide_that_the_others_have_ended() {
    let gate = Arc::<Gate>::default();
    let journal = Slow { gate: Some(Arc::clone(&gate)), ..Slow::default() };
    // Nothing is in the journal and nothing is ever to be forgotten, so nothing is read before the end.
    let retention = Retention::all(Keep::for_ever());
    let builder = Runtime::builder().shards(Shards::Own(2)).journal(journal).retention(retention);
    let runtime = builder.start().unwrap();
    let mut ends = pin!(runtime.shutdown(Duration::from_secs(60)));
    assert!(ends.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    // Whoever waits looks only when the one that was held up goes on: the other one has spoken long before.
    gate.wait_for(Stage::GoesOn);
    let report = tokio::time::timeout(Duration::from_secs(10), ends).await.expect("both shards have ended");
    assert_eq!((report.unfinished, report.unresponsive, report.gone), (0, 0, 0));
}

#[actix::test]
async fn where_one_shard_does_not_start_the_others_let_go_of_the_journal() {
    let held = Arc::new(());
    let journal = Slow { refuses: Some(2), _held: Arc::clone(&held), ..Slow::default() };
    let refused = Runtime::builder().shards(Shards::Own(3)).journal(journal).start().unwrap_err();
    assert_eq!(refused.code(), "journal_failed");
    let begin = std::time::Instant::now();
    while Arc::strong_count(&held) > 1 {
        assert!(begin.elapsed() < Duration::from_secs(10), "a shard goes on that nobody knows of");
        thread::sleep(Duration::from_millis(1));
    }
}
