//! Who looks at an execution sees which of its tasks wait for a limit on handlers, and where they stand.

use std::sync::{Arc, OnceLock};

use finale::{
    Builder, ConcurrencyLimit, ExecutionHandle, Limits, NodeRecordState, NodeStatus, QueuePosition, Runtime,
    TaskContext, TaskError, WaitingFor, Workflow,
};
use finale_tests::actor::{Any, Dummies, Gate, chart, for_each_journal, runtime, settle, workflow};
use finale_tests::tasks::task_of;

/// Where a node stands in a queue, as the record and `why` say it.
async fn queue_of(execution: &ExecutionHandle, node: &str) -> Option<(usize, ConcurrencyLimit)> {
    let record = execution.snapshot().await.unwrap();
    let state = &record.nodes.iter().find(|known| known.id == node).unwrap().state;
    let why = execution.why().await.unwrap();
    let awaited = why.awaited.iter().find(|awaited| awaited.node == node).unwrap();
    assert_eq!(awaited.status, state.status(), "the record and why say the same");
    let NodeRecordState::Queued { queue: QueuePosition { position, limit }, .. } = state.clone() else {
        assert_eq!((record.counts.queued, &awaited.queue), (0, &None));
        return None;
    };
    assert_eq!((record.counts.queued, record.counts.running), (1, 0));
    let queue = awaited.queue.as_ref().unwrap();
    assert_eq!((queue.position, &queue.limit), (position, &limit));
    Some((position, limit))
}

#[actix::test]
async fn a_task_that_waits_for_its_handler_is_queued_with_its_position() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let runtime = runtime(&journal).gated("b", &gate).handler_limit("b", 1).start().unwrap();
        let work = workflow("s>b b>e");
        let mut executions = Vec::new();
        for _ in 0..3 {
            executions.push(runtime.activate(&work, ()).await.unwrap());
            settle().await;
        }
        let handler = || ConcurrencyLimit::Handler("b".to_owned());
        assert_eq!(queue_of(&executions[0], "b").await, None);
        assert_eq!(queue_of(&executions[1], "b").await, Some((1, handler())));
        assert_eq!(queue_of(&executions[2], "b").await, Some((2, handler())));
        let json = serde_json::to_value(executions[2].snapshot().await.unwrap()).unwrap();
        let node = &json["nodes"].as_array().unwrap().iter().find(|node| node["id"] == "b").unwrap();
        assert_eq!(
            (&node["status"], &node["position"], &node["limit"]["handler"]),
            (&"queued".into(), &2.into(), &"b".into())
        );
        let why = executions[2].why().await.unwrap().to_string();
        assert!(why.contains("attempt 1 by handler b, position 2 in the queue of handler \"b\""), "{why}");
        gate.let_through(1);
        settle().await;
        assert_eq!(queue_of(&executions[1], "b").await, None);
        assert_eq!(queue_of(&executions[2], "b").await, Some((1, handler())));
        gate.open();
        for execution in executions {
            execution.outcome().await.unwrap();
        }
    })
    .await;
}

#[actix::test]
async fn a_task_that_waits_for_the_runtime_says_so() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let runtime = runtime(&journal).limits(Limits::new().running_tasks_max(1)).gated("a b", &gate);
        let runtime = runtime.start().unwrap();
        let execution = runtime.activate(&workflow("s>a s>b a>e b>e"), ()).await.unwrap();
        settle().await;
        let record = execution.snapshot().await.unwrap();
        assert_eq!((record.counts.running, record.counts.queued), (1, 1));
        let queued = record.nodes.iter().find(|node| node.state.status() == NodeStatus::Queued).unwrap();
        let NodeRecordState::Queued { queue, .. } = &queued.state else { panic!("{queued:?}") };
        assert_eq!((queue.position, &queue.limit), (1, &ConcurrencyLimit::Runtime));
        assert_eq!(serde_json::to_value(queued).unwrap()["limit"], "runtime");
        assert_eq!(serde_json::from_value::<finale::Record>(serde_json::to_value(&record).unwrap()).unwrap(), record);
        gate.open();
        execution.outcome().await.unwrap();
    })
    .await;
}

type Known<T> = Arc<OnceLock<T>>;

/// Registers a handler that activates a workflow and awaits its outcome through its context; gives where the handler looks
/// for the runtime, and where it puts the execution.
fn delegating(builder: Builder, to: &Workflow) -> (Builder, Known<Runtime>, Known<ExecutionHandle>) {
    let (runtime, child) = (Known::<Runtime>::default(), Known::<ExecutionHandle>::default());
    let (known, begun, workflow) = (Arc::clone(&runtime), Arc::clone(&child), to.clone());
    let delegate = move |context: TaskContext, _: Any| {
        let (runtime, begun, workflow) = (known.get().unwrap().clone(), Arc::clone(&begun), workflow.clone());
        async move {
            let execution = runtime.activate(&workflow, ()).await?;
            begun.set(execution.clone()).unwrap();
            context.waiting_for(execution.outcome()).await?;
            Ok::<_, TaskError>(())
        }
    };
    (builder.handler("delegate", delegate), runtime, child)
}

#[actix::test]
async fn a_parent_waits_for_executions_and_its_child_is_queued() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let work = workflow("s>work work>e");
        let builder = runtime(&journal).gated("work", &gate).handler_limit("work", 1);
        let (builder, known, child) = delegating(builder, &work);
        let runtime = builder.start().unwrap();
        known.set(runtime.clone()).unwrap();
        let busy = runtime.activate(&work, ()).await.unwrap();
        settle().await;
        let parent = runtime.activate(&workflow("s>delegate delegate>e"), ()).await.unwrap();
        settle().await;
        let child = child.get().expect("it is activated");
        assert_eq!(queue_of(child, "work").await, Some((1, ConcurrencyLimit::Handler("work".to_owned()))));
        let why = parent.why().await.unwrap();
        let awaited = &why.awaited[0];
        assert_eq!((awaited.status, awaited.waiting_for), (NodeStatus::Waiting, Some(WaitingFor::Execution)));
        assert!(why.to_string().contains("by handler delegate, which waits for other executions"), "{why}");
        let counts = parent.snapshot().await.unwrap().counts;
        assert_eq!((counts.running, counts.waiting), (0, 1));
        gate.open();
        parent.outcome().await.unwrap();
        busy.outcome().await.unwrap();
    })
    .await;
}

#[actix::test]
async fn a_parent_that_goes_on_is_queued_until_it_has_its_permit_again() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let ask = chart("s>ask ask>e").outside("ask").workflow();
        let builder = runtime(&journal).gated("busy", &gate).limits(Limits::new().running_tasks_max(1));
        let (builder, known, child) = delegating(builder, &ask);
        let runtime = builder.start().unwrap();
        known.set(runtime.clone()).unwrap();
        let parent = runtime.activate(&workflow("s>delegate delegate>e"), ()).await.unwrap();
        settle().await;
        let busy = runtime.activate(&workflow("s>busy busy>e"), ()).await.unwrap();
        settle().await;
        let child = child.get().expect("it is activated");
        runtime.complete_task(task_of(child.id(), &ask, "ask"), ()).await.unwrap();
        settle().await;
        assert_eq!(queue_of(&parent, "delegate").await, Some((1, ConcurrencyLimit::Runtime)));
        gate.open();
        parent.outcome().await.unwrap();
        busy.outcome().await.unwrap();
    })
    .await;
}
