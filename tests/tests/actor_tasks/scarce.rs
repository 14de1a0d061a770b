//! Work that is scarce or plenty: two limits that several shards share, and maps that take more than one turn to begin.

use std::time::Duration;

use finale::Limits;
use finale::journal::MemoryJournal;
use finale::prelude::*;

async fn echo(_context: TaskContext, input: u64) -> Result<u64, TaskError> {
    Ok(input)
}

async fn yields(_context: TaskContext) -> Result<(), TaskError> {
    tokio::task::yield_now().await;
    Ok(())
}

/// Both shards want both permits, and there is one of each.
#[actix::test]
async fn shards_share_the_last_places_of_the_runtime_and_of_a_handler() {
    let builder = Runtime::builder().shards(Shards::Own(2)).limits(Limits::new().running_tasks_max(1));
    let runtime = builder.handler("yields", yields).handler_limit("yields", 1).start().unwrap();
    let workflow = Workflow::builder("one").task("work", "yields").build().unwrap();
    let mut executions = Vec::new();
    for _ in 0..200 {
        executions.push(runtime.activate(&workflow, ()).await.unwrap());
    }
    for execution in executions {
        assert_eq!(execution.outcome().await.unwrap().status(), ExecutionStatus::Completed);
    }
    runtime.shutdown(Duration::from_secs(10)).await;
}

/// Opening them takes more than one turn, and then so does evaluating what each of them is given.
#[actix::test]
async fn a_wide_map_with_expressions_goes_on_turn_after_turn() {
    let runtime = Runtime::builder().shards(Shards::Current).journal(MemoryJournal::new()).handler("echo", echo);
    let runtime = runtime.start().unwrap();
    let wide = Workflow::builder("wide").map("each", "range(20100) | list", Task::handler("echo").input("item + 1"));
    let execution = runtime.activate(&wide.build().unwrap(), ()).await.unwrap();
    let outcome = execution.outcome().await.unwrap();
    let given: Vec<u64> = outcome.output().unwrap();
    assert_eq!((given.len(), given[0], given[20_099]), (20_100, 1, 20_100));
}
