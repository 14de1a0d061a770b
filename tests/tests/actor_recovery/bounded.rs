//! A recovery takes its time, and everything else goes on meanwhile.

use finale::{ActivateError, ExecutionStatus};
use finale_tests::actor::{Dummies, Gate, chart, settle, workflow};
use finale_tests::lives::{for_each_life, outcome};
use finale_tests::tasks::task_of;

#[actix::test]
async fn thousands_go_on_a_few_at_a_time_and_new_ones_are_let_in() {
    for_each_life(async |lives| {
        let flow = workflow("s>a a>e");
        let first = lives.next().never("a").start().unwrap();
        let mut ids = Vec::new();
        for _ in 0..2_000 {
            ids.push(first.activate(&flow, ()).await.unwrap().id());
        }
        settle().await;
        let gate = Gate::closed();
        gate.open();
        let builder = lives.crash().limits(finale::Limits::new().active_executions_max(4));
        let second = builder.gated("a", &gate).done("b").start().unwrap();
        let mut left = second.health().recovering;
        assert_eq!(left, 2_000);
        let new = second.activate(&workflow("s>b b>e"), ()).await.unwrap();
        for _ in 0..100_000 {
            tokio::task::yield_now().await;
            let now = second.health().recovering;
            assert!(now <= left);
            left = now;
        }
        assert_eq!(left, 0);
        assert_eq!(new.outcome().await.unwrap().status(), ExecutionStatus::Completed);
        for id in ids {
            assert_eq!(outcome(&second, id).await.status(), ExecutionStatus::Completed);
        }
        assert_eq!(gate.begun(), 2_000);
    })
    .await;
}

#[actix::test]
async fn more_than_may_be_open_are_taken_over_and_the_limit_holds_afterwards() {
    for_each_life(async |lives| {
        let flow = chart("s>a a>e").outside("a").workflow();
        let first = lives.next().start().unwrap();
        let mut ids = Vec::new();
        for _ in 0..5 {
            ids.push(first.activate(&flow, ()).await.unwrap().id());
        }
        let builder = lives.crash().limits(finale::Limits::new().open_executions_max(2));
        let second = builder.start().unwrap();
        for (ended, id) in ids.into_iter().enumerate() {
            let refused = second.activate(&flow, ()).await;
            let saturated = matches!(refused, Err(ActivateError::Saturated { open_executions_max: 2 }));
            assert_eq!(saturated, ended <= 3, "after {ended} have ended: {refused:?}");
            second.complete_task(task_of(id, &flow, "a"), ()).await.unwrap();
            assert_eq!(outcome(&second, id).await.status(), ExecutionStatus::Completed);
        }
        // One was let in when one of the old ones was left, so there is place for one more.
        second.activate(&flow, ()).await.unwrap();
        let refused = second.activate(&flow, ()).await.unwrap_err();
        assert!(matches!(refused, ActivateError::Saturated { .. }), "{refused:?}");
    })
    .await;
}

#[actix::test]
async fn the_sweep_does_not_get_ahead_of_the_recovery() {
    for_each_life(async |lives| {
        let flow = workflow("s>a a>e");
        let first = lives.next().never("a").start().unwrap();
        for _ in 0..500 {
            first.activate(&flow, ()).await.unwrap();
        }
        settle().await;
        let gate = Gate::closed();
        let builder = lives.crash().sweep_interval(std::time::Duration::from_millis(1));
        let second = builder.gated("a", &gate).start().unwrap();
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        assert_eq!((gate.begun(), second.health().recovering), (500, 0));
    })
    .await;
}
