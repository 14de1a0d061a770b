//! Executions are listed newest first, and forgotten when there are too many that have ended.

use std::time::Duration;

use finale::journal::JournalReader;
use finale::{
    CommandError, ExecutionHandle, ExecutionId, ExecutionStatus, Filter, Keep, Limits, Retention, Runtime, Shards,
    Summary,
};
use finale_tests::actor::{Dummies, chart, for_each_journal, for_each_journal_in_real_time, runtime, workflow};
use finale_tests::tasks::{expect_nothing, task_of};

async fn pages(runtime: &Runtime, filter: Filter) -> Vec<Vec<ExecutionId>> {
    let mut pages = Vec::new();
    let mut page = runtime.executions(filter.clone()).await.unwrap();
    loop {
        pages.push(page.executions.iter().map(|summary| summary.id).collect());
        let Some(next) = page.next else { return pages };
        page = runtime.executions(filter.clone().before(next)).await.unwrap();
    }
}

#[actix::test]
async fn pages_hold_all_executions_once_newest_first() {
    for_each_journal_in_real_time(async |journal| {
        let builder = Runtime::builder().shards(Shards::Own(2)).journal(journal.clone());
        let runtime = builder.done("a").start().unwrap();
        let ask = chart("s>b b>e").outside("b").workflow();
        let mut expected = Vec::new();
        for number in 0..12 {
            let workflow = if number % 3 == 0 { ask.clone() } else { workflow("s>a a>e") };
            let execution = runtime.activate(&workflow, ()).await.unwrap();
            if number % 3 != 0 {
                execution.outcome().await.unwrap();
            }
            expected.push(execution.id());
        }
        expected.sort_unstable_by_key(|id| std::cmp::Reverse(*id));
        for limit in [1, 3, 5, 12, 100] {
            let pages = pages(&runtime, Filter::new().limit(limit)).await;
            assert_eq!(pages.concat(), expected, "pages of {limit}");
            assert_eq!(pages.len(), expected.len().div_ceil(limit), "pages of {limit}");
        }
    })
    .await;
}

#[actix::test]
async fn an_empty_list_has_no_next_page() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        expect_nothing(&runtime).await;
        assert_eq!(runtime.executions(Filter::new()).await.unwrap().next, None);
    })
    .await;
}

#[actix::test]
async fn a_page_has_at_least_one_and_at_most_a_thousand_executions() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).done("a").start().unwrap();
        let one = workflow("s>a a>e");
        for _ in 0..1_001 {
            runtime.activate(&one, ()).await.unwrap().outcome().await.unwrap();
        }
        let length = async |filter: Filter| runtime.executions(filter).await.unwrap().executions.len();
        assert_eq!(length(Filter::new().limit(0)).await, 1);
        assert_eq!(length(Filter::new()).await, 100);
        assert_eq!(length(Filter::new().limit(usize::MAX)).await, 1_000);
    })
    .await;
}

#[actix::test]
async fn executions_are_found_by_status_and_by_workflow() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).done("a").failing("c").start().unwrap();
        let named = |name: &str, chart: finale_tests::actor::Chart| {
            let mut definition = chart.definition();
            definition.id = name.to_owned();
            finale::Workflow::new(definition).unwrap()
        };
        let done = runtime.activate(&named("one", chart("s>a a>e")), ()).await.unwrap();
        let open = runtime.activate(&named("two", chart("s>b b>e").outside("b")), ()).await.unwrap();
        let failed = runtime.activate(&named("one", chart("s>c c>e")), ()).await.unwrap();
        done.outcome().await.unwrap();
        failed.outcome().await.unwrap();
        let found = async |filter: Filter| pages(&runtime, filter).await.concat();
        assert_eq!(found(Filter::new().workflow("one")).await, [failed.id(), done.id()]);
        assert_eq!(found(Filter::new().workflow("two")).await, [open.id()]);
        assert_eq!(found(Filter::new().status(ExecutionStatus::Running)).await, [open.id()]);
        assert_eq!(found(Filter::new().status(ExecutionStatus::Failed)).await, [failed.id()]);
        let both = Filter::new().workflow("one").status(ExecutionStatus::Completed);
        assert_eq!(found(both).await, [done.id()]);
        assert!(found(Filter::new().status(ExecutionStatus::Cancelled)).await.is_empty());
    })
    .await;
}

#[actix::test]
async fn a_listed_execution_that_ended_says_when_and_why() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).failing("c").start().unwrap();
        let failed = runtime.activate(&workflow("s>c c>e"), ()).await.unwrap();
        let outcome = failed.outcome().await.unwrap();
        let listed = runtime.executions(Filter::new()).await.unwrap().executions;
        let Summary { status, completed_at, error, .. } = &listed[0];
        assert_eq!(*status, ExecutionStatus::Failed);
        assert_eq!(*completed_at, Some(outcome.completed_at));
        assert_eq!(error.as_deref(), Some("task \"Do c\" (c) failed: broken"));
    })
    .await;
}

#[actix::test]
async fn the_oldest_ended_executions_are_forgotten_with_their_history_and_live_ones_never() {
    for_each_journal(async |journal| {
        let retention = Retention::all(Keep::for_ever().at_most(3));
        let runtime = runtime(&journal).retention(retention).done("a").start().unwrap();
        let (one, ask) = (workflow("s>a a>e"), chart("s>b b>e").outside("b").workflow());
        let live = runtime.activate(&ask, ()).await.unwrap();
        let mut ended = Vec::new();
        for _ in 0..100 {
            let execution = runtime.activate(&one, ()).await.unwrap();
            execution.outcome().await.unwrap();
            ended.push(execution);
        }
        tokio::time::sleep(Duration::from_secs(20)).await;
        for execution in &ended[..97] {
            expect_forgotten(&runtime, execution).await;
            assert_eq!(journal.history(execution.id()), Ok(None), "its history");
        }
        for execution in &ended[97..] {
            execution.snapshot().await.unwrap();
        }
        let listed = runtime.executions(Filter::new()).await.unwrap().executions;
        assert_eq!(listed.len(), 4);
        runtime.complete_task(task_of(live.id(), &ask, "b"), ()).await.unwrap();
        assert_eq!(live.outcome().await.unwrap().status(), ExecutionStatus::Completed);
    })
    .await;
}

/// What is forgotten is known only to those who hold it.
async fn expect_forgotten(runtime: &Runtime, execution: &ExecutionHandle) {
    assert_eq!(runtime.execution(execution.id()).await.map(drop), Err(CommandError::NotFound));
    assert_eq!(execution.snapshot().await.map(drop), Err(CommandError::NotFound));
    assert_eq!(execution.why().await.map(drop), Err(CommandError::NotFound));
    assert_eq!(execution.events().await.map(drop), Err(CommandError::NotFound));
    assert_eq!(execution.outcome().await.unwrap().status(), ExecutionStatus::Completed);
    assert_eq!(execution.status().await, Ok(ExecutionStatus::Completed));
}

#[actix::test]
async fn an_execution_is_forgotten_some_time_after_its_end_as_its_status_says() {
    for_each_journal(async |journal| {
        let retention = Retention::all(Keep::for_ever()).completed(Keep::for_age(Duration::from_secs(600)));
        let runtime = runtime(&journal).retention(retention).done("a").failing("b").start().unwrap();
        let completed = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        let failed = runtime.activate(&workflow("s>b b>e"), ()).await.unwrap();
        completed.outcome().await.unwrap();
        failed.outcome().await.unwrap();
        tokio::time::sleep(Duration::from_secs(500)).await;
        completed.snapshot().await.unwrap();
        tokio::time::sleep(Duration::from_secs(200)).await;
        expect_forgotten(&runtime, &completed).await;
        failed.snapshot().await.unwrap();
    })
    .await;
}

#[actix::test]
async fn what_is_not_in_memory_any_more_is_read_from_the_journal() {
    for_each_journal(async |journal| {
        let limits = Limits::new().ended_executions_max(0);
        let runtime = runtime(&journal).limits(limits).failing("a").start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        let outcome = execution.outcome().await.unwrap();
        let found = runtime.execution(execution.id()).await.unwrap();
        assert_eq!(found.outcome().await.unwrap(), outcome);
        assert_eq!(found.status().await, Ok(ExecutionStatus::Failed));
        assert_eq!(found.snapshot().await.unwrap().state.status(), ExecutionStatus::Failed);
        assert!(found.why().await.unwrap().error.is_some());
        assert!(found.events().await.unwrap().next().await.unwrap().is_some());
        assert_eq!(found.cancel("me").await, Err(CommandError::AlreadyTerminal(ExecutionStatus::Failed)));
    })
    .await;
}
