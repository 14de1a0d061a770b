//! A repeated activation gives the same execution.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use finale::journal::{
    Acknowledgement, Claim, Expired, HeldJournal, Journal, JournalError, JournalReader, Listener, LiveExecution,
    MemoryJournal, Purge, Purged, Released, StoredDefinition, Summary, Writer,
};
use finale::{
    ActivateError, DefinitionHash, ExecutionId, Filter, Keep, Limits, Retention, Runtime, Shards, Time, Workflow,
};
use finale_core::Epoch;
use finale_core::fact::Terminal;
use finale_tests::actor::{Dummies, chart, for_each_journal, for_each_journal_in_real_time, runtime, settle, workflow};
use finale_tests::tasks::task_of;

async fn count(runtime: &Runtime) -> usize {
    runtime.executions(Filter::new()).await.unwrap().executions.len()
}

#[actix::test]
async fn the_same_key_and_input_give_the_same_execution_also_after_it_has_ended() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let ask = chart("s>a a>e").outside("a").workflow();
        let first = runtime.activate(&ask, 7).idempotency_key("order 7").await.unwrap();
        let again = runtime.activate(&ask, 7).idempotency_key("order 7").await.unwrap();
        assert_eq!(again.id(), first.id());
        runtime.complete_task(task_of(first.id(), &ask, "a"), "done").await.unwrap();
        assert_eq!(again.outcome().await.unwrap().output::<String>().unwrap(), "done");

        let later = runtime.activate(&ask, 7).idempotency_key("order 7").await.unwrap();
        assert_eq!(later.id(), first.id());
        assert_eq!(later.outcome().await.unwrap(), first.outcome().await.unwrap());
        assert_eq!(count(&runtime).await, 1);
    })
    .await;
}

#[actix::test]
async fn activations_with_the_same_key_that_come_at_once_give_one_execution() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).done("a").start().unwrap();
        let one = workflow("s>a a>e");
        let activate = || runtime.activate(&one, 7).idempotency_key("order 7").start();
        let (first, second, third) = tokio::join!(activate(), activate(), activate());
        let id = first.unwrap().id();
        assert_eq!((second.unwrap().id(), third.unwrap().id()), (id, id));
        assert_eq!(count(&runtime).await, 1);
    })
    .await;
}

#[actix::test]
async fn a_repetition_is_acknowledged_with_the_first_and_not_before() {
    tokio::time::pause();
    let journal = HeldJournal::new(Acknowledgement::Held);
    let runtime = runtime(&journal).done("a").start().unwrap();
    let one = workflow("s>a a>e");
    let first = actix::spawn(runtime.activate(&one, 7).idempotency_key("order 7").start());
    let second = actix::spawn(runtime.activate(&one, 7).idempotency_key("order 7").start());
    settle().await;
    assert!(!first.is_finished() && !second.is_finished());
    journal.release();
    assert_eq!(second.await.unwrap().unwrap().id(), first.await.unwrap().unwrap().id());
}

#[actix::test]
async fn a_repetition_of_what_could_not_be_made_durable_is_told_so_too() {
    tokio::time::pause();
    let journal = HeldJournal::new(Acknowledgement::Held);
    let runtime = runtime(&journal).done("a").start().unwrap();
    let one = workflow("s>a a>e");
    let first = actix::spawn(runtime.activate(&one, 7).idempotency_key("order 7").start());
    let second = actix::spawn(runtime.activate(&one, 7).idempotency_key("order 7").start());
    settle().await;
    journal.fail("the disk is full");
    for refused in [first.await.unwrap().unwrap_err(), second.await.unwrap().unwrap_err()] {
        assert!(matches!(refused, ActivateError::Journal(_)), "{refused}");
    }
}

#[actix::test]
async fn a_key_that_was_used_with_something_else_is_a_conflict_that_names_the_execution() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).done("a b").start().unwrap();
        let mut other = chart("s>b b>e").definition();
        other.id = "another".to_owned();
        let (one, other) = (workflow("s>a a>e"), Workflow::new(other).unwrap());
        let first = runtime.activate(&one, 7).idempotency_key("order").await.unwrap();
        for moment in ["live", "ended"] {
            for attempt in [runtime.activate(&one, 8), runtime.activate(&other, 7)] {
                let refused = attempt.idempotency_key("order").await.unwrap_err();
                let ActivateError::IdempotencyConflict { key, execution } = &refused else {
                    panic!("{moment}: {refused}");
                };
                assert_eq!((key.as_str(), *execution), ("order", first.id()));
            }
            first.outcome().await.unwrap();
        }
        assert_eq!(count(&runtime).await, 1);
    })
    .await;
}

#[actix::test]
async fn a_repetition_needs_no_place_of_its_own() {
    for_each_journal(async |journal| {
        let limits = Limits::new().open_executions_max(1);
        let runtime = runtime(&journal).limits(limits).start().unwrap();
        let ask = chart("s>a a>e").outside("a").workflow();
        let first = runtime.activate(&ask, 7).idempotency_key("order").await.unwrap();
        let again = runtime.activate(&ask, 7).idempotency_key("order").await.unwrap();
        assert_eq!(again.id(), first.id());
    })
    .await;
}

#[actix::test]
async fn a_repetition_may_name_the_id_that_the_first_was_given() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).done("a").start().unwrap();
        let (one, id) = (workflow("s>a a>e"), runtime.new_execution_id());
        for _ in 0..3 {
            let execution = runtime.activate(&one, 7).id(id).idempotency_key("order").await.unwrap();
            assert_eq!(execution.id(), id);
            execution.outcome().await.unwrap();
        }
    })
    .await;
}

#[actix::test]
async fn a_key_means_the_same_in_all_shards() {
    for_each_journal_in_real_time(async |journal| {
        let runtime = Runtime::builder().shards(Shards::Own(3)).journal(journal.clone()).done("a").start().unwrap();
        let one = workflow("s>a a>e");
        let first = runtime.activate(&one, 7).idempotency_key("order").await.unwrap();
        for _ in 0..6 {
            let chosen = runtime.new_execution_id();
            let by_id = runtime.activate(&one, 7).id(chosen).idempotency_key("order").await.unwrap();
            let by_key = runtime.activate(&one, 7).idempotency_key("order").await.unwrap();
            assert_eq!((by_id.id(), by_key.id()), (first.id(), first.id()));
            let refused = runtime.activate(&one, 8).idempotency_key("order").await.unwrap_err();
            assert!(matches!(refused, ActivateError::IdempotencyConflict { .. }), "{refused}");
        }
        assert_eq!(count(&runtime).await, 1);
    })
    .await;
}

#[actix::test]
async fn a_newer_version_of_a_workflow_repeats_what_the_older_one_began() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).done("a b").start().unwrap();
        let first = runtime.activate(&workflow("s>a a>e"), 7).idempotency_key("order").await.unwrap();
        let again = runtime.activate(&workflow("s>b b>e"), 7).idempotency_key("order").await.unwrap();
        assert_eq!(again.id(), first.id());
    })
    .await;
}

#[actix::test]
async fn a_key_is_found_in_the_journal_when_nothing_in_memory_knows_it() {
    for_each_journal(async |journal| {
        let limits = Limits::new().ended_executions_max(0);
        let runtime = runtime(&journal).limits(limits).done("a").start().unwrap();
        let one = workflow("s>a a>e");
        let first = runtime.activate(&one, 7).idempotency_key("order").await.unwrap();
        first.outcome().await.unwrap();
        let again = runtime.activate(&one, 7).idempotency_key("order").await.unwrap();
        assert_eq!(again.id(), first.id());
        assert_eq!(again.outcome().await.unwrap(), first.outcome().await.unwrap());
        let refused = runtime.activate(&one, 8).idempotency_key("order").await.unwrap_err();
        assert!(matches!(refused, ActivateError::IdempotencyConflict { .. }), "{refused}");
    })
    .await;
}

#[actix::test]
async fn a_key_is_free_again_when_its_execution_is_forgotten() {
    for_each_journal(async |journal| {
        let retention = Retention::all(Keep::for_ever().at_most(1));
        let runtime = runtime(&journal).retention(retention).done("a").start().unwrap();
        let one = workflow("s>a a>e");
        let first = runtime.activate(&one, 7).idempotency_key("order").await.unwrap();
        first.outcome().await.unwrap();
        runtime.activate(&one, 7).await.unwrap().outcome().await.unwrap();
        tokio::time::sleep(std::time::Duration::from_secs(20)).await;
        let other = runtime.activate(&one, 8).idempotency_key("order").await.unwrap();
        assert_ne!(other.id(), first.id());
    })
    .await;
}

/// A journal that forgets what has a key as soon as it has told about it.
#[derive(Clone, Debug, Default)]
struct Forgetting {
    journal: MemoryJournal,
    epoch: Arc<AtomicU32>,
    /// The execution that is to be forgotten with the next read of its history.
    next: Arc<Mutex<Option<ExecutionId>>>,
}

impl Journal for Forgetting {
    fn claim(&self) -> Result<Claim, JournalError> {
        let claim = self.journal.claim()?;
        self.epoch.store(claim.epoch.0, Ordering::Relaxed);
        Ok(claim)
    }

    fn writer(&self, epoch: Epoch, shard: u16, listener: Listener) -> Result<Box<dyn Writer>, JournalError> {
        self.journal.writer(epoch, shard, listener)
    }

    fn purge(&self, epoch: Epoch, purge: &Purge, limit: usize) -> Result<Purged, JournalError> {
        self.journal.purge(epoch, purge, limit)
    }

    fn release(&self, epoch: Epoch) -> Result<Released, JournalError> {
        self.journal.release(epoch)
    }
}

impl JournalReader for Forgetting {
    fn history(&self, execution: ExecutionId) -> Result<Option<Vec<u8>>, JournalError> {
        let history = self.journal.history(execution)?;
        if self.next.lock().unwrap().take_if(|next| *next == execution).is_some() {
            let all = Expired { ended_before: None, all_but: Some(0) };
            let purge = Purge { completed: all, ..Purge::default() };
            self.journal.purge(Epoch(self.epoch.load(Ordering::Relaxed)), &purge, 10)?;
        }
        Ok(history)
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
        let execution = self.journal.keyed(idempotency_key)?;
        *self.next.lock().unwrap() = execution;
        Ok(execution)
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
}

#[actix::test]
async fn a_key_whose_execution_is_forgotten_while_it_is_looked_for_begins_anew() {
    let journal = Forgetting::default();
    let limits = Limits::new().ended_executions_max(0);
    let builder = Runtime::builder().shards(Shards::Current).journal(journal.clone()).limits(limits);
    let runtime = builder.done("a").start().unwrap();
    let one = workflow("s>a a>e");
    let activate = || runtime.activate(&one, 7).idempotency_key("order").start();
    let first = activate().await.unwrap();
    first.outcome().await.unwrap();
    let second = activate().await.unwrap();
    assert_ne!(second.id(), first.id());
    second.outcome().await.unwrap();
    assert_eq!(journal.keyed("order").unwrap(), Some(second.id()));
}

#[actix::test]
async fn more_repetitions_at_once_than_may_wait_are_refused_with_their_key_and_the_limit() {
    tokio::time::pause();
    let journal = HeldJournal::new(Acknowledgement::Held);
    let limits = Limits::new().early_outcomes_max(2);
    let runtime = runtime(&journal).limits(limits).done("a").start().unwrap();
    let one = workflow("s>a a>e");
    let mut activations: Vec<_> =
        (0..4).map(|_| actix::spawn(runtime.activate(&one, 7).idempotency_key("order").start())).collect();
    settle().await;
    let last = activations.pop().expect("there are four");
    let refused = last.await.unwrap().unwrap_err();
    assert_eq!(
        refused.to_string(),
        "2 activations with idempotency key \"order\" wait already until it is known who has it"
    );
    assert_eq!(refused.code(), "saturated");
    journal.release();
    let mut ids = Vec::new();
    for activation in activations {
        ids.push(activation.await.unwrap().unwrap().id());
    }
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}
