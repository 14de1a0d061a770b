//! The handlers that finale has of its own.

mod begun;
mod capture;
mod group;
mod log;
mod logs;
mod shell;
mod sleep;
mod tail;

use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use finale::{Builder, TaskContext, TaskError};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;

use self::begun::{Announcer, announcer};
pub(crate) use self::begun::{Beginnings, Begun, runs_command};
pub(crate) use self::logs::{Logs, last_lines};
use crate::run::{InAdvance, Simulation};

/// What definitions call them.
pub(crate) const NAMES: [&str; 3] = [SHELL, SLEEP, LOG];

const SHELL: &str = "shell";
const SLEEP: &str = "sleep";
const LOG: &str = "log";

/// What can be said of them on the command line.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Directory for the output of shell commands, a file for each attempt; by default a temporary one.
    #[arg(long, value_name = "DIR")]
    pub(crate) logs: Option<PathBuf>,

    /// How many shell commands may run at once; others wait.
    #[arg(long, value_name = "COUNT", default_value = "64")]
    jobs: NonZeroUsize,
}

/// The handlers, where they do not stand aside for a simulation or an answer in advance.
#[derive(Debug)]
pub(crate) struct Handlers {
    logs: Arc<Logs>,
    jobs: NonZeroUsize,
    /// Says that nothing is to go on, and that nobody wants to hear how it ended.
    halt: watch::Sender<bool>,
    announcer: Announcer,
    beginnings: RefCell<Option<Beginnings>>,
}

impl Handlers {
    pub(crate) fn new(logs: Logs, options: &Options) -> Self {
        let (announcer, beginnings) = announcer();
        let (halt, beginnings) = (watch::Sender::new(false), RefCell::new(Some(beginnings)));
        Self { logs: Arc::new(logs), jobs: options.jobs, halt, announcer, beginnings }
    }

    /// Where the output of commands is.
    pub(crate) fn logs(&self) -> &Logs {
        &self.logs
    }

    /// Tells of each command that begins, to the first one who asks.
    pub(crate) fn beginnings(&self) -> Option<Beginnings> {
        self.beginnings.take()
    }

    /// Tells commands to stop whose tasks go on another time; they come to no result any more.
    pub(crate) fn halt(&self) {
        self.halt.send_replace(true);
    }

    /// Registers them, and what stands in for handlers.
    pub(crate) fn register(&self, simulation: &Simulation, builder: Builder) -> Builder {
        let (logs, halt, announcer) = (Arc::clone(&self.logs), self.halt.clone(), self.announcer.clone());
        let shell = move |context, input| {
            announcer.begins(&context);
            shell::run(Arc::clone(&logs), halt.subscribe(), context, input)
        };
        let mut builder = simulation.register(builder);
        if !simulation.stands_in(SHELL) {
            builder = builder.handler(SHELL, unless_answered(simulation, shell)).handler_limit(SHELL, self.jobs.get());
        }
        if !simulation.stands_in(SLEEP) {
            builder = builder.handler(SLEEP, unless_answered(simulation, sleep::run));
        }
        if !simulation.stands_in(LOG) {
            builder = builder.handler(LOG, unless_answered(simulation, log::run));
        }
        builder
    }
}

/// The handler, for the tasks whose outcome was not given in advance.
fn unless_answered<F, Fut, Input, Output>(
    simulation: &Simulation,
    handler: F,
) -> impl Fn(TaskContext, Input) -> std::pin::Pin<Box<dyn Future<Output = Result<Value, TaskError>>>> + Send + Sync + 'static
where
    F: Fn(TaskContext, Input) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Output, TaskError>> + 'static,
    Output: Serialize,
{
    let simulation = simulation.clone();
    move |context, input| match simulation.answer(context.node()) {
        Some(InAdvance::Done(output)) => Box::pin(std::future::ready(Ok(output.clone()))),
        Some(InAdvance::Failed(reason)) => Box::pin(std::future::ready(Err(TaskError::new(reason)))),
        None => {
            let outcome = handler(context, input);
            Box::pin(async move { Ok(serde_json::to_value(outcome.await?)?) })
        }
    }
}
