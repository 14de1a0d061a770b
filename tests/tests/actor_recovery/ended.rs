//! What has ended is found in every later life, as long as it is kept.

use std::time::Duration;

use finale::{CommandError, Event, ExecutionHandle, ExecutionId, ExecutionStatus, Filter, Keep, Retention};
use finale_tests::actor::{Dummies, chart, settle, workflow};
use finale_tests::lives::{for_each_restart, outcome};
use finale_tests::tasks::task_of;

async fn events(execution: &ExecutionHandle) -> Vec<Event> {
    let mut events = execution.events().await.expect("it is kept");
    let mut all = Vec::new();
    while let Some(event) = events.next().await.expect("it does not lag") {
        all.push(event);
    }
    all
}

#[actix::test]
async fn everything_there_is_to_know_about_it_is_the_same() {
    for_each_restart(async |lives, how| {
        let first = lives.next().done("a").failing("b").never("c").start().unwrap();
        let mut ids = Vec::new();
        for flow in ["s>a a>e", "s>a a>b b>e"] {
            let execution = first.activate(&workflow(flow), ()).await.unwrap();
            execution.outcome().await.unwrap();
            ids.push(execution.id());
        }
        let cancelled = first.activate(&workflow("s>c c>e"), ()).await.unwrap();
        cancelled.cancel("me").await.unwrap();
        ids.push(cancelled.id());
        let kept = finale::Limits::new().ended_executions_max(1);
        let second = lives.restart(&first, how).await.limits(kept).start().unwrap();
        assert_eq!(second.health().recovering, 0);
        for id in ids {
            let (before, after) = (first.execution(id).await, second.execution(id).await.unwrap());
            assert_eq!(after.outcome().await.unwrap().status(), after.status().await.unwrap());
            assert!(!events(&after).await.is_empty());
            let record = after.snapshot().await.unwrap();
            assert!(record.state.status().is_terminal());
            let why = after.why().await.unwrap();
            assert_eq!(why.status, record.state.status());
            // A runtime that crashed in our sight can still be asked.
            if let Ok(before) = before {
                assert_eq!(events(&before).await, events(&after).await);
                assert_eq!((before.snapshot().await.unwrap(), before.why().await.unwrap()), (record, why));
                assert_eq!(before.outcome().await, after.outcome().await);
            }
        }
        assert_eq!(second.executions(Filter::new()).await.unwrap().executions.len(), 3);
    })
    .await;
}

async fn is_known(runtime: &finale::Runtime, id: ExecutionId) -> bool {
    match runtime.execution(id).await {
        Ok(_) => true,
        Err(CommandError::NotFound) => false,
        Err(other) => panic!("{other}"),
    }
}

#[actix::test]
async fn what_is_not_kept_any_more_is_forgotten_and_what_lives_is_not() {
    for_each_restart(async |lives, how| {
        let asking = chart("s>a a>e").outside("a").workflow();
        let first = lives.next().start().unwrap();
        let mut ids = Vec::new();
        for number in 0..6 {
            ids.push(first.activate(&asking, number).idempotency_key(format!("{number}")).await.unwrap().id());
        }
        for id in &ids[..4] {
            first.complete_task(task_of(*id, &asking, "a"), ()).await.unwrap();
        }
        let retention = Retention::all(Keep::for_ever().at_most(1));
        let second = lives.restart(&first, how).await.retention(retention).start().unwrap();
        tokio::time::sleep(Duration::from_secs(30)).await;
        for id in &ids[..3] {
            assert!(!is_known(&second, *id).await);
        }
        for id in &ids[3..] {
            assert!(is_known(&second, *id).await);
        }
        let new = second.activate(&asking, 9).idempotency_key("0").await.unwrap();
        assert_ne!(new.id(), ids[0], "its key is free again");
        let third = lives.restart(&second, how).await.start().unwrap();
        for id in &ids[4..] {
            third.complete_task(task_of(*id, &asking, "a"), ()).await.unwrap();
            assert_eq!(outcome(&third, *id).await.status(), ExecutionStatus::Completed);
        }
        assert!(!is_known(&third, ids[0]).await);
    })
    .await;
}

#[actix::test]
async fn an_age_without_end_is_never_reached() {
    for_each_restart(async |lives, _| {
        let retention = Retention::all(Keep::for_age(Duration::MAX));
        let first = lives.next().retention(retention).done("a").start().unwrap();
        let old = first.activate(&workflow("s>a a>e"), ()).await.unwrap();
        old.outcome().await.unwrap();
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert!(is_known(&first, old.id()).await);
        assert!(first.health().is_well());
    })
    .await;
}

#[actix::test]
async fn the_age_of_what_has_ended_counts_from_its_end_over_all_lives() {
    for_each_restart(async |lives, how| {
        let retention = Retention::all(Keep::for_age(Duration::from_secs(600)));
        let first = lives.next().retention(retention).done("a").start().unwrap();
        let old = first.activate(&workflow("s>a a>e"), ()).await.unwrap();
        old.outcome().await.unwrap();
        tokio::time::sleep(Duration::from_secs(500)).await;
        let second = lives.restart(&first, how).await.retention(retention).done("a").start().unwrap();
        let young = second.activate(&workflow("s>a a>e"), ()).await.unwrap();
        young.outcome().await.unwrap();
        settle().await;
        assert!(is_known(&second, old.id()).await);
        tokio::time::sleep(Duration::from_secs(200)).await;
        assert!(!is_known(&second, old.id()).await);
        assert!(is_known(&second, young.id()).await);
    })
    .await;
}
