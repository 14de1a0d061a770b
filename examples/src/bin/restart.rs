//! An execution that outlives the application: the first one begins it, the second one finds it and sees it to its end.

#![expect(clippy::print_stdout, reason = "an example says what it does")]

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use finale::journal::SqliteJournal;
use finale::{Filter, Runtime, Shards, Task, TaskContext, TaskError, Workflow};
use serde_json::{Value, json};

async fn ship(context: TaskContext, order: Value) -> Result<String, TaskError> {
    let paid: Value = context.output("pay")?;
    Ok(format!("{} shipped, {} paid", order["item"], paid["euros"]))
}

fn start(journal: &Path) -> Result<Runtime, Box<dyn Error>> {
    let journal = SqliteJournal::open(journal)?;
    Ok(Runtime::builder().shards(Shards::Current).journal(journal).handler("ship", ship).start()?)
}

/// Takes an order, and is stopped before anybody has paid.
async fn take_order(journal: &Path) -> Result<(), Box<dyn Error>> {
    let workflow =
        Workflow::builder("order").task("pay", Task::external()).task("ship", "ship").after("pay").build()?;
    let runtime = start(journal)?;
    let activation = runtime.activate(&workflow, json!({"item": "a lamp"}));
    let execution = activation.business_key("order 7").idempotency_key("order 7").await?;
    println!("{} waits: {}", execution.id(), execution.why().await?);
    drop(execution);
    runtime.shutdown(Duration::from_secs(1)).await;
    Ok(())
}

/// Knows nothing but the file: the definition is kept with the execution.
async fn take_payment(journal: &Path) -> Result<(), Box<dyn Error>> {
    let runtime = start(journal)?;
    let found = runtime.executions(Filter::new().business_key("order 7")).await?.executions;
    for summary in found {
        let execution = runtime.execution(summary.id).await?;
        for task in runtime.open_tasks_of(summary.id).await? {
            runtime.complete_task(task.id, json!({"euros": 20})).await?;
        }
        println!("{} {}", summary.id, execution.outcome().await?.output::<String>()?);
    }
    runtime.shutdown(Duration::from_secs(1)).await;
    Ok(())
}

#[actix::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let journal = folder.path().join("orders.db");
    take_order(&journal).await?;
    take_payment(&journal).await
}
