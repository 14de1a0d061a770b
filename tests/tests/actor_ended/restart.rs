//! Ends that were not told are told by the next runtime.

use std::time::Duration;

use finale::journal::{
    Acknowledgement, HeldJournal, Journal, JournalReader, MemoryJournal, SqliteJournal, SqliteReader,
};
use finale::{Builder, ExecutionStatus, Keep, Retention, Runtime, Shards};
use finale_tests::actor::{Dummies, outcome_of, runtime, settle, workflow};

use super::{Notebook, Taking};

/// A handler that never takes anything.
fn refuses(_: finale::Ended) -> Taking {
    Box::pin(async { Err("not now".into()) })
}

fn on(journal: impl Journal) -> Builder {
    Runtime::builder().shards(Shards::Current).journal(journal).done("a").failing("b")
}

/// One that completed and one that failed, neither told.
async fn two_ends(runtime: &Runtime) -> [finale::ExecutionId; 2] {
    let completed = runtime.activate(&workflow("s>a a>e"), ()).business_key("order 7").await.unwrap();
    completed.outcome().await.unwrap();
    let failed = runtime.activate(&workflow("s>b b>e"), ()).await.unwrap();
    failed.outcome().await.unwrap();
    [completed.id(), failed.id()]
}

/// What the next runtime tells of [`two_ends`].
async fn told_later(journal: impl Journal + Clone, ids: [finale::ExecutionId; 2]) {
    let notebook = Notebook::default();
    let runtime = on(journal.clone()).on_ended(notebook.handler()).start().unwrap();
    while notebook.told().len() < 2 || journal.untold(None, 10) != Ok(Vec::new()) {
        tokio::task::yield_now().await;
    }
    // They are read when they are told, and come as they are read.
    let mut told = notebook.told();
    told.sort_by_key(|ended| ended.execution);
    assert_eq!(told.iter().map(|ended| ended.execution).collect::<Vec<_>>(), ids);
    assert_eq!(told[0].business_key.as_deref(), Some("order 7"));
    assert_eq!(told[0].workflow.id, workflow("s>a a>e").definition().id);
    assert_eq!(told[0].outcome.counts.completed, 1, "the outcome is whole: it is read from the history");
    assert_eq!((told[0].status(), told[1].status()), (ExecutionStatus::Completed, ExecutionStatus::Failed));
    assert!(told[1].outcome.error().is_some());
    runtime.shutdown(Duration::from_secs(10)).await;
    let runtime = on(journal).on_ended(notebook.handler()).start().unwrap();
    outcome_of(&runtime, &workflow("s>a a>e")).await;
    while notebook.told().len() < 3 {
        tokio::task::yield_now().await;
    }
    assert!(!notebook.ids()[2..].iter().any(|id| ids.contains(id)), "what was told is not told again");
    runtime.shutdown(Duration::from_secs(10)).await;
}

#[actix::test]
async fn what_was_not_told_before_a_shutdown_is_told_after_the_next_start() {
    let memory = MemoryJournal::new();
    let runtime = on(memory.clone()).on_ended(refuses).start().unwrap();
    let ids = two_ends(&runtime).await;
    assert!(runtime.shutdown(Duration::from_secs(10)).await.is_orderly());
    told_later(memory, ids).await;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let sqlite = SqliteJournal::open(&path).unwrap();
    let runtime = on(sqlite.clone()).on_ended(refuses).start().unwrap();
    let ids = two_ends(&runtime).await;
    assert!(runtime.shutdown(Duration::from_secs(10)).await.is_orderly());
    drop((runtime, sqlite));
    told_later(SqliteJournal::open(&path).unwrap(), ids).await;
}

#[actix::test]
async fn what_was_not_told_before_a_kill_is_told_by_the_next_process() {
    let folder = tempfile::tempdir().unwrap();
    let first = SqliteJournal::open(folder.path().join("journal.db")).unwrap();
    let runtime = on(first.clone()).on_ended(refuses).start().unwrap();
    let ids = two_ends(&runtime).await;
    // What is on the disk now is what a kill leaves.
    let copy = folder.path().join("copy.db");
    first.backup(&copy).unwrap();
    let reader = SqliteReader::open(&copy).unwrap();
    assert_eq!(reader.untold(None, 10), Ok(ids.to_vec()));
    drop(reader);
    told_later(SqliteJournal::open(&copy).unwrap(), ids).await;
    runtime.shutdown(Duration::from_secs(10)).await;
}

/// A handler was down while executions ended, and the disk was not kind to one of them.
#[actix::test]
async fn an_end_whose_history_has_rotted_is_told_and_goes_like_the_others() {
    let journal = HeldJournal::new(Acknowledgement::Immediate);
    let retention = || Retention::all(Keep::for_ever().at_most(1)).interval(Duration::from_millis(100));
    let start = |retention| runtime(&journal).done("a").retention(retention);
    let first = start(Retention::default()).on_ended(refuses).start().unwrap();
    let flow = workflow("s>a a>e");
    let rotten = first.activate(&flow, ()).await.unwrap();
    rotten.outcome().await.unwrap();
    let (rotten, whole) = (rotten.id(), first.activate(&flow, ()).await.unwrap());
    whole.outcome().await.unwrap();
    first.shutdown(Duration::from_secs(10)).await;
    journal.damage(rotten);

    let notebook = Notebook::default();
    let second = start(retention()).on_ended(notebook.handler()).start().unwrap();
    while notebook.told().len() < 2 || journal.summary(rotten).unwrap().is_some() {
        actix::clock::sleep(Duration::from_millis(10)).await;
    }
    let told = notebook.told();
    let told = told.iter().find(|ended| ended.execution == rotten).unwrap();
    assert_eq!(told.status(), ExecutionStatus::Completed);
    assert!(told.damage.is_some() && told.outcome.output::<()>().is_ok(), "{told:?}");
    assert!(notebook.told().iter().all(|ended| ended.execution == rotten || ended.damage.is_none()));
    assert_eq!(journal.untold(None, 10), Ok(Vec::new()));
    second.shutdown(Duration::from_secs(10)).await;
}

#[actix::test]
async fn a_crash_before_it_is_durable_that_an_end_was_told_tells_it_again() {
    tokio::time::pause();
    let journal = HeldJournal::new(Acknowledgement::Late);
    let notebook = Notebook::default();
    let first = runtime(&journal).done("a").on_ended(notebook.handler()).start().unwrap();
    let id = first.activate(&workflow("s>a a>e"), ()).await.unwrap().id();
    first.execution(id).await.unwrap().outcome().await.unwrap();
    settle().await;
    assert_eq!(notebook.ids(), [id]);
    journal.set(Acknowledgement::Held);
    let late = first.activate(&workflow("s>a a>e"), ());
    let late = actix::spawn(late.into_future());
    for _ in 0..2 {
        settle().await;
        journal.release();
    }
    settle().await;
    let late = late.await.unwrap().unwrap().id();
    assert_eq!(notebook.ids(), [id, late], "it was told, and that is not durable");
    journal.crash();
    journal.set(Acknowledgement::Late);
    let _second = runtime(&journal).done("a").on_ended(notebook.handler()).start().unwrap();
    settle().await;
    assert_eq!(notebook.ids(), [id, late, late], "at least once");
    assert_eq!(journal.untold(None, 10), Ok(Vec::new()));
}

#[actix::test]
async fn more_than_fit_into_memory_are_all_told() {
    tokio::time::pause();
    let journal = HeldJournal::new(Acknowledgement::Late);
    let first = runtime(&journal).done("a").on_ended(refuses).start().unwrap();
    let flow = workflow("s>a a>e");
    let mut ids = Vec::new();
    for _ in 0..3_000 {
        ids.push(first.activate(&flow, ()).await.unwrap().id());
    }
    settle().await;
    first.shutdown(Duration::from_secs(10)).await;
    assert_eq!(journal.untold(None, 10_000).unwrap().len(), 3_000);
    let notebook = Notebook::default();
    let _second = runtime(&journal).done("a").on_ended(notebook.handler()).start().unwrap();
    settle().await;
    let mut told = notebook.ids();
    told.sort_unstable();
    ids.sort_unstable();
    assert_eq!(told, ids, "each once");
}

#[actix::test]
async fn retention_waits_until_an_end_was_told() {
    tokio::time::pause();
    let journal = HeldJournal::new(Acknowledgement::Late);
    let retention = Retention::all(Keep::for_age(Duration::from_secs(100)));
    let refusing = Notebook::refusing(10);
    let builder = runtime(&journal).done("a").retention(retention).on_ended(refusing.handler());
    let runtime = builder.start().unwrap();
    let id = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap().id();
    let span = Duration::from_secs(200);
    tokio::time::sleep(span).await;
    assert_eq!(journal.untold(None, 10), Ok(vec![id]));
    assert!(journal.summary(id).unwrap().is_some(), "it is kept for those who have to be told");
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!((refusing.told().len(), journal.untold(None, 10)), (11, Ok(Vec::new())));
    assert_eq!(journal.summary(id), Ok(None), "it was told, and has expired");
}

#[actix::test]
async fn a_runtime_without_handlers_tells_nothing_and_forgets_all_the_same() {
    tokio::time::pause();
    let journal = HeldJournal::new(Acknowledgement::Late);
    let first = runtime(&journal).done("a").on_ended(refuses).start().unwrap();
    let id = first.activate(&workflow("s>a a>e"), ()).await.unwrap().id();
    settle().await;
    first.shutdown(Duration::from_secs(10)).await;
    let second = runtime(&journal).done("a").start().unwrap();
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(journal.untold(None, 10), Ok(vec![id]), "its mark is left as it is");
    second.shutdown(Duration::from_secs(10)).await;
    let retention = Retention::all(Keep::for_age(Duration::from_secs(10)));
    let _third = runtime(&journal).done("a").retention(retention).start().unwrap();
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!((journal.untold(None, 10), journal.summary(id)), (Ok(Vec::new()), Ok(None)));
}
