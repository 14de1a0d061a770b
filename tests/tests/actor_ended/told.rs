//! What handlers are told, and when.

use std::sync::Arc;

use finale::journal::{Acknowledgement, HeldJournal, JournalReader, MemoryJournal, SqliteJournal};
use finale::{DecidedBy, ExecutionStatus, Runtime, Shards};
use finale_tests::actor::{
    Dummies, Gate, chart, for_each_journal, outcome_of, runtime, settle, with_journal, workflow,
};

use super::Notebook;

#[actix::test]
async fn each_end_is_told_once_with_all_that_is_known_of_it() {
    for_each_journal(async |journal| {
        let notebook = Notebook::default();
        let runtime = runtime(&journal).done("a").failing("b").on_ended(notebook.handler()).start().unwrap();
        let completed = runtime.activate(&workflow("s>a a>e"), ()).business_key("order 7").await.unwrap();
        let outcome = completed.outcome().await.unwrap();
        let failed = outcome_of(&runtime, &workflow("s>b b>e")).await;
        let asking = runtime.activate(&chart("s>o o>e").outside("o").workflow(), ()).await.unwrap();
        asking.cancel("somebody").await.unwrap();
        settle().await;

        let told = notebook.told();
        let [first, second, third] = &told[..] else { panic!("{told:?}") };
        assert_eq!((first.execution, first.business_key.as_deref()), (completed.id(), Some("order 7")));
        assert_eq!((&first.workflow.id, first.status()), (&workflow("s>a a>e").definition().id, outcome.status()));
        assert_eq!((&first.outcome, first.completed_at()), (&outcome, outcome.completed_at));
        assert_eq!((second.status(), &second.outcome), (ExecutionStatus::Failed, &failed));
        assert_eq!((third.execution, third.status()), (asking.id(), ExecutionStatus::Cancelled));
        assert_eq!(third.business_key, None);
        assert_eq!(journal.untold(None, 10), Ok(Vec::new()), "nobody has to be told any more");
    })
    .await;
}

#[actix::test]
async fn an_end_is_told_when_it_is_durable_and_not_before() {
    with_journal(Acknowledgement::Held, async |journal| {
        let notebook = Notebook::default();
        let runtime = runtime(&journal).done("a").on_ended(notebook.handler()).start().unwrap();
        let activation = actix::spawn(runtime.activate(&workflow("s>a a>e"), ()).into_future());
        settle().await;
        journal.release();
        let execution = activation.await.unwrap().unwrap();
        settle().await;
        assert!(journal.held() > 0 && notebook.told().is_empty(), "its end is decided, and not durable");
        journal.release();
        settle().await;
        assert_eq!(notebook.ids(), [execution.id()]);
        assert_eq!(journal.untold(None, 10), Ok(vec![execution.id()]), "that it was told is not durable");
        journal.release();
        assert_eq!(journal.untold(None, 10), Ok(Vec::new()));
    })
    .await;
}

#[actix::test]
async fn all_handlers_are_told_and_an_end_waits_for_all_of_them() {
    for_each_journal(async |journal| {
        let (first, second, gate) = (Notebook::default(), Notebook::default(), Gate::closed());
        let waits = gate.clone();
        let builder = runtime(&journal).done("a").on_ended(first.handler()).on_ended(move |_| {
            let gate = waits.clone();
            async move {
                gate.pass().await;
                Ok(())
            }
        });
        let runtime = builder.on_ended(second.handler()).start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        execution.outcome().await.unwrap();
        settle().await;
        assert_eq!((first.ids(), second.ids()), (vec![execution.id()], vec![execution.id()]));
        assert_eq!(journal.untold(None, 10), Ok(vec![execution.id()]));
        gate.open();
        settle().await;
        assert_eq!(journal.untold(None, 10), Ok(Vec::new()));
        assert_eq!((first.ids().len(), second.ids().len()), (1, 1));
    })
    .await;
}

#[actix::test]
async fn where_no_handler_is_nothing_is_to_be_told() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).done("a").start().unwrap();
        outcome_of(&runtime, &workflow("s>a a>e")).await;
        assert_eq!(journal.untold(None, 10), Ok(Vec::new()));
    })
    .await;
}

#[actix::test]
async fn one_that_is_declared_failed_because_it_cannot_be_read_is_told_as_well() {
    for_each_journal(async |journal| {
        let asking = chart("s>o o>e").outside("o").workflow();
        let first = runtime(&journal).start().unwrap();
        let id = first.activate(&asking, ()).business_key("order 7").await.unwrap().id();
        journal.damage(id);
        let notebook = Notebook::default();
        let runtime = runtime(&journal).on_ended(notebook.handler()).start().unwrap();
        settle().await;
        runtime.fail_execution(id, "somebody", "nobody can read it").await.unwrap();
        settle().await;
        let told = notebook.told();
        let [ended] = &told[..] else { panic!("{told:?}") };
        assert_eq!((ended.execution, ended.status()), (id, ExecutionStatus::Failed));
        assert!(matches!(ended.outcome.decided_by, DecidedBy::Operator { .. }));
        assert_eq!(ended.outcome.error().unwrap().to_string(), "nobody can read it");
    })
    .await;
}

/// Many executions end at the same time, on several threads.
async fn many(journal: impl finale::journal::Journal + Clone) {
    let notebook = Notebook::default();
    let builder = Runtime::builder().shards(Shards::Own(2)).journal(journal.clone());
    let runtime = builder.done("a").on_ended(notebook.handler()).start().unwrap();
    let flow = workflow("s>a a>e");
    let mut executions = Vec::new();
    for _ in 0..200 {
        executions.push(runtime.activate(&flow, ()).await.unwrap());
    }
    for execution in &executions {
        execution.outcome().await.unwrap();
    }
    while notebook.ids().len() < executions.len() {
        tokio::task::yield_now().await;
    }
    assert!(runtime.shutdown(std::time::Duration::from_secs(60)).await.is_orderly());
    let mut told = notebook.ids();
    told.sort_unstable();
    let mut ended: Vec<_> = executions.iter().map(finale::ExecutionHandle::id).collect();
    ended.sort_unstable();
    assert_eq!(told, ended, "each once");
    assert_eq!(journal.untold(None, 1_000), Ok(Vec::new()), "and all of them are noted as told");
}

#[actix::test]
async fn many_ends_on_many_threads_are_told_once_each() {
    many(MemoryJournal::new()).await;
    many(HeldJournal::new(Acknowledgement::Late)).await;
    let folder = tempfile::tempdir().unwrap();
    many(SqliteJournal::open(folder.path().join("journal.db")).unwrap()).await;
}

#[actix::test]
async fn a_handler_may_activate_and_ask_the_runtime_that_tells_it() {
    for_each_journal(async |journal| {
        let known = Arc::new(std::sync::OnceLock::<Runtime>::new());
        let its_runtime = Arc::clone(&known);
        let notebook = Notebook::default();
        let builder = runtime(&journal).done("a b").on_ended(notebook.handler()).on_ended(move |ended| {
            let runtime = Arc::clone(&its_runtime);
            async move {
                let runtime = runtime.get().ok_or("it has no runtime")?;
                let workflow = workflow("s>b b>e");
                if ended.workflow.id != workflow.definition().id || ended.business_key.is_none() {
                    // Told twice it begins one all the same.
                    let key = ended.execution.to_string();
                    runtime.activate(&workflow, ()).idempotency_key(key.as_str()).business_key("follows").await?;
                }
                Ok(())
            }
        });
        let runtime = builder.start().unwrap();
        assert!(known.set(runtime.clone()).is_ok());
        outcome_of(&runtime, &workflow("s>a a>e")).await;
        settle().await;
        let told: Vec<_> = notebook.told().into_iter().map(|ended| ended.business_key).collect();
        assert_eq!(told, [None, Some("follows".to_owned())]);
    })
    .await;
}
