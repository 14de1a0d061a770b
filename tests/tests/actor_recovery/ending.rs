//! An end that was decided comes, whatever happens in between; one that was not durable is decided again.

use std::sync::atomic::Ordering;
use std::time::Duration;

use finale::journal::Acknowledgement;
use finale::{CommandError, ExecutionStatus, Workflow};
use finale_core::record::DecidedBy;
use finale_tests::actor::{Dummies, Gate, chart, settle, workflow};
use finale_tests::lives::{Diary, Noted, for_each_life, for_each_restart, outcome};

const LONG: Duration = Duration::from_secs(600);

fn fork() -> finale_tests::actor::Chart {
    chart("s>p p:branch>a p:branch>b a>join b>join join>c c>e")
}

#[actix::test]
async fn an_acknowledged_cancellation_stays() {
    for_each_restart(async |lives, how| {
        let (diary, first) = (Diary::default(), lives.next().never("a").start().unwrap());
        let execution = first.activate(&workflow("s>a a>e"), ()).await.unwrap();
        settle().await;
        let receipt = execution.cancel("me").await.unwrap();
        let second = lives.restart(&first, how).await.noted("a", &diary).start().unwrap();
        let outcome = outcome(&second, execution.id()).await;
        assert_eq!((outcome.status(), outcome.completed_at), (ExecutionStatus::Cancelled, receipt.completed_at));
        let again = second.cancel_execution(execution.id(), "me").await;
        assert_eq!(again, Err(CommandError::AlreadyTerminal(ExecutionStatus::Cancelled)));
        assert!(diary.runs().is_empty());
    })
    .await;
}

#[actix::test]
async fn a_cancellation_that_waits_for_handlers_is_over_with_their_life() {
    for_each_restart(async |lives, how| {
        let first = lives.next().grace(LONG).never("a b c").start().unwrap();
        let execution = first.activate(&fork().workflow(), ()).await.unwrap();
        settle().await;
        let id = execution.id();
        let cancel = actix::spawn(async move { execution.cancel("me").await });
        settle().await;
        // The handlers are not even there any more: nothing of it is run again.
        let second = lives.restart(&first, how).await.start().unwrap();
        let outcome = outcome(&second, id).await;
        assert_eq!(outcome.status(), ExecutionStatus::Cancelled);
        assert_eq!((second.health().quarantined, outcome.counts.cancelled), (0, 2));
        cancel.abort();
    })
    .await;
}

/// What a life that follows comes to when the first one ends after `a` has failed and while `b` is at work.
async fn failed_while_a_sibling_runs(flow: &Workflow) {
    for_each_restart(async |lives, how| {
        let (diary, gate) = (Diary::default(), Gate::closed());
        let first = lives.next().grace(LONG).failing("a").noted_at("b", &diary, &gate).noted("c", &diary);
        let first = first.start().expect("it starts");
        let id = first.activate(flow, ()).await.expect("it is activated").id();
        settle().await;
        assert_eq!(
            first.execution(id).await.expect("it is known").status().await.expect("it is known"),
            ExecutionStatus::Ending
        );
        let second = lives.restart(&first, how).await.noted("a b c", &diary).start().expect("it starts");
        let outcome = outcome(&second, id).await;
        let decided = DecidedBy::FailFast { node: "a".to_owned() };
        assert_eq!((outcome.status(), &outcome.decided_by), (ExecutionStatus::Failed, &decided));
        assert_eq!(diary.told(), ["b 1"], "nothing is run after the end is decided");
    })
    .await;
}

#[actix::test]
async fn siblings_that_were_told_to_stop_are_not_run_again() {
    failed_while_a_sibling_runs(&fork().workflow()).await;
}

#[actix::test]
async fn siblings_that_were_to_finish_are_not_run_again() {
    failed_while_a_sibling_runs(&fork().finish().workflow()).await;
}

#[actix::test]
async fn an_end_that_was_not_durable_is_decided_again() {
    for_each_life(async |lives| {
        let (diary, gate) = (Diary::default(), Gate::closed());
        let first = lives.next().noted_at("a", &diary, &gate).start().unwrap();
        let execution = first.activate(&workflow("s>a a>e"), ()).await.unwrap();
        settle().await;
        lives.journal.set(Acknowledgement::Held);
        gate.open();
        settle().await;
        assert_eq!(lives.journal.held(), 1, "the outcome and the end");
        lives.journal.set(Acknowledgement::Late);
        let second = lives.crash().failing("a").start().unwrap();
        assert_eq!(outcome(&second, execution.id()).await.status(), ExecutionStatus::Failed);
        assert_eq!(execution.status().await.unwrap(), ExecutionStatus::Running, "the old life saw no end");
        let third = lives.crash().start().unwrap();
        assert_eq!(outcome(&third, execution.id()).await.status(), ExecutionStatus::Failed);
    })
    .await;
}

#[actix::test]
async fn a_cancellation_that_was_not_durable_did_not_happen() {
    for_each_life(async |lives| {
        let first = lives.next().never("a").start().unwrap();
        let execution = first.activate(&workflow("s>a a>e"), ()).await.unwrap();
        settle().await;
        lives.journal.set(Acknowledgement::Held);
        let id = execution.id();
        let cancel = actix::spawn(async move { execution.cancel("me").await });
        settle().await;
        lives.journal.set(Acknowledgement::Late);
        let second = lives.crash().done("a").start().unwrap();
        assert_eq!(outcome(&second, id).await.status(), ExecutionStatus::Completed);
        assert!(!cancel.is_finished(), "nobody was told that it was cancelled");
    })
    .await;
}

#[actix::test]
async fn a_cancellation_right_after_the_restart_lets_nothing_begin() {
    for_each_restart(async |lives, how| {
        let (diary, first) = (Diary::default(), lives.next().never("a").start().unwrap());
        let id = first.activate(&workflow("s>a a>e"), ()).await.unwrap().id();
        settle().await;
        let second = lives.restart(&first, how).await.noted("a", &diary).start().unwrap();
        let receipt = second.cancel_execution(id, "me").await.unwrap();
        assert_eq!(receipt.status, ExecutionStatus::Cancelled);
        settle().await;
        assert!(diary.runs().is_empty());
    })
    .await;
}

#[actix::test]
async fn an_operator_declares_the_end_right_after_the_restart() {
    for_each_restart(async |lives, how| {
        let first = lives.next().never("a").start().unwrap();
        let flow = workflow("s>a a>e");
        let (done, failed) =
            (first.activate(&flow, ()).await.unwrap().id(), first.activate(&flow, ()).await.unwrap().id());
        settle().await;
        let second = lives.restart(&first, how).await.never("a").start().unwrap();
        second.complete_execution(done, "me").await.unwrap();
        second.fail_execution(failed, "me", "no use").await.unwrap();
        assert_eq!(outcome(&second, done).await.status(), ExecutionStatus::Completed);
        assert_eq!(outcome(&second, failed).await.error().unwrap().to_string(), "no use");
    })
    .await;
}

#[actix::test]
async fn an_actor_may_die_over_the_recovery() {
    for_each_life(async |lives| {
        let first = lives.next().never("a").start().unwrap();
        let id = first.activate(&workflow("s>a a>e"), ()).await.unwrap().id();
        settle().await;
        let builder = lives.crash();
        let faults = lives.faults();
        faults.panic_in_turn.store(2, Ordering::Relaxed);
        let second = builder.faults(faults.clone()).done("a").start().unwrap();
        assert_eq!(outcome(&second, id).await.status(), ExecutionStatus::Completed);
        assert_eq!(faults.panic_in_turn.load(Ordering::Relaxed), 0);
        let record = second.execution(id).await.unwrap().snapshot().await.unwrap();
        assert_eq!(record.counts.completed, 1);
    })
    .await;
}
