//! An execution that waits for a person: the task is listed, and completed from outside by its id.

#![expect(clippy::print_stdout, reason = "an example says what it does")]

use finale::EventKind;
use finale::prelude::*;
use serde_json::json;

async fn publish(context: TaskContext) -> Result<String, TaskError> {
    let by: String = context.output("approve")?;
    Ok(format!("published, approved by {by}"))
}

#[actix::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let article = Workflow::builder("article")
        .task("approve", Task::external().title("Read it and approve").assignee("the editor"))
        .task("publish", "publish")
        .after("approve")
        .build()?;
    let runtime = Runtime::builder().handler("publish", publish).start()?;
    let execution = runtime.activate(&article, json!({"title": "On endings"})).by("the author").await?;

    let mut events = execution.events().await?;
    // What happens is told as it happens, so there is nothing to poll for.
    while let Some(event) = events.next().await? {
        if let EventKind::NodeTransitioned { node, from, to, .. } = event.kind {
            println!("{node}: {from} -> {to}");
        }
        for task in runtime.open_tasks_of(execution.id()).await? {
            println!("{} asks {}: {}", task.id, task.assignee.unwrap_or_default(), task.title);
            // In a service this is another request, minutes or days later.
            runtime.complete_task(task.id, "Ada").await?;
        }
    }
    println!("{}", execution.why().await?);
    println!("{}", execution.outcome().await?.output::<String>()?);
    Ok(())
}
