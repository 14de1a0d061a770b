//! What a shard had that has failed is for the others, and nobody waits for it.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use finale::{
    ActivateError, ExecutionId, ExecutionStatus, Faults, Kill, Limits, Runtime, Shards, TaskContext, TaskError,
};
use finale_core::number::ShardNo;
use finale_core::supervisor::{home_of, shard_of};
use finale_tests::actor::{Any, Dummies, workflow};

/// If it hangs the test fails instead.
const PATIENCE: Duration = Duration::from_secs(30);
const DEAD: ShardNo = ShardNo(0);
const LEFT: ShardNo = ShardNo(1);

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it hangs")
}

fn id_on(runtime: &Runtime, shard: ShardNo) -> ExecutionId {
    std::iter::repeat_with(|| runtime.new_execution_id()).find(|id| shard_of(*id, 2) == shard).expect("there are many")
}

fn key_of(shard: ShardNo) -> String {
    (0..).map(|number| format!("key {number}")).find(|key| home_of(key, 2) == shard).expect("there are many")
}

/// A runtime with one place for handlers, of which the first shard has failed: a machine of it panicked again and again. A
/// handler of that shard had the place.
async fn without_first_shard(machine: impl Fn(&Faults) -> &Kill) -> Runtime {
    let faults = Arc::<Faults>::default();
    let limits = Limits::new().running_tasks_max(1);
    let builder = Runtime::builder().shards(Shards::Own(2)).limits(limits).faults(Arc::clone(&faults));
    let pending = async |_: TaskContext, _: Any| std::future::pending::<Result<(), TaskError>>().await;
    let runtime = builder.done("a").handler("pending", pending).start().expect("it starts");
    let flow = workflow("s>pending pending>e");
    let there = soon(runtime.activate(&flow, ()).id(id_on(&runtime, DEAD)).start()).await.expect("it is activated");
    while soon(there.snapshot()).await.expect("it is there").counts.running == 0 {
        tokio::task::yield_now().await;
    }
    while runtime.health().dead_shards.is_empty() {
        machine(&faults).over.store(1, Ordering::Relaxed);
        // It may be refused by now.
        let _: Result<_, _> = soon(runtime.activate(&flow, ()).id(id_on(&runtime, DEAD)).start()).await;
    }
    machine(&faults).over.store(0, Ordering::Relaxed);
    assert_eq!(runtime.health().dead_shards, [DEAD.0]);
    runtime
}

#[actix::test]
async fn the_permits_of_a_shard_that_has_failed_are_for_the_others() {
    let runtime = without_first_shard(|faults| &faults.kill_engine).await;
    let execution = soon(runtime.activate(&workflow("s>a a>e"), ()).id(id_on(&runtime, LEFT)).start())
        .await
        .expect("it is activated");
    assert_eq!(soon(execution.outcome()).await.unwrap().status(), ExecutionStatus::Completed);
}

#[actix::test]
async fn an_activation_whose_key_or_id_belongs_to_a_shard_that_has_failed_is_refused_at_once() {
    let runtime = without_first_shard(|faults| &faults.kill_supervisor).await;
    let flow = workflow("s>a a>e");
    for (key, id) in [(key_of(DEAD), LEFT), (key_of(LEFT), DEAD)] {
        let activation = runtime.activate(&flow, ()).idempotency_key(key).id(id_on(&runtime, id));
        let refused = soon(activation.start()).await.unwrap_err();
        assert!(matches!(refused, ActivateError::Stopped), "{refused:?}");
    }
    // The key of the second one is free again.
    let again = runtime.activate(&flow, ()).idempotency_key(key_of(LEFT)).id(id_on(&runtime, LEFT));
    soon(again.start()).await.expect("it is activated");
}
