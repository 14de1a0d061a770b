//! Executions as their journal tells them, without a runtime: for tools that look into a journal.
//!
//! Nothing is claimed and nothing is changed, so an application may be at work on the same journal.
//!
//! ```
//! use finale::journal::MemoryJournal;
//! use finale::offline;
//! use finale::prelude::*;
//!
//! # #[actix::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let greet = Workflow::builder("greet").task("hello", Task::external().title("Say hello")).build()?;
//! let journal = MemoryJournal::new();
//! let runtime = Runtime::builder().shards(Shards::Current).journal(journal.clone()).start()?;
//! let id = runtime.activate(&greet, "Ada").by("me").await?.id();
//!
//! let reading = offline::read(&journal, id)?;
//! assert_eq!(reading.why().awaited[0].node, "hello");
//! assert_eq!(reading.history()[0].text, "activated by me, with \"Ada\"");
//! # Ok(())
//! # }
//! ```
//!
//! The file of another process is read with a `SqliteReader` (feature `sqlite`):
//!
//! ```no_run
//! # #[cfg(feature = "sqlite")]
//! # fn look(id: finale::ExecutionId) -> Result<(), Box<dyn std::error::Error>> {
//! use finale::journal::SqliteReader;
//! use finale::offline;
//!
//! let reader = SqliteReader::open("orders.finale")?;
//! println!("{}", offline::why(&reader, id)?);
//! # Ok(())
//! # }
//! ```
//!
//! All executions of a journal are listed by [`JournalReader::list`].

use finale_core::execution::{SEMANTICS, Why};
use finale_core::fact::Described;
use finale_core::record::{Counts, DecidedBy, End, ExecutionError, State};
use finale_core::{Execution, ExecutionId, ExecutionStatus, Outcome, Record};
use finale_journal::{JournalError, JournalReader, Quarantine, Summary};
use uuid::Uuid;

use crate::fence::fenced;
use crate::stored::began_with;
use crate::workflow::Workflow;

/// One execution as its journal tells it, at the moment when it was [read](read()): it does not change any more.
///
/// ```
/// # use finale::journal::MemoryJournal;
/// # use finale::offline;
/// # use finale::prelude::*;
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let greet = Workflow::builder("greet").task("hello", Task::external()).build()?;
/// # let journal = MemoryJournal::new();
/// # let runtime = Runtime::builder().shards(Shards::Current).journal(journal.clone()).start()?;
/// # let execution = runtime.activate(&greet, "Ada").await?;
/// let reading = offline::read(&journal, execution.id())?;
/// execution.cancel("me").await?;
/// assert_eq!(reading.record().state.status(), ExecutionStatus::Running);
/// assert_eq!(reading.workflow().definition().id, "greet");
/// assert_eq!(reading.quarantine(), None);
///
/// let reading = offline::read(&journal, execution.id())?;
/// assert_eq!(reading.record().state.status(), ExecutionStatus::Cancelled);
/// assert!((1..).zip(reading.history()).all(|(number, fact)| fact.sequence == number));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Reading {
    workflow: Workflow,
    state: Execution,
    history: Vec<u8>,
    aside: Aside,
}

/// What a journal says of an execution beside its history.
#[derive(Clone, Debug)]
enum Aside {
    Nothing,
    /// It is parked.
    Quarantined(Quarantine),
    /// An operator declared its end when its history could not be read.
    WrittenOff(Box<Outcome>),
}

/// Why an execution could not be read.
///
/// ```
/// # use finale::journal::MemoryJournal;
/// # use finale::prelude::*;
/// use finale::offline::{self, ReadError};
///
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let journal = MemoryJournal::new();
/// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
/// let id = runtime.new_execution_id();
/// assert_eq!(offline::read(&journal, id).unwrap_err(), ReadError::NotFound(id));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// There is no such execution, or it is forgotten.
    #[error("there is no execution {0}")]
    NotFound(ExecutionId),
    /// What is kept of it makes no sense, or not to this release.
    #[error("execution {execution} cannot be read: {problem}")]
    Unreadable {
        /// Which execution.
        execution: ExecutionId,
        /// What is wrong with it.
        problem: String,
    },
    /// The journal cannot be read at all.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Reads an execution, whether it has ended or not.
///
/// Of an execution that is under way in a runtime, facts can be among it that are not durable yet.
///
/// # Errors
/// When there is none, or what is kept of it cannot be read; [`why`] says what is known even then.
pub fn read(reader: &dyn JournalReader, execution: ExecutionId) -> Result<Reading, ReadError> {
    read_up_to(reader, execution, u64::MAX)
}

/// What the facts of an execution up to that number come to.
pub(crate) fn read_up_to(reader: &dyn JournalReader, execution: ExecutionId, up_to: u64) -> Result<Reading, ReadError> {
    // Before the history: what is over here is over there.
    let summary = reader.summary(execution)?.ok_or(ReadError::NotFound(execution))?;
    let unreadable = |problem| ReadError::Unreadable { execution, problem };
    let history = match reader.history(execution) {
        Ok(history) => history.ok_or(ReadError::NotFound(execution))?,
        Err(JournalError::Damaged { problem, .. }) => return Err(unreadable(problem.to_string())),
        Err(error) => return Err(error.into()),
    };
    let hash = began_with(&history).map_err(unreadable)?;
    let stored = reader.definition(hash)?;
    let stored = stored.ok_or_else(|| unreadable(format!("its definition ({hash}) is not kept any more")))?;
    // A history that rotted in a way that nothing noticed must not bring down who looks at it.
    let folded = fenced(|| {
        let workflow = Workflow::restore(&stored)?;
        let state = Execution::fold_up_to(execution, workflow.compiled(), &history, up_to);
        let state = state.map_err(|error| error.to_string())?;
        check_rules(&state).map(|()| (workflow, state))
    });
    let (workflow, state) = folded.unwrap_or_else(|panicked| Err(panicked.to_string())).map_err(unreadable)?;
    let aside = if state.ended().is_some() { Aside::Nothing } else { aside(reader, &summary)? };
    Ok(Reading { workflow, state, history, aside })
}

/// What an execution waits for, or why it ended so. Of one that cannot be read: why it is parked, or how it was declared
/// to have ended.
///
/// # Errors
/// When there is none, or the journal says nothing more of it than that it cannot be read.
///
/// ```
/// # use finale::offline;
/// # use finale::prelude::*;
/// use finale::journal::MemoryJournal;
///
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let greet = Workflow::builder("greet").task("hello", Task::external()).build()?;
/// let journal = MemoryJournal::new();
/// let runtime = Runtime::builder().shards(Shards::Current).journal(journal.clone()).start()?;
/// let id = runtime.activate(&greet, "Ada").await?.id();
/// runtime.fail_execution(id, "the operator", "it is lost").await?;
///
/// let why = offline::why(&journal, id)?;
/// assert_eq!((why.status, why.error.as_deref()), (ExecutionStatus::Failed, Some("it is lost")));
/// # Ok(())
/// # }
/// ```
pub fn why(reader: &dyn JournalReader, execution: ExecutionId) -> Result<Why, ReadError> {
    let unreadable = match read(reader, execution) {
        Ok(reading) => return Ok(reading.why()),
        Err(unreadable @ ReadError::Unreadable { .. }) => unreadable,
        Err(error) => return Err(error),
    };
    match reader.summary(execution)? {
        Some(Summary { status: status @ (ExecutionStatus::Quarantined | ExecutionStatus::Failed), error, .. }) => {
            Ok(Why::unread(status, error))
        }
        _ => Err(unreadable),
    }
}

/// Why an execution is parked, if it is. None too if it has ended, or there is no such execution.
///
/// It is found also of an execution whose history cannot be read.
///
/// # Errors
/// When the journal cannot be read.
///
/// ```
/// # use finale::offline;
/// # use finale::prelude::*;
/// use finale::journal::MemoryJournal;
///
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let greet = Workflow::builder("greet").task("hello", Task::external()).build()?;
/// let journal = MemoryJournal::new();
/// let runtime = Runtime::builder().shards(Shards::Current).journal(journal.clone()).start()?;
/// let id = runtime.activate(&greet, "Ada").await?.id();
/// assert_eq!(offline::quarantine(&journal, id)?, None, "it runs");
/// # Ok(())
/// # }
/// ```
pub fn quarantine(reader: &dyn JournalReader, execution: ExecutionId) -> Result<Option<Quarantine>, JournalError> {
    let before = execution.as_u128().checked_sub(1).map(|id| ExecutionId::from_uuid(Uuid::from_u128(id)));
    let found = reader.live(before, 1)?.pop().filter(|live| live.id == execution);
    Ok(found.and_then(|live| live.quarantine))
}

/// How an execution ended, also if it was written off; none if it has not, or is not known.
pub(crate) fn outcome(reader: &dyn JournalReader, execution: ExecutionId) -> Result<Option<Outcome>, ReadError> {
    let summary = reader.summary(execution)?.ok_or(ReadError::NotFound(execution))?;
    if !summary.status.is_terminal() {
        return Ok(None);
    }
    match read(reader, execution) {
        Ok(reading) => Ok(reading.state.end_outcome(reading.workflow.compiled()).or_else(|| written_off(&summary))),
        Err(unreadable) => written_off(&summary).map(Some).ok_or(unreadable),
    }
}

/// How an execution ended that was declared failed because it cannot be read; none for any other.
fn written_off(summary: &Summary) -> Option<Outcome> {
    let failed = summary.status == ExecutionStatus::Failed;
    let error = summary.error.as_deref().filter(|_| failed)?;
    Some(Outcome {
        completed_at: summary.completed_at?,
        decided_by: DecidedBy::Operator { by: "an operator".to_owned() },
        counts: Counts::default(),
        ending_failures: Vec::new(),
        ending_failures_more: 0,
        end: End::Failed { error: ExecutionError::new(error, Vec::new())? },
    })
}

/// Whether an execution follows rules that this release knows.
pub(crate) fn check_rules(state: &Execution) -> Result<(), String> {
    match state.activation().map(|activation| activation.semantics) {
        Some(semantics) if semantics > SEMANTICS => {
            Err(format!("it began under rules (revision {semantics}) that this release does not know"))
        }
        _ => Ok(()),
    }
}

fn aside(reader: &dyn JournalReader, summary: &Summary) -> Result<Aside, JournalError> {
    if let Some(outcome) = written_off(summary) {
        return Ok(Aside::WrittenOff(Box::new(outcome)));
    }
    Ok(quarantine(reader, summary.id)?.map_or(Aside::Nothing, Aside::Quarantined))
}

impl Reading {
    pub(crate) fn into_history(self) -> (ExecutionId, Workflow, Vec<u8>) {
        (self.state.id(), self.workflow, self.history)
    }

    /// Everything there is to know about it; the same as [`ExecutionHandle::snapshot`](crate::ExecutionHandle::snapshot).
    pub fn record(&self) -> Record {
        let mut record = self.state.record(self.workflow.compiled());
        match &self.aside {
            Aside::Nothing => {}
            Aside::Quarantined(quarantine) => record.state = State::Quarantined { reason: quarantine.reason.clone() },
            Aside::WrittenOff(outcome) => record.state = State::Ended((**outcome).clone()),
        }
        record
    }

    /// What it waits for, or why it ended so; the same as [`ExecutionHandle::why`](crate::ExecutionHandle::why).
    pub fn why(&self) -> Why {
        let mut why = self.state.why(self.workflow.compiled());
        match &self.aside {
            Aside::Nothing => {}
            Aside::Quarantined(quarantine) => {
                why.status = ExecutionStatus::Quarantined;
                why.error = Some(quarantine.reason.clone());
            }
            Aside::WrittenOff(outcome) => {
                let mut declared = Why::unread(outcome.status(), outcome.error().map(ToString::to_string));
                declared.decided_by = Some(outcome.decided_by.clone());
                why = declared;
            }
        }
        why
    }

    /// What happened to it, fact by fact, numbered from 1.
    pub fn history(&self) -> Vec<Described> {
        Execution::describe(self.state.id(), self.workflow.compiled(), &self.history)
    }

    /// What it runs: the definition that it began with, as the journal kept it. It has no functions.
    pub fn workflow(&self) -> &Workflow {
        &self.workflow
    }

    /// Why it is parked, if it was when it was read.
    pub fn quarantine(&self) -> Option<&Quarantine> {
        match &self.aside {
            Aside::Quarantined(quarantine) => Some(quarantine),
            _ => None,
        }
    }
}
