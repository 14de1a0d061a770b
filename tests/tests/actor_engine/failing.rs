//! What a failure does to the execution, and to what runs beside it.

use finale::{ExecutionHandle, ExecutionStatus, NodeStatus, Record, TaskContext, TaskError};
use finale_core::record::End;
use finale_tests::actor::{Any, Dummies, Gate, chart, for_each_journal, runtime, settle, workflow};

const FORK: &str = "s>a s>b b>c a>join c>join join>e";

fn status_of(record: &Record, id: &str) -> NodeStatus {
    record.nodes.iter().find(|node| node.id == id).expect("the record has every node").state.status()
}

/// Waits for the end and checks that nothing of it is under way then.
async fn ended(execution: &ExecutionHandle) -> Record {
    let outcome = execution.outcome().await.expect("it ends before the runtime");
    let record = execution.snapshot().await.expect("it is kept");
    assert_eq!(record.state.status(), outcome.status());
    assert!(record.nodes.iter().all(|node| node.state.status().is_settled()), "{record:?}");
    record
}

/// Fails when it is let through the gate.
fn failing_behind(gate: &Gate) -> impl Fn(TaskContext, Any) -> finale_tests::actor::Passing + Send + Sync + 'static {
    let gate = gate.clone();
    move |_, _| {
        let gate = gate.clone();
        Box::pin(async move {
            gate.pass().await;
            Err(TaskError::new("broken"))
        })
    }
}

#[actix::test]
async fn the_first_failure_cancels_what_runs_beside_it() {
    for_each_journal(async |journal| {
        let (failing, sibling) = (Gate::closed(), Gate::closed());
        let runtime = runtime(&journal).handler("a", failing_behind(&failing)).gated("b", &sibling).done("c");
        let runtime = runtime.start().unwrap();
        let execution = runtime.activate(&workflow(FORK), ()).await.unwrap();
        settle().await;
        failing.open();
        settle().await;
        assert_eq!(execution.snapshot().await.unwrap().state.status(), ExecutionStatus::Ending);
        assert_eq!(execution.status().await.unwrap(), ExecutionStatus::Ending);
        let record = ended(&execution).await;
        assert_eq!(record.state.status(), ExecutionStatus::Failed);
        assert_eq!(status_of(&record, "b"), NodeStatus::Cancelled);
        assert_eq!(status_of(&record, "c"), NodeStatus::Skipped);
        assert_eq!((sibling.begun(), sibling.inside()), (1, 0));
    })
    .await;
}

#[actix::test]
async fn siblings_that_may_finish_are_waited_for_and_change_nothing() {
    for_each_journal(async |journal| {
        let (failing, sibling, next) = (Gate::closed(), Gate::closed(), Gate::closed());
        let runtime = runtime(&journal).handler("a", failing_behind(&failing)).gated("b", &sibling).gated("c", &next);
        let runtime = runtime.start().unwrap();
        let execution = runtime.activate(&chart(FORK).finish().workflow(), ()).await.unwrap();
        settle().await;
        failing.open();
        tokio::time::sleep(std::time::Duration::from_secs(600)).await;
        assert_eq!(execution.status().await.unwrap(), ExecutionStatus::Ending);
        assert_eq!(sibling.inside(), 1);
        sibling.open();
        let record = ended(&execution).await;
        assert_eq!(record.state.status(), ExecutionStatus::Failed);
        assert_eq!(status_of(&record, "b"), NodeStatus::Completed);
        assert_eq!((status_of(&record, "c"), next.begun()), (NodeStatus::Skipped, 0));
    })
    .await;
}

#[actix::test]
async fn cancelling_stops_siblings_that_were_left_to_finish() {
    for_each_journal(async |journal| {
        let sibling = Gate::closed();
        let runtime = runtime(&journal).failing("a").gated("b", &sibling).done("c").start().unwrap();
        let execution = runtime.activate(&chart(FORK).finish().workflow(), ()).await.unwrap();
        settle().await;
        let receipt = execution.cancel("me").await.unwrap();
        assert_eq!(receipt.status, ExecutionStatus::Failed, "what was decided before stays");
        assert_eq!(status_of(&ended(&execution).await, "b"), NodeStatus::Cancelled);
        assert_eq!(sibling.inside(), 0);
    })
    .await;
}

#[actix::test]
async fn nothing_begins_after_the_end_is_decided() {
    for_each_journal(async |journal| {
        let other = Gate::closed();
        let both = Gate::closed();
        // When the gate opens, both are done in the same poll: `b` makes `c` ready, `a` ends the execution.
        let runtime = runtime(&journal).handler("a", failing_behind(&both)).gated("b", &both).gated("c", &other);
        let runtime = runtime.start().unwrap();
        for edges in [FORK, "s>b s>a b>c a>join c>join join>e"] {
            let execution = runtime.activate(&workflow(edges), ()).await.unwrap();
            settle().await;
            both.let_through(2);
            let record = ended(&execution).await;
            assert_eq!(record.state.status(), ExecutionStatus::Failed);
            assert_eq!(other.begun(), 0, "{edges}");
        }
    })
    .await;
}

#[actix::test]
async fn a_task_that_waits_for_a_place_does_not_begin_after_the_end_is_decided() {
    for_each_journal(async |journal| {
        let (failing, full) = (Gate::closed(), Gate::closed());
        let runtime = runtime(&journal).handler("a", failing_behind(&failing)).gated("b", &full).done("c");
        let runtime = runtime.handler_limit("b", 1).start().unwrap();
        let first = runtime.activate(&workflow("s>b b>e"), ()).await.unwrap();
        for finish in [false, true] {
            let flow = if finish { chart(FORK).finish() } else { chart(FORK) };
            let execution = runtime.activate(&flow.workflow(), ()).await.unwrap();
            settle().await;
            let decided = tokio::time::Instant::now();
            failing.let_through(1);
            let record = ended(&execution).await;
            assert!(decided.elapsed().as_millis() < 100, "not first when somebody sweeps");
            assert_eq!(status_of(&record, "b"), NodeStatus::Cancelled);
            assert_eq!(full.begun(), 1, "finish: {finish}");
        }
        full.open();
        assert_eq!(first.outcome().await.unwrap().status(), ExecutionStatus::Completed);
    })
    .await;
}

#[actix::test]
async fn with_wait_all_what_does_not_depend_on_the_failure_runs_to_its_end() {
    for_each_journal(async |journal| {
        let sibling = Gate::closed();
        let runtime = runtime(&journal).failing("a").gated("b", &sibling).done("c").start().unwrap();
        let flow = chart(FORK).on_failure(finale_core::definition::OnFailure::WaitAll).workflow();
        let execution = runtime.activate(&flow, ()).await.unwrap();
        settle().await;
        sibling.open();
        let record = ended(&execution).await;
        assert_eq!(status_of(&record, "c"), NodeStatus::Completed);
        assert_eq!(status_of(&record, "join"), NodeStatus::Skipped);
        let finale_core::record::State::Ended(outcome) = &record.state else { panic!("{record:?}") };
        assert!(matches!(&outcome.end, End::Failed { error } if error.message().contains("broken")));
    })
    .await;
}
