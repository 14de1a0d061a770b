//! Three tasks in a row: the smallest thing that is worth a workflow.

#![expect(clippy::print_stdout, reason = "an example says what it does")]

use std::error::Error;

use finale::core::definition::Work;
use finale::{Definition, Runtime, Shards, TaskContext, TaskError, Workflow};
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
    let definition = Definition::builder("order")
        .task("reserve", "Reserve the item", Work::Handler("reserve".into()))
        .task("charge", "Charge the card", Work::Handler("charge".into()))
        .after("reserve")
        .task("ship", "Ship the item", Work::Handler("ship".into()))
        .after("charge")
        .build();
    let workflow = Workflow::new(definition)?;
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
