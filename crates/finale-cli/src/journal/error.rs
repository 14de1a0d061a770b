//! Why nothing came of a command on a journal.

use std::fmt::Write;
use std::io;
use std::path::PathBuf;

use finale::journal::JournalError;
use finale::offline::ReadError;
use finale::{ExecutionId, ExecutionStatus, Summary};

use super::Prefix;
use crate::exit::{self, BAD_INPUT, FAILED};

/// Why nothing came of a command on a journal.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    /// The journal could not be opened or read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The execution could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// There is no such execution.
    #[error("{}: there is no execution {prefix}", journal.display())]
    Unknown { journal: PathBuf, prefix: Prefix },
    /// There are several.
    #[error("{prefix} is the beginning of more than one id:{}", lines(candidates, *more))]
    Ambiguous { prefix: Prefix, candidates: Vec<Summary>, more: bool },
    /// It need not be released.
    #[error("execution {id} is {status}, not quarantined")]
    NotQuarantined { id: ExecutionId, status: ExecutionStatus },
    /// The result is known and could not be written.
    #[error("the result could not be written: {0}")]
    Write(#[from] io::Error),
}

impl Problem {
    /// What the process ends with.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Journal(error) | Self::Read(ReadError::Journal(error)) => exit::of_journal(error),
            Self::Read(_) | Self::Write(_) => FAILED,
            Self::Unknown { .. } | Self::Ambiguous { .. } | Self::NotQuarantined { .. } => BAD_INPUT,
        }
    }
}

fn lines(candidates: &[Summary], more: bool) -> String {
    let mut lines = String::new();
    for candidate in candidates {
        // Writing to a text cannot fail.
        let _ = write!(lines, "\n  {} ({}, {})", candidate.id, candidate.workflow.id, candidate.status);
    }
    lines + if more { "\n  and others" } else { "" }
}
