//! A shutdown waits for the handlers at work, and no longer than its deadline.

use std::time::Duration;

use finale::journal::JournalReader;
use finale_tests::actor::{Dummies, Gate, for_each_journal, outcome_of, runtime, settle, workflow};
use tokio::time::Instant;

use super::{Notebook, Taking};

const MINUTE: Duration = Duration::from_secs(60);

fn gated(gate: &Gate) -> impl Fn(finale::Ended) -> Taking + Send + Sync + 'static {
    let gate = gate.clone();
    move |_| {
        let gate = gate.clone();
        Box::pin(async move {
            gate.pass().await;
            Ok(())
        })
    }
}

#[actix::test]
async fn handlers_at_work_may_finish_and_no_other_end_is_told() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let runtime = runtime(&journal).done("a").on_ended(gated(&gate)).start().unwrap();
        for _ in 0..20 {
            outcome_of(&runtime, &workflow("s>a a>e")).await;
        }
        settle().await;
        let ends = actix::spawn({
            let runtime = runtime.clone();
            async move { runtime.shutdown(MINUTE).await }
        });
        settle().await;
        assert!(!ends.is_finished() && gate.inside() == 16);
        gate.open();
        let begin = Instant::now();
        assert!(ends.await.unwrap().is_orderly());
        assert!(begin.elapsed() < Duration::from_secs(1));
        assert_eq!((gate.begun(), journal.untold(None, 100).unwrap().len()), (16, 4));
    })
    .await;
}

#[actix::test]
async fn a_handler_that_hangs_is_dropped_at_the_deadline_and_told_after_the_next_start() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let first = runtime(&journal).done("a").on_ended(gated(&gate)).start().unwrap();
        let execution = first.activate(&workflow("s>a a>e"), ()).await.unwrap();
        execution.outcome().await.unwrap();
        settle().await;
        let begin = Instant::now();
        assert!(first.shutdown(MINUTE / 2).await.is_orderly());
        assert!(begin.elapsed() >= MINUTE / 2 && begin.elapsed() < MINUTE);
        assert_eq!(gate.inside(), 0, "it was dropped");
        let notebook = Notebook::default();
        let _second = runtime(&journal).done("a").on_ended(notebook.handler()).start().unwrap();
        settle().await;
        assert_eq!(notebook.ids(), [execution.id()]);
    })
    .await;
}

#[actix::test]
async fn an_end_that_a_shutdown_lets_happen_is_told() {
    for_each_journal(async |journal| {
        let (gate, notebook) = (Gate::closed(), Notebook::default());
        let runtime = runtime(&journal).gated("a", &gate).on_ended(notebook.handler()).start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        settle().await;
        let ends = actix::spawn({
            let runtime = runtime.clone();
            async move { runtime.shutdown(MINUTE).await }
        });
        settle().await;
        gate.open();
        assert_eq!(ends.await.unwrap().unfinished, 0);
        let untold = journal.untold(None, 10).unwrap();
        assert_eq!([notebook.ids(), untold].concat(), [execution.id()], "at once, or by the next runtime");
    })
    .await;
}
