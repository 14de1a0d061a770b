//! Limits are never exceeded, and what waits for a place gets one.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use finale::{ExecutionHandle, ExecutionStatus, FailureClass, Runtime, Shards, TaskContext, TaskError, Workflow};
use finale_tests::actor::{
    Any, Dummies, Gate, chart, for_each_journal, for_each_journal_in_real_time, only_failure, runtime, settle, workflow,
};

async fn activate(runtime: &Runtime, workflow: &Workflow, count: usize) -> Vec<ExecutionHandle> {
    let mut executions = Vec::new();
    for number in 0..count {
        executions.push(runtime.activate(workflow, number).await.expect("it is activated"));
    }
    executions
}

async fn all_complete(executions: Vec<ExecutionHandle>) {
    for execution in executions {
        let outcome = execution.outcome().await.expect("it ends before the runtime");
        assert_eq!(outcome.status(), ExecutionStatus::Completed);
    }
}

/// Lets handlers through one by one until all executions have completed.
async fn drain(gate: &Gate, executions: Vec<ExecutionHandle>) {
    for _ in 0..executions.len() {
        gate.let_through(1);
        settle().await;
    }
    all_complete(executions).await;
}

#[actix::test]
async fn no_more_handlers_are_at_work_than_the_runtime_allows() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let runtime = runtime(&journal).limits(finale::Limits::new().running_tasks_max(3)).gated("a b", &gate);
        let runtime = runtime.start().unwrap();
        let mut executions = activate(&runtime, &workflow("s>a a>e"), 10).await;
        executions.extend(activate(&runtime, &workflow("s>b b>e"), 10).await);
        settle().await;
        assert_eq!(gate.inside(), 3);
        drain(&gate, executions).await;
        assert_eq!((gate.begun(), gate.inside_max()), (20, 3));
    })
    .await;
}

#[actix::test]
async fn the_wait_for_a_place_does_not_count_against_the_limit_of_an_attempt() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let runtime = runtime(&journal).limits(finale::Limits::new().running_tasks_max(1)).gated("a b", &gate);
        let runtime = runtime.start().unwrap();
        let first = activate(&runtime, &workflow("s>a a>e"), 1).await;
        let second = chart("s>b b>e").timeout("b", Duration::from_secs(10)).workflow();
        let second = runtime.activate(&second, ()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(gate.inside(), 1, "there is one place, and it is taken");
        gate.let_through(1);
        settle().await;
        all_complete(first).await;
        // It has the whole of its time from here on.
        tokio::time::sleep(Duration::from_secs(9)).await;
        assert_eq!(gate.inside(), 1);
        tokio::time::sleep(Duration::from_secs(2)).await;
        let failure = only_failure(&second.outcome().await.unwrap());
        assert_eq!(failure, (FailureClass::TimedOut, "no result within 10s".to_owned()));
        assert_eq!(gate.inside(), 0, "it was dropped");
    })
    .await;
}

#[actix::test]
async fn no_more_tasks_of_a_handler_are_at_work_than_its_limit_allows() {
    for_each_journal(async |journal| {
        let (limited, free) = (Gate::closed(), Gate::closed());
        let runtime = runtime(&journal).gated("a", &limited).gated("b", &free).handler_limit("a", 2).start().unwrap();
        let executions = activate(&runtime, &workflow("s>a s>b a>join b>join join>e"), 12).await;
        settle().await;
        assert_eq!((limited.inside(), free.inside()), (2, 12));
        free.open();
        drain(&limited, executions).await;
        assert_eq!((limited.begun(), limited.inside_max()), (12, 2));
    })
    .await;
}

#[actix::test]
async fn both_limits_are_kept_at_once() {
    for_each_journal(async |journal| {
        let (limited, free, all) = (Gate::closed(), Gate::closed(), Gate::closed());
        let through = |own: &Gate| {
            let (own, all) = (own.clone(), all.clone());
            move |_: TaskContext, _: Any| {
                let (own, all) = (own.clone(), all.clone());
                own.let_through(1);
                async move {
                    own.pass().await;
                    all.pass().await;
                    Ok::<_, TaskError>(())
                }
            }
        };
        let runtime = runtime(&journal).handler("a", through(&limited)).handler("b", through(&free));
        let runtime = runtime.limits(finale::Limits::new().running_tasks_max(3)).handler_limit("a", 2);
        let runtime = runtime.start().unwrap();
        let mut executions = activate(&runtime, &workflow("s>a a>e"), 8).await;
        executions.extend(activate(&runtime, &workflow("s>b b>e"), 8).await);
        settle().await;
        assert_eq!((limited.begun(), all.inside()), (2, 3));
        drain(&all, executions).await;
        assert_eq!(all.inside_max(), 3);
        assert_eq!((limited.begun(), free.begun()), (8, 8));
    })
    .await;
}

#[actix::test]
async fn a_task_whose_handler_is_at_its_limit_does_not_stand_in_the_way_of_others() {
    for_each_journal(async |journal| {
        let (limited, free) = (Gate::closed(), Gate::closed());
        let runtime = runtime(&journal).gated("a", &limited).gated("b", &free).handler_limit("a", 1);
        let runtime = runtime.limits(finale::Limits::new().running_tasks_max(2)).start().unwrap();
        let mut executions = Vec::new();
        // Both places are taken, then one task of each waits: first the one whose handler is at its limit.
        for edges in ["s>a a>e", "s>b b>e", "s>a a>e", "s>b b>e"] {
            executions.extend(activate(&runtime, &workflow(edges), 1).await);
        }
        settle().await;
        free.let_through(1);
        settle().await;
        assert_eq!((limited.begun(), free.begun()), (1, 2));
        limited.open();
        free.open();
        all_complete(executions).await;
    })
    .await;
}

#[actix::test]
async fn tasks_that_wait_for_a_place_get_it_oldest_first() {
    for_each_journal(async |journal| {
        let (gate, order) = (Gate::closed(), Arc::new(Mutex::new(Vec::new())));
        let (passed, noted) = (gate.clone(), Arc::clone(&order));
        let noting = move |_: TaskContext, number: usize| {
            noted.lock().unwrap().push(number);
            let passed = passed.clone();
            async move {
                passed.pass().await;
                Ok::<_, TaskError>(())
            }
        };
        let runtime = runtime(&journal).handler("a", noting.clone()).handler("b", noting).handler_limit("b", 1);
        let runtime = runtime.limits(finale::Limits::new().running_tasks_max(1)).start().unwrap();
        let mut executions = Vec::new();
        for number in 0..10 {
            let flow = workflow(if number % 3 == 0 { "s>b b>e" } else { "s>a a>e" });
            executions.push(runtime.activate(&flow, number).await.unwrap());
            settle().await;
        }
        drain(&gate, executions).await;
        assert_eq!(*order.lock().unwrap(), (0..10).collect::<Vec<_>>());
    })
    .await;
}

#[actix::test]
async fn a_place_is_free_again_whatever_became_of_its_handler() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let panics = async |_: TaskContext, _: Any| -> Result<(), TaskError> { panic!("bad") };
        let runtime = runtime(&journal).gated("a", &gate).failing("b").handler("c", panics).done("d");
        let runtime = runtime.limits(finale::Limits::new().running_tasks_max(1)).start().unwrap();
        for edges in ["s>b b>e", "s>c c>e"] {
            activate(&runtime, &workflow(edges), 1).await[0].outcome().await.unwrap();
        }
        let cancelled = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        settle().await;
        assert_eq!(gate.inside(), 1);
        let waiting = activate(&runtime, &workflow("s>d d>e"), 3).await;
        cancelled.cancel("me").await.unwrap();
        all_complete(waiting).await;
    })
    .await;
}

#[actix::test]
async fn a_limit_of_one_holds_across_threads_and_everything_completes() {
    for_each_journal_in_real_time(async |journal| {
        let gate = Gate::closed();
        gate.open();
        let passing = gate.clone();
        let yielding = move |_: TaskContext, _: Any| {
            let gate = passing.clone();
            async move {
                let _inside = gate.enter();
                for _ in 0..3 {
                    tokio::task::yield_now().await;
                }
                Ok::<_, TaskError>(())
            }
        };
        // The sweep is kept out of it: places must go around by themselves.
        let runtime = runtime(&journal).shards(Shards::Own(2)).sweep_interval(Duration::from_secs(600));
        let runtime = runtime.handler("a", yielding.clone()).handler("b", yielding).handler_limit("a", 1);
        let runtime = runtime.limits(finale::Limits::new().running_tasks_max(2)).start().unwrap();
        let executions = activate(&runtime, &workflow("s>a s>b a>join b>join join>e"), 200).await;
        all_complete(executions).await;
        assert_eq!(gate.begun(), 400);
        assert!(gate.inside_max() <= 2, "{}", gate.inside_max());
        runtime.shutdown(Duration::from_secs(5)).await;
    })
    .await;
}

#[actix::test]
async fn a_handler_limit_of_one_holds_across_threads() {
    for_each_journal_in_real_time(async |journal| {
        let gate = Gate::closed();
        let passing = gate.clone();
        let yielding = move |_: TaskContext, _: Any| {
            let gate = passing.clone();
            async move {
                let _inside = gate.enter();
                tokio::task::yield_now().await;
                Ok::<_, TaskError>(())
            }
        };
        let runtime = runtime(&journal).shards(Shards::Own(2)).sweep_interval(Duration::from_secs(600));
        let runtime = runtime.handler("a", yielding).handler_limit("a", 1).start().unwrap();
        all_complete(activate(&runtime, &workflow("s>a a>e"), 300).await).await;
        assert_eq!((gate.begun(), gate.inside_max()), (300, 1));
        runtime.shutdown(Duration::from_secs(5)).await;
    })
    .await;
}
