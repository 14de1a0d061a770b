//! An activation is there as a whole or not at all; one that was acknowledged is there.

use finale::journal::Acknowledgement;
use finale::{ActivateError, ExecutionStatus, Filter};
use finale_tests::actor::{Dummies, Gate, settle, workflow};
use finale_tests::lives::{Diary, Noted, for_each_life, for_each_restart, outcome, with_held_life};
use finale_tests::tasks::expect_nothing;

#[actix::test]
async fn an_activation_that_was_not_durable_never_was() {
    with_held_life(async |lives| {
        let (gate, first) = (Gate::closed(), lives.next().never("a").start().unwrap());
        let activation = first.activate(&workflow("s>a a>e"), ()).idempotency_key("order");
        let activation = actix::spawn(activation.start());
        settle().await;
        let second = lives.crash().gated("a", &gate).start().unwrap();
        settle().await;
        expect_nothing(&second).await;
        assert!(!activation.is_finished());
        assert_eq!(gate.begun(), 0);
        lives.journal.set(Acknowledgement::Late);
        second.activate(&workflow("s>a a>e"), 8).idempotency_key("order").await.unwrap();
    })
    .await;
}

#[actix::test]
async fn of_many_activations_those_are_there_that_were_durable() {
    for durable in 0..=6 {
        let lives = finale_tests::lives::Lives::new(&finale::journal::HeldJournal::new(Acknowledgement::Held));
        if durable == 0 {
            tokio::time::pause();
        }
        let first = lives.next().never("a").start().unwrap();
        let flow = workflow("s>a a>e");
        let activations: Vec<_> = (0..6).map(|_| actix::spawn(first.activate(&flow, ()).start())).collect();
        settle().await;
        lives.journal.release_up_to(durable);
        settle().await;
        let acknowledged = activations.iter().filter(|activation| activation.is_finished()).count();
        let second = lives.crash().done("a").start().unwrap();
        lives.journal.set(Acknowledgement::Late);
        settle().await;
        let found = second.executions(Filter::new()).await.unwrap().executions;
        assert_eq!((acknowledged as u64, found.len() as u64), (durable, durable));
        for activation in activations.into_iter().filter(tokio::task::JoinHandle::is_finished) {
            let id = activation.await.unwrap().unwrap().id();
            assert_eq!(outcome(&second, id).await.status(), ExecutionStatus::Completed);
        }
    }
}

#[actix::test]
async fn what_was_acknowledged_is_there_at_once() {
    for_each_restart(async |lives, how| {
        let (diary, first) = (Diary::default(), lives.next().never("a").start().unwrap());
        let mut ids = Vec::new();
        for _ in 0..200 {
            ids.push(first.activate(&workflow("s>a a>e"), ()).await.unwrap().id());
        }
        let second = lives.restart(&first, how).await.noted("a", &diary).start().unwrap();
        assert_eq!(second.health().recovering, 200, "from the first moment on");
        for id in ids {
            assert_eq!(outcome(&second, id).await.status(), ExecutionStatus::Completed);
        }
        assert_eq!(diary.runs().len(), 200);
    })
    .await;
}

#[actix::test]
async fn an_activation_of_the_old_life_is_answered_when_its_runtime_is_gone() {
    with_held_life(async |lives| {
        let first = lives.next().never("a").start().unwrap();
        let activation = actix::spawn(first.activate(&workflow("s>a a>e"), ()).start());
        settle().await;
        let _second = lives.crash().never("a").start().unwrap();
        first.shutdown(std::time::Duration::from_secs(1)).await;
        let refused = activation.await.unwrap().unwrap_err();
        assert!(matches!(refused, ActivateError::Stopped | ActivateError::Journal(_)), "{refused:?}");
    })
    .await;
}

#[actix::test]
async fn a_new_activation_does_not_wait_for_the_recovery() {
    for_each_life(async |lives| {
        let first = lives.next().never("a").done("b").start().unwrap();
        for _ in 0..500 {
            first.activate(&workflow("s>a a>e"), ()).await.unwrap();
        }
        settle().await;
        let second = lives.crash().never("a").done("b").start().unwrap();
        let execution = second.activate(&workflow("s>b b>e"), ()).await.unwrap();
        assert_eq!(execution.outcome().await.unwrap().status(), ExecutionStatus::Completed);
    })
    .await;
}
