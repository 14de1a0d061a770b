//! Nothing is said or done before what it rests on is durable.

use finale::journal::Acknowledgement;
use finale::{ExecutionHandle, ExecutionStatus, Filter, Workflow};
use finale_tests::actor::{Dummies, Gate, chart, runtime, settle, with_journal, workflow};
use tokio::task::JoinHandle;

/// An activation that may take as long as it wants.
fn begin(runtime: &finale::Runtime, workflow: &Workflow) -> JoinHandle<ExecutionHandle> {
    let activation = runtime.activate(workflow, ());
    actix::spawn(async move { activation.await.expect("it is activated") })
}

/// Gives a result that must not have come yet time to come.
async fn not_yet<T>(waiting: &JoinHandle<T>) {
    settle().await;
    assert!(!waiting.is_finished(), "it was said before it was durable");
}

#[actix::test]
async fn nothing_is_acknowledged_begun_or_shown_before_the_activation_is_durable() {
    with_journal(Acknowledgement::Held, async |journal| {
        let gate = Gate::closed();
        let runtime = runtime(&journal).gated("a", &gate).start().unwrap();
        let id = runtime.new_execution_id();
        let activation = runtime.activate(&workflow("s>a a>e"), ()).id(id);
        let activation = actix::spawn(async move { activation.await.expect("it is activated") });
        not_yet(&activation).await;
        let looking = runtime.execution(id).await.unwrap();
        assert_eq!(looking.status().await.unwrap(), ExecutionStatus::Pending);
        assert!(
            runtime.executions(Filter::new().status(ExecutionStatus::Running)).await.unwrap().executions.is_empty()
        );
        let snapshot = actix::spawn(async move { looking.snapshot().await.expect("it is there") });
        not_yet(&snapshot).await;
        assert_eq!((journal.held(), gate.begun()), (1, 0));
        journal.release();
        let execution = activation.await.unwrap();
        settle().await;
        assert_eq!(execution.status().await.unwrap(), ExecutionStatus::Running);
        assert_eq!(snapshot.await.unwrap().state.status(), ExecutionStatus::Running);
        assert_eq!(gate.begun(), 1);
    })
    .await;
}

#[actix::test]
async fn no_task_begins_before_the_outcome_it_depends_on_is_durable() {
    with_journal(Acknowledgement::Immediate, async |journal| {
        let (first, second) = (Gate::closed(), Gate::closed());
        let runtime = runtime(&journal).gated("a", &first).gated("b", &second).start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>b b>e"), ()).await.unwrap();
        settle().await;
        journal.set(Acknowledgement::Held);
        first.open();
        tokio::time::sleep(std::time::Duration::from_secs(10)).await;
        assert_eq!((journal.held(), second.begun()), (1, 0));
        journal.release();
        settle().await;
        assert_eq!(second.begun(), 1);
        journal.set(Acknowledgement::Late);
        second.open();
        assert_eq!(execution.outcome().await.unwrap().status(), ExecutionStatus::Completed);
    })
    .await;
}

#[actix::test]
async fn nobody_hears_of_the_end_before_it_is_durable() {
    with_journal(Acknowledgement::Immediate, async |journal| {
        let gate = Gate::closed();
        let runtime = runtime(&journal).gated("a", &gate).start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        settle().await;
        journal.set(Acknowledgement::Held);
        gate.open();
        let outcome = actix::spawn(execution.outcome());
        not_yet(&outcome).await;
        assert_eq!(execution.status().await.unwrap(), ExecutionStatus::Running);
        journal.release();
        assert_eq!(outcome.await.unwrap().unwrap().status(), ExecutionStatus::Completed);
        assert_eq!(execution.status().await.unwrap(), ExecutionStatus::Completed);
    })
    .await;
}

#[actix::test]
async fn reports_and_cancellations_are_answered_when_they_are_durable() {
    with_journal(Acknowledgement::Immediate, async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let flow = chart("s>a a>b b>e").outside("a").outside("b").workflow();
        let execution = runtime.activate(&flow, ()).await.unwrap();
        settle().await;
        let [task] = runtime.open_tasks_of(execution.id()).await.unwrap().try_into().unwrap();
        journal.set(Acknowledgement::Held);
        let reporting = runtime.clone();
        let report = actix::spawn(async move { reporting.complete_task(task.id, ()).await });
        not_yet(&report).await;
        let open = runtime.open_tasks_of(execution.id()).await.unwrap();
        assert_eq!(open.iter().map(|task| task.node.as_str()).collect::<Vec<_>>(), ["a"], "b is not asked for yet");
        let cancelling = execution.clone();
        let cancel = actix::spawn(async move { cancelling.cancel("me").await });
        not_yet(&cancel).await;
        journal.release();
        report.await.unwrap().unwrap();
        assert_eq!(cancel.await.unwrap().unwrap().status, ExecutionStatus::Cancelled);
        assert!(runtime.open_tasks_of(execution.id()).await.unwrap().is_empty());
    })
    .await;
}

#[actix::test]
async fn an_execution_goes_on_deciding_while_a_commit_is_in_flight() {
    with_journal(Acknowledgement::Immediate, async |journal| {
        let gate = Gate::closed();
        let runtime = runtime(&journal).gated("a b c", &gate).start().unwrap();
        let execution = runtime.activate(&workflow("s>a s>b s>c a>join b>join c>join join>e"), ()).await.unwrap();
        settle().await;
        journal.set(Acknowledgement::Held);
        for turns in 1..=3 {
            gate.let_through(1);
            settle().await;
            assert_eq!(journal.held(), turns, "each outcome is appended without waiting for the one before");
        }
        let outcome = actix::spawn(execution.outcome());
        for _ in 0..2 {
            journal.release_up_to(1);
            not_yet(&outcome).await;
        }
        journal.release_up_to(1);
        assert_eq!(outcome.await.unwrap().unwrap().status(), ExecutionStatus::Completed);
    })
    .await;
}

#[actix::test]
async fn what_is_released_goes_on_while_the_rest_waits() {
    with_journal(Acknowledgement::Held, async |journal| {
        let gate = Gate::closed();
        let runtime = runtime(&journal).gated("a", &gate).start().unwrap();
        let first = begin(&runtime, &workflow("s>a a>e"));
        settle().await;
        let second = begin(&runtime, &workflow("s>a a>e"));
        not_yet(&first).await;
        journal.release_up_to(1);
        first.await.unwrap();
        not_yet(&second).await;
        assert_eq!(gate.begun(), 1);
        journal.release();
        second.await.unwrap();
        settle().await;
        assert_eq!(gate.begun(), 2);
    })
    .await;
}

#[actix::test]
async fn what_is_durable_at_once_does_not_overtake_what_is_not() {
    with_journal(Acknowledgement::Held, async |journal| {
        let runtime = runtime(&journal).done("a b").start().unwrap();
        let first = begin(&runtime, &workflow("s>a a>e"));
        not_yet(&first).await;
        // From here on appends are durable at once, and with them what was appended before.
        journal.set(Acknowledgement::Immediate);
        let second = begin(&runtime, &workflow("s>b b>e"));
        for execution in [first, second] {
            let outcome = execution.await.unwrap().outcome().await.unwrap();
            assert_eq!(outcome.status(), ExecutionStatus::Completed);
        }
    })
    .await;
}
