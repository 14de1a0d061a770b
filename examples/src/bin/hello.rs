//! Three tasks in a row: the smallest thing that is worth a workflow.

#![expect(clippy::print_stdout, reason = "an example says what it does")]

use std::error::Error;

use finale::{Runtime, Shards, TaskContext, TaskError, Workflow};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
struct Order {
    item: String,
    euros: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct Receipt {
    paid: u32,
}

async fn reserve(_context: TaskContext, order: Order) -> Result<String, TaskError> {
    Ok(format!("one {} is put aside", order.item))
}

async fn charge(_context: TaskContext, order: Order) -> Result<Receipt, TaskError> {
    if order.euros > 1_000 {
        return Err(TaskError::new("card declined").permanent());
    }
    Ok(Receipt { paid: order.euros })
}

async fn ship(context: TaskContext, order: Order) -> Result<String, TaskError> {
    let receipt: Receipt = context.output("charge")?;
    Ok(format!("{} is on its way, {} euros paid", order.item, receipt.paid))
}

#[actix::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let workflow = Workflow::builder("order")
        .task("reserve", "reserve")
        .task("charge", "charge")
        .after("reserve")
        .task("ship", "ship")
        .after("charge")
        .build()?;
    let runtime = Runtime::builder()
        .shards(Shards::Current)
        .handler("reserve", reserve)
        .handler("charge", charge)
        .handler("ship", ship)
        .start()?;

    for euros in [20, 2_000] {
        let order = Order { item: "kettle".into(), euros };
        let execution = runtime.activate(&workflow, order).by("hello").await?;
        let outcome = execution.outcome().await?;
        match outcome.output::<String>() {
            Ok(said) => println!("{}: {said}", outcome.status()),
            Err(error) => println!("{}: {error}", outcome.status()),
        }
    }
    Ok(())
}
