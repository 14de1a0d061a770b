//! The program of the README.

#![expect(clippy::print_stdout, reason = "an example says what it does")]

use finale::prelude::*;

async fn reserve_stock(_context: TaskContext, item: String) -> Result<u32, TaskError> {
    if item.is_empty() { Err(TaskError::new("nothing was ordered").permanent()) } else { Ok(20) }
}

async fn charge_card(context: TaskContext) -> Result<String, TaskError> {
    let euros: u32 = context.output("reserve")?;
    Ok(format!("{euros} euros paid"))
}

#[actix::main]
async fn main() -> Result<(), finale::Error> {
    let builder = Workflow::builder("order").task("reserve", "reserve_stock");
    let order = builder.task("charge", "charge_card").after("reserve").build()?;
    let runtime = Runtime::builder().handler("reserve_stock", reserve_stock).handler("charge_card", charge_card);
    let runtime = runtime.start()?;
    let outcome = runtime.activate(&order, "kettle").await?.outcome().await?;
    println!("{}: {}", outcome.status(), outcome.output::<String>()?);
    Ok(())
}
