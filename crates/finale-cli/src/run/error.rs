//! Why nothing came of a run.

use std::io;
use std::path::PathBuf;

use finale::journal::JournalError;
use finale::offline;
use finale::{Abandoned, ActivateError, CommandError, ExecutionId, ReportError, Runtime, SchemaMismatch, StartError};
use finale_core::nearest::nearest;

use super::answers::BadAnswer;
use super::arguments::ArgumentError;
use crate::definition_file::Faulty;
use crate::exit::{self, BAD_INPUT, CANCELLED, FAILED};
use crate::file::ReadError;
use crate::handlers::NAMES;
use crate::quote;
use crate::run_file::RunFileError;

/// Why nothing came of a run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// The arguments contradict each other.
    #[error(transparent)]
    Arguments(#[from] ArgumentError),
    /// The file could not be read.
    #[error("{file}: {error}")]
    Read { file: String, error: ReadError },
    /// The file is no definition, or one that cannot be run.
    #[error("the definition has faults: {}", .0.diagnostics.len())]
    Faulty(Faulty),
    /// A task of which something was said in advance does not exist.
    #[error("{file}: {error}")]
    Answer { file: String, error: BadAnswer },
    /// Somebody outside has to do something, and there is nobody.
    #[error(
        "{file}: {what} needs somebody outside: say {option}, add --yes to take all for done, --simulate to do nothing \
         really, or run it at a terminal to be asked"
    )]
    NobodyOutside { file: String, what: String, option: String },
    /// The handlers of an application are not here.
    #[error(
        "{file}: task {node:?} is done by the handler {handler:?} of an application: add --simulate to stand in\n\
         finale itself has the handlers {}{}", NAMES.join(", "), hint(handler)
    )]
    NoHandler { file: String, node: String, handler: String },
    /// Nothing is known that fits the schema of a task or a signal, and an execution would fail of it.
    #[error(
        "{file}: the execution keeps the schema of what {node:?} gives, and what --simulate gives need not fit it: \
         say what it is, by {option}"
    )]
    NothingFits { file: String, node: String, option: String },
    /// What is said in advance does not fit the schema of what it stands for.
    #[error("{file}: {option}: {mismatch}")]
    Misfit { file: String, option: String, mismatch: SchemaMismatch },
    /// The runtime did not take it.
    #[error("{file}: {error}{}", input_hint(error))]
    Activate { file: String, error: ActivateError },
    /// The journal is of no use.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// What was run cannot be read back.
    #[error(transparent)]
    ReadBack(#[from] offline::ReadError),
    /// A runtime on the journal would go on with them, and nobody here does their tasks.
    #[error(
        "{}: executions that have not ended: {count}; go on with them first, by {}, or name another journal",
        journal.display(), quote::command("resume", journal, "")
    )]
    Unfinished { journal: PathBuf, count: usize },
    /// A leftover command does not end, and the next attempt must not run beside it.
    #[error("{node}: what an attempt before started does not end, or belongs to another user: {processes}")]
    StillAlive { node: String, processes: String },
    /// The run file could not be read or written.
    #[error(transparent)]
    RunFile(#[from] RunFileError),
    /// The working directory is not available.
    #[error("the working directory: {0}")]
    WorkingDirectory(#[source] io::Error),
    /// The working directory of an execution does not exist any more.
    #[error("execution {execution} began in {}, which is no directory any more; --dir DIR names another one", directory.display())]
    NoDirectory { execution: ExecutionId, directory: PathBuf },
    /// Ctrl-C came first.
    #[error("interrupted before anything was activated")]
    Interrupted,
    /// The runtime did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The runtime did not do what it was asked.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The runtime did not take what became of a task.
    #[error("a task could not be reported on: {0}")]
    Report(#[from] ReportError),
    /// The runtime stopped on its own.
    #[error(transparent)]
    Abandoned(#[from] Abandoned),
    /// The result is known and could not be written.
    #[error("the result could not be written: {0}")]
    Write(#[source] io::Error),
}

fn input_hint(error: &ActivateError) -> &'static str {
    match error {
        ActivateError::InputDeclaration(_) | ActivateError::Schema(_) => "; an input is handed in by --input KEY=VALUE",
        _ => "",
    }
}

fn hint(handler: &str) -> String {
    nearest(handler, NAMES).map_or_else(String::new, |name| format!("; did you mean {name:?}?"))
}

impl RunError {
    /// Why a runtime stopped that did so on its own, if that is known: its journal has failed.
    pub(crate) fn explained_by(self, runtime: &Runtime) -> Self {
        match (self, runtime.health().journal) {
            (Self::Abandoned(_) | Self::Command(CommandError::Stopped), Err(error)) => Self::Journal(error),
            (error, _) => error,
        }
    }

    /// What the process ends with.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Journal(error)
            | Self::Start(StartError::Journal(error))
            | Self::ReadBack(offline::ReadError::Journal(error)) => exit::of_journal(error),
            // Only these are about the input; the other errors are failures of finale.
            Self::Activate {
                error:
                    ActivateError::Definition(_)
                    | ActivateError::HandlerNotRegistered { .. }
                    | ActivateError::Input(_)
                    | ActivateError::InputDeclaration(_)
                    | ActivateError::Schema(_)
                    | ActivateError::TooLong(_),
                ..
            } => BAD_INPUT,
            Self::Activate { .. }
            | Self::ReadBack(_)
            | Self::Start(_)
            | Self::Command(_)
            | Self::Report(_)
            | Self::Abandoned(_)
            | Self::StillAlive { .. }
            | Self::RunFile(_)
            | Self::Write(_) => FAILED,
            Self::Interrupted => CANCELLED,
            _ => BAD_INPUT,
        }
    }
}
