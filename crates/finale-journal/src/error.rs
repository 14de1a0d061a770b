//! Why a journal did not do what it was asked.

use std::path::PathBuf;
use std::sync::Arc;

use finale_core::ExecutionId;

use crate::Epoch;

/// Why a journal did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Writing failed; the journal takes nothing more, so that nothing is acknowledged that may be lost.
    #[error("the journal has failed and takes nothing more: {0}")]
    Failed(Arc<str>),
    /// Somebody else has claimed the journal: what this runtime writes is refused.
    #[error("the journal was claimed by another runtime (epoch {current}, this is {epoch})", epoch = epoch.0, current = current.0)]
    Fenced {
        /// The claim that was refused.
        epoch: Epoch,
        /// The newest one.
        current: Epoch,
    },
    /// A file of the journal was moved, replaced or deleted while the journal was in use: what it takes now would be in
    /// a file that nobody finds. It takes nothing more.
    #[error("{}: the file was moved, replaced or deleted under the running journal, which takes nothing more", path.display())]
    FileReplaced {
        /// Which file.
        path: PathBuf,
    },
    /// The facts do not follow those that are there.
    #[error("execution {execution}: fact {expected} was due, not {found}")]
    Gap {
        /// Whose facts they are.
        execution: ExecutionId,
        /// The number that was due.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// The execution has ended: there are no facts after that.
    #[error("execution {0} has ended")]
    Ended(ExecutionId),
    /// What is kept of an execution is not what was written: it has rotted.
    #[error("what is kept of execution {execution} is damaged: {problem}")]
    Damaged {
        /// Whose facts they are.
        execution: ExecutionId,
        /// What is wrong with them.
        problem: Arc<str>,
    },
    /// A copy of the journal could not be made.
    #[error("{}: the journal was not copied: {problem}", path.display())]
    Backup {
        /// The file that was to be written.
        path: PathBuf,
        /// Why it was not.
        problem: Arc<str>,
    },
    /// Reading failed.
    #[error("the journal cannot be read: {0}")]
    Unreadable(Arc<str>),
    /// The journal could not be opened.
    #[error("{}: {problem}", path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// Why not.
        problem: OpenProblem,
    },
}

impl JournalError {
    /// The name of the kind of error, which does not change between versions.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Failed(_) => "journal_failed",
            Self::Fenced { .. } => "journal_fenced",
            Self::FileReplaced { .. } => "journal_file_replaced",
            Self::Gap { .. } => "journal_gap",
            Self::Ended(_) => "journal_ended",
            Self::Damaged { .. } => "journal_damaged",
            Self::Unreadable(_) => "journal_unreadable",
            Self::Backup { .. } => "journal_backup",
            Self::Open { .. } => "journal_open",
        }
    }
}

/// Why a journal file could not be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenProblem {
    /// Another process has it.
    #[error("the journal is in use by {holder}")]
    InUse {
        /// What is known of the other process.
        holder: String,
    },
    /// The folder it lies in is not there.
    #[error("there is no such folder")]
    NoFolder,
    /// There is no such file, or it is none.
    #[error("there is no such file, or it is none")]
    NoFile,
    /// It is a symbolic link, which somebody else may turn to another file.
    #[error("this is a symbolic link: name the file itself")]
    Link,
    /// The file has several names (hard links): who comes by another one finds another log, and destroys the journal.
    #[error("the file has {names} names (hard links): remove all but one")]
    SeveralNames {
        /// How many.
        names: u64,
    },
    /// The file lies on a file system that other machines may share, where SQLite's log does not work.
    #[error("the file lies on a network file system ({kind}), where a journal is not safe: put it on a local disk")]
    NetworkFileSystem {
        /// What the operating system calls it.
        kind: String,
    },
    /// There is nothing in the file. A journal is never empty, so it was cut off, or made by something else.
    #[error("the file is empty, which no journal is: delete it to begin a new one")]
    Empty,
    /// It is something else.
    #[error("this is not a journal of finale")]
    Foreign,
    /// A newer release of finale has written it.
    #[error("the journal has format {found}, and this release knows up to {known}: use the release that wrote it")]
    Newer {
        /// Its format.
        found: i64,
        /// The newest format this release knows.
        known: i64,
    },
    /// An older release of finale has written it, and what only reads a journal changes nothing in it.
    #[error(
        "the journal has format {found}: the first runtime of this release that opens it brings it to format {known}"
    )]
    Older {
        /// Its format.
        found: i64,
        /// The format that this release reads.
        known: i64,
    },
    /// Acknowledged facts are missing at its end: the log was damaged, or the file replaced by an older copy.
    #[error(
        "{missing} acknowledged batches are missing at the end of the journal: its log is damaged or the file is missing or an older copy; restore it, or accept the loss (--accept-lost-tail, accept_lost_tail)"
    )]
    LostTail {
        /// How many batches.
        missing: u64,
    },
    /// The linked SQLite loses data in WAL mode.
    #[error("SQLite {found} can lose committed data in WAL mode; {required} or newer is needed")]
    OldSqlite {
        /// The version that is linked.
        found: String,
        /// The oldest that will do.
        required: String,
    },
    /// The operating system or SQLite said no.
    #[error("{0}")]
    Io(Arc<str>),
}
