//! What becomes of errors of handlers.

use std::time::Duration;

use finale::{ResultExt, Runtime, Shards, TaskContext, TaskError, Workflow};
use finale_core::definition::Task;
use tokio::time::Instant;

async fn error_of<H: finale::Handler<A>, A: 'static>(handler: H) -> String {
    let task = Task::handler("work").retry(2, Duration::from_secs(1));
    let workflow = Workflow::builder("w").task("work", task).build().unwrap();
    let runtime = Runtime::builder().shards(Shards::Current).handler("work", handler).start().unwrap();
    let outcome = runtime.activate(&workflow, "x").await.unwrap().outcome().await.unwrap();
    outcome.error().unwrap().message().to_owned()
}

async fn io(_context: TaskContext) -> Result<(), TaskError> {
    Err(std::io::Error::other("the disk is full"))?;
    Ok(())
}

async fn parse(_context: TaskContext, text: String) -> Result<u32, TaskError> {
    text.parse().permanent()
}

async fn lacks(context: TaskContext) -> Result<u32, TaskError> {
    Ok(*context.data::<u32>()?)
}

async fn busy(_context: TaskContext) -> Result<(), TaskError> {
    Err::<(), _>("the bank is closed").retry_after(Duration::from_secs(3_600))
}

#[actix::test]
async fn an_error_is_tried_again_unless_it_is_permanent() {
    tokio::time::pause();
    let failed = |rest: &str| format!("task \"Work\" (work) failed: {rest}");
    assert_eq!(error_of(io).await, failed("the disk is full [attempt 2 of 2]"));
    assert_eq!(error_of(parse).await, failed("invalid digit found in string [attempt 1 of 2]"));
}

#[actix::test]
async fn state_that_was_not_given_is_no_matter_of_another_attempt() {
    tokio::time::pause();
    let error = error_of(lacks).await;
    assert!(
        error.contains("asks for data that the runtime was not given") && error.ends_with("[attempt 1 of 2]"),
        "{error}"
    );
}

#[actix::test]
async fn another_attempt_waits_as_long_as_the_handler_asks() {
    tokio::time::pause();
    let begun = Instant::now();
    assert!(error_of(busy).await.contains("the bank is closed"));
    assert!(begun.elapsed() >= Duration::from_secs(3_600) && begun.elapsed() < Duration::from_secs(3_700));
}
