//! A journal that fails during a recovery stops everything; what was acknowledged is there in the next life.

use finale::journal::{Acknowledgement, HeldJournal, JournalError};
use finale::{Abandoned, ActivateError, CommandError, ExecutionStatus, ReportError};
use finale_tests::actor::{Dummies, chart, settle, workflow};
use finale_tests::lives::{Diary, Lives, Noted, outcome};
use finale_tests::tasks::task_of;

fn broken() -> JournalError {
    JournalError::Failed("the disk is full".into())
}

#[actix::test]
async fn nothing_goes_on_after_a_failure_and_everything_does_after_the_next_restart() {
    tokio::time::pause();
    for durable in 0..=4 {
        let lives = Lives::new(&HeldJournal::new(Acknowledgement::Late));
        let first = lives.next().never("a").start().unwrap();
        let asking = chart("s>a a>e").outside("a").workflow();
        let mut ids = Vec::new();
        for _ in 0..4 {
            ids.push(first.activate(&workflow("s>a a>e"), ()).await.unwrap().id());
        }
        let outside = first.activate(&asking, ()).await.unwrap().id();
        settle().await;
        lives.journal.set(Acknowledgement::Held);
        let diary = Diary::default();
        let second = lives.crash().noted_at("a", &diary, &finale_tests::actor::Gate::closed()).start().unwrap();
        settle().await;
        lives.journal.release_up_to(durable);
        settle().await;
        let handle = second.execution(ids[0]).await.unwrap();
        lives.journal.fail("the disk is full");
        let refused = second.activate(&workflow("s>a a>e"), ()).await.unwrap_err();
        assert!(matches!(&refused, ActivateError::Journal(error) if *error == broken()), "{refused:?}");
        let report = second.complete_task(task_of(outside, &asking, "a"), ()).await;
        assert_eq!(report, Err(ReportError::Journal(broken())));
        assert_eq!(second.cancel_execution(ids[1], "me").await, Err(CommandError::Journal(broken())));
        assert_eq!(second.release_execution(ids[1]).await, Err(CommandError::Journal(broken())));
        assert_eq!((second.health().journal.clone(), second.health().is_well()), (Err(broken()), false));
        assert_eq!(handle.outcome().await, Err(Abandoned));
        settle().await;
        assert_eq!(diary.runs().len() as u64, durable);
        lives.journal.set(Acknowledgement::Late);
        let third = lives.crash().noted("a", &diary).start().unwrap();
        for id in ids {
            assert_eq!(outcome(&third, id).await.status(), ExecutionStatus::Completed);
        }
        third.complete_task(task_of(outside, &asking, "a"), ()).await.unwrap();
        assert!(third.health().is_well());
    }
}

#[actix::test]
async fn one_that_is_first_asked_about_after_the_failure_is_not_waited_for() {
    tokio::time::pause();
    let lives = Lives::new(&HeldJournal::new(Acknowledgement::Late));
    let first = lives.next().never("a").start().unwrap();
    let mut ids = Vec::new();
    for _ in 0..200 {
        ids.push(first.activate(&workflow("s>a a>e"), ()).await.unwrap().id());
    }
    settle().await;
    let second = lives.crash().never("a").start().unwrap();
    lives.journal.fail("the disk is full");
    settle().await;
    let execution = second.execution(ids[199]).await.unwrap();
    assert_eq!(execution.status().await.unwrap(), ExecutionStatus::Running);
    assert_eq!(execution.outcome().await, Err(Abandoned));
}
