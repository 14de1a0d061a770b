//! A disk that does not answer who reads holds up nobody else.

use std::sync::{Arc, Condvar, Mutex};

use finale::journal::{
    Claim, Filter, Journal, JournalError, JournalReader, Listener, LiveExecution, MemoryJournal, Purge, Purged,
    Released, StoredDefinition, Summary, Writer,
};
use finale::{DefinitionHash, ExecutionId, ExecutionStatus, Keep, Retention, Runtime, Shards, Time};
use finale_core::Epoch;
use finale_core::fact::Terminal;
use finale_tests::actor::{Dummies, workflow};

/// A journal whose reads do not come back as long as it is shut.
#[derive(Clone, Debug)]
struct Stuck {
    journal: MemoryJournal,
    door: Arc<Door>,
    /// What it says of its reads.
    reads_block: bool,
}

#[derive(Debug, Default)]
struct Door {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_shut: bool,
    waiting: usize,
}

impl Door {
    fn shut(&self, is_shut: bool) {
        self.state.lock().unwrap().is_shut = is_shut;
        self.changed.notify_all();
    }

    /// Comes back when the door is open.
    fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.waiting += 1;
        self.changed.notify_all();
        while state.is_shut {
            state = self.changed.wait(state).unwrap();
        }
        state.waiting -= 1;
    }

    /// Comes back when that many wait before it.
    fn wait_for(&self, waiting: usize) {
        let mut state = self.state.lock().unwrap();
        while state.waiting < waiting {
            state = self.changed.wait(state).unwrap();
        }
    }
}

impl Journal for Stuck {
    fn claim(&self) -> Result<Claim, JournalError> {
        self.journal.claim()
    }

    fn writer(&self, epoch: Epoch, shard: u16, listener: Listener) -> Result<Box<dyn Writer>, JournalError> {
        self.journal.writer(epoch, shard, listener)
    }

    fn purge(&self, epoch: Epoch, purge: &Purge, limit: usize) -> Result<Purged, JournalError> {
        self.door.pass();
        self.journal.purge(epoch, purge, limit)
    }

    fn release(&self, epoch: Epoch) -> Result<Released, JournalError> {
        self.journal.release(epoch)
    }
}

impl JournalReader for Stuck {
    fn history(&self, execution: ExecutionId) -> Result<Option<Vec<u8>>, JournalError> {
        self.door.pass();
        self.journal.history(execution)
    }

    fn definition(&self, hash: DefinitionHash) -> Result<Option<StoredDefinition>, JournalError> {
        self.door.pass();
        self.journal.definition(hash)
    }

    fn live(&self, after: Option<ExecutionId>, limit: usize) -> Result<Vec<LiveExecution>, JournalError> {
        self.journal.live(after, limit)
    }

    fn summary(&self, execution: ExecutionId) -> Result<Option<Summary>, JournalError> {
        self.door.pass();
        self.journal.summary(execution)
    }

    fn list(&self, filter: &Filter) -> Result<Vec<Summary>, JournalError> {
        self.door.pass();
        self.journal.list(filter)
    }

    fn keyed(&self, idempotency_key: &str) -> Result<Option<ExecutionId>, JournalError> {
        self.door.pass();
        self.journal.keyed(idempotency_key)
    }

    fn first_end(&self, status: Terminal) -> Result<Option<Time>, JournalError> {
        self.door.pass();
        self.journal.first_end(status)
    }

    fn untold(&self, after: Option<ExecutionId>, limit: usize) -> Result<Vec<ExecutionId>, JournalError> {
        self.journal.untold(after, limit)
    }

    fn health(&self) -> Result<(), JournalError> {
        self.journal.health()
    }

    fn reads_block(&self) -> bool {
        self.reads_block
    }
}

#[actix::test]
async fn a_reader_that_is_stuck_delays_no_commit_and_no_other_execution() {
    for shards in [Shards::Current, Shards::Own(1)] {
        let journal = Stuck { journal: MemoryJournal::new(), door: Arc::default(), reads_block: true };
        let runtime = Runtime::builder().shards(shards).journal(journal.clone()).done("a").start().unwrap();
        let flow = workflow("s>a a>e");
        let ended = runtime.activate(&flow, 1).await.unwrap();
        ended.outcome().await.unwrap();

        journal.door.shut(true);
        // What has ended, a list, and whether a key is known: all of that is in the journal.
        let (runtime_of_list, flow_of_key) = (runtime.clone(), flow.clone());
        let looks = actix::spawn(async move { ended.snapshot().await });
        let lists = actix::spawn(async move { runtime_of_list.executions(Filter::new()).await });
        let keyed = runtime.activate(&flow_of_key, 2).idempotency_key("a key");
        let keyed =
            actix::spawn(async move { keyed.await?.outcome().await.map_err(|_| finale::ActivateError::Stopped) });
        let door = Arc::clone(&journal.door);
        tokio::task::spawn_blocking(move || door.wait_for(3)).await.unwrap();

        for number in 0..20 {
            let other = runtime.activate(&flow, number).await.unwrap();
            assert_eq!(other.outcome().await.unwrap().status(), ExecutionStatus::Completed);
        }
        assert!(!looks.is_finished() && !lists.is_finished() && !keyed.is_finished());

        journal.door.shut(false);
        assert_eq!(looks.await.unwrap().unwrap().state.status(), ExecutionStatus::Completed);
        assert!(!lists.await.unwrap().unwrap().executions.is_empty());
        assert_eq!(keyed.await.unwrap().unwrap().status(), ExecutionStatus::Completed);
    }
}

#[actix::test]
async fn a_purge_that_is_stuck_delays_no_execution_whatever_the_journal_says_of_its_reads() {
    for reads_block in [true, false] {
        let journal = Stuck { journal: MemoryJournal::new(), door: Arc::default(), reads_block };
        journal.door.shut(true);
        let retention = Retention::all(Keep::for_ever().at_most(0));
        let runtime = Runtime::builder().shards(Shards::Own(1)).retention(retention).journal(journal.clone());
        let runtime = runtime.done("a").start().unwrap();
        // It is looked for what has expired as soon as it is started.
        let door = Arc::clone(&journal.door);
        tokio::task::spawn_blocking(move || door.wait_for(1)).await.unwrap();
        let flow = workflow("s>a a>e");
        for number in 0..20 {
            let execution = runtime.activate(&flow, number).await.unwrap();
            assert_eq!(execution.outcome().await.unwrap().status(), ExecutionStatus::Completed);
        }
        journal.door.shut(false);
    }
}
