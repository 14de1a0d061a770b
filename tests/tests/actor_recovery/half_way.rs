//! Being killed in the midst of a recovery does no harm: the next one begins again.

use std::time::Duration;

use finale::ExecutionStatus;
use finale::journal::{Acknowledgement, HeldJournal};
use finale_tests::actor::{Dummies, Gate, chart, settle, workflow};
use finale_tests::lives::{Diary, Lives, Noted, outcome};

const EXECUTIONS: u64 = 5;

#[actix::test]
async fn a_crash_after_each_acknowledgement_of_a_recovery_is_harmless() {
    tokio::time::pause();
    for acknowledged in 0..=EXECUTIONS {
        let lives = Lives::new(&HeldJournal::new(Acknowledgement::Late));
        let first = lives.next().never("a b").start().unwrap();
        let mut ids = Vec::new();
        for _ in 0..EXECUTIONS {
            ids.push(first.activate(&workflow("s>a a>b b>e"), ()).await.unwrap().id());
        }
        settle().await;
        let diary = Diary::default();
        lives.journal.set(Acknowledgement::Held);
        let _second = lives.crash().noted_at("a", &diary, &Gate::closed()).never("b").start().unwrap();
        settle().await;
        assert_eq!((lives.journal.held(), diary.runs().len()), (EXECUTIONS, 0), "nothing begins before it is durable");
        lives.journal.release_up_to(acknowledged);
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(diary.attempts("a"), vec![2; acknowledged as usize]);
        lives.journal.set(Acknowledgement::Late);
        let third = lives.crash().noted("a b", &diary).start().unwrap();
        for id in ids {
            assert_eq!(outcome(&third, id).await.status(), ExecutionStatus::Completed);
        }
        let again = vec![3; acknowledged as usize];
        let mut attempts = diary.attempts("a");
        attempts.sort_unstable();
        assert_eq!(attempts, [vec![2; EXECUTIONS as usize], again].concat());
        assert_eq!(diary.attempts("b"), vec![1; EXECUTIONS as usize]);
    }
}

#[actix::test]
async fn a_crash_after_each_step_of_an_execution_is_harmless() {
    tokio::time::pause();
    let flow = chart("s>a a>p p:branch>b p:branch>c b>join c>join join>d d>e").workflow();
    for steps in 0..=6 {
        let lives = Lives::new(&HeldJournal::new(Acknowledgement::Late));
        let (diary, first) = (Diary::default(), lives.next().never("a b c d").start().unwrap());
        let id = first.activate(&flow, ()).await.unwrap().id();
        settle().await;
        lives.journal.set(Acknowledgement::Held);
        let _second = lives.crash().noted("a b c d", &diary).start().unwrap();
        for _ in 0..steps {
            settle().await;
            lives.journal.release_up_to(1);
        }
        settle().await;
        lives.journal.set(Acknowledgement::Late);
        let third = lives.crash().noted("a b c d", &diary).start().unwrap();
        let ended = outcome(&third, id).await;
        assert_eq!((ended.status(), ended.counts.completed), (ExecutionStatus::Completed, 4), "after {steps} steps");
        let mut told = diary.told();
        told.sort_unstable();
        told.dedup();
        assert_eq!(told.len(), diary.runs().len(), "no attempt begins twice: {:?}", diary.told());
    }
}

#[actix::test]
async fn a_shutdown_in_the_midst_of_a_recovery_is_harmless() {
    tokio::time::pause();
    let lives = Lives::new(&HeldJournal::new(Acknowledgement::Late));
    let first = lives.next().never("a").start().unwrap();
    let mut ids = Vec::new();
    for _ in 0..300 {
        ids.push(first.activate(&workflow("s>a a>e"), ()).await.unwrap().id());
    }
    settle().await;
    let second = lives.crash().never("a").start().unwrap();
    tokio::task::yield_now().await;
    let report = second.shutdown(Duration::ZERO).await;
    assert_eq!(report.unfinished, 300);
    let third = lives.next().done("a").start().unwrap();
    assert!(!third.health().after_crash);
    for id in ids {
        assert_eq!(outcome(&third, id).await.status(), ExecutionStatus::Completed);
    }
}
