//! When the journal fails nothing is acknowledged and nothing goes on, and everybody who waits is told.

use std::time::Duration;

use finale::journal::{Acknowledgement, JournalError};
use finale::{Abandoned, ActivateError, CommandError, ExecutionStatus, ReportError};
use finale_tests::actor::{
    Dummies, Gate, chart, for_each_journal, outcome_of, runtime, settle, with_journal, workflow,
};

fn broken() -> JournalError {
    JournalError::Failed("the disk is full".into())
}

#[actix::test]
async fn an_activation_after_the_failure_is_refused() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let runtime = runtime(&journal).gated("a", &gate).start().unwrap();
        journal.fail("the disk is full");
        for _ in 0..2 {
            let refused = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap_err();
            assert!(matches!(&refused, ActivateError::Journal(error) if *error == broken()), "{refused:?}");
        }
        assert_eq!(gate.begun(), 0);
    })
    .await;
}

#[actix::test]
async fn an_activation_that_was_in_flight_is_refused_and_nothing_of_it_begins() {
    with_journal(Acknowledgement::Held, async |journal| {
        let gate = Gate::closed();
        let runtime = runtime(&journal).gated("a", &gate).start().unwrap();
        let activation = runtime.activate(&workflow("s>a a>e"), ());
        let activation = actix::spawn(activation.start());
        settle().await;
        journal.fail("the disk is full");
        let refused = activation.await.unwrap().unwrap_err();
        assert!(matches!(&refused, ActivateError::Journal(error) if *error == broken()), "{refused:?}");
        journal.release();
        settle().await;
        assert_eq!(gate.begun(), 0);
    })
    .await;
}

#[actix::test]
async fn whoever_waits_for_an_outcome_is_told() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).never("a").start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        settle().await;
        let outcome = actix::spawn(execution.outcome());
        journal.fail("the disk is full");
        assert_eq!(outcome.await.unwrap(), Err(Abandoned));
    })
    .await;
}

#[actix::test]
async fn no_task_begins_after_the_failure() {
    for_each_journal(async |journal| {
        let (first, second) = (Gate::closed(), Gate::closed());
        let runtime = runtime(&journal).gated("a", &first).gated("b", &second).handler_limit("b", 1).start().unwrap();
        let full = runtime.activate(&workflow("s>b b>e"), ()).await.unwrap();
        let waiting = runtime.activate(&workflow("s>b b>e"), ()).await.unwrap();
        let execution = runtime.activate(&workflow("s>a a>b b>e"), ()).await.unwrap();
        settle().await;
        journal.fail("the disk is full");
        settle().await;
        first.open();
        // Its place is free now, and somebody waits for it.
        second.let_through(1);
        for execution in [full, waiting, execution] {
            assert_eq!(execution.outcome().await, Err(Abandoned));
        }
        settle().await;
        assert_eq!((first.begun(), second.begun()), (1, 1));
    })
    .await;
}

#[actix::test]
async fn commands_and_reports_are_answered_with_the_error() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let execution = runtime.activate(&chart("s>a a>e").outside("a").workflow(), ()).await.unwrap();
        settle().await;
        let [task] = runtime.open_tasks_of(execution.id()).await.unwrap().try_into().unwrap();
        journal.fail("the disk is full");
        assert_eq!(runtime.complete_task(task.id, ()).await, Err(ReportError::Journal(broken())));
        assert_eq!(execution.cancel("me").await, Err(CommandError::Journal(broken())));
        let failed = runtime.fail_execution(execution.id(), "me", "no use").await;
        assert_eq!(failed, Err(CommandError::Journal(broken())));
    })
    .await;
}

#[actix::test]
async fn what_was_asked_before_the_failure_is_answered_with_the_error() {
    with_journal(Acknowledgement::Immediate, async |journal| {
        let runtime = runtime(&journal).never("b").start().unwrap();
        let flow = chart("s>a s>b a>join b>join join>e").outside("a").workflow();
        let execution = runtime.activate(&flow, ()).await.unwrap();
        settle().await;
        // The first cancellation is durable and waits for the handler; all others wait for the journal.
        let cancel = actix::spawn({
            let execution = execution.clone();
            async move { execution.cancel("me").await }
        });
        let other = runtime.activate(&flow, ()).await.unwrap();
        settle().await;
        journal.set(Acknowledgement::Held);
        let [task] = runtime.open_tasks_of(other.id()).await.unwrap().try_into().unwrap();
        let report = actix::spawn({
            let runtime = runtime.clone();
            async move { runtime.complete_task(task.id, ()).await }
        });
        settle().await;
        let snapshot = actix::spawn(async move { other.snapshot().await });
        settle().await;
        journal.fail("the disk is full");
        assert_eq!(report.await.unwrap(), Err(ReportError::Journal(broken())));
        assert_eq!(snapshot.await.unwrap().map(|record| record.id), Err(CommandError::Journal(broken())));
        assert_eq!(cancel.await.unwrap(), Err(CommandError::Journal(broken())));
    })
    .await;
}

#[actix::test]
async fn what_was_not_durable_is_not_shown_afterwards() {
    with_journal(Acknowledgement::Immediate, async |journal| {
        let gate = Gate::closed();
        let runtime = runtime(&journal).gated("a", &gate).start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        settle().await;
        journal.set(Acknowledgement::Held);
        gate.open();
        settle().await;
        assert_eq!(journal.held(), 1);
        journal.fail("the disk is full");
        settle().await;
        assert_eq!(execution.status().await.unwrap(), ExecutionStatus::Running);
        assert_eq!(execution.snapshot().await.unwrap().state.status(), ExecutionStatus::Running);
        assert_eq!(execution.why().await.unwrap().awaited.len(), 1);
    })
    .await;
}

#[actix::test]
async fn an_append_that_does_not_fit_harms_its_own_execution_only() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let runtime = runtime(&journal).gated("a", &gate).done("b").start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        settle().await;
        journal.miss_one();
        gate.open();
        // Its state is folded from the journal again, and what is missing there is done again.
        assert_eq!(execution.outcome().await.unwrap().status(), ExecutionStatus::Completed);
        assert_eq!(outcome_of(&runtime, &workflow("s>b b>e")).await.status(), ExecutionStatus::Completed);
        assert_eq!(gate.begun(), 2);
    })
    .await;
}

#[actix::test]
async fn what_waits_for_room_in_the_journal_is_answered_when_that_fails() {
    with_journal(Acknowledgement::Held, async |journal| {
        let runtime = runtime(&journal).done("a").start().unwrap();
        journal.full_beyond(1);
        let activate = |_| actix::spawn(runtime.activate(&workflow("s>a a>e"), ()).start());
        let begin: Vec<_> = (0..9).map(activate).collect();
        settle().await;
        assert!(journal.held() < 9, "the rest waits for room");
        journal.fail("the disk is full");
        for begin in begin {
            let refused = tokio::time::timeout(Duration::from_secs(60), begin).await.expect("it is answered");
            assert_eq!(refused.unwrap().unwrap_err().code(), "journal_failed");
        }
    })
    .await;
}
