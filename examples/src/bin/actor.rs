//! An actor as a handler: a printer that the whole application shares, one letter at a time.

#![expect(clippy::print_stdout, reason = "an example says what it does")]

use actix::{Actor, Context, Handler};
use finale::Payload;
use finale::message::RunTask;
use finale::prelude::*;

/// Counts its pages, which no other thread can touch.
#[derive(Default)]
struct Printer {
    pages: u32,
}

impl Actor for Printer {
    type Context = Context<Self>;
}

impl Handler<RunTask> for Printer {
    type Result = Result<Payload, TaskError>;

    fn handle(&mut self, task: RunTask, _context: &mut Context<Self>) -> Self::Result {
        let text: String = task.input.decode().permanent()?;
        self.pages += 1;
        println!("page {}: {text}", self.pages);
        Ok(Payload::encode(&self.pages)?)
    }
}

#[actix::main]
async fn main() -> Result<(), finale::Error> {
    let letter = Workflow::builder("letter")
        .task("draft", Task::handler("print").input("'Draft of: ' ~ input"))
        .task("final", Task::handler("print").input("'Final: ' ~ input"))
        .after("draft")
        .build()?;
    let printer = Printer::default().start();
    let runtime = Runtime::builder().actor_handler("print", printer.recipient()).start()?;
    for text in ["Dear Ada", "Dear Grace"] {
        let outcome = runtime.activate(&letter, text).await?.outcome().await?;
        println!("{}: page {}", outcome.status(), outcome.output::<u32>()?);
    }
    Ok(())
}
