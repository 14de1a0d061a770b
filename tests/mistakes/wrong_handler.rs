//! Handlers that are none.

#[cfg(mistakes)]
use finale::{Runtime, TaskContext, TaskError};

#[cfg(mistakes)]
async fn no_context(_item: String) -> Result<(), TaskError> {
    Ok(())
}

#[cfg(mistakes)]
fn not_async(_context: TaskContext, euros: u32) -> Result<u32, TaskError> {
    Ok(euros)
}

fn main() {
    #[cfg(mistakes)]
    let _builder = Runtime::builder().handler("no_context", no_context).handler("not_async", not_async);
}
