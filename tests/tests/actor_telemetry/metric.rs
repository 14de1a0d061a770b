//! What is counted, under which names and labels.

use std::time::Duration;

use finale::journal::{Acknowledgement, HeldJournal};
use finale::{Failure, FailureClass, Limits, Runtime, Shards, TaskContext, TaskError};
use finale_tests::actor::{Any, Dummies, Gate, chart, for_each_journal, runtime, settle, workflow};
use finale_tests::tasks::task_of;

use crate::kept::Kept;

/// A handler that takes its time.
async fn sleeps(_: TaskContext, _: Any) -> Result<(), TaskError> {
    tokio::time::sleep(Duration::from_secs(3)).await;
    Ok(())
}

#[actix::test]
async fn executions_are_counted_and_timed_by_workflow_and_status() {
    for_each_journal(async |journal| {
        let kept = Kept::default();
        let _guard = metrics::set_default_local_recorder(&kept);
        let runtime = runtime(&journal).handler("a", sleeps).failing("b").never("c").start().unwrap();
        for edges in ["s>a a>e", "s>a a>e", "s>b b>e"] {
            runtime.activate(&workflow(edges), ()).await.unwrap().outcome().await.unwrap();
        }
        let cancelled = runtime.activate(&workflow("s>c c>e"), ()).await.unwrap();
        settle().await;
        cancelled.cancel("ann").await.unwrap();
        settle().await;
        let total = |status| kept.value(&format!("finale_executions_total{{workflow=test,status={status}}}"));
        let totals = ["activated", "completed", "failed", "cancelled"].map(total);
        assert_eq!(totals, [4.0, 2.0, 1.0, 1.0]);
        let durations = kept.values("finale_execution_duration_seconds{workflow=test}");
        assert_eq!(durations.len(), 4);
        assert!(durations[..2].iter().all(|seconds| (3.0..3.1).contains(seconds)), "{durations:?}");
    })
    .await;
}

#[actix::test]
async fn attempts_are_counted_and_timed_by_task_and_outcome() {
    for_each_journal(async |journal| {
        let kept = Kept::default();
        let _guard = metrics::set_default_local_recorder(&kept);
        let panics = async |_: TaskContext, _: Any| -> Result<(), TaskError> { panic!("a test panics") };
        let builder = runtime(&journal).handler("a", sleeps).failing("b").handler("p", panics).never("t");
        let runtime = builder.start().unwrap();
        let retried = chart("s>b b>e").task("b", |task| task.retry.attempts = 3);
        let timed = chart("s>t t>e").task("t", |task| task.timeout = Some(Duration::from_secs(2)));
        for chart in [chart("s>a a>e"), retried, chart("s>p p>e"), timed] {
            runtime.activate(&chart.workflow(), ()).await.unwrap().outcome().await.unwrap();
        }
        let total =
            |task, outcome| kept.value(&format!("finale_tasks_total{{workflow=test,task={task},outcome={outcome}}}"));
        assert_eq!(total("a", "completed"), 1.0);
        assert_eq!(total("b", "failed"), 3.0);
        assert_eq!(total("p", "panicked"), 1.0);
        assert_eq!(total("t", "timed_out"), 1.0);
        for (task, expected) in [("a", 3.0..3.1), ("t", 2.0..2.1)] {
            let seconds = kept.values(&format!("finale_task_duration_seconds{{workflow=test,task={task}}}"));
            assert!(seconds.len() == 1 && expected.contains(&seconds[0]), "{task}: {seconds:?}");
        }
    })
    .await;
}

#[actix::test]
async fn what_is_reported_from_outside_is_counted_and_timed_as_well() {
    for_each_journal(async |journal| {
        let kept = Kept::default();
        let _guard = metrics::set_default_local_recorder(&kept);
        let runtime = runtime(&journal).start().unwrap();
        let chain = chart("s>a a>b b>e").outside("a").outside("b").workflow();
        let execution = runtime.activate(&chain, ()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
        runtime.complete_task(task_of(execution.id(), &chain, "a"), ()).await.unwrap();
        runtime.complete_task(task_of(execution.id(), &chain, "a"), ()).await.unwrap_err();
        let failure = Failure::new(FailureClass::Rejected, "no");
        runtime.fail_task(task_of(execution.id(), &chain, "b"), failure).await.unwrap();
        assert_eq!(kept.value("finale_tasks_total{workflow=test,task=a,outcome=completed}"), 1.0);
        assert_eq!(kept.value("finale_tasks_total{workflow=test,task=b,outcome=rejected}"), 1.0);
        let seconds = kept.values("finale_task_duration_seconds{workflow=test,task=a}");
        assert!(seconds.len() == 1 && (60.0..60.1).contains(&seconds[0]), "{seconds:?}");
    })
    .await;
}

#[actix::test]
async fn attempts_are_counted_the_same_when_somebody_watches() {
    for_each_journal(async |journal| {
        let kept = Kept::default();
        let _guard = metrics::set_default_local_recorder(&kept);
        let runtime = runtime(&journal).handler("a", sleeps).start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        let _events = execution.events().await.unwrap();
        let _log = crate::log::Log::begin();
        execution.outcome().await.unwrap();
        assert_eq!(kept.value("finale_tasks_total{workflow=test,task=a,outcome=completed}"), 1.0);
        assert_eq!(kept.values("finale_task_duration_seconds{workflow=test,task=a}").len(), 1);
    })
    .await;
}

#[actix::test]
async fn nothing_is_counted_before_it_is_durable() {
    tokio::time::pause();
    let kept = Kept::default();
    let _guard = metrics::set_default_local_recorder(&kept);
    let journal = HeldJournal::new(Acknowledgement::Held);
    let runtime = runtime(&journal).done("a").start().unwrap();
    let waiting = actix::spawn(runtime.activate(&workflow("s>a a>e"), ()).start());
    settle().await;
    assert_eq!(kept.value("finale_executions_total{workflow=test,status=activated}"), 0.0);
    journal.release();
    let execution = waiting.await.unwrap().unwrap();
    settle().await;
    assert_eq!(kept.value("finale_executions_total{workflow=test,status=activated}"), 1.0);
    assert_eq!(kept.value("finale_tasks_total{workflow=test,task=a,outcome=completed}"), 0.0);
    journal.release();
    execution.outcome().await.unwrap();
    assert_eq!(kept.value("finale_tasks_total{workflow=test,task=a,outcome=completed}"), 1.0);
    assert_eq!(kept.value("finale_executions_total{workflow=test,status=completed}"), 1.0);
}

#[actix::test]
async fn what_runs_and_what_waits_for_a_place_is_shown() {
    for_each_journal(async |journal| {
        let kept = Kept::default();
        let _guard = metrics::set_default_local_recorder(&kept);
        let gate = Gate::closed();
        let limits = Limits::new().running_tasks_max(2);
        let runtime = runtime(&journal).limits(limits).gated("a", &gate).start().unwrap();
        let mut executions = Vec::new();
        for _ in 0..5 {
            executions.push(runtime.activate(&workflow("s>a a>e"), ()).await.unwrap());
        }
        settle().await;
        let gauges = || {
            let names = ["executions_running", "tasks_running", "task_queue_depth", "admission_queue_depth"];
            names.map(|name| kept.value(&format!("finale_{name}")))
        };
        assert_eq!(gauges(), [5.0, 2.0, 3.0, 0.0]);
        gate.open();
        for execution in executions {
            execution.outcome().await.unwrap();
        }
        settle().await;
        assert_eq!(gauges(), [0.0; 4]);
    })
    .await;
}

#[actix::test]
async fn how_much_is_committed_and_how_long_that_takes_is_shown() {
    tokio::time::pause();
    let kept = Kept::default();
    let _guard = metrics::set_default_local_recorder(&kept);
    let journal = HeldJournal::new(Acknowledgement::Held);
    let runtime = runtime(&journal).done("a").start().unwrap();
    let waiting = actix::spawn(runtime.activate(&workflow("s>a a>e"), ()).start());
    tokio::time::sleep(Duration::from_secs(2)).await;
    journal.set(Acknowledgement::Immediate);
    journal.release();
    waiting.await.unwrap().unwrap().outcome().await.unwrap();
    // Activated; then the outcome and the end in one append.
    assert_eq!(kept.values("finale_journal_commit_facts"), [1.0, 2.0]);
    let seconds = kept.values("finale_journal_commit_seconds");
    assert!(seconds.len() == 1 && (2.0..2.1).contains(&seconds[0]), "{seconds:?}");
}

#[actix::test]
async fn no_label_holds_an_id_of_an_execution() {
    for_each_journal(async |journal| {
        let kept = Kept::default();
        let _guard = metrics::set_default_local_recorder(&kept);
        let runtime = runtime(&journal).done("a").failing("b").start().unwrap();
        for edges in ["s>a a>e", "s>b b>e"] {
            let execution = runtime.activate(&workflow(edges), ()).by("ann").idempotency_key(edges).await.unwrap();
            execution.outcome().await.unwrap();
            let id = execution.id().to_string();
            assert!(kept.names().iter().all(|name| !name.contains(&id) && !name.contains("ann")));
        }
        let label_keys = |name: &String| {
            let labels = name.split_once('{').map(|(_, labels)| labels.trim_end_matches('}')).unwrap_or_default();
            labels.split(',').filter_map(|label| Some(label.split_once('=')?.0.to_owned())).collect::<Vec<_>>()
        };
        let keys: std::collections::BTreeSet<_> = kept.names().iter().flat_map(label_keys).collect();
        assert_eq!(keys.into_iter().collect::<Vec<_>>(), ["outcome", "status", "task", "workflow"]);
    })
    .await;
}

/// The one test here whose runtime has threads of its own: they have no recorder but the global one.
#[actix::test]
async fn gauges_show_all_shards_together_and_nothing_when_the_runtime_has_stopped() {
    let kept = Kept::default();
    metrics::set_global_recorder(kept.clone()).unwrap();
    let gate = Gate::closed();
    let runtime = Runtime::builder().shards(Shards::Own(3)).gated("a", &gate).start().unwrap();
    for _ in 0..7 {
        runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
    }
    while gate.inside() < 7 {
        tokio::task::yield_now().await;
    }
    // Each engine tells what it runs after it has begun it.
    while kept.value("finale_tasks_running") < 7.0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(kept.value("finale_executions_running"), 7.0);
    assert_eq!(kept.value("finale_tasks_running"), 7.0);
    runtime.shutdown(Duration::from_millis(10)).await;
    while kept.value("finale_executions_running") > 0.0 || kept.value("finale_tasks_running") > 0.0 {
        tokio::task::yield_now().await;
    }
}

#[actix::test]
async fn every_metric_has_a_description() {
    let kept = Kept::default();
    let _guard = metrics::set_default_local_recorder(&kept);
    let _runtime = runtime(&HeldJournal::new(Acknowledgement::Immediate)).start().unwrap();
    let mut described = kept.described();
    described.sort_unstable();
    let mut expected = crate::METRICS.map(|(constant, _)| constant.to_owned());
    expected.sort_unstable();
    assert_eq!(described, expected);
}
