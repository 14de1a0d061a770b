//! Of two runtimes on one journal only the newer one can change anything.

use finale::journal::{Acknowledgement, JournalError};
use finale::{ActivateError, CommandError, ExecutionStatus, ReportError};
use finale_tests::actor::{Dummies, Gate, chart, settle, workflow};
use finale_tests::lives::{Diary, Noted, for_each_life, outcome};
use finale_tests::tasks::task_of;

#[actix::test]
async fn what_the_older_one_is_asked_is_answered_with_an_error_that_says_so() {
    for_each_life(async |lives| {
        let asking = chart("s>a a>e").outside("a").workflow();
        let old = lives.next().start().unwrap();
        let id = old.activate(&asking, ()).await.unwrap().id();
        let new = lives.next().start().unwrap();
        assert!(new.health().after_crash, "the older one did not end in order");
        let refused = old.activate(&asking, ()).await.unwrap_err();
        assert!(matches!(refused, ActivateError::Journal(JournalError::Fenced { .. })), "{refused:?}");
        let report = old.complete_task(task_of(id, &asking, "a"), ()).await;
        assert!(matches!(report, Err(ReportError::Journal(JournalError::Fenced { .. }))), "{report:?}");
        let cancel = old.cancel_execution(id, "me").await;
        assert!(matches!(cancel, Err(CommandError::Journal(JournalError::Fenced { .. }))), "{cancel:?}");
        let health = old.health();
        assert!(matches!(health.journal, Err(JournalError::Fenced { .. })), "{health:?}");
        assert!(new.health().is_well() && !health.is_well());
        new.complete_task(task_of(id, &asking, "a"), ()).await.unwrap();
        assert_eq!(outcome(&new, id).await.status(), ExecutionStatus::Completed);
    })
    .await;
}

#[actix::test]
async fn what_the_handlers_of_the_older_one_come_to_changes_nothing() {
    for_each_life(async |lives| {
        let (diary, gate) = (Diary::default(), Gate::closed());
        let old = lives.next().noted_at("a", &diary, &gate).failing("b").start().unwrap();
        let execution = old.activate(&workflow("s>a a>b b>e"), ()).await.unwrap();
        settle().await;
        let waiting = actix::spawn(execution.outcome());
        let new = lives.next().noted("a b", &diary).start().unwrap();
        gate.open();
        let ended = outcome(&new, execution.id()).await;
        assert_eq!(ended.status(), ExecutionStatus::Completed);
        assert_eq!(diary.told(), ["a 1", "a 2", "b 1"]);
        settle().await;
        assert!(waiting.await.unwrap().is_err(), "whoever waits at the older one is told that it has stopped");
    })
    .await;
}

#[actix::test]
async fn what_the_older_one_was_not_told_may_have_become_durable() {
    for_each_life(async |lives| {
        lives.journal.set(Acknowledgement::Held);
        let old = lives.next().never("a").start().unwrap();
        let activation = actix::spawn(old.activate(&workflow("s>a a>e"), 7).idempotency_key("order").start());
        settle().await;
        let new = lives.next();
        lives.journal.set(Acknowledgement::Late);
        let new = new.done("a").start().unwrap();
        let again = new.activate(&workflow("s>a a>e"), 7).idempotency_key("order").await.unwrap();
        assert_eq!(again.outcome().await.unwrap().status(), ExecutionStatus::Completed);
        assert_eq!(new.executions(finale::Filter::new()).await.unwrap().executions.len(), 1);
        assert!(!activation.is_finished(), "the older one was told nothing");
    })
    .await;
}

#[actix::test]
async fn the_end_of_the_older_one_is_not_the_end_of_the_newer_one() {
    for_each_life(async |lives| {
        let old = lives.next().never("a").start().unwrap();
        let new = lives.next().never("a").start().unwrap();
        old.shutdown(std::time::Duration::ZERO).await;
        new.activate(&workflow("s>a a>e"), ()).await.unwrap();
        let third = lives.next().never("a").start().unwrap();
        assert!(third.health().after_crash);
    })
    .await;
}
