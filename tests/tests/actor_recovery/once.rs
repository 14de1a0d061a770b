//! What may begin at most once never begins a second time.

use std::sync::atomic::Ordering;

use finale::{ExecutionStatus, FailureClass};
use finale_core::definition::OnFailure;
use finale_tests::actor::{Dummies, Gate, chart, only_failure, settle};
use finale_tests::lives::{Diary, End, Noted, for_each_life, for_each_restart, outcome};

#[actix::test]
async fn it_fails_as_lost_and_is_not_run_again() {
    for_each_restart(async |lives, how| {
        let diary = Diary::default();
        let first = lives.next().noted_at("a", &diary, &Gate::closed()).never("b").start().unwrap();
        let flow = chart("s>a a>b b>e").at_most_once("a").workflow();
        let id = first.activate(&flow, ()).await.unwrap().id();
        settle().await;
        let second = lives.restart(&first, how).await.noted("a b", &diary).start().unwrap();
        let outcome_second = outcome(&second, id).await;
        assert_eq!(only_failure(&outcome_second).0, FailureClass::Lost);
        let third = lives.restart(&second, how).await.noted("a b", &diary).start().unwrap();
        assert_eq!(outcome(&third, id).await, outcome_second);
        assert_eq!(diary.told(), ["a 1"]);
    })
    .await;
}

#[actix::test]
async fn what_depends_on_it_follows_the_policy() {
    for_each_restart(async |lives, how| {
        let diary = Diary::default();
        let first = lives.next().never("a c").done("b").start().unwrap();
        let forked = || chart("s>p p:branch>a p:branch>c a>b b>e c>e").at_most_once("a");
        let waiting = forked().on_failure(OnFailure::WaitAll).workflow();
        let optional = forked().task("a", |task| task.optional = true).workflow();
        let waiting = first.activate(&waiting, ()).await.unwrap().id();
        let optional = first.activate(&optional, ()).await.unwrap().id();
        settle().await;
        let second = lives.restart(&first, how).await.noted("a b c", &diary).start().unwrap();
        let waited = outcome(&second, waiting).await;
        assert_eq!((waited.status(), waited.counts.completed, waited.counts.skipped), (ExecutionStatus::Failed, 1, 1));
        let tolerated = outcome(&second, optional).await;
        assert_eq!((tolerated.status(), tolerated.counts.completed), (ExecutionStatus::Completed, 2));
        assert_eq!((diary.attempts("a").len(), diary.attempts("b"), diary.attempts("c")), (0, vec![1], vec![2, 2]));
    })
    .await;
}

#[actix::test]
async fn an_outcome_that_was_lost_inside_the_process_is_told_again() {
    for_each_life(async |lives| {
        let (diary, faults) = (Diary::default(), lives.faults());
        let runtime = lives.next().faults(faults.clone()).noted("a", &diary).start().unwrap();
        faults.lose_outcomes.store(1, Ordering::Relaxed);
        let execution = runtime.activate(&chart("s>a a>e").at_most_once("a").workflow(), ()).await.unwrap();
        assert_eq!(execution.outcome().await.unwrap().status(), ExecutionStatus::Completed);
        assert_eq!(diary.told(), ["a 1"]);
    })
    .await;
}

#[actix::test]
async fn what_was_done_once_stays_done() {
    for_each_restart(async |lives, how| {
        let diary = Diary::default();
        let first = lives.next().noted("a", &diary).never("b").start().unwrap();
        let id = first.activate(&chart("s>a a>b b>e").at_most_once("a").workflow(), ()).await.unwrap().id();
        settle().await;
        let second = lives.restart(&first, how).await.noted("a b", &diary).start().unwrap();
        assert_eq!(outcome(&second, id).await.status(), ExecutionStatus::Completed);
        assert_eq!(diary.told(), ["a 1", "b 2"]);
    })
    .await;
}

/// All is in order: nothing was dropped, and nothing was at work any more when the runtime was gone.
#[actix::test]
async fn what_had_not_begun_when_a_runtime_was_shut_down_begins_in_the_next_one() {
    for_each_life(async |lives| {
        let (diary, gate) = (Diary::default(), Gate::closed());
        let first = lives.next().noted_at("a", &diary, &gate).noted("b", &diary).handler_limit("a", 1).start().unwrap();
        // The handler of `b` is asked for while the runtime shuts down, and that of the second `a` waits for its limit.
        let ahead = chart("s>a a>b b>e").at_most_once("b").workflow();
        let ahead = first.activate(&ahead, ()).await.unwrap();
        settle().await;
        let behind = first.activate(&chart("s>a a>e").at_most_once("a").workflow(), ()).await.unwrap();
        settle().await;
        let queued = behind.snapshot().await.unwrap().nodes.into_iter().find(|node| node.id == "a").unwrap();
        assert_eq!(queued.state.status(), finale::NodeStatus::Queued);
        let opening = gate.clone();
        actix::spawn(async move {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            opening.open();
        });
        let report = first.shutdown(std::time::Duration::from_secs(60)).await;
        assert!(report.is_orderly(), "{report}");
        assert_eq!(diary.told(), ["a 1"]);
        let second = lives.restart(&first, End::Shutdown).await.noted("a b", &diary).start().unwrap();
        for id in [ahead.id(), behind.id()] {
            assert_eq!(outcome(&second, id).await.status(), ExecutionStatus::Completed);
        }
        let mut told = diary.told();
        told.sort();
        assert_eq!(told, ["a 1", "a 1", "b 1"]);
    })
    .await;
}
