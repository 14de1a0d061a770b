//! A report that comes before its task is asked for is kept until then.

use finale::journal::{Acknowledgement, HeldJournal};
use finale::{
    ExecutionStatus, Failure, FailureClass, Limits, NodeStatus, ReportError, Runtime, Shards, TaskId, Workflow,
};
use finale_tests::actor::{Dummies, Gate, chart, for_each_journal, for_each_journal_in_real_time, runtime, settle};
use finale_tests::tasks::task_of;
use tokio::task::JoinHandle;

/// A handler, then somebody outside.
fn chain() -> Workflow {
    chart("s>a a>b b>e").outside("b").workflow()
}

fn complete(runtime: &Runtime, task: TaskId, output: &'static str) -> JoinHandle<Result<(), ReportError>> {
    let runtime = runtime.clone();
    actix::spawn(async move { runtime.complete_task(task, output).await })
}

#[actix::test]
async fn an_early_report_is_delivered_when_its_task_is_asked_for() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let runtime = runtime(&journal).gated("a", &gate).start().unwrap();
        let chain = chain();
        let execution = runtime.activate(&chain, ()).await.unwrap();
        let reported = complete(&runtime, task_of(execution.id(), &chain, "b"), "early");
        settle().await;
        assert!(!reported.is_finished(), "nothing of it is recorded yet");
        gate.open();
        assert_eq!(reported.await.unwrap(), Ok(()));
        assert_eq!(execution.outcome().await.unwrap().output::<String>().unwrap(), "early");
    })
    .await;
}

#[actix::test]
async fn an_early_report_is_answered_when_it_is_durable_and_not_before() {
    tokio::time::pause();
    let journal = HeldJournal::new(Acknowledgement::Immediate);
    let gate = Gate::closed();
    let runtime = runtime(&journal).gated("a", &gate).start().unwrap();
    let chain = chain();
    let execution = runtime.activate(&chain, ()).await.unwrap();
    let reported = complete(&runtime, task_of(execution.id(), &chain, "b"), "early");
    settle().await;
    journal.set(Acknowledgement::Held);
    gate.open();
    while journal.held() > 0 {
        assert!(!reported.is_finished());
        journal.release_up_to(1);
        settle().await;
    }
    settle().await;
    while journal.held() > 0 {
        assert!(!reported.is_finished());
        journal.release_up_to(1);
        settle().await;
    }
    assert_eq!(reported.await.unwrap(), Ok(()));
}

#[actix::test]
async fn an_early_failure_counts_as_well() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let runtime = runtime(&journal).gated("a", &gate).start().unwrap();
        let chain = chain();
        let execution = runtime.activate(&chain, ()).await.unwrap();
        let task = task_of(execution.id(), &chain, "b");
        let failed = {
            let it = runtime.clone();
            actix::spawn(async move { it.fail_task(task, Failure::new(FailureClass::Deleted, "gone")).await })
        };
        settle().await;
        gate.open();
        assert_eq!(failed.await.unwrap(), Ok(()));
        assert_eq!(execution.outcome().await.unwrap().status(), ExecutionStatus::Failed);
    })
    .await;
}

#[actix::test]
async fn of_two_early_reports_the_first_counts_and_the_second_is_told_so() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let runtime = runtime(&journal).gated("a", &gate).start().unwrap();
        let chain = chart("s>a a>b b>c c>e").outside("b").outside("c").workflow();
        let execution = runtime.activate(&chain, ()).await.unwrap();
        let task = task_of(execution.id(), &chain, "b");
        let (first, second) = (complete(&runtime, task, "first"), complete(&runtime, task, "second"));
        settle().await;
        gate.open();
        assert_eq!(first.await.unwrap(), Ok(()));
        assert_eq!(second.await.unwrap(), Err(ReportError::AlreadySettled(NodeStatus::Completed)));
        assert_eq!(execution.status().await, Ok(ExecutionStatus::Running));
    })
    .await;
}

#[actix::test]
async fn an_early_report_on_a_task_that_is_skipped_is_refused_when_that_is_decided() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let runtime = runtime(&journal).gated("a", &gate).start().unwrap();
        let decides = chart("s>a a>if if:true>b if:false>c b>e c>e").condition("if", "false").outside("b").outside("c");
        let decides = decides.workflow();
        let execution = runtime.activate(&decides, ()).await.unwrap();
        let reported = complete(&runtime, task_of(execution.id(), &decides, "b"), "early");
        settle().await;
        gate.open();
        assert_eq!(reported.await.unwrap(), Err(ReportError::AlreadySettled(NodeStatus::Skipped)));
        assert_eq!(execution.status().await, Ok(ExecutionStatus::Running));
    })
    .await;
}

#[actix::test]
async fn an_early_report_is_refused_when_its_execution_ends_first() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).never("a").start().unwrap();
        let chain = chain();
        let execution = runtime.activate(&chain, ()).await.unwrap();
        let reported = complete(&runtime, task_of(execution.id(), &chain, "b"), "early");
        settle().await;
        execution.cancel("ann").await.unwrap();
        let over = Err(ReportError::AlreadyTerminal(ExecutionStatus::Cancelled));
        assert_eq!(reported.await.unwrap(), over);
    })
    .await;
}

#[actix::test]
async fn an_early_report_is_told_when_the_journal_fails() {
    tokio::time::pause();
    let journal = HeldJournal::new(Acknowledgement::Immediate);
    let runtime = runtime(&journal).never("a").start().unwrap();
    let chain = chain();
    let execution = runtime.activate(&chain, ()).await.unwrap();
    let reported = complete(&runtime, task_of(execution.id(), &chain, "b"), "early");
    settle().await;
    journal.fail("the disk is full");
    assert!(matches!(reported.await.unwrap(), Err(ReportError::Journal(_))));
}

#[actix::test]
async fn no_more_early_reports_are_kept_than_the_limit_and_places_are_given_back() {
    for_each_journal(async |journal| {
        let limits = Limits::new().early_outcomes_max(2);
        let gate = Gate::closed();
        let runtime = runtime(&journal).limits(limits).gated("a", &gate).start().unwrap();
        let chain = chain();
        for _ in 0..3 {
            let mut reported = Vec::new();
            let mut tasks = Vec::new();
            for _ in 0..2 {
                let execution = runtime.activate(&chain, ()).await.unwrap();
                let task = task_of(execution.id(), &chain, "b");
                reported.push(complete(&runtime, task, "early"));
                tasks.push(task);
            }
            settle().await;
            let saturated = Err(ReportError::Saturated { early_outcomes_max: 2 });
            assert_eq!(runtime.complete_task(tasks[0], "one too many").await, saturated);
            gate.let_through(2);
            for reported in reported {
                assert_eq!(reported.await.unwrap(), Ok(()));
            }
        }
    })
    .await;
}

#[actix::test]
async fn a_report_during_the_activation_is_not_lost() {
    tokio::time::pause();
    let journal = HeldJournal::new(Acknowledgement::Held);
    let runtime = runtime(&journal).start().unwrap();
    let asks = super::asks();
    let id = runtime.new_execution_id();
    let activated = actix::spawn(runtime.activate(&asks, ()).id(id).start());
    let reported = complete(&runtime, task_of(id, &asks, "a"), "early");
    settle().await;
    assert!(!activated.is_finished() && !reported.is_finished());
    journal.release();
    settle().await;
    journal.release();
    assert_eq!(reported.await.unwrap(), Ok(()));
    let outcome = activated.await.unwrap().unwrap().outcome().await.unwrap();
    assert_eq!(outcome.output::<String>().unwrap(), "early");
}

#[actix::test]
async fn a_report_does_not_overtake_the_activation_before_it() {
    for_each_journal_in_real_time(async |journal| {
        let runtime = Runtime::builder().shards(Shards::Own(2)).journal(journal.clone()).start().unwrap();
        let asks = super::asks();
        for _ in 0..100 {
            let id = runtime.new_execution_id();
            let (activated, reported) = tokio::join!(
                runtime.activate(&asks, ()).id(id).start(),
                runtime.complete_task(task_of(id, &asks, "a"), "early")
            );
            assert_eq!(reported, Ok(()));
            activated.unwrap().outcome().await.unwrap();
        }
    })
    .await;
}

#[actix::test]
async fn a_report_on_an_execution_that_waits_to_be_admitted_is_kept() {
    for_each_journal(async |journal| {
        let limits = Limits::new().active_executions_max(1).early_outcomes_max(2);
        let runtime = runtime(&journal).limits(limits).start().unwrap();
        let asks = super::asks();
        let (first, second) = (runtime.new_execution_id(), runtime.new_execution_id());
        // All in one breath: the second waits for its place while it is reported on.
        let (_, activated, reported, twice, many) = tokio::join!(
            runtime.activate(&asks, ()).id(first).start(),
            runtime.activate(&asks, ()).id(second).start(),
            runtime.complete_task(task_of(second, &asks, "a"), "early"),
            runtime.complete_task(task_of(second, &asks, "a"), "twice"),
            runtime.complete_task(task_of(second, &asks, "a"), "one too many"),
        );
        assert_eq!(reported, Ok(()));
        assert_eq!(twice, Err(ReportError::AlreadyTerminal(ExecutionStatus::Completed)));
        assert_eq!(many, Err(ReportError::Saturated { early_outcomes_max: 2 }));
        let outcome = activated.unwrap().outcome().await.unwrap();
        assert_eq!(outcome.output::<String>().unwrap(), "early");
    })
    .await;
}

#[actix::test]
async fn a_report_on_an_execution_that_is_not_admitted_is_told_so() {
    for_each_journal(async |journal| {
        let limits = Limits::new().active_executions_max(1).early_outcomes_max(1);
        let runtime = runtime(&journal).limits(limits).start().unwrap();
        let (asks, unknown) = (super::asks(), chain());
        for _ in 0..3 {
            let id = runtime.new_execution_id();
            let (_, refused, reported) = tokio::join!(
                runtime.activate(&asks, ()).start(),
                runtime.activate(&unknown, ()).id(id).start(),
                runtime.complete_task(task_of(id, &unknown, "b"), "early"),
            );
            refused.unwrap_err();
            assert_eq!(reported, Err(ReportError::NotFound));
        }
    })
    .await;
}
