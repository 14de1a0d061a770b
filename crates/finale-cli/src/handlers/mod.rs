//! The handlers that finale has of its own.

mod announce;
mod capture;
mod group;
mod log;
mod logs;
mod paths;
mod shell;
mod sleep;
mod tail;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use finale::{Builder, Payload, TaskContext, TaskError};
use serde::Serialize;
use tokio::sync::watch;

pub(crate) use self::announce::{Announced, Announcements, Said, runs_command};
pub(crate) use self::logs::last_lines;
pub(crate) use self::paths::{CommandPaths, LogsOption};
use crate::run::{InAdvance, Simulation};

/// What definitions call them.
pub(crate) const NAMES: [&str; 3] = [SHELL, SLEEP, LOG];

pub(crate) const SHELL: &str = "shell";
const SLEEP: &str = "sleep";
const LOG: &str = "log";

/// What can be said of them on the command line.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Directory for the output of shell commands, a file for each attempt; by default a temporary one, or that in which an
    /// execution that is resumed began.
    #[arg(long, value_name = "DIR")]
    pub(crate) logs: Option<PathBuf>,

    /// How many shell commands may run at once; others wait.
    #[arg(long, value_name = "COUNT", default_value_t = 64, value_parser = jobs)]
    jobs: usize,
}

/// The value of `--jobs` is not usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a number from 1 to {JOBS_MAX}")]
struct BadJobs;

/// Linux has at most so many process ids.
const JOBS_MAX: usize = 1 << 22;

fn jobs(text: &str) -> Result<usize, BadJobs> {
    text.parse().ok().filter(|count| (1..=JOBS_MAX).contains(count)).ok_or(BadJobs)
}

/// The handlers, where they do not stand aside for a simulation or an answer in advance.
#[derive(Debug)]
pub(crate) struct Handlers {
    paths: Arc<CommandPaths>,
    jobs: usize,
    /// Says that nothing is to go on, and that nobody wants to hear how it ended.
    halt: watch::Sender<bool>,
    announcements: Announcements,
}

impl Handlers {
    pub(crate) fn new(paths: CommandPaths, options: &Options) -> Self {
        let (halt, announcements) = (watch::Sender::new(false), Announcements::default());
        Self { paths: Arc::new(paths), jobs: options.jobs, halt, announcements }
    }

    /// Where commands run, and where their output is.
    pub(crate) fn paths(&self) -> &CommandPaths {
        &self.paths
    }

    /// The queue of announcements; the caller displays them from now on.
    pub(crate) fn announcements(&self) -> Announcements {
        self.announcements.listen()
    }

    /// Tells commands to stop whose tasks go on another time; they come to no result any more.
    pub(crate) fn halt(&self) {
        self.halt.send_replace(true);
    }

    /// Registers them, and what stands in for handlers.
    pub(crate) fn register(&self, simulation: &Simulation, builder: Builder) -> Builder {
        let mut builder = simulation.register(&self.announcements, builder);
        if !simulation.stands_in(SHELL) {
            let (paths, halt) = (Arc::clone(&self.paths), self.halt.clone());
            let shell = move |context, input| shell::run(Arc::clone(&paths), halt.subscribe(), context, input);
            builder = builder.handler(SHELL, self.announced(simulation, shell)).handler_limit(SHELL, self.jobs);
        }
        if !simulation.stands_in(SLEEP) {
            let (paths, halt) = (Arc::clone(&self.paths), self.halt.clone());
            let sleep = move |context, input| sleep::run(Arc::clone(&paths), halt.subscribe(), context, input);
            builder = builder.handler(SLEEP, self.announced(simulation, sleep));
        }
        if !simulation.stands_in(LOG) {
            let announcements = self.announcements.clone();
            let log = move |context, input| log::run(announcements.clone(), context, input);
            builder = builder.handler(LOG, self.announced(simulation, log));
        }
        builder
    }

    /// The handler, which announces that it begins. Where the outcome of a task was given in advance it does nothing else.
    fn announced<F, Fut, Input, Output>(
        &self,
        simulation: &Simulation,
        handler: F,
    ) -> impl Fn(TaskContext, Input) -> std::pin::Pin<Box<dyn Future<Output = Result<Payload, TaskError>>>>
    + Send
    + Sync
    + 'static
    + use<F, Fut, Input, Output>
    where
        F: Fn(TaskContext, Input) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Output, TaskError>> + 'static,
        Input: 'static,
        Output: Serialize,
    {
        let (simulation, announcements, handler) = (simulation.clone(), self.announcements.clone(), Arc::new(handler));
        move |context, input| {
            announcements.begins(&context);
            let (simulation, handler) = (simulation.clone(), Arc::clone(&handler));
            Box::pin(async move {
                match simulation.answer(&context).await {
                    Some(InAdvance::Done(output)) => Ok(output),
                    Some(InAdvance::Failed(reason)) => Err(TaskError::new(reason)),
                    None => Ok(Payload::encode(&handler(context, input).await?)?),
                }
            })
        }
    }
}
