//! A file importer: all files at once, and up to two of them may be broken.

#![expect(clippy::print_stdout, reason = "an example says what it does")]

use std::collections::BTreeMap;

use finale::prelude::*;

/// The files, by name: a stand-in for a folder.
type Files = BTreeMap<&'static str, &'static str>;

/// Adds up the numbers of one file.
async fn import(context: TaskContext, name: String) -> Result<i64, TaskError> {
    let files = context.data::<Files>()?;
    let text = files.get(&*name).ok_or("there is no such file").permanent()?;
    let numbers: Result<Vec<i64>, _> = text.lines().map(str::parse).collect();
    Ok(numbers.permanent()?.into_iter().sum())
}

#[actix::main]
async fn main() -> Result<(), finale::Error> {
    let files = Files::from([("a.csv", "1\n2"), ("b.csv", "3"), ("c.csv", "four"), ("d.csv", "5\n5")]);

    let builder = Workflow::builder("import").on_failure(OnFailure::Tolerate { count: 2 });
    let builder = files.keys().fold(builder, |builder, name| {
        // The input of each task is its own file name.
        builder.task(*name, Task::handler("import").input(format!("{name:?}")))
    });
    let workflow = builder.build()?;

    let runtime = Runtime::builder().data(files).handler("import", import).handler_limit("import", 2).start()?;
    let execution = runtime.activate(&workflow, ()).await?;
    let outcome = execution.outcome().await?;
    println!("{}: {:?}", outcome.status(), outcome.output::<BTreeMap<String, i64>>()?);
    for node in execution.snapshot().await?.nodes.iter().filter(|node| node.kind == "task") {
        println!("  {}: {}", node.id, node.state.status());
    }
    Ok(())
}
