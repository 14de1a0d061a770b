//! An execution that waits for a person: the task is listed, and completed from outside by its id.

#![expect(clippy::print_stdout, reason = "an example says what it does")]

use std::error::Error;

use finale::core::definition::Task;
use finale::{Runtime, Shards, TaskContext, TaskError, Workflow};
use serde_json::{Value, json};

async fn publish(context: TaskContext, _article: Value) -> Result<String, TaskError> {
    let approval: Value = context.output("approve")?;
    Ok(format!("published, approved by {}", approval["by"]))
}

#[actix::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let workflow = Workflow::builder("article")
        .task("approve", Task::external().title("Read it and approve"))
        .task("publish", "publish")
        .after("approve")
        .build()?;
    let runtime = Runtime::builder().shards(Shards::Current).handler("publish", publish).start()?;

    let execution = runtime.activate(&workflow, json!({"title": "On endings"})).by("the author").await?;
    let mut events = execution.events().await?;
    // The task is open once its node waits; there is nothing to poll for.
    while let Some(event) = events.next().await? {
        println!("{}", serde_json::to_string(&event)?);
        for task in runtime.open_tasks_of(execution.id()).await? {
            println!("open: {} ({})", task.title, task.id);
            runtime.complete_task(task.id, json!({"by": "an editor"})).await?;
        }
    }
    println!("{}", execution.why().await?);
    println!("{}", execution.outcome().await?.output::<String>()?);
    Ok(())
}
