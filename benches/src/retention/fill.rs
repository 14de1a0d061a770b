//! A journal full of executions that have ended, written without running them.

use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use finale::journal::{
    Append, Begins, Durability, Ends, Journal, JournalReader, Listener, MemoryJournal, SqliteJournal, Standing,
    StoredDefinition,
};
use finale::{Runtime, Workflow};
use finale_core::fact::{Facts, Terminal};
use finale_core::number::ShardNo;
use finale_core::supervisor::IdGenerator;
use finale_core::{ExecutionId, Time};
use tempfile::TempDir;

use super::Kind;
use crate::contender::BoxError;
use crate::durable::journal;
use crate::finale_side::noop;
use crate::shape::{HANDLER, Shape};

/// How long ago the first of them ended: the last one ended before anything else does.
const AGO: Duration = Duration::from_secs(3_600);
/// How long what fills a journal waits for room in it.
const TICK: Duration = Duration::from_millis(1);

/// A journal, and the executions that it was filled with, in the order of their ends.
#[derive(Debug)]
pub struct Filled {
    pub(super) journal: Kept,
    executions: Vec<ExecutionId>,
    /// It goes with its value.
    _folder: TempDir,
}

/// One of the journals; a clone is the same one.
#[derive(Clone, Debug)]
pub(super) enum Kept {
    Memory(MemoryJournal),
    Sqlite(SqliteJournal),
}

impl Kept {
    fn reader(&self) -> &dyn Journal {
        match self {
            Self::Memory(journal) => journal,
            Self::Sqlite(journal) => journal,
        }
    }

    /// Whether so much waits for the disk that it is better to write nothing more for now.
    fn waits(&self) -> bool {
        match self {
            Self::Memory(_) => false,
            Self::Sqlite(journal) => journal.stats().waiting_bytes > 0,
        }
    }
}

impl Filled {
    /// Fills a new journal of that kind with ended executions of a single task. A file journal lies in `folder`.
    pub(super) fn new(folder: &Path, kind: Kind, executions: usize) -> Result<Self, BoxError> {
        let scratch = tempfile::Builder::new().prefix("finale-benches-").tempdir_in(folder)?;
        let journal = match kind {
            Kind::Memory => Kept::Memory(MemoryJournal::keeping(usize::MAX)),
            Kind::Sqlite => Kept::Sqlite(journal::open(&scratch.path().join("journal.db"), Durability::Full)?.journal),
        };
        let mut filled = Self { journal, executions: Vec::with_capacity(executions), _folder: scratch };
        filled.fill(executions)?;
        Ok(filled)
    }

    fn fill(&mut self, executions: usize) -> Result<(), BoxError> {
        let (facts, definition) = one_execution()?;
        let count = u32::try_from(Facts::new(&facts).count())?;
        let journal = self.journal.reader();
        let epoch = journal.claim()?.epoch;
        let mut writer = journal.writer(epoch, 0, Listener::new(|_| {}))?;
        let mut ids = IdGenerator::new(ShardNo(0), 1, 7);
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let began = Time::from_micros(i64::try_from((now - AGO).as_micros())?);
        for index in 0..executions {
            let at = began.after(Duration::from_micros(index as u64));
            let execution = ids.next(at);
            let begins =
                Begins { definition: &definition, by: "somebody", at, idempotency_key: None, business_key: None };
            let standing = Standing::Ended(Ends { status: Terminal::Completed, at, error: None, to_tell: false });
            let append = Append { execution, first_sequence: 1, count, facts: &facts, begins: Some(begins), standing };
            writer.append(append)?;
            self.executions.push(execution);
            while writer.is_full() {
                thread::sleep(TICK);
            }
        }
        while self.journal.waits() {
            thread::sleep(TICK);
        }
        drop(writer);
        journal.release(epoch)?;
        Ok(())
    }

    /// The last of those that are forgotten with the first of that number.
    pub(super) fn last_of_first(&self, number: usize) -> ExecutionId {
        self.executions[number - 1]
    }

    /// Whether an execution is still kept.
    pub(super) fn has(&self, execution: ExecutionId) -> Result<bool, BoxError> {
        Ok(self.journal.reader().summary(execution)?.is_some())
    }

    /// How many of those that it was filled with are forgotten: they are forgotten in their order.
    pub(super) fn forgotten(&self) -> Result<usize, BoxError> {
        let (mut from, mut to) = (0, self.executions.len());
        while from < to {
            let middle = usize::midpoint(from, to);
            if self.has(self.executions[middle])? { to = middle } else { from = middle + 1 }
        }
        Ok(from)
    }

    /// How many executions are kept.
    pub(super) fn kept(&self) -> Result<usize, BoxError> {
        let (mut kept, mut filter) = (0, finale::Filter::new().limit(finale::Filter::LIMIT_MAX));
        loop {
            let page = self.journal.reader().list(&filter)?;
            kept += page.len();
            match page.last() {
                Some(last) if page.len() == finale::Filter::LIMIT_MAX => filter = filter.before(last.id),
                _ => return Ok(kept),
            }
        }
    }
}

/// The facts of an execution of a single task, as a runtime records them.
fn one_execution() -> Result<(Vec<u8>, StoredDefinition), BoxError> {
    actix::System::new().block_on(async {
        let journal = MemoryJournal::new();
        let runtime = Runtime::builder().journal(journal.clone()).handler(HANDLER, noop).start()?;
        let workflow = Workflow::new(Shape::single().definition())?;
        let execution = runtime.activate(&workflow, ()).start().await?;
        execution.outcome().await?;
        let history = journal.history(execution.id())?;
        runtime.shutdown(Duration::from_secs(1)).await;
        let gone = "an execution that ended is not there";
        Ok((history.ok_or(gone)?, journal.definition(workflow.hash())?.ok_or(gone)?))
    })
}
